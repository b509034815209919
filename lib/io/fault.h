/* A layer that misbehaves as asked: it lies directly on the socket, under TLS, and what passes it is late, slow, cut, changed or
 * lost.
 *
 * Each way has a bounded queue of its own; bytes are stamped when they come and pass when their time has come, and so do the
 * ends. Where and what is decided from (seed, connection, direction, offset) alone, never from how much a call moved or what time
 * it is: the same seed gives the same faults, and the same events that tell of them. An end that a fault makes is a failure of
 * the stream (ERR_LOST) that fault_made knows. */
#ifndef IO_FAULT_H
#define IO_FAULT_H

#include "base/event.h"
#include "io/fault_spec.h"
#include "io/linger.h"
#include "io/loop.h"
#include "io/stream.h"

struct fault_run { /* what all of them share; outlives the last stream */
	struct loop *loop;
	struct lingers *linger;
	const struct event_sink *events;
	uint64_t seed;
};

/* Stands on *top, which is a socket or a UDP peer, and replaces it; without a fault yet. -1: no memory, *top as it was. */
int fault_push(struct stream **top, const struct fault_run *borrows, uint32_t conn);

/* This fault, too, from here on: offsets and times count from now, and where there can be but one of a kind (latency, rate,
 * chunk, gap) it takes the place of the one before. The layer may lie anywhere below top. Nothing happens if it does not concern
 * the connection. -1 with errno: there is no such layer (ENOENT), it cannot do that (EINVAL), no memory (ENOMEM). */
int fault_apply(struct stream *top, const struct fault_spec *spec);

/* Did a fault make this end, and how is the connection to be closed then? */
bool fault_made(const struct why *why, enum close_how *how);

/* How long faults may hold back what was written, and the end: whoever gives a close its time adds this. */
int64_t fault_patience_ms(const struct stream *top);

#endif
