/* One dial: resolving → connecting → setting up → done, or an error from any of them.
 *
 * One timer bounds it: --connect-timeout for the whole, and from the connection on ten seconds for the layers' setup, whichever
 * comes first. A dial ends in the loop's next turn, by `end`, so that nothing is freed under a running callback. An inherited
 * descriptor starts with the setup; it stays the caller's if it is no connection. */
#include "dial/dial.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "stream/fdstream.h"
#include "stream/waiter.h"
#include "proxy/proxy.h"
#include "dial/happy_eyeballs.h"
#include "net/resolve.h"
#include "net/sockopt.h"
#include "sandbox/sandbox_opts.h"
#include "session/layers.h"
#include "udp/udp_any.h"
#include "udp/udp_dial.h"
#include "net/unix_autobind.h"

#include <stdio.h>
#include <string.h>

struct dialer {
	const struct run *run;
	struct addr addr;
	uint32_t conn;
	dial_done *done;
	void *arg;
	struct resolve *resolve;
	struct happy_eyeballs *race;
	struct stream *stream;
	struct waiter waiter; /* open while the layers set up */
	struct timer clock;
	struct task begin, end;
	int64_t until_ms;
	struct sa peer, local;
	const struct proxy *proxy; /* NULL: none; else it is connected to, and asked for addr */
	struct sa target;	   /* the address of addr's name, if the proxy does not resolve it */
	struct behalf client;
	bool has_client;
	struct err err;
};

/* Our end of a Unix datagram socket. */
static int source_is_path(struct dial_conf *conf, const char *text, struct err *e)
{
	static const struct addr_conf none = { 0 };
	char word[sizeof conf->source_path.path + sizeof "unix-dgram:" + 1], *words[] = { word };
	int used;
	if (snprintf(word, sizeof word, "unix-dgram:%s", text) >= (int)sizeof word)
		return err_set(e, ERR_USAGE, 0, "the path is too long for a socket");
	conf->has_path = true;
	return addr_parse(&conf->source_path, &none, 0, 1, words, &used, e);
}

static int source_hook(void *block, const char *text, struct err *e)
{
	struct dial_conf *conf = block;
	conf->has_source = conf->has_path = false;
	if (text[0] == '@' || strchr(text, '/') != NULL)
		return source_is_path(conf, text, e);
	struct sa sa;
	const char *host = text, *end = text + strlen(text), *port = NULL;
	const char *colon = strrchr(text, ':');
	if (text[0] == '[') {
		host++;
		end = strchr(text, ']');
		port = end != NULL && end[1] == ':' ? end + 2 : NULL;
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return err_set(e, ERR_USAGE, 0, "expected ADDR, ADDR:PORT or [ADDR]:PORT");
	} else if (colon != NULL && strchr(text, ':') == colon) { /* several colons: IPv6 without a port */
		end = colon;
		port = colon + 1;
	}
	size_t len = (size_t)(end - host);
	if (len >= sizeof conf->source_host)
		return err_set(e, ERR_USAGE, 0, "expected a numeric address");
	memcpy(conf->source_host, host, len);
	conf->source_host[len] = '\0';
	conf->source_port = 0;
	conf->has_source = true;
	if (port != NULL && num_port(port, "tcp", &conf->source_port, e) < 0)
		return -1;
	if ((len == 0 && port != NULL && text[0] == ':') || sa_parse(&sa, conf->source_host, 0))
		return 0;
	return err_set(
		e, ERR_USAGE, 0, "expected a numeric address, got \"%s\"; an interface is -o device=NAME", conf->source_host);
}

