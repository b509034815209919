/* Asks soon at first, because most queues empty at once, and ever less often if a peer is slow or never reads (ack_wait.h). A
 * Unix socket counts what the peer has not read, which may take long. */
#include "pump/ack_wait.h"

#include "stream/fdstream.h"

enum { STEP_SOON_MS = 50, STEP_MOST_MS = 1000 };

const struct why ack_missing = { ERR_LOST, OF_PEER, 0, "not everything was acknowledged by" };

bool ack_waits(const struct stream *s, int *sys)
{
	int queued = stream_unsent(s);
	*sys = stream_error(s);
	return queued > 0;
}

int64_t ack_next(int64_t *since_ms, const struct stream *s, int64_t now_ms, int64_t most_ms)
{
	if (*since_ms == 0)
		*since_ms = now_ms;
	int64_t waited_ms = now_ms - *since_ms, left_ms = most_ms - waited_ms, step_ms = waited_ms + 1;
	if (left_ms <= 0)
		return 0;
	if (step_ms > STEP_SOON_MS && fdstream_tcp(stream_bottom(s)))
		step_ms = waited_ms / 8 > STEP_SOON_MS ? waited_ms / 8 : STEP_SOON_MS;
	step_ms = step_ms < STEP_MOST_MS ? step_ms : STEP_MOST_MS;
	return now_ms + (step_ms < left_ms ? step_ms : left_ms);
}
