/* Datagrams many at a time: the calls for UDP sockets, and the movers that use them.
 *
 * A stream of datagrams may offer recvm and sendm (stream.h). A layer that must see each datagram offers neither, and then the
 * mover that copies takes its place. */
#ifndef STREAM_DGRAM_BATCH_H
#define STREAM_DGRAM_BATCH_H

#include "stream/stream.h"

#include <sys/socket.h>

/* How far a socket goes along with segmentation, where the system cuts one long datagram into many equal ones. */
struct dgram_batch_cut {
	uint32_t below; /* 0: not known yet; else sizes below this may be cut so; 1: none */
};

enum { DGRAM_BATCH_SLOT_BYTES = 64 * 1024 }; /* holds any UDP datagram */

/* Receives without waiting into m, each v at least DGRAM_BATCH_SLOT_BYTES long: how many, in m->n and with their lengths; -1:
 * errno, m as it was. */
int dgram_batch_recv(int fd, struct msgs *m);
/* Sends without waiting what it can of m: how many datagrams, at least one; -1: errno, of the first. `way` has the address and
 * the control data of all of them; its bytes are not looked at. */
int dgram_batch_send(int fd, struct dgram_batch_cut *cut, const struct msghdr *way, const struct msgs *m);

/* For who puts messages together himself. Datagrams of equal size that may leave as one message: how many of the n at v. */
unsigned dgram_batch_alike(int fd, struct dgram_batch_cut *cut, const struct iovec *v, unsigned n);
/* The message is to be cut to that size. Behind its control data there is room for as much again as this takes. */
enum { DGRAM_BATCH_CONTROL_BYTES = 32 };
void dgram_batch_say(struct msghdr *m, size_t size);
/* A message of so many datagrams of that size was refused: because it was to be cut? Then it goes otherwise the next time. */
bool dgram_batch_learns(struct dgram_batch_cut *cut, unsigned parts, size_t size, int sys);

#endif
