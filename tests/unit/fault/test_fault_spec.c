/* Faults as users write them: what is understood, and that a refusal says what was got and what is possible. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "fault/fault_spec.h"

#include <stdio.h>
#include <string.h>

static struct guard guard;

static struct fault_spec parsed(const char *text)
{
	struct fault_spec s;
	struct err e = { 0 };
	memset(&s, 0xff, sizeof s);
	if (fault_parse(&s, guard_text(&guard, text), &e) != 0)
		fail_msg("%s: %s", text, e.what);
	return s;
}

enum { IN = 1 << FAULT_IN, OUT = 1 << FAULT_OUT, BOTH = IN | OUT };

static void values_are_read(void **state)
{
	static const struct {
		const char *text;
		enum fault_kind kind;
		unsigned dirs;
		bool timed;
		int64_t a, b;
	} rows[] = {
		{ "refuse-for=2s", FAULT_REFUSE_FOR, BOTH, false, 2000, 0 },
		{ "accept-delay=500ms", FAULT_ACCEPT_DELAY, BOTH, false, 500, 0 },
		{ "accept-rst", FAULT_ACCEPT_RST, BOTH, false, 0, 0 },
		{ "no-accept", FAULT_NO_ACCEPT, BOTH, false, 0, 0 },
		{ "backlog-full", FAULT_BACKLOG_FULL, BOTH, false, 0, 0 },
		{ "latency=100ms~20ms", FAULT_LATENCY, BOTH, false, 100, 20 },
		{ "latency=1.5s:in", FAULT_LATENCY, IN, false, 1500, 0 },
		{ "rate=64k", FAULT_RATE, BOTH, false, 65536, 0 },
		{ "chunk=1..7", FAULT_CHUNK, BOTH, false, 1, 7 },
		{ "chunk=4k:out", FAULT_CHUNK, OUT, false, 4096, 4096 },
		{ "gap=2ms", FAULT_GAP, BOTH, false, 2, 0 },
		{ "stall-after=0", FAULT_STALL, BOTH, false, 0, 0 },
		{ "stall-after=100", FAULT_STALL, BOTH, false, 100, 0 },
		{ "sink-after=64k:in", FAULT_SINK, IN, false, 65536, 0 },
		{ "close-after=5s:out", FAULT_CLOSE, OUT, true, 5000, 0 },
		{ "half-after=10m", FAULT_HALF, BOTH, true, 600000, 0 },
		{ "rst-after=1M", FAULT_RST, BOTH, false, 1048576, 0 },
		{ "rst-after=0s", FAULT_RST, BOTH, true, 0, 0 },
		{ "slow-close=2s", FAULT_SLOW_CLOSE, BOTH, false, 2000, 0 },
		{ "corrupt=1/1000", FAULT_CORRUPT, BOTH, false, 1000, 0 },
		{ "corrupt-at=17:out", FAULT_CORRUPT_AT, OUT, false, 17, 0 },
		{ "rcvbuf=4k", FAULT_RCVBUF, BOTH, false, 4096, 0 },
		{ "loss=10%", FAULT_LOSS, BOTH, false, 100000, 0 },
		{ "loss=0.25%:in", FAULT_LOSS, IN, false, 2500, 0 },
		{ "dup=100%", FAULT_DUP, BOTH, false, 1000000, 0 },
		{ "dup=0.0001%", FAULT_DUP, BOTH, false, 1, 0 },
		{ "reorder=5%/3", FAULT_REORDER, BOTH, false, 50000, 3 },
		{ "truncate=0", FAULT_TRUNCATE, BOTH, false, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fault_spec s = parsed(rows[i].text);
		if (s.kind != rows[i].kind || s.dirs != rows[i].dirs || s.timed != rows[i].timed || s.a != rows[i].a ||
			s.b != rows[i].b || s.prob != 1000000 || s.ranges_n != 0 || s.picks_n != 0)
			fail_msg("%s: kind %d dirs %d timed %d a %lld b %lld", rows[i].text, s.kind, s.dirs, s.timed,
				(long long)s.a, (long long)s.b);
		size_t n = strlen(fault_name(&s));
		assert_true(strncmp(rows[i].text, fault_name(&s), n) == 0 && strchr("=", rows[i].text[n]) != NULL);
	}
}

static void lists_are_read(void **state)
{
	(void)state;
	struct fault_spec s = parsed("loss=#2,#5:in,conn=2,5-7,9-,prob=50%");
	assert_int_equal(s.kind, FAULT_LOSS);
	assert_int_equal(s.dirs, IN);
	assert_int_equal(s.picks_n, 2);
	assert_true(s.picks[0] == 2 && s.picks[1] == 5);
	assert_int_equal(s.prob, 500000);
	assert_int_equal(s.ranges_n, 3);
	for (uint32_t conn = 1; conn <= 12; conn++) {
		s.prob = 1000000;
		assert_int_equal(fault_concerns(&s, 1, conn), conn == 2 || (conn >= 5 && conn <= 7) || conn >= 9);
		s.prob = 0;
		assert_false(fault_concerns(&s, 1, conn));
	}
	assert_true(fault_concerns(&(struct fault_spec){ .prob = 1000000 }, 1, 4000000000U));
	s = parsed("rst-after=5:out,prob=1%,conn=3");
	assert_true(s.prob == 10000 && s.ranges_n == 1 && s.dirs == OUT);
	s = parsed("loss=#1:in");
	assert_true(s.dirs == IN && s.picks_n == 1 && s.picks[0] == 1);
}

static void a_share_of_connections_is_one(void **state)
{
	(void)state;
	struct fault_spec rst = parsed("rst-after=1,prob=30%"), stall = parsed("stall-after=1,prob=30%");
	unsigned hit = 0, both = 0;
	for (uint32_t conn = 1; conn <= 10000; conn++) {
		bool a = fault_concerns(&rst, 42, conn), b = fault_concerns(&stall, 42, conn);
		assert_int_equal(fault_concerns(&rst, 42, conn), a);
		hit += a;
		both += a && b;
	}
	assert_in_range(hit, 2800, 3200);
	assert_in_range(both, 700, 1100); /* the one says nothing of the other */
}

