/* What all histories of a process stand on. */
#include "tests/sim/sim.h"

#include <stdlib.h>

enum { POOLS = 12, LARGE = 2 };

static struct {
	struct loop *loop;
	struct lingers *lingers;
	struct pool *small[POOLS], *large[LARGE];
} ground;

struct loop *sim_loop(void)
{
	return ground.loop;
}

struct lingers *sim_lingers(void)
{
	return ground.lingers;
}

struct pool *sim_pool(unsigned i)
{
	return ground.small[i % POOLS];
}

struct pool *sim_pool_large(unsigned i)
{
	return ground.large[i % LARGE];
}

void ground_open(void)
{
	static const size_t sizes[POOLS] = { 8, 9, 11, 13, 15, 16, 40, 100, 333, 1000, 1500, 2008 };
	struct err e = { 0 };
	ground.loop = loop_open(&loop_sim, &e);
	for (size_t i = 0; i < POOLS; i++)
		ground.small[i] = pool_open(sizes[i], SIM_BLOCKS);
	for (size_t i = 0; i < LARGE; i++)
		ground.large[i] = pool_open((i + 1) * 65536, SIM_BLOCKS);
	ground.lingers = ground.loop != NULL ? linger_open(ground.loop) : NULL;
	if (ground.lingers == NULL)
		abort();
}

void ground_close(void)
{
	linger_close(ground.lingers);
	for (size_t i = 0; i < POOLS; i++)
		pool_close(ground.small[i]);
	for (size_t i = 0; i < LARGE; i++)
		pool_close(ground.large[i]);
	loop_close(ground.loop);
}
