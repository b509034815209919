/* A round of one address (probe_target.h). Answers are a byte a port; words about handshakes are kept until they are shown. */
#include "dial/probe_target.h"

#include "base/mem.h"
#include "base/text.h"
#include "dial/dial.h"
#include "dial/happy_eyeballs.h"
#include "net/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TCP_MS = 5000, UDP_MS = 1000 };

struct probe_target {
	const struct run *run;
	const struct addr *addr;
	const struct probe_target_ops *ops;
	struct probe_how how;
	struct sa list[RESOLVE_MOST];
	struct resolve *resolve;
	struct timer clock; /* bounds the resolving */
	int64_t resolve_ms;
	unsigned *sockets;	    /* in use by all targets */
	uint32_t base, count;	    /* the lowest port, and how many up to the highest */
	uint32_t next, shown, asks; /* ports: to test, to show; under test */
	struct probe_port **ports;  /* under test */
	char **words;		    /* why there was no handshake; NULL: none, or shown already */
	unsigned char *answers;	    /* enum probe_answer */
	char said[400];		    /* the words that were shown last */
};

static int64_t probe_target_now(const struct probe_target *t)
{
	return loop_now(t->run->loop);
}

const struct addr *probe_target_addr(const struct probe_target *t)
{
	return t->addr;
}

