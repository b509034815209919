/* ADDRESS: the words of a command line become one struct addr, or one sentence that says what is wrong with them.
 *
 * A word that begins with a row of `schemes` names its kind; any other is a path after -U, else HOST, PORT or both. Options and
 * the word must agree: a contradiction is refused rather than resolved. addr_inet.c and addr_local.c read the parts. */
#include "net/addr.h"
#include "base/text.h"
#include "base/url.h"
#include "net/addr_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int check_options(void *block, struct err *e)
{
	const struct addr_conf *c = block;
	if (c->v4 && c->v6)
		return err_set(e, ERR_USAGE, 0, "-4 and -6 cannot be used together");
	if (c->unix_path && (c->v4 || c->v6))
		return err_set(e, ERR_USAGE, 0, "%s contradicts -U: a path has no IP version", c->v4 ? "-4" : "-6");
	return 0;
}

#define FLAG(field) .kind = OPT_FLAG, .off = offsetof(struct addr_conf, field)
static const struct opt rows[] = {
	{ .name = "udp", .ch = 'u', FLAG(udp), .help = "UDP instead of TCP; with -U datagrams instead of a stream" },
	{ .name = "ipv4", .ch = '4', FLAG(v4), .help = "IPv4 only" },
	{ .name = "ipv6", .ch = '6', FLAG(v6), .help = "IPv6 only" },
	{ .name = "unix",
		.ch = 'U',
		FLAG(unix_path),
		.help = "the address is the path of a Unix socket",
		.man = "The address is the path of a Unix socket, or @NAME for an abstract one (Linux). A stream, or datagrams "
		       "with -u." },
	{ .name = "tls",
		FLAG(tls),
		.help = "TLS over the connection, as tls:// says",
		.man = "TLS 1.2 or 1.3 over the connection, as an address with tls:// says it. A client verifies the certificate "
		       "and the name of its peer against the system's authorities. A server shows --cert, or makes a certificate "
		       "for this run." },
	{ .name = "numeric",
		.ch = 'n',
		FLAG(numeric),
		.help = "ask no DNS: hosts are numbers",
		.man = "Ask no DNS. A host that is not a numeric address is refused." },
	{ .name = "local",
		.with = WITH_INET,
		FLAG(local),
		.help = "listen on loopback only",
		.man = "For servers: listen on 127.0.0.1 and ::1 only, instead of every interface." },
	{ 0 },
};
const struct opt_group addr_opts = {
	.title = "Names and addresses",
	.size = sizeof(struct addr_conf),
	.rows = rows,
	.check = check_options,
};

int addr_refuse(const struct reading *r, const char *fmt, ...)
{
	char hidden[160], shown[160], sentence[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, ap);
	va_end(ap);
	text_show(shown, sizeof shown, hidden, redact_word(hidden, sizeof hidden, r->word));
	return err_set(r->e, ERR_USAGE, 0, "address \"%s\": %s", shown, sentence);
}

const char *addr_forms(const struct reading *r)
{
	bool server = (r->flags & ADDR_SERVER) != 0;
	return server ? "expected PORT, HOST PORT or HOST:PORT" : "expected HOST PORT or HOST:PORT";
}

static int addr_agree(const struct reading *r, enum addr_kind kind, sa_family_t family)
{
	const struct addr_conf *c = r->conf;
	bool inet = kind == ADDR_TCP || kind == ADDR_UDP;
	const char *option = NULL;
	if (c->unix_path && kind != ADDR_UNIX && kind != ADDR_UNIX_DGRAM)
		option = "-U";
	else if (c->tls && (kind == ADDR_UDP || kind == ADDR_UNIX_DGRAM))
		option = "--tls";
	else if (c->udp && kind != ADDR_UDP && kind != ADDR_UNIX_DGRAM)
		option = "-u";
	else if (c->v4 && (!inet || family == AF_INET6))
		option = "-4";
	else if (c->v6 && (!inet || family == AF_INET))
		option = "-6";
	else if (c->local && (r->flags & ADDR_SERVER) == 0)
		option = "--local, which is for servers,";
	return option == NULL ? 0 : addr_refuse(r, "%s contradicts it", option);
}

static int read_url(struct reading *r, const char *rest)
{
	return addr_read_inet(r, rest, true);
}

static int read_tls(struct reading *r, const char *rest)
{
	r->a->tls = true;
	return addr_read_inet(r, rest, true);
}

