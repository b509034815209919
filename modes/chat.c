/* sockctl chat: relays lines among its clients. */
#include "modes/mode.h"

#include "capture/expect.h"
#include "capture/observers.h"
#include "chat/chat.h"
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
#include "session/layers.h"
#include "tls/tls.h"

enum { VBNET_MAX = 10 };

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &tls_opts, &tls_server_opts, &ready_opts,
	&run_command_opts, &exit_with_fd_opts, &limit_opts, &access_opts, &proxy_accept_opts, &server_opts, &chat_opts,
	&broadcast_opts, &text_opts, &frame_opts, &expect_opts, &observer_opts, &fault_opts, &clock_opts, &sockopt_opts,
	&loop_opts, NULL };

static size_t chat_descriptors(const struct run *run);
static int chat_run(const struct run *run, struct err *e);

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
	.descriptors = chat_descriptors,
	.block_bytes = POOL_BLOCK_SERVER,
	.run = chat_run,
};

static bool chat_is_vbnet(const struct conf *conf)
{
	const struct chat_conf *chat = conf_get(conf, &chat_opts);
	return chat->wire == CHAT_VBNET;
}

static uint32_t chat_most(const struct conf *conf)
{
	return chat_is_vbnet(conf) && !CONF_GIVEN(conf, limit, max) ? VBNET_MAX : 0;
}

static size_t chat_descriptors(const struct run *run)
{
	return server_descriptors(run->conf, chat_most(run->conf), &service_chat);
}

static int chat_run(const struct run *run, struct err *e)
{
	bool own_words = CONF_GIVEN(run->conf, server, full_message);
	const struct server_opts opts = {
		.max = chat_most(run->conf),
		.full_text = chat_is_vbnet(run->conf) && !own_words ? "Servidor Saturado\r\n" : NULL,
	};
	return server_main(run, &service_chat, &opts, e);
}
