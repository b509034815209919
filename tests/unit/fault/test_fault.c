/* Faults on a byte stream, under a clock that jumps: what is asked for is what happens, exactly where it was asked for, and it is
 * the same however the bytes are cut into calls. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fault/fault_internal.h"
#include "stream/observer.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024 };

static const struct pump_opts plain = { .settle_ms = NEVER };

/* One pump over the layer, with a gauge on each of its sides. */
struct gauge {
	struct loop *loop;
	struct {
		uint64_t bytes, calls;
		double at; /* the sum of times, byte by byte */
		int64_t last_ms, end_ms;
	} way[2];
};

static struct bench {
	struct world w;
	struct event_sink sink;
	struct lingers *linger;
	struct fault_run fixture;
	struct gauge *below, *above;
	struct log {
		char text[300000];
		size_t n;
	} log, ways[2]; /* of all; of each way */
	size_t most_held;
} b;

static void note(struct log *log, const char *line)
{
	log->n += (size_t)snprintf(log->text + log->n, sizeof log->text - log->n, "%s;", line);
	if (log->n >= sizeof log->text)
		fail_msg("more events than there is room for");
}

static void emit(void *arg, const struct event *ev)
{
	char line[200] = "";
	size_t n = 0;
	(void)arg;
	if (ev->kind != EV_FAULT)
		return;
	for (const struct ev_field *f = ev->fields; f->key != NULL; f++) {
		if (f->is == EV_IS_NUM)
			n += (size_t)snprintf(line + n, 30, " %lld", (long long)f->num);
		else if (f->text != NULL && strcmp(f->key, "words") != 0)
			n += (size_t)snprintf(line + n, 30, " %s", f->text);
	}
	note(&b.log, line);
	if (strstr(line, " in ") != NULL || strstr(line, " out ") != NULL)
		note(&b.ways[strstr(line, " out ") != NULL], line);
}

static void look_at_queues(void)
{
	const struct stream *s = b.w.far_top;
	while (s != NULL && strcmp(s->ops->name, "fault") != 0)
		s = s->below;
	const struct fault *f = (const struct fault *)s;
	for (int dir = 0; f != NULL && dir < FAULT_WAYS; dir++)
		if (f->way[dir].held > b.most_held)
			b.most_held = f->way[dir].held;
}

static const struct why *passes(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	struct gauge *g = self;
	(void)v;
	g->way[dir].bytes += len;
	g->way[dir].calls++;
	g->way[dir].last_ms = loop_now(g->loop);
	g->way[dir].at += (double)len * (double)(loop_now(g->loop) - SIM_START_MS);
	look_at_queues();
	return NULL;
}

static void ends(void *self, enum observer_dir dir)
{
	struct gauge *g = self;
	g->way[dir].end_ms = loop_now(g->loop);
}

static const struct observer_ops gauge_ops = { .name = "gauge", .moved = passes, .ended = ends };

static struct gauge *gauge(void)
{
	struct gauge *g = observer_push(&b.w.far_top, &gauge_ops, sizeof *g);
	if (g == NULL)
		abort();
	g->loop = b.w.loop;
	return g;
}

static int apply(const char *text)
{
	struct fault_spec spec;
	struct err e = { 0 };
	if (fault_parse(&spec, text, &e) != 0)
		fail_msg("%s: %s", text, e.what);
	return fault_apply(b.w.far_top, &spec);
}

/* faults: separated by blanks. */
static void bench_open(const char *faults, uint64_t seed)
{
	char text[300], *next = text;
	memset(&b, 0, sizeof b);
	world_open(&b.w, POOL_BLOCK_SERVER, 0, 0);
	b.w.far_top = &b.w.far.s;
	b.sink = (struct event_sink){ .emit = emit, .level = EV_DEBUG };
	b.linger = linger_open(b.w.loop);
	b.fixture = (struct fault_run){ .loop = b.w.loop, .linger = b.linger, .events = &b.sink, .seed = seed };
	b.below = gauge();
	assert_int_equal(fault_push(&b.w.far_top, &b.fixture, 1), 0);
	snprintf(text, sizeof text, "%s", faults);
	for (char *word; (word = strtok_r(next, " ", &next)) != NULL;)
		assert_int_equal(apply(word), 0);
	b.above = gauge();
}

static void bench_close(void)
{
	stream_close(b.w.far_top, CLOSE_PLAIN);
	linger_close(b.linger);
	assert_true(b.w.far.closed);
	b.w.far.misused = NULL;
	world_close(&b.w);
}

