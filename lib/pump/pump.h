/* The pump: two flows between a near stream (ours: stdin/stdout, a file, a child, or another peer) and a far one (the peer).
 *
 * The table of ends stands at the top of pump.c. The pump borrows both streams; after `done` (called once, from the loop,
 * never from pump_start) or pump_stop they are the owner's again. */
#ifndef PUMP_PUMP_H
#define PUMP_PUMP_H

#include "pump/flow.h"
#include "loop/loop.h"
#include "stream/waiter.h"

enum pump_half { HALF_YES, HALF_NO, HALF_LATE }; /* pass an EOF on: at once / never / when the other end has finished, too */

struct pump_opts {
	uint8_t half;		 /* enum pump_half: near's EOF to far */
	uint8_t near_half;	 /* enum pump_half: far's EOF to near, which closes its writing side; NO: it is used again */
	bool peers;		 /* near is a peer, too: what the table says of far holds for it */
	bool late_if_empty;	 /* near's EOF before its first byte: as HALF_LATE */
	bool end_with_far;	 /* the peer's end, once written out, ends the pump */
	bool no_up;		 /* near is never read and nothing is sent; HALF_LATE */
	bool drop_down;		 /* what the peer sends is read and dropped */
	bool program;		 /* near is one: it may leave, and may never have to wait for a peer that takes nothing more */
	bool lines;		 /* near bytes to far datagrams: one per line */
	uint32_t datagram_bytes; /* ... else one per read of at most so many; 0: FLOW_DATAGRAM_BYTES */
	int64_t reply_wait_ms;	 /* far datagrams: end so long after the last one once near has ended; NEVER: do not */
	uint64_t replies;	 /* far datagrams: end when so many have come; 0: no such end */
	bool quits;		 /* end quit_ms after near's EOF, once what came before it is sent, whatever far does */
	int64_t quit_ms;
	int64_t settle_ms; /* how long to wait for the peer's acknowledgement at the end; NEVER: as long as it takes */
};

typedef void pump_done(void *arg, const struct why *why); /* why->cls == ERR_OK: clean; its text is static */

struct pump {
	struct loop *loop;
	struct flow up, down; /* near to far, far to near */
	struct waiter near, far;
	struct pump_opts opts;
	struct timer clock; /* the nearest of: reply wait, settling, quiet after a failure, memory to be had again */
	struct task turn;
	int64_t moved_ms;  /* when a byte last moved */
	int64_t spent_ms;  /* when near had ended and all of it was sent; 0: not yet (quits only) */
	int64_t settle_ms; /* since when we settle; 0: not yet */
	int64_t step_ms;   /* how long until the next question for the send queue */
	uint64_t seen;	   /* in + out of both flows when last looked at */
	bool cut;	   /* far was half-closed after a write to it had failed */
	bool left;	   /* near, a program, reads no more, and its end of that was closed */
	bool quit;	   /* near's end ended it all (opts.quits): what the peer still says was not wanted */
	bool over;	   /* done was called, or pump_stop */
	struct why why;	   /* the first failure */
	bool why_near;	   /* and whether it is near's */
	pump_done *done;
	void *arg;
};

void pump_start(struct pump *p, struct loop *loop, struct pool *pool, struct stream *near, struct stream *far,
	const struct pump_opts *opts, pump_done *done, void *arg);
void pump_kick(struct pump *p);	       /* look again: something outside the streams changed (SIGCONT) */
void pump_finish_down(struct pump *p); /* by decree: far is read no more, near is told the end */
/* Far is told our end as soon as what was read of near by now is out; near is read no more, and what far still says goes on to
 * it. Not where far is never told (HALF_NO), and not over datagrams, which have no end. */
void pump_bye(struct pump *p);
bool pump_holds(const struct pump *p);	/* it has taken in what it has not given out */
void pump_last_of_near(struct pump *p); /* the near end is gone: what can be read now is sent, then the pump ends */
void pump_stop(struct pump *p);		/* gives both streams back; done is not called */

/* What a pump that is ended by its owner still waits for: datagrams that were asked for (opts.replies). NULL: nothing. */
const struct why *pump_lack(const struct pump *p);

#endif
