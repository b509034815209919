/* A pump between two peers: what holds of the far end holds of the near one, and an answer that was cut off never looks whole.
 *
 * Each row is played twice, the second time with the ends exchanged. */
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

struct side {
	const struct act *says, *takes;
	const char *gets;
	uint8_t half; /* how an end is passed on to it */
	bool is_shut;
	int64_t shut_ms; /* not before */
};

static const struct row {
	const char *what;
	struct side a, b;
	enum err_class cls;
	bool why_a; /* of a failure: it is a's */
	int64_t took_ms;
} rows[] = {
	{ .what = "both end",
		.a = { ACTS(SAY("a"), END), NULL, "b", HALF_YES, true },
		.b = { ACTS(SAY("b"), WAIT(50), END), NULL, "a", HALF_YES, true },
		.took_ms = 50 },
	{ .what = "an end that is passed on late",
		.a = { ACTS(SAY("a"), END), NULL, "b", HALF_YES, true },
		.b = { ACTS(SAY("b"), WAIT(50), END), NULL, "a", HALF_LATE, true, 50 },
		.took_ms = 50 },
	{ .what = "both late",
		.a = { ACTS(WAIT(20), END), NULL, "", HALF_LATE, true, 50 },
		.b = { ACTS(WAIT(50), END), NULL, "", HALF_LATE, true, 50 },
		.took_ms = 50 },
	{ .what = "never passed on",
		.a = { ACTS(SAY("a"), END), NULL, "b", HALF_NO, false },
		.b = { ACTS(SAY("b"), WAIT(50), END), NULL, "a", HALF_NO, false },
		.took_ms = 50 },
	{ .what = "a reset while the other is silent",
		.a = { ACTS(SAY("half an ans"), WAIT(50), FAIL(ERR_LOST)), NULL, "", HALF_YES, false },
		.b = { ACTS(FOREVER), NULL, "half an ans", HALF_YES, false },
		.cls = ERR_LOST,
		.why_a = true,
		.took_ms = 50 },
	{ .what = "a reset while the other does not take what came before it",
		.a = { ACTS(SAY("before"), FAIL(ERR_LOST)), NULL, "", HALF_YES, false },
		.b = { ACTS(FOREVER), ACTS(WAIT(70)), "before", HALF_YES, false },
		.cls = ERR_LOST,
		.why_a = true,
		.took_ms = 70 },
	{ .what = "a reset after the other's end",
		.a = { ACTS(WAIT(50), FAIL(ERR_LOST)), NULL, "b", HALF_YES, true },
		.b = { ACTS(SAY("b"), END), NULL, "", HALF_YES, false },
		.cls = ERR_LOST,
		.why_a = true,
		.took_ms = 50 },
	{ .what = "one that takes no more, and says so when it is read",
		.a = { ACTS(WAIT(50), SAY("last words"), WAIT(10), FAIL(ERR_LOST)), ACTS(FAIL(ERR_LOST)), "", HALF_YES },
		.b = { ACTS(SAY("b"), FOREVER), NULL, "last words", HALF_YES, false },
		.cls = ERR_LOST,
		.why_a = true,
		.took_ms = 60 },
};

static void play(const struct row *row, bool turned)
{
	struct world w;
	world_open(&w, 4096, 0, 0);
	struct double_stream *a = turned ? &w.far : &w.near, *b = turned ? &w.near : &w.far;
	const struct side *side[2] = { &row->a, &row->b };
	struct double_stream *end[2] = { a, b };
	for (int i = 0; i < 2; i++) {
		end[i]->rd.at = side[i]->says;
		if (side[i]->takes != NULL)
			end[i]->wr.at = side[i]->takes;
	}
	const struct pump_opts opts = { .peers = true,
		.half = turned ? row->a.half : row->b.half,
		.near_half = turned ? row->b.half : row->a.half,
		.reply_wait_ms = NEVER };
	const char *wrong = world_run(&w, &opts);
	if (wrong != NULL || w.why.cls != row->cls || w.took_ms != row->took_ms)
		fail_msg("%s, %d: %s, class %d, %d ms", row->what, turned, wrong, (int)w.why.cls, (int)w.took_ms);
	if (row->cls != ERR_OK && w.pump.why_near != (row->why_a != turned))
		fail_msg("%s, %d: the failure is the other's", row->what, turned);
	for (int i = 0; i < 2; i++) {
		size_t n = end[i]->got_n; /* 0: of no memory */
		if (n != strlen(side[i]->gets) || (n > 0 && memcmp(end[i]->got, side[i]->gets, n) != 0))
			fail_msg("%s, %d: %c got %.*s", row->what, turned, "ab"[i], (int)end[i] -> got_n, (char *)end[i] -> got);
		bool may_be_shut = side[i]->takes != NULL; /* a last word to one that takes no more */
		if (end[i]->was_shut != side[i]->is_shut && !may_be_shut)
			fail_msg("%s, %d: %c was shut: %d", row->what, turned, "ab"[i], end[i] -> was_shut);
		if (end[i]->was_shut && end[i]->shut_ms < SIM_START_MS + side[i]->shut_ms)
			fail_msg("%s, %d: %c was shut too early", row->what, turned, "ab"[i]);
	}
	world_close(&w);
}

