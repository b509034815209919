/* The PROXY protocol's header (haproxy's doc/proxy-protocol.txt), which a proxy sends before all else to say for whom it speaks:
 * a line of text in version 1, bytes in version 2. Pure; what sends it is proxy_announce.c, what takes it proxy_accept.c. */
#ifndef PROXY_PROXY_HEADER_H
#define PROXY_PROXY_HEADER_H

#include "net/sockaddr.h"

#include <stddef.h>

/* A whole header, and the parts of its start that tell how much more belongs to it. */
enum { PROXY_HEADER_MOST = 4096, PROXY_HEADER_SENDS = 256 };
enum { PROXY_V1 = 1, PROXY_V2 = 2 }; /* versions, which can be joined */

struct proxy_header {
	unsigned version;
	bool told;  /* addresses are announced; else the proxy speaks for itself, or for a peer that has none */
	bool dgram; /* the one it speaks for sends datagrams */
	/* With told, the client, and where it came to. What is read is AF_INET or AF_INET6; of AF_UNIX, which can be written, no
	 * path is. */
	struct sa peer, local;
};

/* Of the n bytes that have come: 0, they are a whole header, now in *h; > 0, so many more are needed and surely belong to it;
 * -1, they are none of the wanted versions, and *why (static) says what is wrong, to be read after "its header". */
int proxy_header_read(const unsigned char *bytes, size_t n, unsigned versions, struct proxy_header *h, const char **why);
/* The header that says h, of h->version. Returns its length. */
size_t proxy_header_write(unsigned char out[PROXY_HEADER_SENDS], const struct proxy_header *h);

#endif
