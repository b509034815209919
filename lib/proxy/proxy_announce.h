/* Being a proxy ourselves: a PROXY header is the first thing sent on a connection that we dialed. */
#ifndef PROXY_PROXY_ANNOUNCE_H
#define PROXY_PROXY_ANNOUNCE_H

#include "base/opt.h"
#include "net/layer.h"

extern const struct opt_group proxy_announce_opts; /* --proxy-out */
struct proxy_announce_conf {
	unsigned version; /* PROXY_V1 or PROXY_V2; 0: none is sent */
};

int proxy_announce_start(const struct run *run, void **shared, struct err *e);
int proxy_announce_push(struct stream **top, const struct link *link, void *shared, struct err *e);

#endif
