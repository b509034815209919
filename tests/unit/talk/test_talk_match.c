/* Patterns: which frames each of them means, and what raw bytes tell about it, one after the other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "script/talk_script.h"
#include "tests/unit/guard.h"

#include <stdio.h>
#include <string.h>

static struct guard guard;
static struct talk_script *script;

static const struct talk_pattern *pattern(const char *words)
{
	char text[200];
	const struct talk_options options = { .framer = framer_line };
	struct err e = { 0 };
	static char kept[200]; /* the script borrows it */
	snprintf(text, sizeof text, "expect %s", words);
	strcpy(kept, text);
	const char *texts[] = { kept };
	talk_free(script);
	script = talk_parse(texts, 1, &options, &e);
	if (script == NULL)
		fail_msg("%s", e.what);
	return talk_section(script, 1)->steps->pattern;
}

static bool talk_match(const struct talk_pattern *p, const unsigned char *frame, size_t n, struct talk_bytes group[TALK_GROUPS])
{
	const struct talk_bytes bytes = { frame, n };
	struct talk_match m;
	enum talk_fit fit = TALK_MORE;
	((struct talk_pattern *)(uintptr_t)p)->groups =
		p->kind == TALK_REGEX ? TALK_GROUPS : 0; /* as if a script used them all */
	talk_match_start(&m, p, &bytes);
	for (int64_t work = 1; fit == TALK_MORE; work = work % 5 + 1)
		fit = talk_match_go(&m, &work, group);
	assert_int_not_equal(fit, TALK_NO_MEMORY);
	return fit == TALK_YES;
}

struct row {
	const char *pattern, *frame;
	size_t n;
	bool is;
};
#define F(bytes) bytes, sizeof(bytes) - 1

static void frames_are_judged_as_the_table_says(void **state)
{
	static const struct row rows[] = {
		{ "\"\"", F(""), true },
		{ "\"\"", F("a"), false },
		{ "\"hola\"", F("hola"), true },
		{ "\"hola\"", F("hol"), false },
		{ "\"hola\"", F("holas"), false },
		{ "\"hola\"", F("hOla"), false },
		{ "!\"hola\"", F("hola"), false },
		{ "!\"hola\"", F("hol"), true },
		{ "i\"hOlA ñ[\"", F("HoLa ñ["), true },
		{ "i\"hola {\"", F("hola ["), false }, /* 0x20 apart, and no letters */
		{ "i\"ñ\"", F("Ñ"), false },
		{ "x\"00ff\"", F("\0\xff"), true },
		{ "x\"00ff\"", F("\0\xfe"), false },
		{ "^\"ho\"", F("ho"), true },
		{ "^\"ho\"", F("hola"), true },
		{ "^\"ho\"", F("h"), false },
		{ "^\"\"", F(""), true },
		{ "^i\"HO\"", F("hola"), true },
		{ "!^\"ho\"", F("hola"), false },
		{ "*\"la\"", F("hola"), true },
		{ "*\"la\"", F("la"), true },
		{ "*\"la\"", F("lalla"), true },
		{ "*\"la\"", F("l"), false },
		{ "*\"\"", F(""), true },
		{ "*i\"LLA\"", F("lalLa"), true },
		{ "*i\"LLA\"", F("lalL"), false },
		{ "*x\"00\"", F("a\0b"), true },
		{ "~\"^a+$\"", F("aaa"), true },
		{ "~\"^a+$\"", F("aab"), false },
		{ "~\"^$\"", F(""), true },
		{ "~i\"^A+$\"", F("aAa"), true },
		{ "~\"a|b\"", F("xbx"), true },
		{ "~\"a\"", F("a\0b"), false }, /* not to be decided by a part */
		{ "!~\"a\"", F("a\0b"), true },
		{ "~\"^[[:digit:]]{3} \"", F("220 hi"), true },
		{ "any", F(""), true },
		{ "any", F("x"), true },
		{ "!any", F("x"), false },
		{ "3 bytes", F("abc"), true },
		{ "3 bytes", F("ab"), false },
		{ "3 bytes", F("abcd"), false },
		{ "!1 byte", F("ab"), true },
	};
	struct talk_bytes group[TALK_GROUPS];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct talk_pattern *p = pattern(rows[i].pattern);
		const unsigned char *frame = p->kind == TALK_REGEX
						     ? (const unsigned char *)guard_bytes(&guard, rows[i].frame, rows[i].n + 1)
						     : (const unsigned char *)guard_bytes(&guard, rows[i].frame, rows[i].n);
		if (talk_match(p, frame, rows[i].n, group) != rows[i].is)
			fail_msg("%s: %s is judged wrongly", rows[i].pattern, rows[i].frame);
		assert_int_equal(group[0].n, rows[i].n);
	}
}