static void bench_run(void)
{
	const char *wrong = world_run(&b.w, &plain);
	if (wrong != NULL)
		fail_msg("%s", wrong);
}

/* Runs to a given moment rather than to the pump's end. */
static void stop(void *arg)
{
	loop_stop(arg);
}

static void never_done(void *arg, const struct why *why)
{
	((struct world *)arg)->dones++;
	((struct world *)arg)->why = *why;
}

static void bench_run_for(int64_t ms)
{
	struct timer t = { .fn = stop, .arg = b.w.loop };
	if (b.w.pump.loop == NULL)
		pump_start(&b.w.pump, b.w.loop, b.w.pool, &b.w.near.s, b.w.far_top, &plain, never_done, &b.w);
	loop_timer(b.w.loop, &t, loop_now(b.w.loop) + ms);
	assert_int_equal(loop_run(b.w.loop, NULL), 0);
}

static void near_says(const struct act *script)
{
	b.w.near.rd.at = script;
}

static void far_says(const struct act *script)
{
	b.w.far.rd.at = script;
}

static void assert_pattern(const unsigned char *got, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (got[i] != double_pattern(i))
			fail_msg("byte %zu", i);
}

static const struct act only_end[] = { END, { 0 } };

/* --- rate --- */

static void assert_near(double got, double want, double share)
{
	if (got < want * (1 - share) || got > want * (1 + share))
		fail_msg("got %g, want %g", got, want);
}

static void rate_is_exact_over_100_mib(void **state)
{
	static const struct act all[] = { SAY_N(100 * MIB), END, { 0 } };
	(void)state;
	bench_open("rate=1M", 1);
	near_says(all);
	far_says(all);
	b.w.near.counts = b.w.far.counts = true;
	bench_run();
	assert_true(b.below->way[OBSERVER_OUT].bytes == 100 * MIB && b.above->way[OBSERVER_IN].bytes == 100 * MIB);
	assert_near((double)(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS), 100000, 0.001);
	assert_near((double)(b.above->way[OBSERVER_IN].last_ms - SIM_START_MS), 100000, 0.001);
	bench_close();
}

/* Neither the milliseconds of the clock nor messages that are no multiple of anything add up to an error. */
static void rate_is_exact_over_small_messages(void **state)
{
	static const size_t sizes[] = { 1, 7, 100, 1000 };
	static const char *const rates[] = { "rate=1000", "rate=64k", "rate=3M", "rate=333" };
	static const double per_s[] = { 1000, 65536, 3 * MIB, 333 };
	(void)state;
	for (size_t r = 0; r < 4; r++)
		for (size_t k = 0; k < 4; k++) {
			static struct act script[1002];
			for (size_t i = 0; i < 1000; i++)
				script[i] = (struct act)SAY_N(sizes[k]);
			script[1000] = (struct act)END;
			bench_open(rates[r], 1);
			near_says(script);
			far_says(only_end);
			b.w.near.counts = b.w.far.counts = true;
			bench_run();
			double want_ms = (double)sizes[k] * 1000 * 1000 / per_s[r];
			double got_ms = (double)(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS);
			if (got_ms < want_ms || got_ms > want_ms * 1.001 + 1)
				fail_msg("%s, %zu bytes: %g ms, want %g", rates[r], sizes[k], got_ms, want_ms);
			bench_close();
		}
}

/* One after the other, each when the one before has arrived: as a conversation goes. */
static void rate_is_exact_over_a_conversation(void **state)
{
	enum { MESSAGES = 1000, BYTES = 100, RATE = 30000 };
	char bytes[BYTES] = "";
	(void)state;
	bench_open("rate=30000", 1);
	b.w.far.counts = true;
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(stream_write(b.w.far_top, bytes, BYTES), BYTES);
		while (stream_flush(b.w.far_top) == ST_AGAIN) {
			struct timer t = { .fn = stop, .arg = b.w.loop };
			assert_true(b.w.far_top->wr.timed);
			loop_timer(b.w.loop, &t, b.w.far_top->wr.at_ms);
			assert_int_equal(loop_run(b.w.loop, NULL), 0);
		}
		assert_int_equal(b.w.far.got_n, (size_t)(i + 1) * BYTES);
	}
	assert_near((double)(loop_now(b.w.loop) - SIM_START_MS), 1000.0 * MESSAGES * BYTES / RATE, 0.001);
	bench_close();
}

