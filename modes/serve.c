/* sockctl serve: many clients at once, by default those of a console. */
#include "modes/mode.h"

#include "capture/expect.h"
#include "capture/observers.h"
#include "chat/broadcast.h"
#include "codec/frame.h"
#include "dial/dial.h"
#include "dial/retry.h"
#include "fault/fault_opts.h"
#include "listen/listener.h"
#include "listen/ready.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/exit_with_fd.h"
#include "net/sockopt.h"
#include "proxy/proxy.h"
#include "proxy/proxy_accept.h"
#include "proxy/proxy_announce.h"
#include "server/access.h"
#include "server/run_command.h"
#include "server/server.h"
#include "services/service.h"
#include "session/layers.h"
#include "talk/talk.h"
#include "tls/tls.h"

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &tls_opts, &tls_server_opts, &tls_client_opts,
	&dial_opts, &retry_opts, &proxy_opts, &proxy_announce_opts, &proxy_accept_opts, &ready_opts, &run_command_opts,
	&exit_with_fd_opts, &limit_opts, &access_opts, &server_opts, &console_opts, &broadcast_opts, &source_opts, &exec_opts,
	&talk_opts, &forward_opts, &text_opts, &frame_opts, &expect_opts, &observer_opts, &fault_opts, &clock_opts, &sockopt_opts,
	&loop_opts, NULL };

static size_t serve_descriptors(const struct run *run);
static int serve_run(const struct run *run, struct err *e);

const struct mode mode_serve = {
	.cmd = { .name = "serve",
		.brief = "serve many clients at once",
		.args = "ADDRESS",
		.man = "Serves many clients at once, numbered from 1. Without a service of its own it is a console: standard "
		       "input goes to all clients, and each line of a client comes to standard output as \"[3] text\". End of "
		       "file on standard input, after data, half-closes all present clients, accepts no more, and ends the "
		       "program when they have finished; a standard input that is empty from the start changes "
		       "nothing.\nSIGTERM, SIGINT and SIGHUP let the clients finish within --drain; the exit status is 0, or 7 "
		       "if one had to be cut. One client's failure is reported and does not end the program.",
		.groups = groups },
	.descriptors = serve_descriptors,
	.block_bytes = POOL_BLOCK_SERVER,
	.run = serve_run,
};

static size_t serve_descriptors(const struct run *run)
{
	return server_descriptors(run->conf, 0, service_pick(run, &service_console, NULL));
}

static int serve_run(const struct run *run, struct err *e)
{
	static const struct server_opts many = { 0 };
	const struct service *service = service_pick(run, &service_console, e);
	return service == NULL ? -1 : server_main(run, service, &many, e);
}
