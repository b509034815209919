/* The pcapng form, and packets that were never on any wire: IPv4 or IPv6 with TCP or UDP around payload. Pure. */
#ifndef CAPTURE_PCAPNG_H
#define CAPTURE_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { PCAPNG_FIN = 1, PCAPNG_SYN = 2, PCAPNG_RST = 4, PCAPNG_PSH = 8, PCAPNG_ACK = 16 };
enum { PCAPNG_FILE_HEAD = 96, PCAPNG_PACKET_HEAD = 96, PCAPNG_PACKET_TAIL = 24 };
enum { PCAPNG_UDP4_MOST = 65507, PCAPNG_UDP6_MOST = 65527, PCAPNG_TCP_MOST = 65491 }; /* payload that fits a packet */

struct pcapng_end {
	bool v6;	      /* the same at both ends */
	unsigned char ip[16]; /* 4 of them, unless v6 */
	uint16_t port;
};

struct pcapng_packet {
	const struct pcapng_end *from, *to;
	bool sent; /* by our end */
	bool udp;
	uint8_t flags; /* PCAPNG_*, for TCP */
	uint32_t seq, ack;
	int64_t wallclock_us;
	const struct iovec *v; /* payload: n pieces, PCAPNG_*_MOST bytes at most */
	int n;
};

/* The beginning of a file: section and interface (raw IP, microseconds). */
size_t pcapng_file_head(unsigned char out[PCAPNG_FILE_HEAD]);
/* A packet is head, payload, tail; checksums are right. */
size_t pcapng_packet_head(unsigned char out[PCAPNG_PACKET_HEAD], const struct pcapng_packet *p);
size_t pcapng_packet_tail(unsigned char out[PCAPNG_PACKET_TAIL], const struct pcapng_packet *p);

#endif
