/* Telling that we listen, and where: the events, and for scripts -1/--print-port, --port-file, --ready-fd,
 * for a service manager sd_notify. */
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
/* Before any socket: refuses what could not work (a folder that is not there, a descriptor that is not open, stdout taken by the
 * service). stdout_taken: the service writes payload there, so --ready-fd 1 is refused; --print-port is not: the port is the one
 * stated exception. NULL with e (ERR_USAGE). */
struct ready *ready_open(const struct run *run, bool stdout_taken, struct err *e);
/* All sockets listen: tell it in each way that was asked for. -1 with e (ERR_LOCAL; ERR_PIPE: nobody reads our stdout). */
int ready_tell(struct ready *r, const struct listeners *l, const struct addr *a, struct err *e);
int ready_folder(const struct ready *r); /* of the port file, kept open for its removal; -1: none */
void ready_close(struct ready *takes);	 /* removes the port file, if it is still ours; NULL is fine */

#endif
