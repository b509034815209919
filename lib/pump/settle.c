/* Asks soon at first, because most queues empty at once, and ever less often if a peer is slow or never reads (settle.h). A Unix
 * socket counts the bytes that the peer has not read, which may last. */
#include "pump/settle.h"

#include "stream/fdstream.h"

enum { STEP_SOON_MS = 50, STEP_MOST_MS = 1000 };

int64_t settle_step(const struct stream *bottom, int64_t step_ms, int64_t waited_ms)
{
	int64_t twice_ms = 2 * step_ms, part_ms = waited_ms / 8;
	if (twice_ms <= STEP_SOON_MS)
		return twice_ms;
	int64_t next_ms = part_ms > STEP_SOON_MS ? part_ms : STEP_SOON_MS;
	if (!fdstream_tcp(bottom))
		next_ms = twice_ms;
	return next_ms < STEP_MOST_MS ? next_ms : STEP_MOST_MS;
}
