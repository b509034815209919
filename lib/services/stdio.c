/* stdin goes to the peer, the peer's bytes to stdout.
 *
 * One pump per connection does the work; this file turns options and the kinds of stdin and stdout into pump_opts. Both are
 * opened before any socket and belong to the run, so that `listen -k` and a client that dials again can use them for the next
 * connection. With `listen -k` only the first client gets stdin, unless --keep-stdin says that each may: which part is meant for
 * a later one cannot be known. */
#include "services/service.h"

#include "base/text.h"
#include "codec/filter.h"
#include "codec/frame.h"
#include "codec/hex.h"
#include "codec/line_delay.h"
#include "net/layer.h"
#include "pump/pump.h"
#include "session/layers.h"
#include "stream/stdfd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { END_AUTO, END_BOTH, END_PEER_ENDS };
enum { LABEL_NONE, LABEL_SENDER };

struct stdio {
	struct stream *near;
	struct session *busy;		   /* the session that has it now */
	bool used;			   /* an earlier session had stdin */
	bool mute;			   /* stdin is nothing that another program could write to (stdfd_mute) */
	bool waits_far, waits_near, first; /* of the busy session: told already; our half-close came before the peer's end */
};

/* A session's own memory is its pump. */
static struct pump *pump_of(const struct session *s)
{
	return s->mem;
}

static const struct stdio_conf *conf_of(const struct service_run *service_run)
{
	return conf_get(service_run->run->conf, &stdio_opts);
}

static unsigned stdio_lacks(const struct conf *conf)
{
	const struct stdio_conf *own = conf_get(conf, &stdio_opts);
	return (own->recv_only ? WITH_SENDING : 0U) | (own->send_only ? WITH_SHOWING : 0U);
}

/* After a stop, a terminal that refused a background read may be read again. */
static void on_stdio_continued(void *arg, int signo)
{
	struct stdio *std = ((struct service_run *)arg)->mem;
	(void)signo;
	if (std->busy != NULL)
		pump_kick(pump_of(std->busy));
}

static int near_layers(const struct service_run *service_run, struct stdio *std, const struct stdio_conf *conf)
{
	bool clean = !conf->send_only && !conf->raw && isatty(STDOUT_FILENO);
	if (clean && filter_push(&std->near, "clean", sanitize_convert) != 0)
		return -1;
	if (conf->pace_ms > 0 && line_delay_push(&std->near, service_run->run->loop, conf->pace_ms) != 0)
		return -1;
	if (!conf->hex)
		return 0;
	bool dgram = addr_dgram(service_run->run->layers->addr); /* the pump writes a line for each */
	if (!dgram && filter_push(&std->near, "hex", hex_convert) != 0)
		return -1;
	return hex_read_push(&std->near, dgram);
}

/* Both would change or cut at the newlines among the bytes. */
static int hex_check(const struct conf *conf, struct err *e)
{
	const struct frame_conf *frame = conf_get(conf, &frame_opts);
	const struct text_conf *text = conf_get(conf, &text_opts);
	if (!frame->wanted && !text->crlf)
		return 0;
	return err_set(e, ERR_USAGE, 0, "--hex and --%s cannot be used together", text->crlf ? "crlf" : "frame");
}

static int stdio_start(struct service_run *service_run, struct err *e)
{
	struct stdio *std = service_run->mem;
	const struct stdio_conf *conf = conf_of(service_run);
	if (conf->hex && hex_check(service_run->run->conf, e) != 0)
		return -1;
	std->near = stdfd_stream(!conf->recv_only, !conf->send_only, e);
	if (std->near == NULL)
		return -1;
	std->mute = !conf->recv_only && stdfd_mute();
	int rc = near_layers(service_run, std, conf) != 0
			 ? err_set(e, ERR_LOCAL, ENOMEM, "use stdin and stdout")
			 : loop_signal(service_run->run->loop, SIGCONT, on_stdio_continued, service_run, e);
	if (rc != 0)
		stream_close(std->near, CLOSE_PLAIN);
	return rc;
}

