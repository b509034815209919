/* The rows of the socket options: how each value is read, at which moment and with which call it is set.
 *
 * A value is read with its option, so a bad one is found before there is a socket. Most rows are a plain int for setsockopt, at
 * one level for IPv4 and another for IPv6; the others have an apply function. Constants that a system lacks become SOCKOPT_NONE,
 * which every system refuses. */
#include "net/sockopt_internal.h"
#include "base/num.h"
#include "base/sys.h"

#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FASTOPEN_QUEUE = 16 };
enum {
	TCP = 1 << ADDR_TCP,
	UDP = 1 << ADDR_UDP,
	UNIX = 1 << ADDR_UNIX,
	DGRAM = 1 << ADDR_UNIX_DGRAM,
	ALL = TCP | UDP | UNIX | DGRAM
};

#ifndef TCP_USER_TIMEOUT
#define TCP_USER_TIMEOUT SOCKOPT_NONE
#endif
#ifndef TCP_FASTOPEN
#define TCP_FASTOPEN SOCKOPT_NONE
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT SOCKOPT_NONE
#endif
#ifndef TCP_CONGESTION
#define TCP_CONGESTION SOCKOPT_NONE
#endif
#ifndef SO_MARK
#define SO_MARK SOCKOPT_NONE
#endif
#ifndef SO_BINDTODEVICE
#define SO_BINDTODEVICE SOCKOPT_NONE
#endif
#ifndef IP_MINTTL
#define IP_MINTTL SOCKOPT_NONE
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT SOCKOPT_NONE
#endif
#ifndef SO_REUSEPORT
#define SO_REUSEPORT SOCKOPT_NONE
#endif

/* --- values --- */

static int parse_switch(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	static const struct {
		const char *word;
		int n;
	} words[] = { { "on", 1 }, { "off", 0 }, { "yes", 1 }, { "no", 0 }, { "1", 1 }, { "0", 0 } };
	(void)row;
	v->n = 1;
	if (text == NULL)
		return 0;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].word, text) == 0) {
			v->n = words[i].n;
			return 0;
		}
	return err_set(e, ERR_USAGE, 0, "expected on or off");
}

static int parse_int(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	int64_t n = FASTOPEN_QUEUE; /* the only row whose number may be left out */
	if (text != NULL && num_int(text, row->min, row->max, &n, e) != 0)
		return -1;
	v->n = (int)(uint32_t)n; /* a mark has 32 bits without a sign */
	return 0;
}

static int parse_size(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	int64_t n = 0;
	if (num_size(text, &n, e) != 0)
		return -1;
	if (n < row->min || n > row->max)
		return err_set(e, ERR_USAGE, 0, "expected %lld to %lld bytes", row->min, row->max);
	v->n = (int)n;
	return 0;
}

static int parse_ms(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	int64_t n = 0;
	if (num_duration(text, false, &n, e) != 0)
		return -1;
	if (n > row->max)
		return err_set(e, ERR_USAGE, 0, "expected %lld ms at most", row->max);
	v->n = (int)n;
	return 0;
}

/* IDLE,INTVL,CNT; the later ones may be left out. */
static int parse_keepalive(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	int *const parts[] = { &v->n, &v->interval, &v->count };
	*v = (struct sockopt_value){ .n = SOCKOPT_IDLE_S, .interval = SOCKOPT_INTERVAL_S, .count = SOCKOPT_COUNT };
	if (text == NULL || strcmp(text, "on") == 0)
		return 0;
	if (strcmp(text, "off") == 0) {
		v->n = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		char part[16];
		int64_t n = 0;
		size_t len = strcspn(text, ",");
		snprintf(part, sizeof part, "%.*s", (int)(len < sizeof part ? len : 0), text);
		if (num_int(part, row->min, row->max, &n, e) != 0)
			return err_set(e, ERR_USAGE, 0, "expected IDLE,INTVL,CNT: seconds, seconds and how often, or off");
		*parts[i] = (int)n;
		text += len;
		if (*text == '\0')
			return 0;
		text++;
	}
	return err_set(e, ERR_USAGE, 0, "expected IDLE,INTVL,CNT and no more");
}

