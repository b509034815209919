/* Bytes that wait (buf.h). */
#include "stream/buf.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BYTES = 4096 };

int buf_room(struct buf *b, size_t more, size_t most)
{
	if (b->at > 0 && b->at + b->len + more > b->cap) {
		memmove(b->mem, b->mem + b->at, b->len);
		b->at = 0;
	}
	if (b->at + b->len + more <= b->cap)
		return 0;
	errno = ENOBUFS;
	if (b->fixed)
		return -1;
	size_t need = b->len + more, cap = b->cap * 2 > FIRST_BYTES ? b->cap * 2 : FIRST_BYTES;
	if (cap > most)
		cap = most;
	if (cap < need)
		cap = need;
	size_t left = budget_left(b->budget, b->cap);
	if (cap - b->cap > left) /* then it does not double */
		cap = b->cap + left > need ? b->cap + left : need;
	if (!budget_take(b->budget, b->cap, cap - b->cap))
		return -1;
	unsigned char *mem = mem_grow(b->mem, cap);
	if (mem == NULL) {
		budget_give(b->budget, cap - b->cap);
		errno = ENOMEM;
		return -1;
	}
	b->mem = mem;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t n, size_t most)
{
	if (n == 0)
		return 0;
	if (buf_room(b, n, most) != 0)
		return -1;
	memcpy(b->mem + b->at + b->len, bytes, n);
	b->len += n;
	return 0;
}

void buf_drop(struct buf *b, size_t n)
{
	b->len -= n;
	b->at = b->len > 0 ? b->at + n : 0;
}

void buf_fit(struct buf *b)
{
	if (b->fixed)
		return;
	if (b->len == 0) {
		mem_free(b->mem);
		budget_give(b->budget, b->cap);
		*b = (struct buf){ .budget = b->budget };
		return;
	}
	if (b->at > 0)
		memmove(b->mem, b->mem + b->at, b->len);
	b->at = 0;
	unsigned char *less = b->cap > b->len ? mem_grow(b->mem, b->len) : NULL;
	if (less == NULL)
		return;
	budget_give(b->budget, b->cap - b->len);
	b->mem = less;
	b->cap = b->len;
}

void buf_free(struct buf *b)
{
	b->len = 0;
	buf_fit(b);
}

int buf_send(struct buf *b, struct stream *layer)
{
	while (b->len > 0) {
		ssize_t put = stream_write(layer->below, b->mem + b->at, b->len);
		if (put < 0)
			return (int)stream_up_wr(layer, put);
		buf_drop(b, (size_t)put);
	}
	buf_fit(b);
	return 0;
}

int buf_flush(struct buf *b, struct stream *layer)
{
	int rc = buf_send(b, layer);
	return rc != 0 ? rc : stream_pass(layer, stream_flush);
}
