/* Histories of a whole server, from its listening socket to its exit status: clients come, pass their setup, fail in it, say
 * nothing in it, break off or come late; and the run ends by --count, a signal, a second one, --lifetime, the end of --run's
 * command or the end of standard input, at any moment. What is checked is the promise itself: no byte that was acknowledged is
 * lost while both ends say 0, no client that has passed is turned away, and a run that says 0 has served the clients it must. */
#include "tests/sim/doors.h"

#include "services/service.h"
#include "tests/unit/double.h"

#include <signal.h>
#include <string.h>

enum { WAITS_MOST = 60000 };

struct doors doors;

/* stdin and stdout */

static ssize_t std_readv(struct stream *s, const struct iovec *v, int n)
{
	bool empty = doors.of->in == STDIN_EMPTY, over = doors.in_ended && doors.in_said > 0;
	if (empty || over)
		return 0;
	if (doors.in_ended && n > 0 && v[0].iov_len >= 3) {
		memcpy(v[0].iov_base, "xx\n", 3);
		doors.in_said = 2;
		return 3;
	}
	s->rd = (struct need){ .wake = true };
	return ST_AGAIN;
}

static ssize_t std_writev(struct stream *s, const struct iovec *v, int n)
{
	size_t sum = 0, most = 1 + dice_roll(doors.dice, 90);
	if (doors.out_full) {
		s->wr = (struct need){ .wake = true };
		return ST_AGAIN;
	}
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].iov_len && sum < most; k++, sum++) {
			unsigned of = (unsigned)(((const char *)v[i].iov_base)[k] - '0');
			if (of < KERNEL_CONNS)
				doors.written[of]++;
		}
	if (dice_chance(doors.dice, 8)) {
		doors.out_full = true;
		loop_timer(doors.run.loop, &doors.writes, loop_now(doors.run.loop) + 1 + dice_roll(doors.dice, 300));
	}
	return (ssize_t)sum;
}

static int std_shut(struct stream *s)
{
	(void)s;
	return 0;
}

static void std_close(struct stream *s, enum close_how how)
{
	(void)s;
	(void)how;
}

static const struct stream_ops std_ops = {
	.name = "std", .readv = std_readv, .writev = std_writev, .shut = std_shut, .close = std_close
};

static void wake_std(void)
{
	if (doors.waker.fn != NULL)
		doors.waker.fn(doors.waker.arg);
}

/* What befalls it */

static void on_term(void *arg)
{
	(void)arg;
	doors.drained = true;
	wraps_signal(SIGTERM);
}

static void on_second(void *arg)
{
	if (!doors.drained)
		return;
	doors.signalled_twice = true;
	on_term(arg);
}

static void on_run_end(void *arg)
{
	(void)arg;
	doors.run_over = true;
	wraps_run_ends(wraps.run_ended_by_us ? 143 : 0);
}

static void on_speak(void *arg)
{
	(void)arg;
	doors.in_ended = true;
	wake_std();
}

static void on_writable(void *arg)
{
	(void)arg;
	doors.out_full = false;
	wake_std();
}

/* Nothing has ended it, or what should have ended it has not. */
static void on_finish(void *arg)
{
	(void)arg;
	if (doors.finished)
		sim_fail("it has not ended, and a signal %d ms ago has not helped", DOORS_END_MS);
	doors.finished = !doors.drained;
	loop_timer(doors.run.loop, &doors.finish, loop_now(doors.run.loop) + DOORS_END_MS);
	if (!doors.drained)
		on_term(NULL);
	else
		sim_fail("it has not ended long after a signal");
}

static void maybe(struct timer *t, void (*fn)(void *arg), unsigned percent, unsigned within_ms)
{
	*t = (struct timer){ .fn = fn };
	if (dice_chance(doors.dice, percent))
		loop_timer(doors.run.loop, t, loop_now(doors.run.loop) + dice_roll(doors.dice, within_ms));
}

/* One history */

