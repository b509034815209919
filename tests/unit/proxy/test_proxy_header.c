/* PROXY headers: whole, cut at every byte, one byte at a time, lying, and flipped; never a byte read beyond their end. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/proxy_header.h"

#include <stdlib.h>
#include <string.h>

enum { BOTH = PROXY_V1 | PROXY_V2, BEHIND = 64 };

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES "\xc0\0\2\1\xc0\0\2\2\xc7\x38\1\xbb"

static void is(const struct sa *sa, const char *text)
{
	char got[SA_TEXT];
	assert_string_equal(sa_text(sa, got), text);
}

/* As the layer reads: what is asked for, in pieces of at most `piece`. The header's length, or -1. */
static long take(const void *bytes, size_t n, size_t piece, unsigned versions, struct proxy_header *h, const char **why)
{
	unsigned char *got = NULL;
	size_t has = 0;
	int needs;
	while ((needs = proxy_header_read(got, has, versions, h, why)) > 0) {
		size_t part = (size_t)needs < piece ? (size_t)needs : piece;
		if (part > n - has)
			part = n - has;
		if (part == 0) {
			free(got);
			return -2; /* cut */
		}
		got = realloc(got, has + part); /* exactly: a sanitizer sees a look beyond */
		memcpy(got + has, (const unsigned char *)bytes + has, part);
		has += part;
	}
	free(got);
	return needs == 0 ? (long)has : -1;
}

/* However it comes, exactly it is taken, of what follows nothing; cut anywhere, it is never taken for whole. */
static void whole(const void *bytes, size_t n, unsigned versions, struct proxy_header *h)
{
	unsigned char more[PROXY_HEADER_MOST + BEHIND];
	const char *why = NULL;
	memcpy(more, bytes, n);
	memset(more + n, '\n', BEHIND);
	for (size_t piece = 1; piece <= n; piece++)
		assert_int_equal(take(more, n + BEHIND, piece, versions, h, &why), n);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(take(bytes, cut, n, versions, h, &why), -2);
}

static void refused(const void *bytes, size_t n, unsigned versions, const char *because)
{
	struct proxy_header h;
	for (size_t piece = 1; piece <= n; piece++) {
		const char *why = "nothing";
		assert_int_equal(take(bytes, n, piece, versions, &h, &why), -1);
		assert_string_equal(why, because);
	}
}

#define WHOLE(text, versions, h) whole(text, sizeof(text) - 1, versions, h)
#define REFUSED(text, because) refused(text, sizeof(text) - 1, BOTH, because)

static void lines(void **state)
{
	struct proxy_header h;
	(void)state;
	WHOLE("PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\n", PROXY_V1, &h);
	assert_true(h.told && h.version == PROXY_V1);
	is(&h.peer, "192.0.2.1:51000");
	is(&h.local, "192.0.2.2:443");
	WHOLE("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", BOTH, &h);
	is(&h.peer, "[2001:db8::1]:0");
	is(&h.local, "[::1]:65535");
	WHOLE("PROXY TCP6 ::ffff:10.1.2.3 :: 1 2\r\n", BOTH, &h);
	is(&h.peer, "10.1.2.3:1");
}

static void lines_without_addresses(void **state)
{
	struct proxy_header h;
	(void)state;
	WHOLE("PROXY UNKNOWN\r\n", BOTH, &h);
	assert_false(h.told);
	WHOLE("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", BOTH, &h);
	assert_false(h.told);
}

