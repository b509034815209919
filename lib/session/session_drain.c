/* How connections finish when the run is about to end, for every cause of that.
 *
 * Each service sends its end (a half-close) as soon as nothing more is to be sent, and then reads the peer to its end, because
 * bytes acknowledged by our kernel must be delivered (service->drain). A service that only answers cannot deliver what comes
 * after its end: session_hear_out ends that connection with a reset at once, so that its peer knows.
 *
 * At the deadline session_cut closes plainly if nothing is undelivered, and that is no failure. If anything is, in the socket, a
 * layer or a queue of the service, the peer gets a reset, and no close_notify that would make it look complete. */
#include "session/session.h"

#include "stream/fdstream.h"

enum session_end service_run_ends_by(const struct service_run *service_run)
{
	return service_run->outlived ? END_LIFETIME : END_DRAIN;
}

void session_drain(struct session *s)
{
	if (s->ended || s->drained)
		return;
	s->drained = true;
	if (s->service_run->service->drain != NULL)
		s->service_run->service->drain(s);
	else
		session_end(s, service_run_ends_by(s->service_run), CLOSE_PLAIN, NULL);
}

void service_run_drain(struct service_run *service_run)
{
	service_run->draining = true;
	for (struct session *s = service_run->all.first; s != NULL; s = s->next)
		session_drain(s);
}

/* Bytes that a drain has lost count for more than the lifetime that was the drain's cause, and the first failure until then. */
void service_run_lost(const struct service_run *service_run, struct err *e)
{
	struct err *first = &service_run->run->outcome->first;
	if (service_run->outlived && first->cls == ERR_TIMEOUT) {
		err_prefix(e, "--lifetime is over");
		*first = (struct err){ 0 };
	}
	run_fail(service_run->run, e);
}

void session_drain_failed(struct session *s)
{
	struct err e = { 0 };
	bool reported = s->by == END_DRAIN || s->by == END_LIFETIME || s->by == END_SIGNAL;
	if (!s->drained || reported || !stream_unread(s->stream))
		return;
	session_words(s, &e);
	e.cls = ERR_LOST;
	service_run_lost(s->service_run, &e);
}

void session_too_late(struct session *s)
{
	static const struct why late = { ERR_LOST, OF_PEER, 0, "drain: bytes that can no longer be answered came from" };
	struct err e = { 0 };
	if (s->ended)
		return;
	session_end(s, service_run_ends_by(s->service_run), CLOSE_RST, &late);
	session_words(s, &e);
	service_run_lost(s->service_run, &e);
}

bool session_hear_out(struct session *s, bool owes)
{
	char byte;
	ssize_t got = stream_read(s->stream, &byte, 1);
	if (got == ST_AGAIN)
		return false;
	if (got > 0 || (got == 0 && owes)) {
		session_too_late(s);
	} else if (got == ST_FAIL) {
		session_end(s, END_ERROR, CLOSE_PLAIN, &s->stream->why);
	} else {
		session_end(s, service_run_ends_by(s->service_run), CLOSE_DONE, NULL);
	}
	return true;
}

static bool session_drain_undelivered(struct session *s)
{
	const struct service *service = s->service_run->service;
	if ((service->holds != NULL && service->holds(s)) || stream_unread(s->stream))
		return true;
	return stream_last(s->stream) != 0 || (s->counters.out > 0 && stream_unacked(s->stream));
}

/* Bytes between a last check and the close would be acknowledged and lost: so stop receiving first, then check. */
static bool session_drain_arrives(struct session *s)
{
	stream_shut(s->stream);
	fdstream_deafen(stream_bottom(s->stream));
	return stream_unread(s->stream);
}

bool session_cut(struct session *s, enum session_end by)
{
	static const struct why cut = { ERR_LOST, OF_PEER, 0, "cut short before everything was delivered: the connection with" };
	if (s->ended)
		return false;
	bool dgram = s->stream->caps & ST_DGRAM, lossy = !dgram && (session_drain_undelivered(s) || session_drain_arrives(s));
	session_end(s, by, lossy ? CLOSE_RST : CLOSE_DONE, lossy ? &cut : NULL);
	return lossy;
}
