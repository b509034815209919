/* The nearest right word: near enough to be meant, and never far-fetched. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/suggest.h"

#include <limits.h>
#include <string.h>

static void test_distance(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned want;
	} cases[] = { { "", "", 0 }, { "a", "", 1 }, { "listen", "listen", 0 }, { "lsiten", "listen", 1 },
		{ "liten", "listen", 1 }, { "llisten", "listen", 1 }, { "lisken", "listen", 1 }, { "kitten", "sitting", 3 },
		{ "ab", "ba", 1 }, { "ca", "abc", 3 }, { "abcd", "badc", 2 }, { "x", "yz", 2 } };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(suggest_distance(cases[i].a, cases[i].b), cases[i].want);
		assert_int_equal(suggest_distance(cases[i].b, cases[i].a), cases[i].want);
	}
}

static void test_long_words_are_far(void **state)
{
	(void)state;
	char a[65], b[64];
	memset(a, 'x', 64);
	memset(b, 'x', 63);
	a[64] = b[63] = '\0';
	assert_int_equal(suggest_distance(b, b), 0);
	assert_true(suggest_distance(a, a) > 63);
	assert_true(suggest_distance("x", a) > 63);
}

static const char *best_of(const char *word)
{
	static const char *const words[] = { "connect", "listen", "serve", "echo", "chat", "help", "idle-timeout" };
	const char *best = NULL;
	unsigned distance = 0;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		suggest_offer(word, words[i], &best, &distance);
	return best;
}

static void test_offers(void **state)
{
	(void)state;
	assert_string_equal(best_of("listn"), "listen");
	assert_string_equal(best_of("conect"), "connect");
	assert_string_equal(best_of("sevre"), "serve");
	assert_string_equal(best_of("idle-timout"), "idle-timeout");
	assert_string_equal(best_of("echo"), "echo");
	assert_null(best_of("xyzzy"));
	assert_null(best_of(""));
	assert_null(best_of("l"));
}

/* Of two that are equally near the first stays; a nearer one replaces it. */
static void test_nearer_wins(void **state)
{
	(void)state;
	const char *best = NULL;
	unsigned distance = 0;
	suggest_offer("serve", "server", &best, &distance);
	assert_string_equal(best, "server");
	suggest_offer("serve", "swerve", &best, &distance);
	assert_string_equal(best, "server");
	suggest_offer("serve", "chat", &best, &distance);
	assert_string_equal(best, "server");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long_words_are_far),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_nearer_wins),
	};
	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
