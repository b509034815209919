/* Random numbers that are computed: each is a pure function of the place where it is needed. So a decision does not depend on
 * earlier ones or their order, and a run with the same seed decides the same again. Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng_place {	/* what a number is for */
	uint32_t conn;	/* connection */
	uint16_t dir;	/* direction */
	uint16_t what;	/* which decision there */
	uint64_t index; /* byte offset, number of a block or of a datagram */
};

uint64_t rng_at(uint64_t seed, const struct rng_place *place); /* 64 even bits */

/* From such bits. */
uint64_t rng_below(uint64_t bits, uint64_t n); /* 0 to n - 1; n > 0 */
enum { RNG_ALWAYS = 1000000 };
bool rng_hits(uint64_t bits, uint32_t per_million); /* RNG_ALWAYS: true */

#endif
