/* A table by the client's number (proxied_peer.h). */
#include "server/proxied_peer.h"

#include "base/mem.h"

#include <stddef.h>

struct proxy {
	struct table_node node; /* first: a node is its via */
	uint32_t id;
	struct sa sa;
};
_Static_assert(offsetof(struct proxy, node) == 0, "a node is its via");

static bool proxied_peer_same(const struct table_node *node, const void *key)
{
	return ((const struct proxy *)(const void *)node)->id == *(const uint32_t *)key;
}

int proxied_peer_keep(struct table *all, uint32_t id, const struct sa *sa)
{
	struct proxy *v = mem_new(sizeof *v);
	if (v == NULL)
		return -1;
	v->id = id;
	v->sa = *sa;
	if (table_add(all, &v->node, table_hash(all, &id, sizeof id)) == 0)
		return 0;
	mem_free(v);
	return -1;
}

static struct table_node *proxied_peer_node(const struct table *all, uint32_t id)
{
	return table_find(all, table_hash(all, &id, sizeof id), proxied_peer_same, &id);
}

bool proxied_peer_find(const struct table *all, uint32_t id, struct sa *sa)
{
	const struct table_node *node = proxied_peer_node(all, id);
	if (node != NULL)
		*sa = ((const struct proxy *)(const void *)node)->sa;
	return node != NULL;
}

bool proxied_peer_take(struct table *all, uint32_t id, struct sa *sa)
{
	struct table_node *node = proxied_peer_node(all, id);
	if (node == NULL)
		return false;
	*sa = ((const struct proxy *)(const void *)node)->sa;
	table_remove(all, node);
	mem_free(node);
	return true;
}

static void proxied_peer_forget(struct table_node *node, void *arg)
{
	table_remove(arg, node);
	mem_free(node);
}

void proxied_peer_free(struct table *all)
{
	table_each(all, proxied_peer_forget, all);
	table_free(all);
}
