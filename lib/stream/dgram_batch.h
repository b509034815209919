/* Many datagrams at a time: the calls for UDP sockets, and for movers.
 *
 * A datagram stream may offer recvm and sendm (stream.h). A layer that must see each datagram offers neither, and the copying
 * mover is used. */
#ifndef STREAM_DGRAM_BATCH_H
#define STREAM_DGRAM_BATCH_H

#include "stream/stream.h"

#include <sys/socket.h>

/* How far a socket supports segmentation, where the system cuts one long datagram into many equal ones. */
struct dgram_batch_cut {
	uint32_t below; /* 0: unknown yet; else sizes below this may be cut so; 1: none */
};

enum { DGRAM_BATCH_SLOT_BYTES = 64 * 1024 }; /* holds any UDP datagram */

/* Receives without waiting into m, each v at least DGRAM_BATCH_SLOT_BYTES long: how many, in m->n and with their lengths; -1:
 * errno, m as it was. */
int dgram_batch_recv(int fd, struct msgs *m);
/* Sends without waiting what it can of m: how many datagrams, at least one; -1: errno, of the first. `way` has the address and
 * the control data of all of them; its bytes are not looked at. */
int dgram_batch_send(int fd, struct dgram_batch_cut *cut, const struct msghdr *way, const struct msgs *m);

/* For a caller that builds its own messages. Datagrams of equal size that may leave as one message: how many of the n at v. */
unsigned dgram_batch_alike(int fd, struct dgram_batch_cut *cut, const struct iovec *v, unsigned n);
/* Marks the message to be cut to that size. Its control data must have this much room left. */
enum { DGRAM_BATCH_CONTROL_BYTES = 32 };
void dgram_batch_say(struct msghdr *m, size_t size);
/* A message of so many datagrams of that size was refused: was it because of the cut? Then the next one is sent otherwise. */
bool dgram_batch_learns(struct dgram_batch_cut *cut, unsigned parts, size_t size, int sys);

#endif
