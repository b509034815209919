/* Receive low-water mark: when many bytes come fast over TCP, wake up once for many instead of for each segment.
 *
 * Waking costs both ends more than the bytes do: the sender's processor does it, and over loopback that is a third of the
 * sender's time. With SO_RCVLOWAT (socket(7)) the kernel does not wake us until RCVLOWAT_BYTES are there, or the end, an error,
 * or a nearly full window. Bytes wait until then, but never longer than RCVLOWAT_MS; a wait that takes so long shows that the
 * stream has become slow: any byte wakes again, and twice as many must come before the next try. So a stream is delayed at most
 * once in its first 16 MiB, and later once a GiB. Small reads do not count. */
#ifndef PUMP_RCVLOWAT_H
#define PUMP_RCVLOWAT_H

#include "stream/stream.h"

enum { RCVLOWAT_BYTES = 256 * 1024, RCVLOWAT_MS = 2 };

struct rcvlowat {	  /* of one direction; all zero at its start */
	uint64_t seen;	  /* received bytes at the last wait */
	uint64_t fast;	  /* of those, bytes in large pieces since the last reset, or at all */
	uint64_t most;	  /* bytes before the next try; 0: as at first */
	int64_t until_ms; /* when the wait is over; NEVER: there is none */
	bool on;
};

/* The flow is about to wait for bytes from the stream, of which `in` have come so far. Returns when to try again without a
 * wake-up; NEVER: a wake-up will come. */
int64_t rcvlowat_wait(struct rcvlowat *p, const struct stream *from, uint64_t in, int64_t now_ms);
/* The flow does not wait: more bytes are there, or cannot be written. */
void rcvlowat_rest(struct rcvlowat *p);
/* From now on any byte wakes the next reader of the stream. */
void rcvlowat_end(struct rcvlowat *p, const struct stream *from);

#endif
