/* A full server: which session makes room for a new client.
 *
 * First a client that has ended its side, has got everything queued for it, and is owed no answer (service->spare): it may still
 * read, or be gone, which cannot be told from here. The oldest of these goes; clients that never sent a byte go last, because a
 * client that ends its side at once has come to read. Then a setup that has not passed yet, the oldest first, so that silent
 * connections cannot fill the server. Datagrams have no end: see udp_evict.c. */
#include "server/server_internal.h"

void full_house_take_place(struct server *s, struct session *i, enum session_end by)
{
	struct sa proxy;
	access_leave(s->access, proxied_peer_take(&s->proxied_peers, i->id, &proxy) ? &proxy : &i->peer);
	i->uncounted = true;
	session_end(i, by, CLOSE_DONE, NULL); /* of a stream: it has got everything */
}

static bool holds_place_of(const struct server *s, const struct session *i, const struct sa *peer)
{
	struct sa proxy;
	return access_same(proxied_peer_find(&s->proxied_peers, i->id, &proxy) ? &proxy : &i->peer, peer);
}

/* The session that would make room; NULL: none. peer: only one with its address (may be NULL). */
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
		full_house_take_place(s, i, END_FULL);
		return true;
	}
	return v == ACCESS_FULL && handshake_drop_oldest(&s->handshakes);
}
