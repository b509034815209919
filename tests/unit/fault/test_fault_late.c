/* What a latency keeps on its way, and by how much a burst is late. All times are those of a clock that jumps. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "faulty.h"

#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024, TALKS = 100 };

static struct faulty b;
static char big[4 * MIB];

/* Reads to the end; how many, and when the last came. */
static size_t read_all(int64_t *last_ms)
{
	static char room[65536];
	size_t n = 0;
	ssize_t got;
	while ((got = faulty_read(&b, room, sizeof room)) > 0) {
		n += (size_t)got;
		*last_ms = faulty_now_ms(&b);
	}
	assert_int_equal(got, 0);
	return n;
}

/* --- it does not throttle --- */

static void what_is_received_at_once_is_late_once(void **state)
{
	static const size_t sizes[] = { 1, 65536, 4 * MIB, 48 * MIB };
	static const char *const faults[] = { "latency=1s:in", "latency=600ms latency=400ms:in", "latency=1s:in rate=1G:in" };
	(void)state;
	for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++)
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			const struct act all[] = { SAY_N(sizes[i]), END, { 0 } };
			int64_t last_ms = 0;
			faulty_open(&b, faults[k], 1, 0, all);
			assert_int_equal(read_all(&last_ms), sizes[i]);
			assert_in_range(last_ms, 1000, 1000 + (k == 2 ? 60 : 0)); /* 48 MiB at 1 GiB/s: 47 ms */
			assert_in_range(faulty_now_ms(&b), 1000, 1000 + (k == 2 ? 60 : 0));
			faulty_close(&b);
		}
}

/* The end is as late as what came before it, also where the socket took that in several turns. */
static void what_is_sent_at_once_is_late_once(void **state)
{
	static const struct act slow[] = { TAKE(MIB), WAIT(20), TAKE(MIB), WAIT(20), { 0 } };
	(void)state;
	for (int slowly = 0; slowly < 2; slowly++) {
		faulty_open(&b, "latency=1s:out", 1, 0, NULL);
		if (slowly)
			b.below.wr.at = slow;
		faulty_write(&b, big, sizeof big);
		assert_int_equal(faulty_now_ms(&b), 0);
		faulty_shut(&b);
		assert_int_equal(b.below.got_n, sizeof big);
		assert_int_equal(b.below.shut_ms - SIM_START_MS, slowly ? 1040 : 1000);
		faulty_close(&b);
	}
}

/* A line that is slower than what comes is as busy as without a latency. */
static void a_rate_is_kept_beside_a_latency(void **state)
{
	static const struct act all[] = { SAY_N(10 * MIB), END, { 0 } };
	int64_t last_ms = 0;
	(void)state;
	faulty_open(&b, "rate=1M latency=2s", 1, 0, all);
	assert_int_equal(read_all(&last_ms), 10 * MIB);
	assert_in_range(last_ms, 12000, 12030);
	faulty_close(&b);
}

/* --- memory --- */

static void a_slow_line_holds_rate_times_latency(void **state)
{
	static const struct act much[] = { SAY_N(100 * MIB), END, { 0 } };
	char byte;
	(void)state;
	faulty_open(&b, "rate=1M latency=3s", 1, 0, much);
	faulty_read(&b, &byte, 1);
	while (stream_write(b.top, big, sizeof big) > 0)
		;
	for (int dir = 0; dir < FAULT_WAYS; dir++)
		assert_in_range(faulty_layer(&b)->way[dir].held, 3 * MIB, 3 * MIB + 100 * 1024);
	faulty_close(&b);
}

