/* The framer, on input that ends where memory ends: every kind, every way to cut it, every way to be bad.
 *
 * The line has tests of its own, because the rooms live on it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "codec/framer.h"

#include <stdbool.h>
#include <stdio.h>
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

static struct framer framed(const char *spec)
{
	struct framer f;
	struct err e = { 0 };
	if (framer_parse(&f, spec, &e) != 0)
		fail_msg("%s: %s", spec, e.what);
	return f;
}

#define BYTES(text) (text), sizeof(text) - 1

/* A whole frame, and what of it is payload. */
static const struct whole {
	const char *spec, *in;
	size_t len, at, n;
} wholes[] = {
	{ "line", BYTES("hola\n"), 0, 4 },
	{ "line", BYTES("ho\0la\r\n"), 0, 5 },
	{ "line,max=4", BYTES("hola\r\n"), 0, 4 },
	{ "crlf", BYTES("hola\r\n"), 0, 4 },
	{ "crlf", BYTES("\r\n"), 0, 0 },
	{ "crlf", BYTES("a\nb\rc\r\r\n"), 0, 6 },
	{ "crlf,max=4", BYTES("hola\r\n"), 0, 4 },
	{ "nul", BYTES("ho\nla\0"), 0, 5 },
	{ "nul", BYTES("\0"), 0, 0 },
	{ "netstring", BYTES("0:,"), 2, 0 },
	{ "netstring", BYTES("5:ho,la,"), 2, 5 },
	{ "netstring,max=12", BYTES("12:hola que tal,"), 3, 12 },
	{ "fixed=1", BYTES("\n"), 0, 1 },
	{ "fixed=7", BYTES("\0\1\2\3\n\r\6"), 0, 7 },
	{ "u8", BYTES("\0"), 1, 0 },
	{ "u8", BYTES("\4hola"), 1, 4 },
	{ "u8,incl", BYTES("\1"), 1, 0 },
	{ "u8,incl", BYTES("\5hola"), 1, 4 },
	{ "u16be", BYTES("\0\4hola"), 2, 4 },
	{ "u16le", BYTES("\4\0hola"), 2, 4 },
	{ "u16be,incl", BYTES("\0\6hola"), 2, 4 },
	{ "u16le,incl", BYTES("\2\0"), 2, 0 },
	{ "u32be", BYTES("\0\0\0\4hola"), 4, 4 },
	{ "u32le", BYTES("\4\0\0\0hola"), 4, 4 },
	{ "u32be,incl,max=4", BYTES("\0\0\0\10hola"), 4, 4 },
	{ "u32le,incl,max=4", BYTES("\10\0\0\0hola"), 4, 4 },
};

static void a_frame_is_partial_at_every_cut_and_then_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
		const struct whole *w = &wholes[i];
		struct framer f = framed(w->spec);
		size_t at = 99, n = 99, seen = 0;
		for (size_t len = 0; len < w->len; len++) {
			ssize_t got = framer_cut(&f, guard_bytes(&guard, w->in, len), len, &at, &n);
			ssize_t grown = framer_cut_on(&f, guard_bytes(&guard, w->in, len), len, &seen, &at, &n);
			if (got != FRAMER_PARTIAL || grown != FRAMER_PARTIAL)
				fail_msg("row %zu, %zu bytes: %zd and %zd", i, len, got, grown);
		}
		assert_int_equal(framer_cut_on(&f, guard_bytes(&guard, w->in, w->len), w->len, &seen, &at, &n), (ssize_t)w->len);
		assert_int_equal(seen, 0);
		ssize_t used = framer_cut(&f, guard_bytes(&guard, w->in, w->len), w->len, &at, &n);
		if (used != (ssize_t)w->len || at != w->at || n != w->n)
			fail_msg("row %zu: used %zd, payload %zu+%zu", i, used, at, n);
	}
}

static void what_follows_a_frame_is_not_looked_at(void **state)
{
	char in[64];
	(void)state;
	for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
		const struct whole *w = &wholes[i];
		struct framer f = framed(w->spec);
		for (int next = 0; next < 256; next++) {
			size_t at, n;
			memcpy(in, w->in, w->len);
			in[w->len] = (char)next;
			assert_int_equal(
				framer_cut(&f, guard_bytes(&guard, in, w->len + 1), w->len + 1, &at, &n), (ssize_t)w->len);
			assert_int_equal(n, w->n);
		}
	}
}

