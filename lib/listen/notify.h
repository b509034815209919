/* The protocol of sd_notify(3), as far as a server needs it: telling a service manager that it is ready. */
#ifndef LISTEN_NOTIFY_H
#define LISTEN_NOTIFY_H

#include "net/run.h"

/* Sends READY=1 to the datagram socket of $NOTIFY_SOCKET, a path or @abstract; nothing if it is not set. A failure is only a
 * warning, because the server is ready all the same. Never waits. */
void notify_ready(const struct run *run);

#endif
