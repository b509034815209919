/* What the two files of a room share with nobody else: room.c (members, queues, slow ones) and room_hear.c (lines). */
#ifndef SERVICES_ROOM_PARTS_H
#define SERVICES_ROOM_PARTS_H

#include "services/room.h"

enum { ROOM_READ_BYTES = 65536 }; /* in one call; no datagram is longer, save on Unix */

void room_hear(struct member *m);      /* one read, and what follows from it */
void room_hear_last(struct member *m); /* the unfinished line is finished */
bool room_may_hear(const struct member *m);
bool room_dgram(const struct member *m);
void room_depart(struct member *m);
void room_fail(struct member *m, int sys, const char *text);
void room_lost(const struct member *m, uint32_t n, const char *things);

#endif
