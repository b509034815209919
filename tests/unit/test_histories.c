/* Tens of thousands of random histories of a pump: scripts of short reads, short writes, waits, ends and failures on all
 * four ends, random options, blocks of random size. Whatever happens: it ends; done comes once; nothing stays armed or
 * lent; what came out is the beginning of what went in; all of it when done says OK; and all that a failing end had
 * said before. A failure prints its seed, and HISTORY_SEED=N runs that one alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { HISTORIES = 30000, ACTS_MOST = 12 };

static uint64_t seed_now, dice;

static unsigned roll(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)((dice * 0x2545F4914F6CDD1DU) >> 33) % sides;
}

static bool chance(unsigned percent)
{
	return roll(100) < percent;
}

static void check(bool holds, const char *what)
{
	if (!holds)
		fail_msg("seed %llu: %s", (unsigned long long)seed_now, what);
}

struct part { /* one end of one stream */
	struct act acts[ACTS_MOST + 2];
	bool fails;
	enum err_class cls;
	size_t says; /* bytes */
	unsigned datagrams;
	size_t sizes[ACTS_MOST];
};

struct history {
	struct part near_says, near_takes, far_says, far_takes, near_shuts, far_shuts;
	struct pump_opts opts;
	bool near_dgram, far_dgram;
};

static enum err_class some_class(void)
{
	static const enum err_class of[] = { ERR_NETWORK, ERR_LOST, ERR_LOCAL, ERR_CONNECT };
	return of[roll(4)];
}

static struct act wait_act(void)
{
	return (struct act)WAIT(1 + roll(chance(20) ? 3000 : 20));
}

static void ends_with(struct part *p, size_t n, struct act last)
{
	p->acts[n] = last;
	p->fails = last.kind == ACT_FAIL;
	p->cls = last.cls;
}

static void make_says(struct part *p, bool dgram)
{
	size_t n = roll(ACTS_MOST), many = chance(20) ? 3000 : 1 + roll(100);
	for (size_t i = 0; i < n; i++) {
		p->acts[i] = wait_act();
		if (chance(35))
			continue;
		size_t len = dgram && chance(20) ? 0 : 1 + roll((unsigned)many);
		p->acts[i] = len == 0 ? (struct act)EMPTY : (struct act)SAY_N(len);
		p->sizes[p->datagrams++] = len;
		p->says += len;
	}
	if (chance(25))
		ends_with(p, n, (struct act)FAIL(some_class()));
	else if (!dgram)
		ends_with(p, n, (struct act)END);
}

static void make_takes(struct part *p)
{
	size_t n = roll(ACTS_MOST);
	for (size_t i = 0; i < n; i++)
		p->acts[i] = chance(50) ? wait_act() : (struct act)TAKE(1 + roll(chance(50) ? 5 : 500));
	if (chance(15))
		ends_with(p, n, (struct act)FAIL(chance(40) ? ERR_PIPE : some_class()));
}

static void make_shuts(struct part *p)
{
	size_t n = roll(2);
	if (n == 1)
		p->acts[0] = wait_act();
	if (chance(5))
		ends_with(p, n, (struct act)FAIL(some_class()));
}

static void make_history(struct history *h)
{
	*h = (struct history){ 0 };
	h->far_dgram = chance(30);
	h->near_dgram = h->far_dgram && chance(30);
	make_says(&h->near_says, h->near_dgram);
	make_says(&h->far_says, h->far_dgram);
	make_takes(&h->near_takes);
	make_takes(&h->far_takes);
	make_shuts(&h->near_shuts);
	make_shuts(&h->far_shuts);
	h->opts = (struct pump_opts){
		.half = (uint8_t)roll(3),
		.late_if_empty = chance(20),
		.end_with_far = chance(20),
		.no_up = chance(10),
		.near_half = chance(20) ? HALF_NO : HALF_YES,
		.drop_down = chance(10),
		.lines = h->far_dgram && !h->near_dgram && chance(50),
		.datagram_bytes = 1 + roll(200),
		.reply_wait_ms = roll(2000),
		.settle_ms = NEVER,
	};
	if (h->far_dgram && chance(40))
		h->opts.replies = 1 + roll(ACTS_MOST);
}

/* Does a run of this history end by itself? A datagram run does when something ends it; its peer never does. */
static bool ends(const struct history *h)
{
	if (!h->far_dgram)
		return true;
	if (h->far_says.fails || (h->opts.replies != 0 && h->opts.replies <= h->far_says.datagrams))
		return true;
	return !h->opts.no_up && (!h->near_dgram || h->near_says.fails);
}

static void set_stage(struct double_stream *d, const struct part *says, const struct part *takes, const struct part *shuts)
{
	d->rd.at = says->acts;
	d->wr.at = takes->acts;
	d->sh.at = shuts->acts;
	d->most = chance(30) ? 1 + roll(7) : 0;
	d->stutter_ms = chance(30) ? 1 : 0;
	d->timed = chance(50);
}

