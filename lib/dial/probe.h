/* connect --probe: is a port open? Connects and sends nothing (UDP: one empty datagram, or --probe-data), one line a port on
 * stdout. */
#ifndef DIAL_PROBE_H
#define DIAL_PROBE_H

#include "dial/dial.h"
#include "net/service.h"

enum { PROBE_NO, PROBE_SHOW, PROBE_QUIET };
enum { UNTIL_OPEN, UNTIL_CLOSED };
extern const struct opt_group probe_opts; /* --probe --until --all --probe-data --stable */
struct probe_conf {
	int probe; /* PROBE_NO .. PROBE_QUIET */
	int until; /* UNTIL_OPEN: one port is open; UNTIL_CLOSED: all are closed */
	bool all;  /* every port must be open */
	const char *data;
	int64_t stable_ms;
};

/* What a client that only asks has for a service: no connection of it becomes a session. */
extern const struct service service_probe;

/* Before rights are given up (sandbox/sandbox_opts.h): everything that TLS needs. Borrows list until layers_stop. 0, or -1 with
 * e.
 */
int probe_start(const struct run *run, const struct addr *list, size_t n, struct err *e);
/* Reads what needs files (names of ports), gives up rights, and answers for each port of each address (several at a time, printed
 * in order): open, refused, unreachable, no answer, or not found. 0 if one is open, or as --all and --until want it (or if the
 * run was stopped: the outcome says by what), or -1 with e: the class of the last failure.
 */
int probe_run(const struct run *run, const struct addr *list, size_t n, struct err *e);

#endif
