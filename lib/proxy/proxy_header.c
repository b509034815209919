/* Reading and writing a PROXY header (proxy_header.h).
 *
 * A header is read without a byte of what follows it, which belongs to another layer: each look at the received bytes says how
 * many more belong to it at least, so that even the line of version 1 takes only a few reads. Any deviation from the format is
 * refused, because an accepted header decides the client's address. */
#include "proxy/proxy_header.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { V1_LEAST = 15 /* "PROXY UNKNOWN\r\n" */, V1_MOST = 107, V1_SPACES = 5 };
enum { V2_HEAD = 16, V2_VERSION = 12, V2_FAMILY = 13, V2_LENGTH = 14, V2_INET = 12, V2_INET6 = 36, V2_UNIX = 216 };
enum { LOCAL = 0, PROXY = 1, STREAM = 1, DGRAM = 2, UNSPEC = 0, INET = 1, INET6 = 2, UNIX = 3 };
enum { TLV_HEAD = 3, CRC_BYTES = 4, TLS_HEAD = 5 /* client's bits, and 0 for a good certificate */ };
enum {
	TLV_ALPN = 1,
	TLV_AUTHORITY = 2,
	TLV_CRC32C = 3,
	TLV_TLS = 0x20,
	TLV_TLS_VERSION = 0x21,
	TLV_CN = 0x22,
	TLV_CIPHER = 0x23
};

static const char v1_start[] = "PROXY ", v1_unknown[] = "PROXY UNKNOWN";
static const unsigned char v2_start[] = "\r\n\r\n\0\r\nQUIT\n";
enum { V1_START = sizeof v1_start - 1, V2_START = sizeof v2_start - 1, V1_UNKNOWN = sizeof v1_unknown - 1 };

static int proxy_header_bad(const char **why, const char *text)
{
	*why = text;
	return -1;
}

