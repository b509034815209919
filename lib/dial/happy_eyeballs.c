/* Happy eyeballs (RFC 8305): attempts start one after the other, the next 250 ms after the last or at once when one fails; the
 * first that connects wins and the rest are closed.
 *
 * One attempt is a socket whose nonblocking connect is completed by writability and SO_ERROR. A connected UDP socket, complete at
 * once, and a Unix socket take the same path; connect of a Unix socket may say EAGAIN while the listener's backlog is full, and
 * is then repeated a little later. An error at our end (source address, socket option, descriptors) ends all attempts, because
 * other addresses would fail the same way. */
#include "dial/happy_eyeballs.h"

#include "base/mem.h"
#include "base/sys.h"
#include "dial/dial.h"
#include "net/resolve.h"
#include "net/sockopt.h"
#include "net/unix_autobind.h"

#include <stdio.h>
#include <string.h>

enum { NAMED = 4, BACKLOG_FIRST_MS = 1, BACKLOG_MOST_MS = 50 };

enum course { UNDER_WAY, CONNECTED, FAILED, HOPELESS /* err says why */ };

struct attempt {
	struct happy_eyeballs *race;
	struct sa to;	    /* none for a Unix path */
	int sys;	    /* why it failed */
	bool broadcast;	    /* ... it is a broadcast address, and -o broadcast was not given */
	struct watch watch; /* fd -1: not begun, or over */
};

struct happy_eyeballs {
	const struct run *run;
	const struct addr *addr;
	happy_eyeballs_done *done;
	void *arg;
	const struct dial_conf *conf;
	struct sa source;   /* family 0: any of ours */
	struct timer pace;  /* until the next attempt, or until the full backlog is tried again */
	int64_t backlog_ms; /* > 0: the Unix listener's backlog is full */
	struct task begin, end;
	int won; /* -1: none yet */
	struct err err;
	size_t n, next, flying;
	struct attempt v[];
};

bool happy_eyeballs_worth_again(int sys)
{
	static const int passing[] = { ECONNREFUSED, ECONNRESET, ECONNABORTED, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH, ENETDOWN,
		ETIMEDOUT, EADDRNOTAVAIL, ENOENT, EAGAIN };
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (sys == passing[i])
			return true;
	return false;
}

void happy_eyeballs_order(struct sa *out, const struct sa *list, size_t n)
{
	size_t six = 0, other = 0;
	for (size_t i = 0; i < n; i++) {
		while (six < n && list[six].family != AF_INET6)
			six++;
		while (other < n && list[other].family == AF_INET6)
			other++;
		bool turn = six < n && (other == n || i % 2 == 0);
		out[i] = list[turn ? six++ : other++];
	}
}

static bool trouble_of_ours(int sys)
{
	return sys == EMFILE || sys == ENFILE || sys == ENOMEM || sys == ENOBUFS;
}

static const char *eyeballs_name(const struct attempt *a, char out[SA_TEXT])
{
	return a->to.family != 0 ? sa_text(&a->to, out) : a->race->addr->text;
}

static void eyeballs_land(struct attempt *a)
{
	if (a->watch.fd < 0)
		return;
	loop_watch(a->race->run->loop, &a->watch, 0);
	if (a->race->addr->kind == ADDR_UNIX_DGRAM)
		unix_autobind_remove(a->watch.fd);
	sys_close(a->watch.fd);
	a->watch.fd = -1;
	a->race->flying--;
}

static enum course eyeballs_failed(struct attempt *a, int sys)
{
	char text[SA_TEXT];
	a->sys = sys;
	eyeballs_land(a);
	event(a->race->run->events, EV_DIAL_FAIL, 0, EV_TEXT("addr", eyeballs_name(a, text)), EV_TEXT("error", strerror(sys)),
		EV_NUM("errno", sys));
	if (!trouble_of_ours(sys))
		return FAILED;
	err_set(&a->race->err, ERR_LOCAL, sys, "connect %s", eyeballs_name(a, text));
	return HOPELESS;
}

/* Without a listener, a connect to a local port may get that port as its own and connect to itself. The reset keeps the port from
 * TIME_WAIT, in which the expected server could not bind it. */
static enum course eyeballs_connected(struct attempt *a)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct sa here, there;
	if (a->race->addr->kind != ADDR_TCP)
		return CONNECTED;
	sa_of(&here, a->watch.fd, false);
	sa_of(&there, a->watch.fd, true);
	if (!sa_equal(&here, &there))
		return CONNECTED;
	sys_setsockopt(a->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	return eyeballs_failed(a, ECONNREFUSED);
}

static int bind_source(struct happy_eyeballs *r, int fd, sa_family_t family)
{
	static const int on = 1;
	char text[SA_TEXT];
	struct sockaddr_storage ss;
	struct sa from = r->source;
	uint16_t port = r->conf->source_port;
	if (from.family == 0)
		sa_parse(&from, family == AF_INET6 ? "::" : "0.0.0.0", port);
	/* Attempts share the port with each other and with an earlier connection in TIME_WAIT. */
	if (port != 0 && r->addr->kind == ADDR_TCP)
		sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (sys_bind(fd, (struct sockaddr *)&ss, sa_to(&from, &ss)) == 0)
		return 0;
	int sys = errno;
	err_set(&r->err, ERR_LISTEN, sys, "bind %s", port != 0 ? sa_text(&from, text) : sa_host(&from, text));
	return sockopt_share_hint(r->run->conf, r->addr->kind, &from, &r->err);
}

