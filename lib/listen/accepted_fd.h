/* A connection that another program has accepted: inetd and systemd's Accept=yes start one server for each. */
#ifndef LISTEN_ACCEPTED_FD_H
#define LISTEN_ACCEPTED_FD_H

#include "net/addr.h"

bool accepted_fd_is(int fd); /* a stream socket that has a peer, and does not listen */

/* An address of such a descriptor gets a number above 2. Of descriptors 0 to 2 those that are the connection, too, become the
 * null device: what is not meant for the peer does not reach it, and nothing keeps the connection open. -1 with e (ERR_USAGE) if
 * stdout is the connection and the service needs it. Other addresses stay as they are. */
int accepted_fd_take(struct addr *a, bool needs_stdout, struct err *e);

#endif
