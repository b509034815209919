/* The movers of batches do what copying does: the same scripts are played to both, and what comes out does not tell them
 * apart.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "double.h"
#include "stream/dgram_batch.h"
#include "pump/dgram_copy.h"
#include "stream/waiter.h"

#include <string.h>

#define ACTS(...)                                                                                                                \
	(const struct act[])                                                                                                     \
	{                                                                                                                        \
		__VA_ARGS__,                                                                                                     \
		{                                                                                                                \
			0                                                                                                        \
		}                                                                                                                \
	}

enum { BLOCK = 128 * 1024, PLENTY = 1 << 30, ROUNDS = 400, ACTS_MOST = 200 };

static unsigned each; /* datagrams that one call moves at most */
static size_t block_bytes = BLOCK;

static bool goes_on(const struct script *c)
{
	return c->at->kind == ACT_SAY || c->at->kind == ACT_EMPTY || c->at->kind == ACT_TAKE || c->at->kind == ACT_STOP;
}

static int many_recvm(struct stream *s, struct msgs *m)
{
	struct double_stream *d = (struct double_stream *)s;
	unsigned i = 0;
	ssize_t got = 0;
	for (; i < m->n && i < each && (i == 0 || goes_on(&d->rd)); i++) {
		assert_true(m->v[i].iov_len >= DGRAM_BATCH_SLOT_BYTES);
		got = s->ops->readv(s, &m->v[i], 1);
		if (got < 0 && got != ST_EMPTY)
			break;
		m->v[i].iov_len = got > 0 ? (size_t)got : 0;
	}
	m->n = i;
	return i > 0 ? (int)i : (int)got;
}

static int many_sendm(struct stream *s, const struct msgs *m)
{
	struct double_stream *d = (struct double_stream *)s;
	unsigned i = 0;
	ssize_t put = 0;
	assert_true(m->n > 0);
	for (; i < m->n && i < each && (i == 0 || goes_on(&d->wr)); i++)
		if ((put = s->ops->writev(s, &m->v[i], 1)) < 0)
			break;
	return i > 0 ? (int)i : (int)put;
}

struct line {
	struct loop *loop;
	struct pool *pool;
	struct double_stream from, to;
	struct stream_ops from_ops, to_ops;
	struct waiter from_waiter, to_waiter;
	struct flow flow;
	struct task turn;
	size_t budget;
};

static void turn(void *arg)
{
	struct line *l = arg;
	enum flow_run how = flow_run(&l->flow, l->budget);
	if (l->flow.state == FLOW_HELD && !l->flow.drop) { /* what drops has no end to tell */
		flow_let_shut(&l->flow);
		how = flow_run(&l->flow, l->budget);
	}
	if (how == FLOW_ENDED) {
		loop_stop(l->loop);
		return;
	}
	if (how == FLOW_MOVED)
		loop_later(l->loop, &l->turn);
	assert_false(how == FLOW_WAITS && !l->flow.wait_from && !l->flow.wait_to);
	assert_int_equal(waiter_arm(&l->from_waiter, l->flow.wait_from, false), 0);
	assert_int_equal(waiter_arm(&l->to_waiter, false, l->flow.wait_to), 0);
}

static void line_open(struct line *l, bool many, unsigned from_caps, unsigned to_caps, size_t blocks)
{
	memset(l, 0, sizeof *l);
	l->loop = loop_open(&loop_sim, NULL);
	l->pool = pool_open(block_bytes, blocks);
	double_open(&l->from, l->loop, from_caps, NULL, NULL);
	double_open(&l->to, l->loop, to_caps, NULL, NULL);
	l->from_ops = *l->from.s.ops;
	l->to_ops = *l->to.s.ops;
	if (many) {
		l->from_ops.recvm = many_recvm;
		l->to_ops.sendm = many_sendm;
	}
	l->from.s.ops = &l->from_ops;
	l->to.s.ops = &l->to_ops;
	l->turn = (struct task){ .fn = turn, .arg = l };
	l->budget = PLENTY;
	flow_open(&l->flow, l->pool, &l->from.s, &l->to.s);
	waiter_open(&l->from_waiter, l->loop, &l->from.s, turn, l);
	waiter_open(&l->to_waiter, l->loop, &l->to.s, turn, l);
}

static void line_close(struct line *l)
{
	assert_null(l->from.misused);
	assert_null(l->to.misused);
	waiter_close(&l->from_waiter);
	waiter_close(&l->to_waiter);
	loop_forget(l->loop, &l->turn);
	flow_close(&l->flow);
	flow_close(&l->flow); /* may come twice */
	double_close(&l->from);
	double_close(&l->to);
	pool_close(l->pool);
	loop_close(l->loop);
}

