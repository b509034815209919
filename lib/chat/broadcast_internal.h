/* What the two files of a room share with nobody else: broadcast.c (members, queues, slow ones) and broadcast_read.c (lines). */
#ifndef CHAT_BROADCAST_INTERNAL_H
#define CHAT_BROADCAST_INTERNAL_H

#include "chat/broadcast.h"

enum { BROADCAST_READ_BYTES = 65536 }; /* in one call; no datagram is longer, save on Unix */

void broadcast_hear(struct member *m);	    /* one read, and what follows from it */
void broadcast_hear_last(struct member *m); /* the unfinished line is finished */
bool broadcast_may_hear(const struct member *m);
bool broadcast_dgram(const struct member *m);
void broadcast_depart(struct member *m);
void broadcast_fail(struct member *m, int sys, const char *text);
void broadcast_lost(const struct member *m, uint32_t n, const char *things);

#endif
