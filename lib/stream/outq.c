/* Messages shared by count, and a ring of pointers to them.
 *
 * The ring doubles while messages wait and is freed with the last one, so that ten thousand quiet receivers cost nothing. A turn
 * makes one call of the stream: a long queue must not delay the others of this turn. */
#include "stream/outq.h"

#include "base/mem.h"

#include <string.h>

enum { FIRST_CAP = 8, SEND_VECTORS = 256 };

struct msg *msg_new(const void *bytes, size_t len)
{
	struct msg *m = len <= UINT32_MAX - sizeof *m ? mem_raw(sizeof *m + len) : NULL;
	if (m == NULL)
		return NULL;
	m->refs = 1;
	m->len = (uint32_t)len;
	if (bytes != NULL && len > 0)
		memcpy(m->bytes, bytes, len);
	return m;
}

struct msg *msg_shorten(struct msg *takes, size_t len)
{
	takes->len = (uint32_t)len;
	struct msg *less = mem_grow(takes, sizeof *takes + len);
	return less != NULL ? less : takes;
}

void msg_drop(struct msg *takes)
{
	if (takes != NULL && --takes->refs == 0)
		mem_free(takes);
}

static struct msg *outq_nth(const struct outq *q, uint32_t i)
{
	return q->v[(q->at + i) & (q->cap - 1)];
}

static int outq_grow(struct outq *q)
{
	uint32_t cap = q->cap == 0 ? FIRST_CAP : q->cap * 2;
	struct msg **v = mem_raw(cap * sizeof(struct msg *));
	if (v == NULL)
		return -1;
	for (uint32_t i = 0; i < q->n; i++)
		v[i] = outq_nth(q, i);
	mem_free(q->v);
	q->v = v;
	q->cap = cap;
	q->at = 0;
	return 0;
}

int outq_push(struct outq *q, struct msg *m, size_t most_bytes)
{
	size_t cost = (size_t)m->len + OUTQ_OVERHEAD;
	if (m->len == 0)
		return 0;
	if (q->bytes + cost > most_bytes || (q->n == q->cap && outq_grow(q) != 0))
		return -1;
	q->v[(q->at + q->n++) & (q->cap - 1)] = m;
	m->refs++;
	q->bytes += cost;
	return 0;
}

static void outq_shift(struct outq *q)
{
	struct msg *m = outq_nth(q, 0);
	q->bytes -= m->len - q->sent + OUTQ_OVERHEAD;
	q->sent = 0;
	q->at = (q->at + 1) & (q->cap - 1);
	q->n--;
	msg_drop(m);
}

static void outq_forget(struct outq *q)
{
	mem_free(q->v);
	*q = (struct outq){ 0 };
}

static void outq_take(struct outq *q, size_t bytes)
{
	while (bytes > 0) {
		size_t left = outq_nth(q, 0)->len - q->sent;
		if (bytes < left) {
			q->sent += (uint32_t)bytes;
			q->bytes -= bytes;
			return;
		}
		bytes -= left;
		outq_shift(q);
	}
}

int outq_send(struct outq *q, struct stream *s)
{
	if (q->n == 0)
		return stream_flush(s);
	struct iovec v[SEND_VECTORS];
	bool dgram = s->caps & ST_DGRAM;
	uint32_t n = dgram ? 1 : q->n < SEND_VECTORS ? q->n : SEND_VECTORS;
	for (uint32_t i = 0; i < n; i++)
		v[i] = (struct iovec){ outq_nth(q, i)->bytes, outq_nth(q, i)->len };
	v[0] = (struct iovec){ outq_nth(q, 0)->bytes + q->sent, outq_nth(q, 0)->len - q->sent };
	ssize_t put = stream_writev(s, v, (int)n);
	if (put < 0)
		return (int)put;
	outq_take(q, (size_t)put);
	if (q->n > 0)
		return OUTQ_MORE;
	outq_forget(q);
	return stream_flush(s);
}

void outq_free(struct outq *q)
{
	while (q->n > 0)
		outq_shift(q);
	outq_forget(q);
}
