/* The chat in lines: its members, what clients say to each other, and the server's messages.
 *
 * Relayed lines begin with "<" and the server's with "* ", so neither can imitate the other; clients' bytes go through text_show.
 * All lines of one read become one message, shared by its receivers; a command among them sends the lines before it first. Where
 * a client is meant, NULL is the operator. */
#include "chat/chat.h"

#include "base/text.h"
#include "codec/framer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AROUND_NAME = 16, ROSTER_NAMES = 100 };

static struct chat *chat_of(const struct member *m)
{
	return m->broadcast->service_run->mem;
}

static struct chat_member *chatter_of(struct member *m)
{
	return (struct chat_member *)m;
}

const char *chat_name(const struct chat_member *g, char out[CHAT_NAME])
{
	if (g != NULL && g->nick[0] == '\0')
		snprintf(out, CHAT_NAME, "%lu", (unsigned long)g->m.session->id);
	else
		snprintf(out, CHAT_NAME, "%s", g == NULL ? "server" : g->nick);
	return out;
}

static unsigned long chat_lines_heads(const struct chat *c)
{
	return (unsigned long)c->broadcast.count + c->operated;
}

/* The server's messages. They are short; without memory they are dropped. */

__attribute__((format(printf, 1, 0))) static struct msg *words(const char *fmt, va_list ap)
{
	char text[512];
	int n = vsnprintf(text, sizeof text, fmt, ap);
	return n < 0 ? NULL : msg_new(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void tell_msg(struct chat *c, struct chat_member *g, struct msg *msg)
{
	if (msg != NULL && g != NULL)
		broadcast_tell(&g->m, msg);
	else if (msg != NULL && c->operated)
		operator_io_print(&c->operator_io, msg);
	msg_drop(msg);
}

__attribute__((format(printf, 3, 4))) static void tell(struct chat *c, struct chat_member *g, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tell_msg(c, g, words(fmt, ap));
	va_end(ap);
}

/* To all but the client that the line is about or from (NULL: the operator; with `all` to that one, too). */
static void say_msg(struct chat *c, struct chat_member *from, bool all, struct msg *msg)
{
	if (msg == NULL)
		return;
	broadcast_say(&c->broadcast, msg, from != NULL && !all ? &from->m : NULL);
	if (c->operated && (from != NULL || all))
		operator_io_print(&c->operator_io, msg);
	msg_drop(msg);
}

__attribute__((format(printf, 4, 5))) static void say(struct chat *c, struct chat_member *from, bool all, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say_msg(c, from, all, words(fmt, ap));
	va_end(ap);
}

/* Names and rosters */

static struct chat_member *find_chatter(const struct chat *c, const char *who, size_t n)
{
	char name[CHAT_NAME];
	for (struct member *m = c->broadcast.first; m != NULL; m = m->next) {
		const char *is = chat_name(chatter_of(m), name);
		if (!m->departed && strlen(is) == n && strncasecmp(is, who, n) == 0)
			return chatter_of(m);
	}
	struct session *s =
		n > 0 && n < 10 && strspn(who, "0123456789") >= n ? session_find(c->service_run, (uint32_t)atol(who)) : NULL;
	return s != NULL && !((struct member *)s->mem)->departed ? chatter_of(s->mem)
								 : NULL; /* after a name, its number is still valid */
}

/* "1, ana (2 here)" after the given beginning. */
static void tell_roster(struct chat *c, struct chat_member *to, const char *begin)
{
	char text[ROSTER_NAMES * (CHAT_NAME + 2) + 256], name[CHAT_NAME];
	unsigned long shown = 0;
	size_t n = (size_t)snprintf(text, 128, "* %s", begin);
	if (c->operated)
		n += (size_t)snprintf(text + n, CHAT_NAME + 3, "%sserver", shown++ > 0 ? ", " : "");
	for (struct member *m = c->broadcast.first; m != NULL && shown < ROSTER_NAMES; m = m->next)
		if (!m->departed)
			n += (size_t)snprintf(
				text + n, CHAT_NAME + 3, "%s%s", shown++ > 0 ? ", " : "", chat_name(chatter_of(m), name));
	if (shown < chat_lines_heads(c))
		n += (size_t)snprintf(text + n, 48, " and %lu more", chat_lines_heads(c) - shown);
	n += (size_t)snprintf(text + n, 48, " (%lu here)\n", chat_lines_heads(c));
	tell_msg(c, to, msg_new(text, n));
}

static void rename_chatter(struct chat *c, struct chat_member *g, const struct chat_command *cmd)
{
	char before[CHAT_NAME];
	if (g == NULL) {
		tell(c, g, "* your name is server\n");
		return;
	}
	if (!chat_nick_ok(cmd->who, cmd->who_len) || cmd->text_len > 0) {
		tell(c, g, "* a name is 1-%d letters, digits, _ or -, and begins with no digit\n", CHAT_NICK_MOST);
		return;
	}
	struct chat_member *other = find_chatter(c, cmd->who, cmd->who_len);
	if (other != NULL && other != g) {
		tell(c, g, "* %.*s is taken\n", (int)cmd->who_len, cmd->who);
		return;
	}
	chat_name(g, before);
	memcpy(g->nick, cmd->who, cmd->who_len);
	g->nick[cmd->who_len] = '\0';
	say(c, g, true, "* %s is now %s (%lu here)\n", before, g->nick, chat_lines_heads(c));
	event(c->service_run->run->events, EV_MEMBER, g->m.session->id, EV_TEXT("nick", g->nick), EV_TEXT("what", "rename"),
		EV_TEXT("was", before));
}

/* Clients' lines. A message is allocated for the worst case, every byte escaped, and shortened when it is complete. */

static size_t put_line(char *out, size_t cap, const char *around[2], const struct chat_command *cmd)
{
	size_t n = (size_t)snprintf(out, cap, "%s", around[0]);
	n += text_show(out + n, cap - n, cmd->text, cmd->text_len);
	return n + (size_t)snprintf(out + n, cap - n, "%s\n", around[1]);
}

static struct msg *one_line(const char *before, const char *after, const struct chat_command *cmd)
{
	const char *around[2] = { before, after };
	size_t cap = strlen(before) + cmd->text_len * 4 + strlen(after) + 2;
	struct msg *msg = msg_new(NULL, cap);
	return msg == NULL ? NULL : msg_shorten(msg, put_line((char *)msg->bytes, cap, around, cmd));
}

static void chat_lines_act(struct chat *c, struct chat_member *g, const struct chat_command *cmd)
{
	char name[CHAT_NAME], before[CHAT_NAME + AROUND_NAME];
	snprintf(before, sizeof before, "<%s> *", chat_name(g, name));
	say_msg(c, g, false, one_line(before, "*", cmd));
}

static void chat_lines_whisper(struct chat *c, struct chat_member *g, const struct chat_command *cmd)
{
	char name[CHAT_NAME], before[CHAT_NAME + AROUND_NAME];
	struct chat_member *to = find_chatter(c, cmd->who, cmd->who_len);
	bool to_operator = c->operated && cmd->who_len == 6 && strncasecmp(cmd->who, "server", 6) == 0;
	if (to == NULL && !to_operator) {
		char shown[64];
		text_show(shown, sizeof shown, cmd->who, cmd->who_len);
		tell(c, g, "* no client is called %s\n", shown);
		return;
	}
	snprintf(before, sizeof before, "<%s to you> ", chat_name(g, name));
	tell_msg(c, to, one_line(before, "", cmd));
}

static void chat_lines_quit(struct chat *c, struct chat_member *g)
{
	if (g != NULL) {
		broadcast_bye(&g->m, END_PEER, false);
		return;
	}
	if (c->service_run->finish != NULL)
		c->service_run->finish(c->service_run->finish_arg);
	service_run_drain(c->service_run);
}

static void run_command(struct chat *c, struct chat_member *g, const struct chat_command *cmd)
{
	char shown[64];
	switch (cmd->verb) {
	case CHAT_NICK:
		rename_chatter(c, g, cmd);
		break;
	case CHAT_WHO:
		tell_roster(c, g, "here: ");
		break;
	case CHAT_MSG:
		chat_lines_whisper(c, g, cmd);
		break;
	case CHAT_ME:
		chat_lines_act(c, g, cmd);
		break;
	case CHAT_QUIT:
		chat_lines_quit(c, g);
		break;
	case CHAT_HELP:
		tell(c, g, "* /nick NAME, /who, /msg WHO TEXT, /me TEXT, /quit, /help; //TEXT says /TEXT\n");
		break;
	default:
		text_show(shown, sizeof shown, cmd->who, cmd->who_len);
		tell(c, g, "* there is no /%s; /help tells what there is\n", shown);
	}
}

struct batch {
	struct msg *msg;
	size_t used, cap;
};

static void send_batch(struct chat *c, struct chat_member *g, struct batch *b)
{
	if (b->msg != NULL)
		say_msg(c, g, false, msg_shorten(b->msg, b->used));
	*b = (struct batch){ 0 };
}

/* rest: bytes that are still to come, with this line's; the message gets room for all of them. */
static int add_line(struct chat_member *g, struct batch *b, const struct chat_command *cmd, const char *rest, size_t n)
{
	char name[CHAT_NAME], before[CHAT_NAME + AROUND_NAME];
	const char *around[2] = { before, "" };
	int head = snprintf(before, sizeof before, "<%s> ", chat_name(g, name));
	if (b->msg == NULL) {
		size_t lines = 1;
		for (size_t i = 0; i < n; i++)
			lines += rest[i] == '\n';
		b->cap = lines * ((size_t)head + 1) + n * 4 + 1;
		b->msg = msg_new(NULL, b->cap);
	}
	if (b->msg == NULL)
		return -1;
	b->used += put_line((char *)b->msg->bytes + b->used, b->cap - b->used, around, cmd);
	return 0;
}

int chat_speak(struct chat *c, struct chat_member *g, const char *bytes, size_t n)
{
	struct batch b = { 0 };
	size_t at = 0, len = 0;
	ssize_t used;
	for (; n > 0; bytes += used, n -= (size_t)used) {
		struct chat_command cmd;
		used = framer_cut(&framer_line, bytes, n, &at, &len);
		if (used <= 0) { /* the last line of a terminal, without newline */
			used = (ssize_t)n;
			at = 0;
			len = n;
		}
		if (g != NULL && ((g->m.leaving && !g->m.hears) || g->m.session->ended))
			break;
		chat_command_parse(bytes + at, len, &cmd);
		if (cmd.verb == CHAT_SAY && add_line(g, &b, &cmd, bytes, n) != 0)
			return -1;
		if (cmd.verb != CHAT_SAY) {
			send_batch(c, g, &b);
			run_command(c, g, &cmd);
		}
	}
	send_batch(c, g, &b);
	return 0;
}

/* Chatters */

static void lines_said(struct member *m, const char *bytes, size_t n, bool cut)
{
	static const struct why no_memory = { ERR_LOCAL, OF_PEER, ENOMEM, "relay what came from" };
	struct chat *c = chat_of(m);
	if (chat_speak(c, chatter_of(m), bytes, n) != 0)
		session_end(m->session, END_ERROR, CLOSE_PLAIN, &no_memory);
	else if (cut)
		tell(c, chatter_of(m), "* your line was cut after %lu bytes\n", (unsigned long)m->broadcast->max_line);
}

static void lines_came(struct chat *c, struct chat_member *g)
{
	char begin[64];
	unsigned long id = g->m.session->id;
	snprintf(begin, sizeof begin, "you are %lu; here: ", id);
	tell_roster(c, g, begin);
	say(c, g, false, "* %lu has joined (%lu here)\n", id, chat_lines_heads(c));
}

static void lines_left(struct member *m)
{
	char name[CHAT_NAME];
	if (!m->broadcast->service_run->draining)
		say(chat_of(m), chatter_of(m), false, "* %s has left (%lu here)\n", chat_name(chatter_of(m), name),
			chat_lines_heads(chat_of(m)));
}

static size_t lines_missed(uint32_t lines, char *out, size_t cap)
{
	return (size_t)snprintf(out, cap, "* you missed %lu line%s\n", (unsigned long)lines, lines == 1 ? "" : "s");
}

static void lines_closing(struct chat *c, struct chat_member *g)
{
	tell(c, g, "* server is closing\n");
}

const struct chat_wire chat_lines = {
	.ops = { .said = lines_said, .left = lines_left, .missed = lines_missed },
	.came = lines_came,
	.closing = lines_closing,
};
