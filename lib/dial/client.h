/* A run as a client: dials the address of the command line (--wait), gives the connection to a service, and with --reconnect
 * dials again. With a service that moves no payload (service_probe) the ports are only asked. */
#ifndef DIAL_CLIENT_H
#define DIAL_CLIENT_H

#include "net/service.h"

extern const struct opt_group reconnect_opts; /* --reconnect */
struct reconnect_conf {
	bool wanted;
};

size_t client_descriptors(const struct service *service); /* that such a run may hold at once */
/* The whole run. 0, or -1 with e; failures met on the way are in run->outcome. */
int client_main(const struct run *run, const struct service *service, struct err *e);

#endif
