/* Reading the peer in a conversation: when the engine waits for input, and ahead of that while output finds no room, because two
 * ends that send much at once would otherwise wait for each other for ever.
 *
 * Input read ahead waits in the engine, up to what later steps can use of it (talk_engine_room); a peer that sends more is read
 * on when it has read. The end of its data waits, too, because it may be a half-close, and so does a failure: if it is the whole
 * connection's, our output fails as well, and the first failure seen is reported.
 *
 * The engine's time passes only when no input is left to read: bytes that came before a deadline are in time, however busy this
 * host is, and however they were cut. (This is bounded: a peer that never stops sending does not stop the clock.) */
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

/* Time stops before the deadline while input is there. */
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