static void refusals_say_what_is_possible(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "expected one of refuse-for, " },
		{ "rst-aftr=5", "got \"rst-aftr\", expected one of " },
		{ "truncat=1", "loss, dup, reorder, truncate" },
		{ "Latency=1s", "expected one of " },
		{ "\x1b[31m", "got \"\\x1b[31m\"" },
		{ "latency", "expected latency=TIME[~JITTER]" },
		{ "latency=", "expected latency=TIME[~JITTER]" },
		{ "latency=100", "latency: got \"100\", expected a duration" },
		{ "latency=1s~", "expected a duration" },
		{ "latency=10001h", "expected 10000h at most" },
		{ "latency=1s~99999h", "expected 10000h at most" },
		{ "rst-after=99999h", "expected bytes such as" },
		{ "latency=~1s", "expected a duration" },
		{ "rate=0", "expected 1 to " },
		{ "rate=9999G", "expected 1 to " },
		{ "rate=quick", "expected a size" },
		{ "chunk=7..1", "the smaller number first" },
		{ "chunk=0..1", "expected 1 to " },
		{ "chunk=1..", "expected a size" },
		{ "stall-after=1x", "expected bytes such as" },
		{ "stall-after=-1", "expected bytes such as" },
		{ "corrupt=1000", "expected a share such as 1/1000" },
		{ "corrupt=1/0", "expected 1 to " },
		{ "corrupt-at=1s", "expected a size" },
		{ "loss=10", "expected a share such as 5%" },
		{ "loss=101%", "expected a share" },
		{ "loss=.5%", "expected a share" },
		{ "loss=5.%", "expected a share" },
		{ "loss=0.00001%", "expected a share" },
		{ "loss=99999999999999999999%", "expected a share" },
		{ "loss=#0", "whole number" },
		{ "loss=#1,2", "expected conn=LIST or prob=P%" },
		{ "loss=10%,#2", "expected conn=LIST or prob=P%" },
		{ "reorder=5%", "such as 5%/3" },
		{ "reorder=5%/0", "whole number" },
		{ "truncate=70000", "expected 0 to 65535" },
		{ "accept-rst=1", "accept-rst takes no value" },
		{ "accept-rst:in", "accept-rst has no direction" },
		{ "slow-close=1s:out", "slow-close has no direction" },
		{ "rcvbuf=4k:in", "rcvbuf has no direction" },
		{ "rate=1k:up", "got \"up\", expected in or out" },
		{ "rate=1k:", "expected in or out" },
		{ "rate=1k,conn=", "whole number" },
		{ "rate=1k,conn=0", "whole number" },
		{ "rate=1k,conn=5-3", "a whole number from 5 to " },
		{ "rate=1k,conn=1,,2", "expected conn=LIST" },
		{ "rate=1k,", "expected conn=LIST" },
		{ "rate=1k,3", "expected conn=LIST" },
		{ "rate=1k,prob=1", "expected a share" },
		{ "rate=1k,prob=1%,2", "expected conn=LIST" },
		{ "rate=1k,conn=1,2,3,4,5,6,7,8,9", "more than 8 ranges" },
		{ "loss=#1,#2,#3,#4,#5,#6,#7,#8,#9,#10,#11,#12,#13,#14,#15,#16,#17", "more than 16" },
		{ "refuse-for=1s,conn=1", "refuse-for applies to the listening socket as a whole" },
		{ "no-accept,prob=5%", "it takes no prob=" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fault_spec s = { .a = 4711 };
		struct err e = { 0 };
		if (fault_parse(&s, guard_text(&guard, rows[i].text), &e) != -1 || strstr(e.what, rows[i].words) == NULL)
			fail_msg("\"%s\": %s", rows[i].text, e.what);
		assert_int_equal(e.cls, ERR_USAGE);
		assert_int_equal(s.a, 4711);
		assert_int_equal(fault_parse(&s, rows[i].text, NULL), -1);
	}
}

