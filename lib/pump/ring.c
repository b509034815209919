/* Bytes between two streams. The block is taken from the pool with the first byte and returned with the last. */
#include "pump/ring.h"

static void ring_rest(struct ring *r, struct pool *pool)
{
	if (r->len != 0)
		return;
	if (r->aside)
		pool_aside_give(pool, r->mem, r->cap);
	else
		pool_give(pool, r->mem);
	*r = (struct ring){ 0 };
}

int ring_wpeek(struct ring *r, struct pool *pool, struct iovec v[2])
{
	if (r->mem == NULL) {
		if ((r->mem = pool_take(pool)) == NULL)
			return -1;
		r->cap = (uint32_t)pool_block_bytes(pool);
		r->at = 0;
	}
	uint32_t room = r->cap - r->len;
	if (room == 0)
		return 0;
	uint32_t end = (uint32_t)(((uint64_t)r->at + r->len) % r->cap);
	uint32_t first = end >= r->at ? r->cap - end : room;
	v[0] = (struct iovec){ r->mem + end, first };
	v[1] = (struct iovec){ r->mem, room - first };
	return v[1].iov_len > 0 ? 2 : 1;
}

void *ring_aside(struct ring *r, struct pool *pool, size_t bytes)
{
	*r = (struct ring){ .mem = pool_aside_take(pool, bytes), .cap = (uint32_t)bytes };
	r->aside = r->mem != NULL;
	return r->mem;
}

void ring_fill(struct ring *r, struct pool *pool, size_t n)
{
	r->len += (uint32_t)n;
	ring_rest(r, pool);
}

int ring_rpeek(const struct ring *r, struct iovec v[2])
{
	if (r->len == 0)
		return 0;
	uint32_t first = r->cap - r->at;
	if (first > r->len)
		first = r->len;
	v[0] = (struct iovec){ r->mem + r->at, first };
	v[1] = (struct iovec){ r->mem, r->len - first };
	return v[1].iov_len > 0 ? 2 : 1;
}

void ring_drop(struct ring *r, struct pool *pool, size_t n)
{
	r->len -= (uint32_t)n;
	r->at = r->cap == 0 ? 0 : (uint32_t)(((uint64_t)r->at + n) % r->cap);
	ring_rest(r, pool);
}

uint32_t ring_room(const struct ring *r, const struct pool *pool)
{
	return r->mem == NULL ? (uint32_t)pool_block_bytes(pool) : r->cap - r->len;
}
