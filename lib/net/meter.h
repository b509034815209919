/* How far a run has come: bytes of all its sessions, their rates, and what is left where that can be known. Told as the event
 * `progress`, every so often and whenever SIGUSR1 asks. */
#ifndef NET_METER_H
#define NET_METER_H

#include "net/env.h"

struct hub;
struct meter;
/* every_ms 0: only when asked. size_bytes: how many will go the busier way; 0: unknown, unless stdin is a file. NULL with e. */
struct meter *meter_open(const struct env *env, int64_t every_ms, int64_t size_bytes, struct err *e);
/* Whose sessions are counted; NULL: they are gone, their bytes are not. A meter of NULL counts nothing. */
void meter_count(struct meter *m, const struct hub *hub);
void meter_close(struct meter *takes); /* tells a last time, where it told at all; NULL is fine */

#endif