/* A line that was idle does not save up what it could have carried. */
static void an_idle_line_does_not_burst(void **state)
{
	static const struct act script[] = { SAY_N(1000), WAIT(60000), SAY_N(10000), END, { 0 } };
	(void)state;
	bench_open("rate=1000", 1);
	near_says(script);
	far_says(only_end);
	bench_run();
	assert_near((double)(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS), 60000 + 10000, 0.001);
	bench_close();
}

static void a_slow_line_carries_single_bytes(void **state)
{
	static const struct act script[] = { SAY("abc"), END, { 0 } };
	(void)state;
	bench_open("rate=1", 1);
	near_says(script);
	far_says(only_end);
	bench_run();
	assert_int_equal(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS, 3000);
	bench_close();
}

/* What held it up from outside is made up for by a tenth of a second at the most. */
static void a_line_that_was_held_up_does_not_burst(void **state)
{
	static const struct act script[] = { SAY_N(50000), END, { 0 } };
	static const struct act full[] = { WAIT(20000), { 0 } };
	(void)state;
	bench_open("rate=10000", 1);
	near_says(script);
	far_says(only_end);
	b.w.far.wr.at = full;
	bench_run();
	assert_in_range(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS, 20000 + 4800, 20000 + 5000);
	bench_close();
}

/* --- latency --- */

/* How much later than it came did a byte pass, on average? */
static double mean_ms(int dir)
{
	const struct gauge *from = dir == OBSERVER_OUT ? b.above : b.below, *to = dir == OBSERVER_OUT ? b.below : b.above;
	assert_true(from->way[dir].bytes == to->way[dir].bytes);
	return (to->way[dir].at - from->way[dir].at) / (double)to->way[dir].bytes;
}

static void latency_is_exact_over_100_mib(void **state)
{
	static const struct act all[] = { SAY_N(100 * MIB), END, { 0 } };
	(void)state;
	bench_open("latency=100ms", 1);
	near_says(all);
	far_says(all);
	b.w.near.counts = b.w.far.counts = true;
	bench_run();
	assert_near(mean_ms(OBSERVER_OUT), 100, 0.001);
	assert_near(mean_ms(OBSERVER_IN), 100, 0.001);
	bench_close();
}

static void latency_is_exact_over_small_messages(void **state)
{
	static struct act script[2002];
	(void)state;
	for (int i = 0; i < 1000; i++) {
		script[2 * i] = (struct act)SAY_N((size_t)(1 + i % 50));
		script[2 * i + 1] = (struct act)WAIT(1 + i % 13);
	}
	script[2000] = (struct act)END;
	bench_open("latency=250ms:out latency=40ms:in", 1);
	near_says(script);
	far_says(script);
	bench_run();
	assert_near(mean_ms(OBSERVER_OUT), 250, 0.001);
	assert_near(mean_ms(OBSERVER_IN), 40, 0.001);
	assert_pattern(b.w.far.got, b.w.far.got_n);
	assert_pattern(b.w.near.got, b.w.near.got_n);
	bench_close();
}

static void jitter_keeps_the_mean_and_the_order(void **state)
{
	static struct act script[2002];
	(void)state;
	for (int i = 0; i < 1000; i++) { /* a block each, far enough apart that none has to wait for the one before */
		script[2 * i] = (struct act)SAY_N(FAULT_BLOCK);
		script[2 * i + 1] = (struct act)WAIT(50);
	}
	script[2000] = (struct act)END;
	bench_open("latency=100ms~20ms", 7);
	near_says(script);
	far_says(script);
	bench_run();
	assert_near(mean_ms(OBSERVER_OUT), 100.5, 0.02); /* the clock has milliseconds, and nothing passes too soon */
	assert_near(mean_ms(OBSERVER_IN), 100.5, 0.02);
	assert_true(mean_ms(OBSERVER_IN) != mean_ms(OBSERVER_OUT));
	assert_pattern(b.w.far.got, b.w.far.got_n);
	assert_pattern(b.w.near.got, b.w.near.got_n);
	bench_close();
}

static void ends_are_late_like_bytes(void **state)
{
	static const struct act near[] = { SAY("x"), WAIT(30), END, { 0 } };
	static const struct act far[] = { SAY("y"), WAIT(10), END, { 0 } };
	(void)state;
	bench_open("latency=500ms", 1);
	near_says(near);
	far_says(far);
	bench_run();
	assert_int_equal(b.below->way[OBSERVER_OUT].end_ms, SIM_START_MS + 530);
	assert_int_equal(b.above->way[OBSERVER_IN].end_ms, SIM_START_MS + 510);
	assert_true(b.w.far.was_shut);
	bench_close();
}

