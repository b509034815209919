/* Whether an expression matches. All threads of a program run side by side; a set of threads is a state, and its next state for
 * each class of bytes is made when first needed (a lazy DFA). Expressions and bytes can be chosen so that each byte needs a new
 * state, so the cache is bounded and is emptied when full. A byte then costs at most one visit of each instruction, as promised.
 *
 * A state holds the threads before the instructions that need no byte (choices, parentheses, assertions): these run when the next
 * byte or the end is known, because assertions depend on it. So a match shows one byte late. */
#include "pattern/ere_internal.h"

#include "base/mem.h"

#include <string.h>

enum { CHUNK_BYTES = 64 * 1024, TABLE = 4096, STATES_MOST = TABLE / 2, CHUNKS_MOST = ERE_CACHE_MOST / CHUNK_BYTES };

struct ere_state {
	const struct ere *x;
	uint32_t hash;
	uint16_t n;
	uint8_t before;
	struct ere_state *next[]; /* of each class, and of the end; then n threads */
};

struct ere_cache {
	unsigned states, chunks_n, at; /* at: the chunk that is being filled */
	size_t used;		       /* of that */
	unsigned char *chunks[CHUNKS_MOST];
	struct ere_state *table[TABLE];
};

static struct ere_state matched, dead; /* the two final states */

struct ere_cache *ere_cache_open(void)
{
	return mem_new(sizeof(struct ere_cache));
}

void ere_cache_close(struct ere_cache *c)
{
	for (unsigned i = 0; c != NULL && i < c->chunks_n; i++)
		mem_free(c->chunks[i]);
	mem_free(c);
}

/* --- states --- */

static size_t state_bytes(const struct ere *x, size_t n)
{
	size_t bytes = sizeof(struct ere_state) + (x->classes + 1) * sizeof(struct ere_state *) + n * sizeof(uint16_t);
	return (bytes + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
}

static uint16_t *state_set(const struct ere_state *s)
{
	return (uint16_t *)(uintptr_t)&s->next[s->x->classes + 1];
}

/* The memory is kept for the next states. */
static void forget_all(struct ere_cache *c)
{
	c->at = 0;
	c->used = 0;
	c->states = 0;
	memset(c->table, 0, sizeof c->table);
}

static void *take_bytes(struct ere_cache *c, size_t bytes)
{
	if (c->used + bytes > CHUNK_BYTES) {
		c->at++;
		c->used = 0;
		if (c->at == CHUNKS_MOST)
			forget_all(c);
	}
	if (c->at == c->chunks_n && (c->chunks[c->at] = mem_raw(CHUNK_BYTES)) == NULL)
		return NULL;
	if (c->at == c->chunks_n)
		c->chunks_n++;
	void *p = c->chunks[c->at] + c->used;
	c->used += bytes;
	return p;
}

static uint32_t hash_set(const struct ere *x, unsigned before, const uint16_t *set, size_t n)
{
	uint32_t h = (uint32_t)((uintptr_t)x >> 4) ^ before * 0x9e3779b9u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ set[i]) * 0x01000193u;
	return h ^ h >> 15;
}

/* The state of these threads, made if missing. *forgot: the cache was emptied to make it. NULL: no memory. */
static struct ere_state *find_state(const struct ere_run *r, unsigned before, const uint16_t *set, size_t n, bool *forgot)
{
	struct ere_cache *c = r->cache;
	uint32_t hash = hash_set(r->x, before, set, n), at = hash % TABLE;
	for (struct ere_state *s; (s = c->table[at]) != NULL; at = (at + 1) % TABLE)
		if (s->hash == hash && s->x == r->x && s->before == before && s->n == n &&
			memcmp(state_set(s), set, n * sizeof *set) == 0)
			return s;
	unsigned states = c->states;
	if (states == STATES_MOST)
		forget_all(c);
	size_t bytes = state_bytes(r->x, n);
	struct ere_state *s = take_bytes(c, bytes);
	if (s == NULL)
		return NULL;
	*forgot = c->states < states;
	memset(s, 0, bytes);
	s->x = r->x;
	s->hash = hash;
	s->n = (uint16_t)n;
	s->before = (uint8_t)before;
	memcpy(state_set(s), set, n * sizeof *set);
	for (at = hash % TABLE; c->table[at] != NULL; at = (at + 1) % TABLE)
		;
	c->table[at] = s;
	c->states++;
	return s;
}

/* --- steps --- */

struct step {
	uint64_t seen[ERE_INSTS_MOST / 64], next[ERE_INSTS_MOST / 64];
	uint16_t todo[ERE_INSTS_MOST];
	size_t todo_n, visits;
	unsigned before;
	bool at_end, matched;
	unsigned byte;
};

