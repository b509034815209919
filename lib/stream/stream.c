/* The calls of a stream, for the layer or service that stands on it: defaults where a layer has nothing of its own to do, and the
 * counters. */
#include "stream/stream.h"

#include "loop/loop.h"
#include "stream/iov.h"

int stream_setup(struct stream *s)
{
	if (s->below != NULL) {
		int rc = (int)stream_up_rd(s, stream_setup(s->below));
		if (rc != 0)
			return rc;
		s->caps |= s->below->caps & ST_NOHALF; /* a handshake finds that out */
	}
	return s->ops->setup == NULL ? 0 : s->ops->setup(s);
}

static void tell_end(struct counters *t, bool *ended, bool in)
{
	if (*ended)
		return;
	*ended = true;
	if (t->ended != NULL)
		t->ended(t, in);
}

static void count_in(struct counters *t, size_t n, uint32_t reads)
{
	t->in += n;
	t->used_ms = loop_now(t->loop);
	if (t->reads == 0)
		t->first_us = loop_now_us(t->loop);
	t->reads += reads;
}

static void count_out(struct counters *t, size_t n)
{
	t->out += n;
	t->used_ms = loop_now(t->loop);
}

ssize_t stream_readv(struct stream *s, const struct iovec *v, int n)
{
	ssize_t got = s->ops->readv(s, v, n);
	struct counters *t = s->counters;
	if (t != NULL && (got > 0 || got == ST_EMPTY))
		count_in(t, got > 0 ? (size_t)got : 0, 1);
	else if (t != NULL && got == 0)
		tell_end(t, &t->in_ended, true);
	return got;
}

ssize_t stream_writev(struct stream *s, const struct iovec *v, int n)
{
	ssize_t put = s->ops->writev(s, v, n);
	if (s->counters != NULL && put >= 0)
		count_out(s->counters, (size_t)put);
	return put;
}

void stream_passed_in(struct stream *s, size_t n)
{
	if (s->counters != NULL)
		count_in(s->counters, n, 1);
}

void stream_passed_out(struct stream *s, size_t n)
{
	if (s->counters != NULL)
		count_out(s->counters, n);
}

int stream_rawfd(struct stream *s, bool write)
{
	return s->ops->rawfd == NULL ? -1 : s->ops->rawfd(s, write);
}

int stream_recvm(struct stream *s, struct msgs *m)
{
	int got = s->ops->recvm(s, m);
	if (s->counters != NULL && got > 0)
		count_in(s->counters, iov_total(m->v, got), (uint32_t)got);
	return got;
}

int stream_sendm(struct stream *s, const struct msgs *m)
{
	int sent = s->ops->sendm(s, m);
	if (s->counters != NULL && sent > 0)
		count_out(s->counters, iov_total(m->v, sent));
	return sent;
}

ssize_t stream_read(struct stream *s, void *buf, size_t len)
{
	struct iovec v = { buf, len };
	return stream_readv(s, &v, 1);
}

ssize_t stream_write(struct stream *s, const void *buf, size_t len)
{
	struct iovec v = { (void *)(uintptr_t)buf, len };
	return stream_writev(s, &v, 1);
}

int stream_flush(struct stream *s)
{
	return s->ops->flush != NULL ? s->ops->flush(s) : stream_pass(s, stream_flush);
}

int stream_last(struct stream *s)
{
	if (s->ops->last != NULL)
		return s->ops->last(s);
	return s->ops->flush != NULL ? s->ops->flush(s) : stream_pass(s, stream_last);
}

static int stream_shut_below(struct stream *s)
{
	if (s->ops->shut != NULL)
		return s->ops->shut(s);
	int rc = stream_flush(s);
	return rc != 0 ? rc : stream_pass(s, stream_shut);
}

bool stream_unread(const struct stream *s)
{
	for (; s != NULL; s = s->below)
		if (s->ops->holds != NULL && s->ops->holds(s))
			return true;
	return false;
}

int stream_verdict(struct stream *s, struct err *e)
{
	for (; s != NULL; s = s->below)
		if (s->ops->verdict != NULL && s->ops->verdict(s, e) != 0)
			return -1;
	return 0;
}

int stream_shut(struct stream *s)
{
	int rc = stream_shut_below(s);
	if (rc == 0 && s->counters != NULL)
		tell_end(s->counters, &s->counters->out_ended, false);
	return rc;
}

void stream_close(struct stream *s, enum close_how how)
{
	if (s != NULL)
		s->ops->close(s, how == CLOSE_DONE ? CLOSE_PLAIN : how);
}

const struct stream *stream_bottom(const struct stream *s)
{
	while (s->below != NULL)
		s = s->below;
	return s;
}

const struct sa *stream_sender(const struct stream *s)
{
	while (s != NULL && s->ops->sender == NULL)
		s = s->below;
	return s != NULL ? s->ops->sender(s) : NULL;
}

void stream_push(struct stream *layer, const struct stream_ops *ops, struct stream *below)
{
	*layer = (struct stream){
		.ops = ops,
		.below = below,
		.rfd = below->rfd,
		.wfd = below->wfd,
		.caps = below->caps,
		.waker = below->waker,
	};
}

int stream_fail_below(struct stream *layer)
{
	layer->why = layer->below->why;
	return ST_FAIL;
}

int stream_fail(struct stream *s, enum err_class cls, unsigned char flags, int sys, const char *text)
{
	s->why = (struct why){ cls, flags, sys, text };
	return ST_FAIL;
}

int stream_again_rd(struct stream *s, const struct need *need)
{
	s->rd = *need;
	return ST_AGAIN;
}

int stream_again_wr(struct stream *s, const struct need *need)
{
	s->wr = *need;
	return ST_AGAIN;
}

ssize_t stream_up_rd(struct stream *layer, ssize_t rc)
{
	if (rc == ST_AGAIN)
		return stream_again_rd(layer, &layer->below->rd);
	return rc == ST_FAIL ? stream_fail_below(layer) : rc;
}

ssize_t stream_up_wr(struct stream *layer, ssize_t rc)
{
	if (rc == ST_AGAIN)
		return stream_again_wr(layer, &layer->below->wr);
	return rc == ST_FAIL ? stream_fail_below(layer) : rc;
}

void need_join(struct need *to, const struct need *other)
{
	if (other->timed && (!to->timed || other->at_ms < to->at_ms))
		to->at_ms = other->at_ms;
	to->timed |= other->timed;
	to->in |= other->in;
	to->out |= other->out;
	to->wake |= other->wake;
}

int stream_pass(struct stream *layer, int (*call)(struct stream *))
{
	return layer->below == NULL ? 0 : (int)stream_up_wr(layer, call(layer->below));
}

ssize_t stream_pass_readv(struct stream *layer, const struct iovec *v, int n)
{
	return stream_up_rd(layer, stream_readv(layer->below, v, n));
}

ssize_t stream_pass_writev(struct stream *layer, const struct iovec *v, int n)
{
	return stream_up_wr(layer, stream_writev(layer->below, v, n));
}

int stream_pass_rawfd(struct stream *layer, bool write)
{
	return stream_rawfd(layer->below, write);
}
