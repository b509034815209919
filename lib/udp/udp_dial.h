/* For a dialed UDP socket: a large receive buffer (unless -o rcvbuf sets one), and a report of what the system drops when that is
 * full, as for a server (udp_loss.h). */
#ifndef UDP_UDP_DIAL_H
#define UDP_UDP_DIAL_H

#include "stream/stream.h"
#include "net/run.h"

int udp_dial_push(struct stream **top, const struct run *run); /* directly on the socket; -1: no memory */

#endif