static void a_reset_from_the_peer_is_late_like_bytes(void **state)
{
	static const struct act far[] = { SAY("last words"), FAIL(ERR_LOST), { 0 } };
	(void)state;
	bench_open("latency=500ms:in", 1);
	far_says(far);
	bench_run();
	assert_int_equal(b.w.took_ms, 500);
	assert_int_equal(b.w.near.got_n, 10);
	assert_int_equal(b.w.why.cls, ERR_LOST);
	assert_string_equal(b.w.why.text, "double read");
	bench_close();
}

static void queues_are_bounded(void **state)
{
	static const struct act much[] = { SAY_N(100 * MIB), END, { 0 } };
	static const struct {
		const char *faults;
		size_t most; /* of one way: the rate times the latency, or what the run has */
	} rows[] = {
		{ "latency=1h", FAULT_RUN_BYTES },
		{ "rate=1", FAULT_LINE_BYTES },
		{ "gap=1h", FAULT_LINE_BYTES },
		{ "stall-after=5", FAULT_LINE_BYTES },
		{ "latency=1s~1s rate=100", FAULT_LINE_BYTES + 200 },
		{ "latency=1s~1s rate=1M", FAULT_LINE_BYTES + 2 * MIB },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t most = rows[i].most + rows[i].most / 100 + 65536; /* and what keeps its books, and pieces half gone */
		bench_open(rows[i].faults, 1);
		near_says(much);
		far_says(much);
		bench_run_for(1000);
		bench_run_for(3000);
		assert_in_range(b.most_held, 1, most);
		assert_true(b.fixture.held <= FAULT_RUN_BYTES + 2 * FAULT_LINE_BYTES);
		assert_true(b.w.near.said < most + 5 * MIB && b.w.far.said < most + 5 * MIB);
		pump_stop(&b.w.pump);
		bench_close();
	}
}

/* --- chunks and gaps --- */

static void chunks_are_as_large_as_asked(void **state)
{
	static const struct act all[] = { SAY_N(100 * MIB), END, { 0 } };
	(void)state;
	bench_open("chunk=200..1000", 3);
	near_says(all);
	far_says(all);
	b.w.near.counts = b.w.far.counts = true;
	bench_run();
	assert_near(100.0 * MIB / (double)b.below->way[OBSERVER_OUT].calls, 600, 0.01);
	assert_near(100.0 * MIB / (double)b.above->way[OBSERVER_IN].calls, 600, 0.01);
	bench_close();
}

static void chunks_of_small_messages(void **state)
{
	static struct act script[1002];
	(void)state;
	for (int i = 0; i < 1000; i++)
		script[i] = (struct act)SAY_N(100);
	script[1000] = (struct act)END;
	bench_open("chunk=1..7", 3);
	near_says(script);
	far_says(script);
	bench_run();
	/* the ends of messages cut chunks, too, on the way out; on the way in all has come before it is read */
	assert_near((double)b.below->way[OBSERVER_OUT].calls, 100000 / 4.0, 0.1);
	assert_near((double)b.above->way[OBSERVER_IN].calls, 100000 / 4.0, 0.1);
	assert_pattern(b.w.far.got, 100000);
	assert_pattern(b.w.near.got, 100000);
	bench_close();
}

static void gaps_stand_between_chunks(void **state)
{
	static const struct act all[] = { SAY_N(10000), END, { 0 } };
	(void)state;
	bench_open("chunk=100 gap=5ms", 3);
	near_says(all);
	far_says(only_end);
	bench_run();
	assert_int_equal(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS, 99 * 5);
	bench_close();
	bench_open("gap=5ms", 3); /* a chunk is a block then */
	near_says(all);
	far_says(only_end);
	bench_run();
	assert_int_equal(b.below->way[OBSERVER_OUT].last_ms - SIM_START_MS, 10000 / FAULT_BLOCK * 5);
	bench_close();
}

/* --- the same events and bytes, however they are cut --- */

static void double_acts(struct double_stream *d, size_t most, int64_t stutter_ms, bool timed)
{
	d->most = most;
	d->stutter_ms = stutter_ms;
	d->timed = timed;
}

static size_t copy(unsigned char *out, const struct double_stream *d)
{
	for (size_t i = 0; i < d->got_n; i++)
		out[i] = d->got[i];
	return d->got_n;
}

