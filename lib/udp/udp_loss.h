/* Datagrams that were lost on our side: those that we drop ourselves, and those that the system drops because the socket's buffer
 * is full. The first is told at once (EV_LOST), others once a second at most, and what is left at the end. */
#ifndef UDP_UDP_LOSS_H
#define UDP_UDP_LOSS_H

#include "net/run.h"

#include <sys/socket.h>

struct udp_loss {
	const struct run *run;
	int fd;
	bool asks;	/* the system counts what it drops */
	bool stirred;	/* something has come since the clock was set */
	uint32_t drops; /* the system's count when it was last asked */
	uint64_t all, untold;
	int64_t told_ms; /* when something was told last */
	struct timer clock;
};

void udp_loss_open(struct udp_loss *l, const struct run *run, int fd, sa_family_t family); /* borrows both */
void udp_loss_close(struct udp_loss *l); /* before the descriptor is closed; never opened is fine */
void udp_loss_add(struct udp_loss *l);
void udp_loss_stir(struct udp_loss *l); /* datagrams have come: the system may have dropped some beside them */

/* 4 MiB to receive into, or as much as the system grants; a larger one stays. */
void udp_loss_buffer(int fd);

#endif
