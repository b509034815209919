/* A serving run from start to end. Steps that may fail come in an order in which nothing visible has to be undone (lists and
 * files first, then sockets, then readiness); then the loop turns, and connections become sessions.
 *
 * The way of a connection: accept.c, access, number, layers, setup (handshake.c), session. Its end is counted here; shutdown.c
 * decides whether that ends the run. */
#include "server/server_internal.h"

#include "base/mem.h"
#include "stream/fdstream.h"
#include "sandbox/sandbox_opts.h"
#include "listen/accepted_fd.h"
#include "fault/fault_opts.h"
#include "net/idle.h"
#include "proxy/proxy_accept.h"
#include "net/sockopt.h"
#include "session/layers.h"

#include <errno.h>
#include <stdio.h>

enum { BACKLOG = 4096 /* the system caps it; musl's SOMAXCONN is an old 128 */ };

static const struct opt server_rows[] = {
	{ .name = "count",
		.kind = OPT_INT,
		.off = offsetof(struct server_conf, count),
		.arg = "N",
		.help = "end after N clients have been served",
		.man = "Takes no more clients after the Nth and ends when the last has gone. A client that was refused does not "
		       "count." },
	{ .name = "when-full",
		.with = WITH_STREAM,
		.kind = OPT_CHOICE,
		.off = offsetof(struct server_conf, when_full),
		.arg = "auto|notice|close|queue",
		.def = "auto",
		.help = "what a client over --max gets",
		.man = "What a client over --max gets: notice is a line that says so and a close, close is only that, and with "
		       "queue it waits until a client leaves. auto is notice for chat and the console, close for others. Over "
		       "UDP nothing is sent, and when the server is full the oldest peer that has sent only one datagram is "
		       "dropped for the new one." },
	{ .name = "full-message",
		.with = WITH_STREAM | WITH_NOTICE,
		.kind = OPT_TEXT,
		.off = offsetof(struct server_conf, full_message),
		.arg = "TEXT",
		.def = "server full",
		.help = "the line for clients over --max",
		.man = "The line that --when-full notice sends. A newline is added." },
	{ .name = "drain",
		.kind = OPT_MS,
		.off = offsetof(struct server_conf, drain_ms),
		.arg = "TIME",
		.def = "5s",
		.help = "how long clients may finish when the run is to end",
		.man = "When the run is to end (a signal, --lifetime, --exit-with-fd, the end of --run's command or of a "
		       "console's standard input) no more clients are taken and those present may finish within TIME: see "
		       "SERVING MANY. Then connections that are left are closed, and the exit status is 7 if that loses a byte. "
		       "A second signal does so at once." },
	{ .name = "strict",
		.kind = OPT_FLAG,
		.off = offsetof(struct server_conf, strict),
		.help = "one client's failure is the run's",
		.man = "A failure of one client, which is otherwise only reported, also decides the exit status; so does one of its "
		       "program (--exec), which ends with another status than 0 or by a signal: status 9." },
	{ 0 },
};
const struct opt_group server_opts = { .title = "Serving", .size = sizeof(struct server_conf), .rows = server_rows };

/* From a setup to a session */

/* Frees its place. */
void server_left(struct server *s, const struct sa *peer)
{
	access_leave(s->access, peer);
	accept_resume(s);
	server_look(s);
}

void server_lost(struct server *s, const struct accepted *who, const char *reason, const struct err *e, bool loud)
{
	char text[SA_TEXT], words[sizeof e->what + 2];
	if (reason == NULL)
		reason = e->cls == ERR_LOCAL ? "local" : e->cls == ERR_TLS ? "tls" : "setup";
	bool decides = (s->conf->strict || (s->handed && s->opts.one)) && !s->closed,
	     said = decides && s->run->outcome->first.cls == ERR_OK;
	if (decides) {
		struct err named = *e;
		err_prefix(&named, "client %u, %s", (unsigned)who->id, sa_text(&who->peer, text));
		run_fail(s->run, &named);
	}
	snprintf(words, sizeof words, ": %s", e->what);
	event(s->run->events, EV_REJECT, who->id, EV_TEXT("peer", sa_text(&who->peer, text)), EV_TEXT("reason", reason),
		EV_TEXT("error", e->what), EV_TEXT("words", words));
	if (loud && !said) /* the run's failure is reported at its end */
		complaint_add(&s->complaint, who->id, &who->peer, reason, e);
	server_left(s, &who->peer);
}

