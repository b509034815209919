/* The chat as a service: its wire, its guests' coming and going, and its operator.
 *
 * The operator is whoever sits at a terminal as stdin: named "server", number 0, sees everything on stdout. Without a terminal,
 * and on the other wires, stdin is not read and stdout not written. */
#include "services/chat.h"

static const struct opt rows[] = {
	{ .name = "wire",
		.kind = OPT_CHOICE,
		.off = offsetof(struct chat_conf, wire),
		.arg = "lines|vbnet|raw",
		.def = "lines",
		.help = "how the clients talk",
		.man = "lines is a chat for people with any line client. vbnet is the protocol of the classic .NET chat "
		       "tutorial: every client is sent \"U.[ID] - N\" for each one present whenever somebody comes or "
		       "goes, and each received chunk goes to all, its sender too, as \"N  DICE :text\"; --max is 10 by "
		       "default. raw relays bytes as they come to all others, without names or notices." },
	{ 0 },
};
const struct opt_group chat_opts = { .title = "Chat", .size = sizeof(struct chat_conf), .rows = rows };

/* The operator */

static bool operator_listens(void *arg)
{
	const struct chat *c = arg;
	return room_free(&c->room) && !c->room.held && !c->hub->draining;
}

static void operator_heard(void *arg, const char *bytes, size_t n)
{
	chat_speak(arg, NULL, bytes, n); /* without memory for it, it is not said */
}

static void operator_ended(void *arg) /* who only wants to listen, may */
{
	(void)arg;
}

static void operator_full(void *arg, bool full)
{
	room_hold(&((struct chat *)arg)->room, full);
}

static void room_ready(void *arg)
{
	desk_look(&((struct chat *)arg)->desk);
}

static const struct desk_ops desk_ops = {
	.listens = operator_listens, .heard = operator_heard, .ended = operator_ended, .full = operator_full
};

/* The service */

static void tell_member(const struct session *s, const char *what)
{
	char name[CHAT_NAME];
	event(s->hub->env->events, EV_MEMBER, s->id, EV_TEXT("nick", chat_name(s->mem, name)), EV_TEXT("what", what));
}

static int chat_start(struct hub *hub, struct err *e)
{
	static const struct chat_wire *const wires[] = {
		[CHAT_LINES] = &chat_lines,
		[CHAT_VBNET] = &chat_vbnet,
		[CHAT_RAW] = &chat_raw,
	};
	static const struct desk_opts desk_opts = { .reads = true, .writes = true, .lines = true };
	const struct chat_conf *conf = conf_get(hub->env->conf, &chat_opts);
	struct chat *c = hub->mem;
	c->hub = hub;
	c->wire = wires[conf->wire];
	c->operated = conf->wire == CHAT_LINES && desk_terminal();
	if (c->operated && env_claim_stdout(hub->env, "the chat", e) != 0)
		return -1;
	if (room_open(&c->room, hub, &c->wire->ops, SLOW_SKIP, e) != 0)
		return -1;
	if (!c->operated)
		return 0;
	c->room.ready = room_ready;
	c->room.arg = c;
	if (desk_open(&c->desk, hub, &desk_opts, &desk_ops, c, e) == 0)
		return 0;
	room_close(&c->room);
	return -1;
}

static int chat_open(struct session *s, struct err *e)
{
	struct chat *c = s->hub->mem;
	struct guest *g = s->mem;
	(void)e;
	room_join(&c->room, &g->m, s);
	tell_member(s, "join");
	if (c->wire->came != NULL)
		c->wire->came(c, g);
	return 0;
}

static void chat_drain(struct session *s)
{
	struct chat *c = s->hub->mem;
	struct guest *g = s->mem;
	if (c->operated)
		desk_last(&c->desk);
	if (c->wire->closing != NULL)
		c->wire->closing(c, g);
	room_drain(&g->m, hub_ends_by(s->hub));
}

static bool chat_holds(struct session *s)
{
	return room_holds(&((struct guest *)s->mem)->m);
}

static void chat_close(struct session *s)
{
	tell_member(s, "leave");
	room_leave(&((struct guest *)s->mem)->m);
}

static void chat_stop(struct hub *hub)
{
	struct chat *c = hub->mem;
	if (c->operated)
		desk_close(&c->desk);
	room_close(&c->room);
}

const struct service service_chat = {
	.name = "chat",
	.needs = CAP_SNDBUF | NOTICE_FULL,
	.hub_bytes = sizeof(struct chat),
	.session_bytes = sizeof(struct guest),
	.start = chat_start,
	.open = chat_open,
	.drain = chat_drain,
	.holds = chat_holds,
	.close = chat_close,
	.stop = chat_stop,
};
