/* One sender of datagrams as a stream. It has no descriptor: udp.c wakes it.
 *
 * Its datagrams are first in the socket's batch, and an owner that reads at once takes them from there without a copy. Otherwise
 * they wait in the peer's queue, which is read first. Answers of a turn leave with others (udp_out.c), else at once. A datagram
 * that the system cannot send for a temporary reason (memory, a firewall, a route) is lost and counted, as on the way; only a
 * lasting error fails the peer. */
#include "udp/udp_internal.h"

#include "base/mem.h"
#include "base/sys.h"
#include "stream/iov.h"

#include <string.h>

enum {
	QUEUE_BYTES = 64 * 1024,
	UNIX_RETRY_MS = 20 /* a full Unix receiver cannot be watched from an unconnected socket */
};

static struct udp_peer *udp_peer_self(struct stream *s)
{
	return (struct udp_peer *)s;
}

/* Hands out a datagram of `len` bytes: whole or not at all. */
static ssize_t hand_out(struct udp_peer *p, const struct iovec *v, int n, const unsigned char *from, size_t len)
{
	if (len == 0)
		return ST_EMPTY;
	if (iov_total(v, n) < len) {
		udp_loss_add(&p->udp->loss);
		return 0;
	}
	iov_scatter(v, n, 0, from, len);
	return (ssize_t)len;
}

static ssize_t read_queue(struct udp_peer *p, const struct iovec *v, int n)
{
	struct datagram *d = p->first;
	p->first = d->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->queued -= (uint32_t)sizeof *d + d->len;
	budget_give(p->budget, sizeof *d + d->len);
	ssize_t got = hand_out(p, v, n, d->bytes, d->len);
	mem_free(d);
	return got;
}

static ssize_t read_slot(struct udp_peer *p, const struct iovec *v, int n)
{
	struct udp_slot *slot = p->slot;
	p->slot = slot->next;
	slot->peer = NULL;
	return hand_out(p, v, n, slot->bytes, slot->len);
}

static int udp_peer_refuse(struct udp_peer *p, int sys)
{
	enum err_class cls = sys == ECONNREFUSED || sys == ENOENT ? ERR_CONNECT : ERR_NETWORK;
	return stream_fail(&p->s, cls, OF_PEER, sys, "send to");
}

static ssize_t peer_readv(struct stream *s, const struct iovec *v, int n)
{
	struct udp_peer *p = udp_peer_self(s);
	struct udp *u = p->udp;
	if (u == NULL)
		return stream_fail(s, ERR_NETWORK, OF_PEER, ENOTCONN, "receive from");
	while (p->first != NULL || p->slot != NULL) {
		ssize_t got = p->first != NULL ? read_queue(p, v, n) : read_slot(p, v, n);
		if (got != 0)
			return got;
	}
	if (p->error != 0)
		return stream_fail(s, ERR_CONNECT, OF_PEER, p->error, "receive from");
	if (p->send_error != 0)
		return udp_peer_refuse(p, p->send_error);
	return stream_again_rd(s, &(struct need){ .wake = true });
}

bool udp_passing(int sys)
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
	struct udp_path path;
	ssize_t put;
	udp_peer_path(p, &path);
	do
		put = udp_msg_send(u->fd, v, n, &path, u->connected);
	while (put < 0 && errno == EINTR);
	return put;
}

static ssize_t wait_for_room(struct udp_peer *p)
{
	if (p->udp->family == AF_UNIX)
		return stream_again_wr(
			&p->s, &(struct need){ .timed = true, .at_ms = loop_now(p->udp->run->loop) + UNIX_RETRY_MS });
	if (udp_wait(p->udp, p) == 0)
		return stream_again_wr(&p->s, &(struct need){ .wake = true });
	return udp_peer_refuse(p, errno);
}

