/* The same fault given twice: both hold, of each kind as the manual's table says, in each way by itself. And a script's step that
 * is taken again asks for nothing that holds already. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 4000 };

static struct faulty b;

/* When what was written at once has gone, in ms. */
static int64_t sent_ms(const char *faults, size_t n)
{
	static char bytes[100000];
	faulty_open(&b, faults, 1, 0, NULL);
	faulty_write(&b, bytes, n);
	faulty_flush(&b);
	assert_int_equal(b.below.got_n, n);
	int64_t ms = faulty_now_ms(&b);
	faulty_close(&b);
	return ms;
}

static void latencies_add(void **state)
{
	static const struct act say[] = { SAY("x"), END, { 0 } };
	char byte;
	(void)state;
	assert_int_equal(sent_ms("latency=100ms latency=50ms", 1), 150);
	assert_int_equal(sent_ms("latency=100ms:in latency=50ms:out latency=7ms", 1), 57);
	assert_int_equal(sent_ms("latency=100ms,conn=2 latency=50ms,conn=1", 1), 50);
	faulty_open(&b, "latency=100ms:in latency=50ms:out latency=7ms", 1, 0, say);
	assert_int_equal(fault_patience_ms(b.top), 57);
	assert_int_equal(faulty_read(&b, &byte, 1), 1);
	assert_int_equal(faulty_read(&b, &byte, 1), 0);
	assert_int_equal(faulty_now_ms(&b), 107);
	assert_string_equal(b.log, " latency in 0 100000; latency in 0 7000;");
	faulty_close(&b);
}

/* Each is drawn for itself: the sum of two is not twice the one. */
static void jitters_add(void **state)
{
	int64_t least = 1000, most = 0, both = 0;
	int odd = 0;
	(void)state;
	faulty_open(&b, "latency=100ms~50ms latency=100ms~50ms", 5, 0, NULL);
	for (int i = 0; i < 400; i++) {
		int64_t began_ms = faulty_now_ms(&b);
		faulty_write(&b, "x", 1);
		faulty_flush(&b);
		int64_t ms = faulty_now_ms(&b) - began_ms;
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
		both += ms;
		odd += ms > 150 && ms < 250;
		faulty_wait(&b, 10);
	}
	faulty_close(&b);
	assert_in_range(least, 100, 130);
	assert_in_range(most, 270, 300);
	assert_in_range(both / 400, 190, 210);
	assert_in_range(odd, 250, 350); /* three quarters of a sum of two, half of one that is doubled */
}

static void the_smallest_rate_wins(void **state)
{
	(void)state;
	assert_in_range(sent_ms("rate=10000 rate=1000000", 50000), 4900, 5100);
	assert_in_range(sent_ms("rate=1000000 rate=10000", 50000), 4900, 5100);
	assert_in_range(sent_ms("rate=10000:in rate=100000:out rate=1000000", 50000), 490, 510);
}

static void gaps_add_and_the_smallest_chunk_wins(void **state)
{
	(void)state;
	assert_int_equal(sent_ms("gap=5ms gap=3ms", 3 * FAULT_BLOCK), 2 * 8);
	assert_int_equal(sent_ms("chunk=100 gap=5ms gap=3ms", 1000), 9 * 8);
	assert_int_equal(sent_ms("chunk=100 chunk=50 gap=5ms", 1000), 19 * 5);
	assert_int_equal(sent_ms("chunk=50 chunk=100..700 gap=5ms", 1000), 19 * 5);
}

static void slow_closes_add(void **state)
{
	(void)state;
	faulty_open(&b, "slow-close=2s slow-close=1s", 1, 0, NULL);
	assert_int_equal(fault_patience_ms(b.top), 3000);
	faulty_shut(&b);
	assert_int_equal(faulty_now_ms(&b), 3000);
	assert_string_equal(b.log, " slow-close 2000000; slow-close 1000000;");
	faulty_close(&b);
}

/* --- where something happens --- */

