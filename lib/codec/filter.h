/* A layer that changes what is written: a pure function converts, the layer holds the bytes that the stream below does not take
 * yet. Reading passes through. */
#ifndef CODEC_FILTER_H
#define CODEC_FILTER_H

#include "stream/stream.h"

/* Converts from in to out: returns the bytes written, sets *used. Stops when less than FILTER_SPARE bytes of room are left; uses
 * all of n if there is room for FILTER_GROWTH * n + FILTER_SPARE. `state` starts at 0 and is the converter's own. last: the
 * stream ends here; once all input is used, nothing is kept back. */
enum { FILTER_GROWTH = 4, FILTER_SPARE = 16 };
typedef size_t filter_fn(
	uint64_t *state, const unsigned char *in, size_t n, size_t *used, unsigned char *out, size_t cap, bool last);

/* Puts the layer on *top and replaces it. -1: no memory, *top unchanged. */
int filter_push(struct stream **top, const char *name, filter_fn *convert);

filter_fn crlf_convert; /* LF becomes CR LF; a CR LF stays one (codec/crlf.c) */
filter_fn
	sanitize_convert; /* for a terminal: printable UTF-8, newline, tab; CR before LF dropped; else \xHH (codec/sanitize.c) */

#endif
