/* Datagrams many at a time: the calls for UDP sockets, and the movers that use them.
 *
 * A stream of datagrams may offer recvm and sendm (stream.h). A layer that must see each datagram offers neither, and then the
 * mover that copies takes its place. */
#ifndef IO_BATCH_H
#define IO_BATCH_H

#include "io/flow.h"

#include <sys/socket.h>

/* How far a socket goes along with segmentation, where the system cuts one long datagram into many equal ones. */
struct batch_cut {
	uint32_t below; /* 0: not known yet; else sizes below this may be cut so; 1: none */
};

enum { BATCH_SLOT_BYTES = 64 * 1024 }; /* holds any UDP datagram */

/* Receives without waiting into m, each v at least BATCH_SLOT_BYTES long: how many, in m->n and with their lengths; -1: errno, m
 * as it was. */
int batch_recv(int fd, struct msgs *m);
/* Sends without waiting what it can of m: how many datagrams, at least one; -1: errno, of the first. `way` has the address and
 * the control data of all of them; its bytes are not looked at. */
int batch_send(int fd, struct batch_cut *cut, const struct msghdr *way, const struct msgs *m);

extern const struct mover mover_gather; /* datagrams to bytes: batch_move.c */
extern const struct mover mover_cut;	/* bytes to datagrams, not by line */

#endif
