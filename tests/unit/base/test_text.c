/* UTF-8, what may be shown, and escapes: every code point, every cut, and no byte beyond the end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "guard.h"

#include <stdio.h>
#include <string.h>

static struct guard guard;

static int decode(const char *bytes, size_t n, uint32_t *cp)
{
	return utf8_decode(guard_bytes(&guard, bytes, n), n, cp);
}

/* By the table of RFC 3629, section 3. */
static size_t encode(uint32_t cp, char out[4])
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n] | cp);
	return n;
}

static void test_every_code_point(void **state)
{
	(void)state;
	for (uint32_t want = 0; want < 0x120000; want++) {
		char bytes[4];
		uint32_t cp = 0;
		size_t len = encode(want, bytes);
		bool bad = (want >= 0xd800 && want < 0xe000) || want > 0x10ffff;
		int got = utf8_decode((const unsigned char *)bytes, len, &cp);
		if (bad ? got != UTF8_BAD : got != (int)len || cp != want)
			fail_msg("U+%04X: %d, U+%04X", want, got, cp);
		for (size_t cut = 1; cut < len && !bad; cut++)
			if (decode(bytes, cut, &cp) != UTF8_PARTIAL)
				fail_msg("U+%04X cut after %zu", want, cut);
	}
}

static void test_not_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
		"\xc3(", "\xe2\x82(", "\xe2(\xa1", "\xf0\x9f\x98(", "\xf0(\x98\x80", "\xc3\xc3", "\xe0\x80", "\xed\xa0",
		"\xf4\x90" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint32_t cp;
		if (decode(bad[i], strlen(bad[i]), &cp) != UTF8_BAD)
			fail_msg("sequence %zu was not refused", i);
	}
}

static void test_printable(void **state)
{
	(void)state;
	static const uint32_t shown[] = { ' ', '~', 0xa0, 0xe9, 0x20ac, 0x4e2d, 0x1f600, 0xac00, 0x5d0, 0x301 };
	static const uint32_t hidden[] = { 0, '\n', '\t', 0x1b, 0x7f, 0x80, 0x85, 0x9b, 0x9f, 0xad, 0x61c, 0x200b, 0x200d, 0x200e,
		0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0xd800, 0xdfff, 0xfeff, 0xfdd0, 0xfff9, 0xfffe,
		0xffff, 0x1fffe, 0x10ffff, 0x110000, 0xe0001, 0xe0100, 0xe01ef };
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
		if (!text_printable(shown[i]))
			fail_msg("U+%04X is printable", shown[i]);
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (text_printable(hidden[i]))
			fail_msg("U+%04X is not printable", hidden[i]);
}

static void check_shown(const char *bytes, size_t n, const char *want)
{
	char out[200];
	assert_int_equal(text_show(out, sizeof out, guard_bytes(&guard, bytes, n), n), strlen(want));
	assert_string_equal(out, want);
}

static void test_show(void **state)
{
	(void)state;
	check_shown("", 0, "");
	check_shown("plain ~", 7, "plain ~");
	check_shown("a\nb\tc\r\0d", 8, "a\\nb\\tc\\x0d\\x00d");
	check_shown("back\\slash", 10, "back\\slash");
	check_shown("\033[31mred\233", 9, "\\x1b[31mred\\x9b");
	check_shown("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
	check_shown("\xc2\x9b", 2, "\\xc2\\x9b"); /* a C1 control in UTF-8 is one, too */
	check_shown("\xe2\x80\xae!", 4, "\\xe2\\x80\\xae!");
	check_shown("\xe2\x82", 2, "\\xe2\\x82"); /* cut */
	check_shown("\xff\xe2\x82\xac", 4, "\\xff\xe2\x82\xac");
}

/* For every room: what is there is a beginning of the whole, ends with NUL, and cuts neither escape nor code point. */
static void test_show_in_little_room(void **state)
{
	(void)state;
	static const char bytes[] = "a\n\xe2\x82\xac\x01z\xf0\x9f\x98\x80";
	static const char *const pieces[] = { "a", "\\n", "\xe2\x82\xac", "\\x01", "z", "\xf0\x9f\x98\x80" };
	char whole[64];
	text_show(whole, sizeof whole, bytes, sizeof bytes - 1);
	assert_int_equal(text_show(NULL, 0, bytes, 3), 0);
	for (size_t cap = 1; cap < sizeof whole; cap++) {
		char *out = guard_bytes(&guard, NULL, cap);
		size_t n = text_show(out, cap, bytes, sizeof bytes - 1), whole_pieces = 0;
		assert_true(n < cap);
		assert_int_equal(strlen(out), n);
		assert_memory_equal(out, whole, n);
		for (size_t i = 0; i < 6 && whole_pieces < n; i++)
			whole_pieces += strlen(pieces[i]);
		assert_int_equal(whole_pieces, n);
	}
}

static void check_unescaped(const char *text, const char *want, size_t n)
{
	unsigned char out[64];
	assert_int_equal(text_unescape(out, guard_text(&guard, text), NULL), n);
	assert_memory_equal(out, want, n);
	char *place = guard_text(&guard, text);
	assert_int_equal(text_unescape((unsigned char *)place, place, NULL), n);
	assert_memory_equal(place, want, n);
}

static void test_unescape(void **state)
{
	(void)state;
	check_unescaped("", "", 0);
	check_unescaped("plain", "plain", 5);
	check_unescaped("\\n\\r\\t\\0\\\\\\\"", "\n\r\t\0\\\"", 6);
	check_unescaped("\\x41\\xff\\x0a\\x4A4", "A\xff\nJ4", 5);
	static const char *const bad[] = { "\\", "\\q", "a\\", "\\x", "\\x4", "\\x4g", "\\xg4", "\\X41", "\\1", "\\\xc3" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		unsigned char out[8];
		struct err e = { 0 };
		assert_int_equal(text_unescape(out, guard_text(&guard, bad[i]), &e), -1);
		assert_int_equal(e.cls, ERR_USAGE);
		assert_non_null(strstr(e.what, "unknown escape"));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_show_in_little_room),
		cmocka_unit_test(test_unescape),
	};
	int rc = cmocka_run_group_tests_name("text", tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
