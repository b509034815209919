/* Losses (udp_loss.h). The system's count is read once a second while datagrams come, and at the end. So it includes datagrams
 * dropped after the last received one, which a count delivered with datagrams (SO_RXQ_OVFL) would miss.
 *
 * Why 4 MiB: a burst of small datagrams fills the system's usual 208 KiB within a millisecond (each is charged 768 bytes or more
 * of overhead), and a process may wait longer than that for a processor. */
#include "udp/udp_loss.h"

#include "base/sys.h"

#include <stdio.h>
#ifdef __linux__
#include <linux/sock_diag.h>
#endif

enum { TELL_MS = 1000, BUFFER_BYTES = 4 * 1024 * 1024 };

static bool udp_loss_ask(const struct udp_loss *l, uint32_t *drops)
{
#if defined(__linux__) && defined(SO_MEMINFO)
	uint32_t all[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof all;
	if (getsockopt(l->fd, SOL_SOCKET, SO_MEMINFO, all, &len) != 0 || len <= SK_MEMINFO_DROPS * sizeof all[0])
		return false;
	*drops = all[SK_MEMINFO_DROPS];
	return true;
#else
	(void)l;
	(void)drops;
	return false;
#endif
}

static void count_drops(struct udp_loss *l)
{
	uint32_t drops = l->drops;
	if (l->asks && !udp_loss_ask(l, &drops))
		l->asks = false;
	uint32_t new = drops - l->drops; /* the count may wrap */
	l->drops = drops;
	l->all += new;
	l->untold += new;
}

static void udp_loss_tell(struct udp_loss *l)
{
	char sum[48];
	const char *things = l->untold == 1 ? "datagram" : "datagrams";
	snprintf(sum, sizeof sum, " (%llu in all)", (unsigned long long)l->all);
	event(l->run->events, EV_LOST, 0, EV_NUM("count", l->untold), EV_TEXT("what", "datagram"), EV_NUM("total", l->all),
		EV_TEXT("things", things), EV_TEXT("sum", l->all > l->untold ? sum : NULL));
	l->untold = 0;
	l->told_ms = loop_now(l->run->loop);
}

static void set_clock(struct udp_loss *l)
{
	if (l->clock.pos == 0)
		loop_timer(l->run->loop, &l->clock, loop_now(l->run->loop) + TELL_MS);
}

static void on_udp_loss_ring(void *arg)
{
	struct udp_loss *l = arg;
	bool again = l->stirred;
	count_drops(l);
	if (l->untold > 0)
		udp_loss_tell(l);
	l->stirred = false;
	if (again)
		set_clock(l);
}

void udp_loss_open(struct udp_loss *l, const struct run *run, int fd, sa_family_t family)
{
	*l = (struct udp_loss){ .run = run, .fd = fd, .asks = family != AF_UNIX, .told_ms = loop_now(run->loop) - TELL_MS };
	l->clock = (struct timer){ .fn = on_udp_loss_ring, .arg = l };
	l->asks = l->asks && udp_loss_ask(l, &l->drops);
}

void udp_loss_close(struct udp_loss *l)
{
	if (l->run == NULL)
		return;
	loop_timer(l->run->loop, &l->clock, NEVER);
	count_drops(l);
	if (l->untold > 0)
		udp_loss_tell(l);
	l->run = NULL;
}

void udp_loss_add(struct udp_loss *l)
{
	l->all++;
	l->untold++;
	if (loop_now(l->run->loop) >= l->told_ms + TELL_MS)
		udp_loss_tell(l);
	else
		set_clock(l);
}

void udp_loss_stir(struct udp_loss *l)
{
	if (!l->asks)
		return;
	if (l->clock.pos != 0)
		l->stirred = true;
	set_clock(l);
}

/* Linux reports twice the requested size. Root may exceed the system's limit (net.core.rmem_max), which is often 208 KiB. */
void udp_loss_buffer(int fd)
{
	int bytes = BUFFER_BYTES, now = 0;
	socklen_t len = sizeof now;
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now, &len) == 0 && now >= bytes)
		return;
#ifdef SO_RCVBUFFORCE
	if (sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0)
		return;
#endif
	sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}
