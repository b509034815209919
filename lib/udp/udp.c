/* The socket of a datagram server and the table of its peers.
 *
 * A turn receives one batch of datagrams (udp_in.c) and sends one of answers (udp_out.c). A peer is identified by its address and
 * our address that it sends to. Peers that wait for room to send, or have an error to report, are in one list; they are all woken
 * when the socket is writable. */
#include "udp/udp_internal.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "net/sockopt.h"

#include <string.h>

enum { TURN_ERRORS = 64, REST_MS = 20 };

static int set_rate(void *block, const char *text, struct err *e)
{
	struct udp_conf *conf = block;
	conf->rate = 0;
	return strcmp(text, "off") == 0 ? 0 : num_int(text, 1, 1000000000, &conf->rate, e);
}

static const struct opt udp_rows[] = {
	{ .name = "udp-rate",
		.with = WITH_DGRAM,
		.kind = OPT_HOOK,
		.hook = set_rate,
		.arg = "N|off",
		.def = "1000",
		.help = "over UDP, answer at most N datagrams a second from one address",
		.man = "Over UDP the address of a sender may be forged, so an echo never sends more bytes than it got, ignores "
		       "senders with its own address or with a port below 1024, answers at most N datagrams a second from one "
		       "address, and sends an answer with one hop less than the datagram had left, so that no answer circles for "
		       "ever. Senders on the loopback interface may use any port, and the rate limits them only on their last "
		       "hop. off removes the limit." },
	{ 0 },
};
const struct opt_group udp_opts = { .title = "Datagrams", .size = sizeof(struct udp_conf), .rows = udp_rows };

static struct udp_peer *peer_of(const struct table_node *node)
{
	return (struct udp_peer *)(uintptr_t)((const char *)node - offsetof(struct udp_peer, node));
}

static bool same_name(const struct udp_peer *p, const struct udp_path *path)
{
	return p->name_len == path->from_len && memcmp(p->name, &path->from, path->from_len) == 0;
}

static bool same_path(const struct table_node *node, const void *key)
{
	const struct udp_peer *p = peer_of(node);
	const struct udp_path *path = key;
	return same_name(p, path) && sa_equal(&p->to, &path->to);
}

static bool same_and_well(const struct table_node *node, const void *key)
{
	return peer_of(node)->error == 0 && same_name(peer_of(node), key);
}

static uint32_t hash_of(const struct udp *u, const struct udp_path *path)
{
	return table_hash(&u->peers, &path->from, path->from_len);
}

struct udp_peer *udp_find(const struct udp *u, const struct udp_path *path)
{
	struct table_node *node = table_find(&u->peers, hash_of(u, path), same_path, path);
	return node != NULL ? peer_of(node) : NULL;
}

int udp_enter(struct udp *u, struct udp_peer *p, const struct udp_path *path)
{
	return table_add(&u->peers, &p->node, hash_of(u, path));
}

/* Waiting */

void udp_watch(struct udp *u)
{
	bool out = u->waiting.first != NULL || u->stuck;
	loop_watch(u->run->loop, &u->watch, (u->rests ? 0u : LOOP_IN) | (out ? LOOP_OUT : 0u));
}

/* Receiving fails repeatedly while the system reports data: trying at once would spin. */
void udp_rest(struct udp *u)
{
	u->rests = true;
	u->failures = 0;
	loop_timer(u->run->loop, &u->rest, loop_now(u->run->loop) + REST_MS);
	udp_watch(u);
}

static void on_udp_rested(void *arg)
{
	struct udp *u = arg;
	u->rests = false;
	udp_watch(u);
}

int udp_wait(struct udp *u, struct udp_peer *p)
{
	if (p->waits)
		return 0;
	if (loop_watch(u->run->loop, &u->watch, (u->rests ? 0u : LOOP_IN) | LOOP_OUT) != 0)
		return -1;
	p->waits = true;
	LIST_APPEND(&u->waiting, p);
	return 0;
}

static void udp_unwait(struct udp *u, struct udp_peer *p)
{
	if (!p->waits)
		return;
	p->waits = false;
	LIST_REMOVE(&u->waiting, p);
}

/* Wakes the peers that wait now: a peer that waits again is appended, and a woken owner may close others. */
static void wake_waiting(struct udp *u)
{
	size_t n = 0;
	struct udp_peer *p;
	for (p = u->waiting.first; p != NULL; p = p->next)
		n++;
	for (; n > 0 && (p = u->waiting.first) != NULL; n--) {
		udp_unwait(u, p);
		udp_peer_wake(p);
	}
	udp_watch(u);
}

void udp_unlink(struct udp *u, struct udp_peer *p)
{
	table_remove(&u->peers, &p->node);
	udp_unwait(u, p);
	udp_out_forget(p);
	for (struct udp_slot *slot = p->slot; slot != NULL; slot = slot->next)
		slot->peer = NULL;
	p->slot = NULL;
	if (u->at == p)
		u->at = NULL;
}

