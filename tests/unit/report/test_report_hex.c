/* Payload for people: the longest event, in colour and without, in as many pieces as it takes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/report.h"
#include "tests/unit/guard.h"

#include <string.h>

static size_t count(const char *text, size_t n, const char *what)
{
	size_t found = 0, len = strlen(what);
	for (size_t i = 0; i + len <= n; i++)
		found += memcmp(text + i, what, len) == 0;
	return found;
}

static size_t dump(char *all, const struct event *ev, struct report_dump *d)
{
	char line[REPORT_LINE];
	size_t len = 0, n;
	while ((n = report_hex(line, ev, d)) > 0) {
		assert_true(n <= REPORT_LINE);
		assert_int_equal(line[n - 1], '\n');
		memcpy(all + len, line, n);
		len += n;
	}
	return len;
}

static void the_longest_event_in_pieces(void **state)
{
	static char all[65536];
	struct guard guard = { 0 };
	(void)state;
	const char *bytes = guard_bytes(&guard, NULL, EVENT_BYTES_MOST);
	const struct ev_field fields[] = { EV_TEXT("dir", "in"), EV_NUM("off", 7), EV_NUM("len", EVENT_BYTES_MOST),
		EV_BYTES("b64", bytes, EVENT_BYTES_MOST), { 0 } };
	const struct event ev = { .kind = EV_DATA, .conn = UINT32_MAX, .fields = fields };
	for (int colour = 0; colour < 2; colour++) {
		struct report_dump d = { .wallclock_us = 1795230040123456, .colour = colour };
		size_t len = dump(all, &ev, &d);
		assert_int_equal(d.conn, UINT32_MAX);
		assert_int_equal(count(all, len, "# 4294967295\n"), 1);
		assert_int_equal(count(all, len, "I 2026-11-21T03:00:40.123456Z"), 1);
		assert_int_equal(count(all, len, " 00"), EVENT_BYTES_MOST);
		assert_int_equal(count(all, len, "\n"), 2 + EVENT_BYTES_MOST / 16);
		assert_int_equal(count(all, len, "\033[32m"), colour ? 1 + EVENT_BYTES_MOST / 16 : 0);
		assert_int_equal(count(all, len, "\033[0m\n"), colour ? 1 + EVENT_BYTES_MOST / 16 : 0);
	}
	guard_free(&guard);
}

static void nothing_is_a_comment_and_bytes_may_be_absent(void **state)
{
	char all[REPORT_LINE];
	const struct ev_field empty[] = { EV_TEXT("dir", "out"), EV_NUM("off", 0), EV_NUM("len", 0), { 0 } };
	const struct event ev = { .kind = EV_DATA, .conn = 3, .fields = empty };
	struct report_dump d = { .wallclock_us = 7, .conn = 3 };
	(void)state;
	size_t len = dump(all, &ev, &d);
	assert_int_equal(len, strlen("# O 1970-01-01T00:00:00.000007Z empty datagram\n"));
	assert_memory_equal(all, "# O 1970-01-01T00:00:00.000007Z empty datagram\n", len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_event_in_pieces),
		cmocka_unit_test(nothing_is_a_comment_and_bytes_may_be_absent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
