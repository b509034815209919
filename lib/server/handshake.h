/* Setups in progress: accepted connections whose layers have work before the first byte of payload (a handshake, a header). They
 * are no sessions yet. Each has one deadline for all of its layers, and none waits for another. */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "stream/stream.h"
#include "net/run.h"
#include "net/sockaddr.h"

struct acceptor;
struct accepted { /* an admitted peer, and its listener */
	uint32_t id;
	struct acceptor *acceptor;
	struct sa peer, local;
	int64_t hold_ms; /* its setup begins so much later */
	bool in_turn;	 /* ... when handshakes_next says so */
};

struct handshake_ops {
	void (*passed)(void *arg, struct stream *gives, const struct accepted *who);
	/* s: closed after the call; NULL: closed already */
	void (*failed)(void *arg, const struct stream *s, const struct accepted *who, const struct why *why);
};

struct handshake;
struct handshakes {
	const struct run *run;
	const struct handshake_ops *ops;
	void *arg;
	struct handshake *first, *last; /* oldest first */
	unsigned count;
};

/* Takes the stream. One of the two callbacks is called, once: before this returns if there is nothing to wait for. */
void handshake_start(struct handshakes *all, struct stream *takes, const struct accepted *who);
/* False: there is none, except setups that have passed and are handed over in the next turn, and those in turn: these keep their
 * places. */
bool handshake_drop_oldest(struct handshakes *all);
bool handshake_hand_over(struct handshakes *all);      /* hands over the oldest that has passed; false: none */
bool handshakes_in_turn(const struct handshakes *all); /* is there one that waits for its turn, or whose turn has just come? */
void handshakes_next(struct handshakes *all);	       /* begins the oldest that waits for its turn, if none has begun */
void handshakes_close(struct handshakes *all);	       /* every one fails, also one that has passed */
void handshakes_close_others(struct handshakes *all);  /* all but those in turn */
/* The same, at a deadline: returns how many had sent unread bytes, and are reset. */
unsigned handshakes_cut(struct handshakes *all);

#endif
