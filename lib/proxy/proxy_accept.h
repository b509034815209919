/* Serving behind a proxy (haproxy, a load balancer, another sockctl) that names its client in a PROXY header.
 *
 * Whether a peer may send one is checked before a byte is read (access.c); a layer at the bottom reads the header within the
 * deadline of all setups; then the announced client is checked in turn and becomes the session's peer. */
#ifndef PROXY_PROXY_ACCEPT_H
#define PROXY_PROXY_ACCEPT_H

#include "base/opt.h"
#include "proxy/proxy_header.h"
#include "net/layer.h"

extern const struct opt_group proxy_accept_opts; /* --proxy-in --proxy-from */
struct proxy_accept_conf {
	unsigned versions; /* PROXY_V1, PROXY_V2; 0: no header is expected */
	struct opt_list from;
};

int proxy_accept_start(const struct run *run, void **shared, struct err *e);
int proxy_accept_push(struct stream **top, const struct link *link, void *shared, struct err *e);

/* The header; NULL: none is expected, or it has not come, see proxy_accept_waits. Lives as long as the stream; its texts, until
 * they are forgotten. */
const struct proxy_header *proxy_accept_said(const struct stream *top);
void proxy_accept_forget(struct stream *top);	   /* the texts */
bool proxy_accept_waits(const struct stream *top); /* the header is not complete, or is refused */

#endif
