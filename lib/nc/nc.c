/* The drop-in for nc (nc.h): how its command line becomes one of sockctl.
 *
 * The letters are collected first, because what most of them mean depends on others: -p is a server's own port or a client's
 * source, -w bounds connecting and silence, -q asks for -N, and -q 0 for no more. Then one of three lines is built:
 *
 *   nc -l      listen    ends with its peer; -k takes the next one, which gets what stdin still has
 *   nc -lku    serve     datagrams of all peers to stdout, without answers
 *   nc -z      connect --probe=quiet
 *   nc         connect   the end of stdin is not sent to the peer, unless -N or -q say so
 *
 * The letters are rows of nc_letters.c; nc_output.c writes nc's lines and decides its status. */
#include "nc/nc.h"

#include "base/num.h"
#include "base/text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MOST = 512, PORT_SOCKS = 1080, PORT_HTTP = 3128, CLIENTS_MOST = 10000 };

struct line {
	struct nc *nc;
	const char *value[128]; /* of each letter that was given, "" for those without; NULL: not given */
	const char *words[WORDS_MOST];
	int words_n;
	struct err *e;
};

bool nc_called(const char *argv0)
{
	const char *slash = argv0 == NULL ? NULL : strrchr(argv0, '/');
	const char *name = slash != NULL ? slash + 1 : argv0;
	return name != NULL && (strcmp(name, "nc") == 0 || strcmp(name, "netcat") == 0 || strcmp(name, "nc.sockctl") == 0);
}

/* --- reading --- */

static int nc_refuse(const struct line *line, const char *what, const char *why)
{
	char shown[128];
	text_show(shown, sizeof shown, what, strlen(what));
	return err_set(line->e, ERR_USAGE, 0, "%s %s", shown, why);
}

/* One word of letters, "-lvnp"; *at moves to a value in the next word. */
static int read_letters(struct line *line, int argc, char **argv, int *at)
{
	for (const char *p = argv[*at] + 1; *p != '\0'; p++) {
		char shown[8];
		text_show(shown, sizeof shown, p, 1);
		const struct nc_letter *row = nc_letter(*p);
		if (row == NULL)
			return err_set(line->e, ERR_USAGE, 0, "invalid option -- '%s'; -h lists the options", shown);
		if (row->help == NULL)
			return err_set(line->e, ERR_USAGE, 0, "-%c: %s", *p, row->instead);
		line->value[(unsigned char)*p] = "";
		if (row->arg == NULL)
			continue;
		const char *value = p[1] != '\0' ? p + 1 : *at + 1 < argc ? argv[++*at] : NULL;
		if (value == NULL)
			return err_set(
				line->e, ERR_USAGE, 0, "option requires an argument -- '%c'", *p); /* getopt's: scripts ask */
		line->value[(unsigned char)*p] = value;
		return 0;
	}
	return 0;
}

static int read_all(struct line *line, int argc, char **argv)
{
	bool options = true;
	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (read_letters(line, argc, argv, &i) != 0)
				return -1;
		} else if (line->words_n == WORDS_MOST) {
			return err_set(line->e, ERR_USAGE, 0, "too many words");
		} else {
			line->words[line->words_n++] = argv[i];
		}
	}
	return 0;
}

static const char *nc_given(const struct line *line, char ch)
{
	return line->value[(unsigned char)ch];
}

static bool nc_has(const struct line *line, char ch)
{
	return nc_given(line, ch) != NULL;
}

static int read_number(const struct line *line, char ch, long long min, int64_t *out)
{
	*out = min;
	return !nc_has(line, ch) || num_int(nc_given(line, ch), min, INT_MAX, out, line->e) == 0 ? 0
												 : err_prefix(line->e, "-%c", ch);
}

/* --- what can be used together --- */

