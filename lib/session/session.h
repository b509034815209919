/* A session is one connection or UDP peer, dialed or accepted, wired to one service. The service run is what all its sessions
 * share. Services implement `struct service`; they know nothing of sockets, and net knows nothing of services.
 *
 * A session owns its stream, its clocks and its counters. It ends once, through session_end, which may be called from any
 * callback; it is swept (service->close, stream closed, freed) after the turn. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "base/table.h"
#include "stream/stream.h"
#include "net/addr.h"
#include "net/run.h"
#include "net/sockaddr.h"
#include "net/service.h"

enum session_end { /* "closed by" in words */
	END_PEER,
	END_LOCAL,
	END_IDLE,
	END_MAX_TIME,
	END_LIFETIME,
	END_DRAIN,
	END_SLOW,
	END_FULL, /* its place was given to another peer */
	END_KICK,
	END_SIGNAL,
	END_CHILD,
	END_FAULT, /* whatever the service says, when that is what it met */
	END_SCRIPT,
	END_ERROR
};

struct session {
	uint32_t id;
	bool dialed, ended;
	uint8_t by;	/* enum session_end, once ended */
	uint8_t how;	/* enum close_how */
	bool uncounted; /* its place was given away already (UDP eviction) */
	bool drained;	/* the service was asked to finish */
	struct service_run *service_run;
	struct stream *stream; /* top of the layers */
	struct sa peer, local;
	int64_t born_us;
	struct counters counters;
	struct timer clock;
	struct task sweep;
	struct why why;
	struct table_node node;
	struct session *next, *prev; /* in order of id */
	void *mem;		     /* service->session_bytes, zeroed */
};

struct sessions {
	struct table by_id;
	struct session *first, *last;
	uint32_t count;	  /* not ended */
	uint32_t left;	  /* not freed */
	uint32_t half;	  /* of count: the peer has ended its side */
	uint64_t in, out; /* bytes of freed ones */
};

struct service_run {
	const struct run *run;
	const struct service *service;
	struct sessions all;
	void *mem;
	void (*gone)(void *arg,
		struct session
			*s); /* set by the server or the connecting mode: called at each sweep, before the session is freed */
	void *gone_arg;
	bool many;	  /* more than one connection may come; set before service->start */
	bool server;	  /* its sessions were accepted, not dialed; set before the first of them is opened */
	bool one;	  /* the run is for one connection: what becomes of it becomes of the run */
	bool keep_open;	  /* listen -k: others will follow */
	bool strict;	  /* of a server, --strict: a client that was not served is a failure of the run */
	int64_t max;	  /* clients at a time, as asked for; 0: no limit */
	int64_t drain_ms; /* for clients to finish in, and for the acknowledgement of what they were sent */
	bool draining;
	bool outlived;		   /* --lifetime has passed: the reason for ending the rest */
	void (*finish)(void *arg); /* a service that is over (the console's stdin ended) asks the server to accept no more */
	void *finish_arg;
	void (*spare)(void *arg); /* a session may make room now (service->spare); NULL: not needed */
	void *spare_arg;
};

extern const struct opt_group clock_opts; /* -i, --max-time, --lifetime */
struct clock_conf {
	int64_t idle_ms, max_ms, lifetime_ms; /* 0: none */
};

struct service_run *service_run_open(
	const struct run *run, const struct service *service, bool many, struct err *e); /* runs service->start */
void service_run_close(struct service_run *takes);	 /* ends and sweeps what is left at once, runs service->stop */
void service_run_drain(struct service_run *service_run); /* session_drain for each */

/* Takes the stream in every case. Numbers, lists, reports `open`, starts the clocks, calls service->open. -1 with e: no memory,
 * or the service refused; the stream is closed. */
int session_open(struct service_run *service_run, struct stream *takes, uint32_t id, bool dialed, const struct sa *peer,
	const struct sa *local, struct err *e);
/* A service that only answers sends its end in a drain after so much silence. */
enum { DRAIN_QUIET_MS = 100 };
void session_drain(struct session *s); /* service->drain, once */
/* Of a service that has said its goodbye in a drain and cannot answer what comes after it (owes: it has something already). True:
 * the session has ended, with its peer's end, or with a reset, and the run's failure, because of that. False: wait for reading.
 */
bool session_hear_out(struct session *s, bool owes);
void session_too_late(struct session *s); /* that reset, where the service itself has found out */
/* Ends it at once. True: something was undelivered, and the peer gets a reset. */
bool session_cut(struct session *s, enum session_end by);
/* It ends of a failure. In a drain the run fails of that if bytes are unread: behind our goodbye a peer may miss the reset. */
void session_drain_failed(struct session *s);
/* The run fails of bytes that its drain has lost. Changes e. */
void service_run_lost(const struct service_run *service_run, struct err *e);
enum session_end service_run_ends_by(const struct service_run *service_run);	  /* a drain, and why there is one */
struct session *session_find(const struct service_run *service_run, uint32_t id); /* not one that has ended */
/* First call wins. why may be NULL (clean). CLOSE_PLAIN lingers, CLOSE_DONE need not; a reset where END_ERROR is of a failing
 * system: a good end would make the peer take what it got for the whole. Stops its clock at once. */
void session_end(struct session *s, enum session_end by, enum close_how how, const struct why *why);
/* At its end: the longest wait for the acknowledgement of what was sent; NEVER: no limit. */
int64_t session_settle_ms(const struct session *s);
const char *session_label(const struct session *s, char out[SA_TEXT]); /* the peer, shown harmlessly */
/* What a session's why says in one line: "receive from 10.0.0.1:80: Connection reset by peer". */
void session_words(const struct session *s, struct err *e);

#endif