static const struct opt dial_rows[] = {
	{ .name = "connect-timeout",
		.ch = 'w',
		.kind = OPT_SECONDS,
		.off = offsetof(struct dial_conf, connect_ms),
		.arg = "TIME",
		.help = "give up connecting after TIME",
		.man = "Gives up (exit status 5) when resolving, connecting and handshaking have not succeeded within TIME; a "
		       "bare number is seconds. Without it the system's own limit applies, which for TCP is about two minutes. "
		       "It does not limit the connection itself. With --wait it limits each round of attempts, with --probe each "
		       "port." },
	{ .name = "source",
		.ch = 's',
		.kind = OPT_HOOK,
		.arg = "ADDR[:PORT]|PATH",
		.hook = source_hook,
		.help = "connect from this address of ours",
		.man = "Connects from this numeric address, and port if one is given; :PORT alone leaves the address to the "
		       "system. Addresses of the other family are not tried. An address that is not ours, or a port in use, "
		       "is exit status 10. For unix-dgram: it is the path of our socket, with a slash in it (./NAME), or @NAME: a "
		       "dead socket of that name is replaced, a live one is exit status 10, and the path is removed at the end." },
	{ .name = "from-any",
		.with = WITH_PAYLOAD,
		.kind = OPT_FLAG,
		.off = offsetof(struct dial_conf, from_any),
		.help = "over UDP, take answers from other addresses, too",
		.man = "Over UDP, takes datagrams of any sender, not only those that come from the address that was dialed. That is so "
		       "without the option where the address is a multicast address, and with -o broadcast: a question to all is "
		       "answered by each from an address of its own. With -v each datagram's sender is named, and --label addr puts it "
		       "before each line." },
	{ 0 },
};
const struct opt_group dial_opts = {
	.title = "Connecting", .size = sizeof(struct dial_conf), .rows = dial_rows, .with = WITH_DIAL
};

const char *dial_span(int64_t ms, char out[DIAL_SPAN])
{
	if (ms < 1000)
		snprintf(out, DIAL_SPAN, "%lldms", (long long)ms);
	else if (ms % 1000 < 50)
		snprintf(out, DIAL_SPAN, "%llds", (long long)ms / 1000);
	else
		snprintf(out, DIAL_SPAN, "%.1fs", (double)ms / 1000);
	return out;
}

int dial_fits(const struct conf *conf, const struct addr *a, struct err *e)
{
	const struct dial_conf *dial = conf_get(conf, &dial_opts);
	if (dial->from_any && a->kind != ADDR_UDP)
		return err_set(e, ERR_USAGE, 0, "--from-any requires UDP, and this is %s", a->text);
	if (dial->has_source && addr_local(a))
		return err_set(e, ERR_USAGE, 0, "--source: expected %s, and this is %s",
			a->kind == ADDR_UNIX_DGRAM ? "a path with a slash or @NAME" : "the address of an Internet socket",
			a->text);
	if (dial->has_path && a->kind != ADDR_UNIX_DGRAM)
		return err_set(e, ERR_USAGE, 0, "--source: a path requires unix-dgram:, and this is %s", a->text);
	return 0;
}

/* Is the question one to all, whose answers come from other addresses? */
static bool dial_hears_any(const struct dialer *d, int fd)
{
	const struct dial_conf *conf = conf_get(d->run->conf, &dial_opts);
	int broadcast = 0;
	socklen_t len = sizeof broadcast;
	if (d->addr.kind != ADDR_UDP || d->conn == 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_BROADCAST, &broadcast, &len) != 0)
		broadcast = 0;
	return conf->from_any || broadcast != 0 || sa_multicast(&d->peer);
}

/* Releases the present step; its results stay in stream and err. */
static void dial_halt(struct dialer *d)
{
	loop_timer(d->run->loop, &d->clock, NEVER);
	loop_forget(d->run->loop, &d->begin);
	if (d->resolve != NULL)
		resolve_stop(d->resolve);
	if (d->race != NULL)
		happy_eyeballs_stop(d->race);
	d->resolve = NULL;
	d->race = NULL;
	waiter_close(&d->waiter);
}

static void dial_finish(struct dialer *d)
{
	dial_halt(d);
	if (d->err.cls != ERR_OK) {
		stream_close(d->stream, CLOSE_PLAIN);
		d->stream = NULL;
	}
	loop_later(d->run->loop, &d->end);
}

static void on_dial_end(void *arg)
{
	struct dialer *d = arg;
	d->done(d->arg, d->stream, &d->peer, &d->local, &d->err);
	mem_free(d);
}

