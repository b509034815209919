/* A run's proxy: its URL, its password (from the URL, a file or the environment), and the layer that speaks with it before any
 * other layer (the messages are in socks.c and http_connect.c). After its setup the layer only passes bytes. */
#include "proxy/proxy.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "net/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt rows[] = {
	{ .name = "proxy",
		.kind = OPT_TEXT,
		.off = offsetof(struct proxy_conf, url),
		.arg = "URL",
		.help = "connect through a SOCKS or HTTP proxy",
		.man = "Connects through a proxy: socks5://[user:password@]host:port, socks4:// and http:// (CONNECT) alike. With "
		       "socks5h and socks4a, and over HTTP, names are resolved by the proxy, with socks5 and socks4 by this host. A "
		       "refusal is exit status 4, in the proxy's words. TCP only." },
	{ .name = "proxy-auth",
		.kind = OPT_TEXT,
		.off = offsetof(struct proxy_conf, auth_file),
		.arg = "FILE",
		.help = "user:password for --proxy, from a file",
		.man = "Reads user:password for --proxy from the first line of FILE, so that it stands neither on the command line nor "
		       "in the list of processes. The variable SOCKCTL_PROXY_AUTH does the same." },
	{ 0 },
};
const struct opt_group proxy_opts = { .title = "Proxies", .size = sizeof(struct proxy_conf), .rows = rows, .with = WITH_DIAL };

static const struct {
	const char *scheme;
	enum proxy_kind kind;
} schemes[] = {
	{ "socks4://", PROXY_SOCKS4 },
	{ "socks4a://", PROXY_SOCKS4A },
	{ "socks5://", PROXY_SOCKS5 },
	{ "socks5h://", PROXY_SOCKS5H },
	{ "socks://", PROXY_SOCKS5H },
	{ "http://", PROXY_HTTP },
};

/* --- before any socket --- */

/* %40 is the @ of a password. */
static int take_word(char out[PROXY_WORD + 1], const char *text, size_t n, bool coded, struct err *e)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		int byte = (unsigned char)text[i];
		if (coded && byte == '%') {
			int high = i + 2 < n ? text_digit(text[i + 1]) : -1, low = high >= 0 ? text_digit(text[i + 2]) : -1;
			if (low < 0)
				return err_set(
					e, ERR_USAGE, 0, "--proxy: expected two hexadecimal digits after %% in the password");
			byte = high << 4 | low;
			i += 2;
		}
		if (byte == 0 || len == PROXY_WORD)
			return err_set(e, ERR_USAGE, 0, "--proxy: user and password have at most %d bytes each", PROXY_WORD);
		out[len++] = (char)byte;
	}
	out[len] = '\0';
	return 0;
}

static int take_auth(struct proxy *p, const char *text, size_t n, bool coded, struct err *e)
{
	const char *colon = memchr(text, ':', n);
	size_t user = colon != NULL ? (size_t)(colon - text) : n;
	p->auth = true;
	if (take_word(p->user, text, user, coded, e) != 0)
		return -1;
	return colon == NULL ? 0 : take_word(p->password, colon + 1, n - user - 1, coded, e);
}

/* Up to the end of the first line, which a pipe may deliver in pieces: --proxy-auth <(pass proxy). 0, or errno. */
static int read_line(const char *path, char *line, size_t cap)
{
	int fd = sys_open(path, O_RDONLY, 0), sys = fd < 0 ? errno : 0;
	size_t n = 0;
	while (sys == 0 && n < cap - 1 && memchr(line, '\n', n) == NULL) {
		struct iovec v = { line + n, cap - 1 - n };
		ssize_t got = sys_readv(fd, &v, 1);
		if (got == 0)
			break;
		if (got < 0 && !sys_again())
			sys = errno;
		n += got > 0 ? (size_t)got : 0;
	}
	line[n] = '\0';
	sys_close(fd);
	return sys;
}

