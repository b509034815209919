/* What the peer says in a conversation: it is read when the engine waits for it, and ahead of that while what we say finds no
 * room. Two who say much at once would otherwise wait for each other for ever.
 *
 * What was read ahead waits in the engine for its turn, up to what the steps to come can use of it (talk_engine_room); a peer
 * that sends more is read on when it has read. So does the end of its data, for it may have half-closed, and so does a failure:
 * if it is the whole connection's, what we say fails as well, and the first that was seen is told.
 *
 * The engine's time passes only when nothing is left to be read: bytes that were there before a deadline are in time, however
 * busy this host is, and however they were cut. (Not for ever: a peer that never stops does not stop the clock.) */
#include "talk/talk_run.h"

enum {
	READ_BYTES = 16 * 1024,
	AHEAD_BYTES = 64 * 1024,
	LATE_READS = 256,
};

ssize_t talk_hear(struct talk *t, size_t most)
{
	struct stream *s = t->session->stream;
	ssize_t got = t->lost.cls == ERR_OK ? stream_read(s, talk_scratch(t), most) : ST_FAIL;
	if (got == ST_FAIL && t->lost.cls == ERR_OK)
		t->lost = s->why;
	t->eof |= got == 0;
	return got;
}

static void talk_hear_take(struct talk *t, ssize_t got)
{
	if (got == 0)
		talk_engine_eof(&t->engine);
	else if (got != ST_FAIL)
		talk_engine_bytes(&t->engine, talk_scratch(t), got > 0 ? (size_t)got : 0, t->now_ms);
}

static enum turn read_some(struct talk *t)
{
	bool dgram = t->session->stream->caps & ST_DGRAM;
	ssize_t got = talk_hear(t, dgram ? TALK_SCRATCH : READ_BYTES);
	if (got == ST_AGAIN)
		return TURN_WAIT_RD;
	if (got == ST_FAIL)
		return talk_broke(t);
	talk_hear_take(t, got);
	return TURN_ON;
}

/* Time stops short of the deadline while something is there to be read. */
enum turn talk_listen(struct talk *t, int64_t until_ms)
{
	int64_t now_ms = loop_now(talk_loop(t)), most_ms = t->late == 0 && until_ms > t->now_ms ? until_ms - 1 : t->now_ms;
	bool late = now_ms > most_ms;
	t->now_ms = late ? most_ms : now_ms;
	enum turn turn = late && ++t->late > LATE_READS ? TURN_WAIT_RD : read_some(t);
	if (turn != TURN_WAIT_RD)
		return turn;
	t->late = 0;
	t->now_ms = now_ms;
	return late ? TURN_ON : TURN_WAIT_RD;
}

enum turn talk_hear_ahead(struct talk *t)
{
	size_t room = t->eof || t->lost.cls != ERR_OK ? 0 : talk_engine_room(&t->engine, AHEAD_BYTES);
	ssize_t got = room > 0 ? talk_hear(t, room) : ST_AGAIN;
	if (got == ST_AGAIN)
		return room > 0 ? TURN_WAIT_BOTH : TURN_WAIT_WR;
	talk_hear_take(t, got);
	return TURN_AGAIN;
}