static size_t sender_label(void *arg, const struct stream *from, char out[FLOW_LABEL])
{
	const struct session *s = arg;
	const struct sa *sender = stream_sender(from);
	char text[SA_TEXT], shown[SA_TEXT];
	sa_text(sender != NULL ? sender : &s->peer, text);
	text_show(shown, sizeof shown, text, strlen(text));
	return (size_t)snprintf(out, FLOW_LABEL, "[%s] ", shown);
}

/* For a peer that may drop its answer when we end (most TLS servers): only when the answer is here, or not wanted. */
static uint8_t half_unasked(const struct stdio_conf *conf)
{
	return conf->send_only ? HALF_YES : HALF_LATE;
}

/* Once each: what is waited for while one direction alone is left, because a program that only waits looks stuck. */
static void on_stdio_turned(void *arg)
{
	struct session *s = arg;
	struct stdio *std = s->service_run->mem;
	const struct pump *p = pump_of(s);
	const struct event_sink *events = s->service_run->run->events;
	bool open = p->down.state == FLOW_OPEN,
	     held = open && p->up.state == FLOW_HELD && !p->opts.no_up && p->opts.half != HALF_NO;
	bool reads = p->down.eof && p->down.state >= FLOW_HELD && p->up.state == FLOW_OPEN && p->up.wait_from;
	std->first |= open && p->up.state == FLOW_DONE;
	if (held && !std->waits_far)
		event(events, EV_HINT, s->id,
			EV_TEXT("text", p->up.in == 0
						? "stdin is empty: waiting for the peer to finish (--half-close yes does not)"
						: "stdin has ended: waiting for the peer to finish (--half-close yes does not)"));
	if (reads && !std->waits_near)
		event(events, EV_HINT, s->id,
			EV_TEXT("text", "the peer has finished: waiting for stdin to end (--end peer does not)"));
	std->waits_far |= held;
	std->waits_near |= reads;
	if ((s->stream->caps & ST_DGRAM) && s->service_run->spare != NULL)
		s->service_run->spare(s->service_run->spare_arg);
}

/* nginx, haproxy and others take a half-close for a hang-up, and an answer that did not come looks like an empty one. */
static void warn_of_half_close(const struct session *s)
{
	enum { LITTLE = 64 * 1024 };
	const struct stdio *std = s->service_run->mem;
	const struct pump *p = pump_of(s);
	if (std->first && p->up.in <= LITTLE && p->down.in == 0 && p->down.state != FLOW_OPEN && !p->opts.drop_down)
		event(s->service_run->run->events, EV_HINT, s->id,
			EV_TEXT("text", "the peer closed without a byte after our half-close: if it took that for a hang-up, "
					"use --half-close no"));
}

static struct pump_opts pump_opts_for(const struct session *s)
{
	static const uint8_t half[] = {
		[HALF_CLOSE_AUTO] = HALF_YES,
		[HALF_CLOSE_YES] = HALF_YES,
		[HALF_CLOSE_NO] = HALF_NO,
	};
	const struct service_run *service_run = s->service_run;
	const struct stdio *std = service_run->mem;
	const struct stdio_conf *conf = conf_of(service_run);
	bool tty = std->near->caps & ST_TTY, later = !s->dialed && std->used && !conf->keep_stdin;
	bool no_half = s->stream->caps & ST_NOHALF, redials = s->dialed && service_run->keep_open;
	return (struct pump_opts){
		.half = no_half && conf->half_close == HALF_CLOSE_AUTO ? half_unasked(conf) : half[conf->half_close],
		.late_if_empty = conf->half_close == HALF_CLOSE_AUTO && (!s->dialed || (std->mute && !conf->send_only)),
		.end_with_far = conf->end == END_PEER_ENDS || (conf->end == END_AUTO && (tty || redials)),
		.no_up = conf->recv_only || later,
		.near_half = service_run->keep_open ? HALF_NO : HALF_YES,
		.drop_down = conf->send_only,
		.sends_only = conf->send_only,
		.turned = on_stdio_turned,
		.lines = tty && !conf->hex,
		.hex = conf->hex,
		.quits = CONF_GIVEN(service_run->run->conf, stdio, quit_ms),
		.quit_ms = conf->quit_ms,
		.datagram_bytes = (uint32_t)conf->datagram_bytes,
		.reply_wait_ms = service_run->server ? NEVER
				 : conf->send_only   ? 0
						     : conf->reply_wait_ms,
		.replies = (uint64_t)conf->replies,
		.reads = (uint64_t)conf->reads,
		.label = conf->label != LABEL_NONE ? sender_label : NULL,
		.settle_ms = session_settle_ms(s),
		.events = service_run->run->events,
		.conn = s->id,
	};
}

