/* One direction: bytes or datagrams from one stream to another, by one mover.
 *
 * How they cross is chosen once, at the first run: the first mover of the table in flow.c that fits. A flow never waits and never
 * arms anything: flow_run moves what can be moved now, within a budget, and says what stopped it. Bytes stay bytes and a datagram
 * stays a datagram: datagram to datagram keeps lengths, bytes to datagrams cuts, datagrams to bytes gathers while a whole one
 * fits. Echo is one flow whose ends are the same stream. */
#ifndef PUMP_FLOW_H
#define PUMP_FLOW_H

#include "pump/rcvlowat.h"
#include "stream/pool.h"
#include "pump/ring.h"
#include "stream/stream.h"

enum flow_state {
	FLOW_OPEN,  /* reading and writing */
	FLOW_DRAIN, /* the source has ended or failed: what the ring holds still goes out */
	FLOW_HELD,  /* all is out and flushed; the half-close waits for flow_let_shut */
	FLOW_SHUT,  /* half-closing */
	FLOW_DONE,
	FLOW_FAIL /* the sink failed; what the ring held is gone */
};

enum { FLOW_DATAGRAM_BYTES = 8192, FLOW_DATAGRAM_MOST = 65536 };

struct flow;

/* A way to get bytes across. `step` moves what can be moved now, at most about budget_bytes, and returns how much that was; 0:
 * nothing, and the flow's wait_*, state or failure say why. It does not try an end again of which the flow waits already, and
 * does not read from a source unless the state is FLOW_OPEN. `close` drops what is held beside the ring and gives back what was
 * borrowed; it may come twice; NULL: nothing to do. */
struct mover {
	const char *name;
	bool (*fits)(const struct flow *f); /* may this flow be moved so? */
	size_t (*step)(struct flow *f, size_t budget_bytes);
	void (*close)(struct flow *f);
};

struct flow {
	struct stream *from, *to;
	const struct mover *mover; /* NULL: not yet chosen */
	void *mover_mem;	   /* its own */
	int pipe[2];		   /* of the pool, while the mover holds bytes in it; -1 */
	struct pool *pool;
	struct ring ring;
	struct rcvlowat rcvlowat; /* with its source */
	uint64_t held;		  /* what the mover has taken in and not given out, beside the ring */
	uint64_t in, out;	  /* bytes */
	uint64_t messages;	  /* datagrams taken in */
	uint64_t most_messages;	  /* the source ends after so many; 0: no limit */
	uint32_t datagram_bytes;  /* bytes to datagrams: the largest cut; 0: FLOW_DATAGRAM_BYTES */
	uint8_t state;		  /* enum flow_state */
	bool lines;		  /* bytes to datagrams: one per line */
	bool bulk;		  /* an echo: there is much (flow_bulk) */
	bool drop;		  /* read and dropped, nothing is written */
	bool may_leave;		  /* a sink whose reader has left is no failure: what comes is dropped from then on */
	bool reads_on;		  /* a sink that failed does not stop the source: what comes is dropped from then on */
	bool last;		  /* what can be read now is the last: ST_AGAIN is its end */
	bool empty;		  /* an empty datagram waits to go out */
	bool eof;		  /* the source said so itself; `state` may also leave OPEN by decree or failure */
	bool failed_from, failed_to;
	bool wait_from, wait_to, wait_pool; /* what the last run stopped at */
	struct why why;			    /* of the failure */
};

enum flow_run {
	FLOW_MOVED, /* the budget is used up: run again */
	FLOW_WAITS, /* see wait_* */
	FLOW_ENDED  /* state is HELD, DONE or FAIL */
};

void flow_open(struct flow *f, struct pool *pool, struct stream *from, struct stream *to);
enum flow_run flow_run(struct flow *f, size_t budget_bytes);
/* Of an echo that holds nothing: much more of it seems to come, which is worth another mover. Until then it is copied. */
void flow_bulk(struct flow *f);
/* After a run: when to run again though neither end says that it is ready; NEVER: there is no such time. */
int64_t flow_until(struct flow *f, int64_t now_ms);
void flow_let_shut(struct flow *f); /* HELD to SHUT */
void flow_finish(struct flow *f);   /* by decree: no more reading; what the ring holds still goes out */
void flow_close(struct flow *f);    /* gives back what was borrowed; what it held is dropped */
/* Something was taken in that has not gone out yet. */
bool flow_holds(const struct flow *f);
void flow_drop(struct flow *f); /* what is held and what will come is dropped */

/* For movers. Each returns what a step returns then: 0, nothing moved. */
size_t flow_from_said(struct flow *f, ssize_t rc); /* the source: 0 its end, ST_AGAIN, ST_FAIL */
size_t flow_to_said(struct flow *f, ssize_t rc);   /* the sink: ST_AGAIN, ST_FAIL; 1: another mover may go on */
bool flow_from_dgram(const struct flow *f);
bool flow_to_dgram(const struct flow *f); /* what is dropped has no bounds to keep */

extern const struct mover mover_copy; /* anything, through the ring (copy.c) */
size_t copy_give_out(struct flow *f); /* its second half: what of the ring the sink takes */

#endif
