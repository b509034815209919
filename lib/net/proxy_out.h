/* Being a proxy ourselves: a PROXY header before all else that we send on a connection that we dialed. */
#ifndef NET_PROXY_OUT_H
#define NET_PROXY_OUT_H

#include "base/opt.h"
#include "net/layer.h"

extern const struct opt_group proxy_out_opts; /* --proxy-out */
struct proxy_out_conf {
	unsigned version; /* PROXY_V1 or PROXY_V2; 0: none is sent */
};

int proxy_out_start(const struct env *env, void **shared, struct err *e);
int proxy_out_push(struct stream **top, const struct link *link, void *shared, struct err *e);

#endif
