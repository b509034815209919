/* The two directions of a datagram stream. The fate of a datagram is decided when it comes, by its number; then it waits, with
 * its copies, until its time has come and enough others have overtaken it. A datagram that is to be overtaken, but is followed by
 * too few others, is late by LATE_US and not lost. */
#include "fault/fault_internal.h"

#include "stream/iov.h"

enum { LATE_US = 1000 * 1000, TURN_DATAGRAMS = 64 };

static struct fault *fault_dgram_self(struct stream *s)
{
	return (struct fault *)s;
}

/* Does the fault concern this one? */
static bool fault_dgram_hits(const struct fault *f, const struct fault_rule *r, int dir, uint64_t number)
{
	if ((r->spec.dirs & 1U << dir) == 0)
		return false;
	for (unsigned i = 0; i < r->spec.picks_n; i++)
		if (number - r->base[dir] == r->spec.picks[i])
			return true;
	return r->spec.picks_n == 0 && rng_hits(fault_draw(f, r, dir, number), (uint32_t)r->spec.a);
}

struct fate { /* of a datagram */
	unsigned copies;
	uint32_t after;
	size_t len;
};

static struct fate fault_dgram_decide(struct fault *f, int dir, uint64_t number, size_t len)
{
	struct fate fate = { .copies = 1, .len = len };
	for (const struct fault_rule *r = f->rules; r != NULL && fate.copies > 0; r = r->next) {
		bool cuts = r->spec.kind == FAULT_TRUNCATE && (r->spec.dirs & 1U << dir) != 0 && fate.len > (size_t)r->spec.a;
		bool hit = r->spec.kind >= FAULT_LOSS && r->spec.kind <= FAULT_REORDER && fault_dgram_hits(f, r, dir, number);
		if (!cuts && !hit)
			continue;
		int64_t value = r->spec.kind == FAULT_REORDER	 ? r->spec.b
				: r->spec.kind == FAULT_TRUNCATE ? r->spec.a
								 : (int64_t)len;
		fault_tell(f, &r->spec, dir, number, value);
		if (r->spec.kind == FAULT_TRUNCATE)
			fate.len = (size_t)r->spec.a;
		else if (r->spec.kind == FAULT_REORDER)
			fate.after = (uint32_t)r->spec.b > fate.after ? (uint32_t)r->spec.b : fate.after;
		else
			fate.copies = r->spec.kind == FAULT_DUP ? fate.copies + 1 : 0;
	}
	return fate;
}

/* 0; -1: no memory, and the datagram is lost. */
static int fault_dgram_come(struct fault *f, int dir, const struct iovec *v, int n, size_t len)
{
	struct fault_way *w = &f->way[dir];
	uint64_t number = ++w->arrived;
	struct fate fate = fault_dgram_decide(f, dir, number, len);
	const struct sa *from = dir == FAULT_IN ? stream_sender(f->s.below) : NULL;
	int64_t now_us = fault_now_us(f);
	shape_tell(f, dir, number);
	for (unsigned i = 0; i < fate.copies; i++) {
		struct fault_piece *p = hold_add_one(w, v, n, fate.len);
		if (p == NULL)
			return -1;
		p->us = now_us + shape_latency_us(f, dir, number);
		p->late_us = p->us + LATE_US;
		p->after = fate.after;
		if (from != NULL)
			p->from = *from;
	}
	return 0;
}

/* The next one that may pass; NULL: none, and the direction's need says when one may. A datagram that waits to be overtaken does
 * not delay the others; no other overtakes. */
static struct fault_piece *fault_dgram_next(const struct fault *f, struct fault_way *w)
{
	int64_t now_us = fault_now_us(f);
	for (struct fault_piece *p = w->first; p != NULL; p = p->next) {
		int64_t at_us = p->after > 0 ? p->late_us : p->us;
		if (at_us <= now_us)
			return p;
		need_time(&w->need, at_us);
		if (p->after == 0)
			return NULL;
	}
	return NULL;
}

static void fault_dgram_gone(struct fault_way *w, struct fault_piece *p)
{
	for (struct fault_piece *before = w->first; before != p; before = before->next)
		before->after -= before->after > 0;
	hold_remove(w, p);
}

/* --- what is sent --- */

static int send_held(struct fault *f)
{
	struct fault_way *w = &f->way[FAULT_OUT];
	struct fault_piece *p;
	while ((p = fault_dgram_next(f, w)) != NULL) {
		ssize_t put = stream_write(f->s.below, p->bytes, p->len);
		if (put == ST_AGAIN) {
			w->need = f->s.below->wr;
			return ST_AGAIN;
		}
		if (put < 0)
			return stream_fail_below(&f->s);
		fault_dgram_gone(w, p);
	}
	return 0;
}

