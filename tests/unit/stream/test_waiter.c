/* From what a stream needs to what the loop watches: the right descriptor, time or wake-up, and nothing after close. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "double.h"
#include "base/sys.h"
#include "stream/waiter.h"

enum { RFD = 40, WFD = 41 }; /* numbers that only the simulated backend knows */

struct stage {
	struct loop *loop;
	struct double_stream d;
	struct waiter waiter;
	unsigned calls;
};

static void called(void *arg)
{
	struct stage *st = arg;
	st->calls++;
	loop_stop(st->loop);
}

static void stage_open(struct stage *st, int rfd, int wfd)
{
	*st = (struct stage){ .loop = loop_open(&loop_sim, NULL) };
	double_open(&st->d, st->loop, 0, NULL, NULL);
	st->d.s.rfd = rfd;
	st->d.s.wfd = wfd;
	waiter_open(&st->waiter, st->loop, &st->d.s, called, st);
}

static void stage_close(struct stage *st)
{
	waiter_close(&st->waiter);
	waiter_close(&st->waiter);
	assert_null(st->d.waker.fn);
	assert_int_equal(sim_watched(RFD), 0);
	assert_int_equal(sim_watched(WFD), 0);
	assert_true(loop_is_idle(st->loop));
	double_close(&st->d);
	loop_close(st->loop);
}

static void arm(struct stage *st, bool rd, bool wr)
{
	assert_int_equal(waiter_arm(&st->waiter, rd, wr), 0);
}

static void test_descriptors(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, WFD);
	st.d.s.rd = (struct need){ .in = true };
	st.d.s.wr = (struct need){ .out = true };
	arm(&st, true, false);
	assert_int_equal(sim_watched(RFD), LOOP_IN);
	assert_int_equal(sim_watched(WFD), 0);
	arm(&st, false, true);
	assert_int_equal(sim_watched(RFD), 0);
	assert_int_equal(sim_watched(WFD), LOOP_OUT);
	arm(&st, true, true);
	assert_int_equal(sim_watched(RFD), LOOP_IN);
	assert_int_equal(sim_watched(WFD), LOOP_OUT);
	arm(&st, false, false);
	assert_int_equal(sim_watched(RFD), 0);
	assert_int_equal(sim_watched(WFD), LOOP_HUP);
	waiter_rest(&st.waiter);
	assert_int_equal(sim_watched(WFD), 0);
	arm(&st, true, true);
	stage_close(&st);
}

/* TLS: writing may need to read, and the other way round; on one socket both wishes meet. */
static void test_one_socket_and_crossed_needs(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, RFD);
	st.d.s.rd = (struct need){ .out = true };
	st.d.s.wr = (struct need){ .in = true };
	arm(&st, true, false);
	assert_int_equal(sim_watched(RFD), LOOP_OUT);
	arm(&st, true, true);
	assert_int_equal(sim_watched(RFD), LOOP_IN | LOOP_OUT);
	arm(&st, false, false);
	assert_int_equal(sim_watched(RFD), LOOP_HUP);
	stage_close(&st);
}

static void test_time(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, -1, -1);
	st.d.s.rd = (struct need){ .timed = true, .at_ms = SIM_START_MS + 50 };
	st.d.s.wr = (struct need){ .timed = true, .at_ms = SIM_START_MS + 20 };
	arm(&st, true, true);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(loop_now(st.loop), SIM_START_MS + 20);
	arm(&st, true, false);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(loop_now(st.loop), SIM_START_MS + 50);
	assert_int_equal(st.calls, 2);
	arm(&st, true, true);
	waiter_rest(&st.waiter);
	assert_true(loop_is_idle(st.loop));
	arm(&st, true, true);
	stage_close(&st);
}

static void test_wake(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, -1, -1);
	st.d.s.rd = (struct need){ .wake = true };
	arm(&st, true, false);
	st.d.waker.fn(st.d.waker.arg);
	assert_int_equal(st.calls, 1);
	stage_close(&st);
}

static void test_hang_up_is_told_once(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, WFD);
	arm(&st, false, false);
	sim_hang_up(WFD);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_true(st.waiter.hup);
	assert_int_equal(st.calls, 1);
	arm(&st, false, false);
	assert_int_equal(sim_watched(WFD), 0);
	stage_close(&st);
}

static void test_hang_up_of_the_reading_end(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, WFD);
	st.d.s.rd = (struct need){ .in = true };
	arm(&st, true, false);
	sim_hang_up(RFD);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(st.calls, 1);
	assert_false(st.waiter.hup);
	stage_close(&st);
}

/* Our output's reader is gone: that is told while our input is still waited for. */
static void test_reader_of_a_pipe_leaves(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, WFD);
	st.d.s.caps = ST_PIPE;
	st.d.s.rd = (struct need){ .in = true };
	arm(&st, true, false);
	assert_int_equal(sim_watched(RFD), LOOP_IN);
	assert_int_equal(sim_watched(WFD), LOOP_HUP);
	sim_hang_up(WFD);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_true(st.waiter.hup);
	assert_int_equal(st.calls, 1);
	arm(&st, true, false);
	assert_int_equal(sim_watched(WFD), 0);
	stage_close(&st);
}

/* shut has closed the writing descriptor: its number may be another's by now. */
static void test_writing_end_that_is_gone(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, WFD);
	st.d.s.rd = (struct need){ .in = true };
	st.d.s.wr = (struct need){ .out = true };
	arm(&st, true, true);
	st.d.s.wfd = -1;
	arm(&st, true, true);
	assert_int_equal(sim_watched(WFD), 0);
	assert_int_equal(sim_watched(RFD), LOOP_IN);
	arm(&st, false, false);
	assert_int_equal(sim_watched(RFD), 0);
	stage_close(&st);
}

static void test_only_one_end(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, -1);
	st.d.s.rd = (struct need){ .in = true };
	arm(&st, true, false);
	assert_int_equal(sim_watched(RFD), LOOP_IN);
	arm(&st, false, false);
	assert_int_equal(sim_watched(RFD), 0);
	stage_close(&st);
	stage_open(&st, -1, WFD);
	st.d.s.wr = (struct need){ .out = true };
	arm(&st, false, true);
	assert_int_equal(sim_watched(WFD), LOOP_OUT);
	arm(&st, false, false);
	assert_int_equal(sim_watched(WFD), LOOP_HUP);
	st.d.s.wfd = -1;
	arm(&st, false, false);
	assert_int_equal(sim_watched(WFD), 0);
	stage_close(&st);
}

static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void test_refusals(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st, RFD, WFD);
	st.d.s.wr = (struct need){ .out = true };
	sys_gate = no_memory;
	assert_int_equal(waiter_arm(&st.waiter, false, true), -1);
	assert_int_equal(errno, ENOMEM);
	sys_gate = NULL;
	stage_close(&st);
	stage_open(&st, 1000, 1000); /* more than the backend can hold */
	st.d.s.rd = (struct need){ .in = true };
	assert_int_equal(waiter_arm(&st.waiter, true, false), -1);
	assert_int_equal(errno, EMFILE);
	stage_close(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_one_socket_and_crossed_needs),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_hang_up_is_told_once),
		cmocka_unit_test(test_hang_up_of_the_reading_end),
		cmocka_unit_test(test_reader_of_a_pipe_leaves),
		cmocka_unit_test(test_writing_end_that_is_gone),
		cmocka_unit_test(test_only_one_end),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests_name("waiter", tests, NULL, NULL);
}
