/* From where clients really came whom a proxy announced: their places at the door are its, and their sessions know them by the
 * announced address alone. Kept apart, so that clients of servers without proxies pay nothing for it. */
#ifndef SERVER_PROXIED_PEER_H
#define SERVER_PROXIED_PEER_H

#include "base/table.h"
#include "net/sockaddr.h"

int proxied_peer_keep(struct table *all, uint32_t id, const struct sa *proxy); /* -1: no memory */
bool via_find(const struct table *all, uint32_t id, struct sa *proxy);	       /* false: none */
bool proxied_peer_take(struct table *all, uint32_t id, struct sa *proxy);      /* forgets it; false: none */
void proxied_peer_free(struct table *all);

#endif
