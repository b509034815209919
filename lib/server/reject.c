/* Refused connections: the event, and for a client over --max the notice. */
#include "server/server_internal.h"

#include "base/sys.h"
#include "stream/fdstream.h"

#include <string.h>

enum { NOTICE_MS = 2000 };

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

void reject_tell(const struct server *s, const struct sa *peer, enum access_answer v)
{
	char text[SA_TEXT];
	event(s->run->events, EV_REJECT, 0, EV_TEXT("peer", sa_text(peer, text)), EV_TEXT("reason", access_name(v)));
}

bool reject_notices(const struct server_conf *conf, const struct addr *a, const struct service *service)
{
	bool wanted = conf->when_full == FULL_AUTO ? (service->needs & NOTICE_FULL) != 0 : conf->when_full == FULL_NOTICE;
	return wanted && !a->tls; /* text before the handshake would be no TLS */
}

/* A text and the end of its line. True: some of it is sent; a fresh socket takes it whole, but a write can be short. */
static bool send_notice(int fd, const char *text, const char *end)
{
	const size_t n = strlen(text), whole = n + strlen(end);
	size_t at = 0;
	ssize_t sent = 1;
	while (at < whole && sent > 0) {
		size_t of_text = at < n ? at : n;
		struct iovec v[2] = { { (void *)(uintptr_t)(text + of_text), n - of_text },
			{ (void *)(uintptr_t)(end + (at - of_text)), whole - n - (at - of_text) } };
		struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
		sent = sys_sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL, false);
		at += sent > 0 ? (size_t)sent : 0;
	}
	return at > 0;
}

/* A client that has written already must read the notice, too: a plain close would reset it away. */
static void say_full(struct server *s, int fd)
{
	const char *text = s->opts.full_text;
	bool sent = text != NULL ? send_notice(fd, text, "") : send_notice(fd, s->conf->full_message, "\n");
	bool room = linger_count(s->run->linger) < linger_most(s->run->linger);
	struct stream *stream = sent && room ? fdstream_socket(fd, false) : NULL;
	if (stream != NULL)
		linger_take(s->run->linger, stream, loop_now(s->run->loop) + NOTICE_MS);
	else if (!sent || !room)
		sys_close(fd); /* in a flood no client costs an allocation */
}

void reject_peer(struct server *s, int fd, const struct sa *peer, enum access_answer v)
{
	reject_tell(s, peer, v);
	if (v == ACCESS_FULL && reject_notices(s->conf, &s->addr, s->service_run->service))
		say_full(s, fd);
	else
		sys_close(fd);
}
