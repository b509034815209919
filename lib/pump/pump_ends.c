/* The table of ends: two flows, what can happen to each, and what follows.
 *
 *   what happens                            what follows
 *   --------------------------------------  ----------------------------------------------------------------------
 *   near EOF (stdin)                        drain, then half-close far: at once, late (when far has ended), or never
 *   far EOF (the peer has finished)         drain, then close near's writing side (stdout); end if end_with_far
 *   both directions over                    settle: wait until the peer's kernel acknowledged everything, ask SO_ERROR
 *   read from far failed (reset)            drain what came before it, end
 *   write to far failed                     read near no more; far is read until its EOF, or until nothing moved for 1 s
 *   ... as its reader left a Unix socket    half-close far; far is read to its end, then end
 *   ... and near is a program               it is read on, for else it would wait, and read far's bytes no more
 *   a program reads no more                 it is told far's end now, and far is read on
 *   write to near failed: its reader left   end at once
 *   write to near failed otherwise          read far no more; near goes on until its EOF, or until nothing moved for 1 s
 *   read from near failed                   what came before goes out; far is read on as when a write to it has failed
 *   near EOF, and the peer takes too long   end quit_after later, whatever the peer does (where that is wanted)
 *   near is gone (its child has exited)     what can still be read from it goes out, then end
 *   hang-up of far after its EOF            the rest cannot arrive: end, lost if anything was unsent or SO_ERROR says so
 *   hang-up of near's writing side          as a failed write: its reader left
 *   near EOF, and no answer is wanted       end when all is acknowledged and nothing moved for 1 s (sends_only)
 *   datagrams: near EOF                     end reply_wait after the last datagram either way; nothing is half-closed
 *   datagrams or frames: enough replies     end
 *   datagrams: any failure                  write what has come, end
 *
 * Between two peers (opts.peers) the rules for far hold for near as well: what was sent to it is settled, its hang-up is looked
 * at, and when reading from it fails, what came before is written and that is the end.
 *
 * After a failure no peer is half-closed any more: what was cut off must not look whole, and the owner ends the connection with a
 * reset. */
#include "pump/pump_internal.h"
#include "stream/fdstream.h"

#include <errno.h>

static bool pump_spoiled(const struct pump *p)
{
	return p->up.failed_from || p->up.failed_to || p->down.failed_from || p->down.failed_to;
}

bool pump_up_over(const struct pump *p)
{
	bool no_end = p->opts.half == HALF_NO || p->up.drop || pump_spoiled(p); /* far is told nothing */
	return p->up.state == FLOW_DONE || p->up.state == FLOW_FAIL || (p->up.state == FLOW_HELD && no_end);
}

