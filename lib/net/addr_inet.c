/* HOST and PORT: split first (split), then each is checked alone.
 *
 * A numeric host fixes the family here; names are checked for their form and not looked up. If a text has two readings, the error
 * shows how to write each. */
#include "net/addr_internal.h"
#include "base/num.h"
#include "base/text.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_MOST = 253 /* bytes of a DNS name, RFC 1035 less its length octets */, PORT_MOST = 64 };

/* An error of a parser below, after the word. */
static int refuse_as(const struct reading *r, const struct err *why)
{
	return addr_refuse(r, "%.250s", why->what);
}

static bool is_server(const struct reading *r)
{
	return (r->flags & ADDR_SERVER) != 0;
}

static bool all_digits(const char *text, size_t n)
{
	return n > 0 && strspn(text, "0123456789") >= n;
}

int addr_range(const char **at, const char *proto, uint16_t *first, uint16_t *last, struct err *e)
{
	if (*at == NULL)
		return 0;
	char item[PORT_MOST];
	size_t n = strcspn(*at, ",");
	if (n >= sizeof item)
		return err_set(e, ERR_USAGE, 0, "expected ports and ranges such as 20-30,80");
	snprintf(item, sizeof item, "%.*s", (int)n, *at);
	*at = (*at)[n] == ',' ? *at + n + 1 : NULL;
	char *dash = strchr(item, '-');
	if (dash != NULL && all_digits(item, (size_t)(dash - item))) { /* else a service with a dash in its name */
		int64_t low = 0, high = 0;
		*dash = '\0';
		if (num_int(item, 1, UINT16_MAX, &low, e) != 0 || num_int(dash + 1, low, UINT16_MAX, &high, e) != 0) {
			*dash = '-';
			char shown[4 * PORT_MOST];
			text_show(shown, sizeof shown, item, strlen(item));
			return err_prefix(e, "range \"%s\"", shown);
		}
		*first = (uint16_t)low;
		*last = (uint16_t)high;
		return 1;
	}
	if (num_port(item, proto, first, e) != 0)
		return -1;
	if (*first == 0)
		return err_set(e, ERR_USAGE, 0, "got \"0\", expected a port from 1 to 65535");
	*last = *first;
	return 1;
}

static int set_ports(struct reading *r, const char *list, const char *proto)
{
	struct err why = { 0 };
	const char *at = list;
	uint16_t first = 0, last = 0;
	int got = addr_range(&at, proto, &r->a->port, &last, &why);
	while (got > 0)
		got = addr_range(&at, proto, &first, &last, &why);
	if (got < 0)
		return refuse_as(r, &why);
	r->a->ports = list;
	return 0;
}

static int set_port(struct reading *r, const char *text, size_t n)
{
	const char *proto = r->a->kind == ADDR_UDP ? "udp" : "tcp";
	struct err why = { 0 };
	char port[PORT_MOST];
	if (r->flags & ADDR_RANGES)
		return set_ports(r, text, proto);
	if (n >= sizeof port)
		return addr_refuse(r, "expected a port from 0 to 65535 or a service name");
	snprintf(port, sizeof port, "%.*s", (int)n, text);
	if (num_port(port, proto, &r->a->port, &why) != 0)
		return refuse_as(r, &why);
	if (r->a->port == 0 && !is_server(r))
		return addr_refuse(r, "port 0 cannot be connected to; expected a port from 1 to 65535");
	return 0;
}

/* A name may be any that a resolver could know: only the characters of another syntax are refused. */
static int check_name(const struct reading *r, const char *host, size_t n)
{
	struct sa sa;
	char bare[64];
	size_t percent = strcspn(host, "%");
	if (percent < n && percent < sizeof bare) {
		snprintf(bare, sizeof bare, "%.*s", (int)percent, host);
		if (sa_parse(&sa, bare, 0))
			return addr_refuse(r, "there is no interface of the name after %%");
	}
	if (strchr(host, ':') != NULL)
		return addr_refuse(r, "the host is no IPv6 address, and a name has no colon");
	for (const char *p = host; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 127 || strchr("\"#%/<>?@[\\]", *p) != NULL)
			return addr_refuse(r, "the host contains a character that no name has; %s", addr_forms(r));
	if (all_digits(host, n))
		return addr_refuse(r, "\"%s\" is a number and no host; %s", host, addr_forms(r));
	return 0;
}

