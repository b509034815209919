/* A connection's conversation (talk.c): its input (talk_hear.c), its reports (talk_tell.c) and its end (talk_end.c). */
#ifndef TALK_TALK_RUN_H
#define TALK_TALK_RUN_H

#include "stream/waiter.h"
#include "session/session.h"
#include "talk/talk_engine.h"

enum { TALK_SCRATCH = TALK_DATAGRAM_MOST };

struct talks { /* of a run */
	struct talk_script *script;
	unsigned char scratch[TALK_SCRATCH];
	int64_t work;	    /* left for all conversations in this turn of the loop */
	struct task refill; /* in the next */
	unsigned thinking;  /* conversations that used up their part */
};

struct talk {
	struct session *session;
	struct talk_engine engine;
	struct waiter waiter;
	struct task turn;
	struct timer clock;
	bool unflushed; /* the layers may hold output */
	bool shut, eof;
	bool unheard;	      /* `hang` has seen a byte, and reads no more */
	bool told;	      /* its failure was reported */
	struct why lost;      /* reading has failed; cls ERR_OK: it has not */
	bool taken;	      /* TLS: the peer has acknowledged all output, and close_notify is due */
	bool listens;	      /* the engine waits for input */
	bool thinks;	      /* it used up the work of a turn */
	int64_t now_ms;	      /* the engine's time */
	unsigned late;	      /* reads during which that stood still */
	int64_t end_ms;	      /* when the wait for acknowledgements began, 0: not waiting; failed: its deadline */
	int64_t quiet_ms;     /* in a drain: since when there is no input, 0: not yet */
	bool bye;	      /* our end is sent: the peer is only read to its end */
	int64_t tls_until_ms; /* the handshake's deadline; 0: there is none */
};

enum turn {
	TURN_ON,
	TURN_AGAIN /* the same act */,
	TURN_WAIT,
	TURN_WAIT_RD,
	TURN_WAIT_WR,
	TURN_WAIT_BOTH,
	TURN_LATER /* in the next turn of the loop */,
	TURN_OVER
};

struct loop *talk_loop(const struct talk *t);
unsigned char *talk_scratch(const struct talk *t);

bool talk_tls(const struct talk *t); /* the connection has TLS */

enum turn talk_flush(struct talk *t); /* TURN_ON: all output has left the layers */
enum turn talk_shut(struct talk *t);  /* TURN_ON: it has, and our end, too */

void talk_rewait(struct talk *t); /* the session has another stream */

/* talk_hear.c */
ssize_t talk_hear(struct talk *t, size_t most); /* into the scratch, as stream_read; a failure stays */
enum turn talk_listen(struct talk *t, int64_t until_ms);
enum turn talk_hear_ahead(struct talk *t); /* while output waits: BOTH, WR (enough was read), AGAIN (input came) */

/* talk_drain.c */
enum turn talk_part(struct talk *t, enum turn waits, int64_t until_ms);
enum turn talk_hear_out(struct talk *t);
enum turn talk_let_go(struct talk *t);
void talk_drain(struct session *s);
bool talk_holds(struct session *s);

/* talk_tls.c: one step of it */
enum turn talk_secure(struct talk *t);

/* talk_end.c */
enum turn talk_over(struct talk *t, enum session_end by, enum close_how how, const struct why *why);
enum turn talk_broke(struct talk *t); /* for the reason that the stream gives */
enum turn talk_end_close(struct talk *t);
enum turn talk_hang(struct talk *t); /* until the peer ends */
enum turn talk_end_reset(struct talk *t);
enum turn talk_end_failed(struct talk *t, const struct talk_act *a);

/* talk_tell.c */
void talk_tell_match(const struct talk *t, const struct talk_act *a);
void talk_tell_unmatched(const struct talk *t, const struct talk_act *a);
void talk_tell_log(const struct talk *t);
void talk_tell_failure(struct talk *t, const struct talk_act *a); /* the session's why becomes that, too */

#endif
