/* The table of ends at the top of pump_ends.c, row by row: what each side says and takes, and what must have come of it.
 *
 * A row without .once is played again with one-byte moves, and with every call saying AGAIN before it gets on (woken, and
 * by time): how the bytes happen to come must change nothing but the time it takes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#include <stdio.h>
#include <string.h>

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
	unsigned caps;
	const struct act *says, *takes, *flushes, *shuts;
};

struct row {
	const char *name;
	struct side near, far;
	struct pump_opts opts;
	bool once;
	enum err_class cls;
	const char *to_far, *to_near; /* what came out; NULL: nothing */
	const char *sizes;	      /* of the datagrams that far was given: "3 0 5"; NULL: not asked */
	bool near_shut, far_shut;
	int64_t ms; /* how long it took, plainly played */
};

static const struct row rows[] = {
	/* both ways, and which end ends first */
	{ .name = "both ways end",
		.near = { .says = ACTS(SAY("question"), END) },
		.far = { .says = ACTS(SAY("ans"), SAY("wer"), END) },
		.to_far = "question",
		.to_near = "answer",
		.near_shut = true,
		.far_shut = true },
	{ .name = "nothing at all",
		.near = { .says = ACTS(END) },
		.far = { .says = ACTS(END) },
		.near_shut = true,
		.far_shut = true },
	{ .name = "near's end does not shorten receiving",
		.near = { .says = ACTS(END) },
		.far = { .says = ACTS(WAIT(90000), SAY("late"), END) },
		.to_near = "late",
		.near_shut = true,
		.far_shut = true,
		.ms = 90000 },
	{ .name = "far's end does not shorten sending",
		.near = { .says = ACTS(SAY("a"), WAIT(90000), SAY("b"), END) },
		.far = { .says = ACTS(END) },
		.to_far = "ab",
		.near_shut = true,
		.far_shut = true,
		.ms = 90000 },
	{ .name = "a slow sink on one side does not hold up the other",
		.near = { .says = ACTS(SAY("up"), END), .takes = ACTS(WAIT(5000)) },
		.far = { .says = ACTS(SAY("down"), END), .takes = ACTS(WAIT(100)) },
		.to_far = "up",
		.to_near = "down",
		.near_shut = true,
		.far_shut = true,
		.ms = 5000 },
	{ .name = "what a layer holds is flushed before the end is passed on",
		.near = { .says = ACTS(SAY("x"), END), .flushes = ACTS(WAIT(30)), .shuts = ACTS(WAIT(4)) },
		.far = { .says = ACTS(SAY("y"), END), .flushes = ACTS(WAIT(20)), .shuts = ACTS(WAIT(3)) },
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.far_shut = true,
		.ms = 34 },

	/* when near's end is passed on */
	{ .name = "half-close never",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END) },
		.opts = { .half = HALF_NO },
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 10 },
	{ .name = "half-close late: not before far has ended",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END), .shuts = ACTS(WAIT(5)) },
		.opts = { .half = HALF_LATE },
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.far_shut = true,
		.ms = 15 },
	{ .name = "late if empty, and it is empty",
		.near = { .says = ACTS(END) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END), .shuts = ACTS(WAIT(5)) },
		.opts = { .late_if_empty = true },
		.to_near = "y",
		.near_shut = true,
		.far_shut = true,
		.ms = 15 },
	{ .name = "late if empty, and it is not",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END), .shuts = ACTS(WAIT(5)) },
		.opts = { .late_if_empty = true },
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.far_shut = true,
		.ms = 10 },
	{ .name = "near is never read",
		.near = { .says = ACTS(SAY("not this")) },
		.far = { .says = ACTS(SAY("y"), WAIT(10), END) },
		.opts = { .no_up = true, .half = HALF_LATE },
		.to_near = "y",
		.near_shut = true,
		.far_shut = true,
		.ms = 10 },
	{ .name = "near is never read, and nothing is half-closed",
		.near = { .says = ACTS(SAY("not this")) },
		.far = { .says = ACTS(SAY("y"), END) },
		.opts = { .no_up = true, .half = HALF_NO },
		.to_near = "y",
		.near_shut = true },

	/* what far's end does */
	{ .name = "end with far, though near goes on for ever",
		.near = { .says = ACTS(SAY("x"), FOREVER) },
		.far = { .says = ACTS(SAY("y"), WAIT(10), END) },
		.opts = { .end_with_far = true, .settle_ms = 1000 },
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 10 },
	{ .name = "end with far waits until a layer has sent what it holds",
		.near = { .says = ACTS(SAY("x"), FOREVER) },
		.far = { .says = ACTS(SAY("y"), END), .flushes = ACTS(WAIT(40)) },
		.opts = { .end_with_far = true, .settle_ms = 1000 },
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 40 },
	{ .name = "end with far, and a layer cannot send what it holds",
		.near = { .says = ACTS(SAY("x"), FOREVER) },
		.far = { .says = ACTS(SAY("y"), END), .flushes = ACTS(WAIT(40), FAIL(ERR_LOST)) },
		.opts = { .end_with_far = true, .settle_ms = 1000 },
		.cls = ERR_LOST,
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 40 },
	{ .name = "end with far waits until everything is on stdout",
		.near = { .says = ACTS(FOREVER), .takes = ACTS(WAIT(700)), .flushes = ACTS(WAIT(80)) },
		.far = { .says = ACTS(SAY("y"), END) },
		.opts = { .end_with_far = true },
		.to_near = "y",
		.near_shut = true,
		.ms = 780 },
	{ .name = "end with far, and the peer did not wait for what was typed",
		.near = { .says = ACTS(SAY("typed"), FOREVER) },
		.far = { .says = ACTS(SAY("y"), END), .takes = ACTS(WAIT(NEVER)) },
		.opts = { .end_with_far = true },
		.cls = ERR_LOST,
		.to_near = "y",
		.near_shut = true },
	{ .name = "stdout stays open for the next one",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(SAY("y"), END) },
		.opts = { .near_half = HALF_NO },
		.to_far = "x",
		.to_near = "y",
		.far_shut = true },
	{ .name = "what the peer sends is dropped, to its end",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(SAY_N(100000), WAIT(10), SAY_N(1), END) },
		.opts = { .drop_down = true },
		.to_far = "x",
		.far_shut = true,
		.ms = 10 },
	{ .name = "no answer is wanted: silence ends it",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(WAIT(300), SAY("y"), WAIT(900), SAY("z"), FOREVER) },
		.opts = { .drop_down = true, .sends_only = true },
		.to_far = "x",
		.far_shut = true,
		.ms = 2200 },
	{ .name = "... that comes after the end of stdin",
		.near = { .says = ACTS(SAY("x"), WAIT(5000), END) },
		.far = { .says = ACTS(FOREVER) },
		.opts = { .drop_down = true, .sends_only = true },
		.to_far = "x",
		.far_shut = true,
		.ms = 6000 },
	{ .name = "... also without a half-close",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(FOREVER) },
		.opts = { .drop_down = true, .sends_only = true, .half = HALF_NO },
		.to_far = "x",
		.ms = 1000 },
	{ .name = "... and the peer's end does at once",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(WAIT(10), END) },
		.opts = { .drop_down = true, .sends_only = true },
		.to_far = "x",
		.far_shut = true,
		.ms = 10 },

	/* failures */
	{ .name = "read from far failed: what came before it is written",
		.near = { .says = ACTS(FOREVER), .takes = ACTS(WAIT(5000)) },
		.far = { .says = ACTS(SAY("before"), FAIL(ERR_LOST)) },
		.cls = ERR_LOST,
		.to_near = "before",
		.near_shut = true,
		.ms = 5000 },
	{ .name = "write to far failed: it is read to its end",
		.near = { .says = ACTS(SAY("x"), FOREVER) },
		.far = { .says = ACTS(WAIT(10), SAY("server full"), WAIT(10), END), .takes = ACTS(FAIL(ERR_LOST)) },
		.cls = ERR_LOST,
		.to_near = "server full",
		.near_shut = true,
		.ms = 20 },
	{ .name = "half-close failed: it is read to its end",
		.near = { .says = ACTS(SAY("x"), END) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END), .shuts = ACTS(FAIL(ERR_LOST)) },
		.cls = ERR_LOST,
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 10 },
	{ .name = "flush to far failed",
		.near = { .says = ACTS(SAY("x"), FOREVER) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END), .flushes = ACTS(FAIL(ERR_NETWORK)) },
		.once = true, /* with one byte at a time the read comes after the flush */
		.cls = ERR_NETWORK,
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 10 },
	{ .name = "stdout's reader left: end at once",
		.near = { .says = ACTS(SAY("x"), FOREVER), .takes = ACTS(WAIT(7), FAIL(ERR_PIPE)) },
		.far = { .says = ACTS(SAY("y"), FOREVER) },
		.cls = ERR_PIPE,
		.to_far = "x",
		.ms = 7 },
	{ .name = "stdout is full: near goes on to its end",
		.near = { .says = ACTS(SAY("a"), WAIT(900), SAY("b"), WAIT(900), SAY("c"), END), .takes = ACTS(FAIL(ERR_LOCAL)) },
		.far = { .says = ACTS(SAY("y"), SAY("not read"), FOREVER) },
		.cls = ERR_LOCAL,
		.to_far = "abc",
		.ms = 1800 },
	{ .name = "stdout is full, and nothing moves for a second",
		.near = { .says = ACTS(SAY("a"), WAIT(300), SAY("b"), WAIT(5000), SAY("too late"), END),
			.takes = ACTS(FAIL(ERR_LOCAL)) },
		.far = { .says = ACTS(SAY("y"), FOREVER) },
		.cls = ERR_LOCAL,
		.to_far = "ab",
		.ms = 1300 },
	{ .name = "stdout is full, and a person types: end when that is sent",
		.near = { .caps = ST_TTY, .says = ACTS(SAY("a"), FOREVER), .takes = ACTS(FAIL(ERR_LOCAL)) },
		.far = { .says = ACTS(SAY("y"), FOREVER), .takes = ACTS(WAIT(50)) },
		.cls = ERR_LOCAL,
		.to_far = "a",
		.ms = 50 },
	{ .name = "stdout could not be closed",
		.near = { .says = ACTS(END), .shuts = ACTS(FAIL(ERR_LOCAL)) },
		.far = { .says = ACTS(SAY("y"), END) },
		.cls = ERR_LOCAL,
		.to_near = "y",
		.far_shut = true },
	{ .name = "read from near failed: what came before is sent, and far is told no end",
		.near = { .says = ACTS(SAY("x"), FAIL(ERR_LOCAL)) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), END) },
		.cls = ERR_LOCAL,
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 10 },
	{ .name = "the first failure is the one that is told",
		.near = { .says = ACTS(SAY("x"), FAIL(ERR_LOCAL)) },
		.far = { .says = ACTS(WAIT(10), SAY("y"), FAIL(ERR_LOST)) },
		.cls = ERR_LOCAL,
		.to_far = "x",
		.to_near = "y",
		.near_shut = true,
		.ms = 10 },

	/* datagrams */
	{ .name = "datagrams stay datagrams",
		.near = { .caps = ST_DGRAM, .says = ACTS(SAY("abc"), EMPTY, SAY("de"), SAY("f"), FAIL(ERR_TIMEOUT)) },
		.far = { .caps = ST_DGRAM, .takes = ACTS(WAIT(10), TAKE(9), WAIT(10)) },
		.opts = { .reply_wait_ms = NEVER },
		.cls = ERR_TIMEOUT,
		.to_far = "abcdef",
		.sizes = "3 0 2 1",
		.ms = 20 },
	{ .name = "bytes are cut: one datagram a read",
		.near = { .says = ACTS(SAY("abcdefgh"), SAY("ij"), END) },
		.far = { .caps = ST_DGRAM, .says = ACTS(FOREVER) },
		.opts = { .datagram_bytes = 3, .reply_wait_ms = 500 },
		.once = true,
		.to_far = "abcdefghij",
		.sizes = "3 3 2 2",
		.ms = 500 },
	{ .name = "bytes are cut by line, and the rest at the end",
		.near = { .says = ACTS(SAY("a\nbc"), WAIT(10), SAY("d\n\nlonger"), WAIT(10), SAY("e"), END) },
		.far = { .caps = ST_DGRAM, .says = ACTS(FOREVER) },
		.opts = { .lines = true, .datagram_bytes = 5, .reply_wait_ms = 0 },
		.to_far = "a\nbcd\n\nlongere",
		.sizes = "2 4 1 5 2",
		.ms = 20 },
	{ .name = "datagrams to bytes; empty ones count as answers",
		.near = { .says = ACTS(FOREVER) },
		.far = { .caps = ST_DGRAM, .says = ACTS(SAY("abc"), EMPTY, SAY("de"), SAY("not this")) },
		.opts = { .reply_wait_ms = 1000, .replies = 3 },
		.to_near = "abcde",
		.near_shut = true },
	{ .name = "replies are awaited since the last datagram either way",
		.near = { .says = ACTS(SAY("q"), END) },
		.far = { .caps = ST_DGRAM, .says = ACTS(WAIT(900), SAY("1"), WAIT(900), SAY("2"), WAIT(2000), SAY("late")) },
		.opts = { .reply_wait_ms = 1000 },
		.to_far = "q",
		.to_near = "12",
		.ms = 2800 },
	{ .name = "replies are counted, and came",
		.near = { .says = ACTS(SAY("q"), END) },
		.far = { .caps = ST_DGRAM, .says = ACTS(WAIT(10), SAY("1"), WAIT(10), SAY("2"), SAY("late")) },
		.opts = { .reply_wait_ms = 1000, .replies = 2 },
		.to_far = "q",
		.to_near = "12",
		.near_shut = true,
		.ms = 20 },
	{ .name = "replies are counted, and stayed away",
		.near = { .says = ACTS(SAY("q"), END) },
		.far = { .caps = ST_DGRAM, .says = ACTS(WAIT(10), SAY("1"), FOREVER) },
		.opts = { .reply_wait_ms = 1000, .replies = 2 },
		.cls = ERR_TIMEOUT,
		.to_far = "q",
		.to_near = "1",
		.ms = 1010 },
	{ .name = "enough replies, though near goes on",
		.near = { .says = ACTS(SAY("q"), FOREVER) },
		.far = { .caps = ST_DGRAM, .says = ACTS(SAY("1"), FOREVER) },
		.opts = { .reply_wait_ms = 1000, .replies = 1 },
		.to_far = "q",
		.to_near = "1",
		.near_shut = true },
	{ .name = "enough replies, though a line is unfinished",
		.near = { .says = ACTS(SAY("q\nunfin"), FOREVER) },
		.far = { .caps = ST_DGRAM, .says = ACTS(SAY("1"), FOREVER) },
		.opts = { .lines = true, .reply_wait_ms = 1000, .replies = 1 },
		.to_far = "q\n",
		.to_near = "1",
		.near_shut = true },
	{ .name = "a reply that waits for a blocked stdout is not cut by the reply wait",
		.near = { .says = ACTS(SAY("q"), END), .takes = ACTS(WAIT(3000)) },
		.far = { .caps = ST_DGRAM, .says = ACTS(SAY("1"), FOREVER) },
		.opts = { .reply_wait_ms = 1000 },
		.to_far = "q",
		.to_near = "1",
		.ms = 4000 },
	{ .name = "nothing is awaited when replies are dropped",
		.near = { .says = ACTS(SAY("q"), END) },
		.far = { .caps = ST_DGRAM, .says = ACTS(FOREVER), .takes = ACTS(WAIT(10)) },
		.opts = { .reply_wait_ms = 1000, .drop_down = true },
		.to_far = "q",
		.ms = 10 },
	{ .name = "a refusal ends datagrams, when what came before it is written",
		.near = { .says = ACTS(SAY("q"), FOREVER), .takes = ACTS(WAIT(3000)) },
		.far = { .caps = ST_DGRAM, .says = ACTS(SAY("1"), FAIL(ERR_CONNECT)) },
		.opts = { .reply_wait_ms = 1000 },
		.cls = ERR_CONNECT,
		.to_far = "q",
		.to_near = "1",
		.near_shut = true,
		.ms = 3000 },
	{ .name = "a datagram that cannot be sent ends it, too",
		.near = { .says = ACTS(SAY("q"), FOREVER), .takes = ACTS(WAIT(3000)) },
		.far = { .caps = ST_DGRAM, .says = ACTS(SAY("1"), FOREVER), .takes = ACTS(FAIL(ERR_CONNECT)) },
		.opts = { .reply_wait_ms = 1000 },
		.cls = ERR_CONNECT,
		.to_near = "1",
		.near_shut = true,
		.ms = 3000 },
	{ .name = "stdin that cannot be read ends datagrams",
		.near = { .says = ACTS(FAIL(ERR_LOCAL)) },
		.far = { .caps = ST_DGRAM, .says = ACTS(FOREVER) },
		.opts = { .reply_wait_ms = 1000 },
		.cls = ERR_LOCAL },
};

