/* What a service is: our end of each connection. A service is a row of functions, which sessions (session/session.h) call; it
 * knows nothing of listening and dialing, and what calls it knows nothing of what it does with the bytes. */
#ifndef NET_SERVICE_H
#define NET_SERVICE_H

#include "net/addr.h"
#include "net/run.h"

struct service_run;
struct session;

enum { /* needs of a service */
	OWNS_STDIN = 1,
	OWNS_STDOUT = 2,
	CAP_SNDBUF = 4,	    /* a queue of ours bounds memory only if the kernel's is bounded, too (256 KiB) */
	GUARD_UDP = 8,	    /* answers any peer: must not reflect (udp.h) */
	NOTICE_FULL = 16,   /* --when-full is notice by default, a plain close otherwise */
	WHOLE_FRAMES = 32,  /* --frame: whole frames exactly as they come, not lines */
	OWN_FRAMES = 64,    /* the service handles --frame itself: no layer */
	RUNS_COMMAND = 128, /* takes the words after "--" */
	LATER_TLS = 512,    /* its start says, by layers_tls_later, whether its connections get TLS later (starttls) */
	NO_PAYLOAD = 1024,  /* nothing is passed on: of its connections' layers only TLS is built */
	COSTLY = 256	    /* each client costs a connection or a process: at most 10 new UDP peers a second by default */
};

struct service {
	const char *name;
	unsigned is; /* WITH_ of this service (base/opt.h) */
	unsigned needs;
	size_t run_bytes, session_bytes;
	unsigned descriptors;				      /* of each client, beside its own socket */
	bool (*wanted)(const struct run *run);		      /* requested by an option; NULL: only as a mode's own service */
	unsigned (*lacks)(const struct conf *conf);	      /* of WITH_SENDING and WITH_SHOWING; NULL: neither */
	const struct addr *(*dials)(const struct conf *conf); /* the target of each client; NULL: none */
	int (*start)(struct service_run *service_run,
		struct err *e);			       /* before any socket: open files and stdin. NULL: nothing to do */
	int (*open)(struct session *s, struct err *e); /* after setup; borrows s->stream; may call session_end at once */
	/* The run is about to end: half-close as soon as nothing more is to be sent, read the peer to its end, then session_end.
	 * NULL: sessions end at once, for a service that holds nothing. */
	void (*drain)(struct session *s);
	/* At the deadline: is anything of this connection undelivered, in either direction? NULL: never. */
	bool (*holds)(struct session *s);
	/* The peer has ended its side, nothing is on its way to it, and no answer is owed: in a full house it may give way to a
	 * new peer. NULL: a session never does. service_run->spare is to be called when the answer may have become yes. */
	bool (*spare)(const struct session *s);
	void (*close)(struct session *s);	       /* let go of the stream: every waiter, timer, block. NULL: nothing held */
	void (*stop)(struct service_run *service_run); /* NULL: nothing to do */
};

#endif
