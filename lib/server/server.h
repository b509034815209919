/* The server: listeners, access, setups, sessions, and the ends of a serving run.
 *
 * It stops the loop when there is nothing left to do: the one client of `listen` has finished, --count is reached and the last
 * has left, a drain is over. It also handles signals and --lifetime. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "net/addr.h"
#include "net/run.h"
#include "session/session.h"

extern const struct opt_group server_opts; /* --count --when-full --full-message --drain --strict */
struct server_conf {
	int64_t count, drain_ms;
	int when_full; /* 0 auto, 1 notice, 2 close, 3 queue */
	const char *full_message;
	bool strict;
};
extern const struct opt_group listen_opts; /* -k, --accept-timeout */
struct listen_conf {
	bool keep_open;
	int64_t accept_ms; /* 0: for ever */
};

struct server_opts {
	bool one;	       /* listen: the first to pass closes the listeners; its failure is the run's */
	uint32_t max;	       /* 0: what --max says */
	const char *full_text; /* sent unchanged; NULL: that of --full-message, and a newline */
};

struct server;
/* Everything up to and with the readiness report. NULL with e; nothing is left behind. */
struct server *server_open(const struct run *run, const struct addr *a, const struct service *service,
	const struct server_opts *opts, struct err *e);
int server_run(struct server *server, struct err *e); /* turns the loop to its end: 0, or -1 with e */
void server_close(struct server *takes);

/* All of it, for a mode: reads the address from the run's words, opens, runs, closes. */
int server_main(const struct run *run, const struct service *service, const struct server_opts *opts, struct err *e);

/* Descriptors that a server with this conf wants: for clients, with those of the service (may be NULL) for each, lingering
 * closes, and its own. */
size_t server_descriptors(const struct conf *conf, uint32_t max, const struct service *service);

struct server_shares { /* of the descriptors that the system allows */
	uint32_t max;  /* clients at a time; 0: what --max says */
	unsigned lingers, pipes;
};
/* Raises RLIMIT_NOFILE's soft limit to what a run wants. If the hard limit is lower, a default --max is lowered to what fits,
 * with a warning; -1 with e (ERR_USAGE), naming both numbers, if even that does not help, or if the user asked for more clients
 * than fit. */
int server_limits(const struct run *run, bool dgram, const struct server_opts *opts, const struct service *service,
	struct server_shares *out, struct err *e);

#endif