static unsigned proxy_header_two(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* --- version 1 --- */

/* "PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\n". How many more bytes there must be. */
static int v1_missing(const unsigned char *p, size_t n)
{
	int spaces = 0, end = p[n - 1] == '\r' ? 1 : 2;
	if (n < V1_LEAST)
		return (int)(V1_LEAST - n);
	if (memcmp(p, v1_unknown, V1_UNKNOWN) == 0)
		return end;
	for (size_t i = 0; i < n; i++)
		spaces += p[i] == ' ';
	return spaces < V1_SPACES ? 2 * (V1_SPACES - spaces) + 2 : end; /* a space, and something behind it */
}

static bool v1_port(const char *text, uint16_t *port)
{
	int64_t value = 0;
	bool plain = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' && (text[0] != '0' || text[1] == '\0');
	if (!plain || num_int(text, 0, 65535, &value, NULL) != 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool v1_end(struct sa *sa, int family, const char *host, const char *port)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	uint16_t number;
	if (!v1_port(port, &number) || inet_pton(family, host, family == AF_INET ? (void *)&four.sin_addr : &six.sin6_addr) != 1)
		return false;
	if (family == AF_INET)
		sa_from(sa, (const struct sockaddr *)&four, sizeof four);
	else
		sa_from(sa, (const struct sockaddr *)&six, sizeof six);
	sa_set_port(sa, number);
	return true;
}

/* The line, without its end. */
static int v1_line(char *line, struct proxy_header *h, const char **why)
{
	char *word[V1_SPACES + 1], *at = line;
	for (int i = 0; i < V1_SPACES; i++) {
		word[i] = at;
		if ((at = strchr(at, ' ')) == NULL)
			return proxy_header_bad(why, "is no line of six words");
		*at++ = '\0';
	}
	if (strchr(at, ' ') != NULL)
		return proxy_header_bad(why, "is no line of six words");
	word[V1_SPACES] = at;
	int family = strcmp(word[1], "TCP4") == 0 ? AF_INET : strcmp(word[1], "TCP6") == 0 ? AF_INET6 : 0;
	if (family == 0)
		return proxy_header_bad(why, "names neither TCP4, TCP6 nor UNKNOWN");
	if (!v1_end(&h->peer, family, word[2], word[4]) || !v1_end(&h->local, family, word[3], word[5]))
		return proxy_header_bad(why, "has no address or no port where one must be");
	h->told = true;
	return 0;
}

static int v1_read(const unsigned char *p, size_t n, struct proxy_header *h, const char **why)
{
	char line[V1_MOST + 1];
	const unsigned char *lf = memchr(p, '\n', n);
	if (lf == NULL && n >= V1_MOST)
		return proxy_header_bad(why, "is a line of more than 107 bytes");
	if (lf == NULL && memchr(p, '\r', n - 1) != NULL)
		return proxy_header_bad(why, "has a CR in its line");
	if (lf == NULL) {
		int more = v1_missing(p, n);
		return n + (size_t)more <= V1_MOST ? more : (int)(V1_MOST - n);
	}
	size_t len = (size_t)(lf - p);
	if (len + 1 != n || n > V1_MOST || len == 0 || p[len - 1] != '\r')
		return proxy_header_bad(why, "does not end with CR LF");
	if (memchr(p, '\0', len) != NULL)
		return proxy_header_bad(why, "has a NUL in its line");
	memcpy(line, p, len - 1);
	line[len - 1] = '\0';
	*h = (struct proxy_header){ .version = PROXY_V1 };
	bool unknown = strncmp(line, v1_unknown, V1_UNKNOWN) == 0 && (line[V1_UNKNOWN] == '\0' || line[V1_UNKNOWN] == ' ');
	return unknown ? 0 : v1_line(line, h, why);
}

/* --- version 2 --- */

/* CRC-32C (Castagnoli) over the header, with its own four bytes as zero. */
static uint32_t proxy_header_crc32c(const unsigned char *p, size_t n, const unsigned char *own)
{
	uint32_t crc = ~0U;
	for (size_t i = 0; i < n; i++) {
		crc ^= p + i >= own && p + i < own + CRC_BYTES ? 0 : p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
	}
	return ~crc;
}

/* Where that kind is kept; NULL: it does not matter. Kinds of TLS stand inside of TLV_TLS only. */
static struct proxy_text *v2_place(struct proxy_header *h, unsigned kind, bool inner)
{
	if (inner)
		return kind == TLV_TLS_VERSION ? &h->tls_version
		       : kind == TLV_CN	       ? &h->cn
		       : kind == TLV_CIPHER    ? &h->cipher
					       : NULL;
	return kind == TLV_ALPN ? &h->alpn : kind == TLV_AUTHORITY ? &h->authority : NULL;
}

/* One extra after the other, from at to end. More than one of a kind: the first counts. h NULL: nothing is kept. */
static int v2_extras(const unsigned char *p, size_t at, size_t end, struct proxy_header *h, bool inner, const char **why)
{
	while (at < end) {
		size_t len = end - at < TLV_HEAD ? end : proxy_header_two(p + at + 1);
		const unsigned char *value = p + at + TLV_HEAD;
		bool tls = !inner && p[at] == TLV_TLS;
		if (end - at < TLV_HEAD || len > end - at - TLV_HEAD || (tls && len < TLS_HEAD))
			return proxy_header_bad(why, "lies about its length");
		if (!inner && p[at] == TLV_CRC32C &&
			(len != CRC_BYTES || proxy_header_crc32c(p, end, value) !=
						     ((uint32_t)proxy_header_two(value) << 16 | proxy_header_two(value + 2))))
			return proxy_header_bad(why, "has a wrong checksum");
		if (tls && v2_extras(p, at + TLV_HEAD + TLS_HEAD, at + TLV_HEAD + len, h, true, why) != 0)
			return -1;
		struct proxy_text *place = h != NULL ? v2_place(h, p[at], inner) : NULL;
		if (place != NULL && place->n == 0)
			*place = (struct proxy_text){ value, (uint16_t)len };
		if (h != NULL && tls) {
			h->tls = value[0];
			h->unverified = (value[1] | value[2] | value[3] | value[4]) != 0;
		}
		at += TLV_HEAD + len;
	}
	return 0;
}

static void v2_inet(struct sa *sa, const unsigned char *host, const unsigned char *port, bool six)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct sockaddr_in6 b = { .sin6_family = AF_INET6 };
	memcpy(&a.sin_addr, host, sizeof a.sin_addr);
	if (six) {
		memcpy(&b.sin6_addr, host, sizeof b.sin6_addr);
		sa_from(sa, (const struct sockaddr *)&b, sizeof b);
	} else {
		sa_from(sa, (const struct sockaddr *)&a, sizeof a);
	}
	sa_set_port(sa, (uint16_t)proxy_header_two(port));
}

/* The families, each with its kinds; without a family there is no kind. */
static bool v2_known(unsigned family, unsigned kind)
{
	return family == UNSPEC ? kind == 0 : family <= UNIX && (kind == STREAM || kind == DGRAM);
}

static int v2_read(const unsigned char *p, size_t n, struct proxy_header *h, const char **why)
{
	static const size_t lengths[] = { [UNSPEC] = 0, [INET] = V2_INET, [INET6] = V2_INET6, [UNIX] = V2_UNIX };
	if (n < V2_HEAD)
		return (int)(V2_HEAD - n);
	unsigned command = p[V2_VERSION] & 15, family = p[V2_FAMILY] >> 4, kind = p[V2_FAMILY] & 15;
	size_t whole = V2_HEAD + proxy_header_two(p + V2_LENGTH), host = family == INET6 ? 16 : 4;
	if (p[V2_VERSION] >> 4 != 2 || command > PROXY)
		return proxy_header_bad(why, "is of an unknown version or command");
	if (!v2_known(family, kind))
		return proxy_header_bad(why, "names an unknown family");
	if (whole > PROXY_HEADER_MOST)
		return proxy_header_bad(why, "is longer than 4096 bytes");
	if (whole - V2_HEAD < lengths[family] && command == PROXY)
		return proxy_header_bad(why, "lies about its length");
	if (n < whole)
		return (int)(whole - n);
	*h = (struct proxy_header){ .version = PROXY_V2, .dgram = kind == DGRAM };
	h->told = command == PROXY && (family == INET || family == INET6);
	if (h->told) {
		v2_inet(&h->peer, p + V2_HEAD, p + V2_HEAD + 2 * host, family == INET6);
		v2_inet(&h->local, p + V2_HEAD + host, p + V2_HEAD + 2 * host + 2, family == INET6);
	}
	return v2_extras(p, V2_HEAD + lengths[family], n, command == PROXY ? h : NULL, false, why);
}

int proxy_header_read(const unsigned char *p, size_t n, unsigned versions, struct proxy_header *h, const char **why)
{
	if (n == 0)
		return V1_LEAST;
	bool one = memcmp(p, v1_start, n < V1_START ? n : V1_START) == 0;
	bool other = memcmp(p, v2_start, n < V2_START ? n : V2_START) == 0;
	if (!one && !other)
		return proxy_header_bad(why, "is missing");
	if ((versions & (one ? PROXY_V1 : PROXY_V2)) == 0)
		return proxy_header_bad(
			why, one ? "is of version 1, and version 2 is wanted" : "is of version 2, and version 1 is wanted");
	return one ? v1_read(p, n, h, why) : v2_read(p, n, h, why);
}

/* --- writing --- */

static bool is_inet(const struct proxy_header *h)
{
	return h->told && h->peer.family == h->local.family && (h->peer.family == AF_INET || h->peer.family == AF_INET6);
}

static size_t v1_write(unsigned char *out, const struct proxy_header *h)
{
	char peer[SA_TEXT], local[SA_TEXT], *text = (char *)out;
	if (!is_inet(h) || h->dgram)
		return (size_t)snprintf(text, PROXY_HEADER_SENDS, "%s\r\n", v1_unknown);
	/* without the %interface of a link-local address, which means nothing elsewhere */
	sa_host(&h->peer, peer);
	sa_host(&h->local, local);
	return (size_t)snprintf(text, PROXY_HEADER_SENDS, "%sTCP%d %.*s %.*s %u %u\r\n", v1_start,
		h->peer.family == AF_INET ? 4 : 6, (int)strcspn(peer, "%"), peer, (int)strcspn(local, "%"), local,
		(unsigned)sa_port(&h->peer), (unsigned)sa_port(&h->local));
}

static size_t put_host(unsigned char *out, const struct sa *sa)
{
	struct sockaddr_storage ss;
	sa_to(sa, &ss);
	if (sa->family == AF_INET)
		memcpy(out, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, 4);
	else
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)&ss)->sin6_addr, 16);
	return sa->family == AF_INET ? 4 : 16;
}

