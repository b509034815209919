/* Numeric socket addresses (sockaddr.h): between the system's structs, text, and 32 bytes that fit into every session.
 *
 * An IPv4 address mapped into IPv6 (::ffff:a.b.c.d) becomes plain IPv4 here, so that no other code handles the mapped form.
 * Nothing here asks a name server. */
#include "net/sockaddr.h"

#include "base/sys.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct sockaddr_in6) <= sizeof((struct sa *)0)->b, "an IPv6 address fits into struct sa");

static struct sockaddr_in sockaddr_in4(const struct sa *sa)
{
	struct sockaddr_in in;
	memcpy(&in, sa->b, sizeof in);
	return in;
}

static struct sockaddr_in6 sockaddr_as_in6(const struct sa *sa)
{
	struct sockaddr_in6 in;
	memcpy(&in, sa->b, sizeof in);
	return in;
}

static void sockaddr_keep(struct sa *sa, sa_family_t family, const void *bytes, size_t len)
{
	sa->family = family;
	sa->len = (uint16_t)len;
	memcpy(sa->b, bytes, len);
}

static void sockaddr_unmap(struct sa *sa, const struct sockaddr_in6 *from)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = from->sin6_port };
	memcpy(&to.sin_addr, from->sin6_addr.s6_addr + 12, sizeof to.sin_addr);
	sockaddr_keep(sa, AF_INET, &to, sizeof to);
}

void sa_from(struct sa *sa, const struct sockaddr *from, socklen_t len)
{
	struct sockaddr_in6 six;
	*sa = (struct sa){ 0 };
	if (len < offsetof(struct sockaddr, sa_data))
		return;
	switch (from->sa_family) {
	case AF_INET:
		if (len >= sizeof(struct sockaddr_in))
			sockaddr_keep(sa, AF_INET, from, sizeof(struct sockaddr_in));
		return;
	case AF_INET6:
		if (len < sizeof six)
			return;
		memcpy(&six, from, sizeof six);
		if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
			sockaddr_unmap(sa, &six);
		else
			sockaddr_keep(sa, AF_INET6, &six, sizeof six);
		return;
	case AF_UNIX:
		sa->family = AF_UNIX;
		return;
	default:
		return;
	}
}

socklen_t sa_to(const struct sa *sa, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof *to);
	to->ss_family = (sa_family_t)sa->family;
	if (sa->len == 0)
		return sizeof(sa_family_t);
	memcpy(to, sa->b, sa->len);
	return sa->len;
}

/* "eth0" or "2" after the percent sign; 0: there is no such interface. */
static uint32_t scope_of(const char *name)
{
	unsigned index = if_nametoindex(name);
	if (index != 0)
		return index;
	uint32_t n = 0;
	for (; *name >= '0' && *name <= '9' && n < 100000000; name++)
		n = n * 10 + (uint32_t)(*name - '0');
	return *name == '\0' ? n : 0;
}

static bool sockaddr_parse6(struct sa *sa, const char *numeric, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char host[INET6_ADDRSTRLEN];
	size_t n = strcspn(numeric, "%");
	if (n >= sizeof host)
		return false;
	memcpy(host, numeric, n);
	host[n] = '\0';
	if (inet_pton(AF_INET6, host, &six.sin6_addr) != 1)
		return false;
	if (numeric[n] == '%' && (six.sin6_scope_id = scope_of(numeric + n + 1)) == 0)
		return false;
	sa_from(sa, (const struct sockaddr *)(const void *)&six, sizeof six);
	return true;
}

bool sa_parse(struct sa *sa, const char *numeric, uint16_t port)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	*sa = (struct sa){ 0 };
	if (inet_pton(AF_INET, numeric, &four.sin_addr) != 1)
		return sockaddr_parse6(sa, numeric, port);
	sockaddr_keep(sa, AF_INET, &four, sizeof four);
	return true;
}

static int zone_fd = -1;

void sa_keep_zones(void)
{
	if (zone_fd < 0)
		zone_fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
}

void sa_free_zones(void)
{
	sys_close(zone_fd);
	zone_fd = -1;
}

static bool zone_name(unsigned index, char out[IF_NAMESIZE])
{
	if (zone_fd < 0)
		return if_indextoname(index, out) != NULL;
#ifdef SIOCGIFNAME
	struct ifreq ask = { .ifr_ifindex = (int)index };
	bool found = ioctl(zone_fd, SIOCGIFNAME, &ask) == 0;
	memcpy(out, ask.ifr_name, IF_NAMESIZE);
	return found;
#else
	return false;
#endif
}

