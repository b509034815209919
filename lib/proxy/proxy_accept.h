/* Serving behind a proxy (haproxy, a load balancer, another sockctl) that says with a PROXY header whom it brings.
 *
 * Who may say so is a question of admission (access.c), asked before a byte is read; the header itself is taken by a layer at the
 * bottom, within the one deadline of all setups; then whom it announces is admitted, or not, and is the session's peer. */
#ifndef PROXY_PROXY_ACCEPT_H
#define PROXY_PROXY_ACCEPT_H

#include "base/opt.h"
#include "proxy/proxy_header.h"
#include "net/layer.h"

extern const struct opt_group proxy_accept_opts; /* --proxy-in --proxy-from */
struct proxy_accept_conf {
	unsigned versions; /* PROXY_V1, PROXY_V2; 0: no header is taken */
	struct opt_list from;
};

int proxy_accept_start(const struct run *run, void **shared, struct err *e);
int proxy_accept_push(struct stream **top, const struct link *link, void *shared, struct err *e);

/* What the header said; NULL: none was asked for, or it has not come, see proxy_accept_waits. Lives as long as the stream. */
const struct proxy_header *proxy_accept_said(const struct stream *top);
bool proxy_accept_waits(const struct stream *top); /* it has not come whole, or is none */

#endif
