/* A hash table of nodes that live inside the structs they find. It owns only its slots; if memory for more of them is short the
 * chains grow longer. Hashes are seeded, so a peer cannot choose its slot. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint32_t hash;
};

struct table {
	struct table_node **slots;
	size_t cap, n;
	uint32_t seed;
};

void table_init(struct table *t, uint32_t seed);
void table_free(struct table *t); /* the slots; the nodes are their owners' */
uint32_t table_hash(const struct table *t, const void *key, size_t len);
/* The first node of that hash for which same(node, key) holds, or NULL. */
struct table_node *table_find(
	const struct table *t, uint32_t hash, bool (*same)(const struct table_node *, const void *key), const void *key);
int table_add(struct table *t, struct table_node *node, uint32_t hash); /* -1: not even the first slots could be had */
void table_remove(struct table *t, struct table_node *node);
/* Every node once, in no order; fn may remove the node it is given. */
void table_each(struct table *t, void (*fn)(struct table_node *, void *arg), void *arg);

#endif