/* A peer that we dropped, or that left without a byte (a health check, a scan), is reported only with -v. */
static bool worth_a_line(const struct stream *top, const struct why *why)
{
	bool ours = why->cls == ERR_TIMEOUT || why->cls == ERR_LOCAL;
	return !(why->flags & DROPPED) && (ours || (top != NULL && fdstream_heard(stream_bottom(top))));
}

static void on_setup_failed(void *arg, const struct stream *top, const struct accepted *who, const struct why *why)
{
	struct server *s = arg;
	struct err e;
	err_why(&e, why, NULL);
	bool of_header = proxy_accept_waits(top) && !(why->flags & DROPPED), cut = why->flags & BY_DRAIN;
	const char *reason = cut ? access_name(ACCESS_DRAIN) : of_header ? access_name(ACCESS_PROXY) : NULL;
	server_lost(s, who, reason, &e, worth_a_line(top, why));
}

/* listen: the first client to pass is the one. The listening socket closes before its service starts: later clients are
 * refused. */
static void first_passed(struct server *s, struct stream *top, struct acceptor *d)
{
	loop_timer(s->run->loop, &s->deserted, NEVER);
	if (!s->keep_open)
		accept_keep_only(s, d, top);
	handshakes_close_others(&s->handshakes);
}

/* The PROXY header counts from here on: the announced client is the peer. False: it is denied. */
static bool server_announced(const struct server *s, struct stream *top, struct accepted *who)
{
	const struct proxy_header *said = proxy_accept_said(top);
	char peer[SA_TEXT];
	if (said == NULL)
		return true;
	proxied_peer_tell(s->run->events, who->id, &who->peer, said);
	proxy_accept_forget(top);
	if (said->told) {
		who->peer = said->peer;
		who->local = said->local;
	}
	enum access_answer v = access_announced(s->access, &who->peer);
	if (v != ACCESS_YES)
		event(s->run->events, EV_REJECT, who->id, EV_TEXT("peer", sa_text(&who->peer, peer)),
			EV_TEXT("reason", access_name(v)));
	return v == ACCESS_YES;
}

/* False: the connection is refused, with an event. */
static bool server_believe(struct server *s, struct stream *top, struct accepted *who)
{
	static const struct err no_memory = { .cls = ERR_LOCAL, .sys = ENOMEM, .what = "no memory" };
	const struct accepted came = *who;
	if (!server_announced(s, top, who)) {
		server_left(s, &came.peer);
		return false;
	}
	if (proxy_accept_said(top) == NULL || proxied_peer_keep(&s->proxied_peers, who->id, &came.peer) == 0)
		return true;
	server_lost(s, &came, NULL, &no_memory, true);
	return false;
}

/* Returns the place of the peer with that address, or of its proxy. */
static void give_place(struct server *s, uint32_t id, const struct sa *peer)
{
	struct sa proxy;
	access_leave(s->access, proxied_peer_take(&s->proxied_peers, id, &proxy) ? &proxy : peer);
	server_await(s);
	accept_resume(s);
	server_look(s);
}

static void on_setup_passed(void *arg, struct stream *top, const struct accepted *came)
{
	struct server *s = arg;
	struct err e = { 0 };
	struct accepted who = *came;
	if (!server_believe(s, top, &who)) {
		stream_close(top, CLOSE_PLAIN);
		return;
	}
	if (s->opts.one)
		first_passed(s, top, who.acceptor);
	if (session_open(s->service_run, top, who.id, false, &who.peer, &who.local, &e) != 0) {
		if (s->opts.one || s->conf->strict)
			run_fail(s->run, &e);
		give_place(s, who.id, &who.peer); /* the session has reported it */
		return;
	}
	if (++s->opened == s->conf->count)
		server_no_more(s);
	accept_update(s);
}

const struct handshake_ops server_handshake_ops = { .passed = on_setup_passed, .failed = on_setup_failed };

