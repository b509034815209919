/* The line framer, on input that ends where memory ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "io/framer.h"

#include <string.h>

static struct guard guard;

struct row {
	const char *in;
	size_t most;
	ssize_t used;
	const char *payload;
};

static void lines_are_cut_as_the_table_says(void **state)
{
	static const struct row rows[] = {
		{ "", 5, FRAMER_PARTIAL, NULL },
		{ "\n", 5, 1, "" },
		{ "\r\n", 5, 2, "" },
		{ "abc\n", 5, 4, "abc" },
		{ "abc\r\n", 5, 5, "abc" },
		{ "abc\ndef\n", 5, 4, "abc" },
		{ "a\rb\n", 5, 4, "a\rb" },
		{ "a\r\r\n", 5, 4, "a\r" },
		{ "abc", 5, FRAMER_PARTIAL, NULL },
		{ "abcde", 5, FRAMER_PARTIAL, NULL },
		{ "abcde\n", 5, 6, "abcde" },
		{ "abcde\r", 5, FRAMER_PARTIAL, NULL }, /* the CR may be followed by its LF */
		{ "abcde\r\n", 5, 7, "abcde" },
		{ "abcdef", 5, FRAMER_BAD, NULL },
		{ "abcdef\n", 5, FRAMER_BAD, NULL },
		{ "abcde\rx\n", 5, FRAMER_BAD, NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct framer f = framer_line;
		size_t at = 99, n = 99, len = strlen(rows[i].in);
		const char *in = guard_bytes(&guard, rows[i].in, len);
		f.most = rows[i].most;
		ssize_t used = framer_cut(&f, in, len, &at, &n);
		if (used != rows[i].used)
			fail_msg("row %zu: used %zd, want %zd", i, used, rows[i].used);
		if (rows[i].payload == NULL)
			continue;
		assert_int_equal(at, 0);
		assert_int_equal(n, strlen(rows[i].payload));
		assert_memory_equal(in + at, rows[i].payload, n);
	}
}

static void zeros_are_bytes_like_others(void **state)
{
	size_t at, n;
	(void)state;
	assert_int_equal(framer_cut(&framer_line, guard_bytes(&guard, "a\0b\nc", 5), 5, &at, &n), 4);
	assert_int_equal(n, 3);
}

static void the_default_is_a_mebibyte(void **state)
{
	size_t at, n, most = framer_line.most;
	char *in = guard_bytes(&guard, NULL, most + 1);
	(void)state;
	assert_int_equal(most, 1024 * 1024);
	assert_int_equal(framer_cut(&framer_line, in, most, &at, &n), FRAMER_PARTIAL);
	assert_int_equal(framer_cut(&framer_line, in, most + 1, &at, &n), FRAMER_BAD);
	in[most] = '\n';
	assert_int_equal(framer_cut(&framer_line, in, most + 1, &at, &n), (ssize_t)most + 1);
}

static void whole_lines_end_with_the_last_newline(void **state)
{
	(void)state;
	assert_int_equal(framer_whole_lines(guard_bytes(&guard, "", 0), 0), 0);
	assert_int_equal(framer_whole_lines(guard_bytes(&guard, "abc", 3), 3), 0);
	assert_int_equal(framer_whole_lines(guard_bytes(&guard, "a\nb\nc", 5), 5), 4);
	assert_int_equal(framer_whole_lines(guard_bytes(&guard, "\n", 1), 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_as_the_table_says),
		cmocka_unit_test(zeros_are_bytes_like_others),
		cmocka_unit_test(the_default_is_a_mebibyte),
		cmocka_unit_test(whole_lines_end_with_the_last_newline),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
