/* Private to the socket options (sockopt.c, sockopt_table.c): a row, and a value that was read for it. */
#ifndef NET_SOCKOPT_INTERNAL_H
#define NET_SOCKOPT_INTERNAL_H

#include "net/sockopt.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { SOCKOPT_NONE = -1, SOCKOPT_IDLE_S = 60, SOCKOPT_SOON_S = 20, SOCKOPT_INTERVAL_S = 10, SOCKOPT_COUNT = 6 };
enum { SOCKOPT_BACKLOG = 1, SOCKOPT_MPTCP = 2 }; /* names of -o backlog and mptcp, which are listen's and socket's; level NONE */

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_KEEPIDLE
#ifdef TCP_KEEPALIVE
#define TCP_KEEPIDLE TCP_KEEPALIVE
#else
#define TCP_KEEPIDLE SOCKOPT_NONE
#endif
#endif

struct sockopt_value {
	int n;
	int interval, count; /* keepalive; 0: unchanged */
	const char *text;    /* device, congestion; borrowed from argv */
	struct sa group;     /* multicast */
	unsigned interface;  /* multicast; 0: the system's choice */
};

struct sockopt_row {
	const char *name, *takes; /* "[=...]": may come without value; "=...": must not */
	unsigned kinds, when;
	int level4, name4, level6, name6; /* SOCKOPT_NONE as level: nothing to set for this family */
	long long min, max;
	int (*parse)(const struct sockopt_row *row, const char *text, struct sockopt_value *v, struct err *e);
	int (*apply)(int fd, sa_family_t family, unsigned when, const struct sockopt_value *v); /* NULL: the int at its level */
};

extern const struct sockopt_row sockopt_rows[]; /* ends with a row whose name is NULL */
extern const char sockopt_man[];

int sockopt_int(int fd, int level, int name, int n); /* setsockopt with an int */

#endif
