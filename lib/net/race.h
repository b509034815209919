/* One connected socket out of several addresses, without names and layers: what dial and probe stand on. */
#ifndef NET_RACE_H
#define NET_RACE_H

#include "net/addr.h"
#include "net/env.h"

/* gives_fd is nonblocking and connected, or -1 and e says why (classes as in dial.h). */
typedef void race_done(void *arg, int gives_fd, const struct err *e);

struct race;
/* TCP: all of list, raced. UDP: the first that takes the connect. Unix: the path of a, list is not looked at. Borrows a until the
 * end; has no deadline of its own. done is never called before this returns. NULL with e. */
struct race *race_start(
	const struct env *env, const struct addr *a, const struct sa *list, size_t n, race_done *done, void *arg, struct err *e);
void race_stop(struct race *takes); /* done is not called. Not after done was called */

/* May a later try succeed where this errno ended one? */
bool race_worth_again(int sys);

/* RFC 8305: families take turns, IPv6 begins; the order within each stays. out has room for n. */
void race_order(struct sa *out, const struct sa *list, size_t n);

#endif
