/* What waits in the layer: a queue of pieces for each way, whose memory is bounded (hold_room). What is added within one turn of
 * the loop shares pieces, so that many small writes do not cost a piece each. */
#include "io/fault_parts.h"

#include "base/mem.h"

#include <string.h>

enum {
	LEAST_BYTES = 64,
	LINE_BYTES = 64 * 1024,	 /* without latency: what keeps a line busy */
	LATE_BYTES = 1024 * 1024 /* with it: what is on its way */
};

size_t iov_total(const struct iovec *v, int n)
{
	size_t bytes = 0;
	for (int i = 0; i < n; i++)
		bytes += v[i].iov_len;
	return bytes;
}

/* Copies between pieces of memory and one that is whole, behind the first `at` bytes of v; returns how much there was room for.
 */
static size_t move(const struct iovec *v, int n, size_t at, unsigned char *whole, size_t len, bool into_v)
{
	size_t done = 0;
	for (int i = 0; i < n && done < len; i++) {
		if (at >= v[i].iov_len) {
			at -= v[i].iov_len;
			continue;
		}
		size_t part = v[i].iov_len - at < len - done ? v[i].iov_len - at : len - done;
		unsigned char *theirs = (unsigned char *)v[i].iov_base + at;
		memcpy(into_v ? theirs : whole + done, into_v ? whole + done : theirs, part);
		done += part;
		at = 0;
	}
	return done;
}

size_t hold_scatter(const struct iovec *v, int n, size_t at, const unsigned char *from, size_t len)
{
	return move(v, n, at, (unsigned char *)(uintptr_t)from, len, true);
}

static struct fault_piece *append(struct fault_way *w, size_t cap)
{
	struct fault_piece *p = mem_raw(sizeof *p + cap);
	if (p == NULL)
		return NULL;
	*p = (struct fault_piece){ .cap = (uint32_t)cap };
	*(w->last != NULL ? &w->last->next : &w->first) = p;
	w->last = p;
	w->held += sizeof *p + cap;
	return p;
}

int hold_add(struct fault_way *w, const struct iovec *v, int n, size_t len, int64_t now_us)
{
	struct fault_piece *p = w->last;
	size_t spare = p != NULL && p->us == now_us ? p->cap - p->at - p->len : 0, done = spare < len ? spare : len;
	if (done < len) { /* what may fail first */
		size_t more = len - done;
		if (append(w, more < LEAST_BYTES ? LEAST_BYTES : more) == NULL)
			return -1;
	}
	if (done > 0) {
		move(v, n, 0, p->bytes + p->at + p->len, done, false);
		p->len += (uint32_t)done;
	}
	if (done < len) {
		p = w->last;
		p->us = now_us;
		p->len = (uint32_t)move(v, n, done, p->bytes, len - done, false);
	}
	w->arrived += len;
	return 0;
}

struct fault_piece *hold_add_one(struct fault_way *w, const struct iovec *v, int n, size_t len)
{
	struct fault_piece *p = append(w, len);
	if (p != NULL)
		p->len = (uint32_t)move(v, n, 0, p->bytes, len, false);
	return p;
}

void hold_remove(struct fault_way *w, struct fault_piece *p)
{
	struct fault_piece **at = &w->first, *before = NULL;
	for (; *at != p; at = &before->next)
		before = *at;
	*at = p->next;
	if (w->last == p)
		w->last = before;
	w->held -= sizeof *p + p->cap;
	mem_free(p);
}

void hold_drop(struct fault_way *w, size_t n)
{
	while (n > 0) {
		struct fault_piece *p = w->first;
		size_t part = p->len < n ? p->len : n;
		p->at += (uint32_t)part;
		p->len -= (uint32_t)part;
		n -= part;
		if (p->len == 0)
			hold_remove(w, p);
	}
}

void hold_clear(struct fault_way *w)
{
	while (w->first != NULL)
		hold_remove(w, w->first);
	w->arrived = w->passed;
}

size_t hold_room(const struct fault_way *w)
{
	size_t most = w->latency != NULL ? LATE_BYTES : LINE_BYTES;
	return w->held < most ? most - w->held : 0;
}

void need_join(struct need *a, const struct need *b)
{
	a->in |= b->in;
	a->out |= b->out;
	a->wake |= b->wake;
	if (b->timed && (!a->timed || b->at_ms < a->at_ms))
		a->at_ms = b->at_ms;
	a->timed |= b->timed;
}

void need_time(struct need *a, int64_t at_us)
{
	const struct need when = { .timed = true, .at_ms = at_us / 1000 + (at_us % 1000 != 0) };
	need_join(a, &when);
}