static void assert_same(const struct double_stream *d, const unsigned char *want, size_t n)
{
	assert_int_equal(d->got_n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(d->got[i], want[i]);
}

static void every_cut_gives_the_same(void **state)
{
	static const struct act all[] = { SAY_N(20000), END, { 0 } };
	static const char *const faults[] = {
		"corrupt=1/1000",
		"corrupt=1/7 corrupt-at=17 corrupt-at=17",
		"corrupt=1/100 corrupt=1/33:out rst-after=5000:out",
		"rst-after=777:in corrupt=1/50:in",
		"close-after=12345:out corrupt=1/500:out",
		"half-after=100 corrupt=1/9",
		"sink-after=3000 corrupt=1/500",
		"latency=10ms~9ms chunk=1..700 gap=1ms rate=1M corrupt=1/900",
		"corrupt=1/64 half-after=5000:in sink-after=6000:out",
		"slow-close=5s",
	};
	static const struct {
		size_t most;
		int64_t stutter_ms;
		bool timed;
	} cuts[] = { { 0, 0, false }, { 1, 0, false }, { 3, 1, true }, { 1000, 0, false }, { 7777, 2, false }, { 0, 1, true } };
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		static struct log logs[2];
		static unsigned char near[20000], far[20000];
		size_t near_n = 0, far_n = 0;
		for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++) {
			bench_open(faults[i], 99);
			double_acts(&b.w.near, cuts[k].most, cuts[k].stutter_ms, cuts[k].timed);
			double_acts(&b.w.far, cuts[k].most, cuts[k].stutter_ms, cuts[k].timed);
			bool in = strstr(faults[i], ":in") != NULL, out = strstr(faults[i], ":out") != NULL;
			near_says(in && !out ? only_end : all);
			far_says(out && !in ? only_end : all);
			bench_run();
			if (k == 0) {
				memcpy(logs, b.ways, sizeof logs);
				near_n = copy(near, &b.w.near);
				far_n = copy(far, &b.w.far);
			}
			assert_true(b.log.n > 0);
			for (int dir = 0; dir < 2; dir++)
				if (strcmp(logs[dir].text, b.ways[dir].text) != 0)
					fail_msg("%s, cut %zu, way %d", faults[i], k, dir);
			assert_same(&b.w.near, near, near_n);
			assert_same(&b.w.far, far, far_n);
			bench_close();
		}
	}
}

static void another_seed_gives_others(void **state)
{
	static const struct act all[] = { SAY_N(20000), END, { 0 } };
	static char log[sizeof b.log.text];
	(void)state;
	for (uint64_t seed = 0; seed < 3; seed++) {
		bench_open("corrupt=1/1000", seed);
		near_says(all);
		far_says(only_end);
		bench_run();
		assert_string_not_equal(log, b.log.text);
		memcpy(log, b.log.text, sizeof log);
		bench_close();
	}
}

static void one_byte_in_n_is_changed(void **state)
{
	static const struct act all[] = { SAY_N(MIB), END, { 0 } };
	size_t changed = 0, last = 0;
	(void)state;
	bench_open("corrupt=1/1024:out", 5);
	near_says(all);
	far_says(only_end);
	bench_run();
	assert_int_equal(b.w.far.got_n, MIB);
	for (size_t i = 0; i < MIB; i++)
		if (b.w.far.got[i] != double_pattern(i)) {
			assert_int_equal(i / 1024, changed);
			changed++;
			last = i;
		}
	assert_int_equal(changed, 1024);
	assert_true(last > 1023 * 1024);
	bench_close();
}

static void corrupt_at_changes_that_byte(void **state)
{
	static const struct act all[] = { SAY_N(100), END, { 0 } };
	int value = 0;
	(void)state;
	bench_open("corrupt-at=17:out", 5);
	near_says(all);
	far_says(all);
	bench_run();
	assert_int_equal(sscanf(b.log.text, " corrupt-at out 17 %d;", &value), 1);
	assert_in_range(value, 1, 255);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(b.w.far.got[i], double_pattern(i) ^ (i == 17 ? value : 0));
	assert_pattern(b.w.near.got, 100);
	bench_close();
}

/* --- ends --- */

