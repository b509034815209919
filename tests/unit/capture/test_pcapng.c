/* Packets that were never on a wire, read again by the book: blocks, lengths, headers, checksums. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture/pcapng.h"

#include <string.h>

enum { BLOCK_MOST = 65536 + 256 };

static const struct pcapng_end four[2] = { { .ip = { 127, 0, 0, 1 }, .port = 7000 }, { .ip = { 192, 0, 2, 7 }, .port = 40000 } };
static const struct pcapng_end six[2] = { { .v6 = true, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, .port = 7000 },
	{ .v6 = true, .ip = { [15] = 1 }, .port = 40000 } };

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t be16(const unsigned char *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* The sum of a text whose checksum is right is 0xffff. */
static uint32_t sum_of(uint32_t sum, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static unsigned char block[BLOCK_MOST];

/* The whole block, whose frame is checked; the packet begins at the result. */
static const unsigned char *made(const struct pcapng_packet *p, size_t *len)
{
	size_t n = pcapng_packet_head(block, p);
	for (int i = 0; i < p->n; i++) {
		memcpy(block + n, p->v[i].iov_base, p->v[i].iov_len);
		n += p->v[i].iov_len;
	}
	n += pcapng_packet_tail(block + n, p);
	assert_int_equal(le32(block), 6);
	assert_int_equal(le32(block + 4), n);
	assert_int_equal(le32(block + n - 4), n);
	assert_int_equal(n % 4, 0);
	*len = le32(block + 20);
	assert_int_equal(le32(block + 24), *len);
	size_t options = 28 + (*len + 3) / 4 * 4;
	assert_int_equal(le32(block + options), 0x00040002); /* flags, four bytes */
	assert_int_equal(le32(block + options + 4), p->sent ? 2 : 1);
	assert_int_equal(le32(block + options + 8), 0);
	assert_int_equal(options + 16, n);
	return block + 28;
}

static void assert_transport(const unsigned char *ip, size_t ip_len, const unsigned char *at, size_t n, uint32_t protocol)
{
	assert_int_equal(sum_of(sum_of((uint32_t)n + protocol, ip, ip_len), at, n), 0xffff);
}

static void the_file_begins_with_a_section_and_an_interface(void **state)
{
	unsigned char out[PCAPNG_FILE_HEAD];
	(void)state;
	size_t n = pcapng_file_head(out);
	assert_in_range(n, 48, PCAPNG_FILE_HEAD);
	assert_int_equal(le32(out), 0x0a0d0d0a);
	assert_int_equal(le32(out + 8), 0x1a2b3c4d);
	size_t section = le32(out + 4);
	assert_int_equal(le32(out + section - 4), section);
	assert_int_equal(le32(out + section), 1);
	assert_int_equal(le32(out + section + 8), 101);
	size_t interface = le32(out + section + 4);
	assert_int_equal(le32(out + section + interface - 4), interface);
	assert_int_equal(section + interface, n);
}

static void tcp_over_ip4(void **state)
{
	struct iovec v[3] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 } };
	const struct pcapng_packet p = { .from = &four[0],
		.to = &four[1],
		.sent = true,
		.flags = PCAPNG_PSH | PCAPNG_ACK,
		.seq = 0xfffffffe,
		.ack = 77,
		.wallclock_us = 0x123456789abcd,
		.v = v,
		.n = 3 };
	size_t len;
	(void)state;
	const unsigned char *ip = made(&p, &len);
	assert_int_equal(le32(block + 12), 0x12345);
	assert_int_equal(le32(block + 16), 0x6789abcd);
	assert_int_equal(len, 20 + 20 + 8);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(be16(ip + 2), len);
	assert_int_equal(ip[9], 6);
	assert_int_equal(sum_of(0, ip, 20), 0xffff);
	assert_memory_equal(ip + 12, four[0].ip, 4);
	assert_memory_equal(ip + 16, four[1].ip, 4);
	assert_int_equal(be16(ip + 20), 7000);
	assert_int_equal(be16(ip + 22), 40000);
	assert_int_equal(be32(ip + 24), 0xfffffffe);
	assert_int_equal(be32(ip + 28), 77);
	assert_int_equal(ip[32], 0x50);
	assert_int_equal(ip[33], 0x18);
	assert_memory_equal(ip + 40, "abcdefgh", 8);
	assert_transport(ip + 12, 8, ip + 20, len - 20, 6);
}