static const struct {
	const char *name;
	int tos; /* the whole byte: a DSCP stands in its upper six bits */
} tos_names[] = {
	{ "cs0", 0x00 },
	{ "cs1", 0x20 },
	{ "cs2", 0x40 },
	{ "cs3", 0x60 },
	{ "cs4", 0x80 },
	{ "cs5", 0xa0 },
	{ "cs6", 0xc0 },
	{ "cs7", 0xe0 },
	{ "af11", 0x28 },
	{ "af12", 0x30 },
	{ "af13", 0x38 },
	{ "af21", 0x48 },
	{ "af22", 0x50 },
	{ "af23", 0x58 },
	{ "af31", 0x68 },
	{ "af32", 0x70 },
	{ "af33", 0x78 },
	{ "af41", 0x88 },
	{ "af42", 0x90 },
	{ "af43", 0x98 },
	{ "ef", 0xb8 },
	{ "le", 0x04 },
	{ "lowdelay", 0x10 },
	{ "throughput", 0x08 },
	{ "reliability", 0x04 },
	{ "mincost", 0x02 },
};

/* A name, or a number up to row->max; dscp (max 63) is shifted into its place. Hexadecimal, as tables print these numbers. */
static int parse_tos(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	int64_t n = 0;
	for (size_t i = 0; i < sizeof tos_names / sizeof *tos_names; i++)
		if (strcmp(tos_names[i].name, text) == 0) {
			v->n = tos_names[i].tos;
			return 0;
		}
	size_t hex = strncmp(text, "0x", 2) == 0 ? strspn(text + 2, "0123456789abcdefABCDEF") : 0;
	if (hex > 0 && hex <= 2 && text[2 + hex] == '\0')
		n = (int64_t)strtol(text, NULL, 16);
	else if (num_int(text, row->min, row->max, &n, NULL) != 0)
		n = row->max + 1;
	if (n > row->max)
		return err_set(
			e, ERR_USAGE, 0, "expected a number up to %lld or a name such as ef, af21, cs1 or lowdelay", row->max);
	v->n = (int)(row->max == 63 ? n << 2 : n);
	return 0;
}

static int parse_device(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	(void)row;
	if (if_nametoindex(text) == 0)
		return err_set(e, ERR_USAGE, 0, "there is no such interface");
	v->text = text;
	return 0;
}

static int parse_name(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	size_t len = strlen(text);
	if (len == 0 || len > (size_t)row->max)
		return err_set(e, ERR_USAGE, 0, "expected a name of 1 to %lld characters", row->max);
	v->text = text;
	return 0;
}

static int parse_multicast(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e)
{
	char group[SA_TEXT];
	size_t len = strcspn(text, "@");
	(void)row;
	snprintf(group, sizeof group, "%.*s", (int)(len < sizeof group ? len : sizeof group), text);
	if (strchr(group, '%') != NULL || !sa_parse(&v->group, group, 0) || !sa_multicast(&v->group))
		return err_set(e, ERR_USAGE, 0, "expected a multicast address such as 239.1.2.3 or ff02::1234, and @INTERFACE");
	if (text[len] == '@' && (v->interface = if_nametoindex(text + len + 1)) == 0)
		return err_set(e, ERR_USAGE, 0, "there is no such interface");
	return 0;
}

/* --- applying --- */

int sockopt_int(int fd, int level, int name, int n)
{
	return sys_setsockopt(fd, level, name, &n, sizeof n);
}

static int apply_keepalive(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v)
{
	(void)family;
	(void)when;
	if (sockopt_int(fd, SOL_SOCKET, SO_KEEPALIVE, v->n > 0) != 0 || v->n == 0)
		return v->n == 0 ? 0 : -1;
	if (sockopt_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, v->n) != 0 ||
		sockopt_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, v->interval) != 0)
		return -1;
	return sockopt_int(fd, IPPROTO_TCP, TCP_KEEPCNT, v->count);
}

static int apply_device(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v)
{
	(void)family;
	(void)when;
	return sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, v->text, (socklen_t)strlen(v->text) + 1);
}