static void draw_run(struct dice *d)
{
	const struct accept_conf *c = accept_conf(dice_roll(d, DOORS_CONFS));
	memset(&doors, 0, offsetof(struct doors, client));
	memset(&doors.clients, 0, sizeof doors - offsetof(struct doors, clients));
	unsigned pool = dice_roll(d, 12), seed = dice_roll(d, 1000);
	doors.of = c;
	doors.dice = d;
	doors.std = (struct stream){ .ops = &std_ops, .rfd = -1, .wfd = -1, .waker = &doors.waker };
	doors.events = (struct event_sink){ .emit = accept_emit, .level = EV_VERBOSE };
	doors.addr = (struct addr){ .kind = ADDR_TCP, .fd = -1, .port = 7, .host = "127.0.0.1", .text = "127.0.0.1:7" };
	doors.run = (struct run){ .loop = sim_loop(),
		.pool = sim_pool(pool),
		.linger = sim_lingers(),
		.conf = c->conf,
		.events = &doors.events,
		.outcome = &doors.outcome,
		.layers = &doors.layers,
		.seed = seed };
	kernel.now_ms = &doors.now_ms;
	memset(&wraps, 0, sizeof wraps);
	wraps.std = &doors.std;
	wraps.shake = c->setup == SETUP_SHAKE;
	wraps.has_run = dice_chance(d, 20);
	doors.clients = 1 + dice_roll(d, KERNEL_CONNS);
	for (unsigned i = 0; i < doors.clients; i++)
		client_draw(&doors.client[i], d, c->setup, i);
	maybe(&doors.term, on_term, 25, 800);
	maybe(&doors.second, on_second, 10, 1500);
	maybe(&doors.run_ends, on_run_end, wraps.has_run ? 100 : 0, 900);
	maybe(&doors.speaks, on_speak, c->in == STDIN_SPEAKS ? 100 : 0, 700);
	doors.writes = (struct timer){ .fn = on_writable };
	doors.finish = (struct timer){ .fn = on_finish };
	loop_timer(doors.run.loop, &doors.finish, loop_now(doors.run.loop) + DOORS_END_MS);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* As sockctl.c does it. */
static void serve(void)
{
	static const struct service *const services[] = { &service_stdio, &service_stdio, &service_echo, &service_console };
	const struct server_opts opts = { .one = doors.of->shape <= LISTEN_ON, .max = doors.of->shape <= LISTEN_ON ? 3 : 0 };
	struct err e = { 0 };
	struct server *s = server_open(&doors.run, &doors.addr, services[doors.of->shape], &opts, &e);
	if (s == NULL)
		sim_fail("a server did not start: %s", e.what);
	for (unsigned i = 0; i < doors.clients; i++)
		client_start(&doors.client[i], doors.run.loop);
	if (server_run(s, &e) != 0)
		sim_fail("a server ended with %s", e.what);
	server_close(s);
	if (doors.outcome.signo == 0 && linger_count(doors.run.linger) > 0) {
		linger_when_empty(doors.run.linger, stop, doors.run.loop);
		if (loop_run(doors.run.loop, &e) != 0)
			sim_fail("closing ended with %s", e.what);
	}
	linger_cut(doors.run.linger);
	linger_when_empty(doors.run.linger, NULL, NULL);
	layers_stop(&doors.run);
}

static void tidy(void)
{
	struct timer *const timers[] = { &doors.term, &doors.second, &doors.run_ends, &doors.speaks, &doors.writes,
		&doors.finish };
	for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
		loop_timer(doors.run.loop, timers[i], NEVER);
}

static void accept_run(struct dice *d)
{
	kernel_start();
	draw_run(d);
	sim_schedule(dice_chance(d, 60) ? d : NULL, WAITS_MOST);
	serve();
	bool left = kernel.open > 0 || kernel.listens;
	kernel_stop();
	for (unsigned i = 0; i < doors.clients; i++)
		client_finish(&doors.client[i]);
	tidy();
	sim_check(!left, "a descriptor was left open");
	accept_check();
	sim_check(loop_is_idle(doors.run.loop), "something stayed armed");
	sim_check(pool_is_whole(doors.run.pool, SIM_BLOCKS), "a block stayed lent");
}

const struct kind kind_doors = {
	.name = "doors", .share = 10, .open = accept_confs_open, .run = accept_run, .close = accept_confs_close
};
