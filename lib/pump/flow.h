/* One direction: bytes or datagrams from one stream to another, by one mover.
 *
 * The mover is chosen at the first run: the first one of the table in flow.c that fits. A flow never waits and sets no watch or
 * timer: flow_run moves what can be moved now, within a budget, and says what stopped it. Bytes stay bytes and a datagram stays a
 * datagram: datagram to datagram keeps lengths, bytes to datagrams cuts, datagrams to bytes gathers while a whole one fits. Echo
 * is one flow whose ends are the same stream. */
#ifndef PUMP_FLOW_H
#define PUMP_FLOW_H

#include "base/event.h"
#include "pump/rcvlowat.h"
#include "stream/pool.h"
#include "pump/ring.h"
#include "stream/stream.h"

enum flow_state {
	FLOW_OPEN,  /* reading and writing */
	FLOW_DRAIN, /* the source has ended or failed: the ring is still written */
	FLOW_HELD,  /* all is written and flushed; the half-close waits for flow_let_shut */
	FLOW_SHUT,  /* half-closing */
	FLOW_DONE,  /* half-closed */
	FLOW_FAIL   /* the sink failed; the bytes in the ring are lost */
};

enum { FLOW_DATAGRAM_BYTES = 8192, FLOW_DATAGRAM_MOST = 65536 };

struct flow;

/* A way to move bytes. `step` moves what can be moved now, at most about budget_bytes, and returns how much; 0: nothing, and the
 * flow's wait_*, state or failure say why. It does not retry an end for which the flow waits already, and reads the source only
 * in FLOW_OPEN. `close` drops data held outside the ring and gives back what was borrowed; it may be called twice; NULL: nothing
 * to do. */
struct mover {
	const char *name;
	bool (*fits)(const struct flow *f); /* can it move this flow? */
	size_t (*step)(struct flow *f, size_t budget_bytes);
	void (*close)(struct flow *f);
};

/* For a flow of datagrams to bytes: what stands before each line of the one that was just read from `from`. Returns the length.
 */
enum { FLOW_LABEL = 96 };
typedef size_t flow_label(void *arg, const struct stream *from, char out[FLOW_LABEL]);

struct flow {
	struct stream *from, *to;
	const struct mover *mover; /* NULL: not yet chosen */
	void *mover_mem;	   /* its own */
	int pipe[2];		   /* of the pool, while it holds bytes of the mover; -1 */
	struct pool *pool;
	struct ring ring;
	struct rcvlowat rcvlowat; /* of its source */
	uint64_t held;		  /* taken in and not given out by the mover, outside the ring */
	uint64_t in, out;	  /* bytes */
	uint64_t messages;	  /* datagrams taken in */
	uint64_t most_messages;	  /* the source ends after so many; 0: no limit */
	uint32_t datagram_bytes;  /* bytes to datagrams: the largest cut; 0: FLOW_DATAGRAM_BYTES */
	uint8_t state;		  /* enum flow_state */
	bool lines;		  /* bytes to datagrams: one per line */
	bool bulk;		  /* an echo: much data (flow_bulk) */
	bool drop;		  /* reads and drops, writes nothing */
	bool may_leave;		  /* a sink whose reader has left is no failure: from then on data are dropped */
	bool reads_on;		  /* a failed sink does not stop the source: from then on data are dropped */
	bool last;		  /* only what can be read now: ST_AGAIN is the end */
	bool empty;		  /* an empty datagram waits to go out */
	bool eof;		  /* the source itself has ended; `state` may also leave OPEN by a call or a failure */
	bool failed_from, failed_to;
	bool wait_from, wait_to, wait_pool; /* why the last run stopped */
	uint32_t conn;			    /* these three are for flow_set: the session's number, ... */
	flow_label *label;		    /* NULL: none */
	void *label_arg;
	bool hex;			 /* datagrams to bytes: each is a line in hexadecimal, behind its label */
	const char *name;		 /* "in" (from the peer), "out" (to it) or "echo"; */
	const struct event_sink *events; /* NULL: its states are not reported */
	struct why why;			 /* of the failure */
};

enum flow_run {
	FLOW_MOVED, /* the budget is used up: run again */
	FLOW_WAITS, /* see wait_* */
	FLOW_ENDED  /* state is HELD, DONE or FAIL */
};

void flow_set(struct flow *f, enum flow_state state); /* and tells it: event `state` */
void flow_open(struct flow *f, struct pool *pool, struct stream *from, struct stream *to);
void flow_move(struct flow *to, const struct flow *takes); /* as it is; *takes is no flow any more */
enum flow_run flow_run(struct flow *f, size_t budget_bytes);
/* For an echo that holds nothing: much more seems to come, which justifies another mover. Until then it copies. */
void flow_bulk(struct flow *f);
/* After a run: when to run again although neither end is ready; NEVER: no such time. */
int64_t flow_until(struct flow *f, int64_t now_ms);
void flow_let_shut(struct flow *f); /* HELD to SHUT */
void flow_finish(struct flow *f);   /* reads no more; the ring is still written */
void flow_close(struct flow *f);    /* gives back what was borrowed; held data are dropped */
/* Has data that were taken in and not given out yet. */
bool flow_holds(const struct flow *f);
void flow_drop(struct flow *f); /* drops what is held and what will come */

/* For movers. Each returns what a step then returns: 0, nothing moved. */
size_t flow_from_said(struct flow *f, ssize_t rc); /* the source: 0 its end, ST_AGAIN, ST_FAIL */
size_t flow_to_said(struct flow *f, ssize_t rc);   /* the sink: ST_AGAIN, ST_FAIL; 1: another mover may continue */
bool flow_from_dgram(const struct flow *f);
bool flow_to_dgram(const struct flow *f); /* dropped datagrams need no bounds */

extern const struct mover mover_copy; /* anything, through the ring (copy.c) */
size_t copy_give_out(struct flow *f); /* its second half: writes from the ring */

#endif
