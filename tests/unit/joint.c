#include "joint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { READING, WRITING };

static struct joint_end *self(struct stream *s)
{
	return (struct joint_end *)s;
}

static void woken(void *arg)
{
	struct joint_end *e = arg;
	if (e->waker.fn != NULL)
		e->waker.fn(e->waker.arg);
}

static void unblock(struct joint_end *e, int way)
{
	if (e->blocked[way])
		loop_later(e->loop, &e->wake);
	e->blocked[way] = false;
}

static int again(struct joint_end *e, int way, bool soon)
{
	*(way == READING ? &e->s.rd : &e->s.wr) = (struct need){ .wake = true };
	e->blocked[way] = true;
	if (soon)
		unblock(e, way);
	return ST_AGAIN;
}

/* Is this call to say AGAIN before it gets on? */
static bool stutter(struct joint_end *e, int way)
{
	e->stuttered[way] = e->stutters && !e->stuttered[way];
	return e->stuttered[way];
}

static size_t least(size_t a, size_t b, size_t most)
{
	size_t n = a < b ? a : b;
	return most != 0 && n > most ? most : n;
}

static ssize_t joint_readv(struct stream *s, const struct iovec *v, int n)
{
	struct joint_end *e = self(s);
	if (n < 1 || v[0].iov_len == 0 || e->closed)
		abort();
	if (e->no_read)
		return stream_fail(s, ERR_LOST, OF_PEER, ECONNRESET, "receive from");
	if (e->in_n == 0 && !e->eof)
		return again(e, READING, false);
	if (stutter(e, READING))
		return again(e, READING, true);
	size_t len = least(e->in_n, v[0].iov_len, e->most);
	if (len > 0)
		memcpy(v[0].iov_base, e->in + e->in_at, len);
	e->in_at += len;
	e->in_n -= len;
	e->taken += len;
	unblock(e->other, WRITING);
	return (ssize_t)len;
}

static void arrive(struct joint_end *to, const unsigned char *bytes, size_t n)
{
	if (to->in_at + to->in_n + n > to->in_cap) {
		if (to->in_n > 0)
			memmove(to->in, to->in + to->in_at, to->in_n);
		to->in_at = 0;
	}
	if (to->in_n + n > to->in_cap) {
		to->in_cap = (to->in_n + n) * 2;
		if ((to->in = realloc(to->in, to->in_cap)) == NULL)
			abort();
	}
	memcpy(to->in + to->in_at + to->in_n, bytes, n);
	to->in_n += n;
	unblock(to, READING);
}

static void spoil(const struct joint_end *e, struct joint_end *to, size_t n)
{
	uint64_t byte = (e->flip_at - 1) / 8;
	if (e->flip_at != 0 && byte >= e->given && byte < e->given + n)
		to->in[to->in_at + to->in_n - n + (size_t)(byte - e->given)] ^= (unsigned char)(1 << ((e->flip_at - 1) % 8));
}

static ssize_t joint_writev(struct stream *s, const struct iovec *v, int n)
{
	struct joint_end *e = self(s), *to = e->other;
	if (n < 1 || v[0].iov_len == 0 || e->closed)
		abort();
	if (e->no_write || to->closed || e->was_shut)
		return stream_fail(s, ERR_LOST, OF_PEER, EPIPE, "send to");
	size_t room = e->window == 0 ? SIZE_MAX : e->window > to->in_n ? e->window - to->in_n : 0;
	if (room == 0)
		return again(e, WRITING, false);
	if (stutter(e, WRITING))
		return again(e, WRITING, true);
	size_t len = least(room, v[0].iov_len, e->most), arrives = len;
	if (e->cut_at != 0 && e->given + len >= e->cut_at)
		arrives = e->given + 1 >= e->cut_at ? 0 : (size_t)(e->cut_at - 1 - e->given);
	if (arrives > 0) {
		arrive(to, v[0].iov_base, arrives);
		spoil(e, to, arrives);
	}
	e->given += len;
	return (ssize_t)len;
}

static void tell_end(struct joint_end *to)
{
	to->eof = true;
	unblock(to, READING);
}

static int joint_shut(struct stream *s)
{
	struct joint_end *e = self(s);
	if (e->no_write)
		return stream_fail(s, ERR_LOST, OF_PEER, EPIPE, "send to");
	e->was_shut = true;
	tell_end(e->other);
	return 0;
}

static void joint_closed(struct stream *s, enum close_how how)
{
	struct joint_end *e = self(s);
	(void)how;
	if (e->closed)
		abort();
	e->closed = true;
	tell_end(e->other);
	unblock(e->other, WRITING);
}

static const struct stream_ops ops = {
	.name = "joint",
	.readv = joint_readv,
	.writev = joint_writev,
	.shut = joint_shut,
	.close = joint_closed,
};

static void end_open(struct joint_end *e, struct joint_end *other, struct loop *loop)
{
	*e = (struct joint_end){ .loop = loop, .other = other, .wake = { .fn = woken, .arg = e } };
	e->s = (struct stream){ .ops = &ops, .rfd = -1, .wfd = -1, .waker = &e->waker };
}

void joint_open(struct joint *j, struct loop *loop)
{
	end_open(&j->a, &j->b, loop);
	end_open(&j->b, &j->a, loop);
}

void joint_close(struct joint *j)
{
	struct joint_end *const ends[] = { &j->a, &j->b };
	for (size_t i = 0; i < 2; i++) {
		loop_forget(ends[i]->loop, &ends[i]->wake);
		free(ends[i]->in);
		ends[i]->in = NULL;
	}
}
