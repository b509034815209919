/* Setups in progress: accepted connections whose layers have something to do before the first byte of payload (a handshake, a
 * header). They are no sessions yet. Each has one deadline for all of its layers, and none waits for another. */
#ifndef NET_PENDING_H
#define NET_PENDING_H

#include "io/stream.h"
#include "net/env.h"
#include "net/sa.h"

enum { PENDING_MS = 10000 };

struct door;
struct newcomer { /* who was admitted, and where */
	uint32_t id;
	struct door *door;
	struct sa peer, local;
	int64_t hold_ms; /* its setup begins so much later */
};

struct pending_ops {
	void (*passed)(void *arg, struct stream *gives, const struct newcomer *who);
	/* s: closed after that; NULL: it is already */
	void (*failed)(void *arg, const struct stream *s, const struct newcomer *who, const struct why *why);
};

struct pending;
struct pendings {
	const struct env *env;
	const struct pending_ops *ops;
	void *arg;
	struct pending *first, *last; /* oldest first */
	unsigned count;
};

/* Takes the stream. One of the two callbacks comes, once: before this returns when nothing has to be waited for. */
void pending_start(struct pendings *all, struct stream *takes, const struct newcomer *who);
extern const struct why pending_dropped, pending_cut; /* why it failed whom we dropped ourselves, or cut at a deadline */
/* False: there is none, save for those that have passed and are handed over in the next turn: these keep their places. */
bool pending_drop_oldest(struct pendings *all);
bool pending_hand_over(struct pendings *all); /* the oldest that has passed, now; false: there is none */
void pendings_close(struct pendings *all);    /* every one fails, also one that has passed */
/* The same, at a deadline: how many had sent what was not read, and get a reset. */
unsigned pendings_cut(struct pendings *all);

#endif
