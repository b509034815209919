/* When something may pass: latency, rate, chunks and the gaps between them.
 *
 * Bytes come to the head of their queue one after the other, so a delay that is drawn anew for each block never reorders. A rate
 * is a line that is busy for as long as its bytes take: the moment at which it is free again is kept exactly, to the fraction of
 * a byte, so that however late the loop looks nothing is lost on average. Where the line was idle it starts with what has come,
 * less what the loop was late with the last byte before; where it was held up from outside it makes up for CREDIT_US at most. */
#include "io/fault_parts.h"

enum { MS = 1000, CREDIT_US = 100 * 1000, LATE_US = 20 * 1000, SLICES = 100 /* a second's bytes go in so many pieces */ };
enum { MILLION = 1000000 };

static bool has_chunks(const struct fault_way *w)
{
	return w->chunk != NULL || w->gap != NULL;
}

static void next_chunk(struct fault *f, int dir)
{
	struct fault_way *w = &f->way[dir];
	uint64_t size = FAULT_BLOCK;
	if (w->chunk != NULL) {
		uint64_t least = (uint64_t)w->chunk->spec.a, most = (uint64_t)w->chunk->spec.b;
		size = least + rng_below(fault_draw(f, dir, FAULT_CHUNK, w->chunk_i), most - least + 1);
	}
	w->chunk_i++;
	w->chunk_end = w->passed + size;
}

void shape_rule(struct fault *f, struct fault_rule *rule, int dir)
{
	struct fault_way *w = &f->way[dir];
	if (rule->spec.kind == FAULT_LATENCY) {
		w->latency = rule;
	} else if (rule->spec.kind == FAULT_RATE) {
		w->rate = rule;
		w->rate_us = w->moved_us = fault_now_us(f);
		w->rate_rest = 0;
	} else if (rule->spec.kind == FAULT_CHUNK || rule->spec.kind == FAULT_GAP) {
		*(rule->spec.kind == FAULT_CHUNK ? &w->chunk : &w->gap) = rule;
		next_chunk(f, dir);
	}
}

int64_t shape_latency_us(const struct fault *f, int dir, uint64_t index)
{
	const struct fault_rule *rule = f->way[dir].latency;
	if (rule == NULL)
		return 0;
	int64_t mean_us = rule->spec.a * MS, jitter_us = rule->spec.b * MS;
	if (jitter_us == 0)
		return mean_us;
	uint64_t width = 2 * (uint64_t)jitter_us + 1;
	int64_t us = mean_us - jitter_us + (int64_t)rng_below(fault_draw(f, dir, FAULT_LATENCY, index), width);
	return us > 0 ? us : 0;
}

/* When the line began, or begins, with the byte at the head. */
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
	uint64_t rate = (uint64_t)w->rate->spec.a, slice = rate / SLICES > 0 ? rate / SLICES : 1;
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

size_t shape_allows(struct fault *f, int dir, int64_t came_us, size_t most, int64_t *at_us)
{
	struct fault_way *w = &f->way[dir];
	int64_t now_us = fault_now_us(f), due_us = came_us + shape_latency_us(f, dir, w->passed / FAULT_BLOCK);
	*at_us = due_us > w->gap_us ? due_us : w->gap_us;
	if (*at_us > now_us)
		return 0;
	if (w->latency != NULL && w->latency->spec.b > 0 && most > FAULT_BLOCK - w->passed % FAULT_BLOCK)
		most = FAULT_BLOCK - w->passed % FAULT_BLOCK;
	if (has_chunks(w) && most > w->chunk_end - w->passed)
		most = (size_t)(w->chunk_end - w->passed);
	return w->rate != NULL ? line_allows(w, due_us, most, now_us, at_us) : most;
}

static void tell_first(const struct fault *f, struct fault_rule *rule, int dir)
{
	if (rule == NULL || (rule->done & 1U << dir) != 0)
		return;
	rule->done |= (uint8_t)(1U << dir);
	bool time = rule->spec.kind == FAULT_LATENCY || rule->spec.kind == FAULT_GAP;
	fault_tell(f, &rule->spec, dir, f->way[dir].passed, time ? rule->spec.a * MS : rule->spec.a);
}

void shape_passed(struct fault *f, int dir, size_t n)
{
	struct fault_way *w = &f->way[dir];
	struct fault_rule *all[] = { w->latency, w->rate, w->chunk, w->gap };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		tell_first(f, all[i], dir);
	w->moved_us = fault_now_us(f);
	w->passed += n;
	if (w->rate != NULL) {
		uint64_t busy = n * (uint64_t)MILLION + w->rate_rest, rate = (uint64_t)w->rate->spec.a;
		w->rate_us += (int64_t)(busy / rate);
		w->rate_rest = busy % rate;
	}
	if (!has_chunks(w) || w->passed < w->chunk_end)
		return;
	next_chunk(f, dir);
	if (w->gap != NULL)
		w->gap_us = w->moved_us + w->gap->spec.a * MS;
}
