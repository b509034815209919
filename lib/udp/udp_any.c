/* A layer that moves the datagrams of an unconnected socket itself; of the stream below it only uses the descriptor.
 *
 * The socket was connected first, so that a peer without a route, or a broadcast address without -o broadcast, fails as any other
 * dial does. Linux forgets the port that it chose when a socket is disconnected: it is bound again. */
#include "udp/udp_any.h"

#include "base/mem.h"
#include "stream/fdstream.h"
#include "udp/udp_internal.h"

#include <errno.h>

struct any {
	struct stream s;
	const struct run *run;
	uint32_t conn;
	struct sa peer, from; /* from: the sender of the last datagram that was read */
	struct dgram_batch_cut cut;
};

static struct any *any_of(struct stream *s)
{
	return (struct any *)s;
}

/* Waiting ICMP errors are taken; only "port unreachable" is final, as on a connected socket. Returns how many, or -1: refused. */
static int any_errors(const struct any *a)
{
	struct udp_path whom;
	int sys, n = 0;
	while (udp_msg_error(a->s.rfd, &whom, &sys)) {
		if (sys == ECONNREFUSED)
			return -1;
		n++;
	}
	return n;
}

/* Of a failed call: 0 says that it should be tried again. */
static int any_failed(struct any *a, bool write, int sys)
{
	if (sys == EINTR)
		return 0;
	int errors = sys == ECONNREFUSED ? -1 : any_errors(a);
	if (errors > 0 && sys != EAGAIN)
		return 0;
	return fdstream_failed(&a->s, write, errors < 0 ? ECONNREFUSED : sys);
}

static ssize_t any_readv(struct stream *s, const struct iovec *v, int n)
{
	struct any *a = any_of(s);
	struct sockaddr_storage from;
	char text[SA_TEXT];
	for (;;) {
		struct msghdr m = { .msg_name = &from,
			.msg_namelen = sizeof from,
			.msg_iov = (struct iovec *)(uintptr_t)v,
			.msg_iovlen = (size_t)n };
		ssize_t got = sys_recvmsg(s->rfd, &m, MSG_DONTWAIT, true);
		if (got >= 0 && (m.msg_flags & MSG_TRUNC))
			return fdstream_failed(s, false, EMSGSIZE);
		int rc = got < 0 ? any_failed(a, false, errno) : 0;
		if (rc != 0)
			return rc;
		if (got < 0)
			continue;
		sa_from(&a->from, (const struct sockaddr *)&from, m.msg_namelen);
		event(a->run->events, EV_DATAGRAM, a->conn, EV_TEXT("from", sa_text(&a->from, text)), EV_NUM("len", got));
		return got > 0 ? got : ST_EMPTY;
	}
}

static int any_recvm(struct stream *s, struct msgs *m)
{
	ssize_t got = any_readv(s, m->v, 1);
	if (got == ST_AGAIN || got == ST_FAIL)
		return (int)got;
	m->v[0].iov_len = got > 0 ? (size_t)got : 0;
	m->n = 1;
	return 1;
}

static struct msghdr any_way(const struct any *a, struct sockaddr_storage *to)
{
	socklen_t len = sa_to(&a->peer, to);
	return (struct msghdr){ .msg_name = to, .msg_namelen = len };
}

static ssize_t any_writev(struct stream *s, const struct iovec *v, int n)
{
	struct sockaddr_storage to;
	struct msghdr m = any_way(any_of(s), &to);
	m.msg_iov = (struct iovec *)(uintptr_t)v;
	m.msg_iovlen = (size_t)n;
	for (;;) {
		ssize_t put = sys_sendmsg(s->wfd, &m, MSG_DONTWAIT | MSG_NOSIGNAL, true);
		int rc = put < 0 ? any_failed(any_of(s), true, errno) : 0;
		if (put >= 0 || rc != 0)
			return put >= 0 ? put : rc;
	}
}

static int any_sendm(struct stream *s, const struct msgs *m)
{
	struct sockaddr_storage to;
	const struct msghdr way = any_way(any_of(s), &to);
	for (;;) {
		int sent = dgram_batch_send(s->wfd, &any_of(s)->cut, &way, m);
		int rc = sent < 0 ? any_failed(any_of(s), true, errno) : 0;
		if (sent >= 0 || rc != 0)
			return sent >= 0 ? sent : rc;
	}
}

static const struct sa *any_sender(const struct stream *s)
{
	return &((const struct any *)(const void *)s)->from;
}

static void any_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops any_ops = {
	.name = "any",
	.readv = any_readv,
	.writev = any_writev,
	.recvm = any_recvm,
	.sendm = any_sendm,
	.sender = any_sender,
	.close = any_close,
};

/* With the port that it had; another one only if that was taken in between. */
static int any_bind(int fd, struct sa *local)
{
	struct sockaddr_storage ss;
	struct sa any;
	socklen_t len;
	sa_parse(&any, local->family == AF_INET6 ? "::" : "0.0.0.0", sa_port(local));
#ifdef IPV6_V6ONLY
	int on = 1;
	if (local->family == AF_INET6)
		sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
#endif
	len = sa_to(&any, &ss);
	if (sys_bind(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	sa_set_port(&any, 0);
	len = sa_to(&any, &ss);
	return sys_bind(fd, (struct sockaddr *)&ss, len);
}

/* Not every system says 0 of it: what counts is that there is no peer afterwards. */
static int any_disconnect(int fd, struct sa *local, struct err *e)
{
	struct sa now;
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	sys_connect(fd, &none, sizeof none);
	sa_of(&now, fd, true);
	if (now.family != 0)
		return err_set(e, ERR_NETWORK, 0, "hear any sender: the socket stays connected");
	sa_of(&now, fd, false);
	if (sa_port(&now) == 0 && any_bind(fd, local) != 0)
		return err_set(e, ERR_LISTEN, errno, "bind a port for the answers");
	sa_of(&now, fd, false);
	sa_set_port(local, sa_port(&now));
	return 0;
}

int udp_any_push(
	struct stream **top, const struct run *run, uint32_t conn, const struct sa *peer, struct sa *local, struct err *e)
{
	if (any_disconnect((*top)->rfd, local, e) != 0)
		return -1;
	udp_msg_prepare((*top)->rfd, (sa_family_t)peer->family, false);
	struct any *a = mem_new(sizeof *a);
	if (a == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "hear any sender");
	stream_push(&a->s, &any_ops, *top);
	a->run = run;
	a->conn = conn;
	a->peer = a->from = *peer;
	*top = &a->s;
	return 0;
}
