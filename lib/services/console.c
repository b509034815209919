/* The console of `serve`: stdin goes to all clients, their lines come to stdout.
 *
 * The end of stdin decides how the run ends. Empty from the start (or --recv-only): nothing will be sent, and the clients are
 * served until each has finished (`silent`). Ended after data: the queues are sent, each client is half-closed and read to its
 * own end, and no more are accepted (`over`).
 *
 * stdin is read while a client is there to hear it and no client's queue is over half full. When stdout cannot keep up the
 * clients are not read. A client that has finished is still sent what comes from stdin, for "the peer's EOF never shortens
 * sending", as long as there is room for it: in a full house it gives way to another peer. Where a person sits at stdin it is let
 * go, as connect does with a terminal. */
#include "services/service.h"

#include "base/mem.h"
#include "services/console_command.h"
#include "chat/operator_io.h"
#include "chat/broadcast.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_ID, LABEL_ADDR, LABEL_NONE };
enum console_end { END_AUTO, END_BOTH, END_WITH_PEER };
struct console_conf {
	int label;
	bool commands, recv_only, raw;
	int end; /* enum console_end */
};

static const struct opt rows[] = {
	{ .name = "label",
		.kind = OPT_CHOICE,
		.off = offsetof(struct console_conf, label),
		.arg = "id|addr|none",
		.def = "id",
		.help = "what stands before each line of a client",
		.man = "What stands before each line of a client on standard output: its number, as in \"[3] text\", its "
		       "address, or nothing." },
	{ .name = "commands",
		.with = WITH_SENDING,
		.kind = OPT_FLAG,
		.off = offsetof(struct console_conf, commands),
		.help = "obey @3, /who and /kick on stdin",
		.man = "Obeys commands on standard input even if it is no terminal: \"@3 text\" goes to client 3 only, "
		       "/who lists the clients on standard error, \"/kick 3\" closes one; @@ and // at the start of a "
		       "line stand for the plain sign. Without it, what comes from a pipe or file is passed on byte for "
		       "byte." },
	{ .name = "end",
		.kind = OPT_CHOICE,
		.off = offsetof(struct console_conf, end),
		.arg = "auto|both|peer",
		.def = "auto",
		.help = "end a client when it has finished, or keep it",
		.man = "Of a console: when a client's connection is over. peer: as soon as the client has ended its side and has got "
		       "what was queued for it. both: when standard input has ended, too; until then the client is sent what comes. auto "
		       "is peer when standard input is a terminal or has nothing to say, and both otherwise." },
	{ .name = "recv-only",
		.kind = OPT_FLAG,
		.off = offsetof(struct console_conf, recv_only),
		.help = "never read stdin, send nothing",
		.man = "Never reads standard input; what clients send is still printed." },
	{ .name = "raw",
		.kind = OPT_FLAG,
		.off = offsetof(struct console_conf, raw),
		.help = "give a terminal the bytes as they are",
		.man = "Gives standard output the clients' bytes as they are, even if it is a terminal. With --label none that "
		       "holds for lines, too: bytes are written as they come, whole lines or not, and a datagram without a "
		       "newline gets none." },
	{ 0 },
};
const struct opt_group console_opts = {
	.title = "Console", .size = sizeof(struct console_conf), .rows = rows, .with = WITH_CONSOLE
};

struct console {
	struct service_run *service_run;
	const struct console_conf *conf;
	struct broadcast broadcast;
	struct operator_io operator_io;
	bool commands;	  /* lines of stdin are looked at */
	bool silent;	  /* nothing will come from stdin */
	bool over;	  /* stdin has ended after data */
	bool mid_line;	  /* the last piece of stdin had no newline: what follows has the same receiver */
	uint32_t mid_one; /* its number; 0: all */
	bool mid_drop;	  /* no receiver */
};

static struct console *console_of(const struct member *m)
{
	return m->broadcast->service_run->mem;
}

static void console_note(const struct console *c, uint32_t conn, const char *text)
{
	event(c->service_run->run->events, EV_NOTE, conn, EV_TEXT("text", text));
}

/* Clients to stdout */

/* Bytes must not be changed: they need not be lines. */
static bool console_bare(const struct console_conf *conf)
{
	return conf->raw && conf->label == LABEL_NONE;
}

static size_t console_label(const struct console *c, const struct session *s, char out[SA_TEXT + 4])
{
	char addr[SA_TEXT];
	if (c->conf->label == LABEL_NONE)
		return 0;
	if (c->conf->label == LABEL_ID)
		return (size_t)snprintf(out, SA_TEXT + 4, "[%lu] ", (unsigned long)s->id);
	return (size_t)snprintf(out, SA_TEXT + 4, "[%s] ", session_label(s, addr));
}

