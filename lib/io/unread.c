/* The layer around bytes that come again (unread.h). */
#include "io/unread.h"

#include "base/mem.h"

#include <string.h>

struct unread {
	struct stream s;
	unsigned char *bytes; /* NULL: all are gone */
	size_t at, n;
};

static struct unread *self(struct stream *s)
{
	return (struct unread *)s;
}

static ssize_t unread_readv(struct stream *s, const struct iovec *v, int n)
{
	struct unread *u = self(s);
	if (u->bytes == NULL) {
		ssize_t got = stream_readv(s->below, v, n);
		if (got == ST_AGAIN)
			return stream_again_rd(s, &s->below->rd);
		return got == ST_FAIL ? stream_fail_below(s) : got;
	}
	size_t sum = 0;
	for (int i = 0; i < n && u->n > 0; i++) {
		size_t some = v[i].iov_len < u->n ? v[i].iov_len : u->n;
		memcpy(v[i].iov_base, u->bytes + u->at, some);
		u->at += some;
		u->n -= some;
		sum += some;
	}
	if (u->n == 0) {
		mem_free(u->bytes);
		u->bytes = NULL;
	}
	return (ssize_t)sum;
}

static ssize_t unread_writev(struct stream *s, const struct iovec *v, int n)
{
	ssize_t put = stream_writev(s->below, v, n);
	if (put == ST_AGAIN)
		return stream_again_wr(s, &s->below->wr);
	return put < 0 ? stream_fail_below(s) : put;
}

static bool unread_holds(const struct stream *s)
{
	return ((const struct unread *)s)->n > 0;
}

void unread_drop(struct stream *s)
{
	mem_free(self(s)->bytes);
	mem_free(self(s));
}

static void unread_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	unread_drop(s);
}

int unread_push(struct stream **top, const void *bytes, size_t n)
{
	static const struct stream_ops ops = {
		.name = "unread", .readv = unread_readv, .writev = unread_writev, .holds = unread_holds, .close = unread_close
	};
	struct unread *u = mem_new(sizeof *u);
	if (u == NULL || (u->bytes = mem_raw(n)) == NULL) {
		mem_free(u);
		return -1;
	}
	memcpy(u->bytes, bytes, n);
	u->n = n;
	stream_push(&u->s, &ops, *top);
	*top = &u->s;
	return 0;
}
