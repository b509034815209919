/* A conversation when the run is about to end: it may finish what it has begun. If the script waits for the next frame, and none
 * has come for a moment, our end is sent; a frame that comes later can no longer be answered. */
#include "talk/talk_run.h"

#include "stream/stream.h"

static bool talk_drain_ignores(const struct talk *t)
{
	return t->engine.step != NULL && t->engine.step->verb == TALK_IGNORE;
}

/* waits: what the conversation waits for if it continues, and until when. */
enum turn talk_part(struct talk *t, enum turn waits, int64_t until_ms)
{
	struct session *s = t->session;
	int64_t now_ms = loop_now(talk_loop(t));
	if (s->stream->caps & ST_DGRAM)
		return talk_over(t, service_run_ends_by(s->service_run), CLOSE_PLAIN, NULL);
	if (t->quiet_ms == 0)
		t->quiet_ms = now_ms;
	int64_t due_ms = talk_drain_ignores(t) ? now_ms : t->quiet_ms + DRAIN_QUIET_MS;
	if (now_ms < due_ms || t->shut) {
		loop_timer(talk_loop(t), &t->clock, !t->shut && due_ms < until_ms ? due_ms : until_ms);
		return waits;
	}
	enum turn turn = talk_shut(t);
	t->bye = turn == TURN_ON && !talk_drain_ignores(t);
	return turn == TURN_ON && t->bye ? talk_hear_out(t) : turn == TURN_ON ? waits : turn;
}

enum turn talk_hear_out(struct talk *t)
{
	return session_hear_out(t->session, t->engine.in_len > 0) ? TURN_OVER : TURN_WAIT_RD;
}

/* A hang reads nothing, as the script says: no byte is lost that was reported as received. */
enum turn talk_let_go(struct talk *t)
{
	session_cut(t->session, service_run_ends_by(t->session->service_run));
	return TURN_OVER;
}

void talk_drain(struct session *s)
{
	struct talk *t = s->mem;
	loop_later(s->service_run->run->loop, &t->turn);
}

bool talk_holds(struct session *s)
{
	const struct talk *t = s->mem;
	return !talk_engine_waits(&t->engine) || t->engine.in_len > 0 || t->unflushed;
}
