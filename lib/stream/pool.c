/* Blocks for rings, and pipes for bytes that pass unseen. Returned blocks are chained through their own first bytes; at most KEPT
 * are kept, the rest go back to the system at once, so a burst does not stay in memory. Pipes likewise; one with bytes left in it
 * is closed, because the next borrower needs it empty. */
#include "stream/pool.h"
#include "base/budget.h"
#include "base/mem.h"
#include "base/sys.h"

enum { KEPT = 16, BURST = 4 * KEPT, PIPES_KEPT = 4 };

struct made {	/* a pipe, lent or kept */
	int fd; /* its reading end */
	bool wide;
	void (*yield)(void *arg); /* NULL: it cannot be taken back now */
	void *arg;
	uint64_t since; /* `asked` when its bytes moved last */
};

struct pool {
	size_t block_bytes, most, lent, kept;
	void *free;
	int pipes_most, pipes_lent, pipes_kept, pipe[PIPES_KEPT][2];
	struct made made[POOL_PIPES_MOST];
	int made_n, wide_n;
	uint64_t asked; /* how often a pipe was asked for */
	struct budget *budget;
	size_t aside; /* bytes */
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
		mem_trim(); /* blocks of 64 KiB are too small for malloc to return them by itself */
	}
}

static struct made *made_of(const struct pool *p, const int fd[2])
{
	int i = 0;
	while (p->made[i].fd != fd[0])
		i++;
	return (struct made *)&p->made[i];
}

size_t pool_pipe_bytes(const struct pool *p, const int fd[2])
{
	size_t bytes = made_of(p, fd)->wide ? POOL_PIPE_BYTES : p->block_bytes * POOL_PIPE_BLOCKS;
	size_t scarce = p->block_bytes * POOL_PIPE_BLOCKS_SCARCE;
	return p->aside >= POOL_ASIDE_MUCH && scarce < bytes ? scarce : bytes;
}

static void close_pipe(struct pool *p, const int fd[2])
{
	struct made *m = made_of(p, fd);
	p->wide_n -= m->wide;
	*m = p->made[--p->made_n];
	sys_close(fd[0]);
	sys_close(fd[1]);
}

static int make_pipe(struct pool *p, int fd[2])
{
	if (sys_pipe(fd) != 0) {
		fd[0] = fd[1] = -1;
		return -1;
	}
	bool wide = p->wide_n < POOL_PIPES_WIDE;
	p->wide_n += wide;
	p->made[p->made_n++] = (struct made){ .fd = fd[0], .wide = wide };
	sys_pipe_grow(fd[0], (int)(wide ? POOL_PIPE_BYTES : p->block_bytes * POOL_PIPE_BLOCKS));
	return 0;
}

static bool sooner_reclaimed(const struct made *a, const struct made *b)
{
	return a->wide != b->wide ? b->wide : a->since < b->since;
}

/* All are lent: of those whose bytes have waited long enough, the holder of the one that has waited longest is asked; of a wide
 * one last, because it holds most. If it does not give its pipe back, another holder is asked next time. */
static void reclaim_pipe(struct pool *p)
{
	struct made *oldest = NULL;
	for (struct made *m = p->made; m < p->made + p->made_n; m++)
		if (m->yield != NULL && p->asked - m->since >= POOL_PIPE_PATIENCE &&
			(oldest == NULL || sooner_reclaimed(m, oldest)))
			oldest = m;
	if (oldest == NULL)
		return;
	oldest->since = p->asked;
	oldest->yield(oldest->arg);
}

bool pool_pipes_out(const struct pool *p)
{
	return p->pipes_lent >= p->pipes_most;
}

int pool_pipe_take(struct pool *p, int fd[2])
{
	p->asked++;
	if (pool_pipes_out(p))
		reclaim_pipe(p);
	if (pool_pipes_out(p))
		return -1;
	if (p->pipes_kept > 0) {
		p->pipes_kept--;
		fd[0] = p->pipe[p->pipes_kept][0];
		fd[1] = p->pipe[p->pipes_kept][1];
	} else if (make_pipe(p, fd) != 0) {
		return -1;
	}
	p->pipes_lent++;
	return 0;
}

void pool_pipe_waits(struct pool *p, const int fd[2], bool moved, void (*yield)(void *arg), void *arg)
{
	struct made *m = made_of(p, fd);
	if (moved || m->yield == NULL)
		m->since = p->asked;
	m->yield = yield;
	m->arg = arg;
}

void pool_pipe_give(struct pool *p, int fd[2], bool empty)
{
	if (fd[0] < 0)
		return;
	made_of(p, fd)->yield = NULL;
	p->pipes_lent--;
	if (empty && p->pipes_kept < PIPES_KEPT && p->pipes_lent + p->pipes_kept < p->pipes_most) {
		p->pipe[p->pipes_kept][0] = fd[0];
		p->pipe[p->pipes_kept++][1] = fd[1];
	} else {
		close_pipe(p, fd);
	}
	fd[0] = fd[1] = -1;
}

void *pool_aside_take(struct pool *p, size_t bytes)
{
	if (!budget_take(p->budget, 0, bytes))
		return NULL;
	void *mem = mem_raw(bytes);
	if (mem == NULL)
		budget_give(p->budget, bytes);
	else
		p->aside += bytes;
	return mem;
}

void pool_aside_give(struct pool *p, void *mem, size_t bytes)
{
	mem_free(mem);
	p->aside -= bytes;
	budget_give(p->budget, bytes);
}

void pool_budget(struct pool *p, struct budget *budget)
{
	p->budget = budget;
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
