/* Faults on datagrams, under a clock that jumps: which of them are lost, doubled, cut or overtaken is a matter of their number
 * and the seed, and of nothing else; none is lost that was not to be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "double.h"
#include "fault/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 2000 };

static struct bench {
	struct loop *loop;
	struct double_stream below;
	struct event_sink sink;
	struct lingers *linger;
	struct fault_run fixture;
	struct stream *top;
	char log[200000];
	size_t log_n;
} b;

static void emit(void *arg, const struct event *ev)
{
	(void)arg;
	for (const struct ev_field *f = ev->fields; f->key != NULL; f++) {
		if (f->is == EV_IS_NUM)
			b.log_n += (size_t)snprintf(b.log + b.log_n, 30, " %lld", (long long)f->num);
		else if (f->text != NULL && strcmp(f->key, "words") != 0)
			b.log_n += (size_t)snprintf(b.log + b.log_n, 30, " %s", f->text);
	}
	b.log_n += (size_t)snprintf(b.log + b.log_n, 3, ";");
	if (b.log_n + 200 > sizeof b.log)
		fail_msg("more events than there is room for");
}

static int apply(const char *text)
{
	struct fault_spec spec;
	struct err e = { 0 };
	if (fault_parse(&spec, text, &e) != 0)
		fail_msg("%s: %s", text, e.what);
	return fault_apply(b.top, &spec);
}

static void bench_open(const char *faults, uint64_t seed, const struct act *reads)
{
	char text[300], *next = text;
	memset(&b, 0, sizeof b);
	b.loop = loop_open(&loop_sim, NULL);
	double_open(&b.below, b.loop, ST_DGRAM, reads, NULL);
	b.sink = (struct event_sink){ .emit = emit, .level = EV_DEBUG };
	b.linger = linger_open(b.loop);
	b.fixture = (struct fault_run){ .loop = b.loop, .linger = b.linger, .events = &b.sink, .seed = seed };
	b.top = &b.below.s;
	assert_int_equal(fault_push(&b.top, &b.fixture, 1), 0);
	snprintf(text, sizeof text, "%s", faults);
	for (char *word; (word = strtok_r(next, " ", &next)) != NULL;)
		assert_int_equal(apply(word), 0);
}

static void bench_close(void)
{
	stream_close(b.top, CLOSE_PLAIN);
	assert_true(b.below.closed);
	linger_close(b.linger);
	double_close(&b.below);
	loop_close(b.loop);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void wait_until(int64_t at_ms)
{
	struct timer t = { .fn = stop, .arg = b.loop };
	loop_timer(b.loop, &t, at_ms);
	assert_int_equal(loop_run(b.loop, NULL), 0);
}

/* Until what is held has gone. */
static void flush(void)
{
	int rc;
	while ((rc = stream_flush(b.top)) == ST_AGAIN) {
		assert_true(b.top->wr.timed);
		wait_until(b.top->wr.at_ms);
	}
	assert_int_equal(rc, 0);
}

/* Datagrams "1", "2", …; the bytes that come out, with '.' behind each. */
static void send_numbers(int n)
{
	char text[16];
	for (int i = 1; i <= n; i++) {
		int len = snprintf(text, sizeof text, "%d.", i);
		ssize_t put = stream_write(b.top, text, (size_t)len);
		while (put == ST_AGAIN) {
			assert_true(b.top->wr.timed);
			wait_until(b.top->wr.at_ms);
			put = stream_write(b.top, text, (size_t)len);
		}
		assert_int_equal(put, len);
	}
}

static void assert_got(const char *want)
{
	size_t n = b.below.got_n;
	if (n != strlen(want) || (n > 0 && memcmp(b.below.got, want, n) != 0))
		fail_msg("got %.*s, want %s", (int)b.below.got_n, b.below.got, want);
}

static void picked_ones_are_lost(void **state)
{
	(void)state;
	bench_open("loss=#2,#5", 1, NULL);
	send_numbers(6);
	assert_got("1.3.4.6.");
	assert_string_equal(b.log, " loss out 2 2; loss out 5 2;");
	assert_int_equal(stream_flush(b.top), 0);
	bench_close();
}

static void picked_ones_come_twice(void **state)
{
	(void)state;
	bench_open("dup=#1,#3:out", 1, NULL);
	send_numbers(3);
	assert_got("1.1.2.3.3.");
	bench_close();
}

/* A script's faults count from where they are given. */
static void numbers_count_from_where_the_fault_was_given(void **state)
{
	(void)state;
	bench_open("", 1, NULL);
	send_numbers(3);
	assert_int_equal(apply("loss=#2"), 0);
	send_numbers(3);
	assert_got("1.2.3.1.3.");
	errno = 0;
	assert_int_equal(apply("rst-after=5"), -1);
	assert_int_equal(errno, EINVAL);
	bench_close();
}

