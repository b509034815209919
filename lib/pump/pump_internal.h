/* Shared by pump.c (the turns of a pump) and pump_ends.c (the table of ends). */
#ifndef PUMP_PUMP_INTERNAL_H
#define PUMP_PUMP_INTERNAL_H

#include "pump/pump.h"

enum { PUMP_QUIET_MS = 1000 }; /* after a failure */

static inline bool pump_far_dgram(const struct pump *p)
{
	return p->far.s->caps & ST_DGRAM;
}

static inline int64_t pump_sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

void pump_fail(struct pump *p, bool near, const struct why *why); /* the first failure is kept */

/* pump_ends.c. "Over" means: nothing more will move, and its sink was told the end, or need not be. */
bool pump_up_over(const struct pump *p);
bool pump_down_over(const struct pump *p);
void pump_allow_ends(struct pump *p); /* lets the flows half-close that may */
bool pump_ended(struct pump *p);      /* has the run come to its end (after which it may settle)? */
/* A peer that has closed one way of a Unix socket, or both, may have sent something before; TCP would tell a reset. */
bool pump_far_left(const struct pump *p);
int64_t pump_ends_at(struct pump *p); /* when it will, if nothing happens before; NEVER: it is not known */

#endif