static void play(struct line *l)
{
	struct err e = { 0 };
	loop_later(l->loop, &l->turn);
	if (loop_run(l->loop, &e) != 0)
		fail_msg("%s", e.what);
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

struct scene { /* one for both movers */
	struct act rd[ACTS_MOST + 1], wr[ACTS_MOST + 1];
	unsigned from_caps, to_caps, each;
	uint32_t datagram_bytes;
	uint64_t most_messages;
	size_t budget;
	bool drop;
};

static void draw_scene(struct scene *sc, uint32_t seed, bool from_dgram)
{
	static const uint32_t longest[] = { 1, 100, 3000, 65507 };
	uint32_t r = seed, bytes = longest[draw(&r, 4)];
	memset(sc, 0, sizeof *sc);
	sc->from_caps = from_dgram ? ST_DGRAM : 0;
	sc->to_caps = from_dgram ? 0 : ST_DGRAM;
	sc->each = 1 + draw(&r, 2 * MSGS_MOST);
	sc->datagram_bytes = bytes / 50 + 1 + draw(&r, bytes);
	sc->most_messages = draw(&r, 3) == 0 ? 1 + draw(&r, 150) : 0;
	sc->budget = draw(&r, 3) == 0 ? PLENTY : bytes / 10 + 1 + draw(&r, 200000);
	sc->drop = from_dgram && draw(&r, 5) == 0;
	uint32_t n = draw(&r, ACTS_MOST);
	for (uint32_t i = 0; i < n; i++)
		switch (draw(&r, 8)) {
		case 0:
			sc->rd[i] = (struct act)WAIT(1 + draw(&r, 9));
			break;
		case 1:
			sc->rd[i] = from_dgram ? (struct act)EMPTY : (struct act)SAY_N(1);
			break;
		default:
			sc->rd[i] = (struct act)SAY_N(1 + draw(&r, bytes));
		}
	sc->rd[n] = from_dgram || draw(&r, 4) == 0 ? (struct act)FAIL(ERR_CONNECT) : (struct act)END; /* datagrams have no end */
	for (uint32_t i = 0, w = draw(&r, ACTS_MOST); i < w; i++)
		sc->wr[i] = draw(&r, 3) == 0 ? (struct act)WAIT(1 + draw(&r, 9)) : (struct act)TAKE(1 + draw(&r, 2 * bytes));
}

static void set_scene(struct line *l, const struct scene *sc, bool many)
{
	line_open(l, many, sc->from_caps, sc->to_caps, 2);
	l->from.rd.at = sc->rd;
	l->to.wr.at = sc->wr;
	l->flow.datagram_bytes = sc->datagram_bytes;
	l->flow.most_messages = sc->most_messages;
	l->flow.drop = sc->drop;
	l->budget = sc->budget;
	each = sc->each;
	play(l);
}

static void compare(uint32_t seed, bool from_dgram, const char *name)
{
	static struct scene sc;
	static struct line a, b;
	draw_scene(&sc, seed, from_dgram);
	block_bytes = seed % 2 == 0 ? POOL_BLOCK_CLIENT : BLOCK; /* a client keeps its places, others do not */
	set_scene(&a, &sc, false);
	set_scene(&b, &sc, true);
	if (strcmp(a.flow.mover->name, "copy") != 0 || strcmp(b.flow.mover->name, name) != 0)
		fail_msg("moved by %s", b.flow.mover->name);
	bool same = a.flow.in == b.flow.in && a.flow.out == b.flow.out && a.flow.messages == b.flow.messages &&
		    a.flow.state == b.flow.state && a.flow.eof == b.flow.eof && a.flow.failed_from == b.flow.failed_from &&
		    a.flow.why.cls == b.flow.why.cls && a.to.got_n == b.to.got_n && a.to.was_shut == b.to.was_shut;
	if (!from_dgram)
		same = same && a.to.writes == b.to.writes && memcmp(a.to.sizes, b.to.sizes, sizeof a.to.sizes) == 0;
	if (!same || (a.to.got_n > 0 && memcmp(a.to.got, b.to.got, a.to.got_n) != 0))
		fail_msg("seed %u: in %llu/%llu out %llu/%llu messages %llu/%llu writes %u/%u", seed,
			(unsigned long long)a.flow.in, (unsigned long long)b.flow.in, (unsigned long long)a.flow.out,
			(unsigned long long)b.flow.out, (unsigned long long)a.flow.messages, (unsigned long long)b.flow.messages,
			a.to.writes, b.to.writes);
	line_close(&a);
	line_close(&b);
	block_bytes = BLOCK;
}

static void test_bytes_are_cut_as_copying_cuts(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= ROUNDS; seed++)
		compare(seed, false, "cut");
}

static void test_datagrams_are_gathered_as_copying_gathers(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= ROUNDS; seed++)
		compare(seed, true, "gather");
}

static void test_lines_are_copied(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true, 0, ST_DGRAM, 2);
	l.flow.lines = true;
	l.from.rd.at = ACTS(SAY("one\ntwo\nthr"), SAY("ee\n"), END);
	play(&l);
	assert_string_equal(l.flow.mover->name, "copy");
	assert_int_equal(l.to.writes, 3);
	line_close(&l);
}

