/* Datagram servers: one socket, many peers, each an ordinary stream (ST_DGRAM, woken rather than watched).
 *
 * Replies leave from the address that was asked. Datagrams that a peer's owner does not take at once wait in the peer's queue (at
 * most 64 KiB); beyond that they are dropped and counted, so one slow peer never stops the socket. ICMP errors reach the peer
 * they belong to. */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include "stream/stream.h"
#include "net/run.h"
#include "net/sockaddr.h"

extern const struct opt_group udp_opts; /* --udp-rate */
struct udp_conf {
	int64_t rate; /* datagrams a second and source, GUARD_UDP services; 0: off */
};

struct udp;
/* A datagram from an unknown sender: the callee takes the stream and returns 0, or refuses with -1 (stream is closed by udp,
 * datagram dropped). */
typedef int udp_new_peer(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local);

/* Borrows fd (bound, nonblocking or inherited). guard: never reflects: ignores our own address, source ports below 1024, and more
 * than --udp-rate a second per source, unless loopback. */
struct udp *udp_open(const struct run *run, int fd, sa_family_t family, const struct sa *local, bool guard, udp_new_peer *fn,
	void *arg, struct err *e);
/* From now on this is the only peer; the system refuses others. Changes the socket for good, so not for inherited ones. */
void udp_only(struct udp *u, const struct stream *peer);
void udp_will_be_only(struct udp *u); /* prepares for that what cannot be made later */
void udp_no_more(struct udp *u);      /* unknown senders are ignored */
/* What this peer (or a layer on it) sends from now on comes from an unknown sender. Its stream lives on, reading FAIL. */
void udp_forget(struct stream *peer);
void udp_close(struct udp *takes); /* the peers' streams live on, reading FAIL; the fd is not closed */

#endif
