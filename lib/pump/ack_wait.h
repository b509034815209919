/* Waiting until the peer's kernel has acknowledged everything that was sent to it. No descriptor becomes ready for that, so the
 * socket is asked again and again. */
#ifndef PUMP_ACK_WAIT_H
#define PUMP_ACK_WAIT_H

#include "stream/stream.h"

extern const struct why ack_missing; /* the reason when the time is over */

/* Does the kernel hold bytes of s that are not acknowledged? sys: what the connection has failed with, or 0. That is asked
 * afterwards, because a reset first empties the queue and is reported then; it is told once. */
bool ack_waits(const struct stream *s, int *sys);
/* When to ask again. *since_ms is when the wait began, 0: now. It lasts at most most_ms, NEVER: no limit. 0: that time is over.
 */
int64_t ack_next(int64_t *since_ms, const struct stream *s, int64_t now_ms, int64_t most_ms);

#endif
