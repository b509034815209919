/* TCP only: on Linux SO_RCVLOWAT does not reduce wake-ups of a Unix socket. */
#include "pump/rcvlowat.h"
#include "base/sys.h"
#include "stream/fdstream.h"
#include "loop/loop.h"

#include <sys/socket.h>

enum { LARGE_BYTES = 16 * 1024 };
static const uint64_t FIRST = (uint64_t)16 << 20, LAST = (uint64_t)1 << 30, UNFIT = UINT64_MAX;

static uint64_t most_of(const struct rcvlowat *p)
{
	return p->most != 0 ? p->most : FIRST;
}

static bool ask_for(int fd, int bytes)
{
	return sys_setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) == 0;
}

static void rcvlowat_begin(struct rcvlowat *p, const struct stream *from)
{
	p->on = fdstream_tcp(from) && ask_for(from->rfd, RCVLOWAT_BYTES);
	if (!p->on)
		p->most = UNFIT;
}

static void rcvlowat_lose(struct rcvlowat *p, const struct stream *from)
{
	p->on = !ask_for(from->rfd, 1); /* else the timer wakes us again, and it is retried */
	p->fast = 0;
	p->most = most_of(p) < LAST ? most_of(p) * 2 : LAST;
}

int64_t rcvlowat_wait(struct rcvlowat *p, const struct stream *from, uint64_t in, int64_t now_ms)
{
	uint64_t came = in - p->seen;
	bool waited = p->until_ms != NEVER && now_ms >= p->until_ms;
	p->seen = in;
	if (came >= LARGE_BYTES)
		p->fast += came;
	if (p->on && waited && came < RCVLOWAT_BYTES)
		rcvlowat_lose(p, from);
	else if (!p->on && p->most != UNFIT && p->fast >= most_of(p))
		rcvlowat_begin(p, from);
	if (!p->on)
		p->until_ms = NEVER;
	else if (came > 0 || waited || p->until_ms == NEVER)
		p->until_ms = now_ms + RCVLOWAT_MS;
	return p->until_ms;
}

void rcvlowat_rest(struct rcvlowat *p)
{
	p->until_ms = NEVER;
}

void rcvlowat_end(struct rcvlowat *p, const struct stream *from)
{
	if (p->on && from->rfd >= 0)
		ask_for(from->rfd, 1);
	*p = (struct rcvlowat){ .seen = p->seen };
}
