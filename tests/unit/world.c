#include "world.h"

#include <stdlib.h>
#include <string.h>

void world_open(struct world *w, size_t block_bytes, unsigned near_caps, unsigned far_caps)
{
	world_open_in(w, loop_open(&loop_sim, NULL), pool_open(block_bytes, WORLD_BLOCKS), near_caps, far_caps);
	w->borrows = false;
}

void world_open_in(struct world *w, struct loop *loop, struct pool *pool, unsigned near_caps, unsigned far_caps)
{
	if (loop == NULL || pool == NULL)
		abort();
	*w = (struct world){ .loop = loop, .pool = pool, .borrows = true };
	double_open(&w->near, loop, near_caps, NULL, NULL);
	double_open(&w->far, loop, far_caps, NULL, NULL);
}

static void is_done(void *arg, const struct why *why)
{
	struct world *w = arg;
	w->dones++;
	w->why = *why;
	w->took_ms = loop_now(w->loop) - SIM_START_MS;
	loop_stop(w->loop);
}

const char *world_run(struct world *w, const struct pump_opts *opts)
{
	struct err e = { 0 };
	struct stream *far = w->far_top != NULL ? w->far_top : &w->far.s;
	pump_start(&w->pump, w->loop, w->pool, &w->near.s, far, opts, is_done, w);
	if (w->dones != 0)
		return "done was called by pump_start";
	if (loop_run(w->loop, &e) != 0)
		return strstr(e.what, "spins") != NULL ? "the pump spins" : "the pump hangs";
	loop_timer(w->loop, &w->near.wake, NEVER);
	loop_timer(w->loop, &w->far.wake, NEVER);
	if (!loop_is_idle(w->loop))
		return "something stayed armed";
	if (w->dones != 1)
		return "done was not called exactly once";
	if (!pool_is_whole(w->pool, WORLD_BLOCKS))
		return "a block stayed lent";
	if (w->near.waker.fn != NULL || w->far.waker.fn != NULL)
		return "a waker stayed set";
	return w->near.misused != NULL ? w->near.misused : w->far.misused;
}

void world_close(struct world *w)
{
	pump_stop(&w->pump);
	double_close(&w->near);
	double_close(&w->far);
	if (w->borrows)
		return;
	pool_close(w->pool);
	loop_close(w->loop);
}
