/* Dialing again: --wait T tries until it connects or T has passed, 20 ms growing by 1.6 to 1 s between rounds, on refused,
 * unreachable, timed out, a name server that says "try again", a Unix path that is not there yet. */
#ifndef NET_RETRY_H
#define NET_RETRY_H

#include "net/dial.h"

extern const struct opt_group retry_opts; /* --wait, --reconnect */
struct retry_conf {
	int64_t wait_ms; /* 0: one try */
	bool reconnect;
};

struct retry;
/* As dial(), under the rules above; without --wait exactly one round. The error at the end tells how many tries there were. */
struct retry *retry_dial(const struct env *env, const struct addr *a, uint32_t conn, dial_done *done, void *arg, struct err *e);
void retry_stop(struct retry *takes); /* done is not called. Not after done was called */

#endif
