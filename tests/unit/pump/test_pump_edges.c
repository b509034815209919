/* What the rows of test_pump.c cannot say: hang-ups, settling, running out of memory, turns, being stopped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACTS(...)                                                                                                                \
	(const struct act[])                                                                                                     \
	{                                                                                                                        \
		__VA_ARGS__,                                                                                                     \
		{                                                                                                                \
			0                                                                                                        \
		}                                                                                                                \
	}
#define FOREVER                                                                                                                  \
	{                                                                                                                        \
		0                                                                                                                \
	}

static void check_got(const struct double_stream *d, const char *want)
{
	assert_int_equal(d->got_n, strlen(want));
	assert_memory_equal(d->got, want, d->got_n);
}

/* It waits for its end, which it cannot be told by a write any more. */
static void test_a_program_that_reads_no_more_is_told_the_end(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 4096, 0, 0);
	w.near.rd.at = ACTS(WAIT(20), SAY("last"), END);
	w.near.wr.at = ACTS(FAIL(ERR_PIPE));
	w.far.rd.at = ACTS(SAY("x"), WAIT(50), SAY("y"), END);
	const char *broken = world_run(&w, &(struct pump_opts){ .program = true });
	if (broken != NULL)
		fail_msg("%s", broken);
	assert_int_equal(w.why.cls, ERR_OK);
	assert_true(w.near.was_shut);
	assert_int_equal(w.near.shut_ms, SIM_START_MS);
	check_got(&w.far, "last");
	world_close(&w);
}

/* Hang-ups: descriptors that only the simulated backend knows. */

static void hang_up(void *arg)
{
	sim_hang_up(*(int *)arg);
}

static void run_with_hang_up(struct world *w, int fd, int64_t at_ms, const struct pump_opts *opts)
{
	struct timer t = { .fn = hang_up, .arg = &fd };
	loop_timer(w->loop, &t, SIM_START_MS + at_ms);
	const char *broken = world_run(w, opts);
	if (broken != NULL)
		fail_msg("%s", broken);
}

static void test_far_hangs_up_after_its_end(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 4096, 0, 0);
	w.far.s.rfd = w.far.s.wfd = 40;
	w.near.rd.at = ACTS(SAY("x"), FOREVER);
	w.far.rd.at = ACTS(SAY("y"), WAIT(10), END);
	run_with_hang_up(&w, 40, 50, &(struct pump_opts){ 0 });
	assert_int_equal(w.why.cls, ERR_OK);
	assert_int_equal(w.took_ms, 50);
	world_close(&w);
}

/* The hang-up comes while stdout is blocked and far is not watched for reading; its end is read only later. */
static void test_far_hung_up_before_its_end_was_read(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 8, 0, 0);
	w.far.s.rfd = w.far.s.wfd = 40;
	w.near.rd.at = ACTS(SAY("x"), FOREVER);
	w.near.wr.at = ACTS(WAIT(300));
	w.far.rd.at = ACTS(SAY("fullfull"), SAY("rest"), END);
	run_with_hang_up(&w, 40, 50, &(struct pump_opts){ 0 });
	assert_int_equal(w.why.cls, ERR_OK);
	check_got(&w.near, "fullfullrest");
	assert_int_equal(w.took_ms, 300);
	world_close(&w);
}

static void test_stdout_hangs_up(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 4096, 0, 0);
	w.near.s.rfd = 41;
	w.near.s.wfd = 42;
	w.near.rd.at = ACTS(SAY("x"), END);
	w.far.rd.at = ACTS(FOREVER);
	run_with_hang_up(&w, 42, 50, &(struct pump_opts){ 0 });
	assert_int_equal(w.why.cls, ERR_PIPE);
	assert_int_equal(w.took_ms, 50);
	world_close(&w);
}

