/* Where an expression matches, and what its groups are. Each thread carries its saved positions. Threads of an earlier start come
 * first; among those of one start the preferred ones (first alternative, one more repetition). Of two threads at one instruction
 * the first stays, because both have the same future. So one list a byte is enough, and the first thread that ends where the
 * leftmost longest match ends has its groups. */
#include "pattern/ere_internal.h"

#include "base/mem.h"

#include <string.h>

#define NOWHERE UINT32_MAX

enum { RESTORES = 0x10000 };

struct todo {
	uint32_t what; /* an instruction, or RESTORES and a slot */
	uint32_t was;
};

struct ere_threads {
	uint32_t *now, *next; /* of each thread: its instruction, and its slots */
	size_t now_n, next_n, slots;
	uint64_t *seen;
	struct todo *todo;
	uint32_t best[2 * ERE_GROUPS], slot[2 * ERE_GROUPS];
};

/* One block: this struct, two lists, marks, the stack of open work. */
static struct ere_threads *threads_open(const struct ere_run *r)
{
	size_t n = (size_t)r->x->insts_n + 1, slots = 2 * (size_t)r->groups, words = n / 64 + 1;
	struct ere_threads *t =
		mem_raw(sizeof *t + words * sizeof *t->seen + n * sizeof *t->todo + 2 * n * (slots + 1) * sizeof *t->now);
	if (t == NULL)
		return NULL;
	t->seen = (uint64_t *)(t + 1);
	t->todo = (struct todo *)(t->seen + words);
	t->now = (uint32_t *)(t->todo + n);
	t->next = t->now + n * (slots + 1);
	t->slots = slots;
	t->now_n = t->next_n = 0;
	for (size_t i = 0; i < 2 * ERE_GROUPS; i++)
		t->best[i] = t->slot[i] = NOWHERE;
	return t;
}

static void add_next(struct ere_threads *t, unsigned inst)
{
	uint32_t *to = t->next + t->next_n++ * (t->slots + 1);
	to[0] = inst;
	memcpy(to + 1, t->slot, t->slots * sizeof *to);
}

/* Runs from one instruction up to those that need a byte. Returns how many were visited. */
static size_t follow_thread(const struct ere_run *r, unsigned first, unsigned before)
{
	struct ere_threads *t = r->threads;
	const struct ere *x = r->x;
	bool at_end = r->at == r->n;
	unsigned byte = at_end ? 0 : r->bytes[r->at];
	size_t n = 0, visits = 0;
	t->todo[n++] = (struct todo){ .what = first };
	while (n > 0) {
		struct todo at = t->todo[--n];
		if (at.what >= RESTORES) {
			t->slot[at.what - RESTORES] = at.was;
			continue;
		}
		for (unsigned i = at.what;;) {
			const struct ere_inst *inst = &x->insts[i];
			if (t->seen[i / 64] >> (i % 64) & 1)
				break;
			t->seen[i / 64] |= UINT64_C(1) << (i % 64);
			visits++;
			if (inst->op == ERE_DO_SPLIT) {
				t->todo[n++] = (struct todo){ .what = inst->y };
				i = inst->x;
				continue;
			}
			if (inst->op == ERE_DO_JUMP) {
				i = inst->x;
				continue;
			}
			if (inst->op == ERE_DO_SAVE && inst->arg < t->slots) {
				t->todo[n++] = (struct todo){ RESTORES + inst->arg, t->slot[inst->arg] };
				t->slot[inst->arg] = (uint32_t)r->at;
			}
			if (inst->op == ERE_DO_ASSERT && !ere_holds(inst->arg, before, at_end, !at_end && ere_word(byte)))
				break;
			if (inst->op == ERE_DO_MATCH) {
				memcpy(t->best, t->slot, t->slots * sizeof *t->best);
				t->best[1] = (uint32_t)r->at;
				break;
			}
			if (inst->op == ERE_DO_SET) {
				if (!at_end && ere_has(&x->sets[inst->x], byte))
					add_next(t, i + 1);
				break;
			}
			i++;
		}
	}
	return visits;
}

/* One place: every present thread, and a new one as long as nothing has matched. */
static size_t step_threads(const struct ere_run *r)
{
	struct ere_threads *t = r->threads;
	unsigned before = r->at == 0 ? ERE_AT_BEGIN : ere_word(r->bytes[r->at - 1]) ? ERE_AFTER_WORD : 0;
	size_t words = (size_t)r->x->insts_n / 64 + 1, visits = words;
	memset(t->seen, 0, words * sizeof *t->seen);
	t->next_n = 0;
	for (size_t i = 0; i < t->now_n; i++) {
		const uint32_t *thread = t->now + i * (t->slots + 1);
		if (t->best[0] != NOWHERE && thread[1] > t->best[0])
			break;
		memcpy(t->slot, thread + 1, t->slots * sizeof *thread);
		visits += follow_thread(r, thread[0], before) + 1;
	}
	if (t->best[0] == NOWHERE && (r->at == 0 || !r->x->anchored)) {
		memset(t->slot, 0xff, sizeof t->slot);
		t->slot[0] = (uint32_t)r->at;
		visits += follow_thread(r, 0, before);
	}
	uint32_t *now = t->now;
	t->now = t->next;
	t->now_n = t->next_n;
	t->next = now;
	return visits;
}

static enum ere_did tell_groups(struct ere_run *r)
{
	const uint32_t *best = r->threads->best;
	if (best[0] == NOWHERE)
		return ERE_NO;
	for (unsigned i = 0; i < r->groups; i++)
		if (best[2 * i] != NOWHERE && best[2 * i + 1] != NOWHERE)
			r->group[i] = (struct ere_span){ (ptrdiff_t)best[2 * i], (ptrdiff_t)best[2 * i + 1] };
	return ERE_YES;
}

enum ere_did ere_pike_go(struct ere_run *r, int64_t *work)
{
	if (r->n >= NOWHERE || (r->threads == NULL && (r->threads = threads_open(r)) == NULL))
		return ERE_MEMORY;
	const struct ere_threads *t = r->threads;
	for (; *work > 0; r->at++) {
		*work -= (int64_t)step_threads(r);
		bool over = t->now_n == 0 && (t->best[0] != NOWHERE || r->x->anchored);
		if (over || r->at == r->n)
			return tell_groups(r);
	}
	return ERE_MORE;
}

/* --- a run --- */

void ere_start(struct ere_run *r, const struct ere *x, struct ere_cache *cache, const void *bytes, size_t n, unsigned groups)
{
	*r = (struct ere_run){ .x = x, .cache = cache, .bytes = bytes, .n = n, .groups = groups };
	for (unsigned i = 0; i < ERE_GROUPS; i++)
		r->group[i] = (struct ere_span){ -1, -1 };
}

enum ere_did ere_go(struct ere_run *r, int64_t *work)
{
	enum ere_did did = r->found ? ERE_YES : ere_dfa_go(r, work);
	if (did == ERE_YES && r->groups > 0) {
		r->at = r->found ? r->at : 0;
		r->found = true;
		did = ere_pike_go(r, work);
	}
	if (did != ERE_MORE)
		ere_stop(r);
	return did;
}

void ere_stop(struct ere_run *r)
{
	mem_free(r->set);
	mem_free(r->threads);
	r->set = NULL;
	r->threads = NULL;
}
