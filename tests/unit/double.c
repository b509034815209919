#include "double.h"
#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct act nothing[1];

static struct double_stream *self(struct stream *s)
{
	return (struct double_stream *)s;
}

unsigned char double_pattern(size_t at)
{
	return (unsigned char)(at * 131 + (at >> 8) * 17 + (at >> 16));
}

static void misuse(struct double_stream *d, const char *what)
{
	if (d->misused == NULL)
		d->misused = what;
}

static void next(struct script *c)
{
	c->at++;
	c->used = 0;
	c->stuttered = false;
}

/* On descriptors: ready for whatever is not held up. */
static void set_ready(const struct double_stream *d)
{
	int64_t now_ms = loop_now(d->loop);
	bool out = d->wr.blocked_ms <= now_ms && d->fl.blocked_ms <= now_ms && d->sh.blocked_ms <= now_ms;
	if (d->s.rfd >= 0)
		sim_ready(d->s.rfd, LOOP_IN, d->rd.blocked_ms <= now_ms);
	if (d->s.wfd >= 0)
		sim_ready(d->s.wfd, LOOP_OUT, out);
}

/* When the nearest of the calls that wait may be tried again, unless that has been said. */
static void set_alarm(struct double_stream *d)
{
	if (d->polled)
		set_ready(d);
	const struct script *all[] = { &d->rd, &d->wr, &d->fl, &d->sh };
	int64_t at_ms = NEVER;
	for (size_t i = 0; i < 4; i++)
		if (all[i]->blocked_ms != 0 && !all[i]->told && all[i]->blocked_ms < at_ms)
			at_ms = all[i]->blocked_ms;
	loop_timer(d->loop, &d->wake, at_ms);
}

static void alarmed(void *arg)
{
	struct double_stream *d = arg;
	struct script *all[] = { &d->rd, &d->wr, &d->fl, &d->sh };
	bool news = false;
	for (size_t i = 0; i < 4; i++)
		if (all[i]->blocked_ms != 0 && all[i]->blocked_ms <= loop_now(d->loop) && !all[i]->told)
			all[i]->told = news = true;
	set_alarm(d);
	if (!d->polled && news && d->waker.fn != NULL)
		d->waker.fn(d->waker.arg); /* last: d's owner may be done with it */
}

static int block(struct double_stream *d, struct script *c, struct need *need, int64_t ms)
{
	if (ms != 0) {
		c->blocked_ms = ms == NEVER ? NEVER : loop_now(d->loop) + ms;
		c->told = false;
	}
	*need = (struct need){ .wake = true, .in = need == &d->s.rd && d->s.rfd >= 0 };
	if (d->polled)
		*need = (struct need){ .in = need == &d->s.rd, .out = need != &d->s.rd };
	if (d->timed && !d->polled && c->blocked_ms != NEVER)
		*need = (struct need){ .timed = true, .at_ms = c->blocked_ms };
	else
		set_alarm(d);
	return ST_AGAIN;
}

/* Is the call held up? Moves the script past waits that are over. */
static bool held_up(struct double_stream *d, struct script *c)
{
	c->calls++;
	if (c->blocked_ms > loop_now(d->loop))
		return true;
	if (c->blocked_ms != 0 && c->at->kind == ACT_WAIT)
		next(c);
	c->blocked_ms = 0;
	return false;
}

static int fail(struct double_stream *d, const struct act *a, const char *text)
{
	return stream_fail(&d->s, a->cls, 0, EIO, text);
}

/* What stands before the next thing to be done: 0 go on, AGAIN or FAIL. */
static int prelude(struct double_stream *d, struct script *c, struct need *need, const char *text)
{
	if (held_up(d, c))
		return block(d, c, need, 0);
	if (c->at->kind == ACT_WAIT)
		return block(d, c, need, c->at->ms);
	if (d->stutter_ms != 0 && !c->stuttered) {
		c->stuttered = true;
		return block(d, c, need, d->stutter_ms);
	}
	c->stuttered = false;
	if (c->at->kind != ACT_FAIL)
		return 0;
	d->failed = true;
	return fail(d, c->at, text);
}

