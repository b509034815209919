/* Accepting: connections of stream listeners, new peers of datagram sockets.
 *
 * A listening socket is watched exactly while a client might be accepted from it: not when the server is closed for good, while
 * accepting fails for lack of descriptors or memory, while `listen -k` has its client, or while --when-full queue has no place.
 * No state is stored twice: accept_update checks these reasons, and code that changes one calls it. */
#include "server/server_internal.h"

#include "base/sys.h"
#include "stream/fdstream.h"
#include "net/sockopt.h"
#include "session/layers.h"

#include <string.h>

enum {
	TURN_ACCEPTS = 64,
	LAST_ACCEPTS = 8192, /* twice the longest backlog: new connections must not keep the last call going for ever */
	LOOKS = 2,	     /* one turn to read the end of clients that have closed, and one to free their sessions */
	FAILURES_MOST = 1000,
	PAUSE_MS = 1000,
	QUEUE_SNDBUF = 256 * 1024 /* loopback alone allows 4 MiB by default */
};

static bool accept_taken(const struct server *s) /* listen -k: one client after the other */
{
	return s->opts.one && s->keep_open && (s->service_run->all.left > 0 || handshakes_in_turn(&s->handshakes));
}

static bool accept_full(const struct server *s)
{
	uint32_t max = access_max(s->access);
	return max != 0 && access_active(s->access) >= max;
}

static bool accept_queued(const struct server *s)
{
	return s->conf->when_full == FULL_QUEUE && accept_full(s) && !full_house_can_make_room(s);
}

/* "emfile", as programs name it. */
static const char *pause_reason(int sys)
{
	static const struct {
		int sys;
		const char *name;
	} all[] = { { EMFILE, "emfile" }, { ENFILE, "enfile" }, { ENOMEM, "enomem" }, { ENOBUFS, "enobufs" } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].sys == sys)
			return all[i].name;
	return "accept";
}

static void pause_doors(struct server *s, int sys)
{
	s->paused = true;
	loop_timer(s->run->loop, &s->pause, loop_now(s->run->loop) + PAUSE_MS);
	if (s->told == NULL) {
		s->told = pause_reason(sys);
		event(s->run->events, EV_PAUSE, 0, EV_TEXT("reason", s->told), EV_TEXT("why", strerror(sys)));
	}
	accept_update(s);
}

void accept_update(struct server *s)
{
	bool open = !s->closed && !s->paused && !s->fault.deaf && !accept_taken(s) && !accept_queued(s);
	for (unsigned i = 0; i < s->acceptors_n; i++) {
		struct acceptor *d = &s->acceptors[i];
		if (d->udp == NULL && d->l->fd >= 0 && !d->l->connected &&
			loop_watch(s->run->loop, &d->watch, open ? LOOP_IN : 0) != 0 && !s->paused)
			pause_doors(s, errno);
	}
}

void accept_resume(struct server *s)
{
	if (s->service_run->all.left == 0)
		handshakes_next(&s->handshakes);
	if (s->closed)
		return;
	s->paused = false;
	loop_timer(s->run->loop, &s->pause, NEVER);
	accept_update(s);
}

static void on_accept_pause_over(void *arg)
{
	accept_resume(arg);
}

static enum access_answer accept_ask(struct server *s, const struct sa *peer)
{
	char text[SA_TEXT];
	int64_t now = loop_now(s->run->loop);
	event(s->run->events, EV_REQUEST, 0, EV_TEXT("peer", sa_text(peer, text)));
	enum access_answer v = access_ask(s->access, peer, now);
	return (v == ACCESS_FULL || v == ACCESS_PER_IP) && full_house_make_room(s, peer, v) ? access_ask(s->access, peer, now)
											    : v;
}

/* Streams */

static int setup_socket(const struct server *s, const struct listener *l, int fd, struct err *e)
{
	const struct conf *conf = s->run->conf;
	enum addr_kind kind = l->local.family == AF_UNIX ? ADDR_UNIX : ADDR_TCP;
	int bytes = QUEUE_SNDBUF;
	if ((s->service_run->service->needs & CAP_SNDBUF) && !sockopt_has(conf, SOL_SOCKET, SO_SNDBUF))
		sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	return sockopt_apply(conf, fd, kind, &l->local, l->inherited ? SOCKOPT_OPEN : SOCKOPT_ACCEPTED, e);
}

static void let_in(struct acceptor *d, int fd, struct accepted *who)
{
	struct server *s = d->server;
	struct err e = { 0 };
	struct stream *top = NULL;
	const struct link link = { s->run, ROLE_ACCEPT, who->id, &who->peer, &who->local, NULL, NULL };
	if (setup_socket(s, d->l, fd, &e) != 0)
		sys_close(fd);
	else if ((top = fdstream_socket(fd, false)) == NULL)
		err_set(&e, ERR_LOCAL, ENOMEM, "accept");
	else if (layers_build(&top, &link, &e) == 0) {
		handshake_start(&s->handshakes, top, who);
		return;
	}
	stream_close(top, CLOSE_RST); /* a plain end would look like an empty answer */
	server_lost(s, who, NULL, &e, true);
}

