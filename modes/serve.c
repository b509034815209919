/* sockctl serve: many clients at once, by default those of a console. */
#include "modes/mode.h"

#include "io/expect.h"
#include "io/frame.h"
#include "io/loop.h"
#include "net/addr.h"
#include "net/admit.h"
#include "net/dial.h"
#include "net/faults.h"
#include "net/leash.h"
#include "net/listener.h"
#include "net/proxy.h"
#include "net/proxy_in.h"
#include "net/proxy_out.h"
#include "net/ready.h"
#include "net/run.h"
#include "net/server.h"
#include "net/sockopt.h"
#include "net/stack.h"
#include "net/taps.h"
#include "net/tls.h"
#include "net/udp.h"
#include "services/room.h"
#include "services/service.h"
#include "services/talk_service.h"

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &tls_opts, &tls_server_opts, &tls_client_opts,
	&dial_opts, &proxy_opts, &proxy_out_opts, &proxy_in_opts, &ready_opts, &run_opts, &leash_opts, &limit_opts, &admit_opts,
	&server_opts, &console_opts, &room_opts, &source_opts, &exec_opts, &talk_opts, &forward_opts, &text_opts, &frame_opts,
	&expect_opts, &tap_opts, &fault_opts, &clock_opts, &udp_opts, &sockopt_opts, &loop_opts, NULL };

static size_t descriptors(const struct env *env)
{
	return server_descriptors(env->conf, 0, service_pick(env, &service_console, NULL));
}

static int run(const struct env *env, struct err *e)
{
	static const struct server_opts many = { 0 };
	const struct service *service = service_pick(env, &service_console, e);
	return service == NULL ? -1 : server_main(env, service, &many, e);
}

const struct mode mode_serve = {
	.cmd = { .name = "serve",
		.brief = "serve many clients at once",
		.args = "ADDRESS",
		.man = "Serves many clients at once, numbered from 1. Without a service of its own it is a console: standard "
		       "input goes to all clients, and each line of a client comes to standard output as \"[3] text\". End "
		       "of file on standard input, after data, half-closes all clients that are there, takes no more, and "
		       "ends the program when they have finished; a standard input that is empty from the start changes "
		       "nothing.\n"
		       "SIGTERM, SIGINT and SIGHUP let the clients finish within --drain; the exit status is 0, or 7 if one "
		       "had to be cut. One client's failure is reported and does not end the program.",
		.groups = groups },
	.descriptors = descriptors,
	.block_bytes = POOL_BLOCK_SERVER,
	.run = run,
};
