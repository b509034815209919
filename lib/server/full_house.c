/* A full house, and who gives way to a newcomer.
 *
 * First a client that has ended its side, has got everything that was queued for it, and is owed no answer (service->spare): it
 * may still listen, but it may as well be gone, which cannot be told from here. The oldest of them goes, those that never
 * spoke after all others: a client that ends its side at once and says nothing has come to listen. Then a setup that has not
 * passed yet, the oldest first: silence must not fill the house. Datagrams have no end: there a peer that has sent but one goes.
 */
#include "server/server_internal.h"

/* Its place is another's from here on, not only when it has been swept. */
static void take_place_of(struct server *s, struct session *i, enum session_end by)
{
	struct sa proxy;
	access_leave(s->access, proxied_peer_take(&s->proxied_peers, i->id, &proxy) ? &proxy : &i->peer);
	i->uncounted = true;
	session_end(i, by, CLOSE_PLAIN, NULL);
}

static bool holds_place_of(const struct server *s, const struct session *i, const struct sa *peer)
{
	struct sa proxy;
	return access_same(via_find(&s->proxied_peers, i->id, &proxy) ? &proxy : &i->peer, peer);
}

/* The one that would go; NULL: none would. peer: only one with its address (may be NULL). */
static struct session *spare_session(const struct server *s, const struct sa *peer)
{
	const struct service *service = s->service_run->service;
	struct session *silent = NULL;
	if (service->spare == NULL || s->service_run->all.half == 0)
		return NULL;
	for (struct session *i = s->service_run->all.first; i != NULL; i = i->next) {
		bool spoke = i->counters.in > 0;
		if (i->ended || !i->counters.in_ended || (!spoke && silent != NULL) || !service->spare(i))
			continue;
		if (peer != NULL && !holds_place_of(s, i, peer))
			continue;
		if (spoke)
			return i;
		silent = i;
	}
	return silent;
}

bool full_house_can_make_room(const struct server *s)
{
	return spare_session(s, NULL) != NULL;
}

bool full_house_make_room(struct server *s, const struct sa *peer, enum access_answer v)
{
	enum access_answer lacks = access_lacks(s->access, peer, loop_now(s->run->loop));
	bool own = lacks == ACCESS_PER_IP;
	struct session *i = own || lacks == ACCESS_YES ? spare_session(s, own ? peer : NULL) : NULL;
	if (i != NULL) {
		i->peer_done = true; /* it has got everything */
		take_place_of(s, i, END_FULL);
		return true;
	}
	return v == ACCESS_FULL && handshake_drop_oldest(&s->handshakes);
}

/* Forged senders never send a second one. */
bool full_house_make_room_dgram(struct server *s)
{
	struct session *i = s->service_run->all.first;
	while (i != NULL && (i->ended || i->counters.reads > 1))
		i = i->next;
	if (i != NULL)
		take_place_of(s, i, END_KICK);
	return i != NULL;
}
