/* Setups in progress: accepted connections whose layers have something to do before the first byte of payload (a handshake, a
 * header). They are no sessions yet. Each has one deadline for all of its layers, and none waits for another. */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "stream/stream.h"
#include "net/run.h"
#include "net/sockaddr.h"

enum { HANDSHAKE_MS = 10000 };

struct acceptor;
struct accepted { /* who was admitted, and where */
	uint32_t id;
	struct acceptor *acceptor;
	struct sa peer, local;
	int64_t hold_ms; /* its setup begins so much later */
};

struct handshake_ops {
	void (*passed)(void *arg, struct stream *gives, const struct accepted *who);
	/* s: closed after that; NULL: it is already */
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

/* Takes the stream. One of the two callbacks comes, once: before this returns when nothing has to be waited for. */
void handshake_start(struct handshakes *all, struct stream *takes, const struct accepted *who);
extern const struct why handshake_dropped, handshake_cut; /* why it failed whom we dropped ourselves, or cut at a deadline */
/* False: there is none, save for those that have passed and are handed over in the next turn: these keep their places. */
bool handshake_drop_oldest(struct handshakes *all);
bool handshake_hand_over(struct handshakes *all); /* the oldest that has passed, now; false: there is none */
void pendings_close(struct handshakes *all);	  /* every one fails, also one that has passed */
/* The same, at a deadline: how many had sent what was not read, and get a reset. */
unsigned pendings_cut(struct handshakes *all);

#endif
