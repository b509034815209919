/* Blocks for rings. Returned blocks are chained through their own first bytes; at most KEPT wait there for the next
 * borrower, the rest go back to the system at once, so a burst does not stay in memory. */
#include "io/pool.h"
#include "base/mem.h"

struct pool {
	size_t block_bytes, most, lent, kept;
	void *free;
};

enum { KEPT = 16 };

struct pool *pool_open(size_t block_bytes, size_t most_blocks)
{
	struct pool *p = mem_new(sizeof *p);
	if (p == NULL)
		return NULL;
	p->block_bytes = block_bytes;
	p->most = most_blocks;
	return p;
}

void pool_close(struct pool *p)
{
	if (p == NULL)
		return;
	while (p->free != NULL) {
		void *b = p->free;
		p->free = *(void **)b;
		mem_free(b);
	}
	mem_free(p);
}

size_t pool_block_bytes(const struct pool *p)
{
	return p->block_bytes;
}

void *pool_take(struct pool *p)
{
	if (p->lent >= p->most)
		return NULL;
	void *b = p->free;
	if (b != NULL) {
		p->free = *(void **)b;
		p->kept--;
	} else if ((b = mem_raw(p->block_bytes)) == NULL) {
		return NULL;
	}
	p->lent++;
	return b;
}

void pool_give(struct pool *p, void *b)
{
	if (b == NULL)
		return;
	p->lent--;
	if (p->kept >= KEPT) {
		mem_free(b);
		return;
	}
	*(void **)b = p->free;
	p->free = b;
	p->kept++;
}
