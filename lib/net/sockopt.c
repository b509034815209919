/* Socket options: the user's -o, and the defaults that every socket gets at its moments. The options are the rows of
 * sockopt_table.c. */
#include "net/sockopt.h"
#include "base/sys.h"
#include "base/text.h"
#include "net/sockopt_internal.h"

#include <stdio.h>
#include <string.h>

enum { SOCKOPT_MOST = 32 };

struct setting {
	const struct sockopt_row *row;
	struct sockopt_value v;
};

struct sockopt_conf {
	unsigned n;
	struct setting set[SOCKOPT_MOST];
};

static const struct sockopt_row *sockopt_find(const char *name, size_t len)
{
	for (const struct sockopt_row *row = sockopt_rows; row->name != NULL; row++)
		if (strlen(row->name) == len && memcmp(row->name, name, len) == 0)
			return row;
	return NULL;
}

static int refuse_unknown(const char *name, size_t len, struct err *e)
{
	char known[300], shown[60];
	size_t n = 0;
	for (const struct sockopt_row *row = sockopt_rows; row->name != NULL && n < sizeof known; row++)
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", row == sockopt_rows ? "" : ", ", row->name);
	text_show(shown, sizeof shown, name, len);
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected one of %s", shown, known);
}

static int read_setting(void *block, const char *text, struct err *e)
{
	struct sockopt_conf *c = block;
	size_t len = strcspn(text, "=");
	const char *value = text[len] == '=' ? text + len + 1 : NULL;
	const struct sockopt_row *row = sockopt_find(text, len);
	if (row == NULL)
		return refuse_unknown(text, len, e);
	if (value == NULL && *row->takes != '[')
		return err_set(e, ERR_USAGE, 0, "got \"%s\", expected %s%s", row->name, row->name, row->takes);
	if (c->n == SOCKOPT_MOST)
		return err_set(e, ERR_USAGE, 0, "more than %d of them", SOCKOPT_MOST);
	struct setting *s = &c->set[c->n];
	*s = (struct setting){ .row = row };
	if (row->parse(row, value, &s->v, e) != 0) {
		char shown[100];
		text_show(shown, sizeof shown, text, strlen(text));
		return err_prefix(e, "\"%s\"", shown);
	}
	c->n++;
	return 0;
}

static const struct opt rows[] = {
	{ .name = "sockopt",
		.ch = 'o',
		.kind = OPT_HOOK,
		.arg = "NAME[=VALUE]",
		.help = "set a socket option by name; an unknown name lists all",
		.man = sockopt_man,
		.hook = read_setting },
	{ 0 },
};
const struct opt_group sockopt_opts = { .title = "Socket options", .size = sizeof(struct sockopt_conf), .rows = rows };

/* A later one wins. */
static const struct setting *sockopt_last(const struct conf *conf, int level, int name)
{
	const struct sockopt_conf *c = conf_get(conf, &sockopt_opts);
	for (unsigned i = c->n; i-- > 0;)
		if (c->set[i].row->level4 == level && c->set[i].row->name4 == name)
			return &c->set[i];
	return NULL;
}

bool sockopt_has(const struct conf *conf, int level, int name)
{
	return sockopt_last(conf, level, name) != NULL;
}

void sockopt_probe_soon(const struct conf *conf, int fd, const struct sa *peer)
{
	bool inet = peer->family == AF_INET || peer->family == AF_INET6;
	if (inet && conf_get(conf, &sockopt_opts) != NULL && !sockopt_has(conf, SOL_SOCKET, SO_KEEPALIVE))
		sockopt_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, SOCKOPT_SOON_S);
}

int sockopt_share_hint(const struct conf *conf, enum addr_kind kind, const struct sa *at, struct err *e)
{
	const struct sockopt_conf *c = conf_get(conf, &sockopt_opts);
	bool joins = sa_multicast(at);
	for (unsigned i = 0; i < c->n; i++)
		joins = joins || c->set[i].v.group.family != 0;
	if (e->sys != EADDRINUSE || kind != ADDR_UDP || !joins)
		return -1;
	err_set(e, e->cls, 0, "%.400s; receivers of a group share its port if each has -o reuseport", e->what);
	e->sys = EADDRINUSE;
	return -1;
}

int sockopt_backlog(const struct conf *conf, int otherwise)
{
	const struct setting *set = sockopt_last(conf, SOCKOPT_NONE, SOCKOPT_BACKLOG);
	return set != NULL ? set->v.n : otherwise;
}

int sockopt_protocol(const struct conf *conf, enum addr_kind kind)
{
	const struct setting *set = sockopt_last(conf, SOCKOPT_NONE, SOCKOPT_MPTCP);
	return set != NULL && set->v.n != 0 && kind == ADDR_TCP ? IPPROTO_MPTCP : 0;
}

