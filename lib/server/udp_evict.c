/* Peers of datagrams that make room for others.
 *
 * A full server: the oldest peer that has sent only one datagram goes. A sender with a forged address never sends a second one.
 *
 * listen -k, which has one peer at a time: a later sender waits, with its datagrams in its queue, until the service can spare the
 * present one, or it has ended. A datagram of that one which comes later begins a new turn, after those that wait. */
#include "server/server_internal.h"

#include "udp/udp.h"

bool udp_evict_one(struct server *s)
{
	struct session *i = s->service_run->all.first;
	while (i != NULL && (i->ended || i->counters.reads > 1))
		i = i->next;
	if (i != NULL)
		full_house_take_place(s, i, END_KICK);
	return i != NULL;
}

void udp_give_turn(struct server *s)
{
	struct session *i = s->service_run->all.first;
	bool (*spare)(const struct session *s) = s->service_run->service->spare;
	if (!s->opts.one || i == NULL || i->ended || !(i->stream->caps & ST_DGRAM) || !handshakes_in_turn(&s->handshakes))
		return;
	if (spare == NULL || !spare(i))
		return;
	udp_forget(i->stream);
	session_end(i, END_FULL, CLOSE_PLAIN, NULL);
}