static ssize_t peer_writev(struct stream *s, const struct iovec *v, int n)
{
	struct udp_peer *p = udp_peer_self(s);
	struct udp *u = p->udp;
	size_t bytes = iov_total(v, n);
	if (u == NULL || p->error != 0 || p->send_error != 0)
		return udp_peer_refuse(p, u == NULL ? ENOTCONN : p->error != 0 ? p->error : p->send_error);
	if (p->name_len == 0 || (u->guard != NULL && bytes > p->credit)) {
		udp_loss_add(&u->loss);
		return (ssize_t)bytes;
	}
	enum udp_held held = udp_out_hold(p, v, n, bytes);
	if (held == HELD_FULL)
		return wait_for_room(p);
	ssize_t put = held == HELD_YES ? 0 : send_now(p, v, n);
	if (put < 0 && errno == ECONNREFUSED && u->family != AF_UNIX) {
		udp_errors(u); /* an unconnected socket reports another peer's refusal to the next sender */
		if (p->error != 0)
			return udp_peer_refuse(p, p->error);
		put = send_now(p, v, n);
	}
	if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return wait_for_room(p);
	if (put < 0 && !udp_passing(errno))
		return udp_peer_refuse(p, errno);
	if (put < 0)
		udp_loss_add(&u->loss);
	else
		p->credit -= u->guard != NULL ? bytes : 0;
	return (ssize_t)bytes;
}

/* As many as the system takes at once; a refused one is sent once more alone, for its error. */
static int peer_sendm(struct stream *s, const struct msgs *m)
{
	struct udp_peer *p = udp_peer_self(s);
	struct udp *u = p->udp;
	bool alone = u == NULL || u->guard != NULL || u->family == AF_UNIX || p->error != 0 || p->send_error != 0;
	if (!alone && udp_out_clear(u)) {
		struct udp_path path;
		struct udp_control control;
		struct msghdr way = { 0 };
		udp_peer_path(p, &path);
		udp_msg_answer(&way, &path, &control, u->connected);
		int sent = dgram_batch_send(u->fd, &u->cut, &way, m);
		if (sent > 0)
			return sent;
	}
	ssize_t put = peer_writev(s, m->v, 1);
	return put < 0 ? (int)put : 1;
}

/* Gathered answers leave at the end of this turn: they count as sent, unless the system has no room. */
static int peer_flush(struct stream *s)
{
	struct udp_peer *p = udp_peer_self(s);
	return p->udp != NULL && udp_out_stuck(p) ? (int)wait_for_room(p) : 0;
}

static void peer_close(struct stream *s, enum close_how how)
{
	(void)how;
	struct udp_peer *p = udp_peer_self(s);
	if (p->udp != NULL)
		udp_unlink(p->udp, p);
	budget_give(p->budget, p->queued);
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
	.sendm = peer_sendm,
	.flush = peer_flush,
	.shut = peer_flush,
	.close = peer_close,
};

struct udp_peer *udp_peer_new(struct udp *u, const struct udp_path *path)
{
	struct udp_peer *p = mem_new(sizeof *p + path->from_len);
	if (p == NULL)
		return NULL;
	p->s = (struct stream){ .ops = &peer_ops, .rfd = -1, .wfd = -1, .caps = ST_DGRAM, .waker = &p->waker };
	p->udp = u;
	p->budget = u->run->budget;
	p->last = &p->first;
	p->to = path->to;
	p->scope = path->scope;
	p->name_len = path->from_len;
	memcpy(p->name, &path->from, path->from_len);
	return p;
}

static void udp_peer_keep_queued(struct udp_peer *p, const struct udp_slot *slot)
{
	size_t bytes = sizeof(struct datagram) + slot->len;
	bool fits = p->queued == 0 || p->queued + bytes <= QUEUE_BYTES; /* the largest one must fit in an empty queue */
	fits = fits && budget_take(p->budget, p->queued, bytes);
	struct datagram *d = fits ? mem_raw(bytes) : NULL;
	if (fits && d == NULL)
		budget_give(p->budget, bytes);
	if (d == NULL) {
		udp_loss_add(&p->udp->loss);
		return;
	}
	d->next = NULL;
	d->len = slot->len;
	memcpy(d->bytes, slot->bytes, slot->len);
	*p->last = d;
	p->last = &d->next;
	p->queued += (uint32_t)bytes;
}

void udp_peer_keep(struct udp_peer *p)
{
	for (; p->slot != NULL; p->slot = p->slot->next) {
		p->slot->peer = NULL;
		udp_peer_keep_queued(p, p->slot);
	}
}

void udp_peer_path(const struct udp_peer *p, struct udp_path *path)
{
	path->from_len = p->name_len;
	path->to = p->to;
	path->scope = p->scope;
	path->hops = p->hops;
	memcpy(&path->from, p->name, p->name_len);
}

void udp_peer_wake(struct udp_peer *p)
{
	if (p->waker.fn != NULL)
		p->waker.fn(p->waker.arg);
}
