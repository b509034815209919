/* Whatever is left to chance in a history is drawn here, from its seed alone: the same seed, the same history. A fuzzer gives
 * bytes, which are drawn first. Two draws never stand in one expression that does not say which comes first: compilers differ. */
#ifndef TESTS_DICE_H
#define TESTS_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state;
	const uint8_t *bytes;
	size_t left;
};

static inline struct dice dice_from(uint64_t seed)
{
	return (struct dice){ .state = seed * 0x9E3779B97F4A7C15U + 1 };
}

/* 0 .. sides - 1. */
static inline unsigned dice_roll(struct dice *d, unsigned sides)
{
	size_t wide = sides > 256;
	if (d->left > wide) {
		unsigned drawn = wide ? (unsigned)d->bytes[0] << 8 | d->bytes[1] : d->bytes[0];
		d->bytes += 1 + wide;
		d->left -= 1 + wide;
		return drawn % sides;
	}
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return (unsigned)((d->state * 0x2545F4914F6CDD1DU) >> 33) % sides;
}

static inline bool dice_chance(struct dice *d, unsigned percent)
{
	return dice_roll(d, 100) < percent;
}

#endif
