/* One direction alone: what flow_run says, what it stopped at, and that it stops. The pump's tests see the rest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "double.h"
#include "pump/flow.h"

#include <string.h>

#define ACTS(...)                                                                                                                \
	(const struct act[])                                                                                                     \
	{                                                                                                                        \
		__VA_ARGS__,                                                                                                     \
		{                                                                                                                \
			0                                                                                                        \
		}                                                                                                                \
	}

enum { BLOCKS = 2, PLENTY = 1 << 30 };

struct line {
	struct loop *loop;
	struct pool *pool;
	struct double_stream from, to;
	struct flow flow;
};

static void line_open(struct line *l, size_t block, unsigned from_caps, unsigned to_caps)
{
	l->loop = loop_open(&loop_sim, NULL);
	l->pool = pool_open(block, BLOCKS);
	double_open(&l->from, l->loop, from_caps, NULL, NULL);
	double_open(&l->to, l->loop, to_caps, NULL, NULL);
	flow_open(&l->flow, l->pool, &l->from.s, &l->to.s);
}

static void line_close(struct line *l)
{
	assert_null(l->from.misused);
	assert_null(l->to.misused);
	flow_close(&l->flow);
	assert_true(pool_is_whole(l->pool, BLOCKS));
	double_close(&l->from);
	double_close(&l->to);
	pool_close(l->pool);
	loop_close(l->loop);
}

static void test_waits_and_ends(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 4096, 0, 0);
	l.from.rd.at = ACTS(SAY("abc"), WAIT(5), SAY("de"), END);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_true(l.flow.wait_from);
	assert_false(l.flow.wait_to);
	assert_int_equal(l.flow.state, FLOW_OPEN);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS); /* nothing has changed */
	l.from.rd.at++;
	l.from.rd.blocked_ms = 0;
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_HELD);
	assert_false(l.to.was_shut); /* not before it is allowed */
	flow_let_shut(&l.flow);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_DONE);
	assert_true(l.to.was_shut);
	assert_int_equal(l.flow.in, 5);
	assert_int_equal(l.flow.out, 5);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	line_close(&l);
}

static void test_sink_that_takes_nothing(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 16, 0, 0);
	l.from.rd.at = ACTS(SAY_N(100), END);
	l.to.wr.at = ACTS(TAKE(3), WAIT(5));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_true(l.flow.wait_to);
	assert_false(l.flow.wait_from); /* the ring is full: nothing to wait for there */
	assert_int_equal(l.flow.out, 3);
	assert_int_equal(l.flow.in, 19);
	line_close(&l);
}

static void test_budget(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 4096, 0, 0);
	l.from.rd.at = ACTS(SAY_N(100000), END);
	int turns = 1;
	for (uint64_t before = 0; flow_run(&l.flow, 10000) == FLOW_MOVED; turns++) {
		assert_in_range(l.flow.in - before, 1, 10000);
		before = l.flow.in;
	}
	assert_int_equal(turns, 11);
	assert_int_equal(l.flow.state, FLOW_HELD);
	assert_int_equal(l.to.got_n, 100000);
	line_close(&l);
}

/* Equal datagrams from one file, wherever a turn ends. */
static void test_budget_cuts_no_datagram(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 4096, 0, ST_DGRAM);
	l.from.rd.at = ACTS(SAY_N(5000), END);
	l.flow.datagram_bytes = 1000;
	while (flow_run(&l.flow, 1500) == FLOW_MOVED)
		;
	assert_int_equal(l.to.writes, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(l.to.sizes[i], 1000);
	line_close(&l);
}

static void test_datagrams_gather_while_one_fits(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 2 * FLOW_DATAGRAM_MOST, ST_DGRAM, 0);
	l.from.rd.at = ACTS(SAY_N(60000), EMPTY, SAY_N(60000), SAY_N(60000));
	l.to.wr.at = ACTS(WAIT(5));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_int_equal(l.flow.messages, 3);
	assert_int_equal(l.flow.in, 120000);
	assert_true(l.flow.wait_to);
	assert_false(l.flow.wait_from);
	l.to.wr.blocked_ms = 0;
	l.to.wr.at++;
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_int_equal(l.to.got_n, 180000);
	line_close(&l);
}

static void test_enough_messages(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, FLOW_DATAGRAM_MOST, ST_DGRAM, ST_DGRAM);
	l.from.rd.at = ACTS(SAY("a"), EMPTY, SAY("not this"));
	l.flow.most_messages = 2;
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_HELD);
	assert_int_equal(l.to.writes, 2);
	assert_int_equal(l.from.said, 1);
	line_close(&l);
}

static void test_finish_by_decree(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 4096, 0, 0);
	l.from.rd.at = ACTS(SAY("abc"), SAY("not this"));
	l.to.wr.at = ACTS(WAIT(5));
	flow_run(&l.flow, 3);
	flow_finish(&l.flow);
	l.to.wr.blocked_ms = 0;
	l.to.wr.at++;
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_HELD);
	assert_int_equal(l.to.got_n, 3);
	assert_int_equal(l.from.said, 3);
	flow_finish(&l.flow);
	assert_int_equal(l.flow.state, FLOW_HELD);
	line_close(&l);
}

static void test_failures(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 4096, 0, 0);
	l.from.rd.at = ACTS(SAY("abc"), FAIL(ERR_LOST));
	l.to.wr.at = ACTS(TAKE(1), FAIL(ERR_PIPE));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_FAIL);
	assert_true(l.flow.failed_to);
	assert_int_equal(l.flow.ring.len, 0);
	assert_int_equal(l.flow.in, 3);
	assert_int_equal(l.flow.out, 1);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	line_close(&l);

	line_open(&l, 4096, 0, 0);
	l.from.rd.at = ACTS(SAY("abc"), FAIL(ERR_LOST));
	l.to.sh.at = ACTS(FAIL(ERR_LOCAL));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_true(l.flow.failed_from);
	assert_int_equal(l.to.got_n, 3);
	flow_let_shut(&l.flow);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_FAIL);
	assert_int_equal(l.flow.why.cls, ERR_LOST); /* the first one */
	line_close(&l);
}

static void test_echo_is_one_flow(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, 8, 0, 0);
	l.from.rd.at = ACTS(SAY("hello, "), SAY("who is there?"), END);
	l.from.wr.at = ACTS(TAKE(1), TAKE(4));
	flow_open(&l.flow, l.pool, &l.from.s, &l.from.s);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	flow_let_shut(&l.flow);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.from.got_n, 20);
	assert_memory_equal(l.from.got, "hello, who is there?", 20);
	assert_true(l.from.was_shut);
	line_close(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_and_ends),
		cmocka_unit_test(test_sink_that_takes_nothing),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_budget_cuts_no_datagram),
		cmocka_unit_test(test_datagrams_gather_while_one_fits),
		cmocka_unit_test(test_enough_messages),
		cmocka_unit_test(test_finish_by_decree),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_echo_is_one_flow),
	};
	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
