/* Options that would do nothing are refused before anything is opened: what a run is (base/opt.h) is compared with what each
 * given option needs. */
#ifndef NET_IDLE_H
#define NET_IDLE_H

#include "net/addr.h"
#include "net/run.h"

struct service;

/* list: the addresses, of which one may be enough. facts: of WITH_DIAL, WITH_CLIENT, WITH_NEXT and WITH_NOTICE, what the mode
 * has. 0, or -1 with e: one sentence that names the option and what it would need. */
int idle_refuse(
	const struct run *run, const struct addr *list, size_t n, const struct service *service, unsigned facts, struct err *e);

#endif