static int set_host(struct reading *r, const char *text, size_t n, bool bracket)
{
	struct addr *a = r->a;
	struct sa sa;
	if (n > HOST_MOST)
		return addr_refuse(r, "the host has %zu bytes; names have %d at most", n, HOST_MOST);
	memcpy(a->host, text, n);
	a->host[n] = '\0';
	bool numeric = sa_parse(&sa, a->host, 0);
	if (bracket && strchr(a->host, ':') == NULL)
		return addr_refuse(r, "expected an IPv6 address between [ and ]");
	if (!numeric)
		return check_name(r, a->host, n);
	sa_family_t family = (sa_family_t)sa.family;
	if (a->family != AF_UNSPEC && a->family != family)
		return addr_refuse(r, "the host is an IPv%d address, but IPv%d was asked for", family == AF_INET ? 4 : 6,
			family == AF_INET ? 6 : 4);
	a->family = family;
	return 0;
}

/* In a URL the percent sign before a zone is %25 (RFC 6874), and the zone may have more of that kind. Plain signs are taken, too.
 * False: text stays as it is. */
static bool decode_zone(char out[HOST_MOST + 1], const char *text, size_t n)
{
	const char *sign = memchr(text, '%', n), *end = text + n;
	if (sign == NULL || end - sign <= 3 || n > HOST_MOST || strncmp(sign, "%25", 3) != 0)
		return false;
	size_t len = (size_t)(sign - text) + 1;
	memcpy(out, text, len);
	for (const char *p = sign + 3; p < end;) {
		unsigned byte = 0;
		bool coded = *p == '%' && end - p > 2 && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]);
		if (coded)
			sscanf(p + 1, "%2x", &byte);
		out[len++] = coded ? (char)byte : *p;
		p += coded ? 3 : 1;
	}
	out[len] = '\0';
	return strlen(out) == len;
}

static int set_any(struct reading *r)
{
	if (!is_server(r))
		return addr_refuse(r, "the host is missing; expected HOST PORT or HOST:PORT");
	r->a->any = true;
	r->a->loopback = r->conf->local;
	return 0;
}

static int set_where(struct reading *r, const char *host, size_t n, bool bracket)
{
	struct sa sa;
	if (n == 0 || (n == 1 && *host == '*'))
		return set_any(r);
	if (set_host(r, host, n, bracket) != 0)
		return -1;
	const char *name = r->a->host;
	bool local = strcasecmp(name, "localhost") == 0 || (sa_parse(&sa, name, 0) && sa_loopback(&sa));
	return r->conf->local && !local ? addr_refuse(r, "--local contradicts it: this host is not loopback") : 0;
}

static void set_text(struct addr *a)
{
	char host[260], number[8];
	const char *name = !a->any ? a->host : a->loopback ? "localhost" : "*";
	bool six = strchr(name, ':') != NULL;
	text_show(host, sizeof host, name, strlen(name));
	snprintf(number, sizeof number, "%u", (unsigned)a->port);
	snprintf(a->text, sizeof a->text, "%s%s%s:%.50s", six ? "[" : "", host, six ? "]" : "",
		a->ports != NULL ? a->ports : number);
}

struct parts {
	const char *host, *port; /* port NULL: none was given */
	size_t host_len, port_len;
	bool bracket, colons; /* [host]; several colons without brackets, so the whole is the host */
};

