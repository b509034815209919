/* The first place where some bytes stand in others, in time that is linear in both whatever they are (Crochemore and Perrin:
 * two-way search), without memory of its own. The bytes may come bit by bit, and a search may be left and gone on with: nothing
 * is looked at again from the start. */
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
	size_t at;	    /* nothing begins before it */
	size_t known;	    /* of what would begin there, so many bytes are right */
	size_t right, left; /* how far it was compared; 0: not begun */
};

enum needle_did { NEEDLE_FOUND, NEEDLE_MORE /* bytes, or work */ };
/* In the first len bytes: goes on while *work is positive, and takes from it what it did. FOUND: it begins at s->at. */
enum needle_did needle_go(struct needle_search *s, const struct needle *x, const unsigned char *bytes, size_t len, int64_t *work);

#endif
