/* How far a run has come: bytes of all its sessions, their rates, and what is left where that can be known. Told as the event
 * `progress`, every so often and whenever SIGUSR1 asks. */
#ifndef SESSION_STATS_H
#define SESSION_STATS_H

#include "net/run.h"

struct service_run;
struct stats;
/* every_ms 0: only when asked. size_bytes: how many will go the busier way; 0: unknown, unless stdin is a file. NULL with e. */
struct stats *stats_open(const struct run *run, int64_t every_ms, int64_t size_bytes, struct err *e);
/* Whose sessions are counted; NULL: they are gone, their bytes are not. A meter of NULL counts nothing. */
void stats_count(struct stats *m, const struct service_run *service_run);
void stats_close(struct stats *takes); /* tells a last time, where it told at all; NULL is fine */

#endif
