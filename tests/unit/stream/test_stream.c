/* What a layer hands up of the stream below: AGAIN with the need of the call that blocked, FAIL with its words, all else as it
 * is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream/stream.h"

#include <string.h>

static int answer; /* of the stream below, to whatever it is asked */

static int below_call(struct stream *s)
{
	s->wr = (struct need){ .out = true };
	s->why = (struct why){ .cls = ERR_LOST, .sys = 5, .text = "send to" };
	return answer;
}

static const struct stream_ops below_ops = { .name = "below", .flush = below_call, .last = below_call, .shut = below_call };

static void make_pair(struct stream pair[2])
{
	static const struct stream_ops ops = { .name = "layer" };
	memset(pair, 0, 2 * sizeof pair[0]);
	pair[0].ops = &below_ops;
	pair[0].rd = (struct need){ .in = true, .timed = true, .at_ms = 7 };
	pair[0].wr = (struct need){ .wake = true };
	pair[0].why = (struct why){ .cls = ERR_LOST, .sys = 3, .text = "receive from" };
	stream_push(&pair[1], &ops, &pair[0]);
}

static void test_again_brings_its_need(void **state)
{
	struct stream pair[2], *s = &pair[1];
	(void)state;
	make_pair(pair);
	assert_int_equal(stream_up_rd(s, ST_AGAIN), ST_AGAIN);
	assert_true(s->rd.in && s->rd.timed && s->rd.at_ms == 7 && !s->rd.wake);
	assert_false(s->wr.wake); /* the other way's is as it was */
	assert_int_equal(stream_up_wr(s, ST_AGAIN), ST_AGAIN);
	assert_true(s->wr.wake && !s->wr.in);
	assert_null(s->why.text);
}

static void test_fail_brings_its_words(void **state)
{
	struct stream pair[2], *s = &pair[1];
	(void)state;
	for (int write = 0; write < 2; write++) {
		make_pair(pair);
		assert_int_equal(write ? stream_up_wr(s, ST_FAIL) : stream_up_rd(s, ST_FAIL), ST_FAIL);
		assert_int_equal(s->why.cls, ERR_LOST);
		assert_int_equal(s->why.sys, 3);
		assert_false(s->rd.in || s->wr.wake);
	}
}

static void test_other_results_pass(void **state)
{
	static const ssize_t all[] = { 0, 1, 1 << 20, ST_EMPTY };
	struct stream pair[2], *s = &pair[1];
	(void)state;
	make_pair(pair);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		assert_int_equal(stream_up_rd(s, all[i]), all[i]);
		assert_int_equal(stream_up_wr(s, all[i]), all[i]);
	}
	assert_null(s->why.text);
	assert_false(s->rd.in || s->wr.wake);
}

/* A layer without ops of its own asks below, and the lowest stream has nothing to flush. */
static void test_calls_pass_down(void **state)
{
	int (*const calls[])(struct stream *) = { stream_flush, stream_last, stream_shut };
	struct stream pair[2], *s = &pair[1];
	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		for (answer = 0; answer >= ST_FAIL; answer--) {
			make_pair(pair);
			assert_int_equal(calls[i](s), answer);
			assert_int_equal(s->wr.out, answer == ST_AGAIN);
			assert_int_equal(s->why.sys, answer == ST_FAIL ? 5 : 0);
		}
	static const struct stream_ops plain = { .name = "plain" };
	struct stream alone = { .ops = &plain };
	assert_int_equal(stream_flush(&alone), 0);
	assert_int_equal(stream_pass(&alone, stream_flush), 0);
}

static void test_needs_join(void **state)
{
	struct need a = { .in = true };
	(void)state;
	need_join(&a, &(struct need){ .out = true });
	assert_true(a.in && a.out && !a.wake && !a.timed);
	need_join(&a, &(struct need){ .timed = true, .at_ms = 9 });
	assert_true(a.timed && a.at_ms == 9);
	need_join(&a, &(struct need){ .timed = true, .at_ms = 12, .wake = true }); /* the earlier time counts */
	assert_true(a.in && a.out && a.wake && a.at_ms == 9);
	need_join(&a, &(struct need){ .timed = true, .at_ms = 4 });
	assert_true(a.at_ms == 4);
	need_join(&a, &(struct need){ .at_ms = 1 }); /* it does not say that this counts */
	assert_true(a.at_ms == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again_brings_its_need),
		cmocka_unit_test(test_fail_brings_its_words),
		cmocka_unit_test(test_other_results_pass),
		cmocka_unit_test(test_calls_pass_down),
		cmocka_unit_test(test_needs_join),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