static int apply_congestion(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v)
{
	(void)family;
	(void)when;
	int rc = sys_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, v->text, (socklen_t)strlen(v->text));
	if (rc != 0 && errno == ENOENT)
		errno = EPROTONOSUPPORT; /* Linux looks for a module of that name and says "no such file" */
	return rc;
}

static int apply_linger(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v)
{
	const struct linger l = { .l_onoff = 1, .l_linger = v->n };
	(void)family;
	(void)when;
	return sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

static int apply_fastopen(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v)
{
	(void)family;
	if (when & SOCKOPT_LISTEN)
		return sockopt_int(fd, IPPROTO_TCP, TCP_FASTOPEN, v->n);
	return sockopt_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
}

/* On Linux a socket bound to a wildcard receives every group that any program has joined, unless told otherwise. */
static void only_own_groups(int fd, sa_family_t family)
{
#if defined(IP_MULTICAST_ALL) && defined(IPV6_MULTICAST_ALL)
	if (family == AF_INET)
		sockopt_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	else
		sockopt_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#else
	(void)fd;
	(void)family;
#endif
}

/* A server may have a socket for each family: the group is joined on the one of its family. */
static int apply_multicast(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v)
{
	struct group_req join = { .gr_interface = v->interface };
	const struct ip_mreqn out4 = { .imr_ifindex = (int)v->interface };
	(void)when;
	if (v->group.family != family)
		return 0;
	sa_to(&v->group, &join.gr_group);
	only_own_groups(fd, family);
	if (sys_setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &join, sizeof join) != 0)
		return -1;
	if (v->interface == 0)
		return 0;
	if (family == AF_INET6)
		return sockopt_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)v->interface);
	return sys_setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out4, sizeof out4);
}

/* --- the rows --- */

enum { BIND = SOCKOPT_BIND, CONNECT = SOCKOPT_CONNECT, OPEN = SOCKOPT_OPEN, LISTEN = SOCKOPT_LISTEN };

#define AT(level, name) level, name, level, name
#define PER_FAMILY(name4, name6) IPPROTO_IP, name4, IPPROTO_IPV6, name6
#define ONLY6(level, name) SOCKOPT_NONE, SOCKOPT_NONE, level, name
#define OWN AT(SOCKOPT_NONE, SOCKOPT_NONE)

