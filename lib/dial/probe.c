/* Probing: a round tests every port of every address once, at most 64 sockets at a time, and shows the answers in the order of
 * the addresses and their ports.
 *
 * With --wait a round after which the run is not satisfied is repeated, name lookups included, and only the last one is shown.
 * Lines are made one at a time when stdout takes them: so a slow reader costs no memory, except for the words about handshakes.
 * An error at our end (no descriptors, no source address) ends everything. */
#include "dial/probe.h"

#include "base/mem.h"
#include "base/text.h"
#include "dial/probe_target.h"
#include "dial/retry.h"
#include "sandbox/sandbox_opts.h"
#include "session/layers.h"
#include "session/session.h"
#include "stream/stdfd.h"
#include "stream/waiter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const answer_words[] = {
	[PROBE_OPEN] = "open",
	[PROBE_REFUSED] = "refused",
	[PROBE_UNREACHABLE] = "unreachable",
	[PROBE_SILENT] = "no answer",
	[PROBE_CLOSED] = "closed",
	[PROBE_NO_TLS] = "tls",
	[PROBE_DROPPED] = "tls",
	[PROBE_NOT_FOUND] = "not found",
};

const struct service service_probe = { .name = "probe", .is = WITH_PROBE, .needs = NO_PAYLOAD };

