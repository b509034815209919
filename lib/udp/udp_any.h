/* A dialed UDP socket that hears any sender: what was asked of a broadcast or multicast address is answered from others. */
#ifndef UDP_UDP_ANY_H
#define UDP_UDP_ANY_H

#include "stream/stream.h"
#include "net/run.h"
#include "net/sockaddr.h"

/* Directly on the connected socket, which it disconnects: datagrams still go to `peer`, and its port stays. `local` is our
 * address, whose port may change. Each sender is an event (EV_DATAGRAM), and stream_sender's answer. A refusal by the peer is a
 * failure. -1 with e. */
int udp_any_push(
	struct stream **top, const struct run *run, uint32_t conn, const struct sa *peer, struct sa *local, struct err *e);

#endif
