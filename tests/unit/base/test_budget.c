/* The memory of all peers: the share of each. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/budget.h"

enum { MIB = 1024 * 1024 };

/* As much as it can get, piece by piece. */
static size_t fill(struct budget *b)
{
	size_t held = 0;
	while (budget_take(b, held, 4096))
		held += 4096;
	assert_true(budget_left(b, held) < 4096);
	return held;
}

static void one_alone_gets_half(void **state)
{
	struct budget b = { .most = MIB };
	(void)state;
	assert_int_equal(fill(&b), MIB / 2);
	assert_int_equal(b.used, MIB / 2);
}

static void a_new_holder_gets_a_part_however_many_were_first(void **state)
{
	struct budget b = { .most = 128 * (uint64_t)MIB };
	(void)state;
	size_t before = SIZE_MAX;
	for (unsigned n = 1; n <= 200; n++) {
		size_t held = fill(&b);
		assert_true(held >= BUDGET_SMALL && held <= before);
		before = held;
	}
	assert_true(b.used <= b.most + 200 * BUDGET_SMALL);
}

static void what_is_given_back_counts_at_once(void **state)
{
	struct budget b = { .most = MIB };
	(void)state;
	size_t first = fill(&b), second = fill(&b);
	assert_true(second < first);
	budget_give(&b, first);
	assert_true(budget_left(&b, second) > 0);
	budget_give(&b, second);
	assert_int_equal(b.used, 0);
	assert_false(budget_take(&b, 0, MIB));
	assert_int_equal(b.used, 0);
}

static void where_there_is_none_everything_is_allowed(void **state)
{
	(void)state;
	assert_true(budget_take(NULL, SIZE_MAX / 2, SIZE_MAX / 2));
	budget_give(NULL, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alone_gets_half),
		cmocka_unit_test(a_new_holder_gets_a_part_however_many_were_first),
		cmocka_unit_test(what_is_given_back_counts_at_once),
		cmocka_unit_test(where_there_is_none_everything_is_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
