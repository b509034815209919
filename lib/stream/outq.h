/* An out-queue of pointers to shared messages: a broadcast copies nothing per receiver. Absent (no memory) while empty. */
#ifndef STREAM_OUTQ_H
#define STREAM_OUTQ_H

#include "stream/stream.h"

#include <stdint.h>

struct msg {
	uint32_t refs, len;
	unsigned char bytes[];
};
struct msg *msg_new(const void *bytes, size_t len);	/* refs 1, a copy; bytes NULL: to be filled in. NULL: no memory */
struct msg *msg_shorten(struct msg *takes, size_t len); /* not yet shared: gives the rest of its memory back */
void msg_drop(struct msg *takes);			/* one reference; NULL is fine */

enum {
	OUTQ_MORE = 1,	   /* some went out and some waits: send again next turn */
	OUTQ_OVERHEAD = 64 /* counted for each message beside its bytes, so that a bound holds for tiny ones, too */
};

struct outq {
	struct msg **v; /* a ring of cap pointers; NULL while n == 0 */
	uint32_t cap, at, n;
	uint32_t sent; /* bytes of the first message already written */
	size_t bytes;  /* waiting, overhead included */
};

/* Adds a reference; -1: over most_bytes, or no memory. An empty message is not queued. */
int outq_push(struct outq *q, struct msg *borrows, size_t most_bytes);
/* One writev (one message for datagrams): 0 empty and flushed, OUTQ_MORE, ST_AGAIN, ST_FAIL. */
int outq_send(struct outq *q, struct stream *s);
void outq_free(struct outq *q);

#endif
