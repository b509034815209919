/* Shared by udp.c (the socket and its peers), udp_in.c (a received batch), udp_out.c (a batch of answers), udp_peer.c (a peer as
 * a stream), udp_msg.c (differences of systems) and udp_guard.c (no reflector). */
#ifndef UDP_UDP_INTERNAL_H
#define UDP_UDP_INTERNAL_H

#include "base/sys.h"
#include "base/table.h"
#include "stream/dgram_batch.h"
#include "udp/udp.h"
#include "udp/udp_loss.h"

#include <netinet/in.h>
#include <sys/un.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

struct udp_peer;

/* The addresses of one datagram. */
struct udp_path {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
		struct sockaddr_storage any;
	} from;
	socklen_t from_len; /* 0: it comes from an unbound Unix socket and cannot be answered */
	struct sa to;	    /* our address; family 0 if unknown */
	unsigned scope;	    /* the interface of a link-local `to` */
	uint8_t hops;	    /* received: hops left; to send: hops to set; 0: unknown, or the system's default */
};

struct udp_control { /* room for one address, or for one error with its address */
	_Alignas(struct cmsghdr) char bytes[256];
};

/* udp_msg.c */
/* Asks for addresses and ICMP errors, and for a guard how many hops were left; best effort. */
void udp_msg_prepare(int fd, sa_family_t family, bool guard);
uint8_t udp_msg_hops(int fd, sa_family_t family); /* the system's default */
/* m receives: before the call, and after it. `bound` is our own address. */
void udp_msg_ready(struct msghdr *m, struct udp_path *path, struct udp_control *control);
void udp_msg_path(struct msghdr *m, struct udp_path *path, const struct sa *bound);
/* m, whose bytes are set, goes from path->to to path->from; connected: the socket has no other peer. Borrows both others. */
void udp_msg_answer(struct msghdr *m, const struct udp_path *path, struct udp_control *control, bool connected);
ssize_t udp_msg_send(int fd, const struct iovec *v, int n, const struct udp_path *path, bool connected);
/* The next waiting ICMP error: its destination and errno. False: none. */
bool udp_msg_error(int fd, struct udp_path *whom, int *sys);

/* udp_guard.c: pure. */
enum { GUARD_CELLS = 1024 };
struct udp_guard {
	int64_t rate;
	uint8_t hops; /* of an answer, at most */
	struct guard_cell {
		uint32_t second, count;
	} cells[GUARD_CELLS];
};
bool udp_guard_passes(struct udp_guard *g, uint32_t host_hash, const struct sa *peer, const struct sa *to, uint8_t hops,
	uint16_t our_port, int64_t now_ms);
bool udp_guard_service(const struct sa *peer); /* its port is below 1024: a service there might answer our answer */
/* The hops of an answer to a datagram with so many left. */
uint8_t udp_guard_hops(const struct udp_guard *g, uint8_t left);

struct datagram { /* one that waits in a peer's queue */
	struct datagram *next;
	uint32_t len;
	unsigned char bytes[];
};

struct udp_slot { /* a received datagram in the batch */
	struct udp_path path;
	struct udp_peer *peer; /* its peer; NULL: taken, dropped, or not assigned yet */
	struct udp_slot *next; /* of the same peer */
	const unsigned char *bytes;
	uint32_t len;
};

struct udp_peer {
	struct stream s;
	struct udp *udp; /* NULL: the socket was closed under us */
	struct waker waker;
	struct table_node node;
	struct udp_peer *next, *prev; /* in the list of waiting peers */
	struct datagram *first, **last;
	struct udp_slot *slot, *slot_last; /* datagrams in the batch, after the queue; NULL: none */
	uint32_t queued;		   /* bytes, with their headers; */
	struct budget *budget;		   /* taken from this; NULL: from none */
	uint16_t held;			   /* answers in the batch */
	bool waits;
	int error;	 /* an ICMP error to report; 0: none */
	int send_error;	 /* the error of an answer that had been accepted; 0: none */
	uint64_t credit; /* guarded: received bytes that are not answered yet */
	struct sa to;	 /* key: path.to */
	unsigned scope;
	uint8_t hops; /* of its answers; 0: the system's default */
	socklen_t name_len;
	unsigned char name[]; /* key: its address as the system gave it, so that Unix paths and mapped IPv4 can be answered */
};

struct udp {
	const struct run *run;
	int fd;
	int spare_fd; /* to ask for a route with; -1: none */
	sa_family_t family;
	struct sa local;
	struct watch watch;
	struct table peers;
	struct {
		struct udp_peer *first, *last;
	} waiting;
	udp_new_peer *fn;
	void *arg;
	bool no_more, connected;
	bool rests;	   /* nothing is received before the timer */
	unsigned failures; /* of receiving, in a row */
	struct timer rest;
	bool stuck;		 /* answers wait, the system has no room for them */
	struct udp_guard *guard; /* NULL: not guarded */
	bool told_service;	 /* that a sender of a low port is ignored */
	struct udp_peer *at;	 /* the peer that is being woken or admitted; NULL when it is gone */
	struct udp_in *in;
	struct udp_out *out;
	struct dgram_batch_cut cut;
	struct udp_loss loss;
};

/* udp_in.c */
struct udp_in *udp_in_new(sa_family_t family); /* NULL: no memory */
void udp_in_free(struct udp_in *takes);
void udp_in_receive(struct udp *u);

/* udp_out.c */
enum udp_held { HELD_YES, HELD_NO, HELD_FULL }; /* NO: send it yourself, none waits before it; FULL: wait for room */
struct udp_out *udp_out_new(void);		/* NULL: no memory */
void udp_out_begin(struct udp *u);		/* tries waiting answers; from now on answers are gathered */
void udp_out_end(struct udp *u);		/* sends them; later ones are sent at once */
enum udp_held udp_out_hold(struct udp_peer *p, const struct iovec *v, int n, size_t bytes);
bool udp_out_clear(struct udp *u);	      /* sends gathered answers; true: none waits before the next */
bool udp_out_stuck(const struct udp_peer *p); /* the system has no room for its gathered answers */
void udp_out_forget(struct udp_peer *p);      /* its answers are sent all the same */
void udp_out_free(struct udp *u);	      /* unsent answers are lost */

/* udp_peer.c */
struct udp_peer *udp_peer_new(struct udp *u, const struct udp_path *path); /* in no list yet. NULL: no memory */
void udp_peer_keep(struct udp_peer *p); /* copies its datagrams from the batch into its queue */
void udp_peer_wake(struct udp_peer *p); /* it may be gone afterwards */
void udp_peer_path(const struct udp_peer *p, struct udp_path *path);
bool udp_passing(int sys); /* an error of sending that loses only this datagram */

/* udp.c */
struct udp_peer *udp_find(const struct udp *u, const struct udp_path *path);
int udp_enter(struct udp *u, struct udp_peer *p, const struct udp_path *path); /* into the table; -1: no memory */
void udp_errors(struct udp *u); /* marks the peers of ICMP errors; they are woken later */
void udp_watch(struct udp *u);
void udp_rest(struct udp *u);			    /* stops receiving for a moment */
int udp_wait(struct udp *u, struct udp_peer *p);    /* wakes p when the socket has room; -1: errno */
void udp_unlink(struct udp *u, struct udp_peer *p); /* out of every list */

#endif