static void shares_are_kept(void **state)
{
	(void)state;
	bench_open("loss=10%:out", 5, NULL);
	send_numbers(MANY);
	assert_in_range(MANY - b.below.writes, MANY / 10 * 8 / 10, MANY / 10 * 12 / 10);
	bench_close();
	bench_open("dup=5%", 5, NULL);
	send_numbers(MANY);
	assert_in_range(b.below.writes - MANY, MANY / 20 * 7 / 10, MANY / 20 * 13 / 10);
	bench_close();
	bench_open("loss=100%", 5, NULL);
	send_numbers(10);
	assert_int_equal(b.below.writes, 0);
	bench_close();
}

static void truncation_is_at_the_byte(void **state)
{
	(void)state;
	bench_open("truncate=3", 1, NULL);
	assert_int_equal(stream_write(b.top, "abcdef", 6), 6);
	assert_int_equal(stream_write(b.top, "xyz", 3), 3);
	assert_int_equal(stream_write(b.top, "", 0), 0);
	assert_got("abcxyz");
	assert_int_equal(b.below.writes, 3);
	assert_string_equal(b.log, " truncate out 1 3;");
	bench_close();
	bench_open("truncate=0", 1, NULL);
	assert_int_equal(stream_write(b.top, "abcdef", 6), 6);
	assert_int_equal(b.below.writes, 1);
	assert_got("");
	bench_close();
}

/* Each datagram comes out once, and a late one was overtaken by exactly so many others. */
static void reordered_ones_are_overtaken_by_so_many(void **state)
{
	(void)state;
	bench_open("reorder=5%/3:out", 9, NULL);
	send_numbers(MANY);
	assert_int_equal(stream_shut(b.top), 0);
	assert_int_equal(b.below.writes, MANY);
	unsigned late = 0, seen = 0;
	static unsigned order[MANY];
	char *next = NULL, text[16 * MANY];
	static bool came[MANY + 1];
	memcpy(text, b.below.got, b.below.got_n);
	text[b.below.got_n] = '\0';
	for (char *word = strtok_r(text, ".", &next); word != NULL; word = strtok_r(NULL, ".", &next)) {
		unsigned number = (unsigned)atoi(word);
		char event[40];
		assert_false(came[number]);
		came[number] = true;
		seen++;
		snprintf(event, sizeof event, " reorder out %u 3;", number);
		late += strstr(b.log, event) != NULL;
		order[seen - 1] = number;
	}
	for (unsigned i = 0; i < seen; i++) {
		char event[40];
		unsigned overtook = 0;
		snprintf(event, sizeof event, " reorder out %u 3;", order[i]);
		for (unsigned k = 0; k < i; k++)
			overtook += order[k] > order[i];
		if (order[i] + 10 < MANY) /* at the end not enough follow */
			assert_int_equal(overtook, strstr(b.log, event) != NULL ? 3 : 0);
	}
	assert_int_equal(seen, MANY);
	assert_in_range(late, MANY / 20 * 7 / 10, MANY / 20 * 13 / 10);
	bench_close();
	bench_open("reorder=100%/2", 1, NULL); /* none overtakes: all are late by the same, and then in order */
	send_numbers(3);
	assert_got("");
	flush();
	assert_got("1.2.3.");
	assert_int_equal(loop_now(b.loop), SIM_START_MS + 1000);
	bench_close();
}

static void a_datagram_not_overtaken_is_late_and_not_lost(void **state)
{
	static const struct act reads[] = { SAY("only"), { 0 } };
	char bytes[100];
	(void)state;
	bench_open("reorder=100%/5", 1, reads);
	assert_int_equal(stream_read(b.top, bytes, sizeof bytes), ST_AGAIN);
	assert_true(b.top->rd.timed && b.top->rd.wake);
	assert_int_equal(b.top->rd.at_ms, SIM_START_MS + 1000);
	wait_until(b.top->rd.at_ms);
	assert_int_equal(stream_read(b.top, bytes, sizeof bytes), 4);
	assert_int_equal(stream_write(b.top, "mine", 4), 4);
	assert_int_equal(stream_flush(b.top), ST_AGAIN);
	assert_int_equal(stream_shut(b.top), 0); /* none will follow */
	assert_got("mine");
	bench_close();
}

