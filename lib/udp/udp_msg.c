/* Datagrams with their addresses: only what differs among systems.
 *
 * A wildcard socket learns from PKTINFO which of our addresses was asked, and answers from it; a system without it answers from
 * the address that its routes prefer. Only Linux reports ICMP errors of an unconnected socket, through the error queue. */
#include "udp/udp_internal.h"

#include "base/sys.h"

#include <string.h>
#ifdef __linux__
#include <linux/errqueue.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static void udp_msg_ask(int fd, int level, int name)
{
	int on = 1;
	sys_setsockopt(fd, level, name, &on, sizeof on);
}

void udp_msg_prepare(int fd, sa_family_t family, bool guard)
{
#ifdef IP_RECVTTL
	if (guard && family != AF_UNIX)
		udp_msg_ask(fd, IPPROTO_IP, IP_RECVTTL);
#endif
#ifdef IPV6_RECVHOPLIMIT
	if (guard && family == AF_INET6)
		udp_msg_ask(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
#endif
	(void)guard;
	if (family == AF_INET) {
#ifdef IP_PKTINFO
		udp_msg_ask(fd, IPPROTO_IP, IP_PKTINFO);
#endif
#ifdef IP_RECVERR
		udp_msg_ask(fd, IPPROTO_IP, IP_RECVERR);
#endif
	}
	if (family == AF_INET6) {
#ifdef IPV6_RECVPKTINFO
		udp_msg_ask(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
#endif
#ifdef IPV6_RECVERR
		udp_msg_ask(fd, IPPROTO_IPV6, IPV6_RECVERR);
#endif
	}
}

uint8_t udp_msg_hops(int fd, sa_family_t family)
{
	int hops = 0;
	socklen_t len = sizeof hops;
	bool v6 = family == AF_INET6;
	if (family == AF_UNIX ||
		getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops, &len) != 0)
		return UINT8_MAX;
	return hops > 0 && hops < UINT8_MAX ? (uint8_t)hops : UINT8_MAX;
}

/* musl's CMSG_NXTHDR compares a size with a negative number. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
static struct cmsghdr *next_control(struct msghdr *m, struct cmsghdr *c)
{
	return CMSG_NXTHDR(m, c);
}
#pragma GCC diagnostic pop

/* Linux calls it IP_TTL, others IP_RECVTTL, with one byte. */
static void read_hops(const struct cmsghdr *c, struct udp_path *path)
{
	bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL;
#ifdef IPV6_HOPLIMIT
	bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT;
#else
	bool v6 = false;
#endif
	int hops;
	if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof hops))
		return;
	memcpy(&hops, CMSG_DATA(c), sizeof hops);
	path->hops = hops > 0 && hops <= UINT8_MAX ? (uint8_t)hops : 0;
}

/* The address that was asked, if an answer may come from it. */
static void read_control(struct msghdr *m, struct udp_path *path, const struct sa *bound)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = next_control(m, c)) {
		read_hops(c, path);
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

void udp_msg_ready(struct msghdr *m, struct udp_path *path, struct udp_control *control)
{
	m->msg_name = &path->from;
	m->msg_namelen = sizeof path->from;
	m->msg_control = control;
	m->msg_controllen = sizeof *control;
	m->msg_flags = 0;
}

void udp_msg_path(struct msghdr *m, struct udp_path *path, const struct sa *bound)
{
	bool nameless = m->msg_namelen <= offsetof(struct sockaddr, sa_data);
	path->from_len = nameless || m->msg_namelen > sizeof path->from ? 0 : m->msg_namelen;
	path->to = (struct sa){ 0 };
	path->scope = 0;
	path->hops = 0;
	if (bound->family != AF_UNIX)
		read_control(m, path, bound);
	if (path->to.family == AF_UNSPEC && !sa_any(bound))
		path->to = *bound;
}

/* After the present control messages. */
static void add_control(struct msghdr *m, struct udp_control *room, int level, int type, const void *data, size_t len)
{
	m->msg_control = room;
	struct cmsghdr *c = (struct cmsghdr *)(void *)(room->bytes + m->msg_controllen);
	memset(c, 0, CMSG_SPACE(len));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = (socklen_t)CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen += (socklen_t)CMSG_SPACE(len);
}

/* A mapped address is IPv4 to the system, whatever the socket is. */
static void answer_hops(struct msghdr *m, struct udp_control *room, const struct udp_path *path)
{
	int hops = path->hops;
	if (hops == 0)
		return;
#ifdef IPV6_HOPLIMIT
	if (path->from.sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&path->from.v6.sin6_addr)) {
		add_control(m, room, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
		return;
	}
#endif
	add_control(m, room, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
}

/* A socket of IPv6 that also takes IPv4 speaks of both in IPv6's form. */
static void answer_from(struct msghdr *m, struct udp_control *room, const struct udp_path *path)
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

void udp_msg_answer(struct msghdr *m, const struct udp_path *path, struct udp_control *control, bool connected)
{
	m->msg_name = NULL;
	m->msg_namelen = 0;
	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (connected)
		return;
	m->msg_name = (void *)(uintptr_t)&path->from;
	m->msg_namelen = path->from_len;
	answer_from(m, control, path);
	answer_hops(m, control, path);
}

ssize_t udp_msg_send(int fd, const struct iovec *v, int n, const struct udp_path *path, bool connected)
{
	struct udp_control control;
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
	udp_msg_answer(&m, path, &control, connected);
	return sys_sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL, true);
}

#ifdef __linux__
bool udp_msg_error(int fd, struct udp_path *whom, int *sys)
{
	struct udp_control control;
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