static void resets_happen_at_the_byte(void **state)
{
	static const size_t places[] = { 0, 1, 2, 100, 16384, 16385, 65536, 70000 };
	static const struct act all[] = { SAY_N(100000), WAIT(1000), END, { 0 } };
	static const struct act silent[] = { WAIT(10000), END, { 0 } };
	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		for (int in = 0; in < 2; in++) {
			char fault[40], event[80];
			snprintf(fault, sizeof fault, "rst-after=%zu:%s", places[i], in ? "in" : "out");
			snprintf(event, sizeof event, " rst-after %s %zu %zu;", in ? "in" : "out", places[i], places[i]);
			bench_open(fault, 1);
			near_says(in ? silent : all);
			far_says(in ? all : silent);
			bench_run();
			assert_string_equal(b.log.text, event);
			assert_int_equal(in ? b.w.near.got_n : b.w.far.got_n, places[i]);
			assert_pattern(in ? b.w.near.got : b.w.far.got, places[i]);
			assert_int_equal(b.w.took_ms, 0); /* other waiters hear of it at once */
			assert_int_equal(b.w.why.cls, ERR_LOST);
			assert_int_equal(b.w.why.flags, OF_PEER | BY_FAULT | BY_RESET);
			assert_false(b.w.far.was_shut);
			bench_close();
			assert_int_equal(b.w.far.how, CLOSE_RST);
		}
}

static void closes_happen_at_the_byte_and_are_polite(void **state)
{
	static const struct act all[] = { SAY_N(100000), WAIT(1000), END, { 0 } };
	static const struct act talks[] = { WAIT(1), SAY("never read"), WAIT(100), SAY("but dropped"), END, { 0 } };
	(void)state;
	bench_open("close-after=1234:out", 1);
	near_says(all);
	far_says(talks);
	bench_run();
	assert_string_equal(b.log.text, " close-after out 1234 1234;");
	assert_int_equal(b.w.far.got_n, 1234);
	assert_true(b.w.far.was_shut);
	assert_int_equal(b.w.why.flags, OF_PEER | BY_FAULT);
	stream_close(b.w.far_top, CLOSE_PLAIN);
	b.w.far_top = NULL;
	assert_false(b.w.far.closed); /* it waits for the peer's end */
	assert_int_equal(linger_count(b.linger), 1);
	linger_when_empty(b.linger, stop, b.w.loop);
	assert_int_equal(loop_run(b.w.loop, NULL), 0);
	assert_int_equal(b.w.far.said, strlen("never readbut dropped"));
	assert_int_equal(b.w.far.how, CLOSE_PLAIN);
	linger_close(b.linger);
	b.w.far.misused = NULL;
	world_close(&b.w);
}

static void times_cut_a_waiting_caller(void **state)
{
	static const struct act silent[] = { WAIT(NEVER), { 0 } };
	static const char *const faults[] = { "rst-after=2s", "close-after=2s:in", "rst-after=2s:out" };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		bench_open(faults[i], 1);
		near_says(silent);
		far_says(silent);
		bench_run();
		assert_int_equal(b.w.took_ms, 2000);
		assert_true(b.w.why.flags & BY_FAULT);
		assert_non_null(strstr(b.log.text, " 0 2000000;"));
		bench_close();
	}
}

static void a_stall_holds_everything_from_there_on(void **state)
{
	static const struct act all[] = { SAY_N(5000), END, { 0 } };
	(void)state;
	bench_open("stall-after=100", 1);
	near_says(all);
	far_says(all);
	bench_run_for(3600 * 1000);
	assert_int_equal(b.w.dones, 0);
	assert_true(b.w.far.got_n == 100 && b.w.near.got_n == 100);
	assert_false(b.w.far.was_shut || b.w.near.was_shut);
	assert_true(b.above->way[OBSERVER_OUT].bytes == 100); /* what will never pass is not taken */
	assert_true(strstr(b.log.text, " stall-after in 100 100;") != NULL &&
		    strstr(b.log.text, " stall-after out 100 100;") != NULL);
	pump_stop(&b.w.pump);
	bench_close();
}

static void a_stall_by_the_clock(void **state)
{
	static const struct act drip[] = { SAY("a"), WAIT(700), SAY("b"), WAIT(700), SAY("c"), WAIT(700), SAY("d"), END, { 0 } };
	(void)state;
	bench_open("stall-after=1s:in", 1);
	near_says(drip);
	far_says(drip);
	bench_run_for(3600 * 1000);
	assert_int_equal(b.w.far.got_n, 4);
	assert_int_equal(b.w.near.got_n, 2);
	assert_string_equal(b.log.text, " stall-after in 2 1000000;");
	pump_stop(&b.w.pump);
	bench_close();
}

