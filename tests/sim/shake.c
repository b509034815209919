#include "tests/sim/shake.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD = 24 };
enum stage { WANTS_HELLO, SENDS, WANTS_FINISH, DONE };

struct shake {
	struct stream s;
	enum stage stage;
	char ahead[AHEAD];
	size_t at, n;
	bool bye_said, bye_heard;
};

static struct shake *self(struct stream *s)
{
	return (struct shake *)s;
}

/* What was read ahead, or some more: > 0, 0, AGAIN, FAIL. */
static ssize_t fill(struct shake *h)
{
	if (h->at < h->n)
		return (ssize_t)(h->n - h->at);
	ssize_t got = stream_read(h->s.below, h->ahead, AHEAD);
	if (got > 0) {
		h->at = 0;
		h->n = (size_t)got;
	}
	return stream_up_rd(&h->s, got);
}

static int expect(struct shake *h, char wanted)
{
	ssize_t got = fill(h);
	if (got == ST_AGAIN || got == ST_FAIL)
		return (int)got;
	if (got == 0)
		return stream_fail(&h->s, ERR_LOST, OF_PEER, 0, "handshake was cut with");
	return h->ahead[h->at++] == wanted ? 0 : stream_fail(&h->s, ERR_TLS, OF_PEER, 0, "this is no handshake from");
}

static int shake_setup(struct stream *s)
{
	struct shake *h = self(s);
	int rc = 0;
	if (h->stage == WANTS_HELLO && (rc = expect(h, 'H')) == 0)
		h->stage = SENDS;
	if (h->stage == SENDS) {
		ssize_t put = stream_write(s->below, "S", 1);
		if (put < 0)
			return put == ST_AGAIN ? stream_again_rd(s, &s->below->wr) : stream_fail_below(s);
		h->stage = WANTS_FINISH;
	}
	if (h->stage == WANTS_FINISH && (rc = expect(h, 'F')) == 0)
		h->stage = DONE;
	return h->stage == DONE ? 0 : rc;
}

static ssize_t shake_readv(struct stream *s, const struct iovec *v, int n)
{
	struct shake *h = self(s);
	size_t done = 0;
	if (h->bye_heard)
		return 0;
	ssize_t got = fill(h);
	if (got == 0)
		return stream_fail(s, ERR_LOST, OF_PEER, 0, "cut off without a goodbye from");
	if (got < 0)
		return got;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].iov_len && h->at < h->n; k++) {
			if (h->ahead[h->at] == SHAKE_BYE) {
				h->bye_heard = true;
				return (ssize_t)done;
			}
			((char *)v[i].iov_base)[k] = h->ahead[h->at++];
			done++;
		}
	return (ssize_t)done;
}

static int shake_shut(struct stream *s)
{
	static const char bye[] = { SHAKE_BYE };
	struct shake *h = self(s);
	if (!h->bye_said) {
		ssize_t put = stream_write(s->below, bye, 1);
		if (put < 0)
			return (int)stream_up_wr(s, put);
		h->bye_said = true;
	}
	return stream_pass(s, stream_shut);
}

static bool shake_holds(const struct stream *s)
{
	const struct shake *h = (const struct shake *)(const void *)s;
	return h->at < h->n && h->ahead[h->at] != SHAKE_BYE;
}

static void shake_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	free(s);
}

static const struct stream_ops shake_ops = {
	.name = "shake",
	.setup = shake_setup,
	.readv = shake_readv,
	.writev = stream_pass_writev,
	.shut = shake_shut,
	.holds = shake_holds,
	.close = shake_close,
};

int shake_push(struct stream **top)
{
	struct shake *h = calloc(1, sizeof *h);
	if (h == NULL)
		abort();
	stream_push(&h->s, &shake_ops, *top);
	*top = &h->s;
	return 0;
}
