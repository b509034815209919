/* Shared by broadcast.c (members, queues, slow members) and broadcast_read.c (lines). */
#ifndef CHAT_BROADCAST_INTERNAL_H
#define CHAT_BROADCAST_INTERNAL_H

#include "chat/broadcast.h"

enum { BROADCAST_READ_BYTES = 65536 }; /* in one call; no datagram is longer, except on Unix sockets */

void broadcast_hear(struct member *m);	    /* one read, and what follows from it */
void broadcast_hear_last(struct member *m); /* finishes the unfinished line */
void on_broadcast_silence(void *arg);	    /* of a member: may silence end its unfinished line? */
int broadcast_whole_lines(const struct conf *conf, bool *whole, struct err *e); /* -1 with e: asked for twice */
void broadcast_look(struct member *m);						/* its turn is to come */
bool broadcast_may_hear(const struct member *m);
bool broadcast_dgram(const struct member *m);
void broadcast_depart(struct member *m);
void broadcast_fail(struct member *m, int sys, const char *text);
void broadcast_lost(const struct member *m, uint32_t n, const char *things);

#endif
