/* Two flows and one table of ends.
 *
 *   what happens                            what follows
 *   --------------------------------------  ----------------------------------------------------------------------
 *   near EOF (stdin)                        drain, then half-close far: at once, late (when far has ended), or never
 *   far EOF (the peer has finished)         drain, then close near's writing side (stdout); end if end_with_far
 *   both directions over                    settle: wait until the peer's kernel acknowledged everything, ask SO_ERROR
 *   read from far failed (reset)            drain what came before it, end
 *   write to far failed                     read near no more, half-close far; far is read to its end, then end
 *   ... and near is a program               it is read on, for else it would wait, and read far's bytes no more
 *   a program reads no more                 it is told far's end now, and far is read on
 *   write to near failed: its reader left   end at once
 *   write to near failed otherwise          read far no more; near goes on until its EOF, or until nothing moved for 1 s
 *   read from near failed                   as its EOF, but remembered
 *   near EOF, and the peer takes too long   end quit_after later, whatever the peer does (where that is wanted)
 *   near is gone (its child has exited)     what can still be read from it goes out, then end
 *   hang-up of far after its EOF            the rest cannot arrive: end, lost if anything was unsent or SO_ERROR says so
 *   hang-up of near's writing side          as a failed write: its reader left
 *   datagrams: near EOF                     end reply_wait after the last datagram either way; nothing is half-closed
 *   datagrams: enough replies               end
 *   datagrams: any failure                  write what has come, end
 *
 * Between two peers (opts.peers) the rules for far hold for near as well: what was sent to it is settled, its hang-up is looked
 * at, and when reading from it fails, what came before is written and that is the end. The other peer is not half-closed then: an
 * answer that was cut off must not look whole.
 *
 * The first failure is what `done` is told. Interest is computed anew every turn from what stopped the flows; no direction
 * waits for the other, and a turn moves a bounded number of bytes. */
#include "pump/pump.h"
#include "stream/fdstream.h"
#include "pump/settle.h"

#include <errno.h>

enum { TURN_BYTES = 1024 * 1024, QUIET_MS = 1000, POOL_MS = 20 };

static bool far_dgram(const struct pump *p)
{
	return p->far.s->caps & ST_DGRAM;
}

static void pump_fail(struct pump *p, bool near, const struct why *why)
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

static void let_go(struct pump *p)
{
	p->over = true;
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
	let_go(p);
	done(arg, &why); /* may free p */
}

/* Whether a flow has work left. "Over" means: nothing more will move, and its sink was told the end, or need not be. */

static bool up_over(const struct pump *p)
{
	bool no_end = p->opts.half == HALF_NO || p->up.drop; /* there is no end to tell it */
	return p->up.state == FLOW_DONE || p->up.state == FLOW_FAIL || (p->up.state == FLOW_HELD && no_end);
}

static bool down_over(const struct pump *p)
{
	bool open_end = p->opts.near_half == HALF_NO || p->down.drop;
	return p->down.state == FLOW_DONE || p->down.state == FLOW_FAIL || (p->down.state == FLOW_HELD && open_end);
}

static bool up_late(const struct pump *p)
{
	return p->opts.half == HALF_LATE || p->opts.no_up || (p->opts.late_if_empty && p->up.in == 0 && !p->up.failed_from);
}

/* Between peers: the source of this flow has failed. */
static bool cut_off(const struct pump *p, const struct flow *f)
{
	return p->opts.peers && f->failed_from;
}

static void allow_ends(struct pump *p)
{
	bool far_ended = p->down.state != FLOW_OPEN, near_ended = p->up.state != FLOW_OPEN;
	if (cut_off(p, &p->up) || cut_off(p, &p->down))
		return;
	if (p->up.state == FLOW_HELD && !up_over(p) && (!up_late(p) || far_ended || far_dgram(p)))
		flow_let_shut(&p->up);
	if (p->down.state == FLOW_HELD && !down_over(p) && (p->opts.near_half != HALF_LATE || near_ended))
		flow_let_shut(&p->down);
}

/* Near's sink failed, and not because its reader left: near is still read for the peer's sake, for a bounded time. */
static bool quiet_rule(const struct pump *p)
{
	return p->down.failed_to && !far_dgram(p);
}

