/* Bytes that a layer has accepted and the stream below has not taken yet. */
#ifndef STREAM_SEND_BUF_H
#define STREAM_SEND_BUF_H

#include "stream/stream.h"

struct send_buf {	      /* zeroed: nothing */
	unsigned char *bytes; /* the layer's */
	size_t at, len;	      /* what waits */
};

/* Writes them down. 0: none are left; AGAIN (the layer's wr), FAIL (its why). */
int send_buf_send(struct send_buf *h, struct stream *layer);
/* Then flushes the stream below: for ops.flush. */
int send_buf_flush(struct send_buf *h, struct stream *layer);

#endif
