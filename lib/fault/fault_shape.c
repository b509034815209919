/* When bytes may pass: latency, rate, chunks and the gaps between them.
 *
 * Bytes reach the head of their queue in order, so a delay drawn anew for each burst never reorders. Bytes that came while we did
 * not look, or had no room, belong to the burst before them: the way reads cut a burst starts none. A rate is a line that is busy
 * while its bytes pass: the moment when it is free again is kept to the fraction of a byte, so a late loop loses nothing on
 * average. An idle line starts with the bytes that have come, less the loop's delay with the last byte before; after an outside
 * delay it makes up for CREDIT_US at most. */
#include "fault/fault_internal.h"

enum { MS = 1000, CREDIT_US = 100 * 1000, LATE_US = 20 * 1000, SLICES = 100 /* a second's bytes pass in so many pieces */ };
enum { MILLION = 1000000 };

static bool fault_shape_concerns(const struct fault_rule *r, enum fault_kind kind, int dir)
{
	return r->spec.kind == kind && (r->spec.dirs & 1U << dir) != 0;
}

/* The smallest of the drawn sizes. */
static void next_chunk(struct fault *f, int dir)
{
	struct fault_way *w = &f->way[dir];
	uint64_t size = 0;
	for (const struct fault_rule *r = f->rules; r != NULL; r = r->next)
		if (fault_shape_concerns(r, FAULT_CHUNK, dir)) {
			uint64_t least = (uint64_t)r->spec.a, most = (uint64_t)r->spec.b;
			uint64_t drawn = least + rng_below(fault_draw(f, r, dir, w->chunk_i), most - least + 1);
			size = size == 0 || drawn < size ? drawn : size;
		}
	w->chunk_i++;
	w->chunk_end = w->passed + (size > 0 ? size : FAULT_BLOCK);
}

static int64_t gap_us(const struct fault *f, int dir)
{
	int64_t us = 0;
	for (const struct fault_rule *r = f->rules; r != NULL; r = r->next)
		us += fault_shape_concerns(r, FAULT_GAP, dir) ? r->spec.a * MS : 0;
	return us;
}

static void rate_rule(struct fault_way *w, int64_t rate, int64_t now_us)
{
	if (w->rate == 0)
		w->rate_us = w->moved_us = now_us;
	if (w->rate == 0 || rate < w->rate) {
		w->rate = rate;
		w->rate_rest = 0;
	}
}

void shape_rule(struct fault *f, const struct fault_rule *rule, int dir)
{
	struct fault_way *w = &f->way[dir];
	if (rule->spec.kind == FAULT_LATENCY) {
		w->late = true;
		w->late_us += (rule->spec.a + rule->spec.b) * MS;
	} else if (rule->spec.kind == FAULT_RATE) {
		rate_rule(w, rule->spec.a, fault_now_us(f));
	} else if (rule->spec.kind == FAULT_CHUNK || rule->spec.kind == FAULT_GAP) {
		w->chunks = true;
		next_chunk(f, dir);
	} else {
		return;
	}
	w->untold = true;
}

void shape_comes(struct fault_way *w, int64_t at_us)
{
	if (w->dry && at_us - w->came_us >= FAULT_PAUSE_US)
		w->burst = w->arrived;
	w->came_us = at_us;
	w->dry = false;
}

static int64_t drawn_latency_us(const struct fault *f, const struct fault_rule *r, int dir, uint64_t index)
{
	int64_t mean_us = r->spec.a * MS, jitter_us = r->spec.b * MS;
	if (jitter_us == 0)
		return mean_us;
	uint64_t width = 2 * (uint64_t)jitter_us + 1;
	int64_t us = mean_us - jitter_us + (int64_t)rng_below(fault_draw(f, r, dir, index), width);
	return us > 0 ? us : 0;
}

int64_t shape_latency_us(const struct fault *f, int dir, uint64_t index)
{
	int64_t us = 0;
	for (const struct fault_rule *r = f->way[dir].late ? f->rules : NULL; r != NULL; r = r->next)
		us += fault_shape_concerns(r, FAULT_LATENCY, dir) ? drawn_latency_us(f, r, dir, index) : 0;
	return us;
}

/* When the line started, or starts, with the byte at the head. */
static int64_t line_begins_us(const struct fault_way *w, int64_t due_us)
{
	int64_t late_us = w->moved_us > w->rate_us ? w->moved_us - w->rate_us : 0;
	if (late_us > LATE_US)
		late_us = LATE_US;
	return due_us - late_us > w->rate_us ? due_us - late_us : w->rate_us;
}

static void line_begins(struct fault_way *w, int64_t at_us)
{
	if (at_us > w->rate_us) {
		w->rate_us = at_us;
		w->rate_rest = 0;
	}
}

static size_t line_allows(struct fault_way *w, int64_t due_us, size_t most, int64_t now_us, int64_t *at_us)
{
	uint64_t rate = (uint64_t)w->rate, slice = rate / SLICES > 0 ? rate / SLICES : 1;
	line_begins(w, line_begins_us(w, due_us));
	uint64_t busy = (most < slice ? most : slice) * MILLION + w->rate_rest;
	int64_t takes_us = (int64_t)(busy / rate + (busy % rate != 0));
	line_begins(w, now_us - CREDIT_US - takes_us);
	*at_us = w->rate_us + takes_us;
	if (*at_us > now_us)
		return 0;
	uint64_t done = ((uint64_t)(now_us - w->rate_us) * rate - w->rate_rest) / MILLION;
	return done < most ? (size_t)done : most;
}

size_t shape_allows(struct fault *f, int dir, const struct fault_piece *head, size_t most, int64_t *at_us)
{
	struct fault_way *w = &f->way[dir];
	int64_t now_us = fault_now_us(f), due_us = head->us + shape_latency_us(f, dir, head->burst);
	*at_us = due_us > w->gap_us ? due_us : w->gap_us;
	if (*at_us > now_us)
		return 0;
	if (w->chunks && most > w->chunk_end - w->passed)
		most = (size_t)(w->chunk_end - w->passed);
	return w->rate > 0 ? line_allows(w, due_us, most, now_us, at_us) : most;
}

void shape_tell(struct fault *f, int dir, uint64_t off)
{
	static const enum fault_kind kinds[] = { FAULT_LATENCY, FAULT_RATE, FAULT_CHUNK, FAULT_GAP };
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && f->way[dir].untold; i++)
		for (struct fault_rule *r = f->rules; r != NULL; r = r->next) {
			bool time = kinds[i] == FAULT_LATENCY || kinds[i] == FAULT_GAP;
			if (!fault_shape_concerns(r, kinds[i], dir) || (r->done & 1U << dir) != 0)
				continue;
			r->done |= (uint8_t)(1U << dir);
			fault_tell(f, &r->spec, dir, off, time ? r->spec.a * MS : r->spec.a);
		}
	f->way[dir].untold = false;
}

void shape_passed(struct fault *f, int dir, size_t n)
{
	struct fault_way *w = &f->way[dir];
	shape_tell(f, dir, w->passed);
	w->moved_us = fault_now_us(f);
	w->passed += n;
	if (w->rate > 0) {
		uint64_t busy = n * (uint64_t)MILLION + w->rate_rest, rate = (uint64_t)w->rate;
		w->rate_us += (int64_t)(busy / rate);
		w->rate_rest = busy % rate;
	}
	if (!w->chunks || w->passed < w->chunk_end)
		return;
	next_chunk(f, dir);
	int64_t gap = gap_us(f, dir);
	w->gap_us = gap > 0 ? w->moved_us + gap : w->gap_us;
}
