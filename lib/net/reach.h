/* How a client on this host reaches a server: host, port and URL, with the loopback address in place of a wildcard. */
#ifndef NET_REACH_H
#define NET_REACH_H

#include "net/listener.h"

struct reach {
	char host[SA_TEXT]; /* "::1"; "" for a Unix socket */
	char port[8];	    /* "41235"; "" for a Unix socket */
	char url[160];	    /* "tcp://[::1]:41235", "unix:/tmp/s"; "" for a socket without a name */
};

void reach_of(struct reach *r, const struct listeners *l, const struct addr *a);

#endif
