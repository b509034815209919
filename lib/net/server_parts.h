/* Inside net/server: what server.c (a run from start to end), doors.c (who comes in, and how), door_full.c (who
 * gives way to it), door_away.c (who does not),
 * door_fault.c (what is wrong with them), server_end.c (why it ends) and server_run.c (a command that ends it) share. Nobody else
 * includes this. */
#ifndef NET_SERVER_PARTS_H
#define NET_SERVER_PARTS_H

#include "net/admit.h"
#include "net/complaint.h"
#include "net/leash.h"
#include "net/listener.h"
#include "net/pending.h"
#include "net/ready.h"
#include "net/run.h"
#include "net/server.h"
#include "net/udp.h"
#include "net/via.h"

enum when_full { FULL_AUTO, FULL_NOTICE, FULL_CLOSE, FULL_QUEUE };

struct door { /* one listening socket */
	struct server *server;
	struct listener *l;
	struct watch watch; /* of a stream listener */
	struct task again;  /* the house was full: what had ended by then has been swept */
	unsigned looks;	    /* how often that was put off */
	struct udp *udp;    /* of a datagram socket */
};

enum { DOOR_OWN = 64 };
struct door_fault { /* what --fault does to the listening sockets */
	bool deaf;  /* nobody is accepted just now, ... */
	bool never; /* ... or at all */
	struct timer listen;
	unsigned own_n;
	int own[DOOR_OWN]; /* connections of our own, which fill the queue */
};

struct server {
	const struct env *env;
	const struct server_conf *conf;
	struct server_opts opts;
	bool keep_open;
	struct addr addr;
	struct hub *hub;
	struct admit *admit;
	struct ready *ready;
	struct listeners listeners;
	struct door doors[LISTENER_MOST];
	unsigned doors_n;
	struct door_fault fault;
	struct pendings pending;
	struct table vias; /* net/via.h */
	uint32_t last_id;
	int64_t opened;

	bool closed; /* nobody else comes in, for good */
	bool draining, over;
	bool hurries;	    /* the deadline holds, whoever is still taking something */
	bool calling;	    /* inside the last call */
	unsigned signals;   /* that were to end us */
	uint64_t delivered; /* to clients, when the deadline was set */
	struct leash leash;
	struct run *run;   /* NULL: no command */
	unsigned failures; /* to accept, one after the other, each of one client only */
	bool paused;	   /* accepting failed for want of something and is tried again in a while */
	struct complaint complaint;
	const char *told; /* of what: said once, until it works again; NULL: all is well */
	struct timer pause, deadline, lifetime;
};

/* server.c */
extern const struct pending_ops server_pending;
/* An admitted one that did not become a session: says so (loud: also without -v), and gives its place back. */
void server_lost(struct server *s, const struct newcomer *who, const char *reason, const struct err *e, bool loud);
void server_left(struct server *s, const struct sa *peer); /* gives it back and says nothing */

/* doors.c */
int doors_open(struct server *s, struct err *e);
void doors_update(struct server *s); /* watches those that may be accepted from now */
void doors_resume(struct server *s); /* somebody has left: accepting may work again */
/* Lets in whoever stands at a door by now. True: nobody is left there, or nobody will ever be let in; false: not just now. */
bool doors_last_call(struct server *s);
/* Of those who still stand there, how many had sent something already. */
unsigned doors_turn_out(struct server *s);
void doors_shut(struct server *s); /* for good; datagram sockets stay for the peers they have */
void doors_keep_only(struct server *s, struct door *d, struct stream *top); /* shut, all but one peer of d */
void doors_close(struct server *s);

/* door_full.c */
/* One who got that verdict (FULL or PER_IP) comes: does another give its place back? Then it is to be asked for again. */
bool door_make_room(struct server *s, const struct sa *peer, enum verdict v);
bool door_make_room_dgram(struct server *s);
bool door_can_make_room(const struct server *s); /* in a full house: would a session give way? */

/* door_away.c */
void door_tell_away(const struct server *s, const struct sa *peer, enum verdict v); /* the event alone */
void door_turn_away(struct server *s, int takes_fd, const struct sa *peer, enum verdict v);

/* door_fault.c */
int door_fault_open(struct server *s, struct err *e); /* the sockets are bound; -1: one cannot be made so (ERR_LISTEN) */
void door_fault_close(struct server *s);
bool door_fault_resets(const struct server *s, int takes_fd, const struct newcomer *who); /* false: fd is still the caller's */
int64_t door_fault_holds_ms(const struct server *s, const struct newcomer *who);	  /* before its setup */

/* server_end.c */
int server_watch_ends(struct server *s, struct err *e); /* signals and --lifetime */
void server_forget_ends(struct server *s);
void server_no_more(struct server *s); /* nobody else, not even who has begun; ends when the last has gone */
void server_look(struct server *s);    /* is it over? */
/* The one drain. hurries: its deadline is final, which it is not for the clients of an operator whose stdin has ended. */
void server_drain(struct server *s, const char *reason, bool hurries);
void server_cut(struct server *s, const char *reason); /* what is left, and the loop stops */

/* server_run.c */
int server_run_prepare(struct server *s, const struct service *service, struct err *e); /* before stdin is opened */
int server_run_start(struct server *s, struct err *e);					/* the command: all sockets listen */
void server_run_close(struct server *s);						/* while the clients are still there */

#endif
