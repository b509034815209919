/* Datagrams many at a time.
 *
 * Linux cuts a long datagram into equal ones (UDP_SEGMENT), which saves each but the first its own way through the whole system:
 * datagrams of one size that follow each other, and a shorter one behind them, are sent so. Not everywhere: an old kernel knows
 * nothing of it (and would send the long one as it is, so it is asked first), some devices refuse, and a size that does not fit
 * into one packet of the network cannot be cut. What a socket refused once is not tried again; then every datagram is its own. */
#include "io/batch.h"

#include "base/sys.h"

#include <netinet/in.h>
#include <string.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
#if defined(__linux__) && !defined(UDP_SEGMENT)
#define UDP_SEGMENT 103
#endif

enum { CUT_NONE = 1, CUT_BYTES = 65000 /* with its headers it must stay below 64 KiB */, CONTROL_BYTES = 128 };

struct sending {
	unsigned n; /* messages */
	struct sys_mmsghdr m[MSGS_MOST];
	unsigned parts[MSGS_MOST]; /* datagrams in each */
	struct control {
		_Alignas(struct cmsghdr) char bytes[CONTROL_BYTES];
	} control[MSGS_MOST];
};

int batch_recv(int fd, struct msgs *m)
{
	struct sys_mmsghdr v[MSGS_MOST];
	unsigned most = m->n < SYS_BATCH ? m->n : SYS_BATCH;
	for (unsigned i = 0; i < most; i++)
		v[i].msg_hdr = (struct msghdr){ .msg_iov = &m->v[i], .msg_iovlen = 1 };
	int n = sys_recvmmsg(fd, v, most, MSG_DONTWAIT);
	for (int i = 0; i < n; i++)
		m->v[i].iov_len = v[i].msg_len;
	if (n > 0)
		m->n = (unsigned)n;
	return n;
}

#ifdef UDP_SEGMENT

/* Those from `at` on that can leave as one message. */
static unsigned alike(const struct msgs *m, unsigned at, uint32_t below)
{
	size_t size = m->v[at].iov_len, sum = size;
	unsigned end = at + 1;
	if (size == 0 || size >= below)
		return 1;
	while (end < m->n && m->v[end].iov_len == size && sum + size <= CUT_BYTES) {
		sum += size;
		end++;
	}
	size_t last = end < m->n ? m->v[end].iov_len : 0;
	if (last > 0 && last < size && sum + last <= CUT_BYTES)
		end++;
	return end - at;
}

static void say_size(struct msghdr *h, struct control *room, uint16_t size)
{
	memset(room, 0, sizeof *room);
	if (h->msg_controllen > 0)
		memcpy(room, h->msg_control, h->msg_controllen);
	struct cmsghdr *c = (struct cmsghdr *)(void *)(room->bytes + h->msg_controllen);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(c), &size, sizeof size);
	h->msg_control = room;
	h->msg_controllen += CMSG_SPACE(sizeof size);
}

static uint32_t ask(int fd)
{
	int size = 0;
	socklen_t len = sizeof size;
	return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &len) == 0 ? UINT32_MAX : CUT_NONE;
}

/* The first message was refused: because it was to be cut? */
static bool learns(struct batch_cut *cut, const struct sending *s, const struct msgs *m, int sys)
{
	if (s->parts[0] == 1)
		return false;
	if (sys == EMSGSIZE || sys == EINVAL)
		cut->below = (uint32_t)m->v[0].iov_len;
	else if (sys == EIO || sys == ENOPROTOOPT || sys == EOPNOTSUPP)
		cut->below = CUT_NONE;
	else
		return false;
	return true;
}

#else

static unsigned alike(const struct msgs *m, unsigned at, uint32_t below)
{
	(void)m;
	(void)at;
	(void)below;
	return 1;
}

static void say_size(struct msghdr *h, struct control *room, uint16_t size)
{
	(void)h;
	(void)room;
	(void)size;
}

static uint32_t ask(int fd)
{
	(void)fd;
	return CUT_NONE;
}

static bool learns(struct batch_cut *cut, const struct sending *s, const struct msgs *m, int sys)
{
	(void)cut;
	(void)s;
	(void)m;
	(void)sys;
	return false;
}

#endif

static void prepare(struct sending *s, const struct batch_cut *cut, const struct msghdr *way, const struct msgs *m)
{
	bool room = way->msg_controllen + CMSG_SPACE(sizeof(uint16_t)) <= CONTROL_BYTES;
	s->n = 0;
	for (unsigned at = 0; at < m->n; at += s->parts[s->n++]) {
		struct msghdr *h = &s->m[s->n].msg_hdr;
		s->parts[s->n] = alike(m, at, room ? cut->below : CUT_NONE);
		*h = *way;
		h->msg_iov = (struct iovec *)(uintptr_t)&m->v[at];
		h->msg_iovlen = s->parts[s->n];
		if (s->parts[s->n] > 1)
			say_size(h, &s->control[s->n], (uint16_t)m->v[at].iov_len);
	}
}

int batch_send(int fd, struct batch_cut *cut, const struct msghdr *way, const struct msgs *m)
{
	struct sending s;
	int n, datagrams = 0;
	if (cut->below == 0)
		cut->below = ask(fd);
	do {
		prepare(&s, cut, way, m);
		n = sys_sendmmsg(fd, s.m, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && learns(cut, &s, m, errno));
	for (int i = 0; i < n; i++)
		datagrams += (int)s.parts[i];
	return n < 0 ? -1 : datagrams;
}
