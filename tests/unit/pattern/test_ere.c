/* Regular expressions: beside the C library's, which knows what they mean; and by counted work, which it does not bound. ERE_RUNS
 * says how many are drawn at random, ERE_SEED where to begin. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pattern/ere.h"
#include "tests/unit/guard.h"
#include "tests/unit/talk_play.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 10000, TEXT = 256, LONGEST = 24, FAR = 1 << 30 };

static struct guard guard;

/* The whole match and its groups, in pieces of so much work. */
static bool find(
	const struct ere *x, const char *bytes, size_t n, unsigned groups, int64_t piece, struct ere_span span[ERE_GROUPS])
{
	struct ere_cache *cache = ere_cache_open();
	struct ere_run r;
	enum ere_did did = ERE_MORE;
	ere_start(&r, x, cache, bytes, n, groups);
	while (did == ERE_MORE) {
		int64_t work = piece;
		did = ere_go(&r, &work);
	}
	assert_int_not_equal(did, ERE_MEMORY);
	memcpy(span, r.group, sizeof r.group);
	ere_cache_close(cache);
	return did == ERE_YES;
}

static struct ere *expression(const char *text, bool icase)
{
	char why[ERE_WORDS];
	struct ere *x = ere_open((const unsigned char *)text, strlen(text), icase, why);
	if (x == NULL)
		fail_msg("%s: %s", text, why);
	return x;
}

/* --- beside the C library --- */

static bool differs(const char *bytes, struct ere_span ours, regmatch_t theirs)
{
	size_t n = ours.from < 0 ? 0 : (size_t)(ours.to - ours.from),
	       m = theirs.rm_so < 0 ? 0 : (size_t)(theirs.rm_eo - theirs.rm_so);
	return n != m || (n > 0 && memcmp(bytes + ours.from, bytes + theirs.rm_so, n) != 0);
}

struct counters {
	unsigned both, matched, refused, odd;
};

/* NULL: there is no difference. groups: those of parentheses are compared, too. */
static const char *compare(const char *text, const char *bytes, bool icase, bool groups, struct counters *t)
{
	static char why[ERE_WORDS];
	struct ere_span ours[ERE_GROUPS], whole[ERE_GROUPS], none[ERE_GROUPS];
	regmatch_t theirs[ERE_GROUPS];
	regex_t regex;
	struct ere *x = ere_open((const unsigned char *)text, strlen(text), icase, why);
	int rc = regcomp(&regex, text, REG_EXTENDED | (icase ? REG_ICASE : 0));
	const char *what = NULL;
	if ((x == NULL) != (rc != 0) && strstr(why, "back-reference") == NULL)
		what = x == NULL ? why : "only the C library refuses it";
	t->refused += x == NULL;
	if (x != NULL && rc == 0) {
		size_t n = strlen(bytes);
		const char *at = guard_bytes(&guard, bytes, n);
		bool is = regexec(&regex, bytes, ERE_GROUPS, theirs, 0) == 0, found = find(x, at, n, ERE_GROUPS, FAR, ours);
		if (regex.re_nsub != ere_groups(x))
			what = "another number of parentheses";
		else if (is != found || is != find(x, at, n, 0, 1, none) || is != find(x, at, n, 1, 3, whole))
			what = found ? "it matches, and does not in the C library"
				     : "it does not match, and does in the C library";
		else if (is && (ours[0].from != theirs[0].rm_so || ours[0].to != theirs[0].rm_eo))
			what = "the whole match is another";
		else if (is && (whole[0].from != ours[0].from || whole[0].to != ours[0].to))
			what = "what it is in pieces is another";
		for (size_t i = 1; groups && is && what == NULL && i < ERE_GROUPS && i <= regex.re_nsub; i++)
			what = differs(bytes, ours[i], theirs[i]) ? "a group is another" : NULL;
		t->both++;
		t->matched += is;
	}
	if (rc == 0)
		regfree(&regex);
	ere_close(x);
	return what;
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);
	return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static void draw_bytes(uint32_t *dice, char *out, const char *letters, unsigned most)
{
	unsigned n = play_dice(dice) % most, from = (unsigned)strlen(letters);
	for (unsigned i = 0; i < n; i++)
		out[i] = letters[play_dice(dice) % from];
	out[n] = '\0';
}

static void add(char text[TEXT], const char *more)
{
	if (strlen(text) + strlen(more) < TEXT)
		strcat(text, more);
}

/* Only what stands alone is repeated by numbers, and nothing that is repeated is in something that is: of a few dozen letters the
 * C library makes millions of nodes. Anchors stand outside: in "(^.)+" it does not see that "a" fits. */
