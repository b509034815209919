/* One sender of datagrams as a stream. It owns no descriptor: udp.c wakes it.
 *
 * What comes for it lies first in the socket's one buffer, and is taken from there without a copy in between when the peer's
 * owner reads at once. Otherwise it waits in the peer's own queue; what was queued is read first. Sending goes straight to the
 * socket. A datagram that the system cannot take just now for a reason of its own (memory, a firewall, a route) is lost and
 * counted, as on the way; only what will not get better fails the peer. */
#include "net/udp_parts.h"

#include "base/mem.h"
#include "base/sys.h"

#include <string.h>

enum {
	QUEUE_BYTES = 64 * 1024,
	UNIX_RETRY_MS = 20 /* a full Unix receiver cannot be watched from an unconnected socket */
};

static struct udp_peer *self(struct stream *s)
{
	return (struct udp_peer *)s;
}

static void scatter(const struct iovec *v, int n, const unsigned char *from, size_t len)
{
	for (int i = 0; i < n && len > 0; i++) {
		size_t part = v[i].iov_len < len ? v[i].iov_len : len;
		memcpy(v[i].iov_base, from, part);
		from += part;
		len -= part;
	}
}

static size_t total(const struct iovec *v, int n)
{
	size_t bytes = 0;
	for (int i = 0; i < n; i++)
		bytes += v[i].iov_len;
	return bytes;
}

/* Hands out a datagram of `len` bytes: never a part of one. */
static ssize_t hand_out(struct udp_peer *p, const struct iovec *v, int n, const unsigned char *from, size_t len)
{
	if (len == 0)
		return ST_EMPTY;
	if (total(v, n) < len) {
		udp_lost(p->udp);
		return 0;
	}
	scatter(v, n, from, len);
	return (ssize_t)len;
}

static ssize_t read_queue(struct udp_peer *p, const struct iovec *v, int n)
{
	struct datagram *d = p->first;
	p->first = d->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->queued -= (uint32_t)sizeof *d + d->len;
	ssize_t got = hand_out(p, v, n, d->bytes, d->len);
	mem_free(d);
	return got;
}

static ssize_t peer_readv(struct stream *s, const struct iovec *v, int n)
{
	struct udp_peer *p = self(s);
	struct udp *u = p->udp;
	if (u == NULL)
		return stream_fail(s, ERR_NETWORK, ENOTCONN, "receive from");
	while (p->first != NULL) {
		ssize_t got = read_queue(p, v, n);
		if (got != 0)
			return got;
	}
	if (u->at == p) {
		u->at = NULL;
		ssize_t got = hand_out(p, v, n, u->buf, u->at_len);
		if (got != 0)
			return got;
	}
	if (p->error != 0)
		return stream_fail(s, ERR_CONNECT, p->error, "receive from");
	s->rd = (struct need){ .wake = true };
	return ST_AGAIN;
}

static bool passing(int sys)
{
	static const int all[] = { ENOBUFS, ENOMEM, EPERM, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (sys == all[i])
			return true;
	return false;
}

static ssize_t send_now(struct udp_peer *p, const struct iovec *v, int n)
{
	struct udp *u = p->udp;
	struct udp_path path = { .from_len = p->name_len, .to = p->to, .scope = p->scope };
	memcpy(&path.from, p->name, p->name_len);
	ssize_t put;
	do
		put = udp_msg_send(u->fd, v, n, &path, u->connected);
	while (put < 0 && errno == EINTR);
	return put;
}

static int refuse(struct udp_peer *p, int sys)
{
	enum err_class cls = sys == ECONNREFUSED || sys == ENOENT ? ERR_CONNECT : ERR_NETWORK;
	return stream_fail(&p->s, cls, sys, "send to");
}

static ssize_t peer_writev(struct stream *s, const struct iovec *v, int n)
{
	struct udp_peer *p = self(s);
	struct udp *u = p->udp;
	size_t bytes = total(v, n);
	if (u == NULL || p->error != 0)
		return refuse(p, u == NULL ? ENOTCONN : p->error);
	if (p->name_len == 0 || (u->guard != NULL && bytes > p->credit)) {
		udp_lost(u);
		return (ssize_t)bytes;
	}
	ssize_t put = send_now(p, v, n);
	if (put < 0 && errno == ECONNREFUSED && u->family != AF_UNIX) {
		udp_errors(u); /* an unconnected socket tells the next sender about somebody else's refusal */
		if (p->error != 0)
			return refuse(p, p->error);
		put = send_now(p, v, n);
	}
	if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		if (u->family == AF_UNIX)
			s->wr = (struct need){ .timed = true, .at_ms = loop_now(u->env->loop) + UNIX_RETRY_MS };
		else if (udp_wait(u, p) == 0)
			s->wr = (struct need){ .wake = true };
		else
			return refuse(p, errno);
		return ST_AGAIN;
	}
	if (put < 0 && !passing(errno))
		return refuse(p, errno);
	if (put < 0)
		udp_lost(u);
	else
		p->credit -= u->guard != NULL ? bytes : 0;
	return (ssize_t)bytes;
}

static int peer_nothing(struct stream *s)
{
	(void)s;
	return 0;
}

static void peer_close(struct stream *s, enum close_how how)
{
	(void)how;
	struct udp_peer *p = self(s);
	if (p->udp != NULL)
		udp_unlink(p->udp, p);
	for (struct datagram *d = p->first, *next; d != NULL; d = next) {
		next = d->next;
		mem_free(d);
	}
	mem_free(p);
}

static const struct stream_ops peer_ops = {
	.name = "udp",
	.readv = peer_readv,
	.writev = peer_writev,
	.flush = peer_nothing,
	.shut = peer_nothing,
	.close = peer_close,
};

struct udp_peer *udp_peer_new(struct udp *u, const struct udp_path *path)
{
	struct udp_peer *p = mem_new(sizeof *p + path->from_len);
	if (p == NULL)
		return NULL;
	p->s = (struct stream){ .ops = &peer_ops, .rfd = -1, .wfd = -1, .caps = ST_DGRAM, .waker = &p->waker };
	p->udp = u;
	p->last = &p->first;
	p->to = path->to;
	p->scope = path->scope;
	p->name_len = path->from_len;
	memcpy(p->name, &path->from, path->from_len);
	return p;
}

void udp_peer_keep(struct udp_peer *p)
{
	struct udp *u = p->udp;
	if (u->at != p)
		return;
	u->at = NULL;
	size_t bytes = sizeof(struct datagram) + u->at_len;
	bool fits = p->queued == 0 || p->queued + bytes <= QUEUE_BYTES; /* the largest one must be able to come in at all */
	struct datagram *d = fits ? mem_raw(bytes) : NULL;
	if (d == NULL) {
		udp_lost(u);
		return;
	}
	d->next = NULL;
	d->len = (uint32_t)u->at_len;
	memcpy(d->bytes, u->buf, u->at_len);
	*p->last = d;
	p->last = &d->next;
	p->queued += (uint32_t)bytes;
}

void udp_peer_wake(struct udp_peer *p)
{
	if (p->waker.fn != NULL)
		p->waker.fn(p->waker.arg);
}