/* epoll says HUP for a pipe whose writer left: that is stdin's end, and says nothing about stdout. */
static void test_stdin_hangs_up(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 4096, 0, 0);
	w.near.s.rfd = 41;
	w.near.s.wfd = 42;
	w.near.rd.at = ACTS(WAIT(60), SAY("x"), END);
	w.far.rd.at = ACTS(WAIT(70), SAY("y"), END);
	run_with_hang_up(&w, 41, 50, &(struct pump_opts){ 0 });
	assert_int_equal(w.why.cls, ERR_OK);
	check_got(&w.near, "y");
	check_got(&w.far, "x");
	world_close(&w);
}

/* Settling: far stands on one end of a socket pair, whose send queue the kernel counts until the other end reads. */

struct queue {
	struct world w;
	int fd[2];
	struct timer drain;
};

static const struct act x_and_end[] = { SAY("x"), END, { 0 } }, just_end[] = { END, { 0 } };

static void queue_drain(void *arg)
{
	struct queue *q = arg;
	char buf[64];
	assert_true(read(q->fd[1], buf, sizeof buf) > 0);
}

static void queue_cut(void *arg)
{
	struct queue *q = arg;
	close(q->fd[1]); /* with something unread: the kernel's ECONNRESET */
	q->fd[1] = -1;
}

static void queue_open(struct queue *q, void (*then)(void *arg), int64_t at_ms)
{
	*q = (struct queue){ .drain = { .fn = then, .arg = q } };
	world_open(&q->w, 4096, 0, ST_SOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, q->fd), 0);
	assert_int_equal(write(q->fd[0], "unread", 6), 6);
	q->w.far.s.rfd = q->w.far.s.wfd = q->fd[0];
	q->w.near.rd.at = x_and_end;
	q->w.far.rd.at = just_end;
	if (then != NULL)
		loop_timer(q->w.loop, &q->drain, SIM_START_MS + at_ms);
}

static void queue_close(struct queue *q)
{
	world_close(&q->w);
	close(q->fd[0]);
	if (q->fd[1] >= 0)
		close(q->fd[1]);
}

static void test_settles_when_acknowledged(void **state)
{
	(void)state;
	struct queue q;
	queue_open(&q, queue_drain, 10000);
	assert_null(world_run(&q.w, &(struct pump_opts){ .settle_ms = NEVER }));
	assert_int_equal(q.w.why.cls, ERR_OK);
	assert_in_range(q.w.took_ms, 10000, 11000);
	assert_in_range(sim_waits(), 15, 25); /* 1, 2, 4 ... then every second: of a Unix socket it may last */
	queue_close(&q);
}

static void test_settles_no_longer_than_allowed(void **state)
{
	(void)state;
	struct queue q;
	queue_open(&q, NULL, 0);
	assert_null(world_run(&q.w, &(struct pump_opts){ .settle_ms = 200 }));
	assert_int_equal(q.w.why.cls, ERR_LOST);
	assert_in_range(q.w.took_ms, 200, 250);
	queue_close(&q);
}

static void test_reset_while_settling(void **state)
{
	(void)state;
	struct queue q;
	queue_open(&q, queue_cut, 100);
	assert_null(world_run(&q.w, &(struct pump_opts){ .settle_ms = NEVER }));
	assert_int_equal(q.w.why.cls, ERR_LOST);
	assert_in_range(q.w.took_ms, 100, 150);
	queue_close(&q);
}

static void test_nothing_to_settle_when_nothing_was_sent(void **state)
{
	(void)state;
	struct queue q;
	queue_open(&q, NULL, 0);
	q.w.near.rd.at = just_end;
	assert_null(world_run(&q.w, &(struct pump_opts){ .settle_ms = NEVER }));
	assert_int_equal(q.w.why.cls, ERR_OK);
	assert_int_equal(q.w.took_ms, 0);
	queue_close(&q);
}

/* Much, and little memory */

static void check_pattern(const struct double_stream *d, size_t n)
{
	assert_int_equal(d->got_n, n);
	for (size_t i = 0; i < n; i++)
		if (d->got[i] != double_pattern(i))
			fail_msg("byte %zu differs", i);
}

