/* pcapng blocks (little endian, as their byte-order magic says) around made-up IP, TCP and UDP headers (big endian). */
#include "capture/pcapng.h"

#include "stream/iov.h"

#include <string.h>

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 6, MAGIC = 0x1a2b3c4d, LINK_RAW_IP = 101 };
enum { OPT_END = 0, OPT_APPLICATION = 4, OPT_NAME = 2, OPT_FLAGS = 2, OPT_RESOLUTION = 9, MICRO = 6 };
enum { INBOUND = 1, OUTBOUND = 2 };
enum { TCP = 6, UDP = 17, HOPS = 64, WINDOW = 65535, WINDOW_SHIFT = 14 };
enum { BLOCK_HEAD = 28, BLOCK_TAIL = 16 }; /* of a packet's block */

struct text { /* bytes that are being put together */
	unsigned char *at;
	size_t len;
};

static void pcapng_put(struct text *t, const void *bytes, size_t n)
{
	memcpy(t->at + t->len, bytes, n);
	t->len += n;
}

static void put_zeros(struct text *t, size_t n)
{
	memset(t->at + t->len, 0, n);
	t->len += n;
}

static void pcapng_le(struct text *t, unsigned bytes, uint64_t x)
{
	for (unsigned i = 0; i < bytes; i++)
		t->at[t->len++] = (unsigned char)(x >> 8 * i);
}

static void pcapng_be(struct text *t, unsigned bytes, uint64_t x)
{
	for (unsigned i = bytes; i-- > 0;)
		t->at[t->len++] = (unsigned char)(x >> 8 * i);
}

static size_t pcapng_padding(size_t n)
{
	return (4 - n % 4) % 4;
}

static void pcapng_option(struct text *t, unsigned code, const void *value, size_t n)
{
	pcapng_le(t, 2, code);
	pcapng_le(t, 2, n);
	pcapng_put(t, value, n);
	put_zeros(t, pcapng_padding(n));
}

/* The length stands in the block's second word and again at its end. */
static void end_block(struct text *t, size_t start)
{
	size_t len = t->len - start + 4;
	struct text second = { t->at + start + 4, 0 };
	pcapng_le(&second, 4, len);
	pcapng_le(t, 4, len);
}

size_t pcapng_file_head(unsigned char out[PCAPNG_FILE_HEAD])
{
	static const unsigned char micro = MICRO;
	struct text t = { out, 0 };
	pcapng_le(&t, 4, SECTION);
	pcapng_le(&t, 4, 0);
	pcapng_le(&t, 4, MAGIC);
	pcapng_le(&t, 2, 1); /* version 1.0 */
	pcapng_le(&t, 2, 0);
	pcapng_le(&t, 8, UINT64_MAX); /* as long as the file */
	pcapng_option(&t, OPT_APPLICATION, "sockctl", 7);
	pcapng_option(&t, OPT_END, "", 0);
	end_block(&t, 0);
	size_t start = t.len;
	pcapng_le(&t, 4, INTERFACE);
	pcapng_le(&t, 4, 0);
	pcapng_le(&t, 2, LINK_RAW_IP);
	pcapng_le(&t, 2, 0);
	pcapng_le(&t, 4, 0); /* packets of any length */
	pcapng_option(&t, OPT_NAME, "sockctl", 7);
	pcapng_option(&t, OPT_RESOLUTION, &micro, 1);
	pcapng_option(&t, OPT_END, "", 0);
	end_block(&t, start);
	return t.len;
}

/* A SYN announces large windows, so that an analyser never sees a full one. */
static size_t transport_head(const struct pcapng_packet *p)
{
	return p->udp ? 8 : p->flags & PCAPNG_SYN ? 24 : 20;
}

static size_t ip_head(const struct pcapng_packet *p)
{
	return p->from->v6 ? 40 : 20;
}

/* The Internet checksum over any number of pieces of any length. */
struct checksum {
	uint64_t sum;
	bool odd;
};

static void pcapng_check(struct checksum *c, const unsigned char *p, size_t n)
{
	if (c->odd && n > 0) {
		c->sum += *p++;
		c->odd = false;
		n--;
	}
	for (; n >= 2; n -= 2, p += 2)
		c->sum += (uint32_t)p[0] << 8 | p[1];
	if (n == 1) {
		c->sum += (uint32_t)p[0] << 8;
		c->odd = true;
	}
}