/* When a datagram run ends; NEVER: no such end now. */
static int64_t replies_until(const struct pump *p)
{
	if (!far_dgram(p) || !up_over(p) || p->opts.no_up || p->opts.reply_wait_ms == NEVER || flow_holds(&p->down))
		return NEVER;
	return p->opts.drop_down ? 0 : p->moved_ms + p->opts.reply_wait_ms;
}

/* When near's end ends everything; NEVER: not yet. */
static int64_t quit_at(struct pump *p)
{
	if (!p->opts.quits || p->opts.no_up || p->up.state < FLOW_HELD)
		return NEVER;
	if (p->spent_ms == 0)
		p->spent_ms = loop_now(p->loop);
	return p->spent_ms + p->opts.quit_ms;
}

const struct why *pump_lack(const struct pump *p)
{
	static const struct why few = { ERR_TIMEOUT, OF_PEER, 0, "fewer replies than asked for came from" };
	return p->opts.replies > p->down.messages ? &few : NULL;
}

static bool datagrams_ended(struct pump *p)
{
	bool enough = p->opts.replies != 0 && p->down.messages >= p->opts.replies && down_over(p);
	bool waited = replies_until(p) <= loop_now(p->loop);
	if (waited && !enough && pump_lack(p) != NULL)
		pump_fail(p, false, pump_lack(p));
	if (p->why.cls == ERR_OK)
		return enough || waited;
	flow_finish(&p->up);
	flow_finish(&p->down);
	return !flow_holds(&p->down);
}

