/* sockctl connect: dials one peer, and with --reconnect the same one again and again. */
#include "modes/mode.h"

#include "capture/expect.h"
#include "codec/frame.h"
#include "loop/loop.h"
#include "codec/telnet.h"
#include "net/addr.h"
#include "sandbox/sandbox_opts.h"
#include "fault/fault_opts.h"
#include "net/exit_with_fd.h"
#include "dial/probe.h"
#include "proxy/proxy.h"
#include "proxy/proxy_announce.h"
#include "dial/retry.h"
#include "session/session.h"
#include "net/sockopt.h"
#include "session/layers.h"
#include "capture/observers.h"
#include "tls/tls.h"
#include "services/service.h"
#include "talk/talk.h"

enum { DESCRIPTORS = 96 /* a race or a probe opens 64 sockets at most */, STAYED_MS = 1000 };

static const struct opt_group *const groups[] = { &addr_opts, &dial_opts, &proxy_opts, &proxy_announce_opts, &retry_opts,
	&probe_opts, &stdio_opts, &source_opts, &exec_opts, &talk_opts, &forward_opts, &tls_opts, &tls_client_opts, &text_opts,
	&telnet_opts, &frame_opts, &expect_opts, &observer_opts, &fault_opts, &clock_opts, &exit_with_fd_opts, &sockopt_opts,
	&loop_opts, NULL };

struct client {
	const struct run *run;
	const struct retry_conf *again;
	struct addr addr;
	struct service_run *service_run;
	struct retry *retry;
	struct timer pause, life;
	struct exit_with_fd exit_with_fd;
	int64_t pause_ms;
	uint32_t id;   /* of the last session; 0: none yet */
	bool finished; /* nothing is left to say: no other connection */
	bool over;     /* the loop will not turn again */
};

static void connect_leave(void *arg)
{
	const struct client *c = arg;
	loop_stop(c->run->loop);
}

static void connect_fail(struct client *c, const struct err *e)
{
	run_fail(c->run, e);
	connect_leave(c);
}

static void connect_dialed(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e)
{
	struct client *c = arg;
	struct err why = { 0 };
	c->retry = NULL;
	if (gives == NULL) {
		connect_fail(c, e);
		return;
	}
	if (sandbox_run_drop(c->run, &why) < 0 || sandbox_run_seal(c->run, &why) < 0) {
		stream_close(gives, CLOSE_PLAIN);
		connect_fail(c, &why);
		return;
	}
	if (session_open(c->service_run, gives, ++c->id, true, peer, local, &why) < 0)
		connect_fail(c, &why);
}

/* The first time a wrong address should be told; a peer that was there once will come back. */
static void on_connect_redial(void *arg)
{
	struct client *c = arg;
	struct err e = { 0 };
	int64_t wait_ms = c->id > 0 && c->again->wait_ms == 0 ? NEVER : c->again->wait_ms;
	c->retry = retry_dial(c->run, &c->addr, c->id + 1, wait_ms, connect_dialed, c, &e);
	if (c->retry == NULL)
		connect_fail(c, &e);
}

/* Is it the connection that failed, so that another one may do better? */
static bool of_connection(enum err_class cls)
{
	return cls == ERR_OK || cls == ERR_NETWORK || cls == ERR_CONNECT || cls == ERR_TIMEOUT || cls == ERR_LOST;
}

/* Bytes may have been lost in a connection that failed: the run cannot end with 0 then, even if later ones go well. One that was
 * merely silent too long has lost nothing, if another follows. */
static void connect_gone(void *arg, struct session *s)
{
	struct client *c = arg;
	struct loop *loop = c->run->loop;
	bool follows = c->again->reconnect && !c->finished && of_connection(s->why.cls);
	struct err e = { 0 };
	session_words(s, &e);
	if (s->why.cls != ERR_OK && !(follows && s->why.cls == ERR_TIMEOUT))
		run_fail(c->run, &e);
	if (c->over)
		return;
	if (!follows) {
		linger_when_empty(c->run->linger, connect_leave, c);
		return;
	}
	/* A peer that accepts and closes at once is not to be hammered. */
	bool stayed = loop_now_us(loop) - s->born_us >= STAYED_MS * 1000;
	c->pause_ms = retry_longer(stayed ? 0 : c->pause_ms);
	loop_timer(loop, &c->pause, loop_now(loop) + c->pause_ms);
}

static void connect_finished(void *arg)
{
	((struct client *)arg)->finished = true;
}

static void on_connect_lived(void *arg)
{
	struct client *c = arg;
	const struct clock_conf *clocks = conf_get(c->run->conf, &clock_opts);
	char span[DIAL_SPAN];
	struct err e = { 0 };
	if (c->service_run != NULL)
		c->service_run->outlived = true;
	err_set(&e, ERR_TIMEOUT, 0, "--lifetime: %s are over", dial_span(clocks->lifetime_ms, span));
	connect_fail(c, &e);
}

static void exit_with_fd_cut(void *arg)
{
	const struct client *c = arg;
	exit_with_fd_fail(&c->exit_with_fd);
	connect_leave(arg);
}

static int put_on_leash(struct client *c, unsigned needs, struct err *e)
{
	return exit_with_fd_open(&c->exit_with_fd, c->run, needs & OWNS_STDIN, needs & OWNS_STDOUT, exit_with_fd_cut, c, e);
}

