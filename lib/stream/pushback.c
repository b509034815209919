/* The layer around bytes that are read again (pushback.h). */
#include "stream/pushback.h"

#include "base/mem.h"
#include "stream/buf.h"
#include "stream/iov.h"

struct pushback {
	struct stream s;
	struct buf again;
};

static struct pushback *pushback_self(struct stream *s)
{
	return (struct pushback *)s;
}

static ssize_t pushback_readv(struct stream *s, const struct iovec *v, int n)
{
	struct pushback *u = pushback_self(s);
	if (u->again.len == 0)
		return stream_pass_readv(s, v, n);
	size_t sum = iov_scatter(v, n, 0, u->again.mem + u->again.at, u->again.len);
	buf_drop(&u->again, sum);
	if (u->again.len == 0)
		buf_fit(&u->again);
	return (ssize_t)sum;
}

static bool pushback_holds(const struct stream *s)
{
	return ((const struct pushback *)s)->again.len > 0;
}

void pushback_drop(struct stream *s)
{
	buf_free(&pushback_self(s)->again);
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
	if (u == NULL || buf_add(&u->again, bytes, n, n) != 0) {
		mem_free(u);
		return -1;
	}
	stream_push(&u->s, &ops, *top);
	*top = &u->s;
	return 0;
}
