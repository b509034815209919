/* Probing: a round tests every port once, at most 64 sockets at a time, and shows the answers in the order of the ports.
 *
 * With --wait a round without an open port is repeated, name lookup included, and only the last one is shown. Answers are a byte
 * a port, and lines are made one at a time when stdout takes them: so a slow reader costs no memory, except for the words about
 * handshakes. An error at our end (no descriptors, no source address) ends everything. */
#include "dial/probe.h"

#include "base/mem.h"
#include "base/text.h"
#include "stream/stdfd.h"
#include "stream/waiter.h"
#include "dial/probe_port.h"
#include "dial/happy_eyeballs.h"
#include "net/resolve.h"
#include "dial/retry.h"
#include "session/session.h"
#include "sandbox/sandbox_opts.h"
#include "session/layers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SOCKETS = 64, PORTS = 65536, TCP_MS = 5000, UDP_MS = 1000 };

static const char *const answer_words[] = {
	[PROBE_OPEN] = "open",
	[PROBE_REFUSED] = "refused",
	[PROBE_UNREACHABLE] = "unreachable",
	[PROBE_SILENT] = "no answer",
	[PROBE_CLOSED] = "closed",
	[PROBE_NO_TLS] = "tls",
	[PROBE_DROPPED] = "tls",
};

const struct service service_probe = { .name = "probe", .is = WITH_PROBE, .needs = NO_PAYLOAD };

struct probe {
	const struct run *run;
	const struct addr *addr;
	const struct probe_conf *conf;
	struct probe_how how;
	unsigned char *data;
	int64_t resolve_ms, pause_ms;
	unsigned tries; /* rounds that are over */
	struct resolve *resolve;
	struct timer clock; /* bounds the resolving; between rounds: the next */
	struct sa list[RESOLVE_MOST];
	uint32_t next, shown; /* ports: to test, to show */
	unsigned asking, most;
	bool open, hope, final, over; /* one is open; with one, another round may help; the last round; the loop stops */
	bool unshut;		      /* in this round a port was not closed */
	struct err failed;	      /* of the highest port that is not open, or of the resolving */
	uint16_t failed_port;
	struct err err;	    /* the error that ended everything */
	struct stream *out; /* NULL: nothing is shown, or as an event, for stdout is the command's */
	struct waiter waiter;
	char line[800];
	size_t line_len, line_at;
	struct probe_port *ports[PORTS]; /* under test */
	char *words[PORTS];		 /* why there was no handshake; NULL: none, or shown already */
	unsigned char answers[PORTS];	 /* enum probe_answer */
};

static int64_t probe_now(const struct probe *p)
{
	return loop_now(p->run->loop);
}

static void probe_stop(struct probe *p)
{
	p->over = true;
	loop_stop(p->run->loop);
}

/* Showing */