static void test_more_than_a_turn_moves(void **state)
{
	(void)state;
	enum { UP = 3 * 1024 * 1024 + 7, DOWN = 5 * 1024 * 1024 + 1 };
	struct world w;
	world_open(&w, POOL_BLOCK_SERVER, 0, 0);
	w.near.rd.at = ACTS(SAY_N(UP), END);
	w.far.rd.at = ACTS(SAY_N(DOWN), END);
	assert_null(world_run(&w, &(struct pump_opts){ 0 }));
	assert_int_equal(w.why.cls, ERR_OK);
	assert_int_equal(w.took_ms, 0);
	check_pattern(&w.far, UP);
	check_pattern(&w.near, DOWN);
	assert_true(sim_waits() > 2); /* the loop got its turns in between */
	world_close(&w);
}

static void test_without_memory_for_a_while(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 16, 0, 0);
	w.near.rd.at = ACTS(SAY_N(1000), END);
	w.far.rd.at = ACTS(SAY_N(1000), WAIT(1000), END);
	void *block[WORLD_BLOCKS];
	for (int i = 0; i < WORLD_BLOCKS; i++)
		block[i] = pool_take(w.pool);
	struct pump_opts opts = { 0 };
	struct err e = { 0 };
	struct timer enough = { .fn = (void (*)(void *))loop_stop, .arg = w.loop };
	loop_timer(w.loop, &enough, SIM_START_MS + 500);
	pump_start(&w.pump, w.loop, w.pool, &w.near.s, &w.far.s, &opts, NULL, NULL);
	assert_int_equal(loop_run(w.loop, &e), 0);
	assert_int_equal(w.far.got_n + w.near.got_n, 0);
	assert_in_range(sim_waits(), 2, 50);
	pump_stop(&w.pump);
	for (int i = 0; i < WORLD_BLOCKS; i++)
		pool_give(w.pool, block[i]);
	assert_null(world_run(&w, &opts));
	check_pattern(&w.far, 1000);
	check_pattern(&w.near, 1000);
	world_close(&w);
}

static void test_stopped_in_the_middle(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, 4096, 0, 0);
	w.near.rd.at = ACTS(SAY("stuck"), FOREVER);
	w.far.wr.at = ACTS(WAIT(NEVER));
	struct pump_opts opts = { 0 };
	struct err e = { 0 };
	struct timer enough = { .fn = (void (*)(void *))loop_stop, .arg = w.loop };
	loop_timer(w.loop, &enough, SIM_START_MS + 5);
	pump_start(&w.pump, w.loop, w.pool, &w.near.s, &w.far.s, &opts, NULL, NULL);
	assert_int_equal(loop_run(w.loop, &e), 0);
	assert_false(pool_is_whole(w.pool, WORLD_BLOCKS));
	pump_stop(&w.pump);
	pump_stop(&w.pump);
	pump_kick(&w.pump);
	assert_true(loop_is_idle(w.loop));
	assert_true(pool_is_whole(w.pool, WORLD_BLOCKS));
	world_close(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_program_that_reads_no_more_is_told_the_end),
		cmocka_unit_test(test_far_hangs_up_after_its_end),
		cmocka_unit_test(test_far_hung_up_before_its_end_was_read),
		cmocka_unit_test(test_stdout_hangs_up),
		cmocka_unit_test(test_stdin_hangs_up),
		cmocka_unit_test(test_settles_when_acknowledged),
		cmocka_unit_test(test_settles_no_longer_than_allowed),
		cmocka_unit_test(test_reset_while_settling),
		cmocka_unit_test(test_nothing_to_settle_when_nothing_was_sent),
		cmocka_unit_test(test_more_than_a_turn_moves),
		cmocka_unit_test(test_without_memory_for_a_while),
		cmocka_unit_test(test_stopped_in_the_middle),
	};
	return cmocka_run_group_tests_name("pump_edges", tests, NULL, NULL);
}