static void console_said(struct member *m, const char *bytes, size_t n, bool cut)
{
	static const struct why no_memory = { ERR_LOCAL, OF_PEER, ENOMEM, "print a line from" };
	struct console *c = console_of(m);
	char head[SA_TEXT + 4], words[64];
	size_t head_len = console_label(c, m->session, head), lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += bytes[i] == '\n';
	struct msg *msg = msg_new(NULL, n + lines * head_len);
	if (msg == NULL) {
		session_end(m->session, END_ERROR, CLOSE_PLAIN, &no_memory);
		return;
	}
	unsigned char *to = msg->bytes;
	while (n > 0) {
		const char *lf = console_bare(c->conf) ? bytes + n - 1 : memchr(bytes, '\n', n);
		size_t len = (size_t)(lf - bytes) + 1; /* broadcast passes whole lines only */
		memcpy(to, head, head_len);
		memcpy(to + head_len, bytes, len);
		to += head_len + len;
		bytes += len;
		n -= len;
	}
	operator_io_print(&c->operator_io, msg);
	msg_drop(msg);
	if (!cut)
		return;
	snprintf(words, sizeof words, "a line was cut after %lu bytes", (unsigned long)m->broadcast->max_line);
	console_note(c, m->session->id, words);
}

static void console_finished(struct member *m)
{
	const struct console *c = console_of(m);
	bool soon = c->conf->end == END_AUTO ? c->operator_io.tty : c->conf->end == END_WITH_PEER;
	if (c->silent || soon)
		broadcast_bye(m, END_PEER, true);
}

/* A client that has finished is kept for later lines, while there is room. */
static bool console_spare(const struct session *s)
{
	const struct console *c = s->service_run->mem;
	return broadcast_spent(s->mem) && operator_io_quiet(&c->operator_io);
}

static void console_quiet(void *arg)
{
	const struct service_run *service_run = ((struct console *)arg)->service_run;
	if (service_run->spare != NULL)
		service_run->spare(service_run->spare_arg);
}

static void console_spent(struct member *m)
{
	console_quiet(console_of(m));
}

static void console_left(struct member *m)
{
	operator_io_look(&console_of(m)->operator_io);
}

static const struct broadcast_ops broadcast_ops = {
	.said = console_said, .finished = console_finished, .spent = console_spent, .left = console_left, .aside = true
};
static const struct broadcast_ops bare_ops = { .said = console_said,
	.finished = console_finished,
	.spent = console_spent,
	.left = console_left,
	.aside = true,
	.raw = true };

/* stdin to clients */

static void say_to(struct console *c, uint32_t one, const char *bytes, size_t n)
{
	static const struct err no_memory = { ERR_LOCAL, ENOMEM, "read stdin: out of memory" };
	struct session *s = one != 0 ? session_find(c->service_run, one) : NULL;
	struct msg *msg = msg_new(bytes, n);
	if (msg == NULL) {
		run_fail(c->service_run->run, &no_memory);
		loop_stop(c->service_run->run->loop);
	} else if (s != NULL) {
		broadcast_tell(s->mem, msg);
	} else if (one == 0) {
		broadcast_say(&c->broadcast, msg, NULL);
	}
	msg_drop(msg);
}

static void console_who(const struct console *c)
{
	char addr[SA_TEXT], words[SA_TEXT + 64];
	if (c->broadcast.count == 0)
		console_note(c, 0, "no clients");
	for (const struct member *m = c->broadcast.first; m != NULL; m = m->next) {
		const struct session *s = m->session;
		if (m->departed)
			continue;
		snprintf(words, sizeof words, "%s, %llu bytes in, %llu out", session_label(s, addr),
			(unsigned long long)s->counters.in, (unsigned long long)s->counters.out);
		console_note(c, s->id, words);
	}
}

/* One line, or a piece of a very long one. */
static void console_obey(struct console *c, const char *line, size_t n)
{
	struct console_command cmd;
	char words[64];
	console_command_parse(line, n, &cmd);
	struct session *s = cmd.id != 0 ? session_find(c->service_run, cmd.id) : NULL;
	bool one = cmd.verb == CONSOLE_ONE || cmd.verb == CONSOLE_KICK;
	c->mid_drop = (one && s == NULL) || (cmd.verb != CONSOLE_ONE && cmd.verb != CONSOLE_ALL);
	c->mid_one = cmd.id;
	if (one && s == NULL) {
		snprintf(words, sizeof words, "there is no client %lu", (unsigned long)cmd.id);
		console_note(c, 0, words);
	} else if (cmd.verb == CONSOLE_ALL || cmd.verb == CONSOLE_ONE) {
		say_to(c, cmd.id, cmd.text, cmd.text_len);
	} else if (cmd.verb == CONSOLE_KICK) {
		broadcast_bye(s->mem, END_KICK, false);
	} else if (cmd.verb == CONSOLE_WHO) {
		console_who(c);
	} else {
		console_note(c, 0, "unknown command; there are @N TEXT, /who and /kick N, and @@ or // for the plain sign");
	}
}

