/* Bytes that wait: a buffer that grows up to a bound and within a budget, or an array of its owner's. */
#ifndef STREAM_BUF_H
#define STREAM_BUF_H

#include "base/budget.h"
#include "stream/stream.h"

struct buf {		       /* zeroed: empty, with no budget to keep to */
	unsigned char *mem;    /* NULL while it is not used */
	size_t at, len, cap;   /* len bytes from at on */
	struct budget *budget; /* borrowed; cap is taken from it */
	bool fixed;	       /* mem is an array of the owner's: it is neither grown nor freed */
};

/* Makes room for `more` bytes after the present ones, by doubling, up to `most` in all if that is enough. -1: no memory (ENOMEM),
 * or more than the budget or the array allows (ENOBUFS). */
int buf_room(struct buf *b, size_t more, size_t most);
int buf_add(struct buf *b, const void *bytes, size_t n, size_t most); /* copies n bytes to the end; -1: as buf_room */
void buf_drop(struct buf *b, size_t n);				      /* from the front */
void buf_fit(struct buf *b);					      /* gives back unused memory */
void buf_free(struct buf *b);					      /* drops all */

/* Writes all of it to the stream below the layer. 0: nothing is left, its memory is given back; AGAIN (the layer's wr), FAIL (its
 * why). */
int buf_send(struct buf *b, struct stream *layer);
int buf_flush(struct buf *b, struct stream *layer); /* then flushes the stream below: for ops.flush */

#endif
