/* starttls: TLS starts in the connection, and the conversation continues inside it.
 *
 * Earlier output has been sent, and bytes that the peer has sent ahead are never taken for a part of the conversation: TLS gets
 * them, as it would if they came later (RFC 3207 says why). A failed handshake is a failed conversation. */
#include "talk/talk_run.h"

#include "session/layers.h"

#include <errno.h>

static enum turn talk_tls_begin(struct talk *t)
{
	struct session *s = t->session;
	struct talk_bytes unread = talk_engine_unread(&t->engine);
	const struct link link = {
		.run = s->service_run->run,
		.role = s->dialed ? ROLE_DIAL : ROLE_ACCEPT,
		.conn = s->id,
		.peer = &s->peer,
		.local = &s->local,
	};
	struct err e = { 0 };
	enum turn turn = talk_flush(t);
	if (turn != TURN_ON)
		return turn;
	if (layers_secure(&s->stream, &link, unread.p, unread.n, &e) != 0) {
		static const struct why no_memory = { ERR_LOCAL, OF_PEER, ENOMEM, "start TLS with" };
		return talk_over(t, END_ERROR, CLOSE_PLAIN, &no_memory);
	}
	t->tls_until_ms = loop_now(talk_loop(t)) + HANDSHAKE_MS;
	talk_rewait(t);
	return TURN_ON;
}

enum turn talk_secure(struct talk *t)
{
	const struct stream *s = t->session->stream;
	if (t->tls_until_ms == 0) {
		enum turn turn = talk_tls_begin(t);
		if (turn != TURN_ON)
			return turn;
		s = t->session->stream;
	}
	int rc = stream_setup(t->session->stream);
	if (rc == 0) {
		t->tls_until_ms = 0;
		talk_engine_done(&t->engine);
		return TURN_ON;
	}
	bool late = rc == ST_AGAIN && loop_now(talk_loop(t)) >= t->tls_until_ms;
	if (rc == ST_AGAIN && !late) {
		loop_timer(talk_loop(t), &t->clock, t->tls_until_ms);
		return TURN_WAIT_RD;
	}
	return talk_end_failed(t, talk_engine_told(&t->engine, late ? "the handshake took too long" : s->why.text));
}