static void console_heard(void *arg, const char *bytes, size_t n)
{
	struct console *c = arg;
	if (!c->commands) {
		say_to(c, 0, bytes, n);
		return;
	}
	while (n > 0) {
		const char *lf = memchr(bytes, '\n', n);
		size_t len = lf != NULL ? (size_t)(lf - bytes) + 1 : n;
		if (!c->mid_line)
			console_obey(c, bytes, len);
		else if (!c->mid_drop)
			say_to(c, c->mid_one, bytes, len);
		c->mid_line = lf == NULL;
		bytes += len;
		n -= len;
	}
}

static bool console_listens(void *arg)
{
	const struct console *c = arg;
	return c->broadcast.count > 0 && broadcast_free(&c->broadcast) && !c->service_run->draining;
}

/* After data: a drain. The queues are sent, and each client is read to its end. Without data: clients that have finished have
 * waited only for input of ours. */
static void console_ended(void *arg)
{
	struct console *c = arg;
	c->over = c->operator_io.any;
	c->silent = true;
	for (struct member *m = c->broadcast.first; m != NULL; m = m->next)
		if (!c->over && m->eof)
			broadcast_bye(m, END_PEER, true);
	if (c->over && c->service_run->finish != NULL)
		c->service_run->finish(c->service_run->finish_arg);
}

static void console_full(void *arg, bool full)
{
	broadcast_hold(&((struct console *)arg)->broadcast, full);
}

static void on_console_ready(void *arg)
{
	operator_io_look(&((struct console *)arg)->operator_io);
}

static const struct operator_io_ops operator_io_ops = {
	.listens = console_listens, .heard = console_heard, .quiet = console_quiet, .ended = console_ended, .full = console_full
};

/* The service */

static int console_start(struct service_run *service_run, struct err *e)
{
	struct console *c = service_run->mem;
	bool tty = operator_io_terminal();
	c->service_run = service_run;
	c->conf = conf_get(service_run->run->conf, &console_opts);
	c->commands = c->conf->commands || tty;
	c->silent = c->conf->recv_only;
	const struct operator_io_opts opts = {
		.reads = !c->conf->recv_only, .writes = true, .lines = c->commands, .raw = c->conf->raw
	};
	const struct broadcast_ops *ops = console_bare(c->conf) ? &bare_ops : &broadcast_ops;
	if (broadcast_open(&c->broadcast, service_run, ops, tty ? SLOW_SKIP : SLOW_WAIT, e) != 0)
		return -1;
	c->broadcast.ready = on_console_ready;
	c->broadcast.arg = c;
	if (operator_io_open(&c->operator_io, service_run, &opts, &operator_io_ops, c, e) == 0)
		return 0;
	broadcast_close(&c->broadcast);
	return -1;
}

static int console_open(struct session *s, struct err *e)
{
	const struct stdio_conf *stdio = conf_get(s->service_run->run->conf, &stdio_opts);
	struct console *c = s->service_run->mem;
	(void)e;
	if ((s->stream->caps & ST_DGRAM) && !c->commands)
		c->operator_io.opts.read_most = (size_t)stdio->datagram_bytes;
	broadcast_join(&c->broadcast, s->mem, s);
	operator_io_look(&c->operator_io);
	return 0;
}

static void console_drain(struct session *s)
{
	struct console *c = s->service_run->mem;
	operator_io_last(&c->operator_io);
	broadcast_drain(s->mem, c->over ? END_LOCAL : service_run_ends_by(s->service_run));
}

static bool console_holds(struct session *s)
{
	return broadcast_holds(s->mem);
}

static void console_close(struct session *s)
{
	broadcast_leave(s->mem);
}

static void console_stop(struct service_run *service_run)
{
	struct console *c = service_run->mem;
	operator_io_close(&c->operator_io);
	broadcast_close(&c->broadcast);
}

static unsigned console_lacks(const struct conf *conf)
{
	const struct console_conf *own = conf_get(conf, &console_opts);
	return own->recv_only ? WITH_SENDING : 0U;
}

const struct service service_console = {
	.name = "console",
	.is = WITH_CONSOLE,
	.needs = OWNS_STDIN | OWNS_STDOUT | CAP_SNDBUF | NOTICE_FULL,
	.run_bytes = sizeof(struct console),
	.session_bytes = sizeof(struct member),
	.lacks = console_lacks,
	.start = console_start,
	.open = console_open,
	.drain = console_drain,
	.spare = console_spare,
	.holds = console_holds,
	.close = console_close,
	.stop = console_stop,
};
