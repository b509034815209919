/* What nc prints, and how it ends (nc.h).
 *
 * Scripts read its lines, so these are nc's: with -v where it listens, which peer has come, what was connected and what was not;
 * without it only errors of the command line, a name or a listening address. Addresses are not turned into names.
 *
 * Scripts also read its status, 0 or 1. nc reports no failures once it is connected: an idle time that has passed (-w), a reader
 * of stdout that left, a datagram that was refused are ordinary ends. This drop-in is stricter in one point: bytes that were lost
 * in a stream, or could not be written, are a line and status 1. */
#include "nc/nc_internal.h"

#include "base/num.h"
#include "base/servname.h"
#include "base/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <string.h>

enum { NAME_MOST = 300 };

static const struct ev_field *nc_output_field(const struct event *ev, const char *key)
{
	const struct ev_field *f = ev->fields;
	while (f->key != NULL && strcmp(f->key, key) != 0)
		f++;
	return f->key != NULL ? f : NULL;
}

static const char *nc_output_text(const struct event *ev, const char *key)
{
	const struct ev_field *f = nc_output_field(ev, key);
	return f != NULL && f->text != NULL ? f->text : "";
}

/* "127.0.0.1:80" and "[::1]:80" as an address and a port; a path has no port. */
static void nc_output_split(const char *addr, char host[NAME_MOST], const char **port)
{
	const char *colon = strrchr(addr, ':');
	size_t n = colon == NULL ? strlen(addr) : (size_t)(colon - addr);
	bool brackets = addr[0] == '[' && n >= 2 && addr[n - 1] == ']';
	snprintf(host, NAME_MOST, "%.*s", (int)(n - 2 * brackets), addr + brackets);
	*port = colon == NULL ? "" : colon + 1;
}

/* The host as typed, and the address if it says more: "localhost (127.0.0.1)". */
static void name_host(const struct nc *nc, const char *addr, char out[2 * NAME_MOST])
{
	struct in6_addr number;
	const char *host = nc->host != NULL ? nc->host : addr;
	bool numeric = inet_pton(AF_INET, host, &number) == 1 || strchr(host, ':') != NULL;
	if (numeric || nc->proxied || addr[0] == '\0' || strcmp(host, addr) == 0)
		snprintf(out, (size_t)2 * NAME_MOST, "%s", host);
	else
		snprintf(out, (size_t)2 * NAME_MOST, "%s (%s)", host, addr);
}

size_t nc_output_succeeded(const struct nc *nc, char *buf, size_t cap, const char *addr, const char *port)
{
	char host[2 * NAME_MOST], service[64] = "*";
	const char *proto = nc->udp ? "udp" : "tcp";
	int64_t number = 0;
	name_host(nc, addr, host);
	if (!nc->numeric && num_int(port, 0, UINT16_MAX, &number, NULL) == 0)
		name_of_port((uint16_t)number, proto, service, sizeof service);
	return (size_t)snprintf(buf, cap, "Connection to %s %s port [%s/%s] succeeded!", host, port, proto, service);
}

size_t nc_output_failed(const struct nc *nc, char *buf, size_t cap, const char *addr, const char *port, const char *how)
{
	char host[2 * NAME_MOST];
	name_host(nc, addr, host);
	return (size_t)snprintf(
		buf, cap, "%s: connect to %s port %s (%s) %s", nc->persona.name, host, port, nc->udp ? "udp" : "tcp", how);
}

static size_t nc_output_opened(struct nc *nc, char *buf, size_t cap, const struct event *ev)
{
	char host[NAME_MOST];
	const char *port;
	nc->connected = true;
	nc_output_split(nc_output_text(ev, "peer"), host, &port);
	if (!nc->verbose || (nc->local && !nc->listens))
		return 0;
	if (!nc->listens)
		return nc_output_succeeded(nc, buf, cap, nc->proxied ? "" : host, nc->proxied ? nc->argv[nc->argc - 1] : port);
	if (nc->local)
		return (size_t)snprintf(buf, cap, "Connection received on %s", nc->host);
	return (size_t)snprintf(buf, cap, "Connection received on %s %s", host, port);
}