/* Nothing is read behind what has not gone: the rest of one read and the next one are two datagrams. */
static void test_no_two_reads_in_one_datagram(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true, 0, ST_DGRAM, 2);
	each = MSGS_MOST;
	l.flow.datagram_bytes = 100;
	l.from.rd.at = ACTS(SAY_N(250), SAY_N(30), END);
	l.to.wr.at = ACTS(TAKE(1), WAIT(5), TAKE(1));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_true(l.flow.wait_to && !l.flow.wait_from);
	assert_int_equal(l.flow.in, 250);
	assert_int_equal(l.flow.out, 100);
	play(&l);
	static const size_t sizes[] = { 100, 100, 50, 30 };
	assert_memory_equal(l.to.sizes, sizes, sizeof sizes);
	line_close(&l);
}

static void test_budget_cuts_no_datagram(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true, 0, ST_DGRAM, 2);
	each = MSGS_MOST;
	l.flow.datagram_bytes = 1000;
	l.from.rd.at = ACTS(SAY_N(100000), END);
	unsigned turns = 1;
	for (uint64_t before = 0; flow_run(&l.flow, 1500) == FLOW_MOVED; turns++) {
		assert_in_range(l.flow.out - before, 1000, 3000);
		before = l.flow.out;
	}
	assert_in_range(turns, 34, 70);
	assert_int_equal(l.to.writes, 100);
	line_close(&l);
}

/* A sink that takes nothing: as many as the ring holds are taken in, and one batch beside it. */
static void test_gathers_for_a_sink_that_is_full(void **state)
{
	(void)state;
	struct line l;
	static struct act many[ACTS_MOST + 1];
	for (int i = 0; i < ACTS_MOST; i++)
		many[i] = (struct act)SAY_N(5000);
	line_open(&l, true, ST_DGRAM, 0, 2);
	each = MSGS_MOST;
	l.from.rd.at = many;
	l.to.wr.at = ACTS(TAKE(7), WAIT(50));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_true(l.flow.wait_to && !l.flow.wait_from);
	assert_true(l.flow.in >= BLOCK && l.flow.in <= BLOCK + 5000 * (MSGS_MOST + 1));
	assert_int_equal(l.flow.ring.len, BLOCK);
	assert_int_equal(l.flow.in, 7 + l.flow.ring.len + l.flow.held);
	assert_true(flow_holds(&l.flow));
	l.to.wr.blocked_ms = 0;
	l.to.wr.at++;
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_true(l.flow.wait_from && !flow_holds(&l.flow));
	assert_int_equal(l.to.got_n, 5000 * ACTS_MOST);
	for (size_t i = 0; i < l.to.got_n; i++)
		if (l.to.got[i] != double_pattern(i))
			fail_msg("byte %zu", i);
	line_close(&l);
}

static void test_a_sink_that_fails(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true, ST_DGRAM, 0, 2);
	each = MSGS_MOST;
	l.from.rd.at = ACTS(SAY_N(100), SAY_N(100), FAIL(ERR_LOST));
	l.to.wr.at = ACTS(TAKE(150), FAIL(ERR_PIPE));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_FAIL);
	assert_false(flow_holds(&l.flow));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	line_close(&l);
	line_open(&l, true, 0, ST_DGRAM, 2);
	l.flow.datagram_bytes = 10;
	l.from.rd.at = ACTS(SAY_N(100), END);
	l.to.wr.at = ACTS(TAKE(1), FAIL(ERR_CONNECT));
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(l.flow.state, FLOW_FAIL);
	assert_int_equal(l.flow.out, 10);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_ENDED);
	line_close(&l);
}

static void test_without_a_block(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true, 0, ST_DGRAM, 0);
	l.from.rd.at = ACTS(SAY_N(100), END);
	assert_int_equal(flow_run(&l.flow, PLENTY), FLOW_WAITS);
	assert_true(l.flow.wait_pool);
	line_close(&l);
	line_open(&l, true, ST_DGRAM, 0, 0); /* needs none as long as the sink takes what comes, nor to wait for it */
	each = MSGS_MOST;
	l.from.rd.at = ACTS(SAY_N(100), SAY_N(100), FAIL(ERR_LOST));
	l.to.wr.at = ACTS(TAKE(50), WAIT(5));
	play(&l);
	assert_int_equal(l.to.got_n, 200);
	line_close(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_cut_as_copying_cuts),
		cmocka_unit_test(test_datagrams_are_gathered_as_copying_gathers),
		cmocka_unit_test(test_lines_are_copied),
		cmocka_unit_test(test_no_two_reads_in_one_datagram),
		cmocka_unit_test(test_budget_cuts_no_datagram),
		cmocka_unit_test(test_gathers_for_a_sink_that_is_full),
		cmocka_unit_test(test_a_sink_that_fails),
		cmocka_unit_test(test_without_a_block),
	};
	return cmocka_run_group_tests_name("batch_move", tests, NULL, NULL);
}