static const struct scheme {
	const char *prefix;
	enum addr_kind kind;
	sa_family_t family;
	int (*read)(struct reading *r, const char *rest);
} schemes[] = {
	{ "tcp://", ADDR_TCP, AF_UNSPEC, read_url },
	{ "tcp4://", ADDR_TCP, AF_INET, read_url },
	{ "tcp6://", ADDR_TCP, AF_INET6, read_url },
	{ "udp://", ADDR_UDP, AF_UNSPEC, read_url },
	{ "udp4://", ADDR_UDP, AF_INET, read_url },
	{ "udp6://", ADDR_UDP, AF_INET6, read_url },
	{ "tls://", ADDR_TCP, AF_UNSPEC, read_tls },
	{ "unix:", ADDR_UNIX, AF_UNIX, addr_read_path },
	{ "unix-dgram:", ADDR_UNIX_DGRAM, AF_UNIX, addr_read_path },
	{ "fd:", ADDR_FD, AF_UNSPEC, addr_read_fd },
	{ "systemd:", ADDR_FD, AF_UNSPEC, addr_read_systemd },
	{ NULL, ADDR_TCP, AF_UNSPEC, NULL },
};

static int read_scheme(struct reading *r, const struct scheme *s)
{
	if (addr_agree(r, s->kind, s->family) != 0)
		return -1;
	r->a->kind = s->kind;
	r->a->family = s->family;
	return s->read(r, r->word + strlen(s->prefix));
}

static int read_plain(struct reading *r)
{
	struct addr *a = r->a;
	bool udp = r->conf->udp;
	if (strcmp(r->word, "systemd") == 0 && r->second == NULL) {
		a->kind = ADDR_FD;
		return addr_agree(r, ADDR_FD, AF_UNSPEC) != 0 ? -1 : addr_read_systemd(r, "");
	}
	struct foreign_url theirs;
	if (url_foreign(&theirs, r->word)) {
		char ours[200];
		text_show(ours, sizeof ours, theirs.ours, strlen(theirs.ours));
		return addr_refuse(r, "sockctl speaks no %s, it connects; write %s", theirs.scheme, ours);
	}
	if (strstr(r->word, "://") != NULL)
		return addr_refuse(r, "unknown scheme; expected tcp, tcp4, tcp6, udp, udp4, udp6 or tls before ://");
	a->kind = udp ? ADDR_UDP : ADDR_TCP;
	return addr_agree(r, a->kind, AF_UNSPEC) != 0 ? -1 : addr_read_inet(r, r->word, false);
}

static int read_word(struct reading *r)
{
	for (const struct scheme *s = schemes; s->prefix != NULL; s++)
		if (strncasecmp(r->word, s->prefix, strlen(s->prefix)) == 0)
			return read_scheme(r, s);
	if (!r->conf->unix_path)
		return read_plain(r);
	const struct scheme path = { "", r->conf->udp ? ADDR_UNIX_DGRAM : ADDR_UNIX, AF_UNIX, addr_read_path };
	return read_scheme(r, &path);
}

int addr_parse(
	struct addr *a, const struct addr_conf *conf, unsigned flags, int argc, char *const argv[], int *used, struct err *e)
{
	struct reading r = { .a = a, .conf = conf, .flags = flags, .e = e };
	*a = (struct addr){ .fd = -1, .tls = conf->tls };
	if (argc < 1)
		return err_set(e, ERR_USAGE, 0, "the address is missing; %s", addr_forms(&r));
	r.word = argv[0];
	r.second = argc > 1 ? argv[1] : NULL;
	if (*r.word == '\0')
		return addr_refuse(&r, "it is empty; %s", addr_forms(&r));
	if (read_word(&r) != 0)
		return -1;
	*used = r.took_second ? 2 : 1;
	if (*used == argc || (flags & ADDR_MANY))
		return 0;
	char extra[100];
	text_show(extra, sizeof extra, argv[*used], strlen(argv[*used]));
	return addr_refuse(&r, "unexpected word \"%s\" after it", extra);
}

bool addr_dgram(const struct addr *a)
{
	int type = 0;
	socklen_t len = sizeof type;
	if (a->kind != ADDR_FD)
		return a->kind == ADDR_UDP || a->kind == ADDR_UNIX_DGRAM;
	return getsockopt(a->fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
}

bool addr_local(const struct addr *a)
{
	return a->kind == ADDR_UNIX || a->kind == ADDR_UNIX_DGRAM || a->kind == ADDR_FD;
}

socklen_t addr_unix(const struct addr *a, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(un->sun_path, a->path, sizeof un->sun_path);
	size_t end =
		a->path[0] == '\0' ? a->path_len : a->path_len + 1; /* a file's path with its NUL, an abstract name without */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + end);
}
