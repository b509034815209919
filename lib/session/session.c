/* Sessions and the service run that they share.
 *
 * A session is open until session_end, then ended (it is found no more, but its memory and its stream are still there for callers
 * on the stack), then swept. Ending marks it and defers the sweep; only the sweep and service_run_close free it. Its clocks are
 * lazy: a moved byte only writes counters.used_ms, and the one timer reads it when it is due and sets itself again. A session
 * stays in the list until it is swept, so that a loop over the list may end any of them. */
#include "session/session.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"
#include "fault/fault.h"
#include "session/stats.h"
#include "session/tcp_facts.h"
#include "net/layer.h"
#include "net/sockopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LINGER_MS = 2000, UDP_IDLE_MS = 60000, WHY_TEXT = 512 };

/* Ten thousand idle clients may cost at most 2 KiB each, without the kernel's share: the service has the rest. */
_Static_assert(sizeof(struct session) + sizeof(struct stream) <= 440, "a client has grown");

static const char *const end_names[] = {
	[END_PEER] = "peer",
	[END_LOCAL] = "local",
	[END_IDLE] = "idle",
	[END_MAX_TIME] = "max_time",
	[END_LIFETIME] = "lifetime",
	[END_DRAIN] = "drain",
	[END_SLOW] = "slow",
	[END_FULL] = "full",
	[END_KICK] = "kick",
	[END_SIGNAL] = "signal",
	[END_CHILD] = "child",
	[END_FAULT] = "fault",
	[END_SCRIPT] = "script",
	[END_ERROR] = "error",
};

const char *session_label(const struct session *s, char out[SA_TEXT])
{
	char text[SA_TEXT];
	sa_text(&s->peer, text);
	text_show(out, SA_TEXT, text, strlen(text));
	return out;
}

void session_words(const struct session *s, struct err *e)
{
	char label[SA_TEXT];
	struct why why = { s->why.cls, OF_PEER, s->why.sys, "connection with" };
	err_why(e, s->why.text != NULL ? &s->why : &why, session_label(s, label));
}

/* Events */

static bool is_dgram(const struct session *s)
{
	return s->stream->caps & ST_DGRAM;
}

static void tell_open(const struct session *s)
{
	char label[SA_TEXT], local[SA_TEXT];
	bool local_kind = s->peer.family == AF_UNIX || s->local.family == AF_UNIX;
	const char *proto = local_kind ? (is_dgram(s) ? "unix-dgram" : "unix") : is_dgram(s) ? "udp" : "tcp";
	event(s->service_run->run->events, EV_OPEN, s->id, EV_TEXT("proto", proto), EV_TEXT("local", sa_text(&s->local, local)),
		EV_TEXT("peer", session_label(s, label)), EV_TEXT("role", s->dialed ? "dial" : "accept"),
		EV_NUM("active", s->service_run->all.count));
}

/* From here on only keepalive finds out that the peer is gone altogether. */
static void peer_ended(struct session *s)
{
	if (!s->ended)
		s->service_run->all.half++;
	if (s->stream->caps & ST_SOCK)
		sockopt_probe_soon(s->service_run->run->conf, stream_bottom(s->stream)->rfd, &s->peer);
}

static void tell_ended(struct counters *t, bool in)
{
	struct session *s = (struct session *)((char *)t - offsetof(struct session, counters));
	const struct event_sink *events = s->service_run->run->events;
	if (in)
		peer_ended(s);
	if (!in)
		event(events, EV_SENT, s->id, EV_NUM("bytes", t->out));
	if (!is_dgram(s))
		event(events, EV_EOF, s->id, EV_TEXT("dir", in ? "in" : "out"));
}

static const char *how_closed(const struct session *s)
{
	bool reset = s->how == CLOSE_RST || s->why.sys == ECONNRESET || s->why.sys == EPIPE;
	return is_dgram(s) ? NULL : reset ? "rst" : "fin";
}