/* clang-format off */
/* Not every system passes a listener's options to accepted sockets, so some rows are set on both. */
#define ROWS(X) \
	X("nodelay", "[=on|off]", TCP, OPEN, AT(IPPROTO_TCP, TCP_NODELAY), 0, 1, parse_switch, NULL, \
		"send small writes at once (the default)") \
	X("keepalive", "[=IDLE,INTVL,CNT|off]", TCP, OPEN, AT(SOL_SOCKET, SO_KEEPALIVE), 1, 32767, parse_keepalive, apply_keepalive, \
		"notice a dead peer: after IDLE seconds of silence ask every INTVL seconds, CNT times (60,10,6)") \
	X("ttl", "=N", TCP | UDP, BIND | OPEN, PER_FAMILY(IP_TTL, IPV6_UNICAST_HOPS), 1, 255, parse_int, NULL, \
		"hops that a packet may take") \
	X("minttl", "=N", TCP | UDP, BIND | OPEN, PER_FAMILY(IP_MINTTL, IPV6_MINHOPCOUNT), 1, 255, parse_int, NULL, \
		"drop packets that have come further: with fewer hops left") \
	X("tos", "=N|NAME", TCP | UDP, BIND | OPEN, PER_FAMILY(IP_TOS, IPV6_TCLASS), 0, 255, parse_tos, NULL, \
		"the type-of-service byte: a number, lowdelay, throughput, reliability, mincost, or a name as for dscp") \
	X("dscp", "=N|NAME", TCP | UDP, BIND | OPEN, PER_FAMILY(IP_TOS, IPV6_TCLASS), 0, 63, parse_tos, NULL, \
		"the differentiated services code point: a number, cs0 to cs7, af11 to af43, ef, le") \
	X("sndbuf", "=SIZE", ALL, BIND | OPEN, AT(SOL_SOCKET, SO_SNDBUF), 1, INT_MAX, parse_size, NULL, \
		"the kernel's send buffer") \
	X("rcvbuf", "=SIZE", ALL, BIND | OPEN, AT(SOL_SOCKET, SO_RCVBUF), 1, INT_MAX, parse_size, NULL, \
		"the kernel's receive buffer; without it UDP gets 4 MiB where the system allows that") \
	X("device", "=INTERFACE", TCP | UDP, BIND, OWN, 0, 0, parse_device, apply_device, \
		"use this interface only (Linux)") \
	X("mark", "=N", TCP | UDP, BIND | OPEN, AT(SOL_SOCKET, SO_MARK), 0, UINT32_MAX, parse_int, NULL, \
		"the mark of its packets for routing and filters (Linux, privileged)") \
	X("reuseport", "[=on|off]", TCP | UDP, BIND, AT(SOL_SOCKET, SO_REUSEPORT), 0, 1, parse_switch, NULL, \
		"share the port with other processes that say the same") \
	X("broadcast", "[=on|off]", UDP, BIND, AT(SOL_SOCKET, SO_BROADCAST), 0, 1, parse_switch, NULL, \
		"may send to broadcast addresses") \
	X("multicast", "=GROUP[@INTERFACE]", UDP, BIND, OWN, 0, 0, parse_multicast, apply_multicast, \
		"join a group, and send to groups through that interface") \
	X("linger", "=SECONDS", TCP, OPEN, AT(SOL_SOCKET, SO_LINGER), 0, 65535, parse_int, apply_linger, \
		"0: closing resets the connection; more: closing may wait so long, and everything else with it") \
	X("user-timeout", "=T", TCP, CONNECT | OPEN, AT(IPPROTO_TCP, TCP_USER_TIMEOUT), 0, INT_MAX, parse_ms, NULL, \
		"give up when sent data stays unacknowledged for T (Linux)") \
	X("debug", "[=on|off]", TCP | UDP, BIND | OPEN, AT(SOL_SOCKET, SO_DEBUG), 0, 1, parse_switch, NULL, \
		"the kernel's own debugging (privileged)") \
	X("fastopen", "[=N]", TCP, CONNECT | LISTEN, OWN, 1, 65535, parse_int, apply_fastopen, \
		"data in the first packet (Linux); a server lets N such connections wait") \
	X("mss", "=N", TCP, CONNECT | LISTEN, AT(IPPROTO_TCP, TCP_MAXSEG), 1, 65535, parse_int, NULL, \
		"bytes of a segment at most") \
	X("congestion", "=NAME", TCP, BIND | OPEN, OWN, 1, 15, parse_name, apply_congestion, \
		"how a sender finds its rate (Linux, FreeBSD); without it the system's way, on loopback reno instead of bbr") \
	X("v6only", "[=on|off]", TCP | UDP, BIND, ONLY6(IPPROTO_IPV6, IPV6_V6ONLY), 0, 1, parse_switch, NULL, \
		"off: an IPv6 socket takes IPv4 too") \
	X("mptcp", "[=on|off]", TCP, BIND, AT(SOCKOPT_NONE, SOCKOPT_MPTCP), 0, 1, parse_switch, NULL, \
		"Multipath TCP (Linux): a connection may use several ways at once; a peer without it gets plain TCP") \
	X("backlog", "=N", TCP | UNIX, LISTEN, AT(SOCKOPT_NONE, SOCKOPT_BACKLOG), 1, 65535, parse_int, NULL, \
		"connections that may wait to be accepted")
/* clang-format on */

#define ROW(name, takes, kinds, when, at, min, max, parse, apply, help) { name, takes, kinds, when, at, min, max, parse, apply },
const struct sockopt_row sockopt_rows[] = { ROWS(ROW){ NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL } };

#define MAN(name, takes, kinds, when, at, min, max, parse, apply, help) " " name takes ": " help "."
const char sockopt_man[] = "Set a socket option. May be given again and again; a later one wins." ROWS(MAN);