/* Scopes are shown by name; by number when the interface has gone. */
static void sockaddr_host6(const struct sa *sa, char out[SA_TEXT])
{
	struct sockaddr_in6 six = sockaddr_as_in6(sa);
	char name[IF_NAMESIZE];
	if (inet_ntop(AF_INET6, &six.sin6_addr, out, SA_TEXT) == NULL)
		*out = '\0';
	size_t n = strlen(out);
	if (six.sin6_scope_id == 0)
		return;
	if (zone_name(six.sin6_scope_id, name))
		snprintf(out + n, SA_TEXT - n, "%%%s", name);
	else
		snprintf(out + n, SA_TEXT - n, "%%%u", (unsigned)six.sin6_scope_id);
}

const char *sa_host(const struct sa *sa, char out[SA_TEXT])
{
	struct sockaddr_in four;
	switch (sa->family) {
	case AF_INET:
		four = sockaddr_in4(sa);
		if (inet_ntop(AF_INET, &four.sin_addr, out, SA_TEXT) == NULL)
			*out = '\0';
		break;
	case AF_INET6:
		sockaddr_host6(sa, out);
		break;
	default:
		snprintf(out, SA_TEXT, "%s", sa->family == AF_UNIX ? "unix" : "unknown");
		break;
	}
	return out;
}

const char *sa_text(const struct sa *sa, char out[SA_TEXT])
{
	char host[SA_TEXT];
	if (sa->family != AF_INET && sa->family != AF_INET6)
		return sa_host(sa, out);
	bool six = sa->family == AF_INET6;
	snprintf(out, SA_TEXT, "%s%.70s%s:%u", six ? "[" : "", sa_host(sa, host), six ? "]" : "", (unsigned)sa_port(sa));
	return out;
}

uint16_t sa_port(const struct sa *sa)
{
	switch (sa->family) {
	case AF_INET:
		return ntohs(sockaddr_in4(sa).sin_port);
	case AF_INET6:
		return ntohs(sockaddr_as_in6(sa).sin6_port);
	default:
		return 0;
	}
}

void sa_set_port(struct sa *sa, uint16_t port)
{
	uint16_t wire = htons(port);
	if (sa->family == AF_INET)
		memcpy(sa->b + offsetof(struct sockaddr_in, sin_port), &wire, sizeof wire);
	else if (sa->family == AF_INET6)
		memcpy(sa->b + offsetof(struct sockaddr_in6, sin6_port), &wire, sizeof wire);
}

bool sa_loopback(const struct sa *sa)
{
	struct sockaddr_in6 six;
	switch (sa->family) {
	case AF_INET:
		return ntohl(sockaddr_in4(sa).sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		six = sockaddr_as_in6(sa);
		return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
	default:
		return false;
	}
}

bool sa_any(const struct sa *sa)
{
	struct sockaddr_in6 six;
	switch (sa->family) {
	case AF_INET:
		return sockaddr_in4(sa).sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		six = sockaddr_as_in6(sa);
		return IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr);
	default:
		return false;
	}
}

bool sa_multicast(const struct sa *sa)
{
	if (sa->family == AF_INET)
		return IN_MULTICAST(ntohl(sockaddr_in4(sa).sin_addr.s_addr));
	const struct sockaddr_in6 six = sockaddr_as_in6(sa);
	return sa->family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&six.sin6_addr);
}

/* A flow label is no part of an address, so the bytes cannot simply be compared. */
bool sa_equal(const struct sa *a, const struct sa *b)
{
	if (a->family != b->family || sa_port(a) != sa_port(b))
		return false;
	if (a->family == AF_INET)
		return sockaddr_in4(a).sin_addr.s_addr == sockaddr_in4(b).sin_addr.s_addr;
	if (a->family != AF_INET6)
		return true;
	struct sockaddr_in6 x = sockaddr_as_in6(a), y = sockaddr_as_in6(b);
	return IN6_ARE_ADDR_EQUAL(&x.sin6_addr, &y.sin6_addr) && x.sin6_scope_id == y.sin6_scope_id;
}

void sa_of(struct sa *sa, int fd, bool remote)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss;
	int r = remote ? getpeername(fd, (struct sockaddr *)&ss, &len) : getsockname(fd, (struct sockaddr *)&ss, &len);
	if (r != 0 || len > sizeof ss)
		len = 0;
	sa_from(sa, (const struct sockaddr *)&ss, len);
}
