/* What a dialed UDP socket gets: a large buffer to receive into (unless -o rcvbuf says another), and an ear for what the system
 * drops when that is full, told as a server's losses are (udp_loss.h). */
#ifndef NET_UDP_DIAL_H
#define NET_UDP_DIAL_H

#include "io/stream.h"
#include "net/env.h"

int udp_dial_push(struct stream **top, const struct env *env); /* directly on the socket; -1: no memory */

#endif
