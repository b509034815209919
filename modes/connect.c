/* sockctl connect: dials one peer, and with --reconnect the same one again and again. */
#include "modes/mode.h"

#include "io/expect.h"
#include "io/frame.h"
#include "io/loop.h"
#include "io/telnet.h"
#include "net/addr.h"
#include "net/confine.h"
#include "net/faults.h"
#include "net/leash.h"
#include "net/probe.h"
#include "net/proxy.h"
#include "net/proxy_out.h"
#include "net/retry.h"
#include "net/session.h"
#include "net/sockopt.h"
#include "net/stack.h"
#include "net/taps.h"
#include "net/tls.h"
#include "services/service.h"
#include "services/talk_service.h"

enum { DESCRIPTORS = 96 /* a race or a probe opens 64 sockets at most */, STAYED_MS = 1000 };

static const struct opt_group *const groups[] = { &addr_opts, &dial_opts, &proxy_opts, &proxy_out_opts, &retry_opts, &probe_opts,
	&stdio_opts, &source_opts, &exec_opts, &talk_opts, &forward_opts, &tls_opts, &tls_client_opts, &text_opts, &telnet_opts,
	&frame_opts, &expect_opts, &tap_opts, &fault_opts, &clock_opts, &leash_opts, &sockopt_opts, &loop_opts, NULL };

struct client {
	const struct env *env;
	const struct retry_conf *again;
	struct addr addr;
	struct hub *hub;
	struct retry *retry;
	struct timer pause, life;
	struct leash leash;
	int64_t pause_ms;
	uint32_t id;   /* of the last session; 0: none yet */
	bool finished; /* nothing is left to say: no other connection */
	bool over;     /* the loop will not turn again */
};

static void leave(void *arg)
{
	const struct client *c = arg;
	loop_stop(c->env->loop);
}

static void fail(struct client *c, const struct err *e)
{
	env_fail(c->env, e);
	leave(c);
}

static void dialed(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e)
{
	struct client *c = arg;
	struct err why = { 0 };
	c->retry = NULL;
	if (gives == NULL) {
		fail(c, e);
		return;
	}
	if (confine_drop(c->env, &why) < 0 || confine_seal(c->env, &why) < 0) {
		stream_close(gives, CLOSE_PLAIN);
		fail(c, &why);
		return;
	}
	if (session_open(c->hub, gives, ++c->id, true, peer, local, &why) < 0)
		fail(c, &why);
}

/* The first time a wrong address should be told; a peer that was there once will come back. */
static void redial(void *arg)
{
	struct client *c = arg;
	struct err e = { 0 };
	int64_t wait_ms = c->id > 0 && c->again->wait_ms == 0 ? NEVER : c->again->wait_ms;
	c->retry = retry_dial(c->env, &c->addr, c->id + 1, wait_ms, dialed, c, &e);
	if (c->retry == NULL)
		fail(c, &e);
}

/* Is it the connection that failed, so that another one may do better? */
static bool of_connection(enum err_class cls)
{
	return cls == ERR_OK || cls == ERR_NETWORK || cls == ERR_CONNECT || cls == ERR_TIMEOUT || cls == ERR_LOST;
}

/* Bytes may have been lost in a connection that failed: the run cannot end with 0 then, even if later ones go well. One that was
 * merely silent too long has lost nothing, if another follows. */
static void gone(void *arg, struct session *s)
{
	struct client *c = arg;
	struct loop *loop = c->env->loop;
	bool follows = c->again->reconnect && !c->finished && of_connection(s->why.cls);
	struct err e = { 0 };
	session_words(s, &e);
	if (s->why.cls != ERR_OK && !(follows && s->why.cls == ERR_TIMEOUT))
		env_fail(c->env, &e);
	if (c->over)
		return;
	if (!follows) {
		linger_when_empty(c->env->linger, leave, c);
		return;
	}
	/* A peer that accepts and closes at once is not to be hammered. */
	bool stayed = loop_now_us(loop) - s->born_us >= STAYED_MS * 1000;
	c->pause_ms = retry_longer(stayed ? 0 : c->pause_ms);
	loop_timer(loop, &c->pause, loop_now(loop) + c->pause_ms);
}

static void finished(void *arg)
{
	((struct client *)arg)->finished = true;
}

static void lived(void *arg)
{
	struct client *c = arg;
	const struct clock_conf *clocks = conf_get(c->env->conf, &clock_opts);
	char span[DIAL_SPAN];
	struct err e = { 0 };
	if (c->hub != NULL)
		c->hub->outlived = true;
	err_set(&e, ERR_TIMEOUT, 0, "--lifetime: %s are over", dial_span(clocks->lifetime_ms, span));
	fail(c, &e);
}

static void leash_cut(void *arg)
{
	const struct client *c = arg;
	leash_fail(&c->leash);
	leave(arg);
}

static int put_on_leash(struct client *c, unsigned needs, struct err *e)
{
	return leash_open(&c->leash, c->env, needs & OWNS_STDIN, needs & OWNS_STDOUT, leash_cut, c, e);
}

