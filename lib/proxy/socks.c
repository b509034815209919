/* The messages to a SOCKS proxy, and its answers. Each step is called when the bytes that it needs are there; a step reads no
 * further. */
#include "proxy/proxy.h"

#include "net/sockaddr.h"

#include <stdio.h>
#include <string.h>

enum { V4 = 4, V5 = 5, CONNECT = 1, NO_AUTH = 0, PASSWORD = 2, NO_METHOD = 0xff, AUTH_VERSION = 1 };
enum { TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };

static enum proxy_step socks_refuse(struct proxy_talk *t, const char *words)
{
	snprintf(t->words, sizeof t->words, "%s", words);
	return PROXY_REFUSED;
}

static void socks_put(struct proxy_talk *t, const void *bytes, size_t n)
{
	memcpy(t->sends + t->sends_n, bytes, n);
	t->sends_n += n;
}

static void put_byte(struct proxy_talk *t, unsigned byte)
{
	t->sends[t->sends_n++] = (unsigned char)byte;
}

static void put_port(struct proxy_talk *t)
{
	put_byte(t, t->port >> 8);
	put_byte(t, t->port & 0xff);
}

static enum proxy_step socks_ask(struct proxy_talk *t, size_t needs)
{
	t->step++;
	t->has = 0;
	t->needs = needs;
	return PROXY_GO_ON;
}

/* --- version 4 --- */

static enum proxy_step ask_v4(struct proxy_talk *t)
{
	struct sa sa;
	struct sockaddr_storage ss;
	bool number = sa_parse(&sa, t->host, 0), name = t->proxy->kind == PROXY_SOCKS4A && !number;
	if (number && sa.family != AF_INET)
		return socks_refuse(t, "SOCKS 4 cannot carry an IPv6 address; use socks5");
	if (!number && !name)
		return socks_refuse(t, "SOCKS 4 needs a number; use socks4a");
	put_byte(t, V4);
	put_byte(t, CONNECT);
	put_port(t);
	if (name) {
		socks_put(t, "\0\0\0\1", 4); /* an impossible address: the name follows */
	} else {
		sa_to(&sa, &ss);
		socks_put(t, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, 4);
	}
	socks_put(t, t->proxy->user, strlen(t->proxy->user) + 1);
	if (name)
		socks_put(t, t->host, strlen(t->host) + 1);
	return socks_ask(t, 8);
}

static enum proxy_step hear_v4(struct proxy_talk *t)
{
	static const char *const said[] = { NULL, "the request was refused or failed",
		"the request was refused: it found no identd on this host", "the request was refused: identd says another user" };
	unsigned code = t->takes[1] - 90u;
	if (t->takes[0] != 0)
		return socks_refuse(t, "what answers is no SOCKS 4 proxy");
	return code == 0 ? PROXY_DONE : socks_refuse(t, code < 4 ? said[code] : "it gave an unknown answer");
}

/* --- version 5 --- */

static enum proxy_step socks_greet(struct proxy_talk *t)
{
	put_byte(t, V5);
	put_byte(t, t->proxy->auth ? 2 : 1);
	put_byte(t, NO_AUTH);
	if (t->proxy->auth)
		put_byte(t, PASSWORD);
	return socks_ask(t, 2);
}

static enum proxy_step socks_authenticate(struct proxy_talk *t)
{
	size_t user = strlen(t->proxy->user), password = strlen(t->proxy->password);
	put_byte(t, AUTH_VERSION);
	put_byte(t, (unsigned)user);
	socks_put(t, t->proxy->user, user);
	put_byte(t, (unsigned)password);
	socks_put(t, t->proxy->password, password);
	return socks_ask(t, 2);
}

enum { STEP_GREET, STEP_METHOD, STEP_AUTH, STEP_ANSWER, STEP_REST, STEP_END };

static enum proxy_step socks_request(struct proxy_talk *t)
{
	struct sa sa;
	struct sockaddr_storage ss;
	bool number = sa_parse(&sa, t->host, 0);
	sa_to(&sa, &ss);
	put_byte(t, V5);
	put_byte(t, CONNECT);
	put_byte(t, 0);
	if (!number) {
		put_byte(t, TYPE_NAME);
		put_byte(t, (unsigned)strlen(t->host));
		socks_put(t, t->host, strlen(t->host));
	} else if (sa.family == AF_INET) {
		put_byte(t, TYPE_V4);
		socks_put(t, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, 4);
	} else {
		put_byte(t, TYPE_V6);
		socks_put(t, &((const struct sockaddr_in6 *)(const void *)&ss)->sin6_addr, 16);
	}
	put_port(t);
	t->step = STEP_AUTH;
	return socks_ask(t, 5); /* the fifth byte is the first of an address, or the length of a name */
}

static enum proxy_step hear_method(struct proxy_talk *t)
{
	if (t->takes[0] != V5)
		return socks_refuse(t, "what answers is no SOCKS 5 proxy");
	if (t->takes[1] == PASSWORD && t->proxy->auth)
		return socks_authenticate(t);
	if (t->takes[1] == NO_METHOD)
		return socks_refuse(t, t->proxy->auth ? "it takes no passwords" : "it wants a user and a password");
	return t->takes[1] == NO_AUTH ? socks_request(t) : socks_refuse(t, "it wants to authenticate in an unknown way");
}

static enum proxy_step hear_auth(struct proxy_talk *t)
{
	return t->takes[1] == 0 ? socks_request(t) : socks_refuse(t, "it refused the user or the password");
}

static enum proxy_step hear_answer(struct proxy_talk *t)
{
	static const char *const said[] = { NULL, "general failure of the proxy", "the proxy's rules forbid it",
		"network unreachable", "host unreachable", "connection refused", "time to live expired", "it cannot connect",
		"it does not know such addresses" };
	unsigned code = t->takes[1], type = t->takes[3];
	if (t->takes[0] != V5)
		return socks_refuse(t, "what answers is no SOCKS 5 proxy");
	if (code != 0)
		return socks_refuse(t, code < sizeof said / sizeof said[0] ? said[code] : "it gave an unknown answer");
	if (type != TYPE_V4 && type != TYPE_V6 && type != TYPE_NAME)
		return socks_refuse(t, "it answered with an unknown kind of address");
	t->step = STEP_REST;
	t->needs = (type == TYPE_V4 ? 3u : type == TYPE_V6 ? 15u : t->takes[4]) + 2;
	return PROXY_GO_ON;
}

enum proxy_step socks_step(struct proxy_talk *t)
{
	bool old = t->proxy->kind == PROXY_SOCKS4 || t->proxy->kind == PROXY_SOCKS4A;
	t->sends_n = 0;
	if (old)
		return t->step == 0 ? ask_v4(t) : hear_v4(t);
	switch (t->step) {
	case STEP_GREET:
		return socks_greet(t);
	case STEP_METHOD:
		return hear_method(t);
	case STEP_AUTH:
		return hear_auth(t);
	case STEP_ANSWER:
		return hear_answer(t);
	default:
		return PROXY_DONE;
	}
}
