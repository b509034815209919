/* Many datagrams at a time.
 *
 * Linux cuts a long datagram into equal ones (UDP_SEGMENT), which saves all but the first their own way through the system:
 * consecutive datagrams of one size, and a shorter last one, are sent so. There are limits: an old kernel does not support it
 * (and would send the long one as it is, so it is asked first), some devices refuse, and a size that does not fit into one packet
 * of the network cannot be cut. What a socket refused once is not tried again; then every datagram is sent alone. */
#include "stream/dgram_batch.h"

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

int dgram_batch_recv(int fd, struct msgs *m)
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

_Static_assert(CMSG_SPACE(sizeof(uint16_t)) <= DGRAM_BATCH_CONTROL_BYTES, "a size fits");

static uint32_t dgram_batch_ask(int fd)
{
	int size = 0;
	socklen_t len = sizeof size;
	return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &len) == 0 ? UINT32_MAX : CUT_NONE;
}

void dgram_batch_say(struct msghdr *m, size_t size)
{
	const uint16_t bytes = (uint16_t)size;
	struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)m->msg_control + m->msg_controllen);
	memset(c, 0, CMSG_SPACE(sizeof bytes));
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof bytes);
	memcpy(CMSG_DATA(c), &bytes, sizeof bytes);
	m->msg_controllen += CMSG_SPACE(sizeof bytes);
}

#else

static uint32_t dgram_batch_ask(int fd)
{
	(void)fd;
	return CUT_NONE;
}

void dgram_batch_say(struct msghdr *m, size_t size)
{
	(void)m;
	(void)size;
}

#endif

unsigned dgram_batch_alike(int fd, struct dgram_batch_cut *cut, const struct iovec *v, unsigned n)
{
	size_t size = v[0].iov_len, sum = size;
	unsigned i = 1;
	if (cut->below == 0)
		cut->below = dgram_batch_ask(fd);
	if (size == 0 || size >= cut->below)
		return 1;
	for (; i < n && v[i].iov_len == size && sum + size <= CUT_BYTES; i++)
		sum += size;
	size_t last = i < n ? v[i].iov_len : 0;
	return last > 0 && last < size && sum + last <= CUT_BYTES ? i + 1 : i;
}

bool dgram_batch_learns(struct dgram_batch_cut *cut, unsigned parts, size_t size, int sys)
{
	bool size_is = sys == EMSGSIZE || sys == EINVAL, system_is = sys == EIO || sys == ENOPROTOOPT || sys == EOPNOTSUPP;
	if (parts == 1 || (!size_is && !system_is))
		return false;
	cut->below = size_is ? (uint32_t)size : CUT_NONE;
	return true;
}

static void dgram_batch_prepare(
	int fd, struct sending *s, struct dgram_batch_cut *cut, const struct msghdr *way, const struct msgs *m)
{
	size_t len = way->msg_controllen;
	s->n = 0;
	for (unsigned at = 0; at < m->n; at += s->parts[s->n++]) {
		struct msghdr *h = &s->m[s->n].msg_hdr;
		s->parts[s->n] =
			len + DGRAM_BATCH_CONTROL_BYTES > CONTROL_BYTES ? 1 : dgram_batch_alike(fd, cut, &m->v[at], m->n - at);
		*h = *way;
		h->msg_iov = (struct iovec *)(uintptr_t)&m->v[at];
		int pieces = (int)s->parts[s->n]; /* signed: the type of msg_iovlen differs among C libraries */
		h->msg_iovlen = (size_t)pieces;
		if (s->parts[s->n] == 1)
			continue;
		if (len > 0)
			memcpy(&s->control[s->n], way->msg_control, len);
		h->msg_control = &s->control[s->n];
		dgram_batch_say(h, m->v[at].iov_len);
	}
}

int dgram_batch_send(int fd, struct dgram_batch_cut *cut, const struct msghdr *way, const struct msgs *m)
{
	struct sending s;
	int n, datagrams = 0;
	do {
		dgram_batch_prepare(fd, &s, cut, way, m);
		n = sys_sendmmsg(fd, s.m, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && dgram_batch_learns(cut, s.parts[0], m->v[0].iov_len, errno));
	for (int i = 0; i < n; i++)
		datagrams += (int)s.parts[i];
	return n < 0 ? -1 : datagrams;
}
