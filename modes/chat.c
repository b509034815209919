/* sockctl chat: relays lines among its clients. */
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
#include "net/stack.h"
#include "net/taps.h"
#include "net/tls.h"
#include "services/chat.h"

enum { VBNET_MAX = 10 };

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &tls_opts, &tls_server_opts, &ready_opts, &run_opts,
	&leash_opts, &limit_opts, &admit_opts, &proxy_in_opts, &server_opts, &chat_opts, &room_opts, &text_opts, &frame_opts,
	&expect_opts, &tap_opts, &fault_opts, &clock_opts, &sockopt_opts, &loop_opts, NULL };

static bool vbnet(const struct conf *conf)
{
	const struct chat_conf *chat = conf_get(conf, &chat_opts);
	return chat->wire == CHAT_VBNET;
}

static uint32_t most(const struct conf *conf)
{
	return vbnet(conf) && !conf_given(conf, &limit_opts, "max") ? VBNET_MAX : 0;
}

static size_t descriptors(const struct env *env)
{
	return server_descriptors(env->conf, most(env->conf), &service_chat);
}

static int run(const struct env *env, struct err *e)
{
	bool own_words = conf_given(env->conf, &server_opts, "full-message");
	const struct server_opts opts = {
		.max = most(env->conf),
		.full_text = vbnet(env->conf) && !own_words ? "Servidor Saturado\r\n" : NULL,
	};
	return server_main(env, &service_chat, &opts, e);
}

const struct mode mode_chat = {
	.cmd = { .name = "chat",
		.brief = "relay lines among clients",
		.args = "ADDRESS",
		.man = "Serves many clients at once and relays each line to all others, as \"<3> text\", or \"<ana> text\" "
		       "after \"/nick ana\". Clients may also say /who, /msg WHO TEXT, /me TEXT, /quit and /help; lines of "
		       "the server begin with \"* \". When standard input is a terminal its user takes part. A client that "
		       "does not read what is said never stops the others: see --slow.\n"
		       "SIGTERM, SIGINT and SIGHUP let the clients finish within --drain.",
		.groups = groups },
	.descriptors = descriptors,
	.block_bytes = POOL_BLOCK_SERVER,
	.run = run,
};
