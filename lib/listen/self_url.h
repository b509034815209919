/* How a client on this host reaches a server: host, port and URL, with the loopback address in place of a wildcard. */
#ifndef LISTEN_SELF_URL_H
#define LISTEN_SELF_URL_H

#include "listen/listener.h"

struct self_url {
	char host[SA_TEXT]; /* "::1"; "" for a Unix socket */
	char port[8];	    /* "41235"; "" for a Unix socket */
	char url[160];	    /* "tcp://[::1]:41235", "unix:/tmp/s"; "" for a socket without a name */
};

void self_url_of(struct self_url *r, const struct listeners *l, const struct addr *a);

#endif
