/* The chat as a service: its wire, clients that join and leave, and its operator.
 *
 * The operator is the person at a terminal as stdin: named "server", number 0, with everything on stdout. Without a terminal, and
 * on the other wires, stdin is not read and stdout not written. */
#include "chat/chat.h"

static const struct opt rows[] = {
	{ .name = "wire",
		.kind = OPT_CHOICE,
		.off = offsetof(struct chat_conf, wire),
		.arg = "lines|vbnet|raw",
		.def = "lines",
		.help = "how the clients talk",
		.man = "lines is a chat for people with any line client. vbnet is the protocol of the classic .NET chat "
		       "tutorial: every client is sent \"U.[ID] - N\" for each one present whenever a client comes or "
		       "goes, and each received chunk goes to all, its sender too, as \"N  DICE :text\"; --max is 10 by "
		       "default. raw relays bytes as they come to all others, without names or notices." },
	{ 0 },
};
const struct opt_group chat_opts = { .title = "Chat", .size = sizeof(struct chat_conf), .rows = rows };

/* The operator */

static bool operator_listens(void *arg)
{
	const struct chat *c = arg;
	return broadcast_free(&c->broadcast) && !c->broadcast.held && !c->service_run->draining;
}

static void operator_heard(void *arg, const char *bytes, size_t n)
{
	chat_speak(arg, NULL, bytes, n); /* without memory the line is dropped */
}

static void operator_ended(void *arg) /* an operator may only listen */
{
	(void)arg;
}

static void operator_full(void *arg, bool full)
{
	broadcast_hold(&((struct chat *)arg)->broadcast, full);
}

static void on_broadcast_ready(void *arg)
{
	operator_io_look(&((struct chat *)arg)->operator_io);
}

static const struct operator_io_ops operator_io_ops = {
	.listens = operator_listens, .heard = operator_heard, .ended = operator_ended, .full = operator_full
};

/* The service */

static void tell_member(const struct session *s, const char *what)
{
	char name[CHAT_NAME];
	event(s->service_run->run->events, EV_MEMBER, s->id, EV_TEXT("nick", chat_name(s->mem, name)), EV_TEXT("what", what));
}

static int chat_start(struct service_run *service_run, struct err *e)
{
	static const struct chat_wire *const wires[] = {
		[CHAT_LINES] = &chat_lines,
		[CHAT_VBNET] = &chat_vbnet,
		[CHAT_RAW] = &chat_raw,
	};
	static const struct operator_io_opts operator_io_opts = { .reads = true, .writes = true, .lines = true };
	const struct chat_conf *conf = conf_get(service_run->run->conf, &chat_opts);
	struct chat *c = service_run->mem;
	c->service_run = service_run;
	c->wire = wires[conf->wire];
	c->operated = conf->wire == CHAT_LINES && operator_io_terminal();
	if (c->operated && run_claim_stdout(service_run->run, "the chat", e) != 0)
		return -1;
	if (broadcast_open(&c->broadcast, service_run, &c->wire->ops, SLOW_SKIP, e) != 0)
		return -1;
	if (!c->operated)
		return 0;
	c->broadcast.ready = on_broadcast_ready;
	c->broadcast.arg = c;
	if (operator_io_open(&c->operator_io, service_run, &operator_io_opts, &operator_io_ops, c, e) == 0)
		return 0;
	broadcast_close(&c->broadcast);
	return -1;
}

static int chat_open(struct session *s, struct err *e)
{
	struct chat *c = s->service_run->mem;
	struct chat_member *g = s->mem;
	(void)e;
	broadcast_join(&c->broadcast, &g->m, s);
	tell_member(s, "join");
	if (c->wire->came != NULL)
		c->wire->came(c, g);
	return 0;
}

static void chat_drain(struct session *s)
{
	struct chat *c = s->service_run->mem;
	struct chat_member *g = s->mem;
	if (c->operated)
		operator_io_last(&c->operator_io);
	if (c->wire->closing != NULL)
		c->wire->closing(c, g);
	broadcast_drain(&g->m, service_run_ends_by(s->service_run));
}

static bool chat_holds(struct session *s)
{
	return broadcast_holds(&((struct chat_member *)s->mem)->m);
}

static void chat_close(struct session *s)
{
	tell_member(s, "leave");
	broadcast_leave(&((struct chat_member *)s->mem)->m);
}

static void chat_stop(struct service_run *service_run)
{
	struct chat *c = service_run->mem;
	if (c->operated)
		operator_io_close(&c->operator_io);
	broadcast_close(&c->broadcast);
}

const struct service service_chat = {
	.name = "chat",
	.is = WITH_CHAT,
	.needs = CAP_SNDBUF | NOTICE_FULL,
	.run_bytes = sizeof(struct chat),
	.session_bytes = sizeof(struct chat_member),
	.start = chat_start,
	.open = chat_open,
	.drain = chat_drain,
	.holds = chat_holds,
	.close = chat_close,
	.stop = chat_stop,
};
