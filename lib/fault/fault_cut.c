/* Where bytes change, and where a direction or the connection ends.
 *
 * Nothing passes the place of a fault before it happens (cut_allows), so it happens exactly there, in whatever pieces the bytes
 * come. A reset destroys bytes on their way: one at an offset waits, for a bounded time, until the peer's system has acknowledged
 * the bytes before it. A fault at a time happens at whatever place its direction has reached. */
#include "fault/fault_internal.h"

#include "pump/ack_wait.h"

enum { ACK_MS = 10000, MASKS = 255 };

static bool is_cut(const struct fault_rule *r, int dir)
{
	bool cuts = r->spec.kind >= FAULT_STALL && r->spec.kind <= FAULT_RST;
	return cuts && (r->spec.dirs & 1U << dir) != 0 && (r->done & 1U << dir) == 0;
}

static uint64_t place_of(const struct fault_rule *r, int dir)
{
	uint64_t n = (uint64_t)r->spec.a;
	return n < UINT64_MAX - r->base[dir] ? r->base[dir] + n : UINT64_MAX;
}

size_t cut_allows(const struct fault *f, int dir, size_t most)
{
	for (const struct fault_rule *r = f->rules; r != NULL; r = r->next) {
		uint64_t left = is_cut(r, dir) && !r->spec.timed ? place_of(r, dir) - f->way[dir].passed : UINT64_MAX;
		most = left < most ? (size_t)left : most;
	}
	return most;
}

size_t cut_accepts(const struct fault *f, size_t most)
{
	const struct fault_way *w = &f->way[FAULT_OUT];
	for (const struct fault_rule *r = f->rules; r != NULL; r = r->next) {
		bool drops = r->spec.kind == FAULT_SINK || r->spec.kind == FAULT_HALF;
		if (!is_cut(r, FAULT_OUT) || r->spec.timed || drops)
			continue;
		uint64_t place = place_of(r, FAULT_OUT), left = place > w->arrived ? place - w->arrived : 0;
		most = left < most ? (size_t)left : most;
	}
	return w->stalled ? 0 : most;
}

/* --- ends --- */

static void cut_is_done(struct fault *f)
{
	f->cut_done = true;
	loop_timer(f->run->loop, &f->clock, NEVER);
	fault_wake(f);
}

/* Waits for acknowledgements, where there is something to wait for. */
static void reset_soon(struct fault *f, int64_t most_ms)
{
	bool waits = stream_unsent(&f->s) > 0;
	int64_t at_ms = waits ? ack_next(&f->ack_ms, &f->s, loop_now(f->run->loop), most_ms) : 0;
	if (at_ms == 0)
		cut_is_done(f);
	else
		loop_timer(f->run->loop, &f->clock, at_ms);
}

/* Sends our end now, after the passed bytes; a socket stream never returns AGAIN for it. */
static void shut_now(struct fault *f)
{
	hold_clear(&f->way[FAULT_OUT]);
	if (!f->shut_below)
		stream_shut(f->s.below);
	f->shut_below = true;
}

static void cut_connection(struct fault *f, const struct fault_rule *r, int dir)
{
	f->cut = r->spec.kind;
	hold_clear(&f->way[FAULT_IN]);
	if (f->cut == FAULT_CLOSE) {
		shut_now(f);
		cut_is_done(f);
		return;
	}
	hold_clear(&f->way[FAULT_OUT]);
	bool exact = !r->spec.timed && dir == FAULT_OUT;
	reset_soon(f, exact ? ACK_MS : 0);
}

static void end_way(struct fault *f, int dir)
{
	struct fault_way *w = &f->way[dir];
	w->over = true;
	if (dir == FAULT_OUT) {
		shut_now(f);
		return;
	}
	hold_clear(w);
	w->end = FAULT_ENDED;
	w->end_us = 0;
	fault_wake(f);
}

static void fault_cut_happen(struct fault *f, struct fault_rule *r, int dir)
{
	struct fault_way *w = &f->way[dir];
	r->done |= (uint8_t)(1U << dir);
	if (f->cut != 0 || (w->over && r->spec.kind != FAULT_CLOSE && r->spec.kind != FAULT_RST))
		return;
	fault_tell(f, &r->spec, dir, w->passed, r->spec.timed ? r->spec.a * 1000 : r->spec.a);
	if (r->spec.kind == FAULT_STALL) {
		w->stalled = true;
	} else if (r->spec.kind == FAULT_SINK) {
		w->sinks = true;
		hold_clear(w);
	} else if (r->spec.kind == FAULT_HALF) {
		end_way(f, dir);
	} else {
		cut_connection(f, r, dir);
	}
}

