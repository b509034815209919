/* sockctl connect: dials one peer, with --reconnect again and again; --probe only asks its ports. */
#include "modes/mode.h"

#include "capture/expect.h"
#include "capture/observers.h"
#include "codec/frame.h"
#include "codec/telnet.h"
#include "dial/client.h"
#include "dial/dial.h"
#include "dial/probe.h"
#include "dial/retry.h"
#include "fault/fault_opts.h"
#include "loop/child.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/exit_with_fd.h"
#include "net/sockopt.h"
#include "proxy/proxy.h"
#include "proxy/proxy_announce.h"
#include "services/service.h"
#include "session/layers.h"
#include "session/session.h"
#include "talk/talk.h"
#include "tls/tls.h"

static const struct opt_group *const groups[] = { &addr_opts, &dial_opts, &proxy_opts, &proxy_announce_opts, &retry_opts,
	&reconnect_opts, &probe_opts, &stdio_opts, &source_opts, &exec_opts, &talk_opts, &forward_opts, &tls_opts,
	&tls_client_opts, &text_opts, &telnet_opts, &frame_opts, &expect_opts, &observer_opts, &fault_opts, &clock_opts,
	&exit_with_fd_opts, &sockopt_opts, &loop_opts, NULL };

static size_t connect_descriptors(const struct run *run);
static int connect_run(const struct run *run, struct err *e);

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

static int probe_check(const struct run *run, struct err *e)
{
	const struct conf *conf = run->conf;
	const struct proxy_announce_conf *announce = conf_get(conf, &proxy_announce_opts);
	int sys = run->command != NULL ? child_find(run->command[0]) : 0;
	if (sys != 0)
		return err_set(e, ERR_USAGE, sys, "-- %.200s", run->command[0]);
	if (CONF_GIVEN(conf, proxy, url) || announce->version != 0)
		return err_set(e, ERR_USAGE, 0, "--probe and proxies cannot be used together: it tests the ports themselves");
	return 0;
}

static bool connect_probes(const struct run *run)
{
	const struct probe_conf *conf = conf_get(run->conf, &probe_opts);
	return conf->probe != PROBE_NO;
}

static size_t connect_descriptors(const struct run *run)
{
	return client_descriptors(connect_probes(run) ? &service_probe : &service_stdio);
}

static int connect_run(const struct run *run, struct err *e)
{
	bool probes = connect_probes(run);
	if (probes && probe_check(run, e) != 0)
		return -1;
	const struct service *service = probes ? &service_probe : service_pick(run, &service_stdio, e);
	return service == NULL ? -1 : client_main(run, service, e);
}
