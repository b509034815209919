/* Framing is pure: where does the first frame in these bytes begin and end? No memory, no I/O, no state.
 *
 * Today's row is the line; others (NUL, netstring, length prefixes) are rows to come. */
#ifndef IO_FRAMER_H
#define IO_FRAMER_H

#include <stddef.h>
#include <sys/types.h>

enum { FRAMER_PARTIAL = 0, FRAMER_BAD = -1 };

struct framer {
	size_t most; /* the longest frame, without its terminator */
	ssize_t (*cut)(const struct framer *f, const void *buf, size_t len, size_t *at, size_t *n);
};

/* The first frame of buf: returns the bytes used up (with terminator), its payload at buf[*at], *n bytes; FRAMER_PARTIAL: more is
 * needed; FRAMER_BAD: it can never be one (too long). */
ssize_t framer_cut(const struct framer *f, const void *buf, size_t len, size_t *at, size_t *n);

/* Lines end with LF; a CR before it is not part of the line. */
extern const struct framer framer_line; /* most: 1 MiB; copy and lower it */

/* Bytes of buf up to and with its last LF, 0 when there is none: what a broadcast of whole lines may take. */
size_t framer_whole_lines(const void *buf, size_t len);

#endif