/* Two connections of a run: one that takes as much as it can leaves something, and both get on. */
static void a_run_holds_so_much_and_no_more(void **state)
{
	static const struct act much[] = { SAY_N(200 * MIB), { 0 } };
	struct double_stream other;
	struct stream *top = &other.s;
	struct fault_spec spec;
	char byte;
	(void)state;
	faulty_open(&b, "latency=1h", 1, 0, much);
	double_open(&other, b.loop, 0, much, NULL);
	assert_int_equal(fault_push(&top, &b.fixture, 2), 0);
	assert_int_equal(fault_parse(&spec, "latency=1h", NULL), 0);
	assert_int_equal(fault_apply(top, &spec), 0);
	size_t taken = 0;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(stream_read(b.top, &byte, 1), ST_AGAIN);
		ssize_t put = stream_write(b.top, big, sizeof big);
		taken += put > 0 ? (size_t)put : 0;
	}
	assert_true(taken > 4 * MIB);
	assert_in_range(b.fixture.held, FAULT_RUN_BYTES / 10 * 9, FAULT_RUN_BYTES);
	size_t before = b.fixture.held;
	for (int i = 0; i < 200; i++)
		assert_int_equal(stream_read(top, &byte, 1), ST_AGAIN);
	assert_true(top->rd.timed); /* when the first of them may pass there is room again */
	assert_in_range(b.fixture.held - before, MIB / 2, FAULT_RUN_BYTES - before + 2 * FAULT_LINE_BYTES);
	stream_close(top, CLOSE_PLAIN);
	assert_int_equal(b.fixture.held, before);
	double_close(&other);
	faulty_close(&b);
}

static void each_may_hold_a_little_in_a_full_house(void **state)
{
	char bytes[1000] = "";
	(void)state;
	faulty_open(&b, "latency=1h", 1, 0, NULL);
	b.fixture.held = 2 * FAULT_RUN_BYTES; /* others */
	size_t n = 0;
	while (stream_write(b.top, bytes, sizeof bytes) > 0)
		n += sizeof bytes;
	assert_in_range(n, FAULT_LINE_BYTES / 10 * 9, FAULT_LINE_BYTES * 2);
	assert_true(b.top->wr.timed);
	stream_close(b.top, CLOSE_PLAIN);
	b.top = NULL;
	assert_int_equal(b.fixture.held, 2 * FAULT_RUN_BYTES);
	b.fixture.held = 0;
	faulty_close(&b);
}

/* --- jitter --- */

/* A conversation of small messages, each of which comes 500 ms after the one before; by how much each was late. */
static void talk(uint64_t seed, size_t most, int64_t late_ms[TALKS])
{
	static struct act script[2 * TALKS + 1];
	for (int i = 0; i < TALKS; i++) {
		script[2 * i] = (struct act)SAY_N((size_t)(5 + i % 3));
		script[2 * i + 1] = (struct act)WAIT(500);
	}
	script[2 * TALKS] = (struct act)END;
	faulty_open(&b, "latency=100ms~90ms:in", seed, 0, script);
	b.below.most = most;
	for (int i = 0; i < TALKS; i++) {
		char bytes[16];
		for (size_t n = (size_t)(5 + i % 3); n > 0;) {
			ssize_t got = faulty_read(&b, bytes, sizeof bytes);
			assert_in_range(got, 1, n);
			n -= (size_t)got;
		}
		late_ms[i] = faulty_now_ms(&b) - 500 * i;
		assert_in_range(late_ms[i], 10, 190);
	}
	faulty_close(&b);
}

static void each_message_has_its_own_delay(void **state)
{
	int64_t late_ms[TALKS], again_ms[TALKS], mean_ms = 0;
	int below = 0, above = 0, same = 0;
	(void)state;
	talk(7, 0, late_ms);
	for (int i = 0; i < TALKS; i++) {
		mean_ms += late_ms[i];
		below += late_ms[i] < 60;
		above += late_ms[i] > 140;
		same += i > 0 && late_ms[i] == late_ms[i - 1];
	}
	assert_in_range(mean_ms / TALKS, 80, 120);
	assert_in_range(below, 15, 45);
	assert_in_range(above, 15, 45);
	assert_true(same < 10);
	for (size_t most = 0; most < 7; most += 3) {
		talk(7, most, again_ms);
		assert_memory_equal(late_ms, again_ms, sizeof late_ms);
	}
	talk(8, 0, again_ms);
	assert_memory_not_equal(late_ms, again_ms, sizeof late_ms);
}