static void on_session_gone(void *arg, struct session *i)
{
	struct server *s = arg;
	bool always = i->why.cls == ERR_MISMATCH || i->why.cls == ERR_BUG;
	if (i->why.cls != ERR_OK && (always || s->opts.one || s->conf->strict)) {
		struct err e;
		session_words(i, &e);
		run_fail(s->run, &e);
	} else if (i->why.cls == ERR_TLS) { /* a client that refuses our certificate says so after its handshake */
		struct err e;
		session_words(i, &e);
		complaint_add(&s->complaint, i->id, &i->peer, "tls", &e);
	}
	if (!i->uncounted) {
		give_place(s, i->id, &i->peer);
		return;
	}
	accept_resume(s);
	server_look(s);
}

/* The operator's input has ended. */
static void on_service_finished(void *arg)
{
	struct server *s = arg;
	if (!s->draining)
		server_drain(s, "stdin", false);
}

/* A client in a backlog, or a sender that waits, may have a place now. */
static void on_session_spare(void *arg)
{
	accept_update(arg);
	udp_give_turn(arg);
}

/* Start and end */

/* Over UDP a sender can claim any address, and in a chat every member gets its lines. */
static void warn_of_forgery(const struct server *s)
{
	const struct access_conf *access = conf_get(s->run->conf, &access_opts);
	bool room = (s->service_run->service->needs & NOTICE_FULL) != 0, far = false;
	for (unsigned i = 0; i < s->listeners.n; i++) {
		const struct listener *l = &s->listeners.v[i];
		far |= l->dgram && l->local.family != AF_UNIX && !sa_loopback(&l->local);
	}
	if (room && far && access->allow.n == 0)
		event(s->run->events, EV_WARN, 0,
			EV_TEXT("text", "over UDP any sender can join with a forged address; consider --allow or --local"));
}

static void join_service_run(struct server *s)
{
	const struct limit_conf *limit = conf_get(s->run->conf, &limit_opts);
	s->service_run->server = true;
	s->service_run->one = s->opts.one;
	s->service_run->keep_open = s->keep_open;
	s->service_run->strict = s->conf->strict;
	s->service_run->max = limit != NULL ? limit->max : 0;
	s->service_run->drain_ms = s->conf->drain_ms;
	s->service_run->gone = on_session_gone;
	s->service_run->gone_arg = s;
	s->service_run->finish = on_service_finished;
	s->service_run->finish_arg = s;
	s->service_run->spare = on_session_spare;
	s->service_run->spare_arg = s;
}

/* An address can be forged, but the cost of each new client is ours. */
static void limit_rate(struct server *s, const struct service *service)
{
	enum { A_SECOND = 10 };
	if ((service->needs & COSTLY) && addr_dgram(&s->addr) && !CONF_GIVEN(s->run->conf, limit, rate))
		access_rate(s->access, A_SECOND);
}

/* Of the sandbox. */
static unsigned needs_of(const struct server *s)
{
	bool dgram = addr_dgram(&s->addr), local = addr_local(&s->addr) || s->addr.kind == ADDR_FD;
	unsigned needs = NEEDS_ACCEPT;
	needs |= s->addr.path_len > 0 && s->addr.path[0] != '\0' ? NEEDS_UNLINK : 0u;
	needs |= s->opts.one && dgram ? NEEDS_PEER : 0u;
	needs |= local ? NEEDS_ANSWER : 0u;
	if (faults_of(s->run, FAULT_REFUSE_FOR, 0) != NULL)
		needs |= NEEDS_LISTEN | (faults_of(s->run, FAULT_BACKLOG_FULL, 0) != NULL ? NEEDS_DIAL : 0u);
	return needs;
}

