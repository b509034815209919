/* Datagrams with their addresses: the places where systems differ, and nothing else.
 *
 * A wildcard socket learns from PKTINFO which of our addresses was asked, and answers from it; a system without it answers from
 * whichever address its routes prefer. ICMP errors of an unconnected socket are told only on Linux, through the error queue. */
#include "net/udp_parts.h"

#include "base/sys.h"

#include <string.h>
#ifdef __linux__
#include <linux/errqueue.h>
#endif

enum { UDP_RCVBUF = 4 * 1024 * 1024 };

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

union control { /* room for one address, or for one error with its address */
	struct cmsghdr align;
	char bytes[512];
};

static void ask(int fd, int level, int name)
{
	int on = 1;
	sys_setsockopt(fd, level, name, &on, sizeof on);
}

void udp_msg_prepare(int fd, sa_family_t family, bool large_buffer)
{
	int bytes = UDP_RCVBUF; /* the system gives what it allows */
	if (large_buffer && family != AF_UNIX)
		sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (family == AF_INET) {
#ifdef IP_PKTINFO
		ask(fd, IPPROTO_IP, IP_PKTINFO);
#endif
#ifdef IP_RECVERR
		ask(fd, IPPROTO_IP, IP_RECVERR);
#endif
	}
	if (family == AF_INET6) {
#ifdef IPV6_RECVPKTINFO
		ask(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
#endif
#ifdef IPV6_RECVERR
		ask(fd, IPPROTO_IPV6, IPV6_RECVERR);
#endif
	}
}

/* musl's CMSG_NXTHDR compares a size with a negative number. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
static struct cmsghdr *next_control(struct msghdr *m, struct cmsghdr *c)
{
	return CMSG_NXTHDR(m, c);
}
#pragma GCC diagnostic pop

/* The address that was asked, when it is one that an answer may come from. */
static void read_control(struct msghdr *m, struct udp_path *path, const struct sa *bound)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = next_control(m, c)) {
#ifdef IP_PKTINFO
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = info.ipi_spec_dst };
			sa_from(&path->to, (struct sockaddr *)&in, sizeof in);
		}
#endif
#ifdef IPV6_PKTINFO
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr };
			if (IN6_IS_ADDR_MULTICAST(&in.sin6_addr))
				continue;
			path->scope = IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr) ? info.ipi6_ifindex : 0;
			in.sin6_scope_id = path->scope;
			sa_from(&path->to, (struct sockaddr *)&in, sizeof in);
		}
#endif
	}
	if (path->to.family != AF_UNSPEC)
		sa_set_port(&path->to, sa_port(bound));
}

ssize_t udp_msg_recv(int fd, void *buf, size_t cap, struct udp_path *path, const struct sa *bound, bool *cut)
{
	union control control;
	struct iovec v = { buf, cap };
	memset(path, 0, sizeof *path);
	struct msghdr m = { .msg_name = &path->from,
		.msg_namelen = sizeof path->from,
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	ssize_t n = sys_recvmsg(fd, &m, MSG_DONTWAIT, true);
	if (n < 0)
		return -1;
	*cut = (m.msg_flags & MSG_TRUNC) != 0;
	bool nameless = m.msg_namelen <= offsetof(struct sockaddr, sa_data);
	path->from_len = nameless || m.msg_namelen > sizeof path->from ? 0 : m.msg_namelen;
	if (bound->family != AF_UNIX)
		read_control(&m, path, bound);
	if (path->to.family == AF_UNSPEC && !sa_any(bound))
		path->to = *bound;
	return n;
}

static void add_control(struct msghdr *m, union control *room, int level, int type, const void *data, size_t len)
{
	memset(room, 0, sizeof *room);
	m->msg_control = room;
	m->msg_controllen = sizeof *room;
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = (socklen_t)CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen = (socklen_t)CMSG_SPACE(len);
}

/* A socket of IPv6 that also takes IPv4 speaks of both in IPv6's form. */
static void answer_from(struct msghdr *m, union control *room, const struct udp_path *path)
{
	struct sockaddr_storage ss;
	sa_to(&path->to, &ss);
#ifdef IP_PKTINFO
	if (path->from.sa.sa_family == AF_INET && ss.ss_family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst = ((struct sockaddr_in *)&ss)->sin_addr };
		add_control(m, room, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	}
#endif
#ifdef IPV6_PKTINFO
	if (path->from.sa.sa_family != AF_INET6)
		return;
	struct in6_pktinfo info = { .ipi6_ifindex = path->scope };
	if (ss.ss_family == AF_INET6)
		info.ipi6_addr = ((struct sockaddr_in6 *)&ss)->sin6_addr;
	else if (ss.ss_family == AF_INET) {
		info.ipi6_addr.s6_addr[10] = info.ipi6_addr.s6_addr[11] = 0xff;
		memcpy(info.ipi6_addr.s6_addr + 12, &((struct sockaddr_in *)&ss)->sin_addr, 4);
	} else
		return;
	add_control(m, room, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
#endif
}

ssize_t udp_msg_send(int fd, const struct iovec *v, int n, const struct udp_path *path, bool connected)
{
	union control control;
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
	if (!connected) {
		m.msg_name = (void *)(uintptr_t)&path->from;
		m.msg_namelen = path->from_len;
		answer_from(&m, &control, path);
	}
	return sys_sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL, true);
}

#ifdef __linux__
bool udp_msg_error(int fd, struct udp_path *whom, int *sys)
{
	union control control;
	char quoted[1];
	struct iovec v = { quoted, sizeof quoted };
	memset(whom, 0, sizeof *whom);
	struct msghdr m = { .msg_name = &whom->from,
		.msg_namelen = sizeof whom->from,
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	if (sys_recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT, true) < 0)
		return false;
	whom->from_len = m.msg_namelen;
	*sys = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = next_control(&m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
		struct sock_extended_err err;
		if (!v4 && !v6)
			continue;
		memcpy(&err, CMSG_DATA(c), sizeof err);
		if (err.ee_origin == SO_EE_ORIGIN_ICMP || err.ee_origin == SO_EE_ORIGIN_ICMP6)
			*sys = (int)err.ee_errno;
	}
	return true;
}
#else
bool udp_msg_error(int fd, struct udp_path *whom, int *sys)
{
	(void)fd;
	(void)whom;
	*sys = 0;
	return false;
}
#endif
