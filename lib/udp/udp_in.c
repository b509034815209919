/* A batch of datagrams: received in one call, each linked to its peer, every peer woken once with all of its own.
 *
 * A peer's owner reads directly from the batch; the rest is copied into the peer's queue before the next call. An unknown sender
 * is admitted only after the peers of earlier datagrams have been woken, because which peer must make room for it depends on what
 * they have read. A peer may be closed while it is woken: its datagrams are then dropped, and `at` tells this file.
 *
 * Memory: one block of 4 MiB a socket, room for 64 datagrams of any length (16 on Unix sockets). The system provides only the
 * pages that datagrams have touched: one or two each while they are small. The slots are a little more than 64 KiB apart, so that
 * their first bytes do not share the same few cache lines. */
#include "udp/udp_internal.h"

#include "base/mem.h"

#include <string.h>

enum {
	SLOTS = 64,
	FAILURES_MOST = 64,
	INET_BYTES = 64 * 1024,
	UNIX_BYTES = 256 * 1024,
	APART = 17 * 64 /* an odd number of lines */
};

struct udp_in {
	unsigned most; /* slots in use */
	unsigned char *bytes;
	struct sys_mmsghdr m[SLOTS];
	struct iovec v[SLOTS];
	struct udp_control control[SLOTS];
	struct udp_slot slot[SLOTS];
};

struct udp_in *udp_in_new(sa_family_t family)
{
	size_t each = family == AF_UNIX ? UNIX_BYTES : INET_BYTES;
	struct udp_in *in = mem_new(sizeof *in);
	if (in == NULL)
		return NULL;
	in->most = (unsigned)(SLOTS * (size_t)INET_BYTES / each);
	in->bytes = mem_raw(in->most * (each + APART));
	for (unsigned i = 0; i < in->most; i++) {
		in->v[i] = (struct iovec){ in->bytes + i * (each + APART), each };
		in->m[i].msg_hdr = (struct msghdr){ .msg_iov = &in->v[i], .msg_iovlen = 1 };
		in->slot[i].bytes = in->v[i].iov_base;
	}
	if (in->bytes != NULL)
		return in;
	mem_free(in);
	return NULL;
}

void udp_in_free(struct udp_in *takes)
{
	if (takes != NULL)
		mem_free(takes->bytes);
	mem_free(takes);
}

/* Returns how many, or -1 with errno. */
static int udp_in_fetch(struct udp *u, unsigned most)
{
	struct udp_in *in = u->in;
	for (unsigned i = 0; i < most; i++)
		udp_msg_ready(&in->m[i].msg_hdr, &in->slot[i].path, &in->control[i]);
	int n = sys_recvmmsg(u->fd, in->m, most, MSG_DONTWAIT);
	for (int i = 0; i < n; i++) {
		udp_msg_path(&in->m[i].msg_hdr, &in->slot[i].path, &u->local);
		in->slot[i].len = in->m[i].msg_len;
		in->slot[i].peer = NULL;
	}
	return n;
}

static void link_to(struct udp_peer *p, struct udp_slot *slot)
{
	slot->peer = p;
	slot->next = NULL;
	if (p->slot == NULL)
		p->slot = slot;
	else
		p->slot_last->next = slot;
	p->slot_last = slot;
	p->credit += slot->len;
	if (p->udp->guard != NULL)
		p->hops = udp_guard_hops(p->udp->guard, slot->path.hops);
}

/* An owner that reads one datagram a call is woken again as long as it reads. */
static void udp_in_wake(struct udp *u, struct udp_peer *p)
{
	const struct udp_slot *before;
	u->at = p;
	do {
		before = p->slot;
		udp_peer_wake(p);
	} while (u->at == p && p->slot != NULL && p->slot != before);
	if (u->at == p)
		udp_peer_keep(p);
	u->at = NULL;
}

static void wake_all(struct udp *u, struct udp_slot *from, const struct udp_slot *to)
{
	for (; from < to; from++)
		if (from->peer != NULL)
			udp_in_wake(u, from->peer);
}

static void udp_in_stranger(struct udp *u, struct udp_slot *slot, const struct sa *peer)
{
	struct udp_peer *p = u->no_more ? NULL : udp_peer_new(u, &slot->path);
	if (p == NULL || udp_enter(u, p, &slot->path) != 0) {
		mem_free(p);
		if (!u->no_more)
			udp_loss_add(&u->loss);
		return;
	}
	link_to(p, slot);
	const struct sa *to = slot->path.to.family != AF_UNSPEC ? &slot->path.to : &u->local;
	if (u->fn(u->arg, &p->s, peer, to) != 0)
		stream_close(&p->s, CLOSE_PLAIN);
}

static bool guarded_off(struct udp *u, const struct sa *peer, const struct udp_path *path)
{
	if (u->guard == NULL)
		return false;
	struct sa host = *peer;
	sa_set_port(&host, 0);
	uint32_t hash = table_hash(&u->peers, host.b, host.len);
	bool passes = udp_guard_passes(u->guard, hash, peer, &path->to, path->hops, sa_port(&u->local), loop_now(u->run->loop));
	if (!passes && !u->told_service && udp_guard_service(peer)) {
		char text[SA_TEXT];
		u->told_service = true;
		event(u->run->events, EV_IGNORED, 0, EV_TEXT("peer", sa_text(peer, text)), EV_TEXT("reason", "port"));
	}
	return !passes;
}

static void sort_out(struct udp *u, unsigned n)
{
	struct udp_slot *slot = u->in->slot, *end = slot + n, *woken = slot;
	for (; slot < end; slot++) {
		struct sa peer;
		sa_from(&peer, &slot->path.from.sa, slot->path.from_len);
		if (u->family == AF_UNIX)
			peer.family = AF_UNIX;
		if ((u->in->m[slot - u->in->slot].msg_hdr.msg_flags & MSG_TRUNC) != 0)
			udp_loss_add(&u->loss);
		else if (!guarded_off(u, &peer, &slot->path)) {
			struct udp_peer *p = udp_find(u, &slot->path);
			if (p != NULL) {
				link_to(p, slot);
				continue;
			}
			wake_all(u, woken, slot);
			woken = slot;
			udp_in_stranger(u, slot, &peer);
		}
	}
	wake_all(u, woken, end);
}

void udp_in_receive(struct udp *u)
{
	for (unsigned seen = 0; seen < u->in->most;) {
		unsigned most = u->in->most - seen < SYS_BATCH ? u->in->most - seen : SYS_BATCH;
		int n = udp_in_fetch(u, most);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			udp_errors(u); /* EINTR, or an error that belongs to a peer */
			if (++u->failures == FAILURES_MOST) {
				udp_rest(u);
				return;
			}
			seen++;
			continue;
		}
		u->failures = 0;
		udp_loss_stir(&u->loss);
		sort_out(u, (unsigned)n);
		seen += (unsigned)n;
		if ((unsigned)n < most)
			return;
	}
}