static int converse(struct client *c, struct err *e)
{
	const struct service *service = service_pick(c->env, &service_stdio, e);
	bool held = service != NULL && put_on_leash(c, service->needs, e) == 0;
	held = held && stack_start(c->env, ROLE_DIAL, &c->addr, service, e) == 0;
	c->hub = held ? hub_open(c->env, service, e) : NULL;
	if (c->hub == NULL)
		return -1;
	confine_dials(c->env, c->again->reconnect ? &c->addr : NULL);
	confine_dials(c->env, service->dials != NULL ? service->dials(c->env->conf) : NULL);
	if (env_die_on_signals(c->env, e) < 0 || confine_prepare(c->env, 0, e) != 0) {
		hub_close(c->hub);
		return -1;
	}
	c->hub->one = true;
	c->hub->keep_open = c->again->reconnect;
	c->hub->gone = gone;
	c->hub->finish = finished;
	c->hub->gone_arg = c->hub->finish_arg = c;
	/* From within the loop, which a failure at once can then stop. */
	loop_timer(c->env->loop, &c->pause, loop_now(c->env->loop));
	int rc = loop_run(c->env->loop, e);
	c->over = true;
	loop_timer(c->env->loop, &c->pause, NEVER);
	if (c->retry != NULL)
		retry_stop(c->retry);
	hub_close(c->hub);
	return rc;
}

static int ask(struct client *c, struct err *e)
{
	if (probe_start(c->env, &c->addr, e) != 0 || env_die_on_signals(c->env, e) < 0)
		return -1;
	confine_dials(c->env, &c->addr);
	bool confined = confine_prepare(c->env, 0, e) == 0 && confine_drop(c->env, e) == 0 && confine_seal(c->env, e) == 0;
	return confined ? probe_run(c->env, &c->addr, e) : -1;
}

/* No byte of payload moves: what has to do with bytes would be forgotten in silence. */
static int check_probe(const struct conf *conf, struct err *e)
{
	static const struct {
		const struct opt_group *group;
		const char *name;
	} idle[] = { { &retry_opts, "reconnect" }, { &fault_opts, "fault" }, { &talk_opts, "talk" }, { &exec_opts, "exec" },
		{ &forward_opts, "forward" }, { &source_opts, "file" }, { &source_opts, "discard" }, { &source_opts, "zero" },
		{ &tap_opts, "transcript" }, { &tap_opts, "pcap" }, { &tap_opts, "record" }, { &expect_opts, "expect" },
		{ &expect_opts, "expect-file" }, { &expect_opts, "expect-bytes" }, { &expect_opts, "expect-sha256" } };
	for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
		if (conf_given(conf, idle[i].group, idle[i].name))
			return err_set(e, ERR_USAGE, 0, "--probe and --%s exclude each other", idle[i].name);
	return 0;
}

static int check(const struct client *c, bool probe, struct err *e)
{
	if (sockopt_fits(c->env->conf, c->addr.kind, e) < 0 || (probe && check_probe(c->env->conf, e) != 0))
		return -1;
	if (probe && (conf_given(c->env->conf, &proxy_opts, "proxy") || conf_given(c->env->conf, &proxy_out_opts, "proxy-out")))
		return err_set(e, ERR_USAGE, 0, "--probe asks for open ports itself: it has no use for proxies");
	if (c->again->reconnect && c->addr.kind == ADDR_FD)
		return err_set(e, ERR_USAGE, 0, "--reconnect: %s cannot be connected again", c->addr.text);
	return 0;
}

static int run(const struct env *env, struct err *e)
{
	bool asks = ((const struct probe_conf *)conf_get(env->conf, &probe_opts))->probe != PROBE_NO;
	const struct clock_conf *clocks = conf_get(env->conf, &clock_opts);
	struct client c = { .env = env, .again = conf_get(env->conf, &retry_opts) };
	int used;
	if (addr_parse(&c.addr, conf_get(env->conf, &addr_opts), asks ? ADDR_RANGES : 0, env->argc, env->argv, &used, e) < 0)
		return -1;
	if (check(&c, asks, e) < 0)
		return -1;
	c.pause = (struct timer){ .fn = redial, .arg = &c };
	c.life = (struct timer){ .fn = lived, .arg = &c };
	if (clocks->lifetime_ms > 0)
		loop_timer(env->loop, &c.life, loop_now(env->loop) + clocks->lifetime_ms);
	int rc = !asks ? converse(&c, e) : put_on_leash(&c, 0, e) == 0 ? ask(&c, e) : -1;
	loop_timer(env->loop, &c.life, NEVER);
	leash_close(&c.leash);
	return rc;
}

static size_t descriptors(const struct env *env)
{
	const struct probe_conf *probe = conf_get(env->conf, &probe_opts);
	return probe->probe != PROBE_NO ? DESCRIPTORS + LINGER_MOST : DESCRIPTORS; /* with TLS, beside those that say goodbye */
}

const struct mode mode_connect = {
	.cmd = { .name = "connect",
		.brief = "connect to a peer",
		.args = "ADDRESS",
		.man = "Connects to ADDRESS and passes standard input to the peer and what the peer sends to standard "
		       "output. The end of standard input is passed on as a half-close, and the program ends when both "
		       "directions have ended; it ends with status 0 only if the peer has acknowledged every byte and every "
		       "byte received was written.\n"
		       "A name is resolved to all its addresses, which are tried 250 ms apart, IPv6 first, until one "
		       "connects. Over UDP and Unix datagrams each read of standard input is one datagram, and the program "
		       "ends when standard input has ended and nothing has come for --reply-wait.\n"
		       "SIGTERM, SIGINT and SIGHUP end the program, which then dies of that signal.",
		.groups = groups },
	.descriptors = descriptors,
	.block_bytes = POOL_BLOCK_CLIENT,
	.run = run,
};
