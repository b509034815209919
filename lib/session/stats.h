/* How far a run has come: bytes of all its sessions, their rates, and the rest if it is known. Reported as the event `progress`,
 * every so often and on SIGUSR1. */
#ifndef SESSION_STATS_H
#define SESSION_STATS_H

#include "net/run.h"

struct service_run;
struct stats;
/* every_ms 0: only on request. size_bytes: the total of the busier direction; 0: unknown, unless stdin is a file. NULL with e. */
struct stats *stats_open(const struct run *run, int64_t every_ms, int64_t size_bytes, struct err *e);
/* The counted sessions; NULL: they are gone, their bytes remain. stats NULL counts nothing. */
void stats_count(struct stats *m, const struct service_run *service_run);
void stats_close(struct stats *takes); /* reports a last time, if it reported at all; NULL is fine */

#endif
