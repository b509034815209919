/* sockctl echo: sends everything back. */
#include "modes/mode.h"

#include "capture/expect.h"
#include "capture/observers.h"
#include "codec/frame.h"
#include "fault/fault_opts.h"
#include "listen/listener.h"
#include "listen/ready.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/exit_with_fd.h"
#include "net/sockopt.h"
#include "proxy/proxy_accept.h"
#include "server/access.h"
#include "server/run_command.h"
#include "server/server.h"
#include "services/service.h"
#include "tls/tls.h"
#include "udp/udp.h"

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &tls_opts, &tls_server_opts, &ready_opts,
	&run_command_opts, &exit_with_fd_opts, &limit_opts, &access_opts, &proxy_accept_opts, &server_opts, &frame_opts,
	&expect_opts, &observer_opts, &fault_opts, &clock_opts, &udp_opts, &sockopt_opts, &loop_opts, NULL };

static size_t echo_descriptors(const struct run *run);
static int echo_run(const struct run *run, struct err *e);

const struct mode mode_echo = {
	.cmd = { .name = "echo",
		.brief = "send everything back",
		.args = "ADDRESS",
		.man = "Serves many clients at once and sends each what it has sent. A client's half-close is answered with "
		       "one when everything is back. Over UDP each datagram is answered with its copy; see --udp-rate for "
		       "who is not answered.\n"
		       "SIGTERM, SIGINT and SIGHUP let the clients finish within --drain.",
		.groups = groups },
	.descriptors = echo_descriptors,
	.block_bytes = POOL_BLOCK_SERVER,
	.run = echo_run,
};

static size_t echo_descriptors(const struct run *run)
{
	return server_descriptors(run->conf, 0, &service_echo);
}

static int echo_run(const struct run *run, struct err *e)
{
	static const struct server_opts many = { 0 };
	return server_main(run, &service_echo, &many, e);
}
