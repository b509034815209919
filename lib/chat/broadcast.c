/* Members that receive each other's lines (broadcast.h has the rules).
 *
 * A member's turn sends once, reads once, and arms its waiter for what the stream needs; a member that could go on at once is
 * deferred to the next turn, so that the others get theirs. A message for a member is only queued, and sent in its next turn.
 *
 *   over     more than half the queue waits. Counted in hurried while not slow; hurried > 0 stops the reading of speakers.
 *   slow     was over for BROADCAST_HURRY_MS, or the queue was full: misses lines, counted, until the queue is sent; then told.
 *   broken   nothing more can be sent. What the peer sent before is still read, then the member ends with that failure.
 *   leaving  broadcast_bye was called. The queue is sent, half-close, end: at once, or with `hears` after the peer's own EOF.
 *   drained  the run is about to end, and so is this member when no other could speak to it.
 *
 * Reads are bounded per turn, so a queue exceeds its limit by at most the result of one read. All members share one scratch
 * buffer for reading; the rest of an unfinished line moves to memory of the member's own. */
#include "chat/broadcast_internal.h"

#include "base/list.h"
#include "base/mem.h"

#include <errno.h>

enum { HALF_BYTES = BROADCAST_QUEUE_BYTES / 2 };

static struct loop *loop_of(const struct broadcast *r)
{
	return r->service_run->run->loop;
}

bool broadcast_dgram(const struct member *m)
{
	return m->session->stream->caps & ST_DGRAM;
}

void broadcast_look(struct member *m)
{
	loop_later(loop_of(m->broadcast), &m->turn);
}

void broadcast_fail(struct member *m, int sys, const char *text)
{
	const struct why why = { ERR_LOCAL, OF_PEER, sys, text };
	session_end(m->session, END_ERROR, CLOSE_PLAIN, &why);
}

static void end_slow(struct member *m)
{
	static const struct why why = { ERR_LOST, OF_PEER, ETIMEDOUT, "send to" };
	session_end(m->session, END_SLOW, CLOSE_RST, &why);
}

/* Reading and speaking */

bool broadcast_free(const struct broadcast *r)
{
	return r->hurried == 0;
}

static void on_broadcast_wake(void *arg)
{
	struct broadcast *r = arg;
	if (!r->held)
		for (struct member *m = r->first; m != NULL; m = m->next)
			broadcast_look(m);
	if (r->ready != NULL)
		r->ready(r->arg);
}

void broadcast_hold(struct broadcast *r, bool held)
{
	if (r->held != held)
		event(r->service_run->run->events, held ? EV_HOLD : EV_GO_ON, 0, EV_TEXT("reason", "stdout"),
			EV_TEXT("why", held ? "standard output cannot keep up" : "standard output has room"));
	if (r->held && !held)
		loop_later(loop_of(r), &r->wake);
	r->held = held;
}

bool broadcast_may_hear(const struct member *m)
{
	const struct broadcast *r = m->broadcast;
	return !m->eof && !m->session->ended && (!m->leaving || m->hears) && !r->held && (r->ops->aside || broadcast_free(r));
}

/* The queue has changed: is it over half, and must the speakers stop or go on? */
static void broadcast_weigh(struct member *m)
{
	struct broadcast *r = m->broadcast;
	bool over = m->out.bytes > HALF_BYTES && !m->slow && !m->broken && !m->session->ended;
	if (over == m->over)
		return;
	m->over = over;
	m->over_since_ms = loop_now(loop_of(r));
	r->hurried += over ? 1U : -1U;
	if (r->hurried == 0)
		loop_later(loop_of(r), &r->wake);
}

/* Being slow */

static void watch_pace(struct member *m)
{
	const struct broadcast *r = m->broadcast;
	int64_t at_ms = m->took_ms + r->slow_after_ms;
	if (m->over && r->slow != SLOW_WAIT && m->over_since_ms + BROADCAST_HURRY_MS < at_ms)
		at_ms = m->over_since_ms + BROADCAST_HURRY_MS;
	loop_timer(loop_of(r), &m->clock, m->wr_waits ? at_ms : NEVER);
}

static void mark_slow(struct member *m)
{
	if (m->broadcast->slow == SLOW_CLOSE) {
		end_slow(m);
		return;
	}
	m->slow = true;
	broadcast_weigh(m);
}

static void on_member_due(void *arg)
{
	struct member *m = arg;
	int64_t now_ms = loop_now(loop_of(m->broadcast));
	if (m->session->ended || !m->wr_waits)
		return;
	if (now_ms >= m->took_ms + m->broadcast->slow_after_ms) {
		end_slow(m);
		return;
	}
	if (m->over && m->broadcast->slow != SLOW_WAIT && now_ms >= m->over_since_ms + BROADCAST_HURRY_MS)
		mark_slow(m);
	watch_pace(m);
}