static void on_dial_late(void *arg)
{
	struct dialer *d = arg;
	char span[DIAL_SPAN];
	const struct dial_conf *conf = conf_get(d->run->conf, &dial_opts);
	bool ours = d->until_ms <= loop_now(d->run->loop);
	if (!ours && proxy_waits(d->stream)) { /* a failed proxy counts as a refusal */
		err_set(&d->err, ERR_CONNECT, 0, "connect %s: proxy %s: it gave no whole answer within %s", d->addr.text,
			d->proxy->addr.text, dial_span(DIAL_SETUP_MS, span));
		dial_finish(d);
		return;
	}
	err_set(&d->err, ERR_TIMEOUT, 0, "connect %s: no %s within %s", d->addr.text, d->stream != NULL ? "handshake" : "answer",
		dial_span(ours ? conf->connect_ms : DIAL_SETUP_MS, span));
	dial_finish(d);
}

static void on_dial_ready(void *arg)
{
	struct dialer *d = arg;
	int got = stream_setup(d->stream);
	if (got == ST_AGAIN && waiter_arm(&d->waiter, true, false) == 0)
		return;
	if (got == ST_AGAIN)
		err_set(&d->err, ERR_LOCAL, errno, "connect %s", d->addr.text);
	if (got == ST_FAIL) {
		err_why(&d->err, &d->stream->why, NULL);
		err_prefix(&d->err, "connect %s", d->addr.text);
	}
	dial_finish(d);
}

/* Takes fd in every case. */
static int wrap_layers(struct dialer *d, int fd, enum addr_kind kind)
{
	bool dgram = kind == ADDR_UDP || kind == ADDR_UNIX_DGRAM;
	int folder_fd = -1;
	sa_of(&d->peer, fd, true);
	sa_of(&d->local, fd, false);
	if (sockopt_apply(d->run->conf, fd, kind, &d->peer, SOCKOPT_OPEN, &d->err) < 0) {
		if (d->addr.kind == ADDR_UNIX_DGRAM)
			unix_autobind_remove(fd);
		sys_close(fd);
		return -1;
	}
	d->stream = fdstream_socket(fd, dgram);
	if (d->stream == NULL)
		return err_set(&d->err, ERR_LOCAL, ENOMEM, "connect %s", d->addr.text);
	if (d->addr.kind == ADDR_UNIX_DGRAM && unix_autobind_push(&d->stream, &folder_fd) < 0)
		return err_set(&d->err, ERR_LOCAL, errno, "connect %s: keep the name of our end", d->addr.text);
	sandbox_run_hold(d->run, folder_fd);
	if (dial_hears_any(d, fd) && udp_any_push(&d->stream, d->run, d->conn, &d->peer, &d->local, &d->err) < 0)
		return err_prefix(&d->err, "connect %s", d->addr.text);
	if (kind == ADDR_UDP && d->conn > 0 && udp_dial_push(&d->stream, d->run) < 0)
		return err_set(&d->err, ERR_LOCAL, ENOMEM, "connect %s", d->addr.text);
	const struct link link = { d->run, ROLE_DIAL, d->conn, &d->peer, &d->local, &d->target,
		d->has_client ? &d->client : NULL };
	return d->conn > 0 ? layers_build(&d->stream, &link, &d->err) : 0;
}

static void dial_connected(struct dialer *d, int fd, enum addr_kind kind)
{
	if (wrap_layers(d, fd, kind) < 0) {
		dial_finish(d);
		return;
	}
	int64_t until_ms = loop_now(d->run->loop) + DIAL_SETUP_MS;
	loop_timer(d->run->loop, &d->clock, until_ms < d->until_ms ? until_ms : d->until_ms);
	waiter_open(&d->waiter, d->run->loop, d->stream, on_dial_ready, d);
	on_dial_ready(d);
}

static void on_dial_raced(void *arg, int gives_fd, const struct err *e)
{
	struct dialer *d = arg;
	d->race = NULL;
	if (gives_fd >= 0) {
		dial_connected(d, gives_fd, d->addr.kind);
		return;
	}
	d->err = *e;
	dial_finish(d);
}

/* The address to connect to. */
static const struct addr *first_stop(const struct dialer *d)
{
	return d->proxy != NULL ? &d->proxy->addr : &d->addr;
}