static void a_syn_over_ip6_has_the_window_scale(void **state)
{
	const struct pcapng_packet p = { .from = &six[1], .to = &six[0], .flags = PCAPNG_SYN, .seq = 9 };
	size_t len;
	(void)state;
	const unsigned char *ip = made(&p, &len);
	assert_int_equal(len, 40 + 24);
	assert_int_equal(ip[0], 0x60);
	assert_int_equal(be16(ip + 4), 24);
	assert_int_equal(ip[6], 6);
	assert_memory_equal(ip + 8, six[1].ip, 16);
	assert_memory_equal(ip + 24, six[0].ip, 16);
	assert_int_equal(ip[40 + 12], 0x60);
	assert_int_equal(be32(ip + 60), 0x0103030e);
	assert_transport(ip + 8, 32, ip + 40, 24, 6);
}

/* Every length of two pieces, so that odd and even ones meet everywhere. */
static void udp_checksums_hold_for_every_cut(void **state)
{
	unsigned char bytes[64];
	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size_t n = 0; n <= 21; n++)
		for (size_t cut = 0; cut <= n; cut++) {
			struct iovec v[2] = { { bytes, cut }, { bytes + cut, n - cut } };
			struct pcapng_packet p = { .from = &four[1], .to = &four[0], .udp = true, .v = v, .n = 2 };
			size_t len;
			const unsigned char *ip = made(&p, &len);
			assert_int_equal(len, 28 + n);
			assert_int_equal(ip[9], 17);
			assert_int_equal(be16(ip + 24), 8 + n);
			assert_memory_equal(ip + 28, bytes, n);
			assert_transport(ip + 12, 8, ip + 20, 8 + n, 17);
			p.from = &six[1];
			p.to = &six[0];
			ip = made(&p, &len);
			assert_transport(ip + 8, 32, ip + 40, 8 + n, 17);
		}
}

/* 0 in its place would mean that there is no checksum. */
static void a_udp_checksum_is_never_zero(void **state)
{
	unsigned char bytes[2] = { 0 };
	struct iovec v = { bytes, sizeof bytes };
	const struct pcapng_packet p = { .from = &four[0], .to = &four[1], .udp = true, .v = &v, .n = 1 };
	size_t len;
	(void)state;
	uint32_t was = be16(made(&p, &len) + 26); /* with it as payload the sum becomes zero */
	bytes[0] = (unsigned char)(was >> 8);
	bytes[1] = (unsigned char)was;
	assert_int_equal(be16(made(&p, &len) + 26), 0xffff);
}

static void the_longest_payload_fits_an_ip_packet(void **state)
{
	static unsigned char bytes[PCAPNG_UDP6_MOST];
	struct iovec v = { bytes, PCAPNG_TCP_MOST };
	struct pcapng_packet p = { .from = &four[0], .to = &four[1], .flags = PCAPNG_SYN, .v = &v, .n = 1 };
	size_t len;
	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	const unsigned char *ip = made(&p, &len);
	assert_int_equal(len, 65535);
	assert_int_equal(be16(ip + 2), len);
	assert_transport(ip + 12, 8, ip + 20, len - 20, 6);
	p.udp = true;
	v.iov_len = PCAPNG_UDP4_MOST;
	ip = made(&p, &len);
	assert_int_equal(len, 65535);
	assert_transport(ip + 12, 8, ip + 20, len - 20, 17);
	p.from = &six[0];
	p.to = &six[1];
	v.iov_len = PCAPNG_UDP6_MOST;
	ip = made(&p, &len);
	assert_int_equal(be16(ip + 4), 65535);
	assert_transport(ip + 8, 32, ip + 40, 65535, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_begins_with_a_section_and_an_interface),
		cmocka_unit_test(tcp_over_ip4),
		cmocka_unit_test(a_syn_over_ip6_has_the_window_scale),
		cmocka_unit_test(udp_checksums_hold_for_every_cut),
		cmocka_unit_test(a_udp_checksum_is_never_zero),
		cmocka_unit_test(the_longest_payload_fits_an_ip_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
