/* The PROXY protocol's header (haproxy's doc/proxy-protocol.txt), which a proxy sends first to name its client: a line of text in
 * version 1, bytes in version 2. Pure; proxy_announce.c sends it, proxy_accept.c receives it. */
#ifndef PROXY_PROXY_HEADER_H
#define PROXY_PROXY_HEADER_H

#include "net/sockaddr.h"

#include <stddef.h>

/* A whole header, and the parts of its start that say how long it is. */
enum { PROXY_HEADER_MOST = 4096, PROXY_HEADER_SENDS = 256 };
enum { PROXY_V1 = 1, PROXY_V2 = 2 }; /* versions, which can be joined */

struct proxy_text { /* in the bytes of the header; n 0: not said */
	const unsigned char *p;
	uint16_t n;
};
enum { PROXY_TLS = 1, PROXY_CERT = 6 }; /* bits of tls: the client speaks TLS, and has shown a certificate */

struct proxy_header {
	unsigned version;
	bool told;  /* addresses are announced; else the proxy connects for itself, or for a client without an address */
	bool dgram; /* the client sends datagrams */
	/* With told, the client, and where it connected to. AF_INET or AF_INET6 when read; AF_UNIX can be written, without a
	 * path. */
	struct sa peer, local;
	/* Version 2 only, as the proxy says it of its client: the name that was asked for, and, with PROXY_TLS, these. */
	struct proxy_text authority, alpn, tls_version, cipher, cn;
	uint8_t tls;
	bool unverified; /* of the certificate */
};

/* Of the n received bytes: 0, they are a whole header, now in *h; > 0, so many more are needed and surely belong to it; -1, they
 * are none of the wanted versions, and *why (static) says what is wrong, to be read after "its header". What *h says of texts
 * lies in bytes. */
int proxy_header_read(const unsigned char *bytes, size_t n, unsigned versions, struct proxy_header *h, const char **why);
/* Writes *h as h->version. Returns its length. */
size_t proxy_header_write(unsigned char out[PROXY_HEADER_SENDS], const struct proxy_header *h);

#endif