static void latency_of_datagrams(void **state)
{
	(void)state;
	bench_open("latency=200ms~50ms", 3, NULL);
	int64_t last_ms = 0;
	for (int i = 0; i < 200; i++) {
		size_t before = b.below.writes;
		assert_int_equal(stream_write(b.top, "x", 1), 1);
		assert_int_equal(stream_flush(b.top), ST_AGAIN);
		flush();
		assert_int_equal(b.below.writes, before + 1);
		int64_t took_ms = loop_now(b.loop) - SIM_START_MS - last_ms;
		assert_in_range(took_ms, 150, 251);
		last_ms += took_ms;
	}
	assert_in_range(last_ms, 200 * 190, 200 * 210);
	assert_string_equal(b.log, " latency out 1 200000;");
	bench_close();
	bench_open("latency=200ms~200ms", 3, NULL); /* whatever is drawn, the order stays */
	send_numbers(50);
	flush();
	char want[400] = "";
	for (int i = 1; i <= 50; i++)
		snprintf(want + strlen(want), 16, "%d.", i);
	assert_got(want);
	bench_close();
}

static void both_ways_with_the_same_seed_are_the_same(void **state)
{
	static struct act reads[301];
	static char log[sizeof b.log];
	char bytes[100], all[4000];
	size_t first_n = 0;
	static char first[4000];
	(void)state;
	for (int i = 0; i < 300; i++)
		reads[i] = i % 7 == 3 ? (struct act)EMPTY : (struct act)SAY_N((size_t)(1 + i % 9));
	for (int round = 0; round < 4; round++) {
		size_t n = 0;
		ssize_t got;
		bench_open("loss=20%:in dup=20%:in reorder=20%/2:in truncate=5:in", 77, reads);
		b.below.stutter_ms = round;
		b.below.timed = round == 2;
		for (int idle = 0; idle < 3;) {
			got = stream_read(b.top, bytes, sizeof bytes);
			if (got == ST_AGAIN) {
				idle += b.below.rd.at->kind == ACT_STOP;
				wait_until(loop_now(b.loop) + (idle > 0 ? 1000 : round));
				continue;
			}
			assert_true(got > 0 || got == ST_EMPTY);
			all[n++] = '(';
			if (got > 0)
				memcpy(all + n, bytes, (size_t)got);
			n += got > 0 ? (size_t)got : 0;
		}
		if (round == 0) {
			memcpy(log, b.log, sizeof log);
			memcpy(first, all, first_n = n);
		}
		assert_string_equal(log, b.log);
		assert_int_equal(n, first_n);
		assert_memory_equal(all, first, n);
		bench_close();
	}
}

static void what_is_held_is_bounded(void **state)
{
	static char big[60000];
	(void)state;
	bench_open("latency=1h", 1, NULL);
	unsigned n = 0;
	while (stream_write(b.top, big, sizeof big) == sizeof big)
		n++;
	assert_in_range(n * sizeof big, FAULT_RUN_BYTES / 10 * 9, FAULT_RUN_BYTES);
	assert_true(b.top->wr.timed);
	bench_close();
	assert_int_equal(b.below.writes, n); /* what is held at the end goes: nothing else will take it */
}

static void a_full_socket_and_a_broken_one(void **state)
{
	static const struct act full[] = { WAIT(50), TAKE(100), FAIL(ERR_CONNECT), { 0 } };
	(void)state;
	bench_open("dup=100%", 1, NULL);
	b.below.wr.at = full;
	assert_int_equal(stream_write(b.top, "one", 3), 3); /* held */
	assert_int_equal(stream_flush(b.top), ST_AGAIN);
	assert_true(b.top->wr.wake);
	wait_until(SIM_START_MS + 60);
	assert_int_equal(stream_flush(b.top), ST_FAIL); /* the copy */
	assert_int_equal(b.top->why.cls, ERR_CONNECT);
	assert_got("one");
	bench_close();
}

static void too_little_room_is_a_failure(void **state)
{
	static const struct act reads[] = { SAY("0123456789"), { 0 } };
	char bytes[100];
	(void)state;
	bench_open("latency=1s", 1, reads);
	assert_int_equal(stream_read(b.top, bytes, sizeof bytes), ST_AGAIN);
	wait_until(SIM_START_MS + 1000);
	assert_int_equal(stream_read(b.top, bytes, 5), ST_FAIL);
	bench_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(picked_ones_are_lost),
		cmocka_unit_test(picked_ones_come_twice),
		cmocka_unit_test(numbers_count_from_where_the_fault_was_given),
		cmocka_unit_test(shares_are_kept),
		cmocka_unit_test(truncation_is_at_the_byte),
		cmocka_unit_test(reordered_ones_are_overtaken_by_so_many),
		cmocka_unit_test(a_datagram_not_overtaken_is_late_and_not_lost),
		cmocka_unit_test(latency_of_datagrams),
		cmocka_unit_test(both_ways_with_the_same_seed_are_the_same),
		cmocka_unit_test(what_is_held_is_bounded),
		cmocka_unit_test(a_full_socket_and_a_broken_one),
		cmocka_unit_test(too_little_room_is_a_failure),
	};
	return cmocka_run_group_tests_name("fault_dgram", tests, NULL, NULL);
}
