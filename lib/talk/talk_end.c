/* How a conversation ends.
 *
 * A good end: output is sent, then the half-close; input is read and dropped until the peer's kernel has acknowledged everything,
 * and then the session lingers as any other. */
#include "talk/talk_run.h"

#include "fault/fault.h"
#include "net/layer.h"
#include "pump/ack_wait.h"

#include <errno.h>

enum { LAST_MS = 1000 }; /* output before a reset or a failure gets so long to be sent */

enum turn talk_over(struct talk *t, enum session_end by, enum close_how how, const struct why *why)
{
	session_end(t->session, by, how == CLOSE_PLAIN && t->eof && t->shut ? CLOSE_DONE : how, why);
	return TURN_OVER;
}

enum turn talk_broke(struct talk *t)
{
	const struct why why = t->lost.cls != ERR_OK ? t->lost : t->session->stream->why;
	return talk_over(t, END_ERROR, CLOSE_PLAIN, &why);
}

static enum session_end closed_by(const struct talk *t)
{
	return t->engine.act.what == DO_HANG ? END_PEER : END_SCRIPT;
}

static bool all_acknowledged(const struct talk *t)
{
	return t->session->counters.out == 0 || stream_unsent(t->session->stream) == 0;
}

/* Reads on, for a peer that takes our last bytes only after we have taken its own. */
static enum turn drop_some(struct talk *t)
{
	ssize_t got = t->eof ? ST_AGAIN : talk_hear(t, TALK_SCRATCH);
	if (got == ST_FAIL && t->lost.cls == ERR_LOST && t->lost.sys == 0) { /* TLS without close_notify: not needed here */
		t->lost.cls = ERR_OK;
		t->eof = true;
		return TURN_ON;
	}
	if (got == ST_FAIL)
		return talk_broke(t);
	return got == ST_AGAIN ? (t->eof ? TURN_WAIT : TURN_WAIT_RD) : TURN_ON;
}

/* TURN_ON: all has arrived. */
static enum turn until_arrived(struct talk *t)
{
	struct why lost = { ERR_LOST, OF_PEER, 0, "send to" };
	const struct session *s = t->session;
	bool waits = ack_waits(s->stream, &lost.sys) && s->counters.out > 0;
	if (lost.sys != 0)
		return talk_over(t, END_ERROR, CLOSE_PLAIN, &lost);
	if (!waits)
		return TURN_ON;
	int64_t at_ms = ack_next(&t->end_ms, s->stream, loop_now(talk_loop(t)), session_settle_ms(s));
	if (at_ms == 0)
		return talk_over(t, END_ERROR, CLOSE_PLAIN, &ack_missing);
	loop_timer(talk_loop(t), &t->clock, at_ms);
	enum turn turn = drop_some(t);
	return turn == TURN_ON ? TURN_AGAIN : turn;
}

static enum turn or_drop(struct talk *t, enum turn turn)
{
	if (turn != TURN_WAIT_WR)
		return turn;
	turn = drop_some(t);
	return turn == TURN_WAIT_RD ? TURN_WAIT_BOTH : turn == TURN_WAIT ? TURN_WAIT_WR : turn == TURN_ON ? TURN_AGAIN : turn;
}

/* Many peers close when they have received the last output, and answer close_notify, which comes after it, with a reset. So it is
 * sent when the output has been acknowledged, and then nothing can be lost. */
static enum turn say_goodbye(struct talk *t)
{
	enum turn turn = TURN_ON;
	if (!t->taken && (turn = or_drop(t, talk_flush(t))) == TURN_ON)
		turn = until_arrived(t);
	if (turn != TURN_ON)
		return turn;
	t->taken = true;
	int rc = stream_shut(t->session->stream);
	t->shut = rc == 0;
	return rc == ST_AGAIN ? or_drop(t, TURN_WAIT_WR) : talk_over(t, closed_by(t), CLOSE_PLAIN, NULL);
}

enum turn talk_end_close(struct talk *t)
{
	if (talk_tls(t) && !t->shut)
		return say_goodbye(t);
	enum turn turn = t->shut ? TURN_ON : or_drop(t, talk_shut(t));
	if (turn == TURN_ON)
		turn = until_arrived(t);
	return turn == TURN_ON ? talk_over(t, closed_by(t), CLOSE_PLAIN, NULL) : turn;
}

/* Nothing is read, but the peer's end must be seen: on TCP and Unix sockets it shows without reading. In TLS it is a record, for
 * which reading continues up to the first byte of data. */
static bool has_ended(struct talk *t)
{
	ssize_t got = ST_AGAIN;
	if (talk_tls(t) && !t->eof && !t->unheard)
		got = talk_hear(t, 1);
	t->unheard |= got > 0;
	return t->eof || got == ST_FAIL || t->waiter.ended;
}

/* The peer's end ends the hang. A script that was told of that end before (`on eof hang`) continues until the connection is gone:
 * a reset, or the kernel's keepalive. */
enum turn talk_hang(struct talk *t)
{
	const struct session *s = t->session;
	bool stream = !(s->stream->caps & ST_DGRAM), told = t->engine.eof_told;
	if (t->waiter.hup && (!stream || all_acknowledged(t)))
		return talk_over(t, END_PEER, CLOSE_PLAIN, NULL);
	if (s->drained)
		return talk_let_go(t);
	if (!stream)
		return TURN_WAIT;
	t->waiter.ends = !told;
	if (t->waiter.hup || (!told && has_ended(t)))
		return talk_end_close(t);
	return talk_tls(t) && !told && !t->unheard ? TURN_WAIT_RD : TURN_WAIT;
}

/* Earlier output is to arrive, too, if the peer takes it soon. */
enum turn talk_end_reset(struct talk *t)
{
	int64_t most_ms = LAST_MS + fault_patience_ms(t->session->stream);
	int64_t at_ms = ack_next(&t->end_ms, t->session->stream, loop_now(talk_loop(t)), most_ms);
	bool waits = !all_acknowledged(t);
	enum turn turn = talk_flush(t);
	if (turn == TURN_OVER)
		return turn;
	if ((!waits && turn == TURN_ON) || at_ms == 0)
		return talk_over(t, END_SCRIPT, CLOSE_RST, NULL);
	loop_timer(talk_loop(t), &t->clock, waits ? at_ms : t->end_ms + most_ms);
	return turn == TURN_ON ? TURN_WAIT : turn;
}

/* Reported at once; earlier output is still sent, if the peer takes it soon. */
enum turn talk_end_failed(struct talk *t, const struct talk_act *a)
{
	static const struct why no_memory = { ERR_LOCAL, OF_PEER, ENOMEM, "keep what came from" };
	static const struct why no_room = { ERR_LOCAL, OF_PEER, 0, "--memory has no room for what came from" };
	int64_t now_ms = loop_now(talk_loop(t));
	if (a->why == WHY_BUDGET)
		return talk_over(t, END_ERROR, CLOSE_PLAIN, &no_room);
	if (a->why == WHY_MEMORY)
		return talk_over(t, END_ERROR, CLOSE_PLAIN, &no_memory);
	if (!t->told) {
		talk_tell_failure(t, a);
		t->told = true;
		t->end_ms = now_ms + LAST_MS + fault_patience_ms(t->session->stream);
	}
	if (t->unflushed && now_ms < t->end_ms && stream_flush(t->session->stream) == ST_AGAIN) {
		loop_timer(talk_loop(t), &t->clock, t->end_ms);
		return TURN_WAIT_WR;
	}
	const struct why why = t->session->why;
	return talk_over(t, END_ERROR, CLOSE_PLAIN, &why);
}