static size_t put_port(unsigned char *out, const struct sa *sa)
{
	out[0] = (unsigned char)(sa_port(sa) >> 8);
	out[1] = (unsigned char)sa_port(sa);
	return 2;
}

size_t proxy_header_write(unsigned char out[PROXY_HEADER_SENDS], const struct proxy_header *h)
{
	size_t n = V2_HEAD;
	unsigned family = UNSPEC;
	if (h->version == PROXY_V1)
		return v1_write(out, h);
	memset(out, 0, PROXY_HEADER_SENDS);
	memcpy(out, v2_start, V2_START);
	if (is_inet(h)) {
		family = h->peer.family == AF_INET ? INET : INET6;
		n += put_host(out + n, &h->peer);
		n += put_host(out + n, &h->local);
		n += put_port(out + n, &h->peer);
		n += put_port(out + n, &h->local);
	} else if (h->told && h->peer.family == AF_UNIX) { /* its paths are not known: empty */
		family = UNIX;
		n += V2_UNIX;
	}
	out[V2_VERSION] = (unsigned char)(2 << 4 | (family == UNSPEC ? LOCAL : PROXY));
	out[V2_FAMILY] = (unsigned char)(family << 4 | (family == UNSPEC ? 0 : h->dgram ? DGRAM : STREAM));
	out[V2_LENGTH + 1] = (unsigned char)(n - V2_HEAD);
	return n;
}
