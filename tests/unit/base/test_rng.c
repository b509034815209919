/* Numbers for faults: the same for ever at the same place, and even enough that a rate asked for is the rate one gets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"

/* A seed that repeats a run today must repeat it with the next version, too. */
static void values_never_change(void **state)
{
	static const struct {
		uint64_t seed;
		struct rng_place place;
		uint64_t want;
	} rows[] = {
		{ 0, { 0, 0, 0, 0 }, 0x238275bc38fcbe91U },
		{ 0, { 1, 0, 0, 0 }, 0x44e5b98100c67fb0U },
		{ 0, { 0, 1, 0, 0 }, 0x19aeffc39b6f4e53U },
		{ 0, { 0, 0, 1, 0 }, 0xfa02595cf359a5ddU },
		{ 0, { 0, 0, 0, 1 }, 0x2f32a78496c67c60U },
		{ 1, { 0, 0, 0, 0 }, 0xb18a02f46d8d86c3U },
		{ 1, { 7, 1, 3, 123456789012345U }, 0x2f2ce0e5a4b93966U },
		{ UINT32_MAX, { 0, 0, 0, 0 }, 0xd911977298aea4efU },
		{ UINT32_MAX, { 7, 1, 3, 123456789012345U }, 0x44687fdc400cdda1U },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rng_at(rows[i].seed, &rows[i].place) != rows[i].want)
			fail_msg("row %zu: 0x%016llx", i, (unsigned long long)rng_at(rows[i].seed, &rows[i].place));
}

static void below_is_the_upper_half_of_the_product(void **state)
{
	(void)state;
	assert_true(rng_below(0, 1) == 0 && rng_below(UINT64_MAX, 1) == 0);
	assert_true(rng_below(UINT64_MAX, 10) == 9);
	assert_true(rng_below(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
	assert_true(rng_below((uint64_t)1 << 63, 1000000) == 500000);
	for (uint64_t i = 0; i < 10000; i++) {
		struct rng_place p = { .index = i };
		uint64_t bits = rng_at(1, &p), n = rng_at(2, &p) >> (i % 60);
		__extension__ typedef unsigned __int128 wide;
		if (n > 0)
			assert_true(rng_below(bits, n) == (uint64_t)((wide)bits * n >> 64));
	}
}

static void hits_at_the_ends(void **state)
{
	(void)state;
	assert_true(rng_hits(UINT64_MAX, RNG_ALWAYS) && rng_hits(0, RNG_ALWAYS));
	assert_false(rng_hits(0, 0));
	assert_true(rng_hits(0, 1));
}

/* What a place is made of, one at a time: neighbours are as unlike as strangers. */
static struct rng_place neighbour(unsigned axis, unsigned i)
{
	struct rng_place p = { .conn = 3, .dir = 1, .what = 2, .index = 1000 };
	if (axis == 0)
		p.conn += i;
	else if (axis == 1)
		p.what = (uint16_t)(p.what + i);
	else
		p.index += i;
	return p;
}

/* In each of 64 cells lie as many as chance puts there: within six standard deviations. */
static void every_axis_is_even(void **state)
{
	enum { DRAWS = 64 * 1024, CELLS = 64, MEAN = DRAWS / CELLS, SPREAD = 6 * 32 };
	(void)state;
	for (unsigned axis = 0; axis < 3; axis++)
		for (unsigned shift = 0; shift < 64; shift += 29) {
			unsigned cells[CELLS] = { 0 };
			for (unsigned i = 0; i < DRAWS; i++) {
				struct rng_place p = neighbour(axis, i);
				cells[rng_at(12345, &p) >> shift & (CELLS - 1)]++;
			}
			for (unsigned c = 0; c < CELLS; c++)
				assert_in_range(cells[c], MEAN - SPREAD, MEAN + SPREAD);
		}
}

/* One bit of the index turns half of the bits, on average, and the same for the seed. */
static void one_bit_turns_half(void **state)
{
	unsigned turned = 0, pairs = 0;
	(void)state;
	for (uint64_t i = 0; i < 200; i++)
		for (unsigned bit = 0; bit < 64; bit++, pairs += 2) {
			struct rng_place a = { .index = i }, b = { .index = i ^ (uint64_t)1 << bit };
			uint64_t x = rng_at(9, &a);
			turned += (unsigned)__builtin_popcountll(x ^ rng_at(9, &b));
			turned += (unsigned)__builtin_popcountll(x ^ rng_at(9 ^ (uint64_t)1 << bit, &a));
		}
	assert_in_range(turned, pairs * 31, pairs * 33);
}

static void rates_are_kept(void **state)
{
	static const uint32_t rates[] = { 1000, 50000, 100000, 500000, 990000 };
	(void)state;
	for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
		unsigned hits = 0;
		for (uint64_t i = 0; i < 1000000; i++) {
			struct rng_place p = { .conn = 1, .index = i };
			hits += rng_hits(rng_at(77, &p), rates[r]);
		}
		assert_in_range(hits, rates[r] * 9 / 10, rates[r] * 11 / 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_never_change),
		cmocka_unit_test(below_is_the_upper_half_of_the_product),
		cmocka_unit_test(hits_at_the_ends),
		cmocka_unit_test(every_axis_is_even),
		cmocka_unit_test(one_bit_turns_half),
		cmocka_unit_test(rates_are_kept),
	};
	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