static void endless_words_are_refused(void **state)
{
	static char text[5000];
	struct fault_spec s;
	(void)state;
	for (size_t n = 100; n < sizeof text; n += 79) {
		memset(text, 'x', n);
		text[n] = '\0';
		assert_int_equal(fault_parse(&s, text, NULL), -1);
		memcpy(text, "latency=", 8);
		assert_int_equal(fault_parse(&s, text, NULL), -1);
	}
}

/* Any cut and any change of one byte is understood or refused, and nothing is read beyond the end. */
static void no_text_is_too_strange(void **state)
{
	static const char seedling[] = "loss=#2,#5:in,conn=2,5-7,9-,prob=50%";
	char text[sizeof seedling];
	struct fault_spec s;
	(void)state;
	for (size_t i = 0; i < sizeof seedling; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(text, seedling, sizeof text);
			text[i] = (char)c;
			text[sizeof text - 1] = '\0';
			fault_parse(&s, guard_text(&guard, text), NULL);
		}
}

static void names_by_place(void **state)
{
	char names[FAULT_NAMES];
	(void)state;
	assert_string_equal(fault_names(FAULT_AT_DGRAM, names), "latency, loss, dup, reorder, truncate");
	assert_string_equal(
		fault_names(FAULT_AT_LISTENER, names), "refuse-for, accept-delay, accept-rst, no-accept, backlog-full");
	assert_true(strlen(fault_names(FAULT_AT_LISTENER | FAULT_AT_STREAM | FAULT_AT_DGRAM, names)) + 40 < FAULT_NAMES);
	for (int kind = 0; kind < FAULT_KINDS; kind++) {
		const struct fault_spec s = { .kind = (uint8_t)kind };
		assert_non_null(fault_name(&s));
		assert_int_not_equal(fault_places(&s), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(a_share_of_connections_is_one),
		cmocka_unit_test(refusals_say_what_is_possible),
		cmocka_unit_test(endless_words_are_refused),
		cmocka_unit_test(no_text_is_too_strange),
		cmocka_unit_test(names_by_place),
	};
	int failed = cmocka_run_group_tests_name("fault_spec", tests, NULL, NULL);
	guard_free(&guard);
	return failed;
}
