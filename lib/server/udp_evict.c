/* A full server of datagrams: the oldest peer that has sent only one makes room for a new one. A sender with a forged address
 * never sends a second one. */
#include "server/server_internal.h"

bool udp_evict_one(struct server *s)
{
	struct session *i = s->service_run->all.first;
	while (i != NULL && (i->ended || i->counters.reads > 1))
		i = i->next;
	if (i != NULL)
		full_house_take_place(s, i, END_KICK);
	return i != NULL;
}
