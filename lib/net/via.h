/* From where clients really came whom a proxy announced: their places at the door are its, and their sessions know them by the
 * announced address alone. Kept apart, so that clients of servers without proxies pay nothing for it. */
#ifndef NET_VIA_H
#define NET_VIA_H

#include "base/table.h"
#include "net/sa.h"

int via_keep(struct table *all, uint32_t id, const struct sa *via);  /* -1: no memory */
bool via_find(const struct table *all, uint32_t id, struct sa *via); /* false: none */
bool via_take(struct table *all, uint32_t id, struct sa *via);	     /* forgets it; false: none */
void via_free(struct table *all);

#endif
