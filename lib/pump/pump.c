/* The pump's turns, its settling and its hang-ups. What follows from each end stands in pump_ends.c.
 *
 * The first failure is what `done` is told. Interest is computed anew every turn from what stopped the flows; no direction
 * waits for the other, and a turn moves a bounded number of bytes. */
#include "pump/ack_wait.h"
#include "pump/pump_internal.h"

#include <errno.h>

enum { TURN_BYTES = 1024 * 1024, POOL_MS = 20 };

void pump_fail(struct pump *p, bool near, const struct why *why)
{
	if (p->why.cls != ERR_OK)
		return;
	p->why = *why;
	p->why_near = near;
}

/* Of a flow that failed at both ends the source's failure is kept. */
static void note_failures(struct pump *p)
{
	if (p->up.failed_to || p->up.failed_from)
		pump_fail(p, p->up.failed_from, &p->up.why);
	if (p->down.failed_to || p->down.failed_from)
		pump_fail(p, !p->down.failed_from, &p->down.why);
}

static void pump_set(struct pump *p, enum pump_state state)
{
	static const char *const words[] = { "open", "settling", "done", "failed", "stopped" };
	event(p->opts.events, EV_STATE, p->opts.conn, EV_TEXT("of", "pump"), EV_TEXT("was", words[p->state]),
		EV_TEXT("now", words[state]));
	p->state = (uint8_t)state;
}

static bool pump_is_over(const struct pump *p)
{
	return p->state >= PUMP_DONE;
}

static void let_go(struct pump *p, enum pump_state state)
{
	pump_set(p, state);
	loop_timer(p->loop, &p->clock, NEVER);
	loop_forget(p->loop, &p->turn);
	waiter_close(&p->near);
	waiter_close(&p->far);
	flow_close(&p->up);
	flow_close(&p->down);
}

static void pump_finish(struct pump *p)
{
	struct why why = p->why;
	pump_done *done = p->done;
	void *arg = p->arg;
	let_go(p, why.cls == ERR_OK ? PUMP_DONE : PUMP_FAILED);
	done(arg, &why); /* may free p */
}

/* A layer may hold data that the flow has written: 0 none, AGAIN, FAIL. */
static int pump_unflushed(struct pump *p, struct flow *to)
{
	if (!to->wait_to || p->why.cls != ERR_OK || (to->to->caps & ST_DGRAM))
		return 0;
	int rc = stream_flush(to->to);
	to->wait_to = rc == ST_AGAIN;
	return rc;
}

/* Does a layer or the kernel hold bytes that this end has not acknowledged? */
static bool pump_unsent(struct pump *p, bool near)
{
	struct why lost = { ERR_LOST, OF_PEER, 0, "send to" };
	struct flow *to = near ? &p->down : &p->up;
	int held = pump_unflushed(p, to);
	bool queued = ack_waits(to->to, &lost.sys);
	if (lost.sys != 0)
		pump_fail(p, near, &lost);
	if (held == ST_FAIL)
		pump_fail(p, near, &to->to->why);
	return to->out > 0 && (queued || held != 0);
}

/* Both directions are over, but the kernel may hold unacknowledged bytes. True when these are settled. */
static bool pump_settled(struct pump *p)
{
	if (p->state == PUMP_OPEN)
		pump_set(p, PUMP_SETTLING);
	bool far = pump_unsent(p, false), near = p->opts.peers && pump_unsent(p, true);
	if (flow_holds(&p->up) && !pump_far_dgram(p)) /* end_with_far: the peer did not wait for these */
		pump_fail(p, false, &ack_missing);
	bool ours = p->why.cls == ERR_LOCAL; /* what is on its way is to arrive before the reset */
	if ((p->why.cls != ERR_OK && !ours) || (!far && !near))
		return true;
	int64_t most_ms = ours && p->opts.settle_ms > PUMP_QUIET_MS ? PUMP_QUIET_MS : p->opts.settle_ms;
	int64_t at_ms = ack_next(&p->settle_ms, p->far.s, loop_now(p->loop), most_ms);
	if (at_ms == 0) {
		pump_fail(p, !far, &ack_missing);
		return true;
	}
	waiter_rest(&p->near);
	waiter_rest(&p->far);
	loop_timer(p->loop, &p->clock, at_ms);
	return false;
}