/* Bad with the last of these bytes, and not with one less. */
static const struct bad {
	const char *spec, *in;
	size_t len;
	const char *words;
} bads[] = {
	{ "line,max=4", BYTES("holas"), "frame without an end is over max 4" },
	{ "line,max=4", BYTES("hola\rx"), "frame without an end is over max 4" },
	{ "crlf,max=4", BYTES("hola\n"), "frame without an end is over max 4" },
	{ "crlf,max=4", BYTES("hola\r\r"), "frame without an end is over max 4" },
	{ "nul,max=1", BYTES("a\r"), "frame without an end is over max 1" },
	{ "netstring", BYTES(":"), "netstring without its length" },
	{ "netstring", BYTES("-"), "netstring without its length" },
	{ "netstring", BYTES("05"), "netstring without its length" },
	{ "netstring", BYTES("00"), "netstring without its length" },
	{ "netstring", BYTES("5;"), "netstring without its length" },
	{ "netstring", BYTES("5:holas\n"), "netstring without its comma" },
	{ "netstring", BYTES("0:x"), "netstring without its comma" },
	{ "netstring,max=65536", BYTES("70000"), "frame of at least 70000 bytes is over max 65536" },
	{ "netstring", BYTES("9999999"), "frame of at least 9999999 bytes is over max 1048576" },
	{ "u8,max=4", BYTES("\5"), "frame of 5 bytes is over max 4" },
	{ "u8,incl", BYTES("\0"), "frame with a length that does not count itself" },
	{ "u16be,incl", BYTES("\0\1"), "frame with a length that does not count itself" },
	{ "u16le,max=4,incl", BYTES("\7"), "frame of at least 5 bytes is over max 4" },
	{ "u16be,max=4", BYTES("\1"), "frame of at least 256 bytes is over max 4" },
	{ "u32be", BYTES("G"), "frame of at least 1191182336 bytes is over max 1048576" },
	{ "u32be,max=65536", BYTES("\0\1\x11"), "frame of at least 69888 bytes is over max 65536" },
	{ "u32le,max=65536", BYTES("\x70\x11\1"), "frame of at least 70000 bytes is over max 65536" },
	{ "u32le", BYTES("GET"), "frame of at least 5522759 bytes is over max 1048576" },
	{ "u16be,max=65530", BYTES("\xff\xfe"), "frame of 65534 bytes is over max 65530" },
	{ "u32le,incl", BYTES("\3\0\0\0"), "frame with a length that does not count itself" },
	{ "u32be", BYTES("\xff"), "frame of at least 4278190080 bytes is over max 1048576" },
};

static void what_can_never_be_a_frame_is_bad_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
		const struct bad *b = &bads[i];
		struct framer f = framed(b->spec);
		char words[FRAMER_WORDS];
		size_t at, n, seen = 0;
		for (size_t len = 0; len < b->len; len++)
			if (framer_cut_on(&f, guard_bytes(&guard, b->in, len), len, &seen, &at, &n) != FRAMER_PARTIAL)
				fail_msg("row %zu: not partial with %zu bytes", i, len);
		const char *in = guard_bytes(&guard, b->in, b->len);
		if (framer_cut_on(&f, in, b->len, &seen, &at, &n) != FRAMER_BAD)
			fail_msg("row %zu is not bad when it grows", i);
		if (framer_cut(&f, in, b->len, &at, &n) != FRAMER_BAD)
			fail_msg("row %zu is not bad", i);
		if (strstr(framer_fault(&f, in, b->len, words), b->words) != words)
			fail_msg("row %zu: \"%s\"", i, words);
	}
}

static void what_stands_before_a_frame_is_not_looked_at(void **state)
{
	struct framer f = framed("crlf");
	size_t at, n;
	(void)state;
	const char *in = guard_bytes(&guard, "\r\na\r\n", 5);
	assert_int_equal(framer_cut(&f, in + 1, 4, &at, &n), 4);
	assert_int_equal(n, 2);
}

static void raw_is_what_is_there(void **state)
{
	struct framer f = framed("raw");
	size_t at = 9, n = 9;
	(void)state;
	assert_int_equal(framer_cut(&f, guard_bytes(&guard, "a\nb", 3), 3, &at, &n), 3);
	assert_int_equal(at, 0);
	assert_int_equal(n, 3);
	assert_int_equal(framer_cut(&f, guard_bytes(&guard, "", 0), 0, &at, &n), FRAMER_PARTIAL);
}

/* Dresses n bytes; cuts them out again. False: they cannot be such a frame. */
static bool there_and_back(const char *spec, size_t n)
{
	static unsigned char out[70000 + 2 * FRAMER_EDGE];
	struct framer f = framed(spec);
	unsigned char head[FRAMER_EDGE], tail[FRAMER_EDGE];
	size_t head_n = 0, tail_n = 0, at = 0, len = 0;
	if (framer_dress(&f, n, head, &head_n, tail, &tail_n) != 0)
		return false;
	memcpy(out, head, head_n);
	memset(out + head_n, 'x', n);
	memcpy(out + head_n + n, tail, tail_n);
	size_t all = head_n + n + tail_n;
	ssize_t used = framer_cut(&f, guard_bytes(&guard, out, all), all, &at, &len);
	if (used != (ssize_t)all || len != n || (n > 0 && at != head_n))
		fail_msg("%s, %zu bytes: used %zd of %zu, payload %zu+%zu", spec, n, used, all, at, len);
	return true;
}