static void wrong_lines(void **state)
{
	(void)state;
	REFUSED("GET / HTTP/1.0\r\n\r\n", "is missing");
	REFUSED("PROXYTCP4 192.0.2.1", "is missing");
	REFUSED("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "is missing");
	REFUSED("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "names neither TCP4, TCP6 nor UNKNOWN");
	REFUSED("PROXY UNKNOWNS 192.0.2.1 192.0.2.2 1 2\r\n", "names neither TCP4, TCP6 nor UNKNOWN");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "is no line of six words");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "is no line of six words");
	REFUSED("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "is no line of six words");
	REFUSED("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP4 ::1 ::1 1 2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP6 192.0.2.1 ::1 1 2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "has no address or no port where one must be");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "does not end with CR LF");
	REFUSED("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", "has a NUL in its line");
	REFUSED("PROXY TCP4 192.0.2.1 \r192.0.2.2 1 2\r\n", "has a CR in its line");
	REFUSED("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"is a line of more than 107 bytes");
}

static void bytes(void **state)
{
	struct proxy_header h;
	(void)state;
	WHOLE(SIGNATURE "\x21\x11\0\x0c" ADDRESSES, PROXY_V2, &h);
	assert_true(h.told && !h.dgram && h.version == PROXY_V2);
	is(&h.peer, "192.0.2.1:51000");
	is(&h.local, "192.0.2.2:443");
	WHOLE(SIGNATURE "\x21\x12\0\x0c" ADDRESSES, BOTH, &h);
	assert_true(h.told && h.dgram);
	WHOLE(SIGNATURE "\x21\x21\0\x24\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50\1\xbb", BOTH,
		&h);
	is(&h.peer, "[2001:db8::1]:80");
	is(&h.local, "[::1]:443");
}

static void bytes_without_addresses(void **state)
{
	unsigned char unix_one[16 + 216] = SIGNATURE "\x21\x31\0\xd8/tmp/s";
	struct proxy_header h;
	(void)state;
	WHOLE(SIGNATURE "\x20\0\0\0", BOTH, &h);
	assert_false(h.told);
	WHOLE(SIGNATURE "\x20\x11\0\x0c" ADDRESSES, BOTH, &h); /* LOCAL: what stands there is not to be believed */
	assert_false(h.told);
	WHOLE(SIGNATURE "\x21\0\0\4\4\0\1x", BOTH, &h);
	assert_false(h.told);
	for (unsigned char family = 0x31; family <= 0x32; family++) { /* a path is no address that a list could know */
		unix_one[13] = family;
		whole(unix_one, sizeof unix_one, BOTH, &h);
		assert_false(h.told);
		assert_int_equal(h.peer.family, 0);
	}
}

static void extras(void **state)
{
	struct proxy_header h;
	(void)state;
	WHOLE(SIGNATURE "\x21\x11\0\x13" ADDRESSES "\4\0\1x\5\0\0", BOTH, &h);
	is(&h.peer, "192.0.2.1:51000");
	REFUSED(SIGNATURE "\x21\x11\0\x0e" ADDRESSES "\4\0", "lies about its length");
	REFUSED(SIGNATURE "\x21\x11\0\x10" ADDRESSES "\4\0\2x", "lies about its length");
	REFUSED(SIGNATURE "\x21\x11\0\x10" ADDRESSES "\4\xff\xffx", "lies about its length");
	REFUSED(SIGNATURE "\x21\x11\0\x0d" ADDRESSES "\4", "lies about its length");
	for (unsigned char command = 0x20; command <= 0x21; command++) { /* whether it is believed or not */
		unsigned char half[] = SIGNATURE "?\0\0\3abc", path[16 + 216 + 4] = SIGNATURE "?\x31\0\xdc";
		half[12] = path[12] = command;
		memcpy(path + 16 + 216, "\4\0\2x", 4);
		for (unsigned char left = 1; left <= 3; left++) {
			half[15] = left;
			refused(half, 16u + left, BOTH, "lies about its length");
		}
		refused(path, sizeof path, BOTH, "lies about its length");
	}
}

/* The checksum is that of RFC 3720, B.4, over the header with zeros in its place. */
static void checksum(void **state)
{
	static const char well[] = SIGNATURE "\x21\x11\0\x13" ADDRESSES "\3\0\4\x6d\x9d\xe3\x14";
	unsigned char one[sizeof well - 1];
	struct proxy_header h;
	(void)state;
	WHOLE(well, BOTH, &h);
	for (size_t i = 16; i < sizeof one; i++) {
		const char *why = NULL;
		memcpy(one, well, sizeof one);
		one[i] ^= 1;
		if (i < 16 + 12 || i > 16 + 14) /* not the head of the checksum itself */
			assert_int_equal(take(one, sizeof one, 1000, BOTH, &h, &why), -1);
	}
	REFUSED(SIGNATURE "\x21\x11\0\x13" ADDRESSES "\3\0\4\0\0\0\0", "has a wrong checksum");
	REFUSED(SIGNATURE "\x21\x11\0\x10" ADDRESSES "\3\0\1\0", "has a wrong checksum");
}

static void wrong_bytes(void **state)
{
	(void)state;
	REFUSED("\r\n\r\n\0\r\nQUIZ\n\x21\x11\0\x0c", "is missing");
	REFUSED("\r\n\r\nGET / HTTP/1.0\r\n", "is missing");
	REFUSED(SIGNATURE "\x11\x11\0\x0c" ADDRESSES, "is of an unknown version or command");
	REFUSED(SIGNATURE "\x22\x11\0\x0c" ADDRESSES, "is of an unknown version or command");
	for (unsigned family = 0; family < 256; family++) {
		static const unsigned char known[] = { 0, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32 };
		unsigned char one[16 + 216] = SIGNATURE "\x21?\0\xd8";
		one[13] = (unsigned char)family;
		if (memchr(known, (int)family, sizeof known) == NULL)
			refused(one, sizeof one, BOTH, "names an unknown family");
		one[12] = 0x20;
		if (memchr(known, (int)family, sizeof known) == NULL)
			refused(one, sizeof one, BOTH, "names an unknown family");
	}
	REFUSED(SIGNATURE "\x21\x11\0\x0b" ADDRESSES, "lies about its length");
	REFUSED(SIGNATURE "\x21\x21\0\x0c" ADDRESSES, "lies about its length");
	REFUSED(SIGNATURE "\x21\x31\0\x0c" ADDRESSES, "lies about its length");
	REFUSED(SIGNATURE "\x21\x11\x0f\xf1" ADDRESSES, "is longer than 4096 bytes");
	REFUSED(SIGNATURE "\x20\0\xff\xff", "is longer than 4096 bytes");
}

static void versions(void **state)
{
	static const char one[] = "PROXY UNKNOWN\r\n", two[] = SIGNATURE "\x20\0\0\0";
	(void)state;
	refused(one, sizeof one - 1, PROXY_V2, "is of version 1, and version 2 is wanted");
	refused(two, sizeof two - 1, PROXY_V1, "is of version 2, and version 1 is wanted");
}

/* What we write we read again. */
static void round_trip(const char *peer, const char *local, bool dgram, bool told)
{
	for (unsigned version = PROXY_V1; version <= PROXY_V2; version++) {
		struct proxy_header h = { .version = version, .told = true, .dgram = dgram }, back;
		unsigned char out[PROXY_HEADER_SENDS];
		sa_parse(&h.peer, peer, 1234);
		sa_parse(&h.local, local, 65535);
		whole(out, proxy_header_write(out, &h), version, &back);
		assert_int_equal(back.told, told && !(dgram && version == PROXY_V1));
		if (!back.told)
			continue;
		assert_true(sa_equal(&h.peer, &back.peer));
		assert_true(sa_equal(&h.local, &back.local));
		assert_int_equal(back.dgram, dgram);
	}
}

static void written(void **state)
{
	struct proxy_header none = { .version = PROXY_V2 }, local = { .version = PROXY_V2, .told = true }, back;
	unsigned char out[PROXY_HEADER_SENDS];
	(void)state;
	round_trip("192.0.2.1", "192.0.2.2", false, true);
	round_trip("192.0.2.1", "192.0.2.2", true, true);
	round_trip("2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, true);
	round_trip("192.0.2.1", "::1", false, false);
	whole(out, proxy_header_write(out, &none), BOTH, &back);
	assert_false(back.told);
	local.peer.family = local.local.family = AF_UNIX;
	for (int dgram = 0; dgram < 2; dgram++) {
		local.dgram = dgram;
		whole(out, proxy_header_write(out, &local), BOTH, &back);
		assert_int_equal(out[13], dgram ? 0x32 : 0x31);
		assert_false(back.told);
	}
}

static bool says(const struct proxy_text *text, const char *want)
{
	return text->n == strlen(want) && memcmp(text->p, want, text->n) == 0;
}

/* What is kept of the extras: texts in the header's bytes, the first of a kind, those of TLS only inside of TLS. */
static void extras_kept(void **state)
{
	static const unsigned char all[] = SIGNATURE "\x21\x11\0\x46" ADDRESSES "\x23\0\1z" /* no cipher: not inside of TLS */
						     "\2\0\4host"
						     "\1\0\2h2"
						     "\2\0\3two"
						     "\x20\0\x21"
						     "\7\0\0\0\1"
						     "\x21\0\7TLSv1.3"
						     "\x22\0\2me"
						     "\x23\0\3AES"
						     "\2\0\4none";
	struct proxy_header h;
	const char *why = NULL;
	(void)state;
	assert_int_equal(proxy_header_read(all, sizeof all - 1, BOTH, &h, &why), 0);
	assert_true(says(&h.authority, "host") && says(&h.alpn, "h2"));
	assert_true(says(&h.tls_version, "TLSv1.3") && says(&h.cn, "me") && says(&h.cipher, "AES"));
	assert_true((h.tls & PROXY_TLS) != 0 && (h.tls & PROXY_CERT) != 0 && h.unverified);
	whole(all, sizeof all - 1, BOTH, &h);
	/* a proxy that speaks for itself says nothing of a client */
	assert_int_equal(proxy_header_read((const unsigned char *)SIGNATURE "\x20\0\0\7\2\0\4host", 23, BOTH, &h, &why), 0);
	assert_int_equal(h.authority.n, 0);
	REFUSED(SIGNATURE "\x21\x11\0\x13" ADDRESSES "\x20\0\4\1\0\0\0", "lies about its length");
	REFUSED(SIGNATURE "\x21\x11\0\x16" ADDRESSES "\x20\0\7\1\0\0\0\0\x21\0", "lies about its length");
	REFUSED(SIGNATURE "\x21\x11\0\x18" ADDRESSES "\x20\0\x09\1\0\0\0\0\x21\0\2v", "lies about its length");
}

/* Whatever comes: an answer, and never more than the most asked for. */
static void nonsense(void **state)
{
	unsigned char any[200];
	struct proxy_header h;
	(void)state;
	srand(1);
	for (int round = 0; round < 200000; round++) {
		const char *why = NULL;
		memcpy(any, round & 1 ? SIGNATURE "\x21\x11\0\x30" ADDRESSES : "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", 28);
		for (size_t i = 28; i < sizeof any; i++)
			any[i] = (unsigned char)rand();
		for (int flips = rand() % 4; flips > 0; flips--)
			any[rand() % 40] ^= (unsigned char)(1 << rand() % 8);
		assert_true(take(any, sizeof any, 1 + (size_t)(rand() % 20), BOTH, &h, &why) <= (long)sizeof any);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(lines_without_addresses),
		cmocka_unit_test(wrong_lines),
		cmocka_unit_test(bytes),
		cmocka_unit_test(bytes_without_addresses),
		cmocka_unit_test(extras),
		cmocka_unit_test(checksum),
		cmocka_unit_test(extras_kept),
		cmocka_unit_test(wrong_bytes),
		cmocka_unit_test(versions),
		cmocka_unit_test(written),
		cmocka_unit_test(nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
