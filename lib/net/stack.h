/* The layers of a connection, from the rows of stack.c: bottom first, each pushes itself when its options ask for it. */
#ifndef NET_STACK_H
#define NET_STACK_H

#include "io/stream.h"
#include "net/addr.h"
#include "net/env.h"
#include "net/sa.h"

enum role { ROLE_DIAL, ROLE_ACCEPT };
enum place { PLACE_FAULT, PLACE_PROXY, PLACE_TLS, PLACE_TAP, PLACE_TELNET, PLACE_FRAME };

struct behalf { /* for whom somebody else is dialed */
	struct sa peer, local;
	bool dgram;
};

struct link { /* a connection as its layers see it while they push themselves */
	const struct env *env;
	enum role role;
	uint32_t conn;
	const struct sa *peer, *local;
	const struct sa *target;     /* of a proxy, where its name was resolved here; NULL: it was not */
	const struct behalf *client; /* NULL: dialed for ourselves, or accepted */
};

struct layer {
	enum place place;
	const char *name;
	const struct opt_group *group; /* where its options live; NULL: it has none of its own */
	/* Once a run, before any socket: opens files. *shared is handed to push and stop, NULL if the layer is not asked for.
	 * NULL: there is nothing to share, push looks at its options. */
	int (*start)(const struct env *env, void **shared, struct err *e);
	int (*push)(struct stream **top, const struct link *link, void *shared, struct err *e); /* no option, no push: 0 */
	void (*stop)(const struct env *env, void *takes); /* after the last stream is closed */
};

enum { STACK_ROWS = 16 };
struct service;
struct stack { /* what the layers of one run share; zeroed before first use */
	enum role role;
	unsigned places;	       /* 1 << place for those with layers */
	const struct addr *addr;       /* whom we dial, or where we listen */
	const struct service *service; /* what our end is; NULL: of no interest to layers */
	struct stack_far *far;
	bool faults;	/* a script has faults: every connection can have some (net/faults.h) */
	bool tls_later; /* connections begin without TLS: stack_secure puts it into them */
	void *shared[STACK_ROWS];
};

/* Borrows addr until stack_stop. 0, or -1 with e; what has started is stopped by stack_stop. An env without a stack shares
 * nothing. */
int stack_start(const struct env *env, enum role role, const struct addr *addr, const struct service *service, struct err *e);
void stack_stop(const struct env *env);
/* For a service that dials addr itself: the env to dial with, of which only TLS and, in servers, proxies are as the user asked
 * for them, because all else is about its clients. Once a run; lives until stack_stop(env). NULL with e. */
const struct env *stack_far(const struct env *env, const struct addr *addr, struct err *e);
/* What the layer with this push shares; NULL: it is not asked for. */
const void *stack_shared(
	const struct env *env, int (*push)(struct stream **top, const struct link *link, void *shared, struct err *e));

/* 0, or -1 with e and *top still the caller's. */
int stack_build(struct stream **top, const struct link *link, struct err *e);

/* TLS in the midst of a connection. For a service with LATER_TLS, before any socket: it will ask for that, or (wanted false) it
 * will not, and options of TLS are then refused where nothing uses them. 0, or -1 with e. */
int stack_tls_later(const struct env *env, bool wanted, struct err *e);
/* Puts TLS below all that looks at payload; *top changes where nothing does. Everything that was written is flushed already; of
 * what was read, the unread bytes go to TLS. stream_setup makes the handshake. 0, or -1 with e: no memory, all is as it was. */
int stack_secure(struct stream **top, const struct link *link, const void *unread, size_t n, struct err *e);

extern const struct opt_group text_opts; /* -C */
struct text_conf {
	bool crlf;
};

#endif
