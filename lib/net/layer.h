/* What a layer is, and what it sees of the run and of its connection.
 *
 * A layer is a stream that stands on another stream (stream/stream.h). A row of struct layer says how it starts once a run, how
 * it pushes itself on each connection, and how it stops. The table of all rows is session/layers.c. */
#ifndef NET_LAYER_H
#define NET_LAYER_H

#include "stream/stream.h"
#include "net/addr.h"
#include "net/run.h"
#include "net/sockaddr.h"

enum role { ROLE_DIAL, ROLE_ACCEPT };
enum { HANDSHAKE_MS = 10000 }; /* for the setup of all layers of a connection that was accepted, or gets TLS later */
enum place { PLACE_NONE /* of no row */, PLACE_FAULT, PLACE_PROXY, PLACE_TLS, PLACE_OBSERVER, PLACE_TELNET, PLACE_FRAME };

struct behalf { /* the client for which a target is dialed */
	struct sa peer, local;
	bool dgram;
};

struct link { /* a connection as its layers see it while they are pushed */
	const struct run *run;
	enum role role;
	uint32_t conn;
	const struct sa *peer, *local;
	const struct sa *target;     /* through a proxy: if its name was resolved here; NULL: it was not */
	const struct behalf *client; /* NULL: dialed for ourselves, or accepted */
};

typedef int layer_push(struct stream **top, const struct link *link, void *shared, struct err *e);

struct layer {
	enum place place;
	const struct opt_group *group; /* of its options; NULL: none of its own */
	/* Once a run, before any socket: opens files. *shared is passed to push and stop, NULL if the layer was not requested.
	 * NULL: there is nothing to share, push reads its options. */
	int (*start)(const struct run *run, void **shared, struct err *e);
	layer_push *push;				  /* without its option it pushes nothing: 0 */
	void (*stop)(const struct run *run, void *takes); /* after the last stream is closed */
};

struct layer_share { /* what a requested layer keeps for its connections; zeroed: it was not requested */
	layer_push *push;
	void *mem;
};

enum { LAYERS_MOST = 16 };
struct service;
struct layers_far;
struct layers { /* what the layers of one run share; zeroed before first use */
	enum role role;
	unsigned places;	       /* 1 << place for the requested ones */
	const struct addr *addr;       /* the address to dial, or to listen on */
	const struct service *service; /* our end; NULL: layers do not need it */
	struct layers_far *far;
	bool faults;				/* a script has faults: any connection can have some (fault/fault_opts.h) */
	bool tls_later;				/* connections begin without TLS: layers_secure puts it into them */
	struct layer_share shared[LAYERS_MOST]; /* a row each */
};

/* What the layer with this push keeps for the run, borrowed until the layers stop; NULL: the layer was not requested. */
void *layer_shared(const struct run *run, layer_push *push);

#endif