static void what_is_dressed_can_be_cut_again(void **state)
{
	static const char *const any[] = { "line", "crlf", "nul", "netstring", "u32be", "u32le", "u32be,incl", "u32le,incl" };
	static const size_t sizes[] = { 0, 1, 9, 10, 99, 100, 253, 254, 255, 256, 65533, 65534, 65535, 65536, 70000 };
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n = sizes[i];
		for (size_t k = 0; k < sizeof any / sizeof any[0]; k++)
			assert_true(there_and_back(any[k], n));
		assert_int_equal(there_and_back("u8", n), n <= 255);
		assert_int_equal(there_and_back("u8,incl", n), n <= 254);
		assert_int_equal(there_and_back("u16be", n), n <= 65535);
		assert_int_equal(there_and_back("u16le", n), n <= 65535);
		assert_int_equal(there_and_back("u16be,incl", n), n <= 65533);
		assert_int_equal(there_and_back("u16le,incl", n), n <= 65533);
		assert_int_equal(there_and_back("fixed=254", n), n == 254);
		assert_int_equal(there_and_back("line,max=253", n), n <= 253);
		assert_int_equal(there_and_back("netstring,max=99", n), n <= 99);
		assert_int_equal(there_and_back("u32le,max=99", n), n <= 99);
		if (n > 0)
			assert_true(there_and_back("raw", n));
	}
}

static void an_end_makes_a_frame_of_what_only_lacks_its_terminator(void **state)
{
	static const char *const yes[] = { "raw", "line", "crlf", "nul" };
	static const char *const no[] = { "netstring", "fixed=2", "u8", "u16be", "u16le", "u32be", "u32le" };
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		struct framer f = framed(yes[i]);
		assert_true(framer_rest_is_frame(&f));
	}
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		struct framer f = framed(no[i]);
		assert_false(framer_rest_is_frame(&f));
	}
}

static void specs_are_read_as_they_are_written(void **state)
{
	struct framer f = framed("netstring");
	(void)state;
	assert_int_equal(f.kind, FRAME_NETSTRING);
	assert_int_equal(f.most, 1024 * 1024);
	assert_false(f.incl);
	f = framed("u16le,incl,max=2k");
	assert_int_equal(f.kind, FRAME_U16LE);
	assert_int_equal(f.most, 2048);
	assert_true(f.incl);
	f = framed("fixed=4k");
	assert_int_equal(f.kind, FRAME_FIXED);
	assert_int_equal(f.most, 4096);
	f = framed("line,max=1G");
	assert_int_equal(f.most, 1 << 30);
}

static void a_wrong_spec_is_told_in_words(void **state)
{
	static const char all[] = "expected raw, line, crlf, nul, netstring, fixed=N, u8, u16be, u16le, u32be or u32le, got ";
	static const struct {
		const char *spec, *words;
	} rows[] = {
		{ "", all },
		{ "lines", all },
		{ "fixed", all },
		{ "u64be", all },
		{ "LINE", all },
		{ "line=5", all },
		{ "a name that is longer than any that there is", all },
		{ "fixed=0", "fixed: expected a size from 1 to 1G, got \"0\"" },
		{ "fixed=2G", "fixed: expected a size from 1 to 1G, got \"2G\"" },
		{ "fixed=x", "fixed: " },
		{ "line,max=0", "max: expected a size from 1 to 1G, got \"0\"" },
		{ "line,max=many", "max: " },
		{ "line,", "line: expected max=SIZE or incl, got \"\"" },
		{ "u8,most=5", "u8: expected max=SIZE or incl, got \"most=5\"" },
		{ "line,incl", "line: \"incl\" has no meaning there" },
		{ "netstring,incl", "netstring: \"incl\" has no meaning there" },
		{ "fixed=5,max=5", "fixed: \"max=5\" has no meaning there" },
		{ "raw,max=5", "raw: \"max=5\" has no meaning there" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct framer f = { .kind = FRAME_U8, .most = 7 };
		struct err e = { 0 };
		assert_int_equal(framer_parse(&f, guard_text(&guard, rows[i].spec), &e), -1);
		assert_int_equal(e.cls, ERR_USAGE);
		if (strncmp(e.what, rows[i].words, strlen(rows[i].words)) != 0)
			fail_msg("\"%s\": %s", rows[i].spec, e.what);
		assert_int_equal(f.kind, FRAME_U8); /* left as it was */
		assert_int_equal(f.most, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_as_the_table_says),
		cmocka_unit_test(zeros_are_bytes_like_others),
		cmocka_unit_test(the_default_is_a_mebibyte),
		cmocka_unit_test(whole_lines_end_with_the_last_newline),
		cmocka_unit_test(a_frame_is_partial_at_every_cut_and_then_whole),
		cmocka_unit_test(what_follows_a_frame_is_not_looked_at),
		cmocka_unit_test(what_can_never_be_a_frame_is_bad_at_once),
		cmocka_unit_test(what_stands_before_a_frame_is_not_looked_at),
		cmocka_unit_test(raw_is_what_is_there),
		cmocka_unit_test(what_is_dressed_can_be_cut_again),
		cmocka_unit_test(an_end_makes_a_frame_of_what_only_lacks_its_terminator),
		cmocka_unit_test(specs_are_read_as_they_are_written),
		cmocka_unit_test(a_wrong_spec_is_told_in_words),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