static void the_first_cut_comes(void **state)
{
	static const struct {
		const char *faults, *told;
		size_t passes;
	} rows[] = {
		{ "rst-after=100:out rst-after=50:out", " rst-after out 50 50;", 50 },
		{ "rst-after=50:out rst-after=100:out", " rst-after out 50 50;", 50 },
		{ "rst-after=100:out close-after=70:out rst-after=80:out", " close-after out 70 70;", 70 },
		{ "stall-after=90:out stall-after=30:out", " stall-after out 30 30;", 30 },
		{ "rst-after=1h rst-after=5:out", " rst-after out 5 5;", 5 },
	};
	char bytes[1000] = "";
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		faulty_open(&b, rows[i].faults, 1, 0, NULL);
		assert_int_equal(stream_write(b.top, bytes, sizeof bytes), rows[i].passes);
		assert_int_equal(b.below.got_n, rows[i].passes);
		assert_string_equal(b.log, rows[i].told);
		stream_close(b.top, CLOSE_RST); /* no lingering here */
		b.top = NULL;
		faulty_close(&b);
	}
}

static size_t changed(const char *faults, bool places[10000])
{
	static unsigned char bytes[10000];
	size_t n = 0;
	faulty_open(&b, faults, 1, 0, NULL);
	faulty_write(&b, bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		places[i] = b.below.got[i] != 0;
		n += places[i];
	}
	faulty_close(&b);
	return n;
}

/* Two that change the same byte do not put it right again. */
static void what_one_changes_the_other_does_not_undo(void **state)
{
	static bool one[10000], two[10000];
	(void)state;
	assert_int_equal(changed("corrupt=1/100:out", one), 100);
	size_t n = changed("corrupt=1/100:out corrupt=1/100:out", two);
	assert_in_range(n, 180, 200);
	for (size_t i = 0; i < sizeof one; i++)
		assert_true(two[i] || !one[i]);
	assert_int_equal(changed("corrupt=1/1:out corrupt=1/1:out", two), sizeof two);
	assert_int_equal(changed("corrupt-at=17:out corrupt-at=17:out corrupt-at=18:out", two), 2);
	assert_true(two[17] && two[18]);
	assert_in_range(changed("corrupt=1/3:out corrupt-at=9:out corrupt=1/3:out", two), 3400, 6668);
}

/* --- datagrams --- */

static size_t count(const char *faults, const char *datagram)
{
	faulty_open(&b, faults, 3, ST_DGRAM, NULL);
	b.below.counts = true;
	for (int i = 0; i < MANY; i++)
		faulty_write(&b, datagram, strlen(datagram));
	faulty_flush(&b);
	size_t n = b.below.got_n;
	faulty_close(&b);
	return n;
}

static void shares_of_datagrams_are_combined(void **state)
{
	(void)state;
	assert_in_range(count("loss=50%", "x"), MANY * 47 / 100, MANY * 53 / 100);
	assert_in_range(count("loss=50% loss=50%", "x"), MANY * 22 / 100, MANY * 28 / 100);
	assert_in_range(count("loss=10% loss=20%", "x"), MANY * 69 / 100, MANY * 75 / 100); /* 0.9 * 0.8 */
	assert_int_equal(count("loss=#2 loss=#5,#7 loss=#2", "x"), MANY - 3);
	assert_int_equal(count("dup=100% dup=100%", "x"), MANY * 3);
	assert_in_range(count("dup=50% dup=50%", "x"), MANY * 195 / 100, MANY * 205 / 100);
	assert_int_equal(count("truncate=3 truncate=2", "xxxxx"), MANY * 2);
	assert_int_equal(count("truncate=2 truncate=3", "xxxxx"), MANY * 2);
}

static void datagrams_are_late_by_both(void **state)
{
	(void)state;
	faulty_open(&b, "latency=100ms latency=30ms", 1, ST_DGRAM, NULL);
	faulty_write(&b, "x", 1);
	faulty_flush(&b);
	assert_int_equal(faulty_now_ms(&b), 130);
	assert_string_equal(b.log, " latency out 1 100000; latency out 1 30000;");
	faulty_close(&b);
}

static void the_more_overtake(void **state)
{
	static const char *const faults[] = { "reorder=100%/1 reorder=100%/3", "reorder=100%/3 reorder=100%/1" };
	(void)state;
	for (int i = 0; i < 2; i++) {
		faulty_open(&b, faults[i], 1, ST_DGRAM, NULL);
		faulty_write(&b, "1", 1);
		assert_int_equal(faulty_layer(&b)->way[FAULT_OUT].first->after, 3);
		faulty_close(&b);
	}
}

/* --- the sessions it concerns --- */