/* Errors of this connection or its network: the next one may succeed. */
static bool accept_passes(int sys)
{
	static const int all[] = { EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH,
		ENETUNREACH, ETIMEDOUT };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (sys == all[i])
			return true;
	return false;
}

/* True: go on. An error that is not of one connection pauses, so that accepting never spins. */
static bool accept_failed(struct server *s, int sys)
{
	if (accept_passes(sys) && ++s->failures < FAILURES_MOST) /* more of them in a row are lasting */
		return true;
	s->failures = 0;
	if (sys != EAGAIN && sys != EWOULDBLOCK) {
		pause_doors(s, sys);
		return false;
	}
	if (s->told != NULL)
		event(s->run->events, EV_RESUME, 0, EV_TEXT("reason", s->told), EV_TEXT("why", "clients are accepted again"));
	s->told = NULL;
	return false;
}

/* An inherited listener may be blocking, and another process may have accepted the connection. */
static bool has_connection(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return sys_poll(&p, 1, 0) > 0;
}

/* What another program has accepted is there once. A peer that has reset it meanwhile has no address. */
static int accept_fd(struct listener *l, struct sockaddr_storage *ss, socklen_t *len)
{
	if (!l->connected)
		return sys_accept(l->fd, (struct sockaddr *)ss, len);
	int fd = l->fd;
	l->fd = -1;
	errno = EAGAIN;
	if (fd >= 0 && getpeername(fd, (struct sockaddr *)ss, len) != 0)
		ss->ss_family = (sa_family_t)l->local.family;
	return fd;
}

static bool accept_one(struct acceptor *d)
{
	struct server *s = d->server;
	if (d->l->inherited && !d->l->connected && !has_connection(d->l->fd))
		return false;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss;
	int fd = accept_fd(d->l, &ss, &len);
	if (fd < 0)
		return accept_failed(s, errno);
	s->failures = 0;
	struct accepted who = { .acceptor = d, .local = d->l->local };
	sa_from(&who.peer, (struct sockaddr *)&ss, len);
	if (d->l->local.family == AF_UNIX)
		who.peer.family = AF_UNIX;
	enum access_answer v = accept_ask(s, &who.peer);
	if (v != ACCESS_YES) {
		reject_peer(s, fd, &who.peer, v);
		return true;
	}
	who.id = ++s->last_id;
	if (sa_any(&who.local))
		sa_of(&who.local, fd, false);
	if (listen_fault_resets(s, fd, &who)) {
		server_left(s, &who.peer);
		return true;
	}
	who.hold_ms = listen_fault_holds_ms(s, &who);
	let_in(d, fd, &who);
	return true;
}

static void accept_some(struct acceptor *d)
{
	bool was_full = accept_full(d->server);
	d->looks = 0;
	accept_update(d->server); /* a session that could have made room may be busy now */
	for (int i = 0; i < TURN_ACCEPTS && d->watch.want != 0 && accept_full(d->server) == was_full && accept_one(d); i++)
		accept_update(d->server);
}

/* Server full: before refusing, wait two turns. A peer that has already closed is counted until its EOF is read (this turn) and
 * its session freed (next turn). */
static void on_accept_look(void *arg)
{
	struct acceptor *d = arg;
	if (accept_full(d->server) && d->looks++ < LOOKS)
		loop_later(d->server->run->loop, &d->again);
	else
		accept_some(d);
}

static void on_accept_handed(void *arg)
{
	struct acceptor *d = arg;
	accept_one(d);
	server_look(d->server);
}

static void on_accept_ready(void *arg, unsigned ready)
{
	(void)ready;
	struct acceptor *d = arg;
	if (d->looks == 0)
		on_accept_look(d);
}

/* Datagrams */

static int new_peer(void *arg, struct stream *top, const struct sa *peer, const struct sa *local)
{
	struct acceptor *d = arg;
	struct server *s = d->server;
	if (s->closed)
		return -1;
	bool in_turn = accept_taken(s);
	enum access_answer v = accept_ask(s, peer);
	if (v == ACCESS_FULL && !in_turn && udp_evict_one(s))
		v = access_ask(s->access, peer, loop_now(s->run->loop));
	if (v != ACCESS_YES) {
		reject_tell(s, peer, v);
		return -1;
	}
	struct accepted who = { .id = ++s->last_id, .acceptor = d, .peer = *peer, .local = *local, .in_turn = in_turn };
	const struct link link = { s->run, ROLE_ACCEPT, who.id, &who.peer, &who.local, NULL, NULL };
	struct err e = { 0 };
	if (layers_build(&top, &link, &e) == 0) {
		handshake_start(&s->handshakes, top, &who);
		udp_give_turn(s);
		return 0;
	}
	stream_close(top, CLOSE_PLAIN);
	server_lost(s, &who, NULL, &e, true);
	return 0;
}