/* One sender: the same, and a message is late by its place, whatever was said before the last pause. */
static void each_message_that_is_sent_has_its_own_delay(void **state)
{
	int64_t late_ms[2][TALKS];
	int other = 0;
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		faulty_open(&b, "latency=100ms~90ms:out", 7, 0, NULL);
		for (int i = 0; i < TALKS; i++) {
			int64_t began_ms = faulty_now_ms(&b);
			for (int part = 0; part < 10; part++)
				if (turn == 1 || part == 0)
					faulty_write(&b, "0123456789", turn == 1 ? 1 : 10);
			faulty_flush(&b);
			late_ms[turn][i] = faulty_now_ms(&b) - began_ms;
			other += i > 0 && late_ms[turn][i] != late_ms[turn][i - 1];
		}
		faulty_close(&b);
	}
	assert_memory_equal(late_ms[0], late_ms[1], sizeof late_ms[0]);
	assert_true(other > 2 * TALKS * 9 / 10);
}

/* Much that comes at once is one burst, however it is read, and whether there was room for all of it or not. */
static void a_burst_has_one_delay(void **state)
{
	static const struct act all[] = { SAY_N(4 * MIB), WAIT(3000), SAY_N(10), WAIT(3000), { 0 } };
	static const size_t cuts[] = { 0, 777, 65536 };
	int64_t first_ms = 0;
	(void)state;
	for (size_t k = 0; k < 3; k++) {
		static char room[100000];
		faulty_open(&b, "latency=1s~900ms:in", 3, 0, all);
		b.below.most = cuts[k];
		int64_t began_ms = 0;
		for (size_t n = 0; n < 4 * MIB;) {
			n += (size_t)faulty_read(&b, room, sizeof room);
			began_ms = began_ms == 0 ? faulty_now_ms(&b) : began_ms;
			assert_int_equal(faulty_now_ms(&b), began_ms);
		}
		first_ms = first_ms == 0 ? began_ms : first_ms;
		assert_int_equal(began_ms, first_ms);
		assert_int_equal(faulty_read(&b, room, sizeof room), 10);
		assert_int_equal(faulty_layer(&b)->way[FAULT_IN].burst, 4 * MIB);
		faulty_close(&b);
	}
	faulty_open(&b, "latency=1s~900ms rate=1M", 3, 0, NULL);
	for (int i = 0; i < 4; i++)
		faulty_write(&b, big, sizeof big);
	assert_true(faulty_now_ms(&b) > 10000); /* it had to wait for room */
	assert_int_equal(faulty_layer(&b)->way[FAULT_OUT].burst, 0);
	faulty_close(&b);
}

/* What comes within the same millisecond is together; what comes a moment later, or its end, is not. */
static void a_pause_begins_a_burst(void **state)
{
	static const struct act all[] = { SAY("ab"), SAY("cd"), WAIT(1), SAY("ef"), WAIT(1), END, { 0 } };
	char room[16];
	(void)state;
	faulty_open(&b, "latency=100ms~20ms:in", 3, 0, all);
	assert_int_equal(stream_read(b.top, room, sizeof room), ST_AGAIN);
	assert_int_equal(faulty_layer(&b)->way[FAULT_IN].burst, 0);
	faulty_wait(&b, 1);
	assert_int_equal(stream_read(b.top, room, sizeof room), ST_AGAIN);
	assert_int_equal(faulty_layer(&b)->way[FAULT_IN].burst, 4);
	faulty_wait(&b, 1);
	assert_int_equal(stream_read(b.top, room, sizeof room), ST_AGAIN);
	assert_int_equal(faulty_layer(&b)->way[FAULT_IN].burst, 6);
	for (size_t n = 0; n < 6;)
		n += (size_t)faulty_read(&b, room + n, sizeof room - n);
	assert_memory_equal(room, "abcdef", 6);
	assert_int_equal(faulty_read(&b, room, 1), 0);
	faulty_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_received_at_once_is_late_once),
		cmocka_unit_test(what_is_sent_at_once_is_late_once),
		cmocka_unit_test(a_rate_is_kept_beside_a_latency),
		cmocka_unit_test(a_slow_line_holds_rate_times_latency),
		cmocka_unit_test(a_run_holds_so_much_and_no_more),
		cmocka_unit_test(each_may_hold_a_little_in_a_full_house),
		cmocka_unit_test(each_message_has_its_own_delay),
		cmocka_unit_test(each_message_that_is_sent_has_its_own_delay),
		cmocka_unit_test(a_burst_has_one_delay),
		cmocka_unit_test(a_pause_begins_a_burst),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
