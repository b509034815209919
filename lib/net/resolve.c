/* Names to addresses. Numeric addresses, wildcards and loopback are answered here, through loop_later; a helper child resolves a
 * name: it runs getaddrinfo and writes its reply, one fixed struct, into a pipe.
 *
 * The child and its reply end in either order: the reply decides, and a child that still runs then is forgotten. A pipe that ends
 * without a whole reply is reported as a failure of the helper. */
#include "net/resolve.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "loop/child.h"

#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct reply {
	int32_t code, sys; /* of getaddrinfo: 0 and EAI_SYSTEM's errno */
	uint32_t n;
	struct sa list[RESOLVE_MOST];
};
_Static_assert(sizeof(struct reply) <= _POSIX_PIPE_BUF * 4, "the helper's one write never waits for its reader");

struct resolve {
	const struct run *run;
	struct addr asked;
	resolve_done *done;
	void *arg;
	struct task end;
	struct child *child;
	struct watch pipe; /* fd -1: none */
	size_t got;
	struct reply reply;
	struct err err;
	char host[SA_TEXT * 4]; /* the name, printable */
};

static void resolve_add(struct reply *reply, const struct sa *sa)
{
	for (uint32_t i = 0; i < reply->n; i++)
		if (sa_equal(&reply->list[i], sa))
			return;
	if (reply->n < RESOLVE_MOST)
		reply->list[reply->n++] = *sa;
}

/* If a machine has no IPv6 (or no IPv4) address, AI_ADDRCONFIG avoids attempts that can only fail. It must not hide ::1 from
 * `localhost`, nor overrule -4 and -6. */
static int lookup_flags(const struct addr *a)
{
	static const char local[] = "localhost", below[] = ".localhost";
	size_t n = strlen(a->host);
	if (a->family != AF_UNSPEC || strcasecmp(a->host, local) == 0)
		return 0;
	if (n >= sizeof below && strcasecmp(a->host + n - (sizeof below - 1), below) == 0)
		return 0;
	return AI_ADDRCONFIG;
}

