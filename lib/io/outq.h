/* An out-queue of pointers to shared messages: a broadcast copies nothing per receiver. Absent (no memory) while empty. */
#ifndef IO_OUTQ_H
#define IO_OUTQ_H

#include "io/stream.h"

#include <stdint.h>

struct msg {
	uint32_t refs, len;
	unsigned char bytes[];
};
struct msg *msg_new(const void *bytes, size_t len); /* refs 1, a copy; bytes NULL: to be filled in. NULL: no memory */
void msg_drop(struct msg *takes);		    /* one reference; NULL is fine */

struct outq {
	struct msg **v; /* a ring of cap pointers; NULL while n == 0 */
	uint32_t cap, at, n;
	uint32_t sent; /* bytes of the first message already written */
	size_t bytes;  /* waiting */
};

int outq_push(
	struct outq *q, struct msg *borrows, size_t most_bytes); /* adds a reference; -1: would pass most_bytes, or no memory */
int outq_send(
	struct outq *q, struct stream *s); /* 0 empty and flushed, AGAIN, FAIL; one writev per call (one message for datagrams) */
bool outq_begun(const struct outq *q);	   /* part of the first message is out: it must be finished */
void outq_drop_unsent(struct outq *q);	   /* everything but a message already begun */
void outq_free(struct outq *q);

#endif