static int read_auth_file(struct proxy *p, const char *path, struct err *e)
{
	char line[2 * PROXY_WORD + 4], shown[256];
	text_show(shown, sizeof shown, path, strlen(path));
	int sys = read_line(path, line, sizeof line);
	if (sys != 0)
		return err_set(e, ERR_USAGE, sys, "--proxy-auth %s", shown);
	size_t len = strcspn(line, "\r\n");
	if (strchr(line, ':') == NULL || len == sizeof line - 1)
		return err_set(e, ERR_USAGE, 0, "--proxy-auth %s: expected user:password in its first line", shown);
	return take_auth(p, line, len, false, e);
}

static int read_place(struct proxy *p, const char *host, struct err *e)
{
	static const struct addr_conf plain;
	char url[400];
	char *words[] = { url, NULL };
	int used = 0;
	snprintf(url, sizeof url, "tcp://%.300s", host);
	if (addr_parse(&p->addr, &plain, 0, 1, words, &used, e) != 0)
		return err_prefix(e, "--proxy");
	return 0;
}

static int read_url(struct proxy *p, const char *url, struct err *e)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t n = strlen(schemes[i].scheme);
		if (strncmp(url, schemes[i].scheme, n) != 0)
			continue;
		const char *rest = url + n, *at = strrchr(rest, '@');
		p->kind = schemes[i].kind;
		if (at != NULL && take_auth(p, rest, (size_t)(at - rest), true, e) != 0)
			return -1;
		return read_place(p, at != NULL ? at + 1 : rest, e);
	}
	return err_set(
		e, ERR_USAGE, 0, "--proxy: expected socks5://, socks5h://, socks4://, socks4a:// or http://, a host and a port");
}

static int proxy_check(const struct proxy *p, const struct addr *a, struct err *e)
{
	bool old = p->kind == PROXY_SOCKS4 || p->kind == PROXY_SOCKS4A;
	if (a->kind != ADDR_TCP)
		return err_set(e, ERR_USAGE, 0, "--proxy: proxies are for TCP, and the address is %s", a->text);
	if (old && p->password[0] != '\0')
		return err_set(e, ERR_USAGE, 0, "--proxy: SOCKS 4 knows users, but no passwords; use socks5");
	if (p->kind == PROXY_SOCKS5 && p->auth && p->user[0] == '\0')
		return err_set(e, ERR_USAGE, 0, "--proxy: the user is empty");
	return 0;
}

int proxy_start(const struct run *run, void **shared, struct err *e)
{
	const struct proxy_conf *conf = conf_get(run->conf, &proxy_opts);
	const char *auth = getenv("SOCKCTL_PROXY_AUTH");
	if (conf == NULL || run->layers->role != ROLE_DIAL)
		return 0;
	if (conf->url == NULL)
		return conf->auth_file == NULL ? 0 : err_set(e, ERR_USAGE, 0, "--proxy-auth requires --proxy");
	struct proxy *p = mem_new(sizeof *p);
	if (p == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "--proxy");
	*shared = p;
	if (read_url(p, conf->url, e) != 0)
		return -1;
	if (conf->auth_file != NULL && read_auth_file(p, conf->auth_file, e) != 0)
		return -1;
	if (!p->auth && auth != NULL && take_auth(p, auth, strlen(auth), false, e) != 0)
		return -1;
	return proxy_check(p, run->layers->addr, e);
}

void proxy_stop(const struct run *run, void *takes)
{
	(void)run;
	mem_free(takes);
}

const struct proxy *proxy_of(const struct run *run)
{
	return layer_shared(run, proxy_push);
}

bool proxy_resolves(const struct proxy *p)
{
	return p->kind != PROXY_SOCKS4 && p->kind != PROXY_SOCKS5;
}

/* --- the layer --- */

struct proxied {
	struct stream s;
	struct proxy_talk *talk; /* until the proxy has connected us */
	size_t sent;
	char *words; /* why it has not */
};

