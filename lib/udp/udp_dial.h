/* What a dialed UDP socket gets: a large buffer to receive into (unless -o rcvbuf says another), and an ear for what the system
 * drops when that is full, told as a server's losses are (udp_loss.h). */
#ifndef UDP_UDP_DIAL_H
#define UDP_UDP_DIAL_H

#include "stream/stream.h"
#include "net/run.h"

int udp_dial_push(struct stream **top, const struct run *run); /* directly on the socket; -1: no memory */

#endif
