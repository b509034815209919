/* sockctl listen: one client; a later one is refused. */
#include "modes/mode.h"

#include "capture/expect.h"
#include "capture/observers.h"
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

enum { AT_THE_DOOR = 16 }; /* setups may run in parallel; the first to pass is the one client */

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &listen_opts, &tls_opts, &tls_server_opts,
	&tls_client_opts, &dial_opts, &retry_opts, &proxy_opts, &proxy_announce_opts, &proxy_accept_opts, &ready_opts,
	&run_command_opts, &exit_with_fd_opts, &access_opts, &stdio_opts, &source_opts, &exec_opts, &talk_opts, &forward_opts,
	&text_opts, &frame_opts, &expect_opts, &observer_opts, &fault_opts, &clock_opts, &sockopt_opts, &loop_opts, NULL };

static size_t listen_descriptors(const struct run *run);
static int listen_run(const struct run *run, struct err *e);

const struct mode mode_listen = {
	.cmd = { .name = "listen",
		.brief = "wait for one client",
		.args = "ADDRESS",
		.man = "Waits for one client and connects it with standard input and output. As soon as the client has been "
		       "accepted the listening socket is closed, so a later client is refused. The program ends when both "
		       "directions have ended: end of file on standard input is passed on to the client as a half-close, the "
		       "client's end of file closes standard output. If standard input is empty from the start, the half-close "
		       "waits until the client has finished.\nOver UDP the first sender is the client; it is forgotten after "
		       "--idle-timeout, which ends the program.\nSIGINT and SIGTERM end the program with the status of that "
		       "signal, with or without a client.",
		.groups = groups },
	.descriptors = listen_descriptors,
	.block_bytes = POOL_BLOCK_CLIENT,
	.run = listen_run,
};

static size_t listen_descriptors(const struct run *run)
{
	return server_descriptors(run->conf, AT_THE_DOOR, service_pick(run, &service_stdio, NULL));
}

static int listen_run(const struct run *run, struct err *e)
{
	static const struct server_opts one = { .one = true, .max = AT_THE_DOOR };
	const struct service *service = service_pick(run, &service_stdio, e);
	return service == NULL ? -1 : server_main(run, service, &one, e);
}