static size_t iov_bytes(const struct iovec *v, int n)
{
	size_t sum = 0;
	for (int i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

static ssize_t say(struct double_stream *d, const struct iovec *v, int n)
{
	const struct act *a = d->rd.at;
	bool dgram = d->s.caps & ST_DGRAM;
	size_t len = a->n - d->rd.used, room = iov_bytes(v, n);
	if (dgram && room < len)
		misuse(d, "a datagram was read into too little room");
	if (!dgram && d->most != 0 && len > d->most)
		len = d->most;
	if (len > room)
		len = room;
	for (size_t done = 0, i = 0; done < len; i++)
		for (size_t k = 0; k < v[i].iov_len && done < len; k++, done++) {
			unsigned char *to = v[i].iov_base;
			to[k] = a->text != NULL ? (unsigned char)a->text[d->rd.used + done] : double_pattern(d->said + done);
		}
	d->said += len;
	d->rd.used += len;
	if (dgram || d->rd.used == a->n)
		next(&d->rd);
	return (ssize_t)len;
}

static ssize_t double_readv(struct stream *s, const struct iovec *v, int n)
{
	struct double_stream *d = self(s);
	if (d->ended && d->owned) /* a close that takes its time looks again */
		return d->failed ? stream_fail(s, ERR_LOST, 0, ECONNRESET, "double read") : 0;
	if (d->ended)
		misuse(d, "read after its end");
	if (iov_bytes(v, n) == 0)
		misuse(d, "a read of no bytes");
	int rc = prelude(d, &d->rd, &s->rd, "double read");
	if (rc != 0) {
		d->ended |= rc == ST_FAIL;
		return rc;
	}
	switch (d->rd.at->kind) {
	case ACT_SAY:
		return say(d, v, n);
	case ACT_EMPTY:
		next(&d->rd);
		return ST_EMPTY;
	case ACT_END:
		d->ended = true;
		return 0;
	default:
		return block(d, &d->rd, &s->rd, NEVER);
	}
}

static void keep(struct double_stream *d, const struct iovec *v, int n, size_t len)
{
	if (d->counts) {
		d->got_n += len;
		return;
	}
	if (d->got_n + len > d->got_cap) {
		d->got_cap = (d->got_n + len) * 2 + 64;
		if ((d->got = realloc(d->got, d->got_cap)) == NULL)
			abort();
	}
	for (int i = 0; i < n && len > 0; i++) {
		size_t part = v[i].iov_len < len ? v[i].iov_len : len;
		if (part > 0)
			memcpy(d->got + d->got_n, v[i].iov_base, part);
		d->got_n += part;
		len -= part;
	}
}

static ssize_t double_writev(struct stream *s, const struct iovec *v, int n)
{
	struct double_stream *d = self(s);
	bool dgram = d->s.caps & ST_DGRAM;
	size_t len = iov_bytes(v, n);
	if (d->was_shut)
		misuse(d, "written after its shutdown");
	if (len == 0 && !dgram)
		misuse(d, "a write of no bytes");
	int rc = prelude(d, &d->wr, &s->wr, "double write");
	if (rc != 0)
		return rc;
	if (!dgram && d->wr.at->kind == ACT_TAKE && len > d->wr.at->n)
		len = d->wr.at->n;
	if (!dgram && d->most != 0 && len > d->most)
		len = d->most;
	if (d->wr.at->kind == ACT_TAKE)
		next(&d->wr);
	keep(d, v, n, len);
	if (d->writes < DOUBLE_SIZES)
		d->sizes[d->writes] = len;
	d->writes++;
	return (ssize_t)len;
}

static int double_flush(struct stream *s)
{
	return prelude(self(s), &self(s)->fl, &s->wr, "double flush");
}

static int double_shut(struct stream *s)
{
	struct double_stream *d = self(s);
	if (d->was_shut && d->owned) /* a session's end asks once more, whatever shut it before */
		return 0;
	if (d->was_shut)
		misuse(d, "shut twice");
	int rc = prelude(d, &d->sh, &s->wr, "double shut");
	if (rc == 0) {
		d->was_shut = true;
		d->shut_ms = loop_now(d->loop);
	}
	return rc;
}

static void double_closed(struct stream *s, enum close_how how)
{
	struct double_stream *d = self(s);
	if (d->closed || !d->owned)
		misuse(d, d->closed ? "closed twice" : "closed by its borrower");
	d->closed = true;
	d->how = how;
	loop_timer(d->loop, &d->wake, NEVER);
}

static const struct stream_ops double_ops = {
	.name = "double",
	.readv = double_readv,
	.writev = double_writev,
	.flush = double_flush,
	.shut = double_shut,
	.close = double_closed,
};

void double_open(struct double_stream *d, struct loop *loop, unsigned caps, const struct act *rd, const struct act *wr)
{
	*d = (struct double_stream){ .loop = loop };
	d->s = (struct stream){ .ops = &double_ops, .rfd = -1, .wfd = -1, .caps = caps, .waker = &d->waker };
	d->wake = (struct timer){ .fn = alarmed, .arg = d };
	d->rd.at = rd != NULL ? rd : nothing;
	d->wr.at = wr != NULL ? wr : nothing;
	d->fl.at = d->sh.at = nothing;
}

void double_poll(struct double_stream *d, int rfd, int wfd)
{
	d->polled = true;
	d->s.rfd = rfd;
	d->s.wfd = wfd;
	set_ready(d);
}

void double_close(struct double_stream *d)
{
	loop_timer(d->loop, &d->wake, NEVER);
	free(d->got);
	d->got = NULL;
}

bool loop_is_idle(struct loop *loop)
{
	struct err e = { 0 };
	return loop_run(loop, &e) == -1 && strcmp(e.what, "nothing is left to wait for") == 0;
}

bool pool_is_whole(struct pool *pool, size_t most)
{
	void **block = calloc(most, sizeof *block);
	size_t n = 0;
	if (block == NULL)
		abort();
	while (n < most && (block[n] = pool_take(pool)) != NULL)
		n++;
	for (size_t i = 0; i < n; i++)
		pool_give(pool, block[i]);
	free(block);
	return n == most;
}
