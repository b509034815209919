/* Setups in progress: at once where nothing has to be waited for, each under one deadline, the oldest first to go. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/layer.h"
#include "server/handshake.h"
#include "tests/unit/double.h"

#include <string.h>

struct shy { /* its setup says AGAIN until `rounds` have passed, then 0 or what `fails` says */
	struct stream s;
	struct waker waker;
	int rounds;
	bool fails, closed;
	enum close_how how;
};

static struct {
	struct run run;
	struct handshakes all;
	struct shy streams[4];
	unsigned passed[4], failed[4], n_passed, n_failed;
	struct why why;
	struct stream *got;
	bool closes_others;
} fixture;

static int shy_setup(struct stream *s)
{
	struct shy *shy = (struct shy *)s;
	if (shy->rounds > 0) {
		shy->rounds--;
		s->rd = (struct need){ .wake = true };
		return ST_AGAIN;
	}
	return shy->fails ? stream_fail(s, ERR_TLS, 0, 0, "handshake") : 0;
}

static void shy_close(struct stream *s, enum close_how how)
{
	struct shy *shy = (struct shy *)s;
	assert_false(shy->closed);
	shy->closed = true;
	shy->how = how;
}

static const struct stream_ops shy_ops = { .name = "shy", .setup = shy_setup, .close = shy_close };

static void passed(void *arg, struct stream *gives, const struct accepted *who)
{
	(void)arg;
	fixture.passed[fixture.n_passed++] = who->id;
	fixture.got = gives;
	loop_stop(fixture.run.loop);
	if (fixture.closes_others)
		handshakes_close(&fixture.all);
}

static void failed(void *arg, const struct stream *s, const struct accepted *who, const struct why *why)
{
	(void)arg;
	assert_non_null(s);
	fixture.failed[fixture.n_failed++] = who->id;
	fixture.why = *why;
	loop_stop(fixture.run.loop);
}

static int begin(void **state)
{
	static const struct handshake_ops ops = { passed, failed };
	(void)state;
	memset(&fixture, 0, sizeof fixture);
	fixture.run.loop = loop_open(&loop_sim, NULL);
	fixture.all = (struct handshakes){ .run = &fixture.run, .ops = &ops };
	return fixture.run.loop == NULL;
}

static int end(void **state)
{
	(void)state;
	handshakes_close(&fixture.all);
	assert_int_equal(fixture.all.count, 0);
	assert_true(loop_is_idle(fixture.run.loop));
	loop_close(fixture.run.loop);
	return 0;
}

static struct shy *start(uint32_t id, int rounds, bool fails)
{
	struct shy *shy = &fixture.streams[id];
	*shy = (struct shy){ .s = { .ops = &shy_ops, .rfd = -1, .wfd = -1 }, .rounds = rounds, .fails = fails };
	shy->s.waker = &shy->waker;
	struct accepted who = { .id = id };
	handshake_start(&fixture.all, &shy->s, &who);
	return shy;
}

static void wake(struct shy *shy)
{
	shy->waker.fn(shy->waker.arg);
}

static void turn(void)
{
	struct err e = { 0 };
	if (loop_run(fixture.run.loop, &e) != 0)
		fail_msg("%s", e.what);
}

static void nothing_to_set_up(void **state)
{
	(void)state;
	struct shy *shy = start(1, 0, false);
	assert_int_equal(fixture.n_passed, 1);
	assert_ptr_equal(fixture.got, &shy->s);
	assert_false(shy->closed);
	assert_true(start(2, 0, true)->closed);
	assert_int_equal(fixture.failed[0], 2);
	assert_int_equal(fixture.why.cls, ERR_TLS);
}