static void tell_close(const struct session *s)
{
	if (!event_heard(s->service_run->run->events, EV_CLOSE))
		return;
	struct err e = { 0 };
	struct tcp_facts tcp;
	struct ev_field none = EV_TEXT("", NULL);
	char label[SA_TEXT], words[sizeof e.what + 2] = "", more[TCP_FACTS_WORDS];
	bool failed = s->why.cls != ERR_OK;
	int64_t born_us = s->born_us, first_us = s->counters.first_us, dur_us = loop_now_us(s->service_run->run->loop) - born_us;
	tcp_facts_ask(s->stream, dur_us, &tcp);
	if (failed) {
		session_words(s, &e);
		snprintf(words, sizeof words, ": %s", e.what);
	}
	event(s->service_run->run->events, EV_CLOSE, s->id, EV_TEXT("peer", session_label(s, label)),
		EV_TEXT("by", end_names[s->by]), EV_TEXT("how", how_closed(s)), EV_BOOL("truncated", s->why.cls == ERR_LOST),
		EV_TEXT("error", failed ? e.what : NULL), EV_SOME("errno", s->why.sys), EV_NUM("in", s->counters.in),
		EV_NUM("out", s->counters.out), EV_NUM("dur_us", dur_us),
		EV_SOME("first_us", first_us > born_us ? first_us - born_us : first_us != 0), EV_SOME("rtt_us", tcp.rtt_us),
		tcp.known ? EV_NUM("retrans", tcp.retrans) : none, EV_TEXT("limited", tcp.limited),
		tcp.timed ? EV_NUM("busy_us", tcp.busy_us) : none, tcp.timed ? EV_NUM("reader_us", tcp.reader_us) : none,
		tcp.timed ? EV_NUM("window_us", tcp.window_us) : none, EV_TEXT("words", words),
		EV_TEXT("more", tcp_facts_words(&tcp, more)));
}

/* A plain close with input still to come would become a reset, so a good end lingers. After a failure at our end the peer is to
 * see the reset, and a time limit must not be extended. */
static bool ends_well(const struct session *s)
{
	return s->how != CLOSE_RST && s->by != END_ERROR && s->why.cls == ERR_OK && (s->stream->caps & ST_DGRAM) == 0;
}

static void unlink_session(struct session *s)
{
	struct sessions *all = &s->service_run->all;
	table_remove(&all->by_id, &s->node);
	all->in += s->counters.in;
	all->out += s->counters.out;
	LIST_REMOVE(all, s);
	all->left--;
}

/* The expectation is checked when no more input can come. It decides the run, whatever else ended this connection. */
static void session_judge(struct session *s)
{
	static const struct why differs = { ERR_MISMATCH, OF_PEER, 0, "not what was expected came from" };
	const struct run *run = s->service_run->run;
	struct err e = { 0 }, also = { 0 };
	if (stream_verdict(s->stream, &e) == 0)
		return;
	session_words(s, &also);
	if (also.cls != ERR_OK && also.cls != e.cls)
		err_set(&e, e.cls, 0, "%s (%s)", e.what, also.what);
	if (e.cls == ERR_MISMATCH)
		s->why = differs;
	event(run->events, EV_FAIL, s->id, EV_TEXT("why", e.what));
	err_prefix(&e, "%s %u", s->dialed ? "connection" : "client", (unsigned)s->id);
	run_fail(run, &e);
}

/* The end of an ended session. Not from inside a callback that may still use it. */
static void sweep_with(struct session *s, bool may_linger)
{
	struct service_run *service_run = s->service_run;
	const struct run *run = service_run->run;
	char text[WHY_TEXT];
	if (service_run->service->close != NULL)
		service_run->service->close(s);
	session_judge(s);
	tell_close(s);
	if (s->why.text != NULL) { /* it may belong to a layer, and not outlive the stream */
		snprintf(text, sizeof text, "%s", s->why.text);
		s->why.text = text;
	}
	unlink_session(s);
	s->stream->counters = NULL;
	int64_t patience_ms = fault_patience_ms(s->stream);
	bool well = ends_well(s), done = s->how == CLOSE_DONE, lingers = well && !done && may_linger;
	if (well && done) /* a layer may send an end of its own (close_notify); a session cut by a signal sends none */
		lingers = stream_shut(s->stream) == ST_AGAIN && patience_ms > 0 && may_linger;
	if (lingers)
		linger_take(run->linger, s->stream, loop_now(run->loop) + LINGER_MS + patience_ms);
	else
		stream_close(s->stream, (enum close_how)s->how);
	s->stream = NULL;
	if (service_run->gone != NULL)
		service_run->gone(service_run->gone_arg, s);
	mem_free(s);
}