/* A failure of stdin or stdout is the run's, even if other clients would follow. */
static void on_stdio_pump_over(void *arg, const struct why *why)
{
	struct session *s = arg;
	bool peer_ended = pump_of(s)->down.state != FLOW_OPEN && !pump_of(s)->quit;
	warn_of_half_close(s);
	if (why->cls != ERR_OK)
		session_end(s, END_ERROR, CLOSE_PLAIN, why);
	else
		session_end(
			s, peer_ended ? END_PEER : END_LOCAL, peer_ended || pump_of(s)->quit ? CLOSE_DONE : CLOSE_PLAIN, NULL);
	if (s->dialed && s->service_run->keep_open && pump_of(s)->up.eof && s->service_run->finish != NULL)
		s->service_run->finish(
			s->service_run->finish_arg); /* stdin has ended: another connection would have nothing to send */
	if (s->service_run->keep_open && (why->cls == ERR_PIPE || why->cls == ERR_LOCAL)) {
		struct err e = { 0 };
		session_words(s, &e);
		run_fail(s->service_run->run, &e);
		loop_stop(s->service_run->run->loop);
	}
}

static int stdio_open(struct session *s, struct err *e)
{
	struct stdio *std = s->service_run->mem;
	if (std->busy != NULL)
		return err_set(e, ERR_LOCAL, EBUSY, "give stdin and stdout to a second connection");
	const struct pump_opts opts = pump_opts_for(s);
	std->busy = s;
	std->used = true;
	std->waits_far = std->waits_near = std->first = false;
	pump_start(pump_of(s), s->service_run->run->loop, s->service_run->run->pool, std->near, s->stream, &opts,
		on_stdio_pump_over, s);
	return 0;
}

/* Only an end by itself may take time: --lifetime is exact. */
static void stdio_drain(struct session *s)
{
	if (s->service_run->outlived || (s->stream->caps & ST_DGRAM))
		session_end(s, service_run_ends_by(s->service_run), CLOSE_PLAIN, NULL);
	else
		pump_bye(pump_of(s));
}

/* A peer of datagrams, all of which are on stdout. */
static bool stdio_spare(const struct session *s)
{
	const struct pump *p = pump_of(s);
	return (s->stream->caps & ST_DGRAM) && p->down.wait_from && !pump_holds(p);
}

static bool stdio_holds(struct session *s)
{
	return pump_holds(pump_of(s));
}

static void stdio_close(struct session *s)
{
	struct stdio *std = s->service_run->mem;
	const struct why *lack = pump_lack(pump_of(s));
	pump_stop(pump_of(s));
	if (s->by == END_IDLE && s->why.cls == ERR_OK && lack != NULL) /* a datagram peer may fall silent, but not too early */
		s->why = *lack;
	std->busy = NULL;
}

/* stdout was kept open for a next client; closing it may report a full disk. */
static void stdio_stop(struct service_run *service_run)
{
	struct stdio *std = service_run->mem;
	loop_signal(service_run->run->loop, SIGCONT, NULL, NULL, NULL);
	if (service_run->keep_open && std->used && stream_shut(std->near) == ST_FAIL) {
		struct err e = { 0 };
		err_why(&e, &std->near->why, NULL);
		run_fail(service_run->run, &e);
	}
	stream_close(std->near, CLOSE_PLAIN);
}

const struct service service_stdio = {
	.name = "stdio",
	.is = WITH_STDIO,
	.needs = OWNS_STDIN | OWNS_STDOUT,
	.run_bytes = sizeof(struct stdio),
	.session_bytes = sizeof(struct pump),
	.lacks = stdio_lacks,
	.start = stdio_start,
	.open = stdio_open,
	.drain = stdio_drain,
	.holds = stdio_holds,
	.spare = stdio_spare,
	.close = stdio_close,
	.stop = stdio_stop,
};
