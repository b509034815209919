/* The proxies of announced clients: a client's place belongs to its proxy, but its session knows only the announced address. Kept
 * in a table of its own, so that servers without proxies pay nothing. */
#ifndef SERVER_PROXIED_PEER_H
#define SERVER_PROXIED_PEER_H

#include "base/event.h"
#include "base/table.h"
#include "net/sockaddr.h"
#include "proxy/proxy_header.h"

/* The event: proxy has said this of its client. */
void proxied_peer_tell(const struct event_sink *events, uint32_t id, const struct sa *proxy, const struct proxy_header *said);
int proxied_peer_keep(struct table *all, uint32_t id, const struct sa *proxy);	/* -1: no memory */
bool proxied_peer_find(const struct table *all, uint32_t id, struct sa *proxy); /* false: none */
bool proxied_peer_take(struct table *all, uint32_t id, struct sa *proxy);	/* removes it; false: none */
void proxied_peer_free(struct table *all);

#endif
