/* The protocol of sd_notify(3), as far as a server needs it: telling a service manager that we are ready. */
#ifndef LISTEN_NOTIFY_H
#define LISTEN_NOTIFY_H

#include "net/run.h"

/* Sends READY=1 to the datagram socket that $NOTIFY_SOCKET names, a path or @abstract. Where it is not set nothing is sent; that
 * it could not be sent is a warning, for we are ready all the same. Never waits. */
void notify_ready(const struct run *run);

#endif