static int check_pairs(const struct line *line)
{
	static const char pairs[][2] = { { 'l', 'z' }, { 'l', 'x' }, { 'l', 't' }, { 'u', 't' }, { 'u', 'x' }, { 'U', 'x' },
		{ 's', 'x' }, { '4', '6' } };
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if (nc_has(line, pairs[i][0]) && nc_has(line, pairs[i][1]))
			return err_set(line->e, ERR_USAGE, 0, "-%c and -%c cannot be used together", pairs[i][0], pairs[i][1]);
	if (nc_has(line, 'k') && !nc_has(line, 'l'))
		return err_set(line->e, ERR_USAGE, 0, "-k requires -l");
	if (nc_has(line, 'X') && !nc_has(line, 'x'))
		return err_set(line->e, ERR_USAGE, 0, "-X requires -x");
	bool client = nc_has(line, 'u') && !nc_has(line, 'l');
	if (nc_has(line, 'U') && (nc_has(line, 'p') || (nc_has(line, 's') && !client)))
		return err_set(line->e, ERR_USAGE, 0,
			nc_has(line, 'p') ? "-p is not supported with -U"
					  : "-s with -U requires -u, and no -l: it names a client's end");
	if (nc_has(line, 'P') && getenv("SOCKCTL_PROXY_AUTH") == NULL)
		return err_set(line->e, ERR_USAGE, 0, "-P asks for no password: set SOCKCTL_PROXY_AUTH=user:password");
	return 0;
}

/* --- writing --- */

static void nc_add(struct nc *nc, const char *word)
{
	if (nc->argc < NC_WORDS)
		nc->argv[nc->argc++] = (char *)(uintptr_t)word; /* main's words are char *, and they are not written to */
}

static void add_pair(struct nc *nc, const char *option, const char *value)
{
	nc_add(nc, option);
	nc_add(nc, value);
}

static const char *no_room(const struct line *line)
{
	err_set(line->e, ERR_USAGE, 0, "too many ports, or a word that is too long");
	return NULL;
}