/* 0, or -1 with r->err filled in. */
static int eyeballs_prepare(struct happy_eyeballs *r, int fd, const struct sa *at)
{
	const struct conf *conf = r->run->conf;
	if (sockopt_apply(conf, fd, r->addr->kind, at, SOCKOPT_BIND, &r->err) < 0)
		return -1;
	if (r->conf->has_source && !addr_local(r->addr) && bind_source(r, fd, (sa_family_t)at->family) < 0)
		return -1;
	if (r->addr->kind == ADDR_UNIX_DGRAM && unix_autobind(fd, r->conf->has_path ? &r->conf->source_path : NULL, &r->err) < 0)
		return -1;
	return sockopt_apply(conf, fd, r->addr->kind, at, SOCKOPT_CONNECT, &r->err);
}

/* Linux says "permission denied" of a broadcast address, and also where a firewall forbids: which of them it is, the option
 * tells. The socket is closed afterwards. */
static bool is_broadcast(const struct attempt *a, const struct sockaddr *to, socklen_t len)
{
	static const int on = 1;
	return a->race->addr->kind == ADDR_UDP && sys_setsockopt(a->watch.fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0 &&
	       sys_connect(a->watch.fd, to, len) == 0;
}

static enum course eyeballs_ask(struct attempt *a)
{
	struct happy_eyeballs *r = a->race;
	struct sockaddr_storage ss;
	struct sockaddr_un un;
	bool path = a->to.family == 0;
	socklen_t len = path ? addr_unix(r->addr, &un) : sa_to(&a->to, &ss);
	r->backlog_ms = 0;
	if (sys_connect(a->watch.fd, path ? (struct sockaddr *)&un : (struct sockaddr *)&ss, len) == 0)
		return eyeballs_connected(a);
	if (errno == EAGAIN && r->addr->kind == ADDR_UNIX) {
		r->backlog_ms = BACKLOG_FIRST_MS;
		return UNDER_WAY;
	}
	if ((errno == EINPROGRESS || errno == EINTR) && loop_watch(r->run->loop, &a->watch, LOOP_OUT) == 0)
		return UNDER_WAY;
	int sys = errno;
	a->broadcast = sys == EACCES && is_broadcast(a, (struct sockaddr *)&ss, len);
	return eyeballs_failed(a, sys);
}

static enum course eyeballs_launch(struct attempt *a)
{
	struct happy_eyeballs *r = a->race;
	char text[SA_TEXT];
	static const struct sa path = { .family = AF_UNIX };
	const struct sa *at = a->to.family != 0 ? &a->to : &path;
	event(r->run->events, EV_CONNECTING, 0, EV_TEXT("addr", eyeballs_name(a, text)));
	int protocol = sockopt_protocol(r->run->conf, r->addr->kind);
	a->watch.fd = sys_socket(at->family, addr_dgram(r->addr) ? SOCK_DGRAM : SOCK_STREAM, protocol);
	if (a->watch.fd < 0)
		return eyeballs_failed(a, errno);
	r->flying++;
	return eyeballs_prepare(r, a->watch.fd, at) < 0 ? HOPELESS : eyeballs_ask(a);
}

/* A refusal, an unreachable network: the peer's class. It is a timeout only if no address answered. */
static void eyeballs_lose(struct happy_eyeballs *r)
{
	enum err_class cls = ERR_TIMEOUT;
	int sys = r->v[r->n - 1].sys;
	char words[sizeof r->err.what], text[SA_TEXT];
	size_t at = 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct attempt *a = &r->v[i];
		if (a->sys != ETIMEDOUT)
			cls = ERR_CONNECT;
		if (happy_eyeballs_worth_again(a->sys))
			sys = a->sys;
		if (i < NAMED && at < sizeof words)
			at += (size_t)snprintf(words + at, sizeof words - at, "%s%s %s", i > 0 ? ", " : "",
				eyeballs_name(a, text), strerror(a->sys));
	}
	if (r->n > NAMED && at < sizeof words)
		snprintf(words + at, sizeof words - at, ", and %zu more", r->n - NAMED);
	if (r->n == 1 && r->v[0].broadcast)
		err_set(&r->err, cls, 0, "connect %s: %s; a broadcast address requires -o broadcast",
			eyeballs_name(&r->v[0], text), strerror(sys));
	else if (r->n == 1)
		err_set(&r->err, cls, sys, "connect %s", eyeballs_name(&r->v[0], text));
	else
		err_set(&r->err, cls, 0, "connect %s: %s", r->addr->text, words);
	r->err.sys = sys;
}

