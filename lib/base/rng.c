/* A place is mixed into the seed word by word; between the words stands a bijection of 64 bits in which each input bit flips half
 * of the output bits (shifts that mix downwards, products that mix upwards). */
#include "base/rng.h"

static uint64_t rng_stir(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

/* The odd constant keeps a run of zeros, which stir leaves as it is, from staying one. */
uint64_t rng_at(uint64_t seed, const struct rng_place *p)
{
	enum { DIR_AT = 32, WHAT_AT = 48 };
	const uint64_t step = 0x9e3779b97f4a7c15U;
	uint64_t who = p->conn | (uint64_t)p->dir << DIR_AT | (uint64_t)p->what << WHAT_AT;
	uint64_t x = rng_stir(seed + step);
	x = rng_stir((x ^ who) + step);
	return rng_stir((x ^ p->index) + step);
}

/* The upper half of the product of 64 by 64 bits: as even as n allows, without a division. */
uint64_t rng_below(uint64_t bits, uint64_t n)
{
	uint64_t high = bits >> 32, low = bits & UINT32_MAX, n_high = n >> 32, n_low = n & UINT32_MAX;
	uint64_t middle = high * n_low + (low * n_low >> 32);
	uint64_t other = low * n_high + (middle & UINT32_MAX);
	return high * n_high + (middle >> 32) + (other >> 32);
}

bool rng_hits(uint64_t bits, uint32_t per_million)
{
	return rng_below(bits, RNG_ALWAYS) < per_million;
}
