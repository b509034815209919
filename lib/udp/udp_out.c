/* A batch of answers: answers made while a turn's datagrams are handed out leave together in one call.
 *
 * Equal answers to one peer leave as one message that the system cuts, if it can (stream/dgram_batch.h).
 *
 * Each answer has its own destination and result: an error is its peer's, found in the peer's next call, or loses that one
 * datagram. When the system has no room the rest waits here, and later answers wait behind it; when this is full, too, writers
 * wait. Outside of a turn, and on Unix sockets, where one full receiver would delay all others, answers leave at once. */
#include "udp/udp_internal.h"

#include "base/mem.h"
#include "stream/iov.h"

enum {
	ANSWERS = 64,
	BYTES = 128 * 1024,
	LARGE = 16 * 1024 /* copying costs more than a call */
};

struct answer {
	struct udp_path path;
	struct udp_peer *peer; /* NULL: closed */
	struct udp_control control;
};

struct udp_out {
	unsigned first, n; /* from first to n wait */
	size_t used;	   /* bytes */
	bool gathers;
	struct answer answer[ANSWERS];
	struct iovec v[ANSWERS]; /* their bytes */
	struct sys_mmsghdr m[ANSWERS];
	unsigned parts[ANSWERS]; /* answers in each message */
	unsigned char bytes[BYTES];
};

static void udp_out_left(struct udp *u)
{
	struct udp_out *out = u->out;
	struct answer *a = &out->answer[out->first++];
	if (a->peer != NULL)
		a->peer->held--;
	if (out->first < out->n)
		return;
	out->first = out->n = 0;
	out->used = 0;
	u->stuck = false;
}

/* The first one cannot be sent: try it once more, or drop it. */
static void udp_out_refused(struct udp *u, int sys, const struct answer **again)
{
	struct answer *a = &u->out->answer[u->out->first];
	if (sys == EINTR)
		return;
	if (sys == ECONNREFUSED && *again != a) {
		*again = a;
		udp_errors(u); /* the system reports another peer's refusal to the next sender */
		if (a->peer == NULL || a->peer->error == 0)
			return;
	} else if (udp_passing(sys) || a->peer == NULL) {
		udp_loss_add(&u->loss);
	} else {
		a->peer->send_error = sys;
		udp_wait(u, a->peer);
	}
	udp_out_left(u);
}

/* The waiting answers as messages: returns how many. */
static unsigned udp_out_prepare(struct udp *u)
{
	struct udp_out *out = u->out;
	unsigned n = 0;
	for (unsigned at = out->first; at < out->n; at += out->parts[n++]) {
		struct answer *a = &out->answer[at];
		unsigned same = 1;
		while (at + same < out->n && a->peer != NULL && out->answer[at + same].peer == a->peer)
			same++;
		out->parts[n] = same > 1 ? dgram_batch_alike(u->fd, &u->cut, &out->v[at], same) : 1;
		struct msghdr *m = &out->m[n].msg_hdr;
		int pieces = (int)out->parts[n]; /* signed: the type of msg_iovlen differs among C libraries */
		*m = (struct msghdr){ .msg_iov = &out->v[at], .msg_iovlen = (size_t)pieces };
		udp_msg_answer(m, &a->path, &a->control, u->connected);
		m->msg_control = &a->control;
		if (out->parts[n] > 1)
			dgram_batch_say(m, out->v[at].iov_len);
	}
	return n;
}

static void send_all(struct udp *u)
{
	struct udp_out *out = u->out;
	const struct answer *again = NULL;
	while (out->first < out->n) {
		size_t size = out->v[out->first].iov_len;
		int n = sys_sendmmsg(u->fd, out->m, udp_out_prepare(u), MSG_DONTWAIT | MSG_NOSIGNAL);
		for (int i = 0; i < n; i++)
			for (unsigned k = out->parts[i]; k > 0; k--)
				udp_out_left(u);
		if (n >= 0 || dgram_batch_learns(&u->cut, out->parts[0], size, errno))
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			u->stuck = true;
			udp_watch(u);
			return;
		}
		udp_out_refused(u, errno, &again);
	}
}

static void udp_out_put(struct udp_out *out, struct udp_peer *p, const struct iovec *v, int n, size_t bytes)
{
	struct answer *a = &out->answer[out->n];
	udp_peer_path(p, &a->path);
	a->peer = p;
	out->v[out->n++] = (struct iovec){ out->bytes + out->used, bytes };
	out->used += iov_gather(v, n, 0, out->bytes + out->used, bytes);
	p->held++;
}

enum udp_held udp_out_hold(struct udp_peer *p, const struct iovec *v, int n, size_t bytes)
{
	struct udp *u = p->udp;
	struct udp_out *out = u->out;
	if (out == NULL || (!out->gathers && !u->stuck))
		return HELD_NO;
	if (!u->stuck && (out->n == ANSWERS || out->used + bytes > BYTES || bytes > LARGE))
		send_all(u);
	if (!u->stuck && bytes > LARGE)
		return HELD_NO;
	if (out->n == ANSWERS || out->used + bytes > BYTES)
		return HELD_FULL;
	udp_out_put(out, p, v, n, bytes);
	return HELD_YES;
}

bool udp_out_clear(struct udp *u)
{
	if (u->out == NULL)
		return true;
	if (!u->stuck)
		send_all(u);
	return u->out->n == 0;
}

bool udp_out_stuck(const struct udp_peer *p)
{
	return p->held > 0 && p->udp->stuck;
}

void udp_out_begin(struct udp *u)
{
	if (u->out == NULL)
		return;
	u->out->gathers = true;
	send_all(u);
}

void udp_out_end(struct udp *u)
{
	if (u->out == NULL)
		return;
	u->out->gathers = false;
	if (!u->stuck)
		send_all(u);
}

void udp_out_forget(struct udp_peer *p)
{
	struct udp_out *out = p->udp->out;
	for (unsigned i = 0; p->held > 0 && i < out->n; i++)
		if (out->answer[i].peer == p)
			out->answer[i].peer = NULL;
}

struct udp_out *udp_out_new(void)
{
	return mem_new(sizeof(struct udp_out));
}

void udp_out_free(struct udp *u)
{
	if (u->out == NULL)
		return;
	send_all(u);
	while (u->out->first < u->out->n) {
		udp_loss_add(&u->loss);
		udp_out_left(u);
	}
	mem_free(u->out);
	u->out = NULL;
}