/* This end has gone altogether: bytes that wait for it are lost. */
static void give_up(struct pump *p, bool near)
{
	struct flow *to = near ? &p->down : &p->up;
	const struct stream *s = near ? p->near.s : p->far.s;
	if (flow_holds(to) || stream_unsent(s) > 0) {
		const struct why cut = { ERR_LOST, OF_PEER, EPIPE, "send to" };
		pump_fail(p, near, &cut);
	}
	flow_close(to);
	flow_set(to, FLOW_DONE);
}

/* A hang-up is handled after the flows have tried: earlier bytes are read, and possible writes are made. */
static bool hung_up(struct pump *p)
{
	static const struct why gone = { ERR_PIPE, 0, EPIPE, "write stdout" };
	if (p->far.hup && p->down.state != FLOW_OPEN && !pump_up_over(p))
		give_up(p, false);
	if (p->opts.peers && p->near.hup && p->up.state != FLOW_OPEN && !pump_down_over(p))
		give_up(p, true);
	if (p->near.hup && p->opts.program && !p->down.drop) {
		flow_drop(&p->down);
		loop_later(p->loop, &p->turn);
	}
	if (p->near.hup && !pump_down_over(p) && !p->opts.drop_down && !p->opts.program && !p->opts.peers) {
		pump_fail(p, true, &gone);
		return true;
	}
	return false;
}

static void pump_arm(struct pump *p)
{
	int64_t now_ms = loop_now(p->loop), at_ms = pump_ends_at(p);
	at_ms = pump_sooner(at_ms, flow_until(&p->up, now_ms));
	at_ms = pump_sooner(at_ms, flow_until(&p->down, now_ms));
	if (p->up.wait_pool || p->down.wait_pool)
		at_ms = pump_sooner(at_ms, now_ms + POOL_MS);
	loop_timer(p->loop, &p->clock, at_ms);
	if (waiter_arm(&p->near, p->up.wait_from, p->down.wait_to) != 0 ||
		waiter_arm(&p->far, p->down.wait_from, p->up.wait_to) != 0) {
		const struct why cannot = { ERR_LOCAL, 0, errno, "wait for data" };
		pump_fail(p, false, &cannot);
		pump_finish(p);
	}
}

/* A flow that waits for one end need not run when the other is ready. Layers always run: they may wait for either. */
static bool pump_sleeps(const struct flow *f, bool source_called)
{
	const struct stream *s = source_called ? f->to : f->from;
	bool for_it = source_called ? f->wait_to && !f->wait_from : f->wait_from && !f->wait_to;
	return f->state == FLOW_OPEN && for_it && !f->wait_pool && s->below == NULL;
}

static enum flow_run run_down(struct pump *p)
{
	if (p->down.state == FLOW_SHUT)
		waiter_rest(&p->near); /* shut may close its descriptor, which must not be watched then */
	return flow_run(&p->down, TURN_BYTES);
}

/* A reader that has left is told the end at once, because it may wait for that before it ends its own side. */
static void tell_ends(struct pump *p)
{
	if (pump_far_left(p) && !p->cut)
		p->cut = p->opts.half == HALF_NO || stream_shut(p->far.s) != ST_AGAIN;
	if (p->opts.program && p->down.drop && !p->left) {
		waiter_rest(&p->near);
		p->left = stream_shut(p->near.s) != ST_AGAIN;
	}
}

