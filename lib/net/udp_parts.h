/* Inside net/udp: what udp.c (the socket and its peers), udp_peer.c (a peer as a stream), udp_msg.c (what the systems do
 * differently) and udp_guard.c (no reflector) share. Nobody else includes this. */
#ifndef NET_UDP_PARTS_H
#define NET_UDP_PARTS_H

#include "base/table.h"
#include "net/udp.h"

#include <netinet/in.h>
#include <sys/un.h>

/* One datagram's way, as the system tells it. */
struct udp_path {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
		struct sockaddr_storage any;
	} from;
	socklen_t from_len; /* 0: it comes from an unbound Unix socket and cannot be answered */
	struct sa to;	    /* where it was sent; family 0 where the system does not tell */
	unsigned scope;	    /* the interface of a link-local `to` */
};

/* udp_msg.c */
void udp_msg_prepare(int fd, sa_family_t family, bool large_buffer); /* asks for addresses and ICMP errors; best effort */
/* One datagram without waiting: its length, or -1 with errno; *cut when it did not fit. */
ssize_t udp_msg_recv(int fd, void *buf, size_t cap, struct udp_path *path, const struct sa *bound, bool *cut);
/* One datagram, all of it, from `to` to `from`; connected: the socket has no other peer. */
ssize_t udp_msg_send(int fd, const struct iovec *v, int n, const struct udp_path *path, bool connected);
/* The next ICMP error that waits: whom we had sent to and the errno. False: none. */
bool udp_msg_error(int fd, struct udp_path *whom, int *sys);

/* udp_guard.c: pure. */
enum { GUARD_CELLS = 1024 };
struct udp_guard {
	int64_t rate;
	struct guard_cell {
		uint32_t second, count;
	} cells[GUARD_CELLS];
};
bool udp_guard_passes(
	struct udp_guard *g, uint32_t host_hash, const struct sa *peer, const struct sa *to, uint16_t our_port, int64_t now_ms);

struct datagram { /* one that waits in a peer's queue */
	struct datagram *next;
	uint32_t len;
	unsigned char bytes[];
};

struct udp_peer {
	struct stream s;
	struct udp *udp; /* NULL: the socket was closed under us */
	struct waker waker;
	struct table_node node;
	struct udp_peer *next, *prev; /* among those that wait for room to send */
	struct datagram *first, **last;
	uint32_t queued; /* bytes, with their headers */
	int error;	 /* an ICMP error to report; 0: none */
	bool waits;
	uint64_t credit; /* guarded: bytes that it sent and we have not answered yet */
	struct sa to;	 /* key: path.to */
	unsigned scope;
	socklen_t name_len;
	unsigned char name[]; /* key: its address as the system gave it, so that Unix paths and mapped IPv4 can be answered */
};

struct udp {
	const struct env *env;
	int fd;
	sa_family_t family;
	struct sa local;
	struct watch watch;
	struct table peers;
	struct udp_peer *waiting, *waiting_end;
	udp_new_peer *fn;
	void *arg;
	bool no_more, connected;
	struct udp_guard *guard; /* NULL: not guarded */
	struct udp_peer *at;	 /* whose datagram lies in buf, not taken yet */
	size_t at_len;
	unsigned char *buf;
	size_t cap;
	uint64_t lost; /* since it was last reported */
	struct timer report;
};

/* udp_peer.c */
struct udp_peer *udp_peer_new(struct udp *u, const struct udp_path *path); /* in no list yet. NULL: no memory */
void udp_peer_keep(struct udp_peer *p);					   /* copies what lies in u->buf for it, if it does */
void udp_peer_wake(struct udp_peer *p);					   /* it may be gone afterwards */

/* udp.c */
void udp_lost(struct udp *u);
void udp_errors(struct udp *u);			    /* marks the peers that ICMP errors belong to; they are woken later */
int udp_wait(struct udp *u, struct udp_peer *p);    /* wakes p when the socket has room; -1: errno */
void udp_unlink(struct udp *u, struct udp_peer *p); /* out of every list */

#endif