void probe_target_label(const struct probe_target *t, uint16_t port, char out[PROBE_LABEL])
{
	const struct addr *a = t->addr;
	bool six = strchr(a->host, ':') != NULL;
	char host[300];
	text_show(host, sizeof host, a->host, strlen(a->host));
	if (addr_local(a))
		snprintf(out, PROBE_LABEL, "%s", a->text);
	else
		snprintf(out, PROBE_LABEL, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", (unsigned)port);
}

static void forget_words(struct probe_target *t, size_t i)
{
	mem_free(t->words[i]);
	t->words[i] = NULL;
}

bool probe_target_next(struct probe_target *t, uint16_t *port, enum probe_answer *how, const char **words)
{
	while (t->shown < t->count && t->answers[t->shown] == PROBE_UNWANTED)
		t->shown++;
	if (t->shown == t->count || t->answers[t->shown] == PROBE_UNASKED)
		return false;
	const char *text = t->words[t->shown];
	snprintf(t->said, sizeof t->said, "%s", text != NULL ? text : "");
	*port = (uint16_t)(t->base + t->shown);
	*how = (enum probe_answer)t->answers[t->shown];
	*words = text != NULL ? t->said : NULL;
	forget_words(t, t->shown++);
	return true;
}

bool probe_target_shown(const struct probe_target *t)
{
	return t->shown == t->count;
}

bool probe_target_done(const struct probe_target *t)
{
	return t->resolve == NULL && t->next == t->count && t->asks == 0;
}

/* How many sockets one port takes. */
static unsigned port_sockets(const struct probe_target *t)
{
	return t->addr->kind == ADDR_TCP ? (unsigned)t->how.n : 1;
}

static void on_target_answer(void *arg, uint16_t port, enum probe_answer how, const char *words, const struct err *e)
{
	struct probe_target *t = arg;
	size_t i = port - t->base;
	t->ports[i] = NULL;
	t->asks--;
	*t->sockets -= port_sockets(t);
	t->answers[i] = (unsigned char)how;
	t->words[i] = words != NULL ? mem_text(words) : NULL;
	t->ops->answered(t->ops->arg, t, &port, how, e);
}

static int ask_port(struct probe_target *t, size_t i, struct err *e)
{
	struct addr a = *t->addr;
	a.port = (uint16_t)(t->base + i);
	probe_target_label(t, a.port, a.text);
	t->ports[i] = probe_port_ask(&t->how, &a, on_target_answer, t, e);
	if (t->ports[i] == NULL)
		return -1;
	t->asks++;
	*t->sockets += port_sockets(t);
	return 0;
}

int probe_target_ask(struct probe_target *t, struct err *e)
{
	for (; t->resolve == NULL && t->next < t->count; t->next++) {
		if (t->answers[t->next] != PROBE_UNASKED)
			continue;
		if (*t->sockets > 0 && *t->sockets + port_sockets(t) > PROBE_SOCKETS)
			return 0;
		if (ask_port(t, t->next, e) < 0)
			return -1;
	}
	return 0;
}
_Static_assert((int)RESOLVE_MOST <= (int)PROBE_SOCKETS, "there is room to race the addresses of one port");

/* All ports of a name that has no address have this answer. */
static void target_unknown(struct probe_target *t, const struct err *e)
{
	t->how.n = 0;
	t->next = t->count;
	for (size_t i = 0; i < t->count; i++)
		if (t->answers[i] != PROBE_UNWANTED)
			t->answers[i] = PROBE_NOT_FOUND;
	t->ops->answered(t->ops->arg, t, NULL, PROBE_NOT_FOUND, e);
}

static void on_target_resolved(void *arg, const struct sa *list, size_t n, const struct err *e)
{
	struct probe_target *t = arg;
	struct err why = { 0 };
	t->resolve = NULL;
	t->how.n = n;
	loop_timer(t->run->loop, &t->clock, NEVER);
	if (n == 0) {
		target_unknown(t, e);
		return;
	}
	happy_eyeballs_order(t->list, list, n);
	if (probe_target_ask(t, &why) < 0)
		t->ops->answered(t->ops->arg, t, NULL, PROBE_HOPELESS, &why);
}

static void on_target_unresolved(void *arg)
{
	struct probe_target *t = arg;
	struct err e = { 0 };
	char span[DIAL_SPAN];
	resolve_stop(t->resolve);
	t->resolve = NULL;
	err_set(&e, ERR_TIMEOUT, 0, "probe %s: no address within %s", t->addr->text, dial_span(t->resolve_ms, span));
	target_unknown(t, &e);
}

int probe_target_begin(struct probe_target *t, struct err *e)
{
	t->next = t->shown = 0;
	for (size_t i = 0; i < t->count; i++) {
		forget_words(t, i);
		if (t->answers[i] != PROBE_UNWANTED)
			t->answers[i] = PROBE_UNASKED;
	}
	if (addr_local(t->addr)) {
		t->how.n = 1;
		return probe_target_ask(t, e);
	}
	t->resolve = resolve_start(t->run, t->addr, on_target_resolved, t, e);
	if (t->resolve == NULL)
		return -1;
	loop_timer(t->run->loop, &t->clock, probe_target_now(t) + t->resolve_ms);
	return 0;
}

/* Reads the list twice: how wide it is, then what is in it. */
static int want_ports(struct probe_target *t, struct err *e)
{
	const char *proto = t->addr->kind == ADDR_UDP ? "udp" : "tcp", *at = t->addr->ports;
	uint16_t first = t->addr->port, last = first;
	uint32_t low = first, high = first;
	int got = 0;
	while (at != NULL && (got = addr_range(&at, proto, &first, &last, e)) > 0) {
		low = first < low ? first : low;
		high = last > high ? last : high;
	}
	t->base = low;
	t->count = high - low + 1;
	t->ports = mem_new(t->count * sizeof *t->ports);
	t->words = mem_new(t->count * sizeof *t->words);
	t->answers = mem_new(t->count);
	if (t->ports == NULL || t->words == NULL || t->answers == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "probe %s", t->addr->text);
	if (t->addr->ports == NULL)
		t->answers[0] = PROBE_UNASKED;
	for (at = t->addr->ports; at != NULL && got >= 0 && (got = addr_range(&at, proto, &first, &last, e)) > 0;)
		memset(t->answers + (first - low), PROBE_UNASKED, (size_t)(last - first) + 1);
	return got < 0 ? -1 : 0;
}

struct probe_target *probe_target_open(const struct run *run, const struct addr *a, const struct probe_how *how,
	unsigned *sockets, const struct probe_target_ops *ops, struct err *e)
{
	const struct dial_conf *dialing = conf_get(run->conf, &dial_opts);
	struct probe_target *t = mem_new(sizeof *t);
	if (t == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "probe %s", a->text);
		return NULL;
	}
	t->run = run;
	t->addr = a;
	t->ops = ops;
	t->sockets = sockets;
	t->clock = (struct timer){ .fn = on_target_unresolved, .arg = t };
	t->resolve_ms = dialing->connect_ms > 0 ? dialing->connect_ms : TCP_MS;
	t->how = *how;
	t->how.run = run;
	t->how.list = t->list;
	t->how.limit_ms = dialing->connect_ms > 0 ? dialing->connect_ms : a->kind == ADDR_UDP ? UDP_MS : TCP_MS;
	if (want_ports(t, e) == 0)
		return t;
	probe_target_close(t);
	return NULL;
}

void probe_target_close(struct probe_target *takes)
{
	if (takes == NULL)
		return;
	loop_timer(takes->run->loop, &takes->clock, NEVER);
	if (takes->resolve != NULL)
		resolve_stop(takes->resolve);
	for (size_t i = 0; i < takes->count; i++) {
		if (takes->words != NULL)
			forget_words(takes, i);
		if (takes->ports != NULL && takes->ports[i] != NULL)
			probe_port_stop(takes->ports[i]);
	}
	mem_free(takes->ports);
	mem_free(takes->words);
	mem_free(takes->answers);
	mem_free(takes);
}