enum variant { PLAIN, ONE_BYTE, STUTTER, STUTTER_TIMED, VARIANTS };

static void cast(struct double_stream *d, const struct side *side, enum variant variant)
{
	static const struct act nothing[1];
	d->rd.at = side->says != NULL ? side->says : nothing;
	d->wr.at = side->takes != NULL ? side->takes : nothing;
	d->fl.at = side->flushes != NULL ? side->flushes : nothing;
	d->sh.at = side->shuts != NULL ? side->shuts : nothing;
	d->most = variant != PLAIN;
	d->stutter_ms = variant >= STUTTER ? 1 : 0;
	d->timed = variant == STUTTER_TIMED;
}

static void check_got(const struct double_stream *d, const char *want)
{
	assert_int_equal(d->got_n, want == NULL ? 0 : strlen(want));
	if (want != NULL)
		assert_memory_equal(d->got, want, d->got_n);
}

static void check_sizes(const struct double_stream *d, const char *want)
{
	char got[256] = "";
	for (unsigned i = 0; i < d->writes; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%zu", i > 0 ? " " : "", d->sizes[i]);
	assert_string_equal(got, want);
}

static void play(const struct row *row, enum variant variant)
{
	struct world w;
	world_open(&w, row->opts.drop_down ? 4096 : 2 * FLOW_DATAGRAM_MOST, row->near.caps, row->far.caps);
	cast(&w.near, &row->near, variant);
	cast(&w.far, &row->far, variant);
	const char *broken = world_run(&w, &row->opts);
	if (broken != NULL)
		fail_msg("variant %d: %s", (int)variant, broken);
	assert_int_equal(w.why.cls, row->cls);
	assert_int_equal(w.why.text != NULL, row->cls != ERR_OK);
	check_got(&w.far, row->to_far);
	check_got(&w.near, row->to_near);
	if (row->cls == ERR_OK || variant == PLAIN) /* a run that fails does not wait until stdout is closed */
		assert_int_equal(w.near.was_shut, row->near_shut);
	if (!(row->far.caps & ST_DGRAM)) /* where it is a no-op */
		assert_int_equal(w.far.was_shut, row->far_shut);
	if (row->sizes != NULL)
		check_sizes(&w.far, row->sizes);
	if (variant == PLAIN)
		assert_int_equal(w.took_ms, row->ms);
	world_close(&w);
}

static void test_row(void **state)
{
	const struct row *row = *state;
	for (int v = PLAIN; v < (row->once ? ONE_BYTE : VARIANTS); v++)
		play(row, (enum variant)v);
}

int main(void)
{
	enum { ROWS = sizeof rows / sizeof rows[0] };
	static struct CMUnitTest all[ROWS];
	for (size_t i = 0; i < ROWS; i++)
		all[i] = (struct CMUnitTest){
			.name = rows[i].name, .test_func = test_row, .initial_state = (void *)(uintptr_t)&rows[i]
		};
	return cmocka_run_group_tests_name("pump", all, NULL, NULL);
}
