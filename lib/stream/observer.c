/* The layer around an observer. It passes every call down, and tells the observer what succeeded.
 *
 * It stands where payload is plain: above TLS, below layers that change bytes for our own end. */
#include "stream/observer.h"

#include "base/mem.h"

struct observer {
	struct stream s;
	const struct observer_ops *ops;
	bool in_ended, out_ended, broken;
	const struct why *wrong; /* the observer's failure */
	max_align_t self[];
};

static struct observer *observer_of(struct stream *s)
{
	return (struct observer *)s;
}

static void observer_moved(struct observer *t, enum observer_dir dir, const struct iovec *v, size_t len)
{
	const struct why *wrong = t->ops->moved != NULL ? t->ops->moved(t->self, dir, v, len) : NULL;
	if (t->wrong == NULL)
		t->wrong = wrong;
}

static void observer_ended(struct observer *t, enum observer_dir dir)
{
	bool *once = dir == OBSERVER_IN ? &t->in_ended : &t->out_ended;
	if (!*once && t->ops->ended != NULL)
		t->ops->ended(t->self, dir);
	*once = true;
}

static void observer_broke(struct observer *t)
{
	if (!t->broken && t->ops->broke != NULL)
		t->ops->broke(t->self, &t->s.why);
	t->broken = true;
}

static ssize_t observer_readv(struct stream *s, const struct iovec *v, int n)
{
	struct observer *t = observer_of(s);
	if (t->wrong != NULL) {
		s->why = *t->wrong;
		return ST_FAIL;
	}
	ssize_t got = stream_pass_readv(s, v, n);
	if (got == ST_FAIL)
		observer_broke(t);
	else if (got == 0)
		observer_ended(t, OBSERVER_IN);
	else if (got != ST_AGAIN)
		observer_moved(t, OBSERVER_IN, v, got > 0 ? (size_t)got : 0);
	return got;
}

static ssize_t observer_writev(struct stream *s, const struct iovec *v, int n)
{
	struct observer *t = observer_of(s);
	ssize_t put = stream_pass_writev(s, v, n);
	if (put == ST_FAIL)
		observer_broke(t);
	else if (put > 0 || (put == 0 && (s->caps & ST_DGRAM)))
		observer_moved(t, OBSERVER_OUT, v, (size_t)put);
	return put;
}

static int observer_shut(struct stream *s)
{
	int rc = stream_pass(s, stream_shut);
	if (rc == ST_FAIL)
		observer_broke(observer_of(s));
	else if (rc == 0 && !(s->caps & ST_DGRAM))
		observer_ended(observer_of(s), OBSERVER_OUT);
	return rc;
}

static void observer_secured(struct stream *s)
{
	struct observer *t = observer_of(s);
	if (t->ops->secured != NULL)
		t->ops->secured(t->self);
}

static int observer_verdict(struct stream *s, struct err *e)
{
	struct observer *t = observer_of(s);
	return t->ops->verdict != NULL ? t->ops->verdict(t->self, e) : 0;
}

static void observer_close(struct stream *s, enum close_how how)
{
	struct observer *t = observer_of(s);
	stream_close(s->below, how);
	if (t->ops->close != NULL)
		t->ops->close(t->self, how);
	mem_free(t);
}

static const struct stream_ops observer_stream_ops = {
	.name = "tap",
	.readv = observer_readv,
	.writev = observer_writev,
	.shut = observer_shut,
	.secured = observer_secured,
	.verdict = observer_verdict,
	.close = observer_close,
};

void *observer_push(struct stream **top, const struct observer_ops *ops, size_t self_bytes)
{
	struct observer *t = mem_new(sizeof *t + self_bytes);
	if (t == NULL)
		return NULL;
	stream_push(&t->s, &observer_stream_ops, *top);
	t->ops = ops;
	*top = &t->s;
	return t->self;
}

bool observer_next(struct observer_walk *w, size_t most, const unsigned char **bytes, size_t *n)
{
	if (w->left == 0)
		return false;
	while (w->at == w->v->iov_len) {
		w->v++;
		w->at = 0;
	}
	size_t here = w->v->iov_len - w->at;
	*n = here < most ? here : most;
	*n = *n < w->left ? *n : w->left;
	*bytes = (const unsigned char *)w->v->iov_base + w->at;
	w->at += *n;
	w->left -= *n;
	return true;
}
