/* Socket options by name: -o NAME[=VALUE], and the defaults every socket of ours gets. */
#ifndef NET_SOCKOPT_H
#define NET_SOCKOPT_H

#include "base/opt.h"
#include "net/addr.h"

enum sockopt_when { /* can be combined: a listener asks for BIND and LISTEN at once, before its bind */
	SOCKOPT_BIND = 1,
	SOCKOPT_CONNECT = 2,
	SOCKOPT_OPEN = 4, /* on a connection, dialed or accepted */
	SOCKOPT_LISTEN = 8,
	SOCKOPT_ACCEPTED = 16 /* as OPEN, for a connection that comes from a listener which had LISTEN */
};

extern const struct opt_group sockopt_opts; /* -o */
struct sockopt_conf;			    /* the block; defined in sockopt.c, a bounded list of {row, parsed value} */

/* -1 with e (ERR_USAGE) if the user gave an option that this kind of address, or this system, does not have. ADDR_FD: any but
 * mptcp may fit. */
int sockopt_fits(const struct conf *conf, enum addr_kind kind, struct err *e);

/* Sets the options of this moment: our defaults first (TCP: nodelay, keepalive 60/10/6, no pacing on loopback; listeners:
 * reuseaddr, Unix and UDP never), then the user's. `at`: of a listener, and of accepted sockets, its own address; of a dialed
 * socket the peer's; of a Unix socket only the family. Defaults that the system refuses are ignored; a refused user's option is
 * -1 with e naming it (ERR_USAGE). ADDR_FD: the descriptor is asked for its kind. */
int sockopt_apply(const struct conf *conf, int fd, enum addr_kind kind, const struct sa *at, unsigned when, struct err *e);
/* After a bind that failed: receivers of a group can share the port, which e then says, too. Returns -1. */
int sockopt_share_hint(const struct conf *conf, enum addr_kind kind, const struct sa *at, struct err *e);
/* The protocol of a new socket, for socket(2): IPPROTO_MPTCP with -o mptcp over TCP, else 0. */
int sockopt_protocol(const struct conf *conf, enum addr_kind kind);
int sockopt_backlog(const struct conf *conf, int otherwise);
/* The peer of this connection has ended its side: if it is gone altogether, keepalive is to detect that within 90 s. Its kernel
 * answers for it for 60 s. Nothing is done if the user has set keepalive's times. */
void sockopt_probe_soon(const struct conf *conf, int fd, const struct sa *peer);
/* Has the user set this one? By the level and name of setsockopt. */
bool sockopt_has(const struct conf *conf, int level, int name);

#endif
