/* Histories of a pump: scripts of short reads, short writes, waits, ends and failures on all four ends, random options, blocks of
 * random size, on descriptors, timers or wakers, sometimes with a layer of faults that only delay. Whatever happens: it ends;
 * done comes once; nothing stays armed or lent; what came out is the beginning of what went in; all of it when done says OK; and
 * all that a failing end had said before. */
#include "tests/sim/sim.h"

#include "fault/fault.h"
#include "tests/unit/world.h"

#include <stdlib.h>

enum { ACTS_MOST = 9, WAITS_MOST = 60000 };

static struct dice *dice;

static unsigned roll(unsigned sides)
{
	return dice_roll(dice, sides);
}

static bool chance(unsigned percent)
{
	return dice_chance(dice, percent);
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
	bool late; /* there is a layer of faults */
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

static void make_says(struct part *p, bool dgram, bool little)
{
	size_t n = roll(ACTS_MOST), many = !little && chance(3) ? 3000 : 1 + roll(60);
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
	h->late = !h->far_dgram && chance(8);
	make_says(&h->near_says, h->near_dgram, h->late);
	make_says(&h->far_says, h->far_dgram, h->late);
	make_takes(&h->near_takes);
	make_takes(&h->far_takes);
	make_shuts(&h->near_shuts);
	make_shuts(&h->far_shuts);
	h->opts.half = (uint8_t)roll(3);
	h->opts.late_if_empty = chance(20);
	h->opts.end_with_far = chance(20);
	h->opts.no_up = chance(10);
	h->opts.near_half = chance(20) ? HALF_NO : HALF_YES;
	h->opts.drop_down = chance(10);
	h->opts.sends_only = h->opts.drop_down && chance(50);
	h->opts.lines = h->far_dgram && !h->near_dgram && chance(50);
	h->opts.datagram_bytes = 1 + roll(200);
	h->opts.reply_wait_ms = roll(2000);
	h->opts.settle_ms = NEVER;
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

/* bytes: in all; many of them do not come one by one. */
static void set_stage(
	struct double_stream *d, const struct part *says, const struct part *takes, const struct part *shuts, size_t bytes)
{
	d->rd.at = says->acts;
	d->wr.at = takes->acts;
	d->sh.at = shuts->acts;
	d->most = chance(15) ? 1 + roll(7) + bytes / 128 : 0;
	d->stutter_ms = chance(20) && bytes < 600;
	d->timed = chance(50);
}

/* Is what `to` got the beginning of what `from` said? */
static void check_prefix(const struct double_stream *from, const struct double_stream *to, bool dropped)
{
	sim_check(to->got_n <= from->said, "more came out than went in");
	sim_check(!dropped || to->got_n == 0, "something was written that was to be dropped");
	for (size_t i = 0; i < to->got_n; i++)
		sim_check(to->got[i] == double_pattern(i), "a byte differs");
}

/* Datagram to datagram: the lengths are those that were said, in order. */
static void check_lengths(const struct part *says, const struct double_stream *to)
{
	sim_check(to->writes <= says->datagrams, "more datagrams came out than went in");
	for (unsigned i = 0; i < to->writes; i++)
		sim_check(to->sizes[i] == says->sizes[i], "a datagram changed its length");
}

static void check_cuts(const struct history *h, const struct double_stream *to)
{
	for (unsigned i = 0; i < to->writes && i < DOUBLE_SIZES; i++)
		sim_check(to->sizes[i] > 0 && to->sizes[i] <= h->opts.datagram_bytes, "a datagram of a wrong length");
}

static void check_ok(const struct history *h, const struct world *w)
{
	const struct double_stream *near = &w->near, *far = &w->far;
	bool enough = h->opts.replies != 0 && w->pump.down.messages >= h->opts.replies;
	bool unasked = h->late && h->opts.end_with_far; /* a layer's half-close, which no end waited for */
	sim_check(!near->failed && (!far->failed || unasked), "a failure was passed over");
	sim_check(far->got_n == near->said || (enough && h->far_dgram), "not everything was sent");
	sim_check(near->got_n == (h->opts.drop_down ? 0 : far->said), "not everything was written");
	if (h->far_dgram) {
		sim_check(h->opts.replies == 0 || enough, "fewer replies than asked for");
		return;
	}
	sim_check(far->ended || h->opts.sends_only, "it ended before the peer did");
	sim_check(near->ended || h->opts.end_with_far || h->opts.no_up, "it ended before stdin did");
	sim_check(near->was_shut == !(h->opts.near_half == HALF_NO || h->opts.drop_down), "stdout was not closed as asked for");
	sim_check(!far->was_shut || h->opts.half != HALF_NO, "a half-close that was not wanted");
	sim_check(far->was_shut || h->opts.half == HALF_NO || h->opts.end_with_far || h->opts.sends_only, "no half-close");
}

static void check_failed(const struct history *h, const struct world *w)
{
	const struct part *all[] = { &h->near_says, &h->near_takes, &h->far_says, &h->far_takes, &h->near_shuts, &h->far_shuts };
	bool known = (w->why.cls == ERR_TIMEOUT && h->opts.replies != 0) || (w->why.cls == ERR_LOST && h->opts.end_with_far);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		known |= all[i]->fails && all[i]->cls == w->why.cls;
	sim_check(known, "a failure that no end made");
	bool near_took = !h->near_takes.fails && !h->near_shuts.fails, far_took = !h->far_takes.fails && !h->far_shuts.fails;
	if (near_took && !h->opts.drop_down)
		sim_check(w->near.got_n == w->far.said, "what the peer said before the failure was not written");
	if (far_took && near_took && !h->far_says.fails && !h->far_dgram && !h->opts.end_with_far)
		sim_check(w->far.got_n == w->near.said, "what stdin said before its failure was not sent");
}

/* Faults that let everything pass, later. */
static const char *const delays[] = { "latency=30ms", "latency=20ms~15ms:in", "chunk=1..7", "chunk=3:out", "gap=2ms", "rate=64k",
	"rate=1k:in", "latency=5ms:out" };
enum { DELAYS = sizeof delays / sizeof delays[0] };
static struct fault_spec specs[DELAYS];
static struct fault_run fault_run;

static void pump_open(void)
{
	struct err e = { 0 };
	for (size_t i = 0; i < DELAYS; i++)
		if (fault_parse(&specs[i], delays[i], &e) != 0)
			abort();
	fault_run = (struct fault_run){ .loop = sim_loop(), .linger = sim_lingers() };
}

static void add_delays(struct world *w)
{
	w->far_top = &w->far.s;
	w->far.owned = true;
	fault_run.seed = roll(1000);
	if (fault_push(&w->far_top, &fault_run, 1) != 0)
		abort();
	for (unsigned n = 1 + roll(2); n > 0; n--)
		if (fault_apply(w->far_top, &specs[roll(DELAYS)]) != 0)
			abort();
}

static void settle_delays(struct world *w)
{
	stream_close(w->far_top, CLOSE_PLAIN);
	sim_check(loop_is_idle(w->loop), "something stayed armed behind the faults");
	sim_check(w->far.closed, "the layer of faults did not close what is below it");
}

static void pump_run(struct dice *d)
{
	struct history h;
	struct world w;
	dice = d;
	do
		make_history(&h);
	while (!ends(&h));
	bool large = h.near_dgram || h.far_dgram;
	sim_schedule(chance(60) ? d : NULL, WAITS_MOST);
	struct pool *pool = large ? sim_pool_large(roll(2)) : sim_pool(roll(12));
	unsigned near_caps = h.near_dgram ? ST_DGRAM : chance(10) ? ST_TTY : 0;
	world_open_in(&w, sim_loop(), pool, near_caps, h.far_dgram ? ST_DGRAM : 0);
	size_t bytes = h.near_says.says + h.far_says.says;
	set_stage(&w.near, &h.near_says, &h.near_takes, &h.near_shuts, bytes);
	set_stage(&w.far, &h.far_says, &h.far_takes, &h.far_shuts, bytes);
	if (chance(50))
		double_poll(&w.near, 3, chance(50) ? 3 : 4);
	if (chance(50))
		double_poll(&w.far, 5, 5);
	if (h.late)
		add_delays(&w);
	const char *broken = world_run(&w, &h.opts);
	sim_check(broken == NULL, broken);
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
	if (h.late)
		settle_delays(&w);
	world_close(&w);
}

const struct kind kind_pump = { .name = "pump", .share = 65, .open = pump_open, .run = pump_run };