static int server_prepare(struct server *s, const struct service *service, struct err *e)
{
	const struct run *run = s->run;
	int backlog = sockopt_backlog(run->conf, s->opts.one ? 1 : BACKLOG);
	if ((s->access = access_open(run, s->opts.max, e)) == NULL)
		return -1;
	limit_rate(s, service);
	if ((s->ready = ready_open(run, (service->needs & OWNS_STDOUT) != 0, e)) == NULL)
		return -1;
	if (layers_start(run, ROLE_ACCEPT, &s->addr, service, e) != 0 || server_run_prepare(s, service, e) != 0)
		return -1;
	if ((s->service_run = service_run_open(run, service, !s->opts.one || s->keep_open, e)) == NULL)
		return -1;
	join_service_run(s);
	sandbox_run_dials(run, service->dials != NULL ? service->dials(run->conf) : NULL);
	if (sandbox_run_prepare(run, needs_of(s), e) != 0)
		return -1;
	if (server_watch_ends(s, e) != 0 || listeners_open(&s->listeners, run, &s->addr, backlog, e) != 0)
		return -1;
	if (accept_open(s, e) != 0)
		return -1;
	warn_of_forgery(s);
	sandbox_run_keep(run);
	if (ready_tell(s->ready, &s->listeners, &s->addr, e) != 0)
		return -1;
	sandbox_run_hold(run, s->listeners.file.folder);
	sandbox_run_hold(run, ready_folder(s->ready));
	return sandbox_run_drop(run, e) == 0 && server_run_start(s, e) == 0 ? sandbox_run_seal(run, e) : -1;
}

struct server *server_open(
	const struct run *run, const struct addr *a, const struct service *service, const struct server_opts *opts, struct err *e)
{
	const struct listen_conf *listening = conf_get(run->conf, &listen_opts);
	struct server *s = mem_new(sizeof *s);
	if (s == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "start the server");
		return NULL;
	}
	s->run = run;
	s->conf = conf_get(run->conf, &server_opts);
	s->opts = *opts;
	s->keep_open = opts->one && listening->keep_open;
	s->addr = *a;
	table_init(&s->proxied_peers, run->seed);
	complaint_open(&s->complaint, run);
	s->handshakes = (struct handshakes){ .run = run, .ops = &server_handshake_ops, .arg = s };
	if (server_prepare(s, service, e) == 0)
		return s;
	server_close(s);
	return NULL;
}

int server_run(struct server *s, struct err *e)
{
	return loop_run(s->run->loop, e);
}

void server_close(struct server *s)
{
	if (s == NULL)
		return;
	server_run_close(s);
	s->closed = s->over = true; /* leaving clients free no places any more */
	handshakes_close(&s->handshakes);
	service_run_close(s->service_run);
	s->service_run = NULL;
	accept_close(s);
	server_forget_ends(s);
	complaint_close(&s->complaint);
	ready_close(s->ready);
	access_close(s->access);
	proxied_peer_free(&s->proxied_peers);
	mem_free(s);
}

static unsigned server_facts(const struct run *run, const struct addr *a, const struct service *service)
{
	const struct listen_conf *listening = conf_get(run->conf, &listen_opts);
	bool notices = reject_notices(conf_get(run->conf, &server_opts), a, service);
	return (service->dials != NULL ? WITH_DIAL | WITH_CLIENT : 0U) | (listening->keep_open ? WITH_NEXT : 0U) |
	       (notices ? WITH_NOTICE : 0U);
}

int server_main(const struct run *run, const struct service *service, const struct server_opts *opts, struct err *e)
{
	struct addr a;
	int used = 0;
	if (addr_parse(&a, conf_get(run->conf, &addr_opts), ADDR_SERVER, run->argc, run->argv, &used, e) != 0)
		return -1;
	if (used < run->argc)
		return err_set(e, ERR_USAGE, 0, "unexpected word \"%.64s\" after the address", run->argv[used]);
	if (run->command != NULL && (service->needs & RUNS_COMMAND) == 0)
		return err_set(e, ERR_USAGE, 0, "unexpected word \"%.64s\" after --: %s runs no command", run->command[0],
			service->name);
	if (idle_refuse(run, &a, 1, service, server_facts(run, &a, service), e) != 0 ||
		accepted_fd_take(&a, service->needs & OWNS_STDOUT, e) != 0)
		return -1;
	struct server_shares shares;
	if (server_limits(run, addr_dgram(&a), opts, service, &shares, e) != 0)
		return -1;
	struct server_opts fit = *opts;
	fit.max = shares.max;
	linger_limit(run->linger, shares.lingers);
	pool_limit_pipes(run->pool, shares.pipes);
	struct server *s = server_open(run, &a, service, &fit, e);
	if (s == NULL)
		return -1;
	int rc = server_run(s, e);
	server_close(s);
	return rc;
}