static struct proxied *proxy_self(struct stream *s)
{
	return (struct proxied *)s;
}

static int proxy_refused(struct proxied *p, int sys, const char *words)
{
	char text[PROXY_WORDS + 400];
	snprintf(text, sizeof text, "proxy %s: %s", p->talk->proxy->addr.text, words);
	mem_free(p->words);
	p->words = mem_text(text);
	return stream_fail(&p->s, ERR_CONNECT, 0, sys, p->words != NULL ? p->words : "the proxy refused");
}

/* 0: all of it is sent. */
static int send_rest(struct proxied *p)
{
	struct proxy_talk *t = p->talk;
	while (p->sent < t->sends_n) {
		ssize_t put = stream_write(p->s.below, t->sends + p->sent, t->sends_n - p->sent);
		if (put == ST_AGAIN)
			return stream_again_rd(&p->s, &p->s.below->wr);
		if (put < 0)
			return proxy_refused(p, p->s.below->why.sys, "the connection broke");
		p->sent += (size_t)put;
	}
	return 0;
}

static int hear_rest(struct proxied *p)
{
	struct proxy_talk *t = p->talk;
	while (t->needs > 0) {
		ssize_t got = stream_read(p->s.below, t->takes + t->has, t->needs);
		if (got == ST_AGAIN)
			return stream_again_rd(&p->s, &p->s.below->rd);
		if (got == ST_FAIL)
			return proxy_refused(p, p->s.below->why.sys, "the connection broke");
		if (got <= 0)
			return proxy_refused(p, 0, "it closed the connection");
		t->has += (size_t)got;
		t->needs -= (size_t)got;
	}
	return 0;
}

static int proxied_setup(struct stream *s)
{
	struct proxied *p = proxy_self(s);
	while (p->talk != NULL) {
		int rc = send_rest(p);
		if (rc == 0)
			rc = hear_rest(p);
		if (rc != 0)
			return rc;
		p->sent = 0;
		bool http = p->talk->proxy->kind == PROXY_HTTP;
		enum proxy_step step = (http ? http_connect_step : socks_step)(p->talk);
		if (step == PROXY_REFUSED)
			return proxy_refused(p, 0, p->talk->words);
		if (step == PROXY_DONE) {
			mem_free(p->talk);
			p->talk = NULL;
		}
	}
	return 0;
}

static void proxied_close(struct stream *s, enum close_how how)
{
	struct proxied *p = proxy_self(s);
	stream_close(s->below, how);
	mem_free(p->talk);
	mem_free(p->words);
	mem_free(p);
}

static const struct stream_ops ops = {
	.name = "proxy",
	.setup = proxied_setup,
	.readv = stream_pass_readv,
	.writev = stream_pass_writev,
	.rawfd = stream_pass_rawfd,
	.close = proxied_close,
};

int proxy_push(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	if (shared == NULL)
		return 0;
	const struct addr *a = link->run->layers->addr;
	struct proxied *p = mem_new(sizeof *p);
	struct proxy_talk *t = p == NULL ? NULL : mem_new(sizeof *t);
	if (t == NULL) {
		mem_free(p);
		return err_set(e, ERR_LOCAL, ENOMEM, "use the proxy");
	}
	t->proxy = shared;
	t->port = a->port;
	snprintf(t->host, sizeof t->host, "%s", a->host);
	if (link->target != NULL && link->target->family != 0) {
		char number[SA_TEXT];
		snprintf(t->host, sizeof t->host, "%s", sa_host(link->target, number));
	}
	p->talk = t;
	stream_push(&p->s, &ops, *top);
	*top = &p->s;
	return 0;
}

bool proxy_waits(const struct stream *s)
{
	while (s != NULL && s->ops != &ops)
		s = s->below;
	return s != NULL && ((const struct proxied *)(const void *)s)->talk != NULL;
}
