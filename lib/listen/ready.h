/* Reporting that and where a server listens: the events; for scripts -1/--print-port, --port-file, --ready-fd; for a service
 * manager sd_notify. */
#ifndef LISTEN_READY_H
#define LISTEN_READY_H

#include "listen/listener.h"

extern const struct opt_group ready_opts;
struct ready_conf {
	bool print_port;
	const char *port_file;
	int64_t ready_fd; /* 0: none */
};

struct ready;
/* Before any socket: refuses what could not work (a missing folder, a descriptor that is not open, a stdout that the service
 * uses). stdout_taken: the service writes payload there, so --ready-fd 1 is refused; --print-port is allowed as the one
 * exception. NULL with e (ERR_USAGE). */
struct ready *ready_open(const struct run *run, bool stdout_taken, struct err *e);
/* All sockets listen: reports it in each requested way. -1 with e (ERR_LOCAL; ERR_PIPE: our stdout has no reader). */
int ready_tell(struct ready *r, const struct listeners *l, const struct addr *a, struct err *e);
int ready_folder(const struct ready *r); /* of the port file, kept open for its removal; -1: none */
void ready_close(struct ready *takes);	 /* removes the port file, if it is still ours; NULL is fine */

#endif