/* Asked for by a socket that is closed again: a kernel has no Multipath TCP, or has it turned off. */
static int mptcp_fits(const struct conf *conf, enum addr_kind kind, struct err *e)
{
	if (sockopt_protocol(conf, ADDR_TCP) == 0)
		return 0;
	if (kind == ADDR_FD)
		return err_set(e, ERR_USAGE, 0, "-o mptcp: an inherited socket has its protocol already");
	int fd = sys_socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	if (fd < 0)
		return err_set(e, ERR_USAGE, errno, "-o mptcp: this system does not offer it (net.mptcp.enabled)");
	sys_close(fd);
	return 0;
}

static int kind_fits(const struct conf *conf, enum addr_kind kind, struct err *e)
{
	static const char *const names[] = { "TCP", "UDP", "Unix sockets", "Unix datagrams" };
	const struct sockopt_conf *c = conf_get(conf, &sockopt_opts);
	for (unsigned i = 0; kind != ADDR_FD && i < c->n; i++)
		if ((c->set[i].row->kinds & 1U << kind) == 0)
			return err_set(e, ERR_USAGE, 0, "-o %s: %s has no such option", c->set[i].row->name, names[kind]);
	return 0;
}

int sockopt_fits(const struct conf *conf, enum addr_kind kind, struct err *e)
{
	return kind_fits(conf, kind, e) != 0 ? -1 : mptcp_fits(conf, kind, e);
}

static enum addr_kind ask_kind(int fd, sa_family_t family)
{
	int type = 0;
	socklen_t len = sizeof type;
	bool dgram = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
	if (family == AF_UNIX)
		return dgram ? ADDR_UNIX_DGRAM : ADDR_UNIX;
	return dgram ? ADDR_UDP : ADDR_TCP;
}

/* The moments whose defaults are due now. On Linux accepted sockets inherit them from the listener, which saves five calls for
 * each client; this is undocumented, but servers have relied on it for long. */
static unsigned defaults_due(unsigned when)
{
#ifdef __linux__
	return (when & SOCKOPT_LISTEN) ? when | SOCKOPT_OPEN : when;
#else
	return (when & SOCKOPT_ACCEPTED) ? when | SOCKOPT_OPEN : when;
#endif
}

/* BBR paces packets with a timer for each, at the rate that it has measured for the path. Inside one machine there is nothing to
 * measure, and the timers cost more than everything else: a third of the rate at twice the CPU. Reno sends when there is room, is
 * in every kernel, and needs no privilege. Accepted sockets inherit it from their listener. */
static void stop_pacing(int fd)
{
#ifdef TCP_CONGESTION
	static const char paced[] = "bbr", reno[] = "reno";
	char name[16] = "";
	socklen_t len = sizeof name;
	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && strncmp(name, paced, strlen(paced)) == 0)
		sys_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1);
#else
	(void)fd;
#endif
}

/* A default that a system refuses is no failure: there is no better value to fall back to. */
static void set_defaults(int fd, enum addr_kind kind, const struct sa *at, unsigned when)
{
	static const struct {
		unsigned when;
		int level, name, n;
	} ours[] = {
		{ SOCKOPT_LISTEN, SOL_SOCKET, SO_REUSEADDR, 1 },
		{ SOCKOPT_OPEN, IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOCKOPT_OPEN, SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ SOCKOPT_OPEN, IPPROTO_TCP, TCP_KEEPIDLE, SOCKOPT_IDLE_S },
		{ SOCKOPT_OPEN, IPPROTO_TCP, TCP_KEEPINTVL, SOCKOPT_INTERVAL_S },
		{ SOCKOPT_OPEN, IPPROTO_TCP, TCP_KEEPCNT, SOCKOPT_COUNT },
	};
	for (size_t i = 0; kind == ADDR_TCP && i < sizeof ours / sizeof *ours; i++)
		if (ours[i].when & defaults_due(when))
			sockopt_int(fd, ours[i].level, ours[i].name, ours[i].n);
	if (kind == ADDR_TCP && (when & SOCKOPT_BIND) && sa_loopback(at))
		stop_pacing(fd);
}

static int set_one(int fd, sa_family_t family, unsigned when, const struct setting *s)
{
	const struct sockopt_row *row = s->row;
	bool six = family == AF_INET6;
	int level = six ? row->level6 : row->level4;
	if (row->apply != NULL)
		return row->apply(fd, family, when, &s->v);
	return level == SOCKOPT_NONE ? 0 : sockopt_int(fd, level, six ? row->name6 : row->name4, s->v.n);
}

int sockopt_apply(const struct conf *conf, int fd, enum addr_kind kind, const struct sa *at, unsigned when, struct err *e)
{
	sa_family_t family = (sa_family_t)at->family;
	const struct sockopt_conf *c = conf_get(conf, &sockopt_opts);
	if (kind == ADDR_FD)
		kind = ask_kind(fd, family);
	if (kind_fits(conf, kind, e) != 0)
		return -1;
	set_defaults(fd, kind, at, when);
	if (when & SOCKOPT_ACCEPTED)
		when |= SOCKOPT_OPEN;
	for (unsigned i = 0; i < c->n; i++)
		if ((c->set[i].row->when & when) != 0 && set_one(fd, family, when, &c->set[i]) != 0)
			return err_set(e, ERR_USAGE, errno, "-o %s", c->set[i].row->name);
	return 0;
}
