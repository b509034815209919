/* The pool lends blocks, all of one size, and pipes, for as long as bytes wait in them; an idle connection holds none. A few of
 * what was returned are kept for the next borrower. */
#ifndef STREAM_POOL_H
#define STREAM_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool;

enum { POOL_BLOCK_CLIENT = 256 * 1024, POOL_BLOCK_SERVER = 64 * 1024 };
enum {
	POOL_PIPE_BYTES = 1024 * 1024,
	POOL_PIPES_WIDE = 8,  /* of those that are lent, so many are asked to hold that, */
	POOL_PIPE_BLOCKS = 4, /* and the others so many blocks: a user may have 64 MiB in pipes, and all programs share them */
	POOL_PIPES_MOST = 32
};

struct pool *pool_open(size_t block_bytes, size_t most_blocks); /* NULL: no memory */
void pool_close(struct pool *takes);				/* every block must be back */
size_t pool_block_bytes(const struct pool *pool);
void *pool_take(struct pool *pool);		/* NULL: over the cap or no memory; try again next turn */
void pool_give(struct pool *pool, void *takes); /* NULL is fine */

size_t pool_pipe_bytes(const struct pool *pool, const int fd[2]); /* what this one should hold at the most */
/* A nonblocking pipe with nothing in it. -1: none to be had (so many are lent, or the system has no more): copy. */
int pool_pipe_take(struct pool *pool, int fd[2]);
void pool_limit_pipes(struct pool *pool, unsigned most);	     /* fewer than POOL_PIPES_MOST, where descriptors are few */
void pool_pipe_give(struct pool *pool, int takes_fd[2], bool empty); /* sets both to -1, which are fine */

/* From now on no pipe is lent: bytes move by reading and writing alone. */
void pool_copy_only(struct pool *pool);
bool pool_copies_only(const struct pool *pool);

#endif
