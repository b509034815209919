/* The pump: two flows between a near stream (ours: stdin/stdout, a file, a child, or another peer) and a far one (the peer).
 *
 * The table of ends stands at the top of pump_ends.c. The pump borrows both streams; after `done` (called once, from the loop,
 * never from pump_start) or pump_stop they are the owner's again. */
#ifndef PUMP_PUMP_H
#define PUMP_PUMP_H

#include "pump/flow.h"
#include "loop/loop.h"
#include "stream/waiter.h"

enum pump_state {
	PUMP_OPEN,
	PUMP_SETTLING, /* nothing more will move: the peer's acknowledgement is waited for */
	PUMP_DONE,     /* `done` was called: clean */
	PUMP_FAILED,   /* ... with a failure */
	PUMP_STOPPED   /* by pump_stop */
};

enum pump_half { HALF_YES, HALF_NO, HALF_LATE }; /* pass an EOF on: at once / never / when the other end has finished, too */

struct pump_opts {
	uint8_t half;		 /* enum pump_half: near's EOF to far */
	uint8_t near_half;	 /* enum pump_half: far's EOF to near, which closes its writing side; NO: near is used again */
	bool peers;		 /* near is a peer, too: the table's rules for far apply to it */
	bool late_if_empty;	 /* near's EOF before its first byte: as HALF_LATE */
	bool end_with_far;	 /* the peer's end, once written out, ends the pump */
	bool no_up;		 /* near is never read and nothing is sent; HALF_LATE */
	bool drop_down;		 /* the peer's bytes are read and dropped */
	bool sends_only;	 /* with drop_down: end when far has acknowledged everything and nothing moved for 1 s */
	bool program;		 /* near is a program: it may leave, and must never wait for a peer that reads no more */
	bool lines;		 /* near bytes to far datagrams: one per line */
	uint32_t datagram_bytes; /* ... else one per read of at most so many; 0: FLOW_DATAGRAM_BYTES */
	int64_t reply_wait_ms;	 /* far datagrams: end so long after the last one once near has ended; NEVER: do not */
	bool hex;		 /* far datagrams: each is a line in hexadecimal for near */
	flow_label *label;	 /* far datagrams: before each of their lines, asked with pump_start's arg; NULL: none */
	uint64_t reads;		 /* of far, no datagrams: end after so many that gave something; 0: no such end */
	uint64_t replies;	 /* far datagrams or frames: end after so many; 0: no such end */
	uint32_t conn;		 /* the session's number, for `events` */
	bool quits;		 /* end quit_ms after near's EOF, once the bytes before it are sent, whatever far does */
	int64_t quit_ms;
	int64_t settle_ms;	   /* the longest wait for the peer's acknowledgement at the end; NEVER: no limit */
	void (*turned)(void *arg); /* after each turn that was not the last, for reports, with done's arg; NULL: not wanted */
	const struct event_sink *events; /* borrowed: is told the states of the pump and its flows (may be NULL) */
};

typedef void pump_done(void *arg, const struct why *why); /* why->cls == ERR_OK: clean; its text is static */

struct pump {
	struct loop *loop;
	struct flow up, down; /* near to far, far to near */
	struct waiter near, far;
	struct pump_opts opts;
	struct timer clock; /* the nearest of: reply wait, settling, quiet after a failure, a retry for memory */
	struct task turn;
	int64_t moved_ms;  /* when a byte last moved */
	int64_t spent_ms;  /* when near had ended and all its bytes were sent; 0: not yet (quits and sends_only) */
	int64_t settle_ms; /* since when acknowledgements are waited for; 0: not yet */
	uint64_t *quota;   /* of far: frames that are still wanted; NULL: any number */
	uint64_t seen;	   /* in + out of both flows at the last check */
	bool cut;	   /* far was half-closed after a failed write */
	bool left;	   /* near, a program, reads no more, and was told the end */
	bool quit;	   /* near's end ended everything (opts.quits): later bytes of the peer are not wanted */
	uint8_t state;	   /* enum pump_state */
	struct why why;	   /* the first failure */
	bool why_near;	   /* and whether it is near's */
	pump_done *done;
	void *arg;
};

void pump_start(struct pump *p, struct loop *loop, struct pool *pool, struct stream *near, struct stream *far,
	const struct pump_opts *opts, pump_done *done, void *arg);
void pump_kick(struct pump *p);	       /* run again: something outside the streams changed (SIGCONT) */
void pump_finish_down(struct pump *p); /* far is read no more, near is told the end */
/* Far is told our end as soon as the bytes read from near so far are written; near is read no more, and far's bytes still go to
 * it. Not with HALF_NO, where far is never told, and not over datagrams, which have no end. */
void pump_bye(struct pump *p);
bool pump_holds(const struct pump *p);	/* has data that were taken in and not given out */
void pump_last_of_near(struct pump *p); /* the near end is gone: sends what can be read now, then the pump ends */
void pump_stop(struct pump *p);		/* gives both streams back; done is not called */

/* What a pump ended by its owner still waits for: requested datagrams (opts.replies). NULL: nothing. */
const struct why *pump_lack(const struct pump *p);

#endif