/* "Port unreachable" is final for a peer, on each of our addresses; other ICMP errors may be temporary. */
void udp_errors(struct udp *u)
{
	struct udp_path whom;
	int sys;
	if (u->family == AF_UNIX) /* Linux has no error queue for it, and would return a datagram instead */
		return;
	for (int i = 0; i < TURN_ERRORS && udp_msg_error(u->fd, &whom, &sys); i++) {
		struct table_node *node;
		uint32_t hash = hash_of(u, &whom);
		while (sys == ECONNREFUSED && (node = table_find(&u->peers, hash, same_and_well, &whom)) != NULL) {
			peer_of(node)->error = sys;
			udp_wait(u, peer_of(node));
		}
	}
}

static void on_udp_ready(void *arg, unsigned what)
{
	struct udp *u = arg;
	udp_out_begin(u);
	if (what & LOOP_HUP)
		udp_errors(u);
	if (what & LOOP_OUT)
		wake_waiting(u);
	if (what & LOOP_IN)
		udp_in_receive(u);
	udp_out_end(u);
}

struct udp *udp_open(const struct run *run, int fd, sa_family_t family, const struct sa *local, bool guard, udp_new_peer *fn,
	void *arg, struct err *e)
{
	const struct udp_conf *conf = conf_get(run->conf, &udp_opts);
	struct udp *u = mem_new(sizeof *u);
	if (u == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "serve datagrams");
		return NULL;
	}
	*u = (struct udp){ .run = run, .fd = fd, .family = family, .local = *local, .spare_fd = -1, .fn = fn, .arg = arg };
	u->watch = (struct watch){ .fd = fd, .fn = on_udp_ready, .arg = u };
	u->rest = (struct timer){ .fn = on_udp_rested, .arg = u };
	table_init(&u->peers, run->seed);
	u->in = udp_in_new(family);
	u->out = family != AF_UNIX ? udp_out_new() : NULL;
	u->guard = guard ? mem_new(sizeof *u->guard) : NULL;
	if (u->guard != NULL)
		*u->guard = (struct udp_guard){ .rate = conf->rate, .hops = udp_msg_hops(fd, family) };
	udp_msg_prepare(fd, family, guard);
	if (family != AF_UNIX && !sockopt_has(run->conf, SOL_SOCKET, SO_RCVBUF))
		udp_loss_buffer(fd);
	udp_loss_open(&u->loss, run, fd, family);
	bool all = u->in != NULL && (u->out != NULL || family == AF_UNIX) && (u->guard != NULL || !guard);
	int sys = all ? 0 : ENOMEM;
	if (sys == 0 && loop_watch(run->loop, &u->watch, LOOP_IN) != 0)
		sys = errno;
	if (sys == 0)
		return u;
	err_set(e, ERR_LOCAL, sys, "serve datagrams");
	udp_close(u);
	return NULL;
}

/* Connecting a wildcard socket fixes its own address: it must be the one that the peer used. */
static bool route_agrees(struct udp *u, const struct udp_peer *p, const struct udp_path *path)
{
	if (u->family == AF_UNIX || !sa_any(&u->local))
		return true;
	struct sa mine = { 0 };
	int fd = u->spare_fd >= 0 ? u->spare_fd : sys_socket(u->family, SOCK_DGRAM, 0);
	if (fd >= 0 && sys_connect(fd, &path->from.sa, path->from_len) == 0)
		sa_of(&mine, fd, false);
	sys_close(fd);
	u->spare_fd = -1;
	sa_set_port(&mine, sa_port(&p->to));
	return sa_equal(&mine, &p->to);
}

void udp_will_be_only(struct udp *u)
{
	if (u->family != AF_UNIX && sa_any(&u->local))
		u->spare_fd = sys_socket(u->family, SOCK_DGRAM, 0);
}

void udp_only(struct udp *u, const struct stream *peer)
{
	const struct udp_peer *p = (const struct udp_peer *)stream_bottom(peer);
	struct udp_path path = { .from_len = p->name_len };
	memcpy(&path.from, p->name, p->name_len);
	u->no_more = true;
	if (p->name_len > 0 && route_agrees(u, p, &path))
		u->connected = sys_connect(u->fd, &path.from.sa, path.from_len) == 0;
}

void udp_no_more(struct udp *u)
{
	u->no_more = true;
}

void udp_forget(struct stream *peer)
{
	struct udp_peer *p = (struct udp_peer *)stream_bottom(peer);
	if (p->udp != NULL)
		udp_unlink(p->udp, p);
	p->udp = NULL;
}

static void udp_orphan(struct table_node *node, void *arg)
{
	(void)arg;
	udp_forget(&peer_of(node)->s);
}

void udp_close(struct udp *takes)
{
	if (takes == NULL)
		return;
	udp_out_free(takes);
	loop_timer(takes->run->loop, &takes->rest, NEVER);
	loop_watch(takes->run->loop, &takes->watch, 0);
	table_each(&takes->peers, udp_orphan, takes);
	table_free(&takes->peers);
	udp_loss_close(&takes->loss);
	sys_close(takes->spare_fd);
	udp_in_free(takes->in);
	mem_free(takes->guard);
	mem_free(takes);
}
