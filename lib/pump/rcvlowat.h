/* Patience: where much comes fast over TCP, to be woken once for a lot instead of for each segment.
 *
 * Waking costs both ends more than the bytes do: the sender's processor does it, and over loopback that is a third of the
 * sender's time. SO_RCVLOWAT (socket(7)) has the kernel keep quiet until RCVLOWAT_BYTES are there, or the end, an error, or a
 * window that is nearly full. Until then what is there waits, but never longer than RCVLOWAT_MS; a wait that has taken so long
 * says that it is not so fast any more: any byte will do again, and twice as much has to come before the next try. So a stream is
 * held up once in its first 16 MiB at the most, and later once a GiB. Reads of a word at a time do not count. */
#ifndef PUMP_RCVLOWAT_H
#define PUMP_RCVLOWAT_H

#include "stream/stream.h"

enum { RCVLOWAT_BYTES = 256 * 1024, RCVLOWAT_MS = 2 };

struct rcvlowat {	  /* of one direction; all zero at its start */
	uint64_t seen;	  /* bytes that had come when it waited last */
	uint64_t fast;	  /* of those, what came in large pieces since patience was lost, or at all */
	uint64_t most;	  /* how much it takes to be patient; 0: as much as at first */
	int64_t until_ms; /* when the wait is over; NEVER: there is none */
	bool on;
};

/* The flow is about to wait for bytes from the stream, of which `in` have come so far. When to try again though no wake-up came;
 * NEVER: one will come. */
int64_t rcvlowat_wait(struct rcvlowat *p, const struct stream *from, uint64_t in, int64_t now_ms);
/* Nobody waits: there is more, or it has nowhere to go. */
void rcvlowat_rest(struct rcvlowat *p);
/* From now on any byte wakes the next reader of the stream. */
void rcvlowat_end(struct rcvlowat *p, const struct stream *from);

#endif