static void a_sink_swallows_and_ends_are_passed_on(void **state)
{
	static const struct act all[] = { SAY_N(5 * MIB), END, { 0 } };
	(void)state;
	bench_open("sink-after=1000", 1);
	near_says(all);
	far_says(all);
	bench_run();
	assert_int_equal(b.w.why.cls, ERR_OK);
	assert_true(b.w.far.got_n == 1000 && b.w.near.got_n == 1000);
	assert_true(b.w.far.said == 5 * MIB && b.w.near.said == 5 * MIB);
	assert_true(b.w.far.was_shut && b.w.near.was_shut);
	bench_close();
}

static void a_half_ends_one_way(void **state)
{
	static const struct act all[] = { SAY_N(5000), WAIT(500), SAY_N(100), END, { 0 } };
	static const struct act silent[] = { WAIT(900), END, { 0 } };
	(void)state;
	bench_open("half-after=1000:out", 1);
	near_says(all);
	far_says(all);
	bench_run();
	assert_int_equal(b.w.why.cls, ERR_OK);
	assert_true(b.w.far.got_n == 1000 && b.w.near.got_n == 5100);
	assert_int_equal(b.w.far.shut_ms, SIM_START_MS);
	bench_close();
	bench_open("half-after=1000:in", 1);
	near_says(silent);
	far_says(all);
	bench_run();
	assert_true(b.w.near.got_n == 1000 && b.w.near.was_shut);
	assert_int_equal(b.above->way[OBSERVER_IN].end_ms, SIM_START_MS);
	bench_close();
}

static void a_slow_close_is_slow(void **state)
{
	static const struct act near[] = { SAY("bye"), END, { 0 } };
	(void)state;
	bench_open("slow-close=2s", 1);
	near_says(near);
	far_says(only_end);
	assert_int_equal(fault_patience_ms(b.w.far_top), 2000);
	bench_run();
	assert_int_equal(b.below->way[OBSERVER_OUT].last_ms, SIM_START_MS);
	assert_int_equal(b.w.far.shut_ms, SIM_START_MS + 2000);
	assert_string_equal(b.log.text, " slow-close 2000000;");
	bench_close();
}

static void a_failed_write_is_told_although_it_was_taken(void **state)
{
	static const struct act all[] = { SAY_N(100), { 0 } };
	static const struct act breaks[] = { FAIL(ERR_NETWORK), { 0 } };
	static const struct act silent[] = { WAIT(5000), END, { 0 } };
	(void)state;
	bench_open("latency=300ms", 1);
	near_says(all);
	far_says(silent);
	b.w.far.wr.at = breaks;
	bench_run();
	assert_int_equal(b.w.why.cls, ERR_NETWORK);
	assert_string_equal(b.w.why.text, "double write");
	bench_close();
}

/* --- a script's faults --- */

static void later_faults_count_from_there(void **state)
{
	char bytes[64];
	(void)state;
	bench_open("", 1);
	assert_int_equal(stream_write(b.w.far_top, "0123456789", 10), 10);
	assert_int_equal(apply("corrupt-at=2:out"), 0);
	assert_int_equal(apply("rst-after=5:out"), 0);
	assert_int_equal(stream_write(b.w.far_top, "abcdefghij", 10), 5);
	assert_int_equal(stream_write(b.w.far_top, "f", 1), ST_FAIL);
	assert_int_equal(stream_read(b.w.far_top, bytes, sizeof bytes), ST_FAIL);
	assert_int_equal(b.w.far.got_n, 15);
	assert_memory_equal(b.w.far.got, "0123456789ab", 12);
	assert_int_not_equal(b.w.far.got[12], 'c');
	assert_memory_equal(b.w.far.got + 13, "de", 2);
	bench_close();
}

static void later_faults_join_earlier_ones(void **state)
{
	static const struct act all[] = { SAY_N(1000), END, { 0 } };
	(void)state;
	bench_open("rate=1M latency=1s", 1);
	assert_int_equal(apply("latency=10ms"), 0);
	assert_int_equal(apply("rate=100k"), 0);
	near_says(all);
	far_says(only_end);
	bench_run();
	assert_in_range(b.w.took_ms, 1020, 1030);
	bench_close();
}