static void parentheses_are_remembered(void **state)
{
	struct talk_bytes group[TALK_GROUPS];
	const unsigned char *frame = guard_bytes(&guard, "GET /a HTTP/1.1", 16);
	(void)state;
	assert_true(talk_match(pattern("~\"^([A-Z]+) (/[^ ]*)( x)? HTTP/(1)[.](0|1)$\""), frame, 15, group));
	static const char *const want[TALK_GROUPS] = { "GET /a HTTP/1.1", "GET", "/a", "", "1", "1", "", "", "", "" };
	for (size_t i = 0; i < TALK_GROUPS; i++) {
		assert_int_equal(group[i].n, strlen(want[i]));
		assert_memory_equal(group[i].p, want[i], group[i].n);
	}
	assert_true(talk_match(pattern("any"), frame, 15, group));
	assert_int_equal(group[1].n, 0);
}

/* What so many bytes tell, and that it does not depend on how many calls they come in. */
static void raw_bytes_are_judged_one_by_one(void **state)
{
	static const struct {
		const char *pattern, *bytes;
		enum talk_fit fit, at_eof;
		size_t n, n_at_eof;
	} rows[] = {
		{ "\"ho\"", "", TALK_MORE, TALK_NO, 0, 0 },
		{ "\"ho\"", "h", TALK_MORE, TALK_NO, 1, 1 },
		{ "\"ho\"", "ho", TALK_YES, TALK_YES, 2, 2 },
		{ "\"ho\"", "hola", TALK_YES, TALK_YES, 2, 2 },
		{ "\"ho\"", "a", TALK_NO, TALK_NO, 1, 1 },
		{ "\"ho\"", "hx", TALK_NO, TALK_NO, 2, 2 },
		{ "^\"ho\"", "hxy", TALK_NO, TALK_NO, 2, 2 },
		{ "i\"Ho\"", "hO", TALK_YES, TALK_YES, 2, 2 },
		{ "2 bytes", "a", TALK_MORE, TALK_NO, 1, 1 },
		{ "2 bytes", "abc", TALK_YES, TALK_YES, 2, 2 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct talk_pattern *p = pattern(rows[i].pattern);
		size_t len = strlen(rows[i].bytes), n = 0, seen = 0, k = 0;
		const unsigned char *bytes = guard_bytes(&guard, rows[i].bytes, len);
		assert_int_equal(talk_fits(p, bytes, len, false, &n), rows[i].fit);
		assert_int_equal(n, rows[i].n);
		n = 0;
		assert_int_equal(talk_fits(p, bytes, len, true, &n), rows[i].at_eof);
		assert_int_equal(n, rows[i].n_at_eof);
		while (talk_fits(p, bytes, k, false, &seen) == TALK_MORE && k < len)
			k++;
		assert_int_equal(seen, rows[i].n);
	}
}

static void searching_finds_the_first(void **state)
{
	static const struct {
		const char *pattern, *bytes;
		ptrdiff_t at;
	} rows[] = {
		{ "*\"ab\"", "", -1 },
		{ "*\"ab\"", "aab ab", 1 },
		{ "*\"ab\"", "aaa", -1 },
		{ "*i\"aB\"", "aAbAB", 1 },
		{ "*i\"aB\"", "aA", -1 },
		{ "*i\"x\"", "aX", 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i].bytes);
		const struct talk_pattern *p = pattern(rows[i].pattern);
		const unsigned char *bytes = guard_bytes(&guard, rows[i].bytes, len);
		struct needle_search s = { 0 };
		int64_t work = 1000;
		bool is = needle_go(&s, &p->needle, bytes, len, &work) == NEEDLE_FOUND;
		assert_int_equal(is ? (ptrdiff_t)s.at : -1, rows[i].at);
	}
}

static void where_two_differ_is_told(void **state)
{
	(void)state;
	assert_int_equal(talk_same(pattern("\"hola\""), (const unsigned char *)"hole", 4), 3);
	assert_int_equal(talk_same(pattern("\"hola\""), (const unsigned char *)"ho", 2), 2);
	assert_int_equal(talk_same(pattern("i\"hola\""), (const unsigned char *)"HOLAS", 5), 4);
	assert_int_equal(talk_same(pattern("\"hola\""), (const unsigned char *)"x", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_judged_as_the_table_says),
		cmocka_unit_test(parentheses_are_remembered),
		cmocka_unit_test(raw_bytes_are_judged_one_by_one),
		cmocka_unit_test(searching_finds_the_first),
		cmocka_unit_test(where_two_differ_is_told),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	talk_free(script);
	guard_free(&guard);
	return rc;
}