static int addr_inet_split(const struct reading *r, const char *text, size_t n, struct parts *p)
{
	*p = (struct parts){ .host = text, .host_len = n };
	const char *end = text + n, *colon = memchr(text, ':', n);
	if (n > 0 && *text == '[') {
		const char *close = memchr(text, ']', n);
		if (close == NULL)
			return addr_refuse(r, "the ] after the IPv6 address is missing");
		if (close + 1 < end && close[1] != ':')
			return addr_refuse(r, "expected :PORT after ]");
		p->host = text + 1;
		p->host_len = (size_t)(close - p->host);
		p->bracket = true;
		colon = close + 1 < end ? close + 1 : NULL;
	} else if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL) {
		p->colons = true;
		return 0;
	} else if (colon != NULL) {
		p->host_len = (size_t)(colon - text);
	}
	if (colon == NULL)
		return 0;
	p->port = colon + 1;
	p->port_len = (size_t)(end - p->port);
	return 0;
}

/* One word with several colons: an IPv6 address, perhaps with a port that cannot be told from its last group. */
static int refuse_colons(const struct reading *r, const struct parts *p)
{
	char whole[PORT_MOST], front[PORT_MOST];
	struct sa sa;
	if (p->host_len >= sizeof whole)
		return addr_refuse(r, "too many colons; %s", addr_forms(r));
	snprintf(whole, sizeof whole, "%.*s", (int)p->host_len, p->host);
	const char *last = strrchr(whole, ':') + 1;
	snprintf(front, sizeof front, "%.*s", (int)(last - 1 - whole), whole);
	bool is_whole = sa_parse(&sa, whole, 0), is_front = sa_parse(&sa, front, 0);
	if (is_whole && is_front)
		return addr_refuse(r, "ambiguous: write [%s]:%s if %s is the port, or [%s]:PORT", front, last, last, whole);
	if (is_front)
		return addr_refuse(r, "write [%s]:%s", front, last);
	if (is_whole)
		return addr_refuse(r, "the port is missing; expected [%s]:PORT", whole);
	return addr_refuse(r, "too many colons; %s, with an IPv6 host [HOST]:PORT", addr_forms(r));
}

/* One bare word: a server's port. */
static int read_bare(struct reading *r, const struct parts *p)
{
	bool number = all_digits(p->host, p->host_len);
	if (memchr(p->host, '/', p->host_len) != NULL)
		return addr_refuse(r, "a path is written unix:PATH");
	if (!is_server(r))
		return addr_refuse(r, "the %s is missing; %s", number ? "host" : "port", addr_forms(r));
	if (set_port(r, p->host, p->host_len) != 0)
		return number ? -1 : addr_refuse(r, "no service has that name; %s", addr_forms(r));
	return set_any(r);
}

static int read_parts(struct reading *r, struct parts *p, bool url)
{
	if (p->port == NULL && !url && r->second != NULL) {
		p->port = r->second;
		p->port_len = strlen(r->second);
		p->colons = false;
		r->took_second = true;
	}
	if (p->colons)
		return refuse_colons(r, p);
	if (p->port == NULL && !url && !p->bracket)
		return read_bare(r, p);
	if (p->port == NULL || p->port_len == 0)
		return addr_refuse(r, "the port is missing; %s", url ? "expected SCHEME://HOST:PORT" : addr_forms(r));
	if (p->host_len == 0 && p->bracket)
		return addr_refuse(r, "expected an IPv6 address between [ and ]");
	char plain[HOST_MOST + 1];
	bool decoded = url && p->bracket && decode_zone(plain, p->host, p->host_len);
	const char *host = decoded ? plain : p->host;
	return set_where(r, host, decoded ? strlen(plain) : p->host_len, p->bracket) != 0 ? -1
											  : set_port(r, p->port, p->port_len);
}

/* a->kind is set; the family is that of the scheme, else of an option. */
int addr_read_inet(struct reading *r, const char *text, bool url)
{
	struct addr *a = r->a;
	struct parts p;
	size_t n = strlen(text);
	if (a->family == AF_UNSPEC)
		a->family = r->conf->v4 ? AF_INET : r->conf->v6 ? AF_INET6 : AF_UNSPEC;
	if (url && n > 0 && text[n - 1] == '/' && (r->flags & ADDR_RANGES) == 0)
		n--; /* as browsers and scripts write it */
	if (addr_inet_split(r, text, n, &p) != 0 || read_parts(r, &p, url) != 0)
		return -1;
	set_text(a);
	return 0;
}