/* In the child: descriptor 1 is the pipe. */
static int resolve_helper(void *arg)
{
	const struct addr *a = &((const struct resolve *)arg)->asked;
	struct reply reply = { 0 };
	struct addrinfo *all = NULL;
	const struct addrinfo hints = {
		.ai_family = a->family,
		.ai_socktype = addr_dgram(a) ? SOCK_DGRAM : SOCK_STREAM,
		.ai_flags = lookup_flags(a),
	};
	reply.code = getaddrinfo(a->host, NULL, &hints, &all);
	reply.sys = errno;
	for (const struct addrinfo *ai = reply.code == 0 ? all : NULL; ai != NULL; ai = ai->ai_next) {
		struct sa sa;
		sa_from(&sa, ai->ai_addr, ai->ai_addrlen);
		sa_set_port(&sa, a->port);
		resolve_add(&reply, &sa);
	}
	for (size_t sent = 0; sent < sizeof reply;) {
		struct iovec v = { (char *)&reply + sent, sizeof reply - sent };
		ssize_t n = sys_writev(1, &v, 1);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd room = { .fd = 1, .events = POLLOUT };
			sys_poll(&room, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return 1;
		}
		sent += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void resolve_report(const struct resolve *r)
{
	char addrs[RESOLVE_MOST * SA_TEXT], one[SA_TEXT];
	size_t at = 0;
	for (uint32_t i = 0; i < r->reply.n; i++)
		at += (size_t)snprintf(addrs + at, sizeof addrs - at, "%s%s", i > 0 ? ", " : "", sa_host(&r->reply.list[i], one));
	event(r->run->events, EV_RESOLVE, 0, EV_TEXT("host", r->host), EV_WORDS("addrs", addrs));
}

/* A name server that cannot answer now, or a name that does not exist, or has no such address: it may yet. */
static bool may_come(const struct reply *reply)
{
	static const int codes[] = {
		0,
		EAI_AGAIN,
		EAI_NONAME,
#ifdef EAI_NODATA
		EAI_NODATA,
#endif
#ifdef EAI_ADDRFAMILY
		EAI_ADDRFAMILY,
#endif
	};
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (reply->code == codes[i])
			return true;
	return false;
}

static void resolve_judge(struct resolve *r)
{
	const struct reply *reply = &r->reply;
	if (r->got < sizeof *reply || reply->n > RESOLVE_MOST)
		err_set(&r->err, ERR_RESOLVE, 0, "resolve %s: the lookup process failed", r->host);
	else if (reply->code == EAI_SYSTEM)
		err_set(&r->err, ERR_RESOLVE, reply->sys, "resolve %s", r->host);
	else if (reply->code != 0)
		err_set(&r->err, ERR_RESOLVE, 0, "resolve %s: %s", r->host, gai_strerror(reply->code));
	else if (reply->n == 0)
		err_set(&r->err, ERR_RESOLVE, 0, "resolve %s: it has no address", r->host);
	else
		resolve_report(r);
	if (r->err.cls != ERR_OK) {
		r->reply.n = 0;
		r->err.sys = r->got == sizeof *reply && may_come(reply) ? EAGAIN : r->err.sys;
	}
}

/* Ends the helper; the reply stays. */
static void resolve_release(struct resolve *r)
{
	if (r->pipe.fd >= 0) {
		loop_watch(r->run->loop, &r->pipe, 0);
		sys_close(r->pipe.fd);
		r->pipe.fd = -1;
	}
	if (r->child != NULL)
		child_forget(r->child);
	r->child = NULL;
}

static void on_resolve_end(void *arg)
{
	struct resolve *r = arg;
	r->done(r->arg, r->reply.list, r->reply.n, &r->err);
	mem_free(r);
}

static void on_resolve_readable(void *arg, unsigned ready)
{
	(void)ready;
	struct resolve *r = arg;
	while (r->got < sizeof r->reply) {
		struct iovec v = { (char *)&r->reply + r->got, sizeof r->reply - r->got };
		ssize_t n = sys_readv(r->pipe.fd, &v, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		r->got += (size_t)n;
	}
	resolve_release(r);
	resolve_judge(r);
	loop_later(r->run->loop, &r->end);
}

static void on_resolve_reaped(void *arg, int status)
{
	(void)status;
	((struct resolve *)arg)->child = NULL;
}

static int resolve_ask(struct resolve *r, struct err *e)
{
	int fd[2];
	if (sys_pipe(fd) < 0)
		return err_set(e, ERR_LOCAL, errno, "resolve %s", r->host);
	r->pipe = (struct watch){ .fd = fd[0], .fn = on_resolve_readable, .arg = r };
	const int places[3] = { -1, fd[1], -1 };
	r->child = child_start(r->run->loop, resolve_helper, r, places, on_resolve_reaped, r, e);
	sys_close(fd[1]);
	if (r->child == NULL)
		return err_prefix(e, "resolve %s", r->host);
	if (loop_watch(r->run->loop, &r->pipe, LOOP_IN) < 0)
		return err_set(e, ERR_LOCAL, errno, "resolve %s", r->host);
	return 0;
}

static int add_numeric(struct resolve *r, const char *host)
{
	const struct addr *a = &r->asked;
	struct sa sa;
	if (!sa_parse(&sa, host, a->port))
		return -1;
	if (a->family == AF_UNSPEC || a->family == sa.family)
		resolve_add(&r->reply, &sa);
	return 0;
}

/* Fills the reply and returns 0 if no lookup is needed. */
static int resolve_know(struct resolve *r)
{
	const struct addr *a = &r->asked;
	if (!a->any)
		return add_numeric(r, a->host);
	add_numeric(r, a->loopback ? "::1" : "::");
	add_numeric(r, a->loopback ? "127.0.0.1" : "0.0.0.0");
	return 0;
}

bool resolve_asks(const struct addr *a)
{
	struct sa number;
	return !addr_local(a) && a->kind != ADDR_FD && !a->any && !sa_parse(&number, a->host, a->port);
}

struct resolve *resolve_start(const struct run *run, const struct addr *a, resolve_done *done, void *arg, struct err *e)
{
	const struct addr_conf *conf = conf_get(run->conf, &addr_opts);
	struct resolve *r = mem_new(sizeof *r);
	if (r == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "resolve %s", a->text);
		return NULL;
	}
	*r = (struct resolve){ .run = run, .asked = *a, .done = done, .arg = arg, .pipe.fd = -1 };
	r->end = (struct task){ .fn = on_resolve_end, .arg = r };
	text_show(r->host, sizeof r->host, a->host, strlen(a->host));
	if (resolve_know(r) == 0) {
		if (r->reply.n == 0)
			err_set(&r->err, ERR_RESOLVE, 0, "resolve %s: not an IPv%c address", r->host,
				a->family == AF_INET ? '4' : '6');
		loop_later(run->loop, &r->end);
		return r;
	}
	if (conf->numeric) {
		err_set(&r->err, ERR_RESOLVE, 0, "\"%s\" is not a numeric address, and -n forbids asking", r->host);
		loop_later(run->loop, &r->end);
		return r;
	}
	if (resolve_ask(r, e) == 0)
		return r;
	resolve_release(r);
	mem_free(r);
	return NULL;
}

void resolve_stop(struct resolve *takes)
{
	resolve_release(takes);
	loop_forget(takes->run->loop, &takes->end);
	mem_free(takes);
}

struct waiting {
	struct loop *loop;
	struct resolve *resolve;
	struct sa *list;
	size_t most, n;
	struct err err;
};

static void on_resolve_done(void *arg, const struct sa *list, size_t n, const struct err *e)
{
	struct waiting *w = arg;
	w->resolve = NULL;
	w->n = n < w->most ? n : w->most;
	memcpy(w->list, list, w->n * sizeof *list);
	w->err = *e;
	loop_stop(w->loop);
}

int resolve_wait(const struct run *run, const struct addr *a, struct sa *list, size_t most, struct err *e)
{
	struct waiting w = { .loop = run->loop, .list = list, .most = most };
	w.resolve = resolve_start(run, a, on_resolve_done, &w, e);
	if (w.resolve == NULL)
		return -1;
	int ran = loop_run(run->loop, e);
	if (w.resolve != NULL) { /* a signal stopped the loop, or the loop failed */
		resolve_stop(w.resolve);
		return ran < 0 ? -1 : err_set(e, ERR_RESOLVE, 0, "resolve %s: interrupted", a->text);
	}
	if (ran < 0)
		return -1;
	if (w.n > 0)
		return (int)w.n;
	*e = w.err;
	return -1;
}
