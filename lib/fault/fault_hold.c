/* The bytes that the layer holds: a queue of pieces for each direction. Writes within one turn of the loop share pieces, so that
 * many small ones do not cost a piece each.
 *
 * Memory is bounded: a little for each direction, and with a latency the bytes on their way, rate times latency, from a store
 * shared by all connections of the run. Each connection may use SHARE times what is then left in it, so that a greedy one leaves
 * room for later ones. */
#include "fault/fault_internal.h"

#include "base/mem.h"
#include "stream/iov.h"

enum { LEAST_BYTES = 64, SHARE = 16, CRUMB = 1024 /* bytes: too few for a read while others are held */ };

static struct fault_piece *fault_hold_append(struct fault_way *w, size_t cap)
{
	struct fault_piece *p = mem_raw(sizeof *p + cap);
	if (p == NULL)
		return NULL;
	*p = (struct fault_piece){ .cap = (uint32_t)cap };
	*(w->last != NULL ? &w->last->next : &w->first) = p;
	w->last = p;
	w->held += sizeof *p + cap;
	*w->held_all += sizeof *p + cap;
	return p;
}

int hold_add(struct fault_way *w, const struct iovec *v, int n, size_t len, int64_t now_us)
{
	struct fault_piece *p = w->last;
	bool shares = p != NULL && p->us == now_us && p->burst == w->burst;
	size_t spare = shares ? p->cap - p->at - p->len : 0, done = spare < len ? spare : len;
	if (done < len) { /* what may fail first */
		size_t more = len - done;
		if (fault_hold_append(w, more < LEAST_BYTES ? LEAST_BYTES : more) == NULL)
			return -1;
	}
	if (done > 0) {
		iov_gather(v, n, 0, p->bytes + p->at + p->len, done);
		p->len += (uint32_t)done;
	}
	if (done < len) {
		p = w->last;
		p->us = now_us;
		p->burst = w->burst;
		p->len = (uint32_t)iov_gather(v, n, done, p->bytes, len - done);
	}
	w->arrived += len;
	return 0;
}

struct fault_piece *hold_add_one(struct fault_way *w, const struct iovec *v, int n, size_t len)
{
	struct fault_piece *p = fault_hold_append(w, len);
	if (p != NULL)
		p->len = (uint32_t)iov_gather(v, n, 0, p->bytes, len);
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
	*w->held_all -= sizeof *p + p->cap;
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

static size_t left_below(size_t most, uint64_t used)
{
	return used < most ? most - (size_t)used : 0;
}

/* The bytes that a line of this rate has on its way, and that keep it busy. */
static size_t line_bytes(const struct fault_way *w)
{
	const uint64_t second_us = 1000 * 1000, late_us = (uint64_t)w->late_us, rate = (uint64_t)w->rate;
	if (late_us > FAULT_RUN_BYTES * second_us / rate)
		return FAULT_RUN_BYTES;
	return (size_t)(rate * late_us / second_us) + FAULT_LINE_BYTES;
}

static size_t no_crumb(const struct fault_way *w, size_t room)
{
	return room >= CRUMB || w->first == NULL ? room : 0;
}

size_t hold_room(const struct fault_way *w)
{
	size_t own = left_below(FAULT_LINE_BYTES, w->held);
	if (!w->late)
		return no_crumb(w, own);
	size_t left = left_below(FAULT_RUN_BYTES, *w->held_all), share = left_below(SHARE * left, w->held);
	size_t most = share < left ? share : left;
	most = most > own ? most : own;
	size_t line = w->rate > 0 ? left_below(line_bytes(w), w->arrived - w->passed) : most;
	return no_crumb(w, line < most ? line : most);
}

void need_time(struct need *a, int64_t at_us)
{
	const struct need when = { .timed = true, .at_ms = at_us / 1000 + (at_us % 1000 != 0) };
	need_join(a, &when);
}