/* Has the run come to its end (after which it may settle)? */
static bool pump_ended(struct pump *p)
{
	int64_t now_ms = loop_now(p->loop);
	if (p->down.failed_to && p->down.why.cls == ERR_PIPE)
		return true;
	if (quit_at(p) <= now_ms) {
		p->quit = true;
		return true;
	}
	if (far_dgram(p))
		return datagrams_ended(p);
	if (p->down.failed_from && down_over(p))
		return true;
	if ((cut_off(p, &p->up) && p->up.state >= FLOW_HELD) || (cut_off(p, &p->down) && p->down.state >= FLOW_HELD))
		return true;
	if (quiet_rule(p) && (p->near.s->caps & ST_TTY) && !flow_holds(&p->up))
		return true;
	if (quiet_rule(p) && now_ms >= p->moved_ms + QUIET_MS)
		return true;
	if (down_over(p) && p->opts.end_with_far)
		return true;
	return up_over(p) && (down_over(p) || p->up.last);
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

/* Does a layer or the kernel hold bytes that this end has not acknowledged? Checked before SO_ERROR, because a reset first
 * empties the queue and is reported then. */
static bool pump_unsent(struct pump *p, bool near)
{
	struct why lost = { ERR_LOST, OF_PEER, 0, "send to" };
	struct flow *to = near ? &p->down : &p->up;
	const struct stream *bottom = stream_bottom(to->to);
	int held = pump_unflushed(p, to);
	int queued = stream_unsent(bottom);
	if ((lost.sys = stream_error(bottom)) != 0)
		pump_fail(p, near, &lost);
	if (held == ST_FAIL)
		pump_fail(p, near, &to->to->why);
	return to->out > 0 && (queued > 0 || held != 0);
}

/* Both directions are over, but the kernel may hold unacknowledged bytes. True when these are settled. */
static bool pump_settled(struct pump *p)
{
	static const struct why unacknowledged = { ERR_LOST, OF_PEER, 0, "not everything was acknowledged by" };
	int64_t now_ms = loop_now(p->loop);
	if (p->settle_ms == 0) {
		p->settle_ms = now_ms;
		p->step_ms = 1;
	}
	bool far = pump_unsent(p, false), near = p->opts.peers && pump_unsent(p, true);
	if (flow_holds(&p->up) && !far_dgram(p)) /* end_with_far: the peer did not wait for these */
		pump_fail(p, false, &unacknowledged);
	if (p->why.cls != ERR_OK || (!far && !near))
		return true;
	if (p->opts.settle_ms != NEVER && now_ms >= p->settle_ms + p->opts.settle_ms) {
		pump_fail(p, !far, &unacknowledged);
		return true;
	}
	waiter_rest(&p->near);
	waiter_rest(&p->far);
	int64_t left_ms = p->opts.settle_ms == NEVER ? NEVER : p->settle_ms + p->opts.settle_ms - now_ms;
	loop_timer(p->loop, &p->clock, now_ms + (left_ms < p->step_ms ? left_ms : p->step_ms));
	p->step_ms = settle_step(stream_bottom(p->far.s), p->step_ms, now_ms - p->settle_ms);
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
	to->state = FLOW_DONE;
}

/* A hang-up is handled after the flows have tried: earlier bytes are read, and possible writes are made. */
static bool hung_up(struct pump *p)
{
	static const struct why gone = { ERR_PIPE, 0, EPIPE, "write stdout" };
	if (p->far.hup && p->down.state != FLOW_OPEN && !up_over(p))
		give_up(p, false);
	if (p->opts.peers && p->near.hup && p->up.state != FLOW_OPEN && !down_over(p))
		give_up(p, true);
	if (p->near.hup && p->opts.program && !p->down.drop) {
		flow_drop(&p->down);
		loop_later(p->loop, &p->turn);
	}
	if (p->near.hup && !down_over(p) && !p->opts.drop_down && !p->opts.program && !p->opts.peers) {
		pump_fail(p, true, &gone);
		return true;
	}
	return false;
}

static int64_t pump_sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

static void pump_arm(struct pump *p)
{
	int64_t now_ms = loop_now(p->loop), at_ms = replies_until(p);
	at_ms = pump_sooner(at_ms, quit_at(p));
	at_ms = pump_sooner(at_ms, flow_until(&p->up, now_ms));
	at_ms = pump_sooner(at_ms, flow_until(&p->down, now_ms));
	if (quiet_rule(p))
		at_ms = pump_sooner(at_ms, p->moved_ms + QUIET_MS);
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

/* A source whose bytes cannot be written any more is told the end at once, because it may wait for it for ever. */
static void tell_ends(struct pump *p)
{
	if (p->up.failed_to && !p->cut)
		p->cut = p->opts.half == HALF_NO || stream_shut(p->far.s) != ST_AGAIN;
	if (p->opts.program && p->down.drop && !p->left) {
		waiter_rest(&p->near);
		p->left = stream_shut(p->near.s) != ST_AGAIN;
	}
}

static void pump_turn(void *arg)
{
	struct pump *p = arg;
	if (p->settle_ms != 0) {
		if (pump_settled(p))
			pump_finish(p);
		return;
	}
	bool near = p->near.called, far = p->far.called, both = near == far;
	p->near.called = p->far.called = false;
	enum flow_run up = both || !pump_sleeps(&p->up, near) ? flow_run(&p->up, TURN_BYTES) : FLOW_WAITS;
	enum flow_run down = both || !pump_sleeps(&p->down, far) ? run_down(p) : FLOW_WAITS;
	allow_ends(p);
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
	pump_arm(p);
}

void pump_start(struct pump *p, struct loop *loop, struct pool *pool, struct stream *near, struct stream *far,
	const struct pump_opts *opts, pump_done *done, void *arg)
{
	*p = (struct pump){ .loop = loop, .opts = *opts, .done = done, .arg = arg };
	p->clock = (struct timer){ .fn = pump_turn, .arg = p };
	p->turn = (struct task){ .fn = pump_turn, .arg = p };
	p->moved_ms = loop_now(loop);
	flow_open(&p->up, pool, near, far);
	flow_open(&p->down, pool, far, near);
	p->up.lines = opts->lines;
	p->up.datagram_bytes = opts->datagram_bytes;
	p->down.drop = opts->drop_down;
	p->down.may_leave = p->up.reads_on = opts->program;
	if (far->caps & ST_DGRAM)
		p->down.most_messages = opts->replies;
	if (opts->no_up)
		flow_finish(&p->up);
	waiter_open(&p->near, loop, near, pump_turn, p);
	waiter_open(&p->far, loop, far, pump_turn, p);
	loop_later(loop, &p->turn);
}

void pump_kick(struct pump *p)
{
	if (!p->over)
		loop_later(p->loop, &p->turn);
}

void pump_finish_down(struct pump *p)
{
	if (p->over)
		return;
	flow_finish(&p->down);
	pump_kick(p);
}

void pump_bye(struct pump *p)
{
	if (p->over)
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
	if (p->over)
		return;
	p->up.last = true;
	pump_kick(p);
}

void pump_stop(struct pump *p)
{
	if (p->loop != NULL && !p->over)
		let_go(p);
}
