/* sockctl echo: sends everything back. */
#include "modes/mode.h"

#include "io/expect.h"
#include "io/frame.h"
#include "io/loop.h"
#include "net/addr.h"
#include "net/admit.h"
#include "net/faults.h"
#include "net/leash.h"
#include "net/listener.h"
#include "net/proxy_in.h"
#include "net/ready.h"
#include "net/run.h"
#include "net/server.h"
#include "net/sockopt.h"
#include "net/taps.h"
#include "net/tls.h"
#include "net/udp.h"
#include "services/service.h"

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &tls_opts, &tls_server_opts, &ready_opts, &run_opts,
	&leash_opts, &limit_opts, &admit_opts, &proxy_in_opts, &server_opts, &frame_opts, &expect_opts, &tap_opts, &fault_opts,
	&clock_opts, &udp_opts, &sockopt_opts, &loop_opts, NULL };

static size_t descriptors(const struct env *env)
{
	return server_descriptors(env->conf, 0, &service_echo);
}

static int run(const struct env *env, struct err *e)
{
	static const struct server_opts many = { 0 };
	return server_main(env, &service_echo, &many, e);
}

const struct mode mode_echo = {
	.cmd = { .name = "echo",
		.brief = "send everything back",
		.args = "ADDRESS",
		.man = "Serves many clients at once and sends each what it has sent. A client's half-close is answered with "
		       "one when everything is back. Over UDP each datagram is answered with its copy; see --udp-rate for "
		       "who is not answered.\n"
		       "SIGTERM, SIGINT and SIGHUP let the clients finish within --drain.",
		.groups = groups },
	.descriptors = descriptors,
	.block_bytes = POOL_BLOCK_SERVER,
	.run = run,
};
