/* How to reach a server (self_url.h). Of several sockets the IPv4 one comes first, because every client has IPv4. An inherited
 * socket is asked for its own name; the address does not have it. */
#include "listen/self_url.h"

#include <stdio.h>
#include <string.h>

static const struct listener *self_url_pick(const struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->v[i].local.family == AF_INET)
			return &l->v[i];
	return &l->v[0];
}

/* '@' stands for the NUL that begins an abstract name. A relative path stays one. */
static void unix_url(struct self_url *r, const struct listener *l)
{
	struct sockaddr_un un = { 0 };
	socklen_t len = sizeof un;
	size_t head = offsetof(struct sockaddr_un, sun_path);
	if (getsockname(l->fd, (struct sockaddr *)&un, &len) != 0 || len <= head)
		return;
	bool abstract = un.sun_path[0] == '\0';
	int n = abstract ? (int)(len - head) - 1 : (int)strnlen(un.sun_path, sizeof un.sun_path);
	snprintf(r->url, sizeof r->url, "%s:%s%.*s", l->dgram ? "unix-dgram" : "unix", abstract ? "@" : "", n,
		un.sun_path + abstract);
}

static void self_url_loopback(struct sa *sa)
{
	uint16_t port = sa_port(sa);
	if (sa_any(sa))
		sa_parse(sa, sa->family == AF_INET6 ? "::1" : "127.0.0.1", port);
}

/* "[fe80::1%eth0]:80" as it stands in a URL: %25 is the percent sign before a zone. */
static void self_url_zone(char *out, size_t cap, const char *text)
{
	int n = (int)strcspn(text, "%");
	snprintf(out, cap, "%.*s%s%s", n, text, text[n] != '\0' ? "%25" : "", text[n] != '\0' ? text + n + 1 : "");
}

void self_url_of(struct self_url *r, const struct listeners *l, const struct addr *a)
{
	*r = (struct self_url){ 0 };
	if (l->n == 0)
		return;
	const struct listener *one = self_url_pick(l);
	struct sa sa = one->local;
	if (sa.family == AF_UNIX) {
		unix_url(r, one);
		return;
	}
	char text[SA_TEXT], coded[SA_TEXT + 2];
	self_url_loopback(&sa);
	sa_host(&sa, r->host);
	snprintf(r->port, sizeof r->port, "%u", (unsigned)sa_port(&sa));
	self_url_zone(coded, sizeof coded, sa_text(&sa, text));
	snprintf(r->url, sizeof r->url, "%s://%s", one->dgram ? "udp" : a->tls ? "tls" : "tcp", coded);
}
