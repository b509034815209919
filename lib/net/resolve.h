/* Names to addresses, outside the loop: getaddrinfo has no deadline, so each lookup runs in a helper child. Numeric addresses
 * need none. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/addr.h"
#include "net/run.h"

enum { RESOLVE_MOST = 32 }; /* addresses kept of one answer */

/* list is borrowed for the call; n > 0, or n == 0 and e says why (ERR_RESOLVE; e->sys is EAGAIN when trying again may help). */
typedef void resolve_done(void *arg, const struct sa *list, size_t n, const struct err *e);

struct resolve;
/* The result has a's port and family; a server's `any` gives the wildcards, --local the loopback addresses (IPv6 first). done is
 * never called before this returns. NULL with e. With -n a name that is not numeric is ERR_RESOLVE. */
struct resolve *resolve_start(const struct run *run, const struct addr *a, resolve_done *done, void *arg, struct err *e);
bool resolve_asks(const struct addr *a);  /* does it need a helper? */
void resolve_stop(struct resolve *takes); /* kills the lookup; done is not called. Not after done was called */

/* For the start of a server, before it serves: turns the loop until the answer is here. The number of addresses, or -1 with e. */
int resolve_wait(const struct run *run, const struct addr *a, struct sa *list, size_t most, struct err *e);

#endif