static uint16_t pcapng_checked(const struct checksum *c)
{
	uint64_t sum = c->sum;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_checksum(unsigned char *at, uint16_t sum)
{
	at[0] = (unsigned char)(sum >> 8);
	at[1] = (unsigned char)sum;
}

static void put_ip4(struct text *t, const struct pcapng_packet *p, size_t inside)
{
	struct checksum c = { 0 };
	unsigned char *head = t->at + t->len;
	pcapng_be(t, 2, 0x4500);
	pcapng_be(t, 2, 20 + inside);
	pcapng_be(t, 4, 0x4000); /* do not fragment */
	pcapng_be(t, 1, HOPS);
	pcapng_be(t, 1, p->udp ? UDP : TCP);
	pcapng_be(t, 2, 0);
	pcapng_put(t, p->from->ip, 4);
	pcapng_put(t, p->to->ip, 4);
	pcapng_check(&c, head, 20);
	put_checksum(head + 10, pcapng_checked(&c));
}

static void put_ip6(struct text *t, const struct pcapng_packet *p, size_t inside)
{
	pcapng_be(t, 4, 0x60000000);
	pcapng_be(t, 2, inside);
	pcapng_be(t, 1, p->udp ? UDP : TCP);
	pcapng_be(t, 1, HOPS);
	pcapng_put(t, p->from->ip, 16);
	pcapng_put(t, p->to->ip, 16);
}

static void put_udp(struct text *t, const struct pcapng_packet *p, size_t inside)
{
	pcapng_be(t, 2, p->from->port);
	pcapng_be(t, 2, p->to->port);
	pcapng_be(t, 2, inside);
	pcapng_be(t, 2, 0);
}

static void put_tcp(struct text *t, const struct pcapng_packet *p)
{
	pcapng_be(t, 2, p->from->port);
	pcapng_be(t, 2, p->to->port);
	pcapng_be(t, 4, p->seq);
	pcapng_be(t, 4, p->ack);
	pcapng_be(t, 1, transport_head(p) / 4 << 4);
	pcapng_be(t, 1, p->flags);
	pcapng_be(t, 2, WINDOW);
	pcapng_be(t, 4, 0); /* checksum, urgent */
	if (p->flags & PCAPNG_SYN)
		pcapng_be(t, 4, 0x01030300 | WINDOW_SHIFT); /* padding, and the window's scale */
}

/* Addresses, length and protocol are part of the sum. */
static uint16_t transport_checksum(const struct pcapng_packet *p, const unsigned char *head, size_t head_len, size_t inside)
{
	struct checksum c = { 0 };
	size_t ip = p->from->v6 ? 16 : 4;
	pcapng_check(&c, p->from->ip, ip);
	pcapng_check(&c, p->to->ip, ip);
	c.sum += inside + (p->udp ? UDP : TCP);
	pcapng_check(&c, head, head_len);
	for (int i = 0; i < p->n; i++)
		pcapng_check(&c, p->v[i].iov_base, p->v[i].iov_len);
	uint16_t sum = pcapng_checked(&c);
	return p->udp && sum == 0 ? 0xffff : sum; /* 0 would mean: none */
}

size_t pcapng_packet_head(unsigned char out[PCAPNG_PACKET_HEAD], const struct pcapng_packet *p)
{
	struct text t = { out, 0 };
	size_t head = transport_head(p), inside = head + iov_total(p->v, p->n), packet = ip_head(p) + inside;
	uint64_t us = (uint64_t)p->wallclock_us;
	pcapng_le(&t, 4, PACKET);
	pcapng_le(&t, 4, BLOCK_HEAD + packet + pcapng_padding(packet) + BLOCK_TAIL);
	pcapng_le(&t, 4, 0); /* the one interface */
	pcapng_le(&t, 4, us >> 32);
	pcapng_le(&t, 4, us & UINT32_MAX);
	pcapng_le(&t, 4, packet);
	pcapng_le(&t, 4, packet);
	(p->from->v6 ? put_ip6 : put_ip4)(&t, p, inside);
	unsigned char *at = t.at + t.len;
	if (p->udp)
		put_udp(&t, p, inside);
	else
		put_tcp(&t, p);
	put_checksum(at + (p->udp ? 6 : 16), transport_checksum(p, at, head, inside));
	return t.len;
}

size_t pcapng_packet_tail(unsigned char out[PCAPNG_PACKET_TAIL], const struct pcapng_packet *p)
{
	struct text t = { out, 0 };
	size_t packet = ip_head(p) + transport_head(p) + iov_total(p->v, p->n);
	const unsigned char flags[4] = { p->sent ? OUTBOUND : INBOUND };
	put_zeros(&t, pcapng_padding(packet));
	pcapng_option(&t, OPT_FLAGS, flags, sizeof flags);
	pcapng_option(&t, OPT_END, "", 0);
	pcapng_le(&t, 4, BLOCK_HEAD + packet + pcapng_padding(packet) + BLOCK_TAIL);
	return t.len;
}
