/* A ring of bytes that borrows one pool block while it holds any, or memory set aside for what a pipe held. Between calls
 * mem == NULL exactly when len == 0. */
#ifndef PUMP_RING_H
#define PUMP_RING_H

#include "stream/pool.h"

#include <stdint.h>
#include <sys/uio.h>

struct ring {
	unsigned char *mem;
	uint32_t cap, at, len;
	bool aside; /* cap bytes of the pool's memory; nothing is added */
};

/* Room to write, as 1 or 2 pieces; takes a block if it has none. 0: full; -1: no block available now. Followed by ring_fill, also
 * with 0. */
int ring_wpeek(struct ring *r, struct pool *pool, struct iovec v[2]);
void ring_fill(struct ring *r, struct pool *pool, size_t n);
/* Of an empty ring: memory for so many bytes; ring_fill follows. NULL: none to be had. */
void *ring_aside(struct ring *r, struct pool *pool, size_t bytes);
int ring_rpeek(const struct ring *r, struct iovec v[2]); /* pieces to read, 0 when empty */
void ring_drop(struct ring *r, struct pool *pool, size_t n);
uint32_t ring_room(const struct ring *r, const struct pool *pool);

#endif
