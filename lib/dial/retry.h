/* Dialing again: --wait T tries until it connects or T has passed, 20 ms growing by 1.6 to 1 s between rounds, on refused,
 * unreachable, timed out, a name that does not exist yet, a Unix path that is not there yet. */
#ifndef DIAL_RETRY_H
#define DIAL_RETRY_H

#include "dial/dial.h"

extern const struct opt_group retry_opts; /* --wait */
struct retry_conf {
	int64_t wait_ms; /* 0: one try */
};

enum { RETRY_FIRST_MS = 20, RETRY_MOST_MS = 1000, RETRY_ROUND_MS = 5000 };
int64_t retry_longer(int64_t pause_ms); /* the pause that follows one of pause_ms; 0: the first */
bool retry_helps(const struct err *e);	/* may a dial with this error succeed later? */
/* The event; conn: of the client for whom it is, or 0. */
void retry_tell(const struct run *run, uint32_t conn, const struct addr *a, const struct err *e, unsigned tries, int64_t next_ms);

struct retry;
/* As dial(), again and again for wait_ms under the rules above; 0: exactly one round; NEVER: until it connects. The error at the
 * end is the last round's and tells how many tries there were. */
struct retry *retry_dial(
	const struct run *run, const struct addr *a, uint32_t conn, int64_t wait_ms, dial_done *done, void *arg, struct err *e);
/* Right after retry_dial: the client for which it dials; its number is then told with each try. */
void retry_for(struct retry *r, const struct behalf *client);
void retry_stop(struct retry *takes); /* done is not called. Not after done was called */

#endif
