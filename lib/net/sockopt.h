/* Socket options by name: -o NAME[=VALUE], and the defaults every socket of ours gets. */
#ifndef NET_SOCKOPT_H
#define NET_SOCKOPT_H

#include "base/opt.h"
#include "net/addr.h"

enum sockopt_when {
	SOCKOPT_BIND = 1,
	SOCKOPT_CONNECT = 2,
	SOCKOPT_OPEN = 4
}; /* before bind / before connect or listen / on a connection */

extern const struct opt_group sockopt_opts; /* -o */
struct sockopt_conf;			    /* the block; defined in sockopt.c, a bounded list of {row, parsed value} */

/* Sets what belongs to this moment: our defaults first (TCP: nodelay, keepalive 60/10/6; listeners: reuseaddr, Unix and UDP
 * never), then the user's. Defaults that the system refuses are ignored; a user's option that it refuses is -1 with e naming it.
 */
int sockopt_apply(
	const struct conf *conf, int fd, enum addr_kind kind, sa_family_t family, enum sockopt_when when, struct err *e);
int sockopt_backlog(const struct conf *conf, int otherwise);
bool sockopt_has(const struct conf *conf, const char *name);

#endif
