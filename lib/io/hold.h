/* What a layer has accepted and the stream below has not taken yet. */
#ifndef IO_HOLD_H
#define IO_HOLD_H

#include "io/stream.h"

struct hold {		      /* zeroed: nothing */
	unsigned char *bytes; /* the layer's */
	size_t at, len;	      /* what waits */
};

/* Writes it down. 0: nothing is left; AGAIN (the layer's wr), FAIL (its why). */
int hold_send(struct hold *h, struct stream *layer);
/* Then flushes what stands below: for ops.flush. */
int hold_flush(struct hold *h, struct stream *layer);

#endif