/* A word that main's argv does not have. NULL with e: there is no room. */
static const char *nc_read_word(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *nc_read_word(struct line *line, const char *fmt, ...)
{
	struct nc *nc = line->nc;
	char *at = nc->text + nc->used;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(at, NC_TEXT - nc->used, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + 1 > NC_TEXT - nc->used)
		return no_room(line);
	nc->used += (size_t)n + 1;
	return at;
}

static const char *nc_tos(const char *name)
{
	static const char *const theirs[][2] = { { "critical", "0xa0" }, { "inetcontrol", "0xc0" }, { "netcontrol", "0xe0" },
		{ "lowcost", "mincost" } };
	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
		if (strcmp(name, theirs[i][0]) == 0)
			return theirs[i][1];
	return name;
}

static int add_sockopts(struct line *line)
{
	for (const struct nc_letter *row = nc_letters; row->ch != 0; row++) {
		const char *value = nc_given(line, row->ch);
		if (row->sockopt == NULL || value == NULL || (row->ch == 'b' && !nc_has(line, 'u')))
			continue;
		value = row->ch == 'T' ? nc_tos(value) : value;
		const char *pair = nc_read_word(line, "%s%s%s", row->sockopt, row->arg != NULL ? "=" : "", value);
		if (pair == NULL)
			return -1;
		add_pair(line->nc, "-o", pair);
	}
	return 0;
}

/* -4 -6 -C -n -U -u: the same here, except that nothing is sent from stdin with -d, -z or -lku, where nc takes -C, too. */
static void add_same(struct line *line)
{
	static const char same[] = "46CnUu";
	bool says = !nc_has(line, 'd') && !nc_has(line, 'z') && !(nc_has(line, 'k') && nc_has(line, 'u'));
	for (const char *p = same; *p != '\0'; p++)
		if (nc_has(line, *p) && (*p != 'C' || says))
			nc_add(line->nc, nc_letter(*p)->ours);
}

/* How stdin is read, and what its end does. */
static int add_stdin(struct line *line)
{
	int64_t quit = -1, pace = 0, number = 0;
	if (read_number(line, 'q', INT_MIN, &quit) != 0 || read_number(line, 'i', 0, &pace) != 0 ||
		read_number(line, 'W', 1, &number) != 0)
		return -1;
	bool quits = nc_has(line, 'q') && quit >= 0, reads = !nc_has(line, 'd');
	if (!nc_has(line, 'u'))
		add_pair(line->nc, "--half-close", nc_has(line, 'N') || quits ? "yes" : "no");
	const char *after = quits ? nc_read_word(line, "%llds", (long long)quit) : "";
	const char *pause = pace > 0 ? nc_read_word(line, "%llds", (long long)pace) : "";
	if (after == NULL || pause == NULL)
		return -1;
	if (quits && reads &&
		(quit > 0 || nc_has(line, 'u') || nc_has(line, 'l'))) /* Debian's nc hears a server out after -q 0 */
		add_pair(line->nc, "--quit-after", after);
	if (pace > 0 && reads)
		add_pair(line->nc, "--pace", pause);
	if (nc_has(line, 'W'))
		add_pair(line->nc, nc_has(line, 'u') ? "--replies" : "--reads", nc_given(line, 'W'));
	if (!reads)
		nc_add(line->nc, "--recv-only");
	return 0;
}

/* -w 0 with datagrams: send and end */
static const char *nc_silence(const struct line *line)
{
	return strcmp(nc_given(line, 'w'), "0") == 0 ? "1ms" : nc_given(line, 'w');
}

static int missing_port(const struct line *line)
{
	return err_set(line->e, ERR_USAGE, 0, nc_has(line, 'U') ? "the path of the socket is missing" : "the port is missing");
}

static int add_listen_words(struct line *line)
{
	struct nc *nc = line->nc;
	const char *port = nc_has(line, 'p') && line->words_n == 0 ? nc_given(line, 'p') : NULL;
	if (line->words_n > 0 && (nc_has(line, 'p') || nc_has(line, 's')))
		return err_set(
			line->e, ERR_USAGE, 0, "-l takes -%c or words for the address, not both", nc_has(line, 'p') ? 'p' : 's');
	if (line->words_n == 0 && port == NULL)
		return missing_port(line);
	if (line->words_n > (nc_has(line, 'U') ? 1 : 2))
		return nc_refuse(line, line->words[line->words_n - 1], "is an unexpected word");
	nc->host = nc_has(line, 's') ? nc_given(line, 's') : line->words_n == 2 || nc_has(line, 'U') ? line->words[0] : NULL;
	if (nc->host == NULL && !nc_has(line, '6') && !nc_has(line, '4'))
		nc_add(nc, "-4"); /* as nc does; ours would also take IPv6 */
	nc_add(nc, "--");
	if (nc->host != NULL)
		nc_add(nc, nc->host);
	if (!nc_has(line, 'U'))
		nc_add(nc, port != NULL ? port : line->words[line->words_n - 1]);
	return 0;
}

static int build_listen(struct line *line)
{
	struct nc *nc = line->nc;
	if (nc_has(line, 'k') && nc_has(line, 'u')) {
		const char *most = nc_read_word(line, "%d", CLIENTS_MOST);
		nc_add(nc, "serve");
		add_pair(nc, "--label", "none");
		nc_add(nc, "--raw");
		nc_add(nc, "--recv-only");
		add_pair(nc, "--max", most);
	} else {
		nc_add(nc, "listen");
		if (!nc_has(line, 'u'))
			add_pair(nc, "--end", "peer");
		if (nc_has(line, 'k'))
			nc_add(nc, "--keep-open");
		if (nc_has(line, 'k') && !nc_has(line, 'd'))
			nc_add(nc, "--keep-stdin");
		if (add_stdin(line) != 0)
			return -1;
	}
	if (nc_has(line, 'w') || nc_has(line, 'u'))
		add_pair(nc, "--idle-timeout", nc_has(line, 'w') ? nc_silence(line) : "0");
	add_same(line);
	return add_sockopts(line) == 0 ? add_listen_words(line) : -1;
}

static int add_proxy(struct line *line)
{
	static const char *const protocols[][2] = { { "4", "socks4" }, { "5", "socks5h" }, { "connect", "http" } };
	const char *want = nc_has(line, 'X') ? nc_given(line, 'X') : "5", *at = nc_given(line, 'x'), *scheme = NULL;
	for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
		if (strcmp(want, protocols[i][0]) == 0)
			scheme = protocols[i][1];
	if (scheme == NULL)
		return nc_refuse(line, want, "is no protocol for -X: expected 4, 5 or connect");
	const char *close = strrchr(at, ']'), *colon = strchr(close != NULL ? close : at, ':');
	int port = strcmp(scheme, "http") == 0 ? PORT_HTTP : PORT_SOCKS;
	const char *url =
		colon != NULL ? nc_read_word(line, "%s://%s", scheme, at) : nc_read_word(line, "%s://%s:%d", scheme, at, port);
	if (url == NULL)
		return -1;
	add_pair(line->nc, "--proxy", url);
	return 0;
}

/* With -U a path, which does not look like a name here: "client.sock" is "./client.sock". */
static int add_source(struct line *line)
{
	if (nc_has(line, 'U')) {
		const char *path = nc_given(line, 's');
		path = strchr(path, '/') != NULL || path[0] == '@' ? path : nc_read_word(line, "./%s", path);
		if (path != NULL)
			add_pair(line->nc, "-s", path);
		return path != NULL ? 0 : -1;
	}
	const char *addr = nc_has(line, 's') ? nc_given(line, 's') : "", *port = nc_given(line, 'p');
	const char *six = strchr(addr, ':') != NULL ? "[" : "";
	const char *source = port == NULL ? addr : nc_read_word(line, "%s%s%s:%s", six, addr, *six != '\0' ? "]" : "", port);
	if (source == NULL)
		return -1;
	add_pair(line->nc, "-s", source);
	return 0;
}

/* A range may stand in reverse. */
static const char *port_word(struct line *line, const char *text)
{
	char *end;
	long first = strtol(text, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
	return *end == '\0' && last < first ? nc_read_word(line, "%ld-%ld", last, first) : text;
}

/* Several words, or ranges, as one: "22,80-90". */
static const char *all_ports(struct line *line)
{
	char all[NC_TEXT] = "";
	size_t n = 0;
	for (int i = 1; i < line->words_n; i++) {
		const char *one = port_word(line, line->words[i]);
		if (one == NULL)
			return NULL;
		int put = snprintf(all + n, sizeof all - n, "%s%s", i > 1 ? "," : "", one);
		n = put < 0 || (size_t)put >= sizeof all - n ? sizeof all : n + (size_t)put;
		if (n == sizeof all)
			break;
	}
	return n == sizeof all ? no_room(line) : nc_read_word(line, "%s", all);
}

static int add_connect_words(struct line *line)
{
	struct nc *nc = line->nc;
	if (line->words_n < (nc_has(line, 'U') ? 1 : 2))
		return missing_port(line);
	nc->host = line->words[0];
	if (nc_has(line, 'U') && line->words_n > 1)
		return nc_refuse(line, line->words[1], "is an unexpected word");
	if (!nc_has(line, 'z') && line->words_n > 2)
		return err_set(line->e, ERR_USAGE, 0, "several ports require -z");
	const char *ports = nc_has(line, 'U') ? NULL : nc_has(line, 'z') ? all_ports(line) : line->words[1];
	if (ports == NULL && !nc_has(line, 'U'))
		return -1;
	nc_add(nc, "--");
	nc_add(nc, nc->host);
	if (ports != NULL)
		nc_add(nc, ports);
	return 0;
}

static int build_connect(struct line *line)
{
	struct nc *nc = line->nc;
	nc_add(nc, "connect");
	if (nc_has(line, 'z')) {
		nc_add(nc, "--probe=quiet");
		if (nc_has(line, 'u') && !nc_has(line, 'U'))
			add_pair(nc, "--probe-data", "X");
	} else if (add_stdin(line) != 0) {
		return -1;
	}
	if (nc_has(line, 't') && !nc_has(line, 'z'))
		nc_add(nc, "--telnet");
	if (nc_has(line, 'w')) {
		add_pair(nc, "-w", nc_silence(line));
		if (!nc_has(line, 'z'))
			add_pair(nc, "-i", nc_silence(line));
	}
	if (nc_has(line, 'u') && !nc_has(line, 'z') && !nc_has(line, 'd'))
		add_pair(nc, "--reply-wait", "10000h"); /* until a signal ends it */
	if ((nc_has(line, 's') || nc_has(line, 'p')) && add_source(line) != 0)
		return -1;
	if (nc_has(line, 'x') && add_proxy(line) != 0)
		return -1;
	add_same(line);
	return add_sockopts(line) == 0 ? add_connect_words(line) : -1;
}

int nc_read(struct nc *nc, int argc, char **argv, struct err *e)
{
	struct line line = { .nc = nc, .e = e };
	int64_t ignored;
	*nc = (struct nc){ .persona = nc_persona };
	nc->persona.arg = nc;
	nc_add(nc, argv[0]);
	if (read_all(&line, argc, argv) != 0)
		return -1;
	nc->help = nc_has(&line, 'h');
	if (nc->help)
		return 0;
	if (check_pairs(&line) != 0 || read_number(&line, 'w', 0, &ignored) != 0)
		return -1;
	nc->listens = nc_has(&line, 'l');
	nc->scans = nc_has(&line, 'z');
	nc->udp = nc_has(&line, 'u');
	nc->local = nc_has(&line, 'U');
	nc->verbose = nc_has(&line, 'v');
	nc->numeric = nc_has(&line, 'n');
	nc->proxied = nc_has(&line, 'x');
	return nc->listens ? build_listen(&line) : build_connect(&line);
}
