/* The first place of some bytes in others, in linear time for any bytes (Crochemore and Perrin: two-way search), without memory
 * of its own. The bytes may come bit by bit, and a search may pause and continue: it never starts again. */
#ifndef PATTERN_NEEDLE_H
#define PATTERN_NEEDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct needle {
	const unsigned char *p; /* borrowed */
	size_t n;
	bool icase; /* letters of ASCII */
	size_t cut, period, known;
};

void needle_make(struct needle *out, const void *borrows, size_t n, bool icase);

struct needle_search {	    /* zeroed: from the start */
	size_t at;	    /* no match begins before it */
	size_t known;	    /* bytes of a match there that are compared already */
	size_t right, left; /* how far it was compared; 0: not begun */
};

enum needle_did { NEEDLE_FOUND, NEEDLE_MORE /* bytes, or work */ };
/* In the first len bytes: continues while *work is positive, and subtracts the work done. FOUND: a match begins at s->at. */
enum needle_did needle_go(struct needle_search *s, const struct needle *x, const unsigned char *bytes, size_t len, int64_t *work);

#endif
