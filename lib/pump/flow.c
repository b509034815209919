/* A flow, with any mover: the choice of the mover, the turns, and how a direction ends. The pump decides what a failure of either
 * end means for the other direction. */
#include "pump/flow.h"
#include "pump/dgram_copy.h"
#include "stream/fdstream.h"
#include "loop/loop.h"
#include "pump/splice.h"

/* The first that fits is taken. */
static const struct mover *const movers[] = { &mover_discard, &mover_sendfile, &mover_splice, &mover_splice_pipe,
	&mover_dgram_split, &mover_dgram_label, &mover_dgram_join, &mover_copy };

bool flow_from_dgram(const struct flow *f)
{
	return f->from->caps & ST_DGRAM;
}

bool flow_to_dgram(const struct flow *f)
{
	return (f->to->caps & ST_DGRAM) && !f->drop;
}

void flow_open(struct flow *f, struct pool *pool, struct stream *from, struct stream *to)
{
	*f = (struct flow){ .from = from, .to = to, .pool = pool, .pipe = { -1, -1 } };
}

void flow_move(struct flow *to, const struct flow *f)
{
	*to = *f;
	splice_waits(to, false);
}

void flow_close(struct flow *f)
{
	if (f->ring.len > 0)
		ring_drop(&f->ring, f->pool, f->ring.len);
	if (f->mover != NULL && f->mover->close != NULL)
		f->mover->close(f);
	rcvlowat_end(&f->rcvlowat, f->from);
	f->held = 0;
	f->empty = false;
}

bool flow_holds(const struct flow *f)
{
	return f->ring.len > 0 || f->held > 0 || f->empty;
}

void flow_drop(struct flow *f)
{
	flow_close(f);
	f->mover = NULL; /* not every mover can drop */
	f->drop = true;
	f->wait_from = f->wait_to = false; /* for the new mover */
}

void flow_set(struct flow *f, enum flow_state state)
{
	static const char *const words[] = { "open", "draining", "drained", "shutting", "shut", "failed" };
	event(f->events, EV_STATE, f->conn, EV_TEXT("of", f->name), EV_TEXT("was", words[f->state]),
		EV_TEXT("now", words[state]));
	f->state = (uint8_t)state;
}

void flow_finish(struct flow *f)
{
	if (f->state == FLOW_OPEN)
		flow_set(f, FLOW_DRAIN);
}

int64_t flow_until(struct flow *f, int64_t now_ms)
{
	if (f->wait_from)
		return rcvlowat_wait(&f->rcvlowat, f->from, f->in, now_ms);
	rcvlowat_rest(&f->rcvlowat);
	return NEVER;
}

void flow_bulk(struct flow *f)
{
	f->bulk = true;
	f->mover = NULL;
}

void flow_let_shut(struct flow *f)
{
	if (f->state == FLOW_HELD)
		flow_set(f, FLOW_SHUT);
}

size_t flow_from_said(struct flow *f, ssize_t rc)
{
	bool more = f->last && fdstream_unread(stream_bottom(f->from)) > 0; /* bytes are still there: it is not the end */
	if (rc == ST_AGAIN && (!f->last || more)) {
		f->wait_from = true;
		return 0;
	}
	flow_set(f, FLOW_DRAIN);
	f->eof = rc == 0 || rc == ST_AGAIN;
	if (rc == ST_FAIL) {
		f->failed_from = true;
		f->why = f->from->why;
	}
	return 0;
}

size_t flow_to_said(struct flow *f, ssize_t rc)
{
	if (rc == ST_AGAIN) {
		f->wait_to = true;
		return 0;
	}
	if (f->may_leave && f->to->why.cls == ERR_PIPE) {
		flow_drop(f);
		return 1;
	}
	f->failed_to = true;
	if (!f->failed_from)
		f->why = f->to->why;
	if (f->reads_on && f->state == FLOW_OPEN) {
		flow_drop(f);
		return 1;
	}
	flow_close(f);
	flow_set(f, FLOW_FAIL);
	return 0;
}

/* Nothing is held here: bytes held by a layer below must go, too. */
static void flow_settle(struct flow *f)
{
	if (flow_holds(f) || f->wait_to)
		return;
	if (f->drop) {
		if (f->state == FLOW_DRAIN)
			flow_set(f, FLOW_HELD);
		return;
	}
	int rc = f->state == FLOW_OPEN	  ? stream_flush(f->to)
		 : f->state == FLOW_DRAIN ? stream_last(f->to)
		 : f->state == FLOW_SHUT  ? stream_shut(f->to)
					  : 0;
	if (rc != 0)
		flow_to_said(f, rc);
	else if (f->state == FLOW_DRAIN)
		flow_set(f, FLOW_HELD);
	else if (f->state == FLOW_SHUT)
		flow_set(f, FLOW_DONE);
}

static void flow_choose(struct flow *f)
{
	size_t i = 0;
	/* the reads of a stream, which must pass through here */
	bool counts = f->most_messages != 0 && ((f->from->caps | f->to->caps) & ST_DGRAM) == 0;
	while (counts ? movers[i] != &mover_copy : !movers[i]->fits(f))
		i++;
	f->mover = movers[i];
}

enum flow_run flow_run(struct flow *f, size_t budget)
{
	f->wait_from = f->wait_to = f->wait_pool = false;
	for (size_t moved = 0; moved < budget;) {
		if (f->mover == NULL)
			flow_choose(f);
		size_t step = f->mover->step(f, budget - moved);
		if (step == 0) {
			flow_settle(f);
			return f->state >= FLOW_HELD && f->state != FLOW_SHUT ? FLOW_ENDED : FLOW_WAITS;
		}
		moved += step;
	}
	return FLOW_MOVED;
}