static void give_up_rest(struct happy_eyeballs *r)
{
	for (size_t i = 0; i < r->n; i++)
		eyeballs_land(&r->v[i]);
	loop_timer(r->run->loop, &r->pace, NEVER);
}

static void eyeballs_finish(struct happy_eyeballs *r)
{
	give_up_rest(r);
	loop_later(r->run->loop, &r->end);
}

static void eyeballs_win(struct attempt *a)
{
	struct happy_eyeballs *r = a->race;
	loop_watch(r->run->loop, &a->watch, 0);
	r->won = a->watch.fd;
	a->watch.fd = -1;
	r->flying--;
}

/* After the result of an attempt: the next one, a wait, or the end. */
static void go_on(struct happy_eyeballs *r, struct attempt *a, enum course how)
{
	while (how == FAILED && r->next < r->n) {
		a = &r->v[r->next++];
		how = eyeballs_launch(a);
	}
	if (how == UNDER_WAY && (r->next < r->n || r->backlog_ms > 0))
		loop_timer(r->run->loop, &r->pace, loop_now(r->run->loop) + (r->backlog_ms > 0 ? r->backlog_ms : DIAL_RACE_MS));
	if (how == UNDER_WAY || (how == FAILED && r->flying > 0))
		return;
	if (how == CONNECTED)
		eyeballs_win(a);
	if (how == FAILED)
		eyeballs_lose(r);
	eyeballs_finish(r);
}

static void on_eyeballs_ready(void *arg, unsigned how)
{
	(void)how;
	struct attempt *a = arg;
	int sys = 0;
	socklen_t len = sizeof sys;
	if (getsockopt(a->watch.fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
		sys = errno;
	go_on(a->race, a, sys == 0 ? eyeballs_connected(a) : eyeballs_failed(a, sys));
}

static void on_eyeballs_paced(void *arg)
{
	struct happy_eyeballs *r = arg;
	if (r->backlog_ms == 0) {
		go_on(r, NULL, FAILED);
		return;
	}
	int64_t longer = r->backlog_ms * 2 < BACKLOG_MOST_MS ? r->backlog_ms * 2 : BACKLOG_MOST_MS;
	enum course how = eyeballs_ask(&r->v[0]);
	if (r->backlog_ms > 0)
		r->backlog_ms = longer;
	go_on(r, &r->v[0], how);
}

static void on_eyeballs_begin(void *arg)
{
	go_on(arg, NULL, FAILED);
}

static void on_eyeballs_end(void *arg)
{
	struct happy_eyeballs *r = arg;
	r->done(r->arg, r->won, &r->err);
	mem_free(r);
}

/* One attempt for a Unix path, else one for each address of the source's family. */
static int line_up(struct happy_eyeballs *r, const struct sa *list, size_t n, struct err *e)
{
	struct sa order[RESOLVE_MOST];
	if (addr_local(r->addr)) {
		r->n = 1;
		return 0;
	}
	if (r->conf->has_source && r->conf->source_host[0] != '\0')
		sa_parse(&r->source, r->conf->source_host, r->conf->source_port);
	happy_eyeballs_order(order, list, n);
	for (size_t i = 0; i < n; i++)
		if (r->source.family == 0 || r->source.family == order[i].family)
			r->v[r->n++].to = order[i];
	if (r->n > 0)
		return 0;
	return err_set(e, ERR_USAGE, 0, "%s has no IPv%c address, which --source asks for", r->addr->text,
		r->source.family == AF_INET ? '4' : '6');
}

struct happy_eyeballs *happy_eyeballs_start(const struct run *run, const struct addr *a, const struct sa *list, size_t n,
	happy_eyeballs_done *done, void *arg, struct err *e)
{
	if (n > RESOLVE_MOST)
		n = RESOLVE_MOST;
	struct happy_eyeballs *r = mem_new(sizeof *r + (n > 0 ? n : 1) * sizeof r->v[0]);
	if (r == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "connect %s", a->text);
		return NULL;
	}
	r->run = run;
	r->conf = conf_get(run->conf, &dial_opts);
	r->addr = a;
	r->done = done;
	r->arg = arg;
	r->won = -1;
	r->pace.fn = on_eyeballs_paced;
	r->begin.fn = on_eyeballs_begin;
	r->end.fn = on_eyeballs_end;
	r->pace.arg = r->begin.arg = r->end.arg = r;
	if (line_up(r, list, n, e) < 0) {
		mem_free(r);
		return NULL;
	}
	for (size_t i = 0; i < r->n; i++) {
		r->v[i].race = r;
		r->v[i].watch = (struct watch){ .fd = -1, .fn = on_eyeballs_ready, .arg = &r->v[i] };
	}
	loop_later(run->loop, &r->begin);
	return r;
}

void happy_eyeballs_stop(struct happy_eyeballs *takes)
{
	give_up_rest(takes);
	loop_forget(takes->run->loop, &takes->begin);
	loop_forget(takes->run->loop, &takes->end);
	if (takes->won >= 0 && takes->addr->kind == ADDR_UNIX_DGRAM)
		unix_autobind_remove(takes->won);
	sys_close(takes->won);
	mem_free(takes);
}
