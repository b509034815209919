/* One direction: bytes or datagrams from one stream to another through one ring, or later without passing through us.
 *
 * A flow never waits and never arms anything: flow_run moves what can be moved now, within a budget, and says what stopped it.
 * Echo is one flow whose ends are the same stream. */
#ifndef IO_FLOW_H
#define IO_FLOW_H

#include "io/pool.h"
#include "io/ring.h"
#include "io/stream.h"

enum flow_state {
	FLOW_OPEN,  /* reading and writing */
	FLOW_DRAIN, /* the source has ended or failed: what the ring holds still goes out */
	FLOW_HELD,  /* all is out and flushed; the half-close is kept back until flow_shut is allowed */
	FLOW_SHUT,  /* half-closing */
	FLOW_DONE,
	FLOW_FAIL /* the sink failed, or the source did and everything before that is out */
};

struct flow {
	struct stream *from, *to;
	struct pool *pool;
	struct ring ring;
	uint32_t *sizes;  /* bytes to datagrams and back: none; datagram to datagram: the ring holds one */
	uint64_t in, out; /* bytes taken in and given out */
	enum flow_state state;
	bool eof, failed_from, failed_to, drop, lines, empty_held, line_open;
	bool wait_from, wait_to, wait_pool; /* what the last run stopped at */
	uint32_t datagram_bytes;
	struct why why;
};

enum flow_run { FLOW_MOVED, FLOW_WAITS, FLOW_ENDED }; /* budget used up / see wait_* / state is HELD, DONE or FAIL */

void flow_open(struct flow *f, struct pool *pool, struct stream *from, struct stream *to);
enum flow_run flow_run(struct flow *f, size_t budget_bytes);
void flow_let_shut(struct flow *f); /* HELD to SHUT */
void flow_finish(struct flow *f);   /* by decree: no more reading; what the ring holds still goes out */
void flow_close(struct flow *f);    /* gives the block back; what it held is dropped */

#endif