static void rows_end_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		play(&rows[i], false);
		play(&rows[i], true);
	}
}

/* With real descriptors: hang-ups, and what the kernel still holds. */

struct joint {
	struct world w;
	struct double_stream *end;
	int fd[2];
	struct timer then;
};

static void hang_up(void *arg)
{
	sim_hang_up(((struct joint *)arg)->fd[0]);
}

static void take_all(void *arg)
{
	char buf[64];
	assert_true(read(((struct joint *)arg)->fd[1], buf, sizeof buf) > 0);
}

static void joint_open(struct joint *j, bool near, void (*then)(void *arg), int64_t at_ms)
{
	*j = (struct joint){ .then = { .fn = then, .arg = j } };
	world_open(&j->w, 4096, ST_SOCK, ST_SOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, j->fd), 0);
	j->end = near ? &j->w.near : &j->w.far;
	struct double_stream *other = near ? &j->w.far : &j->w.near;
	j->end->s.rfd = j->end->s.wfd = j->fd[0];
	other->s.rfd = other->s.wfd = -1;
	if (then != NULL)
		loop_timer(j->w.loop, &j->then, SIM_START_MS + at_ms);
}

static void joint_close(struct joint *j)
{
	world_close(&j->w);
	close(j->fd[0]);
	close(j->fd[1]);
}

static void what_either_has_not_acknowledged_is_waited_for(void **state)
{
	(void)state;
	for (int near = 0; near < 2; near++) {
		struct joint j;
		joint_open(&j, near, take_all, 10000);
		assert_int_equal(write(j.fd[0], "unread", 6), 6);
		j.w.near.rd.at = j.w.far.rd.at = ACTS(SAY("x"), END);
		const char *wrong = world_run(&j.w, &(struct pump_opts){ .peers = true, .settle_ms = NEVER });
		if (wrong != NULL)
			fail_msg("%s", wrong);
		assert_int_equal(j.w.why.cls, ERR_OK);
		assert_in_range(j.w.took_ms, 10000, 10050);
		joint_close(&j);
	}
}

static void one_that_does_not_acknowledge_is_lost(void **state)
{
	(void)state;
	for (int near = 0; near < 2; near++) {
		struct joint j;
		joint_open(&j, near, NULL, 0);
		assert_int_equal(write(j.fd[0], "unread", 6), 6);
		j.w.near.rd.at = j.w.far.rd.at = ACTS(SAY("x"), END);
		assert_null(world_run(&j.w, &(struct pump_opts){ .peers = true, .settle_ms = 200 }));
		assert_int_equal(j.w.why.cls, ERR_LOST);
		assert_int_equal(j.w.pump.why_near, near);
		joint_close(&j);
	}
}

/* It had ended before: nothing can come of it any more, nor go to it. */
static void one_that_hangs_up_ends_it(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct joint j;
		bool near = i % 2, lost = i / 2;
		joint_open(&j, near, hang_up, 50);
		struct double_stream *other = near ? &j.w.far : &j.w.near;
		j.end->rd.at = ACTS(SAY("bye"), END);
		if (lost)
			assert_int_equal(write(j.fd[0], "unread", 6), 6);
		other->rd.at = ACTS(SAY("more"), FOREVER);
		const char *wrong = world_run(&j.w, &(struct pump_opts){ .peers = true, .settle_ms = NEVER });
		if (wrong != NULL)
			fail_msg("%d: %s", i, wrong);
		assert_int_equal(j.w.took_ms, 50);
		assert_int_equal(j.w.why.cls, lost ? ERR_LOST : ERR_OK);
		assert_int_equal(other->got_n, 3);
		if (lost)
			assert_int_equal(j.w.pump.why_near, near);
		joint_close(&j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_end_as_the_table_says),
		cmocka_unit_test(what_either_has_not_acknowledged_is_waited_for),
		cmocka_unit_test(one_that_does_not_acknowledge_is_lost),
		cmocka_unit_test(one_that_hangs_up_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
