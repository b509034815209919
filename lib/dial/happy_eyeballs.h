/* One connected socket out of several addresses, without names and layers: used by dial and probe. */
#ifndef DIAL_HAPPY_EYEBALLS_H
#define DIAL_HAPPY_EYEBALLS_H

#include "net/addr.h"
#include "net/run.h"

/* gives_fd is nonblocking and connected, or -1 and e says why (classes as in dial.h). */
typedef void happy_eyeballs_done(void *arg, int gives_fd, const struct err *e);

struct happy_eyeballs;
/* TCP: all of list, by happy eyeballs. UDP: the first whose connect succeeds. Unix: the path of a; list is not used. Borrows a
 * until the end; has no deadline of its own. done is never called before this returns. NULL with e. */
struct happy_eyeballs *happy_eyeballs_start(const struct run *run, const struct addr *a, const struct sa *list, size_t n,
	happy_eyeballs_done *done, void *arg, struct err *e);
void happy_eyeballs_stop(struct happy_eyeballs *takes); /* done is not called. Not after done was called */

/* May a later try succeed after this errno? */
bool happy_eyeballs_worth_again(int sys);

/* RFC 8305: families alternate, IPv6 first; the order within each stays. out has room for n. */
void happy_eyeballs_order(struct sa *out, const struct sa *list, size_t n);

#endif