struct probe {
	const struct run *run;
	const struct addr *addrs;
	size_t n;
	const struct probe_conf *conf;
	struct probe_how how;
	struct probe_target_ops ops;
	struct probe_target **targets;
	unsigned char *data;
	int64_t pause_ms;
	unsigned tries, sockets; /* rounds that are over; in use */
	struct timer clock;	 /* between rounds: the next */
	size_t shown;		 /* targets whose lines are all out */
	bool open, over, final;	 /* one is open; the loop stops; the last round */
	bool hope, hopeless;	 /* another round may help with a port; with one of them it cannot */
	bool lacks, unshut;	 /* in this round a port was not open; was not closed */
	struct err failed;	 /* of the last port, in the order of the lines, that is not as wanted */
	const struct probe_target *failed_at;
	uint32_t failed_line; /* the lines in their order: target and port */
	struct err err;	      /* the error that ended everything */
	struct stream *out;   /* NULL: nothing is shown, or as an event, for stdout is the command's */
	struct waiter waiter;
	char line[800];
	size_t line_len, line_at;
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

static void probe_fail(struct probe *p, const struct err *e)
{
	p->err = *e;
	probe_stop(p);
}

/* Showing */

/* The next line, if its port has been answered; false: not yet, or all are shown. A lone name that has no address is an error
 * only. */
static bool next_line(struct probe *p)
{
	char name[PROBE_LABEL], tail[420];
	uint16_t port = 0;
	enum probe_answer how = PROBE_UNASKED;
	const char *words = NULL;
	while (p->shown < p->n && probe_target_shown(p->targets[p->shown]))
		p->shown++;
	if (p->shown == p->n || !probe_target_next(p->targets[p->shown], &port, &how, &words))
		return false;
	if (how == PROBE_NOT_FOUND && p->n == 1)
		return false;
	probe_target_label(p->targets[p->shown], port, name);
	const char *answer = answer_words[how];
	snprintf(tail, sizeof tail, "%s%s", words != NULL ? ": " : "", words != NULL ? words : "");
	event(p->run->events, p->out == NULL && p->conf->probe == PROBE_SHOW ? EV_ANSWER : EV_PROBE, 0, EV_TEXT("addr", name),
		EV_NUM("port", port), EV_TEXT("answer", answer), EV_TEXT("error", words), EV_TEXT("words", tail));
	p->line_at = 0;
	p->line_len = (size_t)snprintf(p->line, sizeof p->line, "%s %s%s\n", name, answer, tail);
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

static void begin_round(struct probe *p)
{
	struct err e = { 0 };
	p->failed = (struct err){ 0 };
	p->failed_at = NULL;
	p->open = p->hope = p->hopeless = p->lacks = p->unshut = false;
	p->shown = 0;
	for (size_t i = 0; i < p->n && !p->over; i++)
		if (probe_target_begin(p->targets[i], &e) < 0)
			probe_fail(p, &e);
}

static void on_probe_due(void *arg)
{
	begin_round(arg);
}

static void again_later(struct probe *p)
{
	int64_t until_ms = p->how.until_ms;
	p->pause_ms = retry_longer(p->pause_ms);
	int64_t next_ms = probe_now(p) + p->pause_ms < until_ms ? probe_now(p) + p->pause_ms : until_ms;
	retry_tell(p->run, 0, probe_target_addr(p->failed_at), &p->failed, ++p->tries, next_ms);
	loop_timer(p->run->loop, &p->clock, next_ms);
}

static bool probe_met(const struct probe *p)
{
	return p->conf->until == UNTIL_CLOSED ? !p->unshut : p->conf->all ? p->open && !p->lacks : p->open;
}

static void round_over(struct probe *p)
{
	bool helps = p->hope && !(p->conf->all && p->hopeless);
	if (!probe_met(p) && helps && probe_now(p) < p->how.until_ms && p->how.until_ms != NEVER) {
		again_later(p);
		return;
	}
	p->final = true;
	probe_show(p);
}

/* Is it of a later line than the one that is kept? */
static bool probe_keeps(struct probe *p, const struct probe_target *t, uint16_t port)
{
	uint32_t i = 0;
	while (p->targets[i] != t)
		i++;
	uint32_t line = i << 16 | port;
	if (p->failed_at != NULL && line < p->failed_line)
		return false;
	p->failed_at = t;
	p->failed_line = line;
	return true;
}

static void judge_open(struct probe *p, const struct probe_target *t, uint16_t port, enum probe_answer how, const struct err *e)
{
	if (how == PROBE_OPEN) {
		p->open = true;
		return;
	}
	bool helps = how == PROBE_DROPPED || retry_helps(e);
	p->hope |= helps;
	p->hopeless |= !helps;
	p->lacks = true;
	if (probe_keeps(p, t, port))
		p->failed = *e;
}

/* For --until closed. The status of a wait that ends so is that of a clock. */
static void judge_closed(struct probe *p, const struct probe_target *t, uint16_t port, enum probe_answer how, const struct err *e)
{
	char name[PROBE_LABEL];
	if (how == PROBE_REFUSED || (how == PROBE_UNREACHABLE && probe_port_no_way(e)))
		return;
	bool unnamed = how == PROBE_NOT_FOUND && e->cls == ERR_RESOLVE;
	p->unshut = true;
	p->hope |= !unnamed || retry_helps(e);
	if (!probe_keeps(p, t, port))
		return;
	probe_target_label(t, port, name);
	p->failed = *e;
	if (how == PROBE_OPEN)
		err_set(&p->failed, ERR_TIMEOUT, 0, "probe %s: it is still open", name);
	if (!unnamed)
		p->failed.cls = ERR_TIMEOUT;
}

static void on_probe_answer(void *arg, struct probe_target *t, const uint16_t *port, enum probe_answer how, const struct err *e)
{
	struct probe *p = arg;
	struct err why = { 0 };
	bool done = true;
	if (how == PROBE_HOPELESS) {
		probe_fail(p, e);
		return;
	}
	if (p->conf->until == UNTIL_CLOSED)
		judge_closed(p, t, port != NULL ? *port : UINT16_MAX, how, e);
	else
		judge_open(p, t, port != NULL ? *port : UINT16_MAX, how, e);
	for (size_t i = 0; i < p->n; i++) {
		if (probe_target_ask(p->targets[i], &why) < 0) {
			probe_fail(p, &why);
			return;
		}
		done &= probe_target_done(p->targets[i]);
	}
	if (done)
		round_over(p);
	if (p->how.until_ms == NEVER)
		probe_show(p);
}

/* The whole */

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

/* The layers of the run are those of one address; each other one with TLS has its own, for its name. */
static const struct run *target_run(const struct probe *p, const struct addr *a, struct err *e)
{
	return !a->tls || p->run->layers == NULL || p->run->layers->addr == a ? p->run : layers_far(p->run, a, e);
}

static int open_targets(struct probe *p, struct err *e)
{
	p->targets = mem_new(p->n * sizeof(struct probe_target *));
	if (p->targets == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "probe %s", p->addrs->text);
	for (size_t i = 0; i < p->n; i++) {
		const struct run *run = target_run(p, &p->addrs[i], e);
		p->targets[i] = run == NULL ? NULL : probe_target_open(run, &p->addrs[i], &p->how, &p->sockets, &p->ops, e);
		if (p->targets[i] == NULL)
			return -1;
	}
	return 0;
}

static int probe_prepare(struct probe *p, struct err *e)
{
	const struct retry_conf *again = conf_get(p->run->conf, &retry_opts);
	p->clock = (struct timer){ .fn = on_probe_due, .arg = p };
	p->ops = (struct probe_target_ops){ .answered = on_probe_answer, .arg = p };
	p->how = (struct probe_how){
		.until_ms = again->wait_ms > 0 ? probe_now(p) + again->wait_ms : NEVER,
		.stable_ms = p->conf->stable_ms,
	};
	if (p->conf->data != NULL && want_data(p, p->conf->data, e) < 0)
		return -1;
	if (open_targets(p, e) < 0)
		return -1;
	return p->conf->probe == PROBE_QUIET || p->run->command != NULL ? 0 : open_stdout(p, e);
}

static void clean_up(struct probe *p)
{
	loop_timer(p->run->loop, &p->clock, NEVER);
	for (size_t i = 0; i < p->n && p->targets != NULL; i++)
		probe_target_close(p->targets[i]);
	mem_free(p->targets);
	if (p->out != NULL)
		waiter_close(&p->waiter);
	stream_close(p->out, CLOSE_PLAIN);
	mem_free(p->data);
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

int probe_start(const struct run *run, const struct addr *list, size_t n, struct err *e)
{
	const struct addr *first = list;
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == ADDR_FD)
			return err_set(e, ERR_USAGE, 0, "--probe: %s is a connection already", list[i].text);
		first = list[i].tls && !first->tls ? &list[i] : first;
	}
	return layers_start(run, ROLE_DIAL, first, &service_probe, e);
}

int probe_run(const struct run *run, const struct addr *list, size_t n, struct err *e)
{
	struct probe p = { .run = run, .addrs = list, .n = n, .conf = conf_get(run->conf, &probe_opts) };
	int rc = probe_prepare(&p, e);
	if (rc == 0 && (sandbox_run_drop(run, e) != 0 || sandbox_run_seal(run, e) != 0))
		rc = -1;
	if (rc == 0) {
		begin_round(&p);
		rc = p.over ? 0 : loop_run(run->loop, e);
	}
	if (rc == 0)
		rc = probe_verdict(&p, e);
	clean_up(&p);
	return rc;
}