/* Is what `to` got the beginning of what `from` said? */
static void check_prefix(const struct double_stream *from, const struct double_stream *to, bool dropped)
{
	check(to->got_n <= from->said, "more came out than went in");
	check(!dropped || to->got_n == 0, "something was written that was to be dropped");
	for (size_t i = 0; i < to->got_n; i++)
		check(to->got[i] == double_pattern(i), "a byte differs");
}

/* Datagram to datagram: the lengths are those that were said, in order. */
static void check_lengths(const struct part *says, const struct double_stream *to)
{
	check(to->writes <= says->datagrams, "more datagrams came out than went in");
	for (unsigned i = 0; i < to->writes; i++)
		check(to->sizes[i] == says->sizes[i], "a datagram changed its length");
}

static void check_cuts(const struct history *h, const struct double_stream *to)
{
	for (unsigned i = 0; i < to->writes && i < DOUBLE_SIZES; i++)
		check(to->sizes[i] > 0 && to->sizes[i] <= h->opts.datagram_bytes, "a datagram of a wrong length");
}

static void check_ok(const struct history *h, const struct world *w)
{
	const struct double_stream *near = &w->near, *far = &w->far;
	bool enough = h->opts.replies != 0 && w->pump.down.messages >= h->opts.replies;
	check(!near->failed && !far->failed, "a failure was passed over");
	check(far->got_n == near->said || (enough && h->far_dgram), "not everything was sent");
	check(near->got_n == (h->opts.drop_down ? 0 : far->said), "not everything was written");
	if (h->far_dgram) {
		check(h->opts.replies == 0 || enough, "fewer replies than asked for");
		return;
	}
	check(far->ended, "it ended before the peer did");
	check(near->ended || h->opts.end_with_far || h->opts.no_up, "it ended before stdin did");
	check(near->was_shut == !(h->opts.near_half == HALF_NO || h->opts.drop_down), "stdout was not closed as asked for");
	check(!far->was_shut || h->opts.half != HALF_NO, "a half-close that was not wanted");
	check(far->was_shut || h->opts.half == HALF_NO || h->opts.end_with_far, "no half-close");
}

static void check_failed(const struct history *h, const struct world *w)
{
	const struct part *all[] = { &h->near_says, &h->near_takes, &h->far_says, &h->far_takes, &h->near_shuts, &h->far_shuts };
	bool known = (w->why.cls == ERR_TIMEOUT && h->opts.replies != 0) || (w->why.cls == ERR_LOST && h->opts.end_with_far);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		known |= all[i]->fails && all[i]->cls == w->why.cls;
	check(known, "a failure that nobody made");
	bool near_took = !h->near_takes.fails && !h->near_shuts.fails, far_took = !h->far_takes.fails && !h->far_shuts.fails;
	if (near_took && !h->opts.drop_down)
		check(w->near.got_n == w->far.said, "what the peer said before the failure was not written");
	if (far_took && near_took && !h->far_says.fails && !h->far_dgram && !h->opts.end_with_far)
		check(w->far.got_n == w->near.said, "what stdin said before its failure was not sent");
}

static void run_history(uint64_t seed)
{
	struct history h;
	struct world w;
	seed_now = seed;
	dice = seed * 0x9E3779B97F4A7C15U + 1;
	do
		make_history(&h);
	while (!ends(&h));
	size_t block = h.near_dgram || h.far_dgram ? (size_t)(1 + roll(2)) * FLOW_DATAGRAM_MOST : 8 + roll(chance(50) ? 8 : 2000);
	world_open(&w, block, h.near_dgram ? ST_DGRAM : chance(10) ? ST_TTY : 0, h.far_dgram ? ST_DGRAM : 0);
	set_stage(&w.near, &h.near_says, &h.near_takes, &h.near_shuts);
	set_stage(&w.far, &h.far_says, &h.far_takes, &h.far_shuts);
	const char *broken = world_run(&w, &h.opts);
	check(broken == NULL, broken);
	check_prefix(&w.near, &w.far, false);
	check_prefix(&w.far, &w.near, h.opts.drop_down);
	if (h.near_dgram) {
		check_lengths(&h.near_says, &w.far);
		check_lengths(&h.far_says, &w.near);
	} else if (h.far_dgram) {
		check_cuts(&h, &w.far);
	}
	if (w.why.cls == ERR_OK)
		check_ok(&h, &w);
	else
		check_failed(&h, &w);
	world_close(&w);
}

static void test_histories(void **state)
{
	(void)state;
	const char *one = getenv("HISTORY_SEED"), *many = getenv("HISTORIES");
	if (one != NULL) {
		run_history(strtoull(one, NULL, 10));
		return;
	}
	uint64_t n = many != NULL ? strtoull(many, NULL, 10) : HISTORIES;
	for (uint64_t seed = 1; seed <= n; seed++)
		run_history(seed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_histories) };
	return cmocka_run_group_tests_name("histories", tests, NULL, NULL);
}
