/* Histories of flows that share fewer pipes than there are flows, over real sockets of Unix: they are fed, read and run in any
 * order, and at any moment others ask for a pipe until one is taken back, or memory runs out for what was in it. Whatever
 * happens: what comes out is what went in, in its order, and all of it in the end; and every pipe and block is back. */
#include "tests/sim/sim.h"

#include "base/budget.h"
#include "pump/flow.h"
#include "stream/fdstream.h"
#include "tests/unit/double.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLOWS_MOST = 4, ACTS = 60, BLOCK_BYTES = 4096, BYTES_MOST = 1 << 15, TURNS_MOST = 100000 };

static struct dice *dice;

struct way {
	struct flow flow;
	int in, out; /* fed and read by us; in is -1 when the source has ended */
	size_t fed, read;
};

static void way_open(struct way *w, struct pool *pool)
{
	int a[2], b[2];
	sim_check(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0, "no sockets");
	const int all[] = { a[0], a[1], b[0], b[1] }, small = 1; /* the least there is */
	for (int i = 0; i < 4; i++) {
		fcntl(all[i], F_SETFL, O_NONBLOCK);
		setsockopt(all[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	}
	*w = (struct way){ .in = a[0], .out = b[0] };
	flow_open(&w->flow, pool, fdstream_socket(a[1], false), fdstream_socket(b[1], false));
}

static void way_close(struct way *w)
{
	struct stream *from = w->flow.from, *to = w->flow.to;
	flow_close(&w->flow);
	stream_close(from, CLOSE_PLAIN);
	stream_close(to, CLOSE_PLAIN);
	close(w->out);
	if (w->in >= 0)
		close(w->in);
}

static void feed_some(struct way *w, size_t most)
{
	unsigned char part[BLOCK_BYTES];
	size_t n = 1 + dice_roll(dice, sizeof part);
	for (ssize_t put = 1; w->in >= 0 && put > 0 && most > 0; most -= (size_t)put < most ? (size_t)put : most) {
		for (size_t i = 0; i < n; i++)
			part[i] = double_pattern(w->fed + i);
		if ((put = write(w->in, part, n)) <= 0)
			return;
		w->fed += (size_t)put;
	}
}

static void read_some(struct way *w, size_t most)
{
	unsigned char part[BLOCK_BYTES];
	ssize_t n;
	for (; most > 0 && (n = read(w->out, part, most < sizeof part ? most : sizeof part)) > 0; most -= (size_t)n)
		for (ssize_t i = 0; i < n; i++)
			sim_check(part[i] == double_pattern(w->read++), "a byte differs");
	sim_check(w->read <= w->fed, "more came out than went in");
}

static void run_flow(struct way *w)
{
	struct flow *f = &w->flow;
	flow_run(f, 1 + dice_roll(dice, 2) * (size_t)dice_roll(dice, 100000));
	flow_let_shut(f);
	sim_check(!f->failed_from && !f->failed_to, "a failure that no end made");
	if (dice_chance(dice, 10)) { /* it is kept somewhere else from now on */
		struct flow other;
		flow_move(&other, f);
		flow_move(f, &other);
	}
}

/* Others want a pipe, and have it for a moment or for long. */
static void ask_for_pipes(struct pool *pool, int pipe[2])
{
	if (pipe[0] >= 0) {
		pool_pipe_give(pool, pipe, true);
		return;
	}
	for (int n = POOL_PIPE_PATIENCE + (int)dice_roll(dice, 3); n > 0 && pool_pipe_take(pool, pipe) != 0; n--)
		;
	if (dice_chance(dice, 70))
		pool_pipe_give(pool, pipe, true);
}

static bool way_over(struct way *w)
{
	if (w->in >= 0)
		close(w->in);
	w->in = -1;
	run_flow(w);
	read_some(w, BYTES_MOST);
	return w->flow.state == FLOW_DONE;
}

static void relay_run(struct dice *d)
{
	struct way ways[FLOWS_MOST];
	struct budget budget = { .most = (uint64_t)1 << (14 + dice_roll(d, 9)) };
	struct pool *pool = pool_open(BLOCK_BYTES, 2 * FLOWS_MOST);
	int pipe[2] = { -1, -1 };
	dice = d;
	unsigned flows = 1 + dice_roll(d, FLOWS_MOST);
	pool_budget(pool, &budget);
	pool_limit_pipes(pool, dice_roll(d, 3));
	for (unsigned i = 0; i < flows; i++)
		way_open(&ways[i], pool);
	for (unsigned acts = dice_roll(d, ACTS); acts > 0; acts--) {
		struct way *w = &ways[dice_roll(d, flows)];
		unsigned what = dice_roll(d, 10);
		if (what < 3)
			feed_some(w, 1 + dice_roll(d, BYTES_MOST));
		else if (what < 6)
			run_flow(w);
		else if (what < 8)
			read_some(w, 1 + dice_roll(d, BYTES_MOST));
		else
			ask_for_pipes(pool, pipe);
	}
	for (unsigned i = 0; i < flows; i++) {
		int turns = 0;
		while (!way_over(&ways[i]))
			sim_check(++turns < TURNS_MOST, "it does not end");
		read_some(&ways[i], BYTES_MOST);
		sim_check(ways[i].read == ways[i].fed && ways[i].flow.out == ways[i].fed, "not everything came");
		way_close(&ways[i]);
	}
	pool_pipe_give(pool, pipe, true);
	sim_check(budget.used == 0, "memory is still set aside");
	pool_close(pool);
}

const struct kind kind_relay = { .name = "relay", .share = 1, .run = relay_run };
