/* A client's connections, one after the other: each is dialed by retry.c, opened as a session, and when it has gone the next one
 * follows or the run ends. --lifetime and --exit-with-fd end it at any time. */
#include "dial/client.h"

#include "base/mem.h"
#include "dial/dial.h"
#include "dial/probe.h"
#include "dial/retry.h"
#include "net/exit_with_fd.h"
#include "net/idle.h"
#include "net/sockopt.h"
#include "sandbox/sandbox_opts.h"
#include "session/layers.h"
#include "session/session.h"

#include <errno.h>

enum { DESCRIPTORS = 96 /* a race or a probe opens 64 sockets at most */, STAYED_MS = 1000, TARGETS_MOST = 64 };

static const struct opt reconnect_rows[] = {
	{ .name = "reconnect",
		.with = WITH_PAYLOAD,
		.kind = OPT_FLAG,
		.needs = NEEDS_DIAL,
		.off = offsetof(struct reconnect_conf, wanted),
		.help = "connect again whenever the peer has closed",
		.man = "Connects again whenever the peer has closed or the connection was lost, until standard input has "
		       "ended and was sent, or until a signal or --lifetime. The first connection is tried once, or for as "
		       "long as --wait says; later ones as long as --wait says, and without it for ever." },
	{ 0 },
};
const struct opt_group reconnect_opts = {
	.title = "Trying again", .size = sizeof(struct reconnect_conf), .rows = reconnect_rows, .with = WITH_DIAL
};

struct client {
	const struct run *run;
	const struct service *service;
	const struct retry_conf *again;
	const struct reconnect_conf *reconnect;
	struct addr addr, *list; /* of a probe: all of its targets */
	size_t n;
	struct service_run *service_run;
	struct retry *retry;
	struct timer pause, life;
	struct exit_with_fd exit_with_fd;
	int64_t pause_ms;
	uint32_t id;   /* of the last session; 0: none yet */
	bool finished; /* nothing is left to say: no other connection */
	bool over;     /* the loop will not turn again */
};

static bool client_probes(const struct service *service)
{
	return service->needs & NO_PAYLOAD;
}

size_t client_descriptors(const struct service *service)
{
	return client_probes(service) ? DESCRIPTORS + LINGER_MOST : DESCRIPTORS; /* with TLS, beside those that say goodbye */
}

static void client_leave(void *arg)
{
	const struct client *c = arg;
	loop_stop(c->run->loop);
}

static void client_fail(struct client *c, const struct err *e)
{
	run_fail(c->run, e);
	client_leave(c);
}

static void on_client_dialed(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e)
{
	struct client *c = arg;
	struct err why = { 0 };
	c->retry = NULL;
	if (gives == NULL) {
		client_fail(c, e);
		return;
	}
	if (sandbox_run_drop(c->run, &why) < 0 || sandbox_run_seal(c->run, &why) < 0) {
		stream_close(gives, CLOSE_PLAIN);
		client_fail(c, &why);
		return;
	}
	if (session_open(c->service_run, gives, ++c->id, true, peer, local, &why) < 0)
		client_fail(c, &why);
}

/* The first time a wrong address should be told; a peer that was there once will come back. */
static void on_client_redial(void *arg)
{
	struct client *c = arg;
	struct err e = { 0 };
	int64_t wait_ms = c->id > 0 && c->again->wait_ms == 0 ? NEVER : c->again->wait_ms;
	c->retry = retry_dial(c->run, &c->addr, c->id + 1, wait_ms, on_client_dialed, c, &e);
	if (c->retry == NULL)
		client_fail(c, &e);
}

/* Is it the connection that failed, so that another one may do better? */
static bool of_connection(enum err_class cls)
{
	return cls == ERR_OK || cls == ERR_NETWORK || cls == ERR_CONNECT || cls == ERR_TIMEOUT || cls == ERR_LOST;
}

/* Bytes may have been lost in a connection that failed: the run cannot end with 0 then, even if later ones go well. One that was
 * merely silent too long has lost nothing, if another follows. */
static void on_client_gone(void *arg, struct session *s)
{
	struct client *c = arg;
	struct loop *loop = c->run->loop;
	bool follows = c->reconnect->wanted && !c->finished && of_connection(s->why.cls);
	struct err e = { 0 };
	session_words(s, &e);
	if (s->why.cls != ERR_OK && !(follows && s->why.cls == ERR_TIMEOUT))
		run_fail(c->run, &e);
	if (c->over)
		return;
	if (!follows) {
		linger_when_empty(c->run->linger, client_leave, c);
		return;
	}
	/* A peer that accepts and closes at once is not to be hammered. */
	bool stayed = loop_now_us(loop) - s->born_us >= STAYED_MS * 1000;
	c->pause_ms = retry_longer(stayed ? 0 : c->pause_ms);
	loop_timer(loop, &c->pause, loop_now(loop) + c->pause_ms);
}

static void on_client_finished(void *arg)
{
	((struct client *)arg)->finished = true;
}

static void on_client_lived(void *arg)
{
	struct client *c = arg;
	const struct clock_conf *clocks = conf_get(c->run->conf, &clock_opts);
	char span[DIAL_SPAN];
	struct err e = { 0 };
	if (c->service_run != NULL)
		c->service_run->outlived = true;
	err_set(&e, ERR_TIMEOUT, 0, "--lifetime: %s are over", dial_span(clocks->lifetime_ms, span));
	client_fail(c, &e);
}

