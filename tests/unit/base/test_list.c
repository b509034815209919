/* Lists of what owns its place in them: the order stays, both ends are right, an item may leave from anywhere and come again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

#include <string.h>

enum { ITEMS = 4 };

struct item {
	char name;
	struct item *next, *prev;
};

struct items {
	struct item *first, *last;
};

/* Both ways. */
static void assert_names(const struct items *l, const char *names)
{
	size_t n = strlen(names), at = 0;
	for (const struct item *i = l->first; i != NULL; i = i->next)
		assert_true(at < n && i->name == names[at++]);
	assert_int_equal(at, n);
	for (const struct item *i = l->last; i != NULL; i = i->prev)
		assert_true(at > 0 && i->name == names[--at]);
	assert_int_equal(at, 0);
}

static void fill(struct items *l, struct item v[ITEMS])
{
	memset(l, 0, sizeof *l);
	for (int i = 0; i < ITEMS; i++) {
		v[i] = (struct item){ .name = (char)('a' + i), .next = &v[0] }; /* what stood there before does not matter */
		LIST_APPEND(l, &v[i]);
	}
}

static void test_order_is_kept(void **state)
{
	struct items l = { 0 };
	struct item v[ITEMS];
	(void)state;
	assert_names(&l, "");
	fill(&l, v);
	assert_names(&l, "abcd");
}

static void test_any_may_leave(void **state)
{
	static const char *const left[ITEMS] = { "bcd", "acd", "abd", "abc" };
	struct items l;
	struct item v[ITEMS];
	(void)state;
	for (int i = 0; i < ITEMS; i++) {
		fill(&l, v);
		LIST_REMOVE(&l, &v[i]);
		assert_names(&l, left[i]);
	}
}

static void test_the_last_one_leaves_it_empty(void **state)
{
	struct items l = { 0 };
	struct item one = { .name = 'x' };
	(void)state;
	for (int i = 0; i < 2; i++) {
		LIST_APPEND(&l, &one);
		assert_names(&l, "x");
		LIST_REMOVE(&l, &one);
		assert_names(&l, "");
	}
}

static void test_one_that_comes_again_stands_behind(void **state)
{
	struct items l;
	struct item v[ITEMS];
	(void)state;
	fill(&l, v);
	LIST_REMOVE(&l, &v[1]);
	LIST_APPEND(&l, &v[1]);
	assert_names(&l, "acdb");
	for (struct item *i; (i = l.first) != NULL;)
		LIST_REMOVE(&l, i);
	assert_names(&l, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_any_may_leave),
		cmocka_unit_test(test_the_last_one_leaves_it_empty),
		cmocka_unit_test(test_one_that_comes_again_stands_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