static void draw_sequence(uint32_t *dice, char text[TEXT], unsigned deep, bool flat, bool top)
{
	static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "[[:alpha:]]", "ab", "a" };
	static const char *const times[] = { "", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "{0}" };
	for (unsigned n = play_dice(dice) % 3 + 1; n > 0; n--) {
		bool group = deep > 0 && play_dice(dice) % 3 == 0;
		if (top && play_dice(dice) % 8 == 0)
			add(text, play_dice(dice) % 2 == 0 ? "^" : "$");
		if (group) {
			add(text, "(");
			draw_sequence(dice, text, deep - 1, flat, false);
			while (play_dice(dice) % 3 == 0) {
				add(text, "|");
				draw_sequence(dice, text, deep - 1, flat, false);
			}
			add(text, ")");
		} else {
			add(text, atoms[play_dice(dice) % (sizeof atoms / sizeof atoms[0])]);
		}
		if (!flat || !group)
			add(text, times[play_dice(dice) % (group ? 6 : sizeof times / sizeof times[0])]);
	}
}

/* Expressions of the grammar; where no parenthesis is repeated, what they have found is compared, too. */
static void it_means_what_the_c_library_means(void **state)
{
	uint32_t dice = setting("ERE_SEED", 1) * 2654435761u | 1;
	struct counters t = { 0 };
	(void)state;
	for (uint32_t i = setting("ERE_RUNS", RUNS); i > 0; i--) {
		char text[TEXT] = "", bytes[16];
		bool flat = play_dice(&dice) % 2 == 0;
		draw_sequence(&dice, text, flat ? 2 : 1, flat, true);
		if (strlen(text) > LONGEST)
			continue;
		draw_bytes(&dice, bytes, "aabbcA", 12);
		const char *what = compare(text, bytes, play_dice(&dice) % 8 == 0, flat, &t);
		if (what != NULL) {
			if (getenv("ERE_ODD") == NULL)
				fail_msg("\"%s\" and \"%s\": %s", text, bytes, what);
			printf("\"%s\" \"%s\": %s\n", text, bytes, what);
			fflush(stdout);
			t.odd++;
		}
	}
	printf("%u both, %u matched, %u refused, %u odd\n", t.both, t.matched, t.refused, t.odd);
	assert_true(t.matched > t.both / 4 && t.matched < t.both);
}

/* Pieces of expressions in any order: both read them, or both refuse them. */
static void what_is_none_is_refused_as_there(void **state)
{
	static const char *const words[] = { "a", "b", "(", ")", "|", "*", "+", "?", "{", "}", "{2}", "{1,", "{,2}", "{2,1}", "^",
		"$", ".", "[", "]", "[a", "[^", "-", "[a-c]", "[b-a]", "[[:digit:]", "[[:x:]]", "[[.a.]]", "[[=b=]-", "]", "\\",
		"\\.", "\\w", "\\b", "\\<", "\\S", ",", "1", "[]a]", "[^]a]", "[a-]", "[-a]", "()" };
	uint32_t dice = setting("ERE_SEED", 1) * 2246822519u | 1;
	struct counters t = { 0 };
	(void)state;
	for (uint32_t i = setting("ERE_RUNS", RUNS); i > 0; i--) {
		char text[TEXT] = "", bytes[16];
		for (unsigned n = play_dice(&dice) % 7 + 1; n > 0; n--)
			add(text, words[play_dice(&dice) % (sizeof words / sizeof words[0])]);
		draw_bytes(&dice, bytes, "ab1 .-]", 9);
		const char *what = compare(text, bytes, false, false, &t);
		if (what != NULL) {
			if (getenv("ERE_ODD") == NULL)
				fail_msg("\"%s\" and \"%s\": %s", text, bytes, what);
			printf("\"%s\" \"%s\": %s\n", text, bytes, what);
			t.odd++;
		}
	}
	printf("%u both, %u matched, %u refused, %u odd\n", t.both, t.matched, t.refused, t.odd);
	assert_true(t.matched > 0 && t.refused > t.both / 4);
}

static void groups_are_those_of_the_first_way(void **state)
{
	static const struct {
		const char *text, *bytes, *groups; /* each with a comma behind it */
	} rows[] = {
		{ "^SET (.*) (.*)$", "SET a b c", "a b,c," },
		{ "(a|ab)(c|bcd)(d*)", "abcd", "a,bcd,," },
		{ "(a+|b+)*c", "aabbc", "bb," },
		{ "(a*)*", "aa", "aa," },
		{ "x(y)?z", "xz", "," },
		{ "((a)|b)*", "ab", "b,a," },
		{ "()b", "ab", "," },
		{ "(b|ab)", "cab", "ab," },
		{ "(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)(a)", "1234567890a", "1,2,3,4,5,6,7,8,9," },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ere_span span[ERE_GROUPS];
		char got[64] = "";
		struct ere *x = expression(rows[i].text, false);
		assert_true(find(x, rows[i].bytes, strlen(rows[i].bytes), ERE_GROUPS, 1, span));
		for (size_t k = 1; k <= ere_groups(x) && k < ERE_GROUPS; k++) {
			strncat(got, rows[i].bytes + (span[k].from < 0 ? 0 : span[k].from), (size_t)(span[k].to - span[k].from));
			strcat(got, ",");
		}
		assert_string_equal(got, rows[i].groups);
		ere_close(x);
	}
}

