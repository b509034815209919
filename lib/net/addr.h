/* ADDRESS as users write it: HOST PORT, HOST:PORT, [::1]:PORT, a URL, fd:N, systemd[:NAME], or a bare PORT for servers.
 *
 * Options (-u -4 -6 -U, lib/net/addr.c) say the same as a URL's scheme; if both are given they must agree. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/opt.h"
#include "net/sockaddr.h"

#include <sys/un.h>

enum addr_kind { ADDR_TCP, ADDR_UDP, ADDR_UNIX, ADDR_UNIX_DGRAM, ADDR_FD };

struct addr {
	enum addr_kind kind;
	sa_family_t family; /* AF_INET, AF_INET6, or AF_UNSPEC: either */
	bool tls;
	bool any;      /* a server's address without a host: every interface, */
	bool loopback; /* ... or with --local 127.0.0.1 and ::1 instead */
	uint16_t port;
	int fd, fds;	   /* ADDR_FD: the first inherited descriptor, and how many (systemd may pass several) */
	const char *ports; /* with ADDR_RANGES: the port words as given ("20-30,80"), borrowed; NULL otherwise */
	char host[256];	   /* name or numeric address; "" with any */
	char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* Unix; path[0] == '\0' && path_len > 0: abstract */
	size_t path_len;
	char text[320]; /* as it is shown to the user: "[::1]:80", "unix:/tmp/s" */
};

extern const struct opt_group addr_opts;
struct addr_conf {
	bool v4, v6, udp, unix_path, tls, numeric, local;
};

enum {
	ADDR_SERVER = 1,
	ADDR_RANGES = 2,
	ADDR_MANY = 4
}; /* a bare PORT is allowed / PORT may be a list of ranges / words may follow */

/* Reads the words as one ADDRESS; *used says how many it took (1 or 2), which must be all, without ADDR_MANY: a further word is
 * refused. -1 with e (ERR_USAGE) that names the word and what was expected. Opens nothing, asks no DNS. */
int addr_parse(
	struct addr *a, const struct addr_conf *conf, unsigned flags, int argc, char *const argv[], int *used, struct err *e);

/* The next ports of a list such as "20-30,80,http": 1 and *first to *last; 0 at its end; -1 with e. Start with *at = a->ports; it
 * is NULL at the end. */
int addr_range(const char **at, const char *proto, uint16_t *first, uint16_t *last, struct err *e);

bool addr_dgram(const struct addr *a); /* of an inherited descriptor: asks it */
bool addr_local(const struct addr *a); /* Unix or fd */
/* sockaddr of a Unix address. */
socklen_t addr_unix(const struct addr *a, struct sockaddr_un *un);

#endif