void cut_look(struct fault *f, int dir)
{
	for (struct fault_rule *r = f->rules; r != NULL; r = r->next)
		if (is_cut(r, dir) && !r->spec.timed && place_of(r, dir) <= f->way[dir].passed)
			fault_cut_happen(f, r, dir);
}

void cut_clock(struct fault *f)
{
	int64_t now_ms = loop_now(f->run->loop), next_ms = NEVER;
	if (f->cut != 0) {
		if (!f->cut_done)
			reset_soon(f, ACK_MS);
		return;
	}
	for (struct fault_rule *r = f->rules; r != NULL && f->cut == 0; r = r->next)
		for (int dir = 0; dir < FAULT_WAYS && r->spec.timed; dir++) {
			if (is_cut(r, dir) && now_ms >= r->at_ms)
				fault_cut_happen(f, r, dir);
			else if (is_cut(r, dir) && r->at_ms < next_ms)
				next_ms = r->at_ms;
		}
	if (f->cut == 0)
		loop_timer(f->run->loop, &f->clock, next_ms);
}

int cut_fails(struct fault *f)
{
	static const struct why words[] = {
		{ ERR_LOST, OF_PEER | BY_FAULT, 0, "the fault close-after closed the connection with" },
		{ ERR_LOST, OF_PEER | BY_FAULT | BY_RESET, 0, "the fault rst-after reset the connection with" },
	};
	f->s.why = words[f->cut == FAULT_RST];
	return ST_FAIL;
}

/* --- changes --- */

/* The first place at or after `from` where this rule changes a byte, and its mask. */
static uint64_t next_change(const struct fault *f, const struct fault_rule *r, int dir, uint64_t from, unsigned char *mask)
{
	if ((r->spec.dirs & 1U << dir) == 0)
		return UINT64_MAX;
	if (r->spec.kind == FAULT_CORRUPT_AT) {
		uint64_t at = place_of(r, dir);
		*mask = (unsigned char)(1 + fault_draw(f, r, dir, at) % MASKS);
		return at >= from ? at : UINT64_MAX;
	}
	if (r->spec.kind != FAULT_CORRUPT)
		return UINT64_MAX;
	uint64_t size = (uint64_t)r->spec.a, base = r->base[dir]; /* one byte in each block of so many */
	for (uint64_t block = from > base ? (from - base) / size : 0;; block++) {
		uint64_t bits = fault_draw(f, r, dir, block), at = base + block * size + rng_below(bits, size);
		*mask = (unsigned char)(1 + bits % MASKS);
		if (at >= from)
			return at;
	}
}

/* The first changed byte at or after `from`; of several rules that change it the first one counts, so that two do not restore
 * it. */
static const struct fault_rule *first_change(const struct fault *f, int dir, uint64_t from, uint64_t *at, unsigned char *mask)
{
	const struct fault_rule *first = NULL;
	*at = UINT64_MAX;
	for (const struct fault_rule *r = f->rules; r != NULL; r = r->next) {
		unsigned char m = 0;
		uint64_t here = next_change(f, r, dir, from, &m);
		if (here < *at) {
			*at = here;
			*mask = m;
			first = r;
		}
	}
	return first;
}

void cut_change(struct fault *f, int dir, unsigned char *bytes, size_t n)
{
	struct fault_way *w = &f->way[dir];
	uint64_t from = w->changed > w->passed ? w->changed : w->passed, end = w->passed + n, at = 0;
	unsigned char mask = 0;
	for (; from < end && first_change(f, dir, from, &at, &mask) != NULL && at < end; from = at + 1)
		bytes[at - w->passed] ^= mask;
	w->changed = end > w->changed ? end : w->changed;
}

void cut_passed(struct fault *f, int dir, size_t n)
{
	uint64_t end = f->way[dir].passed, from = end - n, at = 0;
	const struct fault_rule *r = NULL;
	unsigned char mask = 0;
	for (; from < end && (r = first_change(f, dir, from, &at, &mask)) != NULL && at < end; from = at + 1)
		fault_tell(f, &r->spec, dir, at, mask);
	cut_look(f, dir);
}