static void what_cannot_be_bounded_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "(a)\\1", "\\1 is a back-reference, for which no time and memory could be promised: not supported" },
		{ "((a{1,100}){1,100})", "it is too large: with each {m,n} written out it would have over 8192 parts" },
		{ "(((x{255}){255}){255}){255}", "it is too large: with each {m,n} written out it would have over 8192 parts" },
		{ "(((((((((){255}){255}){255}){255}){255}){255}){255}){255})",
			"it is too large: with each {m,n} written out it would have over 8192 parts" },
		{ "a{32768}", "a number in { } is too large" },
	};
	char deep[2048], why[ERE_WORDS];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(ere_open((const unsigned char *)rows[i].text, strlen(rows[i].text), false, why));
		assert_string_equal(why, rows[i].why);
	}
	memset(deep, '(', 1024);
	memset(deep + 1024, ')', 1023);
	deep[2047] = '\0';
	assert_null(ere_open((const unsigned char *)deep, 2047, false, why));
	memset(deep + 1, '*', 2046);
	deep[0] = 'a';
	assert_null(ere_open((const unsigned char *)deep, 2047, false, why));
	assert_string_equal(why, "its parentheses and repetitions are too deep, one in the other");
}

/* --- counted work --- */

enum { LONG = 128 * 1024, PIECE = 100000 };

/* In LONG bytes: the work of each turn, and of all. */
static void count_work(const char *text, const char *bytes, unsigned groups, int64_t *all, int64_t *most)
{
	struct ere *x = expression(text, false);
	struct ere_cache *cache = ere_cache_open();
	struct ere_run r;
	enum ere_did did = ERE_MORE;
	*all = *most = 0;
	ere_start(&r, x, cache, bytes, LONG, groups);
	while (did == ERE_MORE) {
		int64_t work = PIECE;
		did = ere_go(&r, &work);
		*all += PIECE - work;
		*most = PIECE - work > *most ? PIECE - work : *most;
	}
	assert_int_not_equal(did, ERE_MEMORY);
	/* no byte costs more than each instruction twice, and the marks; no turn more than its piece and one byte */
	int64_t byte = 3 * (int64_t)ere_size(x) + 8;
	if (*all > 2 * LONG * byte || *most > PIECE + 2 * byte)
		fail_msg("%s: %lld in all, %lld in a turn", text, (long long)*all, (long long)*most);
	ere_cache_close(cache);
	ere_close(x);
}

/* Those that are looked up: a set of threads that was met before costs a byte one look. */
static void no_expression_costs_more_than_its_size(void **state)
{
	static char bytes[LONG], words[8192];
	static const struct {
		const char *text;
		int64_t each; /* work for a byte that is enough, when nothing but the match is asked for */
	} rows[] = {
		{ "(a|aa)+$", 2 },
		{ "(a*)*b", 2 },
		{ "(a+)+b$", 2 },
		{ "^(a|a?)+$", 2 },
		{ "(a|b|ab)*c", 2 },
		{ "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 2 },
		{ "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[xyz]", 2 },
		{ "((a{1,60}){1,60})b", 8 },
		{ "(.*a){20}x", 2 },
		{ "([^b]*a[^b]*){30}b", 2 },
		{ "\\b(a|aa)*\\<b", 2 },
		{ words, 2 },
		{ "(a|b)*a(a|b){60}c", 300 }, /* each byte may need a set of its own */
		{ "(.{0,200}a){3}b", 3000 },
	};
	uint32_t dice = 1;
	(void)state;
	for (unsigned i = 0; i < 400; i++)
		snprintf(words + strlen(words), 20, "%s%x", i > 0 ? "|" : "", i * 40503u + 4096u);
	for (unsigned random = 0; random < 2; random++) {
		for (size_t i = 0; i < LONG; i++)
			bytes[i] = random != 0 && play_dice(&dice) % 2 != 0 ? 'b' : 'a';
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			int64_t all, most;
			count_work(rows[i].text, bytes, 0, &all, &most);
			if (all > LONG * rows[i].each)
				fail_msg("%s: %lld of work for each byte", rows[i].text, (long long)(all / LONG));
			if (rows[i].each == 2)
				count_work(rows[i].text, bytes, ERE_GROUPS, &all, &most);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_means_what_the_c_library_means),
		cmocka_unit_test(what_is_none_is_refused_as_there),
		cmocka_unit_test(groups_are_those_of_the_first_way),
		cmocka_unit_test(what_cannot_be_bounded_is_refused),
		cmocka_unit_test(no_expression_costs_more_than_its_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