static void passing_later(void **state)
{
	(void)state;
	struct shy *a = start(1, 2, false), *b = start(2, 1, true);
	assert_int_equal(fixture.all.count, 2);
	wake(a);
	wake(b);
	wake(b);
	turn();
	assert_int_equal(fixture.failed[0], 2);
	assert_true(b->closed);
	wake(a);
	assert_int_equal(fixture.n_passed, 0); /* not from within the waiter */
	turn();
	assert_int_equal(fixture.passed[0], 1);
	assert_false(a->closed);
	assert_null(a->waker.fn);
}

static void one_deadline_each(void **state)
{
	(void)state;
	struct shy *a = start(1, 9, false);
	wake(a);
	turn();
	assert_int_equal(fixture.failed[0], 1);
	assert_int_equal(fixture.why.cls, ERR_TIMEOUT);
	assert_int_equal(loop_now(fixture.run.loop), SIM_START_MS + HANDSHAKE_MS);
	assert_true(a->closed);
}

static void the_oldest_goes_first(void **state)
{
	(void)state;
	assert_false(handshake_drop_oldest(&fixture.all));
	for (uint32_t i = 1; i <= 3; i++)
		start(i, 9, false);
	assert_true(handshake_drop_oldest(&fixture.all));
	assert_int_equal(fixture.failed[0], 1);
	assert_true(fixture.streams[1].closed);
	assert_int_equal(fixture.all.count, 2);
}

/* listen: two pass in one turn, and the first of them sends the other away. */
static void the_first_to_pass_closes_the_others(void **state)
{
	(void)state;
	fixture.closes_others = true;
	struct shy *a = start(1, 1, false), *b = start(2, 1, false);
	wake(b);
	wake(a);
	turn();
	assert_int_equal(fixture.n_passed, 1);
	assert_int_equal(fixture.passed[0], 2);
	assert_true(a->closed);
	assert_false(b->closed);
}

/* It has its place, and nothing is left that could fail. */
static void one_that_has_passed_keeps_its_place(void **state)
{
	(void)state;
	struct shy *a = start(1, 1, false), *b = start(2, 9, false);
	wake(a);
	assert_true(handshake_drop_oldest(&fixture.all));
	assert_int_equal(fixture.failed[0], 2);
	assert_true(b->closed);
	assert_int_equal(b->how, CLOSE_RST);
	assert_false(handshake_drop_oldest(&fixture.all));
	turn();
	assert_int_equal(fixture.passed[0], 1);
}

static void one_that_has_passed_is_handed_over_at_once(void **state)
{
	(void)state;
	struct shy *a = start(1, 9, false), *b = start(2, 1, false);
	assert_false(handshake_hand_over(&fixture.all));
	wake(b);
	assert_true(handshake_hand_over(&fixture.all));
	assert_int_equal(fixture.passed[0], 2);
	assert_false(b->closed);
	assert_false(handshake_hand_over(&fixture.all));
	assert_int_equal(fixture.all.count, 1);
	assert_false(a->closed);
}

/* Its layers may have read payload, and a plain end would say that it has arrived. */
static void one_that_has_passed_is_closed_with_a_reset(void **state)
{
	(void)state;
	struct shy *a = start(1, 1, false);
	wake(a);
	handshakes_close(&fixture.all);
	assert_true(a->closed);
	assert_int_equal(a->how, CLOSE_RST);
}

static void one_that_has_failed_keeps_its_reason(void **state)
{
	(void)state;
	struct shy *a = start(1, 1, true);
	wake(a);
	assert_true(handshake_drop_oldest(&fixture.all));
	assert_int_equal(fixture.why.cls, ERR_TLS);
	assert_int_equal(a->how, CLOSE_RST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(nothing_to_set_up),
		TEST(passing_later),
		TEST(one_deadline_each),
		TEST(the_oldest_goes_first),
		TEST(the_first_to_pass_closes_the_others),
		TEST(one_that_has_passed_keeps_its_place),
		TEST(one_that_has_passed_is_handed_over_at_once),
		TEST(one_that_has_passed_is_closed_with_a_reset),
		TEST(one_that_has_failed_keeps_its_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
