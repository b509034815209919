/* Numbers as users write them: what is taken, and what is refused with a sentence that says what was expected. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/num.h"
#include "guard.h"

#include <string.h>

struct case_of {
	const char *text;
	int64_t want; /* REFUSED: -1 and words that name the text */
};

#define REFUSED INT64_MIN
#define MOST "9223372036854775807"

static struct guard guard;

static void check_refused(const struct err *e, const char *text)
{
	assert_int_equal(e->cls, ERR_USAGE);
	assert_non_null(strstr(e->what, "expected"));
	if (strlen(text) < 50)
		assert_non_null(strstr(e->what, text));
}

typedef int parser(const char *text, int64_t *out, struct err *e);

static void check_all(parser *parse, const struct case_of *c, size_t n)
{
	for (; n > 0; n--, c++) {
		struct err e = { 0 };
		int64_t out = 4711;
		int rc = parse(guard_text(&guard, c->text), &out, &e);
		if (c->want == REFUSED ? rc != -1 || out != 4711 : rc != 0 || out != c->want)
			fail_msg("\"%s\": %d, %lld", c->text, rc, (long long)out);
		if (rc != 0)
			check_refused(&e, c->text);
		assert_int_equal(parse(c->text, &out, NULL), rc);
	}
}

#define CHECK_ALL(parse, ...)                                                                                                    \
	do {                                                                                                                     \
		static const struct case_of cases[] = { __VA_ARGS__ };                                                           \
		check_all(parse, cases, sizeof cases / sizeof cases[0]);                                                         \
	} while (0)

static int parse_any(const char *text, int64_t *out, struct err *e)
{
	return num_int(text, INT64_MIN, INT64_MAX, out, e);
}

static int parse_1_to_9(const char *text, int64_t *out, struct err *e)
{
	return num_int(text, 1, 9, out, e);
}

static int parse_duration(const char *text, int64_t *out, struct err *e)
{
	return num_duration(text, false, out, e);
}

static int parse_seconds(const char *text, int64_t *out, struct err *e)
{
	return num_duration(text, true, out, e);
}

static int parse_port(const char *text, int64_t *out, struct err *e)
{
	uint16_t port = 0;
	int rc = num_port(text, "tcp", &port, e);
	if (rc == 0)
		*out = port;
	return rc;
}

static void test_int(void **state)
{
	(void)state;
	CHECK_ALL(parse_any, { "0", 0 }, { "007", 7 }, { "-3", -3 }, { MOST, INT64_MAX }, { "-" MOST, -INT64_MAX },
		{ "9223372036854775808", REFUSED }, { "99999999999999999999999", REFUSED }, { "", REFUSED }, { "-", REFUSED },
		{ "--1", REFUSED }, { "+1", REFUSED }, { " 1", REFUSED }, { "1 ", REFUSED }, { "1x", REFUSED },
		{ "0x10", REFUSED }, { "1e3", REFUSED }, { "1.0", REFUSED }, { "\xd9\xa1", REFUSED });
	CHECK_ALL(parse_1_to_9, { "1", 1 }, { "9", 9 }, { "0", REFUSED }, { "10", REFUSED }, { "-1", REFUSED });
}

static void test_size(void **state)
{
	(void)state;
	CHECK_ALL(num_size, { "0", 0 }, { "4096", 4096 }, { "5B", 5 }, { "64k", 65536 }, { "64K", 65536 }, { "1M", 1 << 20 },
		{ "2G", 2LL << 30 }, { "1KiB", 1024 }, { "1MiB", 1 << 20 }, { "1GiB", 1 << 30 }, { "1kB", 1000 },
		{ "1MB", 1000000 }, { "1GB", 1000000000 }, { MOST, INT64_MAX }, { "8589934591G", 8589934591LL << 30 },
		{ "8589934592G", REFUSED }, { "9223372036854775808", REFUSED }, { "1m", REFUSED }, { "1g", REFUSED },
		{ "1KB", REFUSED }, { "1kb", REFUSED }, { "1kiB", REFUSED }, { "1T", REFUSED }, { "k", REFUSED }, { "", REFUSED },
		{ "-1", REFUSED }, { "1 k", REFUSED }, { "1.5k", REFUSED }, { "1kk", REFUSED });
}

static void test_duration(void **state)
{
	(void)state;
	CHECK_ALL(parse_duration, { "250ms", 250 }, { "2s", 2000 }, { "5m", 300000 }, { "1h", 3600000 }, { "0", 0 }, { "0s", 0 },
		{ "1.5s", 1500 }, { "0.5m", 30000 }, { "0.0001s", 1 }, { "1.5ms", 2 }, { "1.000000001s", 1001 },
		{ "2305843009213693951ms", INT64_MAX / 4 }, { "2305843009213693952ms", REFUSED },
		{ "9223372036854775807h", REFUSED }, { "2", REFUSED }, { "00.5", REFUSED }, { "s", REFUSED }, { ".5s", REFUSED },
		{ "1.s", REFUSED }, { "1.5.5s", REFUSED }, { "1.0000000001s", REFUSED }, { "2 s", REFUSED }, { "2S", REFUSED },
		{ "2min", REFUSED }, { "1h30m", REFUSED }, { "-1s", REFUSED }, { "", REFUSED }, { "ms", REFUSED },
		{ "1,5s", REFUSED });
	CHECK_ALL(parse_seconds, { "2", 2000 }, { "0.25", 250 }, { "2ms", 2 }, { "0", 0 }, { "2x", REFUSED }, { "", REFUSED },
		{ "-2", REFUSED });
	struct err e = { 0 };
	int64_t out;
	assert_int_equal(num_duration("2", false, &out, &e), -1);
	assert_non_null(strstr(e.what, "unit")); /* the likeliest mistake is named */
}

static void test_port(void **state)
{
	(void)state;
	CHECK_ALL(parse_port, { "0", 0 }, { "80", 80 }, { "65535", 65535 }, { "00080", 80 }, { "65536", REFUSED },
		{ "99999999999999999999", REFUSED }, { "-1", REFUSED }, { "", REFUSED }, { "80 ", REFUSED }, { "0x50", REFUSED },
		{ "no-such-service", REFUSED }, { "80-90", REFUSED });
	uint16_t port = 0;
	if (num_port("http", "tcp", &port, NULL) == 0) /* where the system has a list of services */
		assert_int_equal(port, 80);
}

/* What was got is shown harmlessly, whatever it was. */
static void test_refusal_is_safe_to_show(void **state)
{
	(void)state;
	struct err e = { 0 };
	int64_t out;
	char big[3000];
	memset(big, '9', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	assert_int_equal(num_int(big, 0, 9, &out, &e), -1);
	assert_non_null(strstr(e.what, "expected")); /* not cut away by what was got */
	assert_int_equal(num_size("\033[2J\n", &out, &e), -1);
	assert_null(strchr(e.what, '\033'));
	assert_non_null(strstr(e.what, "\\x1b[2J\\n"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_refusal_is_safe_to_show),
	};
	int rc = cmocka_run_group_tests_name("num", tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