static void probe_label(const struct probe *p, uint32_t port, char *out, size_t cap)
{
	bool six = strchr(p->addr->host, ':') != NULL;
	char host[300];
	text_show(host, sizeof host, p->addr->host, strlen(p->addr->host));
	if (addr_local(p->addr))
		snprintf(out, cap, "%s", p->addr->text);
	else
		snprintf(out, cap, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", (unsigned)port);
}

static void forget_words(struct probe *p, size_t port)
{
	mem_free(p->words[port]);
	p->words[port] = NULL;
}

/* The next line, if its port has been answered; false: not yet, or all are shown. */
static bool next_line(struct probe *p)
{
	char name[360], tail[420];
	while (p->shown < PORTS && p->answers[p->shown] == PROBE_UNWANTED)
		p->shown++;
	if (p->shown == PORTS || p->answers[p->shown] == PROBE_UNASKED)
		return false;
	probe_label(p, p->shown, name, sizeof name);
	const char *words = p->words[p->shown], *answer = answer_words[p->answers[p->shown]];
	snprintf(tail, sizeof tail, "%s%s", words != NULL ? ": " : "", words != NULL ? words : "");
	event(p->run->events, p->out == NULL && p->conf->probe == PROBE_SHOW ? EV_ANSWER : EV_PROBE, 0, EV_TEXT("addr", name),
		EV_NUM("port", p->shown), EV_TEXT("answer", answer), EV_TEXT("error", words), EV_TEXT("words", tail));
	p->line_at = 0;
	p->line_len = (size_t)snprintf(p->line, sizeof p->line, "%s %s%s\n", name, answer, tail);
	forget_words(p, p->shown++);
	return true;
}

static ssize_t show_lines(struct probe *p)
{
	while (p->line_at < p->line_len || next_line(p)) {
		if (p->out == NULL) {
			p->line_at = p->line_len;
			continue;
		}
		ssize_t n = stream_write(p->out, p->line + p->line_at, p->line_len - p->line_at);
		if (n < 0)
			return n;
		p->line_at += (size_t)n;
	}
	return p->final && p->out != NULL ? stream_shut(p->out) : 0;
}

static void probe_show(void *arg)
{
	struct probe *p = arg;
	if (p->over)
		return;
	ssize_t got = show_lines(p);
	if (got == ST_AGAIN && waiter_arm(&p->waiter, false, true) == 0)
		return;
	if (got == ST_AGAIN)
		err_set(&p->err, ERR_LOCAL, errno, "write stdout");
	if (got == ST_FAIL)
		err_why(&p->err, &p->out->why, NULL);
	if (p->out != NULL)
		waiter_rest(&p->waiter);
	if (got < 0 || p->final)
		probe_stop(p);
}

/* Rounds */

static void again_later(struct probe *p)
{
	int64_t until_ms = p->how.until_ms;
	p->pause_ms = retry_longer(p->pause_ms);
	int64_t next_ms = probe_now(p) + p->pause_ms < until_ms ? probe_now(p) + p->pause_ms : until_ms;
	retry_tell(p->run, p->addr, &p->failed, ++p->tries, next_ms);
	loop_timer(p->run->loop, &p->clock, next_ms);
}

static bool probe_met(const struct probe *p)
{
	return p->conf->until == UNTIL_CLOSED ? !p->unshut : p->open;
}

static void round_over(struct probe *p)
{
	if (!probe_met(p) && probe_now(p) < p->how.until_ms && p->how.until_ms != NEVER && p->hope) {
		again_later(p);
		return;
	}
	p->final = true;
	if (p->how.n == 0)
		probe_stop(p);
	else
		probe_show(p);
}

static void ask_more(struct probe *p);

static void judge_open(struct probe *p, uint16_t port, enum probe_answer how, const struct err *e)
{
	p->hope |= how == PROBE_DROPPED || (how != PROBE_OPEN && retry_helps(e));
	if (how == PROBE_OPEN || port < p->failed_port)
		return;
	p->failed = *e;
	p->failed_port = port;
}

/* For --until closed. The status of a wait that ends so is that of a clock. */
static void judge_closed(struct probe *p, uint16_t port, enum probe_answer how, const struct err *e)
{
	char name[360];
	if (how == PROBE_REFUSED || (how == PROBE_UNREACHABLE && probe_port_no_way(e)))
		return;
	p->unshut = p->hope = true;
	if (port < p->failed_port)
		return;
	p->failed_port = port;
	probe_label(p, port, name, sizeof name);
	p->failed = *e;
	if (how == PROBE_OPEN)
		err_set(&p->failed, ERR_TIMEOUT, 0, "probe %s: it is still open", name);
	p->failed.cls = ERR_TIMEOUT;
}

static void on_probe_answer(void *arg, uint16_t port, enum probe_answer how, const char *words, const struct err *e)
{
	struct probe *p = arg;
	p->ports[port] = NULL;
	p->asking--;
	if (how == PROBE_HOPELESS) {
		p->err = *e;
		probe_stop(p);
		return;
	}
	p->answers[port] = (unsigned char)how;
	p->words[port] = words != NULL ? mem_text(words) : NULL;
	p->open |= how == PROBE_OPEN;
	if (p->conf->until == UNTIL_CLOSED)
		judge_closed(p, port, how, e);
	else
		judge_open(p, port, how, e);
	ask_more(p);
	if (p->how.until_ms == NEVER)
		probe_show(p);
}

static void ask_port(struct probe *p, uint16_t port)
{
	struct addr a = *p->addr;
	a.port = port;
	probe_label(p, port, a.text, sizeof a.text);
	p->ports[port] = probe_port_ask(&p->how, &a, on_probe_answer, p, &p->err);
	if (p->ports[port] == NULL)
		probe_stop(p);
	else
		p->asking++;
}

static void ask_more(struct probe *p)
{
	for (; p->next < PORTS && p->asking < p->most && !p->over; p->next++)
		if (p->answers[p->next] == PROBE_UNASKED)
			ask_port(p, (uint16_t)p->next);
	if (p->next == PORTS && p->asking == 0 && !p->over)
		round_over(p);
}

static void on_probe_resolved(void *arg, const struct sa *list, size_t n, const struct err *e)
{
	struct probe *p = arg;
	bool raced = p->addr->kind == ADDR_TCP;
	p->resolve = NULL;
	p->how.n = n;
	loop_timer(p->run->loop, &p->clock, NEVER);
	if (n == 0) {
		p->failed = *e;
		p->hope = retry_helps(e);
		p->unshut = true;
		round_over(p);
		return;
	}
	happy_eyeballs_order(p->list, list, n);
	p->most = raced ? SOCKETS / (unsigned)n : SOCKETS;
	ask_more(p);
}
_Static_assert((int)RESOLVE_MOST <= (int)SOCKETS, "there is room to race the addresses of one port");

static void begin_round(struct probe *p)
{
	p->next = 0;
	p->failed = (struct err){ 0 };
	p->failed_port = 0;
	p->hope = p->unshut = false;
	for (size_t i = 0; i < PORTS; i++) {
		forget_words(p, i);
		if (p->answers[i] != PROBE_UNWANTED)
			p->answers[i] = PROBE_UNASKED;
	}
	if (addr_local(p->addr)) {
		p->how.n = p->most = 1;
		ask_more(p);
		return;
	}
	p->resolve = resolve_start(p->run, p->addr, on_probe_resolved, p, &p->err);
	if (p->resolve == NULL)
		probe_stop(p);
	else
		loop_timer(p->run->loop, &p->clock, probe_now(p) + p->resolve_ms);
}

static void on_probe_due(void *arg)
{
	struct probe *p = arg;
	char span[DIAL_SPAN];
	if (p->resolve == NULL) {
		begin_round(p);
		return;
	}
	resolve_stop(p->resolve);
	p->resolve = NULL;
	p->how.n = 0;
	p->hope = p->unshut = true;
	err_set(&p->failed, ERR_TIMEOUT, 0, "probe %s: no address within %s", p->addr->text, dial_span(p->resolve_ms, span));
	round_over(p);
}

/* The whole */

static int want_ports(struct probe *p, struct err *e)
{
	const char *proto = p->addr->kind == ADDR_UDP ? "udp" : "tcp", *at = p->addr->ports;
	uint16_t first, last;
	int got = 0;
	if (at == NULL)
		p->answers[p->addr->port] = PROBE_UNASKED;
	while (at != NULL && (got = addr_range(&at, proto, &first, &last, e)) > 0)
		memset(p->answers + first, PROBE_UNASKED, (size_t)(last - first) + 1);
	return got < 0 ? -1 : 0;
}

static int want_data(struct probe *p, const char *text, struct err *e)
{
	p->data = mem_new(strlen(text) + 1);
	if (p->data == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "--probe-data");
	long n = text_unescape(p->data, text, e);
	if (n < 0)
		return err_prefix(e, "--probe-data");
	p->how.data = p->data;
	p->how.data_len = (size_t)n;
	return 0;
}

static int open_stdout(struct probe *p, struct err *e)
{
	p->out = run_claim_stdout(p->run, "the answers", e) == 0 ? stdfd_stream(false, true, e) : NULL;
	if (p->out == NULL)
		return -1;
	waiter_open(&p->waiter, p->run->loop, p->out, probe_show, p);
	return 0;
}

static int probe_prepare(struct probe *p, struct err *e)
{
	const struct dial_conf *dialing = conf_get(p->run->conf, &dial_opts);
	const struct retry_conf *again = conf_get(p->run->conf, &retry_opts);
	int64_t limit_ms = dialing->connect_ms;
	p->clock = (struct timer){ .fn = on_probe_due, .arg = p };
	p->resolve_ms = limit_ms > 0 ? limit_ms : TCP_MS;
	p->how = (struct probe_how){
		.run = p->run,
		.list = p->list,
		.limit_ms = limit_ms > 0		? limit_ms
			    : p->addr->kind == ADDR_UDP ? UDP_MS
							: TCP_MS,
		.until_ms = again->wait_ms > 0 ? probe_now(p) + again->wait_ms : NEVER,
		.stable_ms = p->conf->stable_ms,
	};
	if (p->conf->data != NULL && want_data(p, p->conf->data, e) < 0)
		return -1;
	if (want_ports(p, e) < 0)
		return -1;
	return p->conf->probe == PROBE_QUIET || p->run->command != NULL ? 0 : open_stdout(p, e);
}

static void clean_up(struct probe *p)
{
	loop_timer(p->run->loop, &p->clock, NEVER);
	if (p->resolve != NULL)
		resolve_stop(p->resolve);
	for (size_t i = 0; i < PORTS; i++) {
		forget_words(p, i);
		if (p->ports[i] != NULL)
			probe_port_stop(p->ports[i]);
	}
	if (p->out != NULL)
		waiter_close(&p->waiter);
	stream_close(p->out, CLOSE_PLAIN);
	mem_free(p->data);
	mem_free(p);
}

/* No error when a signal or --lifetime stopped the loop: the outcome has it. */
static int probe_verdict(const struct probe *p, struct err *e)
{
	if (p->err.cls != ERR_OK)
		*e = p->err;
	else if (p->over && !probe_met(p))
		*e = p->failed;
	else
		return 0;
	return -1;
}

int probe_start(const struct run *run, const struct addr *a, struct err *e)
{
	if (a->kind == ADDR_FD)
		return err_set(e, ERR_USAGE, 0, "--probe: %s is a connection already", a->text);
	return layers_start(run, ROLE_DIAL, a, &service_probe, e);
}

int probe_run(const struct run *run, const struct addr *a, struct err *e)
{
	struct probe *p = mem_new(sizeof *p);
	if (p == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "probe %s", a->text);
	p->run = run;
	p->addr = a;
	p->conf = conf_get(run->conf, &probe_opts);
	int rc = probe_prepare(p, e);
	if (rc == 0 && (sandbox_run_drop(run, e) != 0 || sandbox_run_seal(run, e) != 0))
		rc = -1;
	if (rc == 0) {
		begin_round(p);
		rc = p->over ? 0 : loop_run(run->loop, e);
	}
	if (rc == 0)
		rc = probe_verdict(p, e);
	clean_up(p);
	return rc;
}
