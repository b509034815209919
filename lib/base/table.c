/* A hash table with chains of borrowed nodes (table.h).
 *
 * Slots are a power of two and double when there are more nodes than slots. The hash is SipHash-1-3, keyed with the run's seed:
 * peers choose their addresses and ports, and must not be able to put them all into one chain. */
#include "base/table.h"
#include "base/mem.h"

#include <string.h>

enum { FIRST_SLOTS = 16 };

void table_init(struct table *t, uint32_t seed)
{
	*t = (struct table){ .seed = seed };
}

void table_free(struct table *t)
{
	mem_free(t->slots);
	table_init(t, t->seed);
}

static uint64_t table_turn(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = table_turn(v[1], 13) ^ v[0];
	v[3] = table_turn(v[3], 16) ^ v[2];
	v[0] = table_turn(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = table_turn(v[3], 21) ^ v[0];
	v[1] = table_turn(v[1], 17) ^ v[2];
	v[2] = table_turn(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint32_t table_hash(const struct table *t, const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t k0 = t->seed * 0x9e3779b97f4a7c15U, k1 = table_turn(k0, 29) ^ 0xd1b54a32d192ed03U;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU, k0 ^ 0x6c7967656e657261U,
		k1 ^ 0x7465646279746573U };
	uint64_t last = (uint64_t)len << 56, word = 0;
	for (; len >= sizeof word; len -= sizeof word, p += sizeof word) {
		memcpy(&word, p, sizeof word); /* in the machine's own byte order: a hash never leaves the process */
		sip_word(v, word);
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	uint64_t sum = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(sum ^ sum >> 32);
}

static struct table_node **slot_of(const struct table *t, uint32_t hash)
{
	return &t->slots[hash & (t->cap - 1)];
}

struct table_node *table_find(
	const struct table *t, uint32_t hash, bool (*same)(const struct table_node *, const void *key), const void *key)
{
	if (t->cap == 0)
		return NULL;
	for (struct table_node *n = *slot_of(t, hash); n != NULL; n = n->next)
		if (n->hash == hash && same(n, key))
			return n;
	return NULL;
}

static void table_push(struct table *t, struct table_node *node)
{
	struct table_node **slot = slot_of(t, node->hash);
	node->next = *slot;
	*slot = node;
}

/* Twice the slots, or the old ones if memory is short. */
static void table_grow(struct table *t)
{
	struct table old = *t;
	size_t cap = old.cap == 0 ? FIRST_SLOTS : old.cap * 2;
	struct table_node **slots = mem_new(cap * sizeof *slots);
	if (slots == NULL)
		return;
	t->slots = slots;
	t->cap = cap;
	for (size_t i = 0; i < old.cap; i++)
		for (struct table_node *n = old.slots[i], *next; n != NULL; n = next) {
			next = n->next;
			table_push(t, n);
		}
	mem_free(old.slots);
}

int table_add(struct table *t, struct table_node *node, uint32_t hash)
{
	if (t->n >= t->cap)
		table_grow(t);
	if (t->cap == 0)
		return -1;
	node->hash = hash;
	table_push(t, node);
	t->n++;
	return 0;
}

void table_remove(struct table *t, struct table_node *node)
{
	if (t->cap == 0)
		return;
	struct table_node **at = slot_of(t, node->hash);
	while (*at != NULL && *at != node)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = node->next;
	node->next = NULL;
	t->n--;
}

void table_each(struct table *t, void (*fn)(struct table_node *, void *arg), void *arg)
{
	for (size_t i = 0; i < t->cap; i++)
		for (struct table_node *n = t->slots[i], *next; n != NULL; n = next) {
			next = n->next;
			fn(n, arg);
		}
}