static void on_session_sweep(void *arg)
{
	sweep_with(arg, true);
}

static int64_t idle_limit(const struct session *s, const struct clock_conf *clocks)
{
	const struct conf *conf = s->service_run->run->conf;
	bool peer_of_server = !s->dialed && (s->stream->caps & ST_DGRAM) != 0;
	return peer_of_server && !CONF_GIVEN(conf, clock, idle_ms) ? UDP_IDLE_MS : clocks->idle_ms;
}

int64_t session_settle_ms(const struct session *s)
{
	return s->dialed ? NEVER : s->service_run->drain_ms;
}

static int64_t session_after(int64_t since_ms, int64_t limit_ms)
{
	return limit_ms > 0 && limit_ms < NEVER - since_ms ? since_ms + limit_ms : NEVER;
}

/* Ends the session if one of its limits has come; else sets the timer for the nearer one. */
static void on_session_clock(void *arg)
{
	static const struct why idle = { ERR_TIMEOUT, OF_PEER, 0, "idle timeout: no byte moved on the connection with" };
	static const struct why over = { ERR_TIMEOUT, OF_PEER, 0, "--max-time passed on the connection with" };
	struct session *s = arg;
	const struct run *run = s->service_run->run;
	const struct clock_conf *clocks = conf_get(run->conf, &clock_opts);
	int64_t now = loop_now(run->loop);
	int64_t idle_at = session_after(s->counters.used_ms, idle_limit(s, clocks)),
		over_at = session_after(s->born_us / 1000, clocks->max_ms);
	if (now >= over_at)
		session_end(s, END_MAX_TIME, CLOSE_PLAIN, &over);
	else if (now >= idle_at)
		session_end(s, END_IDLE, CLOSE_PLAIN, (s->stream->caps & ST_DGRAM) != 0 ? NULL : &idle);
	else
		loop_timer(run->loop, &s->clock, idle_at < over_at ? idle_at : over_at);
}

/* One block: the session, and after it the service's own memory, aligned for any type. */
static struct session *session_new(struct service_run *service_run)
{
	enum { ALIGN = sizeof(max_align_t) };
	size_t head = (sizeof(struct session) + ALIGN - 1) / ALIGN * ALIGN;
	struct session *s = mem_new(head + service_run->service->session_bytes);
	if (s == NULL)
		return NULL;
	s->service_run = service_run;
	s->mem = (char *)s + head;
	s->clock = (struct timer){ .fn = on_session_clock, .arg = s };
	s->sweep = (struct task){ .fn = on_session_sweep, .arg = s };
	return s;
}

static int session_enlist(struct session *s)
{
	struct sessions *all = &s->service_run->all;
	if (table_add(&all->by_id, &s->node, table_hash(&all->by_id, &s->id, sizeof s->id)) != 0)
		return -1;
	LIST_APPEND(all, s);
	all->count++;
	all->left++;
	return 0;
}

/* The service refused it: as if it had never existed, except for the events. */
static int session_refused(struct session *s, const struct err *e)
{
	const struct run *run = s->service_run->run;
	struct why why = { ERR_LOCAL, OF_PEER, e != NULL ? e->sys : 0, "service refused the connection with" };
	if (e != NULL && e->cls != ERR_OK)
		why.cls = e->cls;
	session_end(s, END_ERROR, CLOSE_RST, &why); /* a plain end would look like an answer of no bytes */
	loop_forget(run->loop, &s->sweep);
	tell_close(s);
	unlink_session(s);
	s->stream->counters = NULL;
	stream_close(s->stream, (enum close_how)s->how);
	mem_free(s);
	return -1;
}