static uint32_t lines_in(const struct broadcast *r, const struct msg *msg)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < msg->len && !r->ops->raw; i++)
		n += msg->bytes[i] == '\n';
	return n > 0 ? n : 1;
}

void broadcast_lost(const struct member *m, uint32_t n, const char *things)
{
	event(m->broadcast->service_run->run->events, EV_LOST, m->session->id, EV_TEXT("what", "line"), EV_NUM("count", n),
		EV_TEXT("things", things));
}

static void tell_missed(struct member *m)
{
	char text[128];
	const struct broadcast_ops *ops = m->broadcast->ops;
	uint32_t missed = m->missed;
	m->slow = false;
	m->missed = 0;
	if (missed == 0)
		return;
	broadcast_lost(m, missed, "lines for a slow client");
	size_t n = ops->missed != NULL ? ops->missed(missed, text, sizeof text) : 0;
	struct msg *msg = n > 0 ? msg_new(text, n) : NULL;
	if (msg != NULL)
		broadcast_tell(m, msg);
	msg_drop(msg);
}

/* Sending */

/* lines: how many are in msg, counted when the first receiver misses them; 0: not yet. So a thousand slow receivers count
 * once. */
static bool broadcast_send_to(struct member *m, struct msg *msg, uint32_t *lines)
{
	if (m->leaving && m->drained && m->hears && m->broadcast->speaker != NULL)
		m->broadcast->speaker->unanswered = true;
	if (m->leaving || m->broken || (!m->slow && m->session->ended))
		return false;
	if (!m->slow && m->out.n == 0)
		m->took_ms = loop_now(loop_of(m->broadcast));
	if (!m->slow && outq_push(&m->out, msg, BROADCAST_QUEUE_BYTES) == 0) {
		broadcast_weigh(m);
		if (m->wr_waits)
			watch_pace(m);
		else
			broadcast_look(m);
		return true;
	}
	if (!m->slow && m->broadcast->slow == SLOW_WAIT)
		end_slow(m); /* nothing may be skipped, and there is no room */
	else if (!m->slow)
		mark_slow(m);
	if (*lines == 0)
		*lines = lines_in(m->broadcast, msg);
	m->missed += *lines;
	return false;
}

bool broadcast_tell(struct member *m, struct msg *msg)
{
	uint32_t lines = 0;
	return broadcast_send_to(m, msg, &lines);
}

void broadcast_say(struct broadcast *r, struct msg *msg, const struct member *except)
{
	uint32_t lines = 0;
	for (struct member *m = r->first; m != NULL; m = m->next)
		if (m != except)
			broadcast_send_to(m, msg, &lines);
}

/* In a drain: no other member will speak to it any more. */
static void bye_to_the_last(struct broadcast *r)
{
	struct member *m = r->first;
	while (m != NULL && m->departed)
		m = m->next;
	if (r->count == 1 && m != NULL && m->drained)
		broadcast_bye(m, (enum session_end)m->by, true);
}

void broadcast_depart(struct member *m)
{
	if (m->departed)
		return;
	m->departed = true;
	m->broadcast->count--;
	if (m->broadcast->ops->left != NULL)
		m->broadcast->ops->left(m);
	bye_to_the_last(m->broadcast);
}

void broadcast_bye(struct member *m, enum session_end by, bool hears)
{
	if (m->session->ended || (m->leaving && !m->hears)) /* a leaving member keeps its reason */
		return;
	m->leaving = true;
	m->hears = hears && !m->eof;
	m->by = (uint8_t)by;
	if (!m->hears)
		broadcast_depart(m);
	broadcast_look(m);
}

void broadcast_drain(struct member *m, enum session_end by)
{
	m->drained = true;
	if (!m->leaving)
		m->by = (uint8_t)by;
	if (m->broadcast->ops->aside || m->broadcast->count == 1 || m->eof || broadcast_dgram(m))
		broadcast_bye(m, by, true);
}

bool broadcast_holds(struct member *m)
{
	if (m->broadcast->ops->aside)
		broadcast_hear_last(m);
	return m->line_len > 0 || m->out.n > 0 || m->unsent || m->unanswered;
}

static void broadcast_broke(struct member *m)
{
	m->broken = true;
	m->why = m->session->stream->why;
	outq_free(&m->out);
	broadcast_weigh(m);
}

/* Everything is sent: a slow member has caught up, a leaving one may go. */
static void sent_all(struct member *m)
{
	if (m->slow)
		tell_missed(m);
	if (!m->leaving || m->shut || m->out.n > 0)
		return;
	int rc = stream_shut(m->session->stream);
	m->wr_waits = rc == ST_AGAIN;
	if (rc == ST_FAIL)
		broadcast_broke(m);
	if (rc == 0)
		m->shut = true;
}