static void on_dial_resolved(void *arg, const struct sa *list, size_t n, const struct err *e)
{
	struct dialer *d = arg;
	d->resolve = NULL;
	if (n == 0)
		d->err = *e;
	else
		d->race = happy_eyeballs_start(d->run, first_stop(d), list, n, on_dial_raced, d, &d->err);
	if (d->race == NULL)
		dial_finish(d);
}

/* The target's own address, for a proxy that needs a number: IPv4 first, which every proxy supports. */
static void on_target_resolved(void *arg, const struct sa *list, size_t n, const struct err *e)
{
	struct dialer *d = arg;
	size_t i = 0;
	d->resolve = NULL;
	if (n == 0)
		d->err = *e;
	while (i < n && list[i].family != AF_INET)
		i++;
	if (n > 0) {
		d->target = list[i < n ? i : 0];
		d->resolve = resolve_start(d->run, first_stop(d), on_dial_resolved, d, &d->err);
	}
	if (d->resolve == NULL)
		dial_finish(d);
}

static enum addr_kind kind_of(sa_family_t family, int type)
{
	bool dgram = type == SOCK_DGRAM;
	if (family == AF_UNIX)
		return dgram ? ADDR_UNIX_DGRAM : ADDR_UNIX;
	return dgram ? ADDR_UDP : ADDR_TCP;
}

/* An inherited descriptor must be connected already. */
static void on_dial_adopt(void *arg)
{
	struct dialer *d = arg;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss, type_len = sizeof(int);
	int type = 0, fd = d->addr.fd;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 || getpeername(fd, (struct sockaddr *)&ss, &len) < 0) {
		err_set(&d->err, ERR_USAGE, errno, "%s is not a connected socket", d->addr.text);
		dial_finish(d);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	dial_connected(d, fd, kind_of(ss.ss_family, type));
}

static int set_out(struct dialer *d, struct err *e)
{
	if (d->addr.kind == ADDR_FD) {
		loop_later(d->run->loop, &d->begin);
		return 0;
	}
	if (addr_local(&d->addr)) {
		d->race = happy_eyeballs_start(d->run, &d->addr, NULL, 0, on_dial_raced, d, e);
		return d->race != NULL ? 0 : -1;
	}
	struct sa number;
	bool ask_here = d->proxy != NULL && !proxy_resolves(d->proxy) && !sa_parse(&number, d->addr.host, 0);
	d->resolve = ask_here ? resolve_start(d->run, &d->addr, on_target_resolved, d, e)
			      : resolve_start(d->run, first_stop(d), on_dial_resolved, d, e);
	return d->resolve != NULL ? 0 : -1;
}

struct dialer *dial(const struct run *run, const struct addr *a, uint32_t conn, dial_done *done, void *arg, struct err *e)
{
	const struct dial_conf *conf = conf_get(run->conf, &dial_opts);
	struct dialer *d = mem_new(sizeof *d);
	if (d == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "connect %s", a->text);
		return NULL;
	}
	d->run = run;
	d->addr = *a;
	d->conn = conn;
	d->proxy = conn > 0 ? proxy_of(run) : NULL;
	d->done = done;
	d->arg = arg;
	d->clock = (struct timer){ .fn = on_dial_late, .arg = d };
	d->begin = (struct task){ .fn = on_dial_adopt, .arg = d };
	d->end = (struct task){ .fn = on_dial_end, .arg = d };
	d->until_ms = conf->connect_ms > 0 ? loop_now(run->loop) + conf->connect_ms : NEVER;
	loop_timer(run->loop, &d->clock, d->until_ms);
	if (set_out(d, e) == 0)
		return d;
	loop_timer(run->loop, &d->clock, NEVER);
	mem_free(d);
	return NULL;
}

void dial_for(struct dialer *d, const struct behalf *client)
{
	d->client = *client;
	d->has_client = true;
}

void dial_stop(struct dialer *takes)
{
	dial_halt(takes);
	loop_forget(takes->run->loop, &takes->end);
	stream_close(takes->stream, CLOSE_PLAIN);
	mem_free(takes);
}
