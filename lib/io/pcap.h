/* The pcapng form, and packets that were never on any wire: IPv4 or IPv6 with TCP or UDP around payload. Pure. */
#ifndef IO_PCAP_H
#define IO_PCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { PCAP_FIN = 1, PCAP_SYN = 2, PCAP_RST = 4, PCAP_PSH = 8, PCAP_ACK = 16 };
enum { PCAP_FILE_HEAD = 96, PCAP_PACKET_HEAD = 96, PCAP_PACKET_TAIL = 24 };
enum { PCAP_UDP4_MOST = 65507, PCAP_UDP6_MOST = 65527, PCAP_TCP_MOST = 65491 }; /* payload that fits a packet */

struct pcap_end {
	bool v6;	      /* the same at both ends */
	unsigned char ip[16]; /* 4 of them, unless v6 */
	uint16_t port;
};

struct pcap_packet {
	const struct pcap_end *from, *to;
	bool sent; /* by us */
	bool udp;
	uint8_t flags; /* PCAP_*, for TCP */
	uint32_t seq, ack;
	int64_t wall_us;
	const struct iovec *v; /* payload: n pieces, PCAP_*_MOST bytes at most */
	int n;
};

/* What a file begins with: section and interface (raw IP, microseconds). */
size_t pcap_file_head(unsigned char out[PCAP_FILE_HEAD]);
/* A packet is head, payload, tail; checksums are right. */
size_t pcap_packet_head(unsigned char out[PCAP_PACKET_HEAD], const struct pcap_packet *p);
size_t pcap_packet_tail(unsigned char out[PCAP_PACKET_TAIL], const struct pcap_packet *p);

#endif
