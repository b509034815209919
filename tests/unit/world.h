/* A pump between two doubles under the virtual clock, and the promises that hold for every run of it: done is called once,
 * nothing stays armed, every block is given back, and no call is made that a stream need not expect. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "double.h"
#include "pump/pump.h"

enum { WORLD_BLOCKS = 8 };

struct world {
	struct loop *loop;
	struct pool *pool;
	struct double_stream near, far;
	struct stream *far_top; /* a layer on far, which the pump is given instead; NULL: none */
	struct pump pump;
	unsigned dones;
	struct why why;
	int64_t took_ms;
	bool borrows; /* loop and pool */
};

/* Both doubles with empty scripts; the caller fills them in before world_run. */
void world_open(struct world *w, size_t block_bytes, unsigned near_caps, unsigned far_caps);
/* The same with a loop, and a pool of WORLD_BLOCKS blocks, that others go on to use. */
void world_open_in(struct world *w, struct loop *borrows, struct pool *pool, unsigned near_caps, unsigned far_caps);
/* Pumps until done. NULL, or which promise was broken. */
const char *world_run(struct world *w, const struct pump_opts *opts);
void world_close(struct world *w);

#endif
