/* A layer that misbehaves as asked: it lies directly on the socket, under TLS, and what passes it is late, slow, cut, changed or
 * lost.
 *
 * Each way has a bounded queue of its own; bytes are stamped when they come and pass when their time has come, and so do the
 * ends. Where and what is decided from (seed, connection, direction, offset) alone, never from how much a call moved or what time
 * it is: the same seed gives the same faults, and the same events that tell of them. Only where a burst begins, by whose offset
 * jitter is drawn, is a matter of time: what comes FAULT_PAUSE_US or more after the byte before it begins one, unless it was
 * there before and had to wait for us. An end that a fault makes is a failure of the stream (ERR_LOST) that fault_made knows. */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include "base/event.h"
#include "fault/fault_spec.h"
#include "stream/linger.h"
#include "loop/loop.h"
#include "stream/stream.h"

enum {
	FAULT_PAUSE_US = 1000,
	FAULT_LINE_BYTES = 64 * 1024,	    /* memory that each way may always hold */
	FAULT_RUN_BYTES = 64 * 1024 * 1024, /* ... and with a latency all of them together; who comes to that is slowed down */
	FAULT_RULES_MOST = 1024		    /* faults of one connection that have not happened yet */
};

struct fault_run { /* what all of them share; outlives the last stream */
	struct loop *loop;
	struct lingers *linger;
	const struct event_sink *events;
	uint64_t seed;
	size_t held; /* memory of what is on its way; 0 before the first stream */
};

/* Stands on *top, which is a socket or a UDP peer, and replaces it; without a fault yet. -1: no memory, *top as it was. */
int fault_push(struct stream **top, struct fault_run *borrows, uint32_t conn);

/* This fault, too, from here on: offsets and times count from now. Where there are others of its kind all of them hold, as the
 * manual says (FAULTS). The layer may lie anywhere below top. Nothing happens if it does not concern the connection. -1 with
 * errno: there is no such layer (ENOENT), it cannot do that (EINVAL), no memory (ENOMEM), too many faults (ENOBUFS). */
int fault_apply(struct stream *top, const struct fault_spec *spec);
/* The same for a step that may be taken again: what the very same spec, which outlives the stream, has asked for and still holds
 * is not asked for twice. */
int fault_step(struct stream *top, const struct fault_spec *borrows);

/* Did a fault make this end, and how is the connection to be closed then? */
bool fault_made(const struct why *why, enum close_how *how);

/* How long faults may hold back what was written, and the end: a close that is given time gets this much more. */
int64_t fault_patience_ms(const struct stream *top);

#endif