int session_open(struct service_run *service_run, struct stream *takes, uint32_t id, bool dialed, const struct sa *peer,
	const struct sa *local, struct err *e)
{
	const struct run *run = service_run->run;
	struct session *s = session_new(service_run);
	if (s != NULL) {
		s->id = id;
		s->dialed = dialed;
		s->stream = takes;
		s->peer = *peer;
		s->local = *local;
	}
	if (s == NULL || session_enlist(s) != 0) {
		char label[SA_TEXT];
		mem_free(s);
		event(run->events, EV_REJECT, id, EV_TEXT("peer", sa_text(peer, label)), EV_TEXT("reason", "local"),
			EV_TEXT("error", "no memory"), EV_TEXT("words", ": no memory"));
		stream_close(takes, CLOSE_RST);
		return err_set(e, ERR_LOCAL, ENOMEM, "open a connection");
	}
	s->born_us = loop_now_us(run->loop);
	s->counters = (struct counters){ .loop = run->loop, .ended = tell_ended, .used_ms = loop_now(run->loop) };
	takes->counters = &s->counters;
	tell_open(s);
	on_session_clock(s);
	struct err why = { 0 };
	if (service_run->service->open(s, &why) != 0) {
		if (e != NULL)
			*e = why;
		return session_refused(s, &why);
	}
	if (service_run->draining)
		session_drain(s);
	return 0;
}

static bool same_id(const struct table_node *node, const void *key)
{
	const struct session *s = (const struct session *)((const char *)node - offsetof(struct session, node));
	return !s->ended && s->id == *(const uint32_t *)key;
}

struct session *session_find(const struct service_run *service_run, uint32_t id)
{
	const struct table *t = &service_run->all.by_id;
	struct table_node *node = table_find(t, table_hash(t, &id, sizeof id), same_id, &id);
	return node == NULL ? NULL : (struct session *)((char *)node - offsetof(struct session, node));
}

/* After a failure a plain close would look like the whole of what the peer waits for. Lost connections count with an errno only:
 * without one the peer's own end was bad (TLS without a goodbye). A local failure always counts. */
static bool has_failed(const struct session *s, enum session_end by, const struct why *why)
{
	bool lost = (why->cls == ERR_LOST || why->cls == ERR_NETWORK) && why->sys != 0;
	return by == END_ERROR && (lost || why->cls == ERR_LOCAL) && !is_dgram(s);
}

void session_end(struct session *s, enum session_end by, enum close_how how, const struct why *why)
{
	if (s->ended)
		return;
	s->ended = true;
	if (why != NULL)
		s->why = *why;
	bool fault = s->why.flags & BY_FAULT;
	s->by = (uint8_t)(fault ? END_FAULT : by);
	if (fault) {
		how = s->why.flags & BY_RESET ? CLOSE_RST : CLOSE_PLAIN;
	} else if (why != NULL) {
		if (has_failed(s, by, why))
			how = CLOSE_RST;
		session_drain_failed(s);
	}
	s->how = (uint8_t)how;
	s->service_run->all.count--;
	s->service_run->all.half -= s->counters.in_ended;
	loop_timer(s->service_run->run->loop, &s->clock, NEVER);
	loop_later(s->service_run->run->loop, &s->sweep);
}

struct service_run *service_run_open(const struct run *run, const struct service *service, bool many, struct err *e)
{
	if ((service->needs & OWNS_STDOUT) && run_claim_stdout(run, "the payload", e) != 0)
		return NULL;
	struct service_run *service_run = mem_new(sizeof *service_run);
	if (service_run == NULL || (service->run_bytes > 0 && (service_run->mem = mem_new(service->run_bytes)) == NULL)) {
		mem_free(service_run);
		err_set(e, ERR_LOCAL, ENOMEM, "start %s", service->name);
		return NULL;
	}
	service_run->run = run;
	service_run->service = service;
	service_run->many = many;
	table_init(&service_run->all.by_id, run->seed);
	if (service->start == NULL || service->start(service_run, e) == 0) {
		stats_count(run->stats, service_run);
		return service_run;
	}
	mem_free(service_run->mem);
	mem_free(service_run);
	return NULL;
}

void service_run_close(struct service_run *takes)
{
	if (takes == NULL)
		return;
	const struct run *run = takes->run;
	enum session_end by = run->outcome->signo != 0 ? END_SIGNAL : takes->outlived ? END_LIFETIME : END_LOCAL;
	struct session *s;
	while ((s = takes->all.first) != NULL) {
		session_end(s, by, CLOSE_PLAIN, NULL);
		loop_forget(run->loop, &s->sweep);
		sweep_with(s, false);
	}
	if (takes->service->stop != NULL)
		takes->service->stop(takes);
	stats_count(run->stats, NULL);
	table_free(&takes->all.by_id);
	mem_free(takes->mem);
	mem_free(takes);
}