bool pump_down_over(const struct pump *p)
{
	bool open_end = p->opts.near_half == HALF_NO || p->down.drop || (p->opts.peers && pump_spoiled(p));
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

void pump_allow_ends(struct pump *p)
{
	bool far_ended = p->down.state != FLOW_OPEN, near_ended = p->up.state != FLOW_OPEN;
	if (p->up.state == FLOW_HELD && !pump_up_over(p) && (!up_late(p) || far_ended || pump_far_dgram(p)))
		flow_let_shut(&p->up);
	if (p->down.state == FLOW_HELD && !pump_down_over(p) && (p->opts.near_half != HALF_LATE || near_ended))
		flow_let_shut(&p->down);
}

bool pump_far_left(const struct pump *p)
{
	return p->up.failed_to && p->up.why.sys == EPIPE && !fdstream_tcp(stream_bottom(p->far.s));
}

/* One direction failed, and not because its reader left: the other goes on for what is on its way, for a bounded time. Until
 * when, if nothing moves; NEVER: this rule does not hold. */
static int64_t quiet_until(const struct pump *p)
{
	bool up = (p->up.failed_from && p->up.state >= FLOW_HELD) || (p->up.failed_to && !pump_far_left(p));
	bool later = p->down.wait_from && p->far.s->rd.timed; /* a layer has something, and lets it go at its time */
	bool holds = (p->down.failed_to || (up && !flow_holds(&p->down) && !later)) && !pump_far_dgram(p);
	return holds ? p->moved_ms + PUMP_QUIET_MS : NEVER;
}

/* When a datagram run ends; NEVER: no such end now. */
static int64_t replies_until(const struct pump *p)
{
	if (!pump_far_dgram(p) || !pump_up_over(p) || p->opts.no_up || p->opts.reply_wait_ms == NEVER || flow_holds(&p->down))
		return NEVER;
	return p->opts.drop_down ? 0 : p->moved_ms + p->opts.reply_wait_ms;
}

/* Near has ended, and all its bytes are sent. */
static bool pump_spent(struct pump *p)
{
	if (p->opts.no_up || p->up.state < FLOW_HELD)
		return false;
	if (p->spent_ms == 0)
		p->spent_ms = loop_now(p->loop);
	return true;
}

/* When near's end ends everything; NEVER: not yet. */
static int64_t quit_at(struct pump *p)
{
	return p->opts.quits && pump_spent(p) ? p->spent_ms + p->opts.quit_ms : NEVER;
}

/* When silence ends what wants no answer; NEVER: not yet. */
static int64_t silent_at(struct pump *p)
{
	if (!p->opts.sends_only || pump_far_dgram(p) || !pump_spent(p))
		return NEVER;
	return (p->spent_ms > p->moved_ms ? p->spent_ms : p->moved_ms) + PUMP_QUIET_MS;
}

/* What is not acknowledged yet is no silence: the peer may answer to it. */
static bool pump_silent(struct pump *p)
{
	int64_t now_ms = loop_now(p->loop);
	if (quiet_until(p) <= now_ms)
		return true;
	if (silent_at(p) > now_ms)
		return false;
	if (stream_unsent(stream_bottom(p->far.s)) <= 0)
		return true;
	p->moved_ms = now_ms;
	return false;
}

const struct why *pump_lack(const struct pump *p)
{
	static const struct why few = { ERR_TIMEOUT, OF_PEER, 0, "fewer replies than asked for came from" };
	return p->quota != NULL ? (*p->quota > 0 ? &few : NULL) : p->opts.replies > p->down.messages ? &few : NULL;
}

static bool datagrams_ended(struct pump *p)
{
	bool enough = p->opts.replies != 0 && p->down.messages >= p->opts.replies && pump_down_over(p);
	bool waited = replies_until(p) <= loop_now(p->loop);
	if (waited && !enough && pump_lack(p) != NULL)
		pump_fail(p, false, pump_lack(p));
	if (p->why.cls == ERR_OK)
		return enough || waited;
	flow_finish(&p->up);
	flow_finish(&p->down);
	return !flow_holds(&p->down);
}

/* No frame will be read any more: all have come that were asked for, or the peer has ended before. */
static bool frames_ended(struct pump *p)
{
	p->quit = *p->quota == 0;
	if (!p->quit)
		pump_fail(p, false, pump_lack(p));
	return true;
}

static bool reads_ended(struct pump *p, bool over)
{
	static const struct why few = { ERR_TIMEOUT, OF_PEER, 0, "fewer reads than asked for came from" };
	if (p->down.messages >= p->opts.reads)
		p->quit = true;
	else if (over)
		pump_fail(p, false, &few);
	return over || p->quit;
}

bool pump_ended(struct pump *p)
{
	int64_t now_ms = loop_now(p->loop);
	if (p->down.failed_to && p->down.why.cls == ERR_PIPE)
		return true;
	if (quit_at(p) <= now_ms) {
		p->quit = true;
		return true;
	}
	if (pump_far_dgram(p))
		return datagrams_ended(p);
	if (p->down.failed_from && pump_down_over(p))
		return true;
	if ((cut_off(p, &p->up) && p->up.state >= FLOW_HELD) || (cut_off(p, &p->down) && p->down.state >= FLOW_HELD))
		return true;
	if (p->down.failed_to && (p->near.s->caps & ST_TTY) && !flow_holds(&p->up))
		return true;
	if (pump_silent(p))
		return true;
	if (p->quota != NULL && pump_down_over(p))
		return frames_ended(p);
	bool down = pump_down_over(p), over = (down && p->opts.end_with_far) || (pump_up_over(p) && (down || p->up.last));
	return down && p->opts.reads != 0 ? reads_ended(p, over) : over;
}

int64_t pump_ends_at(struct pump *p)
{
	return pump_sooner(pump_sooner(replies_until(p), quit_at(p)), pump_sooner(quiet_until(p), silent_at(p)));
}