static void what_cannot_be_is_refused(void **state)
{
	struct double_stream bare;
	struct fault_spec spec;
	(void)state;
	bench_open("", 1);
	errno = 0;
	assert_int_equal(apply("loss=5%"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(apply("accept-rst"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(apply("rst-after=0,conn=2"), 0); /* not us */
	assert_int_equal(stream_write(b.w.far_top, "x", 1), 1);
	double_open(&bare, b.w.loop, 0, NULL, NULL);
	assert_int_equal(fault_parse(&spec, "rate=1", NULL), 0);
	assert_int_equal(fault_apply(&bare.s, &spec), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fault_patience_ms(&bare.s), 0);
	double_close(&bare);
	bench_close();
}

/* A handshake reads while what it has written is still held: the end that waits for the answer sends the question. */
static void a_reader_sends_what_is_held(void **state)
{
	static const struct act far[] = { WAIT(150), SAY("answer"), { 0 } };
	char bytes[16];
	(void)state;
	bench_open("latency=100ms", 1);
	far_says(far);
	assert_int_equal(stream_write(b.w.far_top, "question", 8), 8);
	assert_int_equal(stream_read(b.w.far_top, bytes, sizeof bytes), ST_AGAIN);
	ssize_t got = ST_AGAIN;
	while (got == ST_AGAIN) {
		struct timer t = { .fn = stop, .arg = b.w.loop };
		assert_true(b.w.far_top->rd.timed || b.w.far_top->rd.wake);
		loop_timer(b.w.loop, &t, b.w.far_top->rd.timed ? b.w.far_top->rd.at_ms : loop_now(b.w.loop) + 10);
		assert_int_equal(loop_run(b.w.loop, NULL), 0);
		got = stream_read(b.w.far_top, bytes, sizeof bytes);
	}
	assert_int_equal(b.below->way[OBSERVER_OUT].last_ms, SIM_START_MS + 100);
	assert_int_equal(got, 6);
	bench_close();
}

/* ... and where the end that waits for the answer had read before it asked, and so knows nothing of that, it goes by itself. */
static void what_is_held_goes_by_itself(void **state)
{
	struct timer t = { .fn = stop };
	char bytes[16];
	(void)state;
	bench_open("latency=100ms chunk=3", 1);
	t.arg = b.w.loop;
	assert_int_equal(stream_read(b.w.far_top, bytes, sizeof bytes), ST_AGAIN);
	assert_int_equal(stream_write(b.w.far_top, "question", 8), 8);
	loop_timer(b.w.loop, &t, SIM_START_MS + 99);
	assert_int_equal(loop_run(b.w.loop, NULL), 0);
	assert_int_equal(b.w.far.got_n, 0);
	loop_timer(b.w.loop, &t, SIM_START_MS + 101);
	assert_int_equal(loop_run(b.w.loop, NULL), 0);
	assert_int_equal(b.w.far.got_n, 8);
	bench_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_exact_over_100_mib),
		cmocka_unit_test(rate_is_exact_over_small_messages),
		cmocka_unit_test(rate_is_exact_over_a_conversation),
		cmocka_unit_test(an_idle_line_does_not_burst),
		cmocka_unit_test(a_slow_line_carries_single_bytes),
		cmocka_unit_test(a_line_that_was_held_up_does_not_burst),
		cmocka_unit_test(latency_is_exact_over_100_mib),
		cmocka_unit_test(latency_is_exact_over_small_messages),
		cmocka_unit_test(jitter_keeps_the_mean_and_the_order),
		cmocka_unit_test(ends_are_late_like_bytes),
		cmocka_unit_test(a_reset_from_the_peer_is_late_like_bytes),
		cmocka_unit_test(queues_are_bounded),
		cmocka_unit_test(chunks_are_as_large_as_asked),
		cmocka_unit_test(chunks_of_small_messages),
		cmocka_unit_test(gaps_stand_between_chunks),
		cmocka_unit_test(every_cut_gives_the_same),
		cmocka_unit_test(another_seed_gives_others),
		cmocka_unit_test(one_byte_in_n_is_changed),
		cmocka_unit_test(corrupt_at_changes_that_byte),
		cmocka_unit_test(resets_happen_at_the_byte),
		cmocka_unit_test(closes_happen_at_the_byte_and_are_polite),
		cmocka_unit_test(times_cut_a_waiting_caller),
		cmocka_unit_test(a_stall_holds_everything_from_there_on),
		cmocka_unit_test(a_stall_by_the_clock),
		cmocka_unit_test(a_sink_swallows_and_ends_are_passed_on),
		cmocka_unit_test(a_half_ends_one_way),
		cmocka_unit_test(a_slow_close_is_slow),
		cmocka_unit_test(a_failed_write_is_told_although_it_was_taken),
		cmocka_unit_test(later_faults_count_from_there),
		cmocka_unit_test(later_faults_join_earlier_ones),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_reader_sends_what_is_held),
		cmocka_unit_test(what_is_held_goes_by_itself),
	};
	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
