/* The pool lends blocks, all of one size, and pipes, for as long as bytes wait in them; an idle connection holds none. A few of
 * what was returned are kept for the next borrower.
 *
 * Pipes are few. A pipe whose bytes wait for a peer that reads nothing is taken back when other flows need one: its holder reads
 * the bytes into memory set aside for them, which is taken from the run's budget (--memory), and goes on from there. */
#ifndef STREAM_POOL_H
#define STREAM_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct budget;
struct pool;

enum { POOL_BLOCK_CLIENT = 256 * 1024, POOL_BLOCK_SERVER = 64 * 1024 };
enum {
	POOL_PIPE_BYTES = 1024 * 1024,
	POOL_PIPES_WIDE = 8,  /* so many of the lent ones are asked to hold that, */
	POOL_PIPE_BLOCKS = 4, /* and the others so many blocks: a user may have 64 MiB in pipes, and all programs share them */
	POOL_PIPES_MOST = 32,
	POOL_PIPE_PATIENCE = 256, /* a pipe was asked for so often since the bytes of this one moved: it may be taken back */
	POOL_ASIDE_MUCH = 16 * 1024 * 1024, /* from so many bytes set aside on, */
	POOL_PIPE_BLOCKS_SCARCE = 2	    /* a pipe holds no more blocks than these, with which it keeps most of its speed */
};

struct pool *pool_open(size_t block_bytes, size_t most_blocks); /* NULL: no memory */
void pool_close(struct pool *takes);				/* every block must be back */
size_t pool_block_bytes(const struct pool *pool);
void *pool_take(struct pool *pool);		/* NULL: over the cap or no memory; try again next turn */
void pool_give(struct pool *pool, void *takes); /* NULL is fine */

size_t pool_pipe_bytes(const struct pool *pool, const int fd[2]); /* what this one should hold now at the most */
/* A nonblocking pipe with nothing in it. -1: none; copy. */
int pool_pipe_take(struct pool *pool, int fd[2]);
bool pool_pipes_out(const struct pool *pool); /* all are lent: later there may be one again */
/* Its bytes wait; moved: since now, else for as long as before. Until it is given back, `yield` may be called from any other
 * pool_pipe_take: it gives the pipe back empty, or leaves it as it is. */
void pool_pipe_waits(struct pool *pool, const int fd[2], bool moved, void (*yield)(void *arg), void *arg);
void pool_limit_pipes(struct pool *pool, unsigned most);	     /* fewer than POOL_PIPES_MOST, where descriptors are few */
void pool_pipe_give(struct pool *pool, int takes_fd[2], bool empty); /* sets both to -1, which are fine */

/* Memory for what a pipe held. NULL: none, or more than the budget has; without a budget there is no bound. */
void *pool_aside_take(struct pool *pool, size_t bytes);
void pool_aside_give(struct pool *pool, void *takes, size_t bytes);
void pool_budget(struct pool *pool, struct budget *borrows);

/* From now on no pipe is lent: bytes move by reading and writing alone. */
void pool_copy_only(struct pool *pool);
bool pool_copies_only(const struct pool *pool);

#endif