static void each_draws_its_connections(void **state)
{
	struct fault_spec one, two;
	unsigned hits = 0;
	(void)state;
	assert_int_equal(fault_parse(&one, "rst-after=1,prob=50%", NULL), 0);
	two = one;
	two.nth = 1;
	for (uint32_t conn = 1; conn <= MANY; conn++)
		hits += fault_concerns(&one, 9, conn) || fault_concerns(&two, 9, conn);
	assert_in_range(hits, MANY * 72 / 100, MANY * 78 / 100);
}

/* --- a script's steps --- */

static void step_parse(struct fault_spec *spec, const char *text)
{
	assert_int_equal(fault_parse(spec, text, NULL), 0);
}

static unsigned rules(void)
{
	unsigned n = 0;
	for (const struct fault_rule *r = faulty_layer(&b)->rules; r != NULL; r = r->next)
		n++;
	return n;
}

static void a_step_that_is_taken_again_changes_nothing(void **state)
{
	static const char *const steps[] = { "latency=20ms", "rate=1M", "gap=0ms", "corrupt=1/100000:out", "rst-after=1G:out",
		"half-after=1h:in", "slow-close=1s" };
	struct fault_spec spec[sizeof steps / sizeof steps[0]], other;
	(void)state;
	faulty_open(&b, "latency=10ms", 1, 0, NULL);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		step_parse(&spec[i], steps[i]);
	for (int turn = 0; turn < 2000; turn++)
		for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
			assert_int_equal(fault_step(b.top, &spec[i]), 0);
	assert_int_equal(rules(), 8);
	faulty_write(&b, "x", 1);
	faulty_flush(&b);
	assert_int_equal(faulty_now_ms(&b), 31); /* of which 1 is the rate's */
	step_parse(&other, "latency=20ms");	 /* another step, of the same words */
	assert_int_equal(fault_step(b.top, &other), 0);
	faulty_write(&b, "x", 1);
	faulty_flush(&b);
	assert_in_range(faulty_now_ms(&b), 31 + 50, 31 + 52);
	faulty_close(&b);
}

/* A place counts from where the step is taken, so it is another one each time; those that have been passed are forgotten. */
static void places_of_steps_are_many_but_not_endless(void **state)
{
	struct fault_spec at, picks;
	char bytes[100] = "";
	(void)state;
	faulty_open(&b, "", 1, 0, NULL);
	step_parse(&at, "corrupt-at=10:out");
	for (int turn = 0; turn < 3000; turn++) {
		assert_int_equal(fault_step(b.top, &at), 0);
		faulty_write(&b, bytes, sizeof bytes);
		assert_true(rules() <= 2);
	}
	for (size_t i = 0; i < b.below.got_n; i++)
		assert_int_equal(b.below.got[i] != 0, i % 100 == 10);
	errno = 0;
	for (int turn = 0; turn < FAULT_RULES_MOST - 1; turn++)
		assert_int_equal(fault_step(b.top, &at), 0);
	while (rules() < FAULT_RULES_MOST)
		assert_int_equal(fault_step(b.top, &at), 0);
	assert_int_equal(fault_step(b.top, &at), -1);
	assert_int_equal(errno, ENOBUFS);
	faulty_close(&b);

	faulty_open(&b, "", 1, ST_DGRAM, NULL);
	step_parse(&picks, "loss=#2:out");
	for (int turn = 0; turn < 3000; turn++) {
		assert_int_equal(fault_step(b.top, &picks), 0);
		for (int i = 0; i < 3; i++)
			faulty_write(&b, "abc" + i, 1);
		assert_true(rules() <= 2);
	}
	assert_int_equal(b.below.got_n, 6000);
	for (size_t i = 0; i < b.below.got_n; i++)
		assert_int_equal(b.below.got[i], i % 2 == 0 ? 'a' : 'c');
	faulty_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latencies_add),
		cmocka_unit_test(jitters_add),
		cmocka_unit_test(the_smallest_rate_wins),
		cmocka_unit_test(gaps_add_and_the_smallest_chunk_wins),
		cmocka_unit_test(slow_closes_add),
		cmocka_unit_test(the_first_cut_comes),
		cmocka_unit_test(what_one_changes_the_other_does_not_undo),
		cmocka_unit_test(shares_of_datagrams_are_combined),
		cmocka_unit_test(datagrams_are_late_by_both),
		cmocka_unit_test(the_more_overtake),
		cmocka_unit_test(each_draws_its_connections),
		cmocka_unit_test(a_step_that_is_taken_again_changes_nothing),
		cmocka_unit_test(places_of_steps_are_many_but_not_endless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
