/* Blocks for rings, and pipes for what goes by unseen. Returned blocks are chained through their own first bytes; at most KEPT
 * wait there for the next borrower, the rest go back to the system at once, so a burst does not stay in memory. The same with
 * pipes: one in which bytes are left is closed, for the next borrower must find it empty. */
#include "stream/pool.h"
#include "base/mem.h"
#include "base/sys.h"

enum { KEPT = 16, BURST = 4 * KEPT, PIPES_KEPT = 4 };

struct pool {
	size_t block_bytes, most, lent, kept;
	void *free;
	int pipes_most, pipes_lent, pipes_kept, pipe[PIPES_KEPT][2];
	int wide_n, wide[POOL_PIPES_WIDE]; /* fd[0] of those that hold POOL_PIPE_BYTES */
	bool copy_only;
	bool burst; /* BURST blocks and more were lent at a time */
};

struct pool *pool_open(size_t block_bytes, size_t most_blocks)
{
	struct pool *p = mem_new(sizeof *p);
	if (p == NULL)
		return NULL;
	p->block_bytes = block_bytes;
	p->most = most_blocks;
	p->pipes_most = POOL_PIPES_MOST;
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
	while (p->pipes_kept-- > 0) {
		sys_close(p->pipe[p->pipes_kept][0]);
		sys_close(p->pipe[p->pipes_kept][1]);
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
	p->burst |= ++p->lent >= BURST;
	return b;
}

void pool_give(struct pool *p, void *b)
{
	if (b == NULL)
		return;
	p->lent--;
	if (p->kept >= KEPT) {
		mem_free(b);
	} else {
		*(void **)b = p->free;
		p->free = b;
		p->kept++;
	}
	if (p->burst && p->lent < KEPT) {
		p->burst = false;
		mem_trim(); /* blocks of 64 KiB are too small for malloc to give them back by itself */
	}
}

static int wide_at(const struct pool *p, int fd)
{
	int i = 0;
	while (i < p->wide_n && p->wide[i] != fd)
		i++;
	return i;
}

size_t pool_pipe_bytes(const struct pool *p, const int fd[2])
{
	return wide_at(p, fd[0]) < p->wide_n ? POOL_PIPE_BYTES : p->block_bytes * POOL_PIPE_BLOCKS;
}

static void close_pipe(struct pool *p, const int fd[2])
{
	int i = wide_at(p, fd[0]);
	if (i < p->wide_n)
		p->wide[i] = p->wide[--p->wide_n];
	sys_close(fd[0]);
	sys_close(fd[1]);
}

int pool_pipe_take(struct pool *p, int fd[2])
{
	if (p->pipes_lent >= p->pipes_most)
		return -1;
	if (p->pipes_kept > 0) {
		p->pipes_kept--;
		fd[0] = p->pipe[p->pipes_kept][0];
		fd[1] = p->pipe[p->pipes_kept][1];
	} else if (sys_pipe(fd) == 0) {
		if (p->wide_n < POOL_PIPES_WIDE)
			p->wide[p->wide_n++] = fd[0];
		sys_pipe_grow(fd[0], (int)pool_pipe_bytes(p, fd));
	} else {
		fd[0] = fd[1] = -1;
		return -1;
	}
	p->pipes_lent++;
	return 0;
}

void pool_pipe_give(struct pool *p, int fd[2], bool empty)
{
	if (fd[0] < 0)
		return;
	p->pipes_lent--;
	if (empty && p->pipes_kept < PIPES_KEPT && p->pipes_lent + p->pipes_kept < p->pipes_most) {
		p->pipe[p->pipes_kept][0] = fd[0];
		p->pipe[p->pipes_kept++][1] = fd[1];
	} else {
		close_pipe(p, fd);
	}
	fd[0] = fd[1] = -1;
}

void pool_limit_pipes(struct pool *p, unsigned most)
{
	p->pipes_most = (int)most;
}

void pool_copy_only(struct pool *p)
{
	p->copy_only = true;
}

bool pool_copies_only(const struct pool *p)
{
	return p->copy_only;
}
