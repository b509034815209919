/* The layer around bytes that are read again (pushback.h). */
#include "stream/pushback.h"

#include "base/mem.h"
#include "stream/iov.h"

#include <string.h>

struct pushback {
	struct stream s;
	unsigned char *bytes; /* NULL: all are gone */
	size_t at, n;
};

static struct pushback *pushback_self(struct stream *s)
{
	return (struct pushback *)s;
}

static ssize_t pushback_readv(struct stream *s, const struct iovec *v, int n)
{
	struct pushback *u = pushback_self(s);
	if (u->bytes == NULL)
		return stream_pass_readv(s, v, n);
	size_t sum = iov_scatter(v, n, 0, u->bytes + u->at, u->n);
	u->at += sum;
	u->n -= sum;
	if (u->n == 0) {
		mem_free(u->bytes);
		u->bytes = NULL;
	}
	return (ssize_t)sum;
}

static bool pushback_holds(const struct stream *s)
{
	return ((const struct pushback *)s)->n > 0;
}

void pushback_drop(struct stream *s)
{
	mem_free(pushback_self(s)->bytes);
	mem_free(pushback_self(s));
}

static void pushback_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	pushback_drop(s);
}

int pushback_push(struct stream **top, const void *bytes, size_t n)
{
	static const struct stream_ops ops = { .name = "unread",
		.readv = pushback_readv,
		.writev = stream_pass_writev,
		.holds = pushback_holds,
		.close = pushback_close };
	struct pushback *u = mem_new(sizeof *u);
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
