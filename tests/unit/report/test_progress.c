/* How far it has come, in words and bars: three digits of bytes, times that people read, and nothing that is not known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/progress.h"

#include <stdio.h>
#include <string.h>

enum { SECOND = 1000000 };

static char text[256];

static const char *words(const struct ev_field *fields)
{
	const struct event ev = { .kind = EV_PROGRESS, .fields = fields };
	size_t n = progress_text(text, sizeof text, &ev);
	assert_int_equal(n, strlen(text));
	return text;
}
#define WORDS(...) words((const struct ev_field[]){ __VA_ARGS__, { 0 } })

static const char *bar(size_t columns, const struct ev_field *fields)
{
	const struct event ev = { .kind = EV_PROGRESS, .fields = fields };
	size_t n = progress_bar(text, sizeof text, &ev, columns);
	assert_int_equal(n, strlen(text));
	assert_in_range(n, 0, columns);
	return text;
}
#define BAR(columns, ...) bar((columns), (const struct ev_field[]){ __VA_ARGS__, { 0 } })

static void all_of_it(void **state)
{
	(void)state;
	assert_string_equal(WORDS(EV_NUM("in", 40), EV_NUM("out", 1258291), EV_NUM("in_bps", 0), EV_NUM("out_bps", 317440),
				    EV_NUM("eta_us", 9 * SECOND), EV_NUM("dur_us", 4 * SECOND)),
		"sent 1.2MiB 310KiB/s  recv 40B  00:04 ETA 00:09");
	assert_string_equal(WORDS(EV_NUM("in", 0), EV_NUM("out", 0), EV_NUM("dur_us", 0)), "sent 0B  recv 0B  00:00");
}

static void bytes(void **state)
{
	(void)state;
	static const struct {
		int64_t bytes;
		const char *shown;
	} all[] = { { 0, "0B" }, { 999, "999B" }, { 1000, "1.0KiB" }, { 1023, "1.0KiB" }, { 1024, "1.0KiB" }, { 1536, "1.5KiB" },
		{ 10188, "9.9KiB" }, { 10189, "10KiB" }, { 10240, "10KiB" }, { 1023487, "999KiB" }, { 1023488, "1.0MiB" },
		{ 1 << 30, "1.0GiB" }, { INT64_MAX, "8.0EiB" } };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char want[64];
		snprintf(want, sizeof want, "sent %s  recv 0B  00:00", all[i].shown);
		assert_string_equal(WORDS(EV_NUM("out", all[i].bytes)), want);
	}
}

static void times(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *since, *until;
	} all[] = { { 0, "00:00", "00:00" }, { SECOND / 2, "00:00", "00:01" }, { 59 * (int64_t)SECOND, "00:59", "00:59" },
		{ 3599 * (int64_t)SECOND, "59:59", "59:59" }, { 3600 * (int64_t)SECOND, "1:00:00", "1:00:00" },
		{ 360000 * (int64_t)SECOND, "100:00:00", "100:00:00" } };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char want[64];
		snprintf(want, sizeof want, "sent 0B  recv 0B  %s ETA %s", all[i].since, all[i].until);
		assert_string_equal(WORDS(EV_NUM("dur_us", all[i].us), EV_NUM("eta_us", all[i].us)), want);
	}
}

static void bars(void **state)
{
	(void)state;
	assert_string_equal(BAR(60, EV_NUM("out", 50), EV_NUM("remaining_bytes", 50)),
		"sent 50B  recv 0B  00:00  [=============>             ]  50%");
	assert_non_null(strstr(BAR(200, EV_NUM("in", 100), EV_NUM("remaining_bytes", 0)), "=] 100%"));
	assert_non_null(strstr(BAR(200, EV_NUM("in", 0), EV_NUM("remaining_bytes", 7)), "[>  "));
	assert_null(strchr(BAR(200, EV_NUM("in", 100)), '['));				   /* no end is known */
	assert_null(strchr(BAR(200, EV_NUM("in", 0), EV_NUM("remaining_bytes", 0)), '[')); /* of nothing */
}

/* Whatever the width, and whatever is told. */
static void no_bar_is_wider(void **state)
{
	(void)state;
	for (size_t columns = 1; columns < 250; columns++) {
		BAR(columns, EV_NUM("out", INT64_MAX), EV_NUM("in", INT64_MAX), EV_NUM("in_bps", INT64_MAX),
			EV_NUM("out_bps", INT64_MAX), EV_NUM("remaining_bytes", INT64_MAX), EV_NUM("eta_us", INT64_MAX - SECOND),
			EV_NUM("dur_us", INT64_MAX));
		BAR(columns, EV_NUM("out", 1), EV_NUM("remaining_bytes", 1));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(bytes),
		cmocka_unit_test(times),
		cmocka_unit_test(bars),
		cmocka_unit_test(no_bar_is_wider),
	};
	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