static int connect_converse(struct client *c, struct err *e)
{
	const struct service *service = service_pick(c->run, &service_stdio, e);
	bool held = service != NULL && put_on_leash(c, service->needs, e) == 0;
	held = held && layers_start(c->run, ROLE_DIAL, &c->addr, service, e) == 0;
	c->service_run = held ? service_run_open(c->run, service, e) : NULL;
	if (c->service_run == NULL)
		return -1;
	sandbox_run_dials(c->run, c->again->reconnect ? &c->addr : NULL);
	sandbox_run_dials(c->run, service->dials != NULL ? service->dials(c->run->conf) : NULL);
	if (run_die_on_signals(c->run, e) < 0 || sandbox_run_prepare(c->run, 0, e) != 0) {
		service_run_close(c->service_run);
		return -1;
	}
	c->service_run->one = true;
	c->service_run->keep_open = c->again->reconnect;
	c->service_run->gone = connect_gone;
	c->service_run->finish = connect_finished;
	c->service_run->gone_arg = c->service_run->finish_arg = c;
	/* From within the loop, which a failure at once can then stop. */
	loop_timer(c->run->loop, &c->pause, loop_now(c->run->loop));
	int rc = loop_run(c->run->loop, e);
	c->over = true;
	loop_timer(c->run->loop, &c->pause, NEVER);
	if (c->retry != NULL)
		retry_stop(c->retry);
	service_run_close(c->service_run);
	return rc;
}

static int connect_ask(struct client *c, struct err *e)
{
	if (probe_start(c->run, &c->addr, e) != 0 || run_die_on_signals(c->run, e) < 0)
		return -1;
	sandbox_run_dials(c->run, &c->addr);
	bool confined =
		sandbox_run_prepare(c->run, 0, e) == 0 && sandbox_run_drop(c->run, e) == 0 && sandbox_run_seal(c->run, e) == 0;
	return confined ? probe_run(c->run, &c->addr, e) : -1;
}

/* No byte of payload moves: what has to do with bytes would be forgotten in silence. */
static int check_probe(const struct conf *conf, struct err *e)
{
	static const struct {
		const struct opt_group *group;
		const char *name;
	} idle[] = { { &retry_opts, "reconnect" }, { &fault_opts, "fault" }, { &talk_opts, "talk" }, { &exec_opts, "exec" },
		{ &forward_opts, "forward" }, { &source_opts, "file" }, { &source_opts, "discard" }, { &source_opts, "zero" },
		{ &observer_opts, "transcript" }, { &observer_opts, "pcap" }, { &observer_opts, "record" },
		{ &expect_opts, "expect" }, { &expect_opts, "expect-file" }, { &expect_opts, "expect-bytes" },
		{ &expect_opts, "expect-sha256" } };
	for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
		if (conf_given(conf, idle[i].group, idle[i].name))
			return err_set(e, ERR_USAGE, 0, "--probe and --%s cannot be used together", idle[i].name);
	return 0;
}

static int connect_check(const struct client *c, bool probe, struct err *e)
{
	if (sockopt_fits(c->run->conf, c->addr.kind, e) < 0 || (probe && check_probe(c->run->conf, e) != 0))
		return -1;
	if (probe &&
		(conf_given(c->run->conf, &proxy_opts, "proxy") || conf_given(c->run->conf, &proxy_announce_opts, "proxy-out")))
		return err_set(e, ERR_USAGE, 0, "--probe and proxies cannot be used together: it tests the ports themselves");
	if (c->again->reconnect && c->addr.kind == ADDR_FD)
		return err_set(e, ERR_USAGE, 0, "--reconnect: %s cannot be connected again", c->addr.text);
	return 0;
}

static int connect_run(const struct run *run, struct err *e)
{
	bool asks = ((const struct probe_conf *)conf_get(run->conf, &probe_opts))->probe != PROBE_NO;
	const struct clock_conf *clocks = conf_get(run->conf, &clock_opts);
	struct client c = { .run = run, .again = conf_get(run->conf, &retry_opts) };
	int used;
	if (addr_parse(&c.addr, conf_get(run->conf, &addr_opts), asks ? ADDR_RANGES : 0, run->argc, run->argv, &used, e) < 0)
		return -1;
	if (connect_check(&c, asks, e) < 0)
		return -1;
	c.pause = (struct timer){ .fn = on_connect_redial, .arg = &c };
	c.life = (struct timer){ .fn = on_connect_lived, .arg = &c };
	if (clocks->lifetime_ms > 0)
		loop_timer(run->loop, &c.life, loop_now(run->loop) + clocks->lifetime_ms);
	int rc = !asks ? connect_converse(&c, e) : put_on_leash(&c, 0, e) == 0 ? connect_ask(&c, e) : -1;
	loop_timer(run->loop, &c.life, NEVER);
	exit_with_fd_close(&c.exit_with_fd);
	return rc;
}

static size_t connect_descriptors(const struct run *run)
{
	const struct probe_conf *probe = conf_get(run->conf, &probe_opts);
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
	.descriptors = connect_descriptors,
	.block_bytes = POOL_BLOCK_CLIENT,
	.run = connect_run,
};
