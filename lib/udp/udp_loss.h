/* Datagrams lost on our side: dropped by us, or by the system because the socket's buffer is full. The first is reported at once
 * (EV_LOST), others at most once a second, and the rest at the end. */
#ifndef UDP_UDP_LOSS_H
#define UDP_UDP_LOSS_H

#include "net/run.h"

#include <sys/socket.h>

struct udp_loss {
	const struct run *run;
	int fd;
	bool asks;	/* the system counts what it drops */
	bool stirred;	/* datagrams have come since the clock was set */
	uint32_t drops; /* the system's last count */
	uint64_t all, untold;
	int64_t told_ms; /* time of the last report */
	struct timer clock;
};

void udp_loss_open(struct udp_loss *l, const struct run *run, int fd, sa_family_t family); /* borrows both */
void udp_loss_close(struct udp_loss *l); /* before the descriptor is closed; never opened is fine */
void udp_loss_add(struct udp_loss *l);
void udp_loss_stir(struct udp_loss *l); /* datagrams have come: the system may have dropped some */

/* 4 MiB to receive into, or as much as the system grants; a larger buffer is kept. */
void udp_loss_buffer(int fd);

#endif