static size_t nc_output_listening(const struct nc *nc, char *buf, size_t cap, const struct event *ev)
{
	char host[NAME_MOST];
	const char *port;
	if (!nc->verbose)
		return 0;
	if (nc->local)
		return (size_t)snprintf(buf, cap, nc->udp ? "Bound on %s" : "Bound on %s\nListening on %s", nc->host, nc->host);
	nc_output_split(nc_output_text(ev, "addr"), host, &port);
	return (size_t)snprintf(buf, cap, "%s on %s %s", nc->udp ? "Bound" : "Listening", host, port);
}

static size_t nc_output_asked(struct nc *nc, char *buf, size_t cap, const struct event *ev)
{
	char host[NAME_MOST];
	const char *port, *answer = nc_output_text(ev, "answer");
	bool silent = strcmp(answer, "no answer") == 0, open = strcmp(answer, "open") == 0 || (nc->udp && silent);
	nc->connected = nc->connected || open;
	nc_output_split(nc_output_text(ev, "addr"), host, &port);
	if (!nc->verbose || (nc->udp && !open))
		return 0;
	const char *why = silent			       ? "timed out: Operation now in progress"
			  : strcmp(answer, "unreachable") == 0 ? "failed: No route to host"
							       : "failed: Connection refused";
	return nc_scan_answered(nc, buf, cap, port, open, why);
}

static size_t not_reached(struct nc *nc, char *buf, size_t cap, const struct event *ev)
{
	char host[NAME_MOST], how[128];
	const char *port, *error = nc_output_text(ev, "error");
	nc_output_split(nc_output_text(ev, "addr"), host, &port);
	if (nc->scans && !nc->local)
		nc_scan_tried(nc, host, port, error);
	if (!nc->verbose || nc->scans || nc->local)
		return 0;
	nc->complained = true;
	snprintf(how, sizeof how, "failed: %s", error);
	return nc_output_failed(nc, buf, cap, host, port, how);
}

static size_t nc_output_tried(struct nc *nc, const struct event *ev)
{
	char host[NAME_MOST];
	const char *port;
	nc_output_split(nc_output_text(ev, "addr"), host, &port);
	if (nc->scans && !nc->local)
		nc_scan_tried(nc, host, port, NULL);
	return 0;
}

static size_t nc_output_words(void *arg, char *buf, size_t cap, const struct event *ev)
{
	struct nc *nc = arg;
	switch (ev->kind) {
	case EV_LISTEN:
	case EV_PORT:
		return nc_output_listening(nc, buf, cap, ev);
	case EV_OPEN:
		return nc_output_opened(nc, buf, cap, ev);
	case EV_PROBE:
		return nc_output_asked(nc, buf, cap, ev);
	case EV_RESOLVE:
		nc_scan_resolved(nc, nc_output_text(ev, "addrs"));
		return 0;
	case EV_CONNECTING:
		return nc_output_tried(nc, ev);
	case EV_DIAL_FAIL:
		return not_reached(nc, buf, cap, ev);
	default:
		return 0;
	}
}

/* A closed port is what -z, and loops around nc, ask about: it is not reported. */
static bool nc_output_expected(const struct nc *nc, enum err_class cls)
{
	bool unreached = cls == ERR_CONNECT || cls == ERR_TIMEOUT;
	return unreached && !nc->local && !nc->proxied && (!nc->verbose || nc->complained || nc->scans);
}

static void nc_output_judge(void *arg, struct err *e)
{
	const struct nc *nc = arg;
	bool over = e->cls == ERR_TIMEOUT || e->cls == ERR_PIPE || (e->cls == ERR_CONNECT && nc->udp);
	if (nc->connected && (over || nc->scans))
		*e = (struct err){ 0 };
	else if (nc_output_expected(nc, e->cls))
		e->what[0] = '\0';
}

const struct persona nc_persona = { .name = "nc", .words = nc_output_words, .judge = nc_output_judge, .worst = 1 };