static void see_inst(struct step *t, unsigned i)
{
	if (t->seen[i / 64] >> (i % 64) & 1)
		return;
	t->seen[i / 64] |= UINT64_C(1) << (i % 64);
	t->todo[t->todo_n++] = (uint16_t)i;
}

static void visit_inst(struct step *t, const struct ere *x, unsigned i)
{
	const struct ere_inst *inst = &x->insts[i];
	switch (inst->op) {
	case ERE_DO_SPLIT:
		see_inst(t, inst->y);
		see_inst(t, inst->x);
		break;
	case ERE_DO_JUMP:
		see_inst(t, inst->x);
		break;
	case ERE_DO_SAVE:
		see_inst(t, i + 1);
		break;
	case ERE_DO_ASSERT:
		if (ere_holds(inst->arg, t->before, t->at_end, !t->at_end && ere_word(t->byte)))
			see_inst(t, i + 1);
		break;
	case ERE_DO_SET:
		if (!t->at_end && ere_has(&x->sets[inst->x], t->byte))
			t->next[(i + 1) / 64] |= UINT64_C(1) << ((i + 1) % 64);
		break;
	default:
		t->matched = true;
	}
}

/* The threads of t->next in the order of their instructions, so that equal sets are equal lists. */
static size_t list_next(const struct step *t, size_t insts, uint16_t *out)
{
	size_t n = 0;
	for (size_t word = 0; word * 64 < insts; word++)
		for (uint64_t bits = t->next[word]; bits != 0; bits &= bits - 1)
			out[n++] = (uint16_t)(word * 64 + (unsigned)__builtin_ctzll(bits));
	return n;
}

static struct ere_state *next_state(struct ere_run *r, struct ere_state **from, unsigned cls, int64_t *work)
{
	const struct ere *x = r->x;
	const struct ere_state *s = *from;
	struct step t;
	size_t words = ((size_t)x->insts_n + 63) / 64;
	memset(t.seen, 0, words * sizeof *t.seen);
	memset(t.next, 0, words * sizeof *t.next);
	t.todo_n = t.visits = 0;
	t.before = s->before;
	t.at_end = cls == x->classes;
	t.byte = t.at_end ? 0 : x->byte_of[cls];
	t.matched = false;
	for (unsigned i = 0; i < s->n; i++)
		see_inst(&t, state_set(s)[i]);
	for (; t.todo_n > 0 && !t.matched; t.visits++)
		visit_inst(&t, x, t.todo[--t.todo_n]);
	*work -= (int64_t)(t.visits + words + s->n);
	if (t.matched)
		return &matched;
	if (!x->anchored)
		t.next[0] |= 1;
	size_t n = list_next(&t, x->insts_n, t.todo);
	bool forgot = false;
	if (n == 0 || t.at_end)
		return &dead;
	struct ere_state *next = find_state(r, x->words && ere_word(t.byte) ? ERE_AFTER_WORD : 0, t.todo, n, &forgot);
	if (forgot)
		*from = NULL;
	return next;
}

/* --- a run --- */

static bool is_state(const struct ere_state *s)
{
	return s != NULL && s != &matched && s != &dead;
}

static int keep_place(struct ere_run *r, const struct ere_state *s)
{
	if (r->set == NULL && (r->set = mem_raw(r->x->insts_n * sizeof *r->set)) == NULL)
		return -1;
	r->set_n = s->n;
	r->set_before = s->before;
	memcpy(r->set, state_set(s), s->n * sizeof *r->set);
	return 0;
}

static struct ere_state *take_place(struct ere_run *r)
{
	static const uint16_t first[1] = { 0 };
	bool forgot = false;
	return r->set == NULL ? find_state(r, ERE_AT_BEGIN, first, 1, &forgot)
			      : find_state(r, r->set_before, r->set, r->set_n, &forgot);
}

enum ere_did ere_dfa_go(struct ere_run *r, int64_t *work)
{
	const struct ere *x = r->x;
	struct ere_state *s = take_place(r);
	while (is_state(s)) {
		size_t from = r->at;
		if (*work <= 0)
			return keep_place(r, s) == 0 ? ERE_MORE : ERE_MEMORY;
		size_t most = r->n - r->at < (size_t)*work ? r->n : r->at + (size_t)*work;
		struct ere_state *next;
		for (; r->at < most && is_state(next = s->next[x->class_of[r->bytes[r->at]]]); r->at++)
			s = next;
		*work -= (int64_t)(r->at - from);
		if (r->at == most && r->at < r->n)
			continue;
		unsigned cls = r->at == r->n ? x->classes : x->class_of[r->bytes[r->at]];
		next = s->next[cls];
		if (next == NULL) {
			struct ere_state *before = s;
			next = next_state(r, &before, cls, work);
			if (before != NULL)
				before->next[cls] = next;
		}
		--*work;
		s = next;
		r->at++;
	}
	return s == NULL ? ERE_MEMORY : s == &matched ? ERE_YES : ERE_NO;
}