static void on_client_cut(void *arg)
{
	const struct client *c = arg;
	exit_with_fd_fail(&c->exit_with_fd);
	client_leave(arg);
}

static int client_prepare(struct client *c, struct err *e)
{
	const struct addr *dials = c->service->dials != NULL ? c->service->dials(c->run->conf) : NULL;
	sandbox_run_dials(c->run, c->reconnect->wanted ? &c->addr : NULL);
	sandbox_run_dials(c->run, dials);
	return run_die_on_signals(c->run, e) < 0 ? -1 : sandbox_run_prepare(c->run, 0, e);
}

static int client_converse(struct client *c, struct err *e)
{
	int rc = layers_start(c->run, ROLE_DIAL, &c->addr, c->service, e);
	c->service_run = rc == 0 ? service_run_open(c->run, c->service, c->reconnect->wanted, e) : NULL;
	if (c->service_run == NULL)
		return -1;
	rc = client_prepare(c, e);
	if (rc == 0) {
		c->service_run->one = true;
		c->service_run->keep_open = c->reconnect->wanted;
		c->service_run->gone = on_client_gone;
		c->service_run->finish = on_client_finished;
		c->service_run->gone_arg = c->service_run->finish_arg = c;
		/* From within the loop, which a failure at once can then stop. */
		loop_timer(c->run->loop, &c->pause, loop_now(c->run->loop));
		rc = loop_run(c->run->loop, e);
		c->over = true;
		loop_timer(c->run->loop, &c->pause, NEVER);
		if (c->retry != NULL)
			retry_stop(c->retry);
	}
	service_run_close(c->service_run);
	return rc;
}

static int client_probe(struct client *c, struct err *e)
{
	if (probe_start(c->run, c->list, c->n, e) != 0 || run_die_on_signals(c->run, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		sandbox_run_dials(c->run, &c->list[i]);
	if (sandbox_run_prepare(c->run, 0, e) != 0 || probe_run(c->run, c->list, c->n, e) != 0)
		return -1;
	c->run->outcome->becomes = c->run->command;
	return 0;
}

/* One address, or those of a probe. */
static int client_read(struct client *c, struct err *e)
{
	const struct run *run = c->run;
	const struct addr_conf *conf = conf_get(run->conf, &addr_opts);
	bool probes = client_probes(c->service);
	int at = 0, used = 0;
	c->list = &c->addr;
	if (probes && (c->list = mem_new(TARGETS_MOST * sizeof *c->list)) == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "probe");
	do {
		if (c->n == TARGETS_MOST)
			return err_set(e, ERR_USAGE, 0, "--probe: more than %d addresses", TARGETS_MOST);
		if (addr_parse(&c->list[c->n++], conf, probes ? ADDR_RANGES | ADDR_MANY : 0, run->argc - at, run->argv + at,
			    &used, e) < 0)
			return -1;
		at += used;
	} while (at < run->argc);
	return 0;
}

static int client_check(const struct client *c, struct err *e)
{
	const struct conf *conf = c->run->conf;
	const struct dial_conf *dialing = conf_get(conf, &dial_opts);
	const struct opt *wait = conf_given(conf, &retry_opts, OPT_ANY), *redials = conf_given(conf, &reconnect_opts, OPT_ANY);
	redials = redials != NULL || c->service->dials != NULL ? redials : wait; /* a target may still be waited for */
	for (size_t i = 0; i < c->n; i++) {
		if (sockopt_fits(conf, c->list[i].kind, e) < 0 || dial_fits(conf, &c->list[i], e) < 0)
			return -1;
		if (redials != NULL && c->list[i].kind == ADDR_FD)
			return err_set(e, ERR_USAGE, 0, "--%s: %s cannot be connected again", redials->name, c->list[i].text);
	}
	if (c->reconnect->wanted && dialing->has_path)
		return err_set(e, ERR_USAGE, 0, "--reconnect and a path of --source cannot be used together");
	return idle_refuse(c->run, c->list, c->n, c->service, WITH_DIAL | WITH_CLIENT, e);
}

static int client_run(struct client *c, struct err *e)
{
	const struct run *run = c->run;
	bool probes = client_probes(c->service), in = c->service->needs & OWNS_STDIN, out = c->service->needs & OWNS_STDOUT;
	const struct clock_conf *clocks = conf_get(run->conf, &clock_opts);
	c->pause = (struct timer){ .fn = on_client_redial, .arg = c };
	c->life = (struct timer){ .fn = on_client_lived, .arg = c };
	if (clocks->lifetime_ms > 0)
		loop_timer(run->loop, &c->life, loop_now(run->loop) + clocks->lifetime_ms);
	int rc = exit_with_fd_open(&c->exit_with_fd, run, in, out, on_client_cut, c, e);
	if (rc == 0)
		rc = probes ? client_probe(c, e) : client_converse(c, e);
	loop_timer(run->loop, &c->life, NEVER);
	exit_with_fd_close(&c->exit_with_fd);
	return rc;
}

int client_main(const struct run *run, const struct service *service, struct err *e)
{
	struct client c = { .run = run,
		.service = service,
		.again = conf_get(run->conf, &retry_opts),
		.reconnect = conf_get(run->conf, &reconnect_opts) };
	int rc = client_read(&c, e) == 0 && client_check(&c, e) == 0 ? client_run(&c, e) : -1;
	if (c.list != &c.addr)
		mem_free(c.list);
	return rc;
}
