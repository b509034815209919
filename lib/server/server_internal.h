/* Shared by server.c (a run from start to end), accept.c (accepting), full_house.c and udp_evict.c (making room),
 * reject.c (refusing), listen_fault.c (faults of listening sockets), shutdown.c (the ends of a run) and run_end.c (ends by a
 * script). */
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "server/access.h"
#include "server/complaint.h"
#include "net/exit_with_fd.h"
#include "listen/listener.h"
#include "server/handshake.h"
#include "listen/ready.h"
#include "server/run_command.h"
#include "server/server.h"
#include "udp/udp.h"
#include "server/proxied_peer.h"

enum when_full { FULL_AUTO, FULL_NOTICE, FULL_CLOSE, FULL_QUEUE };

struct acceptor { /* one listening socket */
	struct server *server;
	struct listener *l;
	struct watch watch; /* of a stream listener */
	struct task again;  /* the server was full: ended sessions have been freed by then */
	unsigned looks;	    /* how often that was deferred */
	struct udp *udp;    /* of a datagram socket */
};

enum { LISTEN_FAULT_OWN = 64 };
struct listen_fault { /* what --fault does to the listening sockets */
	bool deaf;    /* nothing is accepted now, ... */
	bool never;   /* ... or at all */
	struct timer listen;
	unsigned own_n;
	int own[LISTEN_FAULT_OWN]; /* connections of our own, which fill the queue */
};

struct server {
	const struct run *run;
	const struct server_conf *conf;
	struct server_opts opts;
	bool keep_open;
	struct addr addr;
	struct service_run *service_run;
	struct access *access;
	struct ready *ready;
	struct listeners listeners;
	struct acceptor acceptors[LISTENER_MOST];
	unsigned acceptors_n;
	struct listen_fault fault;
	struct handshakes handshakes;
	struct table proxied_peers; /* server/proxied_peer.h */
	uint32_t last_id;
	int64_t opened;

	bool closed; /* no more clients, for good */
	bool draining, over;
	bool handed;	    /* all that there will ever be was accepted by another program, and passed to us */
	bool hurries;	    /* the deadline is final, also while a client is still reading */
	bool calling;	    /* inside the last accept */
	unsigned signals;   /* that were to end us */
	uint64_t delivered; /* to clients, when the deadline was set */
	struct exit_with_fd exit_with_fd;
	struct run_command *command; /* NULL: no command */
	unsigned failures;	     /* of accepting, in a row, each of one client only */
	bool paused;		     /* accepting failed for lack of a resource and is retried in a while */
	struct complaint complaint;
	const char *told; /* why: reported once, until accepting works again; NULL: it works */
	struct timer pause, deadline, lifetime, deserted;
};

/* server.c */
extern const struct handshake_ops server_handshake_ops;
/* An admitted client that did not become a session: reports it (loud: also without -v), and returns its place. */
void server_lost(struct server *s, const struct accepted *who, const char *reason, const struct err *e, bool loud);
void server_left(struct server *s, const struct sa *peer); /* returns it and reports nothing */

/* accept.c */
int accept_open(struct server *s, struct err *e);
void accept_update(struct server *s); /* watches those that may be accepted from now */
void accept_resume(struct server *s); /* a client has left: accepting may work again */
/* Accepts the backlogs. True: they are empty, or no client will ever be accepted; false: not now. */
bool accept_last_call(struct server *s);
/* Of the connections that are still open, how many had sent bytes already. */
unsigned accept_turn_out(struct server *s);
void accept_shut(struct server *s); /* for good; datagram sockets stay for their present peers */
void accept_keep_only(struct server *s, struct acceptor *d, struct stream *top); /* shut, all but one peer of d */
void accept_close(struct server *s);
bool accept_awaits(const struct server *s); /* was a connection handed to us that has not been accepted yet? */

/* full_house.c */
/* A client with this answer (FULL or PER_IP): does another make room? Then ask for access again. */
bool full_house_make_room(struct server *s, const struct sa *peer, enum access_answer v);
/* Ends a session, whose place is free at once, not only when it has been freed. */
void full_house_take_place(struct server *s, struct session *i, enum session_end by);
bool full_house_can_make_room(const struct server *s); /* is the server full, and would a session make room? */

/* udp_evict.c */
bool udp_evict_one(struct server *s); /* ends a peer that has sent only one datagram. False: there is none */
void udp_give_turn(struct server *s); /* listen -k: ends the one peer, if another waits and the service can spare it */

/* reject.c */
void reject_tell(const struct server *s, const struct sa *peer, enum access_answer v);			  /* only the event */
bool reject_notices(const struct server_conf *conf, const struct addr *a, const struct service *service); /* a client too many */
void reject_peer(struct server *s, int takes_fd, const struct sa *peer, enum access_answer v);

/* listen_fault.c */
int listen_fault_open(struct server *s, struct err *e); /* the sockets are bound; -1: one cannot be made so (ERR_LISTEN) */
void listen_fault_close(struct server *s);
bool listen_fault_resets(const struct server *s, int takes_fd, const struct accepted *who); /* false: fd is still the caller's */
int64_t listen_fault_holds_ms(const struct server *s, const struct accepted *who);	    /* before its setup */

/* shutdown.c */
int server_watch_ends(struct server *s, struct err *e); /* signals and --lifetime */
void server_forget_ends(struct server *s);
void server_await(struct server *s);   /* no client is there: --accept-timeout begins */
void server_no_more(struct server *s); /* no more clients, and no setups; ends when the last has left */
void server_look(struct server *s);    /* is it over? */
/* The one drain. hurries: its deadline is final, which it is not for the clients of an operator whose stdin has ended. */
void server_drain(struct server *s, const char *reason, bool hurries);
void server_cut(struct server *s, const char *reason); /* cuts the rest, and the loop stops */

/* run_end.c */
int server_run_prepare(struct server *s, const struct service *service, struct err *e); /* before stdin is opened */
int server_run_start(struct server *s, struct err *e);					/* the command: all sockets listen */
void server_run_close(struct server *s);						/* while the clients are still there */

#endif
