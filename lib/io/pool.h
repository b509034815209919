/* The pool lends blocks, all of one size, for as long as bytes wait in them; an idle connection holds none. A few
 * returned blocks are kept for the next borrower. */
#ifndef IO_POOL_H
#define IO_POOL_H

#include <stddef.h>

struct pool;

enum { POOL_BLOCK_CLIENT = 256 * 1024, POOL_BLOCK_SERVER = 64 * 1024 };

struct pool *pool_open(size_t block_bytes, size_t most_blocks); /* NULL: no memory */
void pool_close(struct pool *takes);				/* every block must be back */
size_t pool_block_bytes(const struct pool *pool);
void *pool_take(struct pool *pool);		/* NULL: over the cap or no memory; try again next turn */
void pool_give(struct pool *pool, void *takes); /* NULL is fine */

#endif
