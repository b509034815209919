/* A layer that misbehaves on request: directly on the socket, under TLS, it delays, slows, cuts, changes or drops what passes.
 *
 * Each direction has a bounded queue; bytes and ends are stamped when they come and pass at their time. Where a fault happens and
 * how is decided from (seed, connection, direction, offset) alone, never from the size of calls or the time: the same seed gives
 * the same faults and the same events. Only the start of a burst, whose offset draws the jitter, depends on time: a byte that
 * comes FAULT_PAUSE_US or more after the one before it starts a burst, unless it was there earlier and had to wait for us. An end
 * made by a fault is a failure of the stream (ERR_LOST, BY_FAULT). */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include "base/event.h"
#include "fault/fault_spec.h"
#include "stream/linger.h"
#include "loop/loop.h"
#include "stream/stream.h"

enum {
	FAULT_PAUSE_US = 1000,
	FAULT_LINE_BYTES = 64 * 1024, /* memory that each direction may always hold */
	FAULT_RUN_BYTES =
		64 * 1024 * 1024, /* ... and with a latency all of them together; a connection that reaches it is slowed down */
	FAULT_RULES_MOST = 1024	  /* faults of one connection that have not happened yet */
};

struct fault_run { /* shared by all fault layers of a run; outlives the last stream */
	struct loop *loop;
	struct lingers *linger;
	const struct event_sink *events;
	uint64_t seed;
	size_t held; /* memory of held bytes; 0 before the first stream */
};

/* Puts the layer on *top, a socket or a UDP peer, and replaces it; without a fault yet. -1: no memory, *top unchanged. */
int fault_push(struct stream **top, struct fault_run *borrows, uint32_t conn);

/* Adds this fault from here on: offsets and times count from now. Faults of one kind all apply, as the manual says (FAULTS). The
 * layer may be anywhere below top. Nothing happens if the fault does not concern the connection. -1 with errno: there is no such
 * layer (ENOENT), it cannot do that (EINVAL), no memory (ENOMEM), too many faults (ENOBUFS). */
int fault_apply(struct stream *top, const struct fault_spec *spec);
/* The same for a step that may repeat: a fault of the same spec, which outlives the stream, that still applies is not added
 * twice. */
int fault_step(struct stream *top, const struct fault_spec *borrows);

/* The longest time that faults may hold written bytes and the end: a bounded close gets this much more. */
int64_t fault_patience_ms(const struct stream *top);

#endif