static void on_pump_turn(void *arg)
{
	struct pump *p = arg;
	if (p->state == PUMP_SETTLING) {
		if (pump_settled(p))
			pump_finish(p);
		return;
	}
	bool near = p->near.called, far = p->far.called, both = near == far;
	p->near.called = p->far.called = false;
	enum flow_run up = both || !pump_sleeps(&p->up, near) ? flow_run(&p->up, TURN_BYTES) : FLOW_WAITS;
	enum flow_run down = both || !pump_sleeps(&p->down, far) ? run_down(p) : FLOW_WAITS;
	pump_allow_ends(p);
	if (p->up.state == FLOW_SHUT)
		up = flow_run(&p->up, TURN_BYTES);
	if (p->down.state == FLOW_SHUT)
		down = run_down(p);
	uint64_t seen = p->up.in + p->up.out + p->down.in + p->down.out + p->up.messages + p->down.messages;
	if (seen != p->seen) {
		p->seen = seen;
		p->moved_ms = loop_now(p->loop);
	}
	note_failures(p);
	tell_ends(p);
	if (hung_up(p)) {
		pump_finish(p);
		return;
	}
	if (pump_ended(p)) {
		if (pump_settled(p))
			pump_finish(p);
		return;
	}
	if (up == FLOW_MOVED || down == FLOW_MOVED)
		loop_later(p->loop, &p->turn);
	if (p->opts.turned != NULL)
		p->opts.turned(p->arg);
	pump_arm(p);
}

void pump_start(struct pump *p, struct loop *loop, struct pool *pool, struct stream *near, struct stream *far,
	const struct pump_opts *opts, pump_done *done, void *arg)
{
	*p = (struct pump){ .loop = loop, .opts = *opts, .done = done, .arg = arg };
	p->clock = (struct timer){ .fn = on_pump_turn, .arg = p };
	p->turn = (struct task){ .fn = on_pump_turn, .arg = p };
	p->moved_ms = loop_now(loop);
	flow_open(&p->up, pool, near, far);
	flow_open(&p->down, pool, far, near);
	p->up.events = p->down.events = opts->events;
	p->up.conn = p->down.conn = opts->conn;
	p->up.name = near->counters != NULL ? "in" : "out"; /* near is the session's own stream */
	p->down.name = near->counters != NULL ? "out" : "in";
	p->up.lines = opts->lines;
	p->up.datagram_bytes = opts->datagram_bytes;
	p->down.drop = opts->drop_down;
	p->down.label = opts->label;
	p->down.hex = opts->hex;
	p->down.label_arg = arg;
	p->down.may_leave = p->up.reads_on = opts->program;
	if (far->caps & ST_DGRAM)
		p->down.most_messages = opts->replies;
	else if (opts->replies > 0 && far->ops->quota != NULL)
		p->quota = far->ops->quota(far);
	if (!(far->caps & ST_DGRAM) && opts->reads > 0)
		p->down.most_messages = opts->reads;
	if (p->quota != NULL)
		*p->quota = opts->replies;
	if (opts->no_up)
		flow_finish(&p->up);
	waiter_open(&p->near, loop, near, on_pump_turn, p);
	waiter_open(&p->far, loop, far, on_pump_turn, p);
	loop_later(loop, &p->turn);
}

void pump_kick(struct pump *p)
{
	if (!pump_is_over(p))
		loop_later(p->loop, &p->turn);
}

void pump_finish_down(struct pump *p)
{
	if (pump_is_over(p))
		return;
	flow_finish(&p->down);
	pump_kick(p);
}

void pump_bye(struct pump *p)
{
	if (pump_is_over(p))
		return;
	if (p->opts.half != HALF_NO)
		p->opts.half = HALF_YES;
	p->opts.no_up = p->opts.late_if_empty = false;
	flow_finish(&p->up);
	pump_kick(p);
}

bool pump_holds(const struct pump *p)
{
	return flow_holds(&p->up) || flow_holds(&p->down);
}

void pump_last_of_near(struct pump *p)
{
	if (pump_is_over(p))
		return;
	p->up.last = true;
	pump_kick(p);
}

void pump_stop(struct pump *p)
{
	if (p->loop != NULL && !pump_is_over(p))
		let_go(p, PUMP_STOPPED);
}