int dgram_send(struct fault *f)
{
	f->way[FAULT_OUT].need = (struct need){ 0 };
	int rc = send_held(f);
	fault_send_later(f);
	return rc;
}

ssize_t dgram_writev(struct stream *s, const struct iovec *v, int n)
{
	struct fault *f = fault_dgram_self(s);
	struct fault_way *w = &f->way[FAULT_OUT];
	size_t len = iov_total(v, n);
	int rc = dgram_send(f);
	if (rc == ST_FAIL)
		return rc;
	if (w->first != NULL && hold_room(w) < len)
		return stream_again_wr(s, &w->need);
	if (fault_dgram_come(f, FAULT_OUT, v, n, len) != 0)
		return stream_fail(s, ERR_LOCAL, OF_PEER, ENOMEM, "delay what is sent to");
	return dgram_send(f) == ST_FAIL ? ST_FAIL : (ssize_t)len;
}

int dgram_flush(struct stream *s)
{
	struct fault *f = fault_dgram_self(s);
	struct fault_way *w = &f->way[FAULT_OUT];
	int rc = dgram_send(f);
	if (rc == ST_FAIL)
		return rc;
	if (w->first != NULL)
		return stream_again_wr(s, &w->need);
	return stream_pass(s, stream_flush);
}

/* No datagram follows that could overtake. */
int dgram_shut(struct stream *s)
{
	struct fault *f = fault_dgram_self(s);
	for (struct fault_piece *p = f->way[FAULT_OUT].first; p != NULL; p = p->next)
		p->after = 0;
	int rc = dgram_flush(s);
	return rc != 0 ? rc : stream_pass(s, stream_shut);
}

void dgram_let_go(struct fault *f)
{
	struct fault_way *w = &f->way[FAULT_OUT];
	while (w->first != NULL && stream_write(f->s.below, w->first->bytes, w->first->len) >= 0)
		hold_remove(w, w->first);
}

/* --- what is received --- */

static ssize_t fault_dgram_give(struct fault *f, struct fault_piece *p, const struct iovec *v, int n)
{
	struct fault_way *w = &f->way[FAULT_IN];
	ssize_t len = p->len > 0 ? (ssize_t)p->len : ST_EMPTY;
	if (iov_total(v, n) < p->len)
		len = stream_fail(&f->s, ERR_NETWORK, OF_PEER, EMSGSIZE, "receive from");
	else
		iov_scatter(v, n, 0, p->bytes, p->len);
	f->from = p->from;
	fault_dgram_gone(w, p);
	return len;
}

/* What is held passes later than it was read. */
const struct sa *dgram_sender(const struct stream *s)
{
	const struct fault *f = (const struct fault *)(const void *)s;
	return f->from.family != 0 ? &f->from : stream_sender(s->below);
}

/* A read also sends held datagrams; the next write reports a failure of that. */
ssize_t dgram_readv(struct stream *s, const struct iovec *v, int n)
{
	struct fault *f = fault_dgram_self(s);
	struct fault_way *w = &f->way[FAULT_IN];
	if (f->way[FAULT_OUT].first != NULL)
		dgram_send(f);
	for (int i = 0; i < TURN_DATAGRAMS; i++) {
		w->need = (struct need){ 0 };
		struct fault_piece *p = fault_dgram_next(f, w);
		if (p != NULL)
			return fault_dgram_give(f, p, v, n);
		if (w->end != FAULT_OPEN || (w->first != NULL && hold_room(w) == 0))
			break;
		ssize_t got = stream_readv(s->below, v, n); /* into the caller's room; it is kept elsewhere */
		if (got == ST_AGAIN) {
			need_join(&w->need, &s->below->rd);
			break;
		}
		if (got == 0 || got == ST_FAIL) {
			w->end = got == 0 ? FAULT_ENDED : FAULT_BROKE;
			w->why = s->below->why;
		} else if (fault_dgram_come(f, FAULT_IN, v, n, got > 0 ? (size_t)got : 0) != 0) {
			return stream_fail(s, ERR_LOCAL, OF_PEER, ENOMEM, "delay what came from");
		}
		if (i == TURN_DATAGRAMS - 1)
			need_time(&w->need, fault_now_us(f));
	}
	if (w->first == NULL && w->end != FAULT_OPEN) {
		s->why = w->why;
		return w->end == FAULT_BROKE ? ST_FAIL : 0;
	}
	s->rd = w->need;
	need_join(&s->rd, &f->way[FAULT_OUT].need);
	return ST_AGAIN;
}