/* All of them */

int accept_open(struct server *s, struct err *e)
{
	bool guard = (s->service_run->service->needs & GUARD_UDP) != 0;
	s->pause = (struct timer){ .fn = on_accept_pause_over, .arg = s };
	if (listen_fault_open(s, e) != 0)
		return -1;
	s->handed = true;
	for (unsigned i = 0; i < s->listeners.n; i++) {
		struct listener *l = &s->listeners.v[i];
		struct acceptor *d = &s->acceptors[s->acceptors_n++];
		*d = (struct acceptor){ .server = s, .l = l };
		d->watch = (struct watch){ .fd = l->fd, .fn = on_accept_ready, .arg = d };
		d->again = (struct task){ .fn = on_accept_look, .arg = d };
		if (l->connected) {
			d->again.fn = on_accept_handed;
			loop_later(s->run->loop, &d->again);
			continue;
		}
		s->handed = false;
		if (!l->dgram && !s->fault.deaf && loop_watch(s->run->loop, &d->watch, LOOP_IN) != 0)
			return err_set(e, ERR_LISTEN, errno, "watch the listening socket");
		if (!l->dgram)
			continue;
		d->udp = udp_open(s->run, l->fd, (sa_family_t)l->local.family, &l->local, guard, new_peer, d, e);
		if (d->udp == NULL)
			return -1;
		if (s->opts.one && !s->keep_open && !l->inherited)
			udp_will_be_only(d->udp);
	}
	return 0;
}

/* All in the backlog of one listener, also without a place for them: they are then refused with an event. */
static void let_all_in(struct acceptor *d)
{
	if (d->l->connected)
		accept_one(d);
	for (int i = 0; i < LAST_ACCEPTS && d->watch.want != 0 && accept_one(d); i++)
		accept_update(d->server);
}

bool accept_last_call(struct server *s)
{
	bool empty = true;
	for (unsigned i = 0; i < s->acceptors_n && !s->closed; i++) {
		struct acceptor *d = &s->acceptors[i];
		if (d->udp == NULL)
			let_all_in(d);
		if (d->udp == NULL && !s->closed && d->watch.want == 0 && d->l->fd >= 0 && !d->l->connected &&
			has_connection(d->l->fd))
			empty = false;
	}
	return empty || s->paused || s->fault.deaf;
}

/* A connection that was not admitted. */
static bool turn_out(int fd)
{
	struct stream *one = fdstream_socket(fd, false);
	bool said = one != NULL && stream_unread(one);
	stream_close(one, CLOSE_RST);
	return said;
}

unsigned accept_turn_out(struct server *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->acceptors_n && !s->closed; i++) {
		const struct acceptor *d = &s->acceptors[i];
		int fd = 0;
		for (int j = 0; j < LAST_ACCEPTS && d->udp == NULL && !d->l->inherited && fd >= 0; j++)
			if ((fd = sys_accept(d->l->fd, NULL, NULL)) >= 0)
				n += turn_out(fd);
	}
	return n;
}

bool accept_awaits(const struct server *s)
{
	for (unsigned i = 0; i < s->listeners.n; i++)
		if (s->listeners.v[i].connected && s->listeners.v[i].fd >= 0)
			return true;
	return false;
}

static void close_door(struct server *s, struct acceptor *d)
{
	loop_watch(s->run->loop, &d->watch, 0);
	loop_forget(s->run->loop, &d->again);
	udp_close(d->udp);
	d->udp = NULL;
}

void accept_shut(struct server *s)
{
	bool datagrams = false;
	s->closed = true;
	listen_fault_close(s);
	loop_timer(s->run->loop, &s->pause, NEVER);
	for (unsigned i = 0; i < s->acceptors_n; i++) {
		struct acceptor *d = &s->acceptors[i];
		if (d->udp == NULL)
			close_door(s, d);
		else
			udp_no_more(d->udp);
		datagrams |= d->udp != NULL;
	}
	if (!datagrams)
		listeners_close(&s->listeners);
}

void accept_keep_only(struct server *s, struct acceptor *d, struct stream *top)
{
	for (unsigned i = 0; i < s->acceptors_n; i++) {
		struct acceptor *other = &s->acceptors[i];
		if (other == d || other->udp == NULL || other->l->inherited)
			continue;
		close_door(s, other);
		sys_close(other->l->fd);
		other->l->fd = -1;
	}
	if (d->udp != NULL && !d->l->inherited)
		udp_only(d->udp, top);
	accept_shut(s);
}

void accept_close(struct server *s)
{
	s->closed = true;
	listen_fault_close(s);
	loop_timer(s->run->loop, &s->pause, NEVER);
	for (unsigned i = 0; i < s->acceptors_n; i++)
		close_door(s, &s->acceptors[i]);
	listeners_close(&s->listeners);
}