static void send_some(struct member *m)
{
	size_t before = m->out.bytes;
	int rc = outq_send(&m->out, m->session->stream);
	if (m->out.bytes != before)
		m->took_ms = loop_now(loop_of(m->broadcast));
	m->wr_waits = m->unsent = rc == ST_AGAIN;
	broadcast_weigh(m);
	if (rc == ST_FAIL)
		broadcast_broke(m);
	else if (rc == OUTQ_MORE)
		broadcast_look(m);
	else if (rc == 0)
		sent_all(m);
	watch_pace(m);
}

bool broadcast_spent(const struct member *m)
{
	return m->eof && !m->leaving && !m->broken && m->out.n == 0 && !m->unsent && !m->session->ended;
}

/* Turns */

/* It will say no more, and is not sent more either. */
static bool hung_up(struct member *m)
{
	if (!m->waiter.hup || !m->eof || m->leaving || m->out.n > 0)
		return false;
	const struct why why = { ERR_LOST, OF_PEER, stream_error(m->session->stream), "send to" };
	session_end(m->session, why.sys != 0 ? END_ERROR : END_PEER, CLOSE_DONE, why.sys != 0 ? &why : NULL);
	return true;
}

static bool may_send(const struct member *m)
{
	return !m->broken && !m->wr_waits && (m->out.n > 0 || m->unsent || m->slow || (m->leaving && !m->shut));
}

static void on_member_turn(void *arg)
{
	struct member *m = arg;
	const struct session *s = m->session;
	if (s->ended || hung_up(m))
		return;
	if (may_send(m))
		send_some(m);
	if (broadcast_may_hear(m) && !m->rd_waits)
		broadcast_hear(m);
	if (m->broken && (m->eof || m->rd_waits || (m->leaving && !m->hears)))
		session_end(m->session, END_ERROR, CLOSE_PLAIN, &m->why);
	if (m->unanswered)
		session_too_late(m->session);
	if (m->leaving && m->shut && (!m->hears || broadcast_dgram(m)))
		session_end(m->session, (enum session_end)m->by, m->eof ? CLOSE_DONE : CLOSE_PLAIN, NULL);
	if (s->ended)
		return;
	if (m->broadcast->ops->spent != NULL && broadcast_spent(m))
		m->broadcast->ops->spent(m);
	if (broadcast_may_hear(m) && !m->rd_waits)
		broadcast_look(m);
	if (waiter_arm(&m->waiter, m->rd_waits && broadcast_may_hear(m), m->wr_waits) != 0)
		broadcast_fail(m, errno, "wait for data from");
}

static void on_member_ready(void *arg)
{
	struct member *m = arg;
	m->rd_waits = m->wr_waits = false;
	on_member_turn(m);
}

/* Coming and going */

void broadcast_join(struct broadcast *r, struct member *m, struct session *s)
{
	m->session = s;
	m->broadcast = r;
	m->turn = (struct task){ .fn = on_member_turn, .arg = m };
	m->clock = (struct timer){ .fn = on_member_due, .arg = m };
	m->silence = (struct timer){ .fn = on_broadcast_silence, .arg = m };
	waiter_open(&m->waiter, loop_of(r), s->stream, on_member_ready, m);
	LIST_APPEND(r, m);
	r->count++;
	broadcast_look(m);
}

void broadcast_leave(struct member *m)
{
	struct broadcast *r = m->broadcast;
	broadcast_depart(m);
	if (m->missed > 0)
		broadcast_lost(m, m->missed, "lines for a slow client");
	LIST_REMOVE(r, m);
	waiter_close(&m->waiter);
	loop_timer(loop_of(r), &m->clock, NEVER);
	loop_timer(loop_of(r), &m->silence, NEVER);
	loop_forget(loop_of(r), &m->turn);
	outq_free(&m->out);
	broadcast_weigh(m);
	mem_free(m->line);
	m->line = NULL;
}

int broadcast_open(struct broadcast *r, struct service_run *service_run, const struct broadcast_ops *ops,
	enum broadcast_slow automatic, struct err *e)
{
	const struct broadcast_conf *conf = conf_get(service_run->run->conf, &broadcast_opts);
	*r = (struct broadcast){ .service_run = service_run, .ops = ops };
	r->slow = conf->slow == SLOW_AUTO ? automatic : (enum broadcast_slow)conf->slow;
	r->slow_after_ms = conf->slow_after_ms;
	r->max_line = (uint32_t)conf->max_line;
	if (broadcast_whole_lines(service_run->run->conf, &r->whole_lines, e) != 0)
		return -1;
	r->wake = (struct task){ .fn = on_broadcast_wake, .arg = r };
	r->scratch = mem_raw(r->max_line + BROADCAST_READ_BYTES + 2);
	return r->scratch != NULL ? 0 : err_set(e, ERR_LOCAL, ENOMEM, "open the broadcast");
}

void broadcast_close(struct broadcast *r)
{
	loop_forget(loop_of(r), &r->wake);
	mem_free(r->scratch);
	r->scratch = NULL;
}
