/* Why a serving run ends, and how: first no more clients are accepted, then the present ones may finish, then lingering
 * connections are closed, then the loop stops.
 *
 * There is one drain, for a signal, --lifetime, --exit-with-fd, the end of --run's command and the end of a console's stdin. The
 * system has told the peers in the backlog that they are connected, so they are accepted first; handshakes in progress go on.
 * Then every session is to finish (session_drain.c), also later ones. At the deadline, --drain later, or at once with a second
 * signal, the rest is cut; the run has failed only if that has cost a peer bytes. */
#include "server/server_internal.h"

#include "dial/dial.h"
#include "stream/fdstream.h"
#include "loop/prelude.h"

#include <signal.h>
#include <stdio.h>

static const struct {
	int signo;
	const char *name;
} ending[] = { { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" }, { SIGHUP, "SIGHUP" } };
enum { ENDING = sizeof ending / sizeof ending[0] };

static void shutdown_stop(void *arg)
{
	loop_stop(arg);
}

/* Accepts the backlogs; if there is no place now it is tried again when a client has left. */
static void call_last(struct server *s)
{
	if (s->calling)
		return;
	s->calling = true;
	bool empty = accept_last_call(s);
	s->calling = false;
	if (!empty)
		return;
	access_drain(s->access);
	if (!s->closed)
		accept_shut(s);
}

/* listen without a client has failed; a failed command has reported that itself. */
static void judge_run(const struct server *s)
{
	struct err e;
	if (s->command == NULL || !s->opts.one || s->opened > 0 || s->run->outcome->child_status != 0)
		return;
	err_set(&e, ERR_NETWORK, 0, "--run: the command has ended and no client has come");
	run_fail(s->run, &e);
}

/* listen has then failed, unless what it had was served. */
static void end_with_handed(struct server *s)
{
	struct err e;
	if (s->opts.one && s->opened == 0 && s->run->outcome->first.cls == ERR_OK) {
		err_set(&e, ERR_NETWORK, 0, "listen %s: the connection was turned away", s->addr.text);
		run_fail(s->run, &e);
	}
	accept_shut(s);
}

/* A client has its place from its admission on: in its setup, between setup and session, and as a session until that is freed. So
 * the places show whether a client is left, and the run does not end while one is between two states. A UDP peer that had to make
 * room has lost its place before its session is freed. */
void server_look(struct server *s)
{
	if (s->draining && !s->over && !s->closed)
		call_last(s);
	if (s->handed && !s->closed && !accept_awaits(s) && access_active(s->access) == 0 && s->service_run->all.left == 0)
		end_with_handed(s);
	if (s->over || !s->closed || access_active(s->access) > 0 || s->service_run->all.left > 0 || run_command_busy(s->command))
		return;
	s->over = true;
	judge_run(s);
	linger_when_empty(s->run->linger, shutdown_stop, s->run->loop);
}

/* A client that has passed is served, unless it is over --count. */
void server_no_more(struct server *s)
{
	accept_shut(s);
	while ((s->conf->count == 0 || s->opened < s->conf->count) && handshake_hand_over(&s->handshakes))
		;
	handshakes_close(&s->handshakes);
	server_look(s);
}

/* A session that had ended well, but has not got everything yet, is cut, too. */
void server_cut(struct server *s, const char *reason)
{
	enum session_end by = s->signals > 1 ? END_SIGNAL : service_run_ends_by(s->service_run);
	s->over = true;
	while (handshake_hand_over(&s->handshakes))
		;
	unsigned long n = accept_turn_out(s) + handshakes_cut(&s->handshakes) + linger_cut(s->run->linger);
	for (struct session *i = s->service_run->all.first; i != NULL; i = i->next)
		n += session_cut(i, by);
	if (n > 0) {
		struct err e;
		err_set(&e, ERR_LOST, 0, "%s: %lu client%s cut", reason, n, n == 1 ? "" : "s");
		service_run_lost(s->service_run, &e);
	}
	judge_run(s);
	loop_stop(s->run->loop);
}

/* How much clients have received so far, as far as that can be known. */
static uint64_t delivered_to(const struct server *s)
{
	uint64_t sum = s->service_run->all.out;
	for (const struct session *i = s->service_run->all.first; i != NULL; i = i->next)
		sum += i->counters.out - (uint64_t)stream_unsent(i->stream);
	return sum;
}

static void set_deadline(struct server *s)
{
	loop_timer(s->run->loop, &s->deadline, loop_now(s->run->loop) + s->conf->drain_ms);
	s->delivered = delivered_to(s);
}

void server_drain(struct server *s, const char *reason, bool hurries)
{
	bool first = !s->draining;
	if (s->hurries)
		return; /* there is a deadline already */
	if (first)
		call_last(s);
	s->draining = true;
	s->hurries = hurries;
	event(s->run->events, EV_DRAIN, 0, EV_TEXT("signal", reason), EV_NUM("active", s->service_run->all.count),
		EV_NUM("deadline_us", s->conf->drain_ms * 1000), EV_NUM("deadline_ms", s->conf->drain_ms));
	set_deadline(s);
	service_run_drain(s->service_run);
	server_look(s);
}

static void on_shutdown_signal(void *arg, int signo)
{
	struct server *s = arg;
	const char *name = "signal";
	for (size_t i = 0; i < ENDING; i++)
		if (ending[i].signo == signo)
			name = ending[i].name;
	if (s->signals++ == 0) {
		run_command_end(s->command);
		server_drain(s, name, true);
		return;
	}
	char reason[32];
	run_command_kill(s->command);
	snprintf(reason, sizeof reason, "second signal, %s", name);
	server_cut(s, reason);
}

/* A client that is still reading the operator's last lines gets as long again. */
static void on_shutdown_drained(void *arg)
{
	struct server *s = arg;
	uint64_t before = s->delivered;
	if (!s->hurries && delivered_to(s) > before) {
		set_deadline(s);
		return;
	}
	server_cut(s, "drain deadline");
}

static void on_shutdown_lived(void *arg)
{
	struct server *s = arg;
	struct err e;
	const struct clock_conf *clocks = conf_get(s->run->conf, &clock_opts);
	err_set(&e, ERR_TIMEOUT, 0, "--lifetime: %g seconds are over", (double)clocks->lifetime_ms / 1000);
	run_fail(s->run, &e);
	s->service_run->outlived = true;
	run_command_end(s->command);
	server_drain(s, "lifetime", true);
}

/* listen: one client after the other, and none at all */

static const struct opt listen_rows[] = {
	{ .name = "keep-open",
		.ch = 'k',
		.kind = OPT_FLAG,
		.off = offsetof(struct listen_conf, keep_open),
		.help = "serve the next client after the first has finished",
		.man = "Keeps the listening socket open and serves the next client when one has finished. Standard input goes to "
		       "the first; standard output stays open. Over UDP the next sender waits until all that the present one has sent "
		       "is on standard output, or a service (--exec, ...) has done with it." },
	{ .name = "accept-timeout",
		.kind = OPT_MS,
		.off = offsetof(struct listen_conf, accept_ms),
		.arg = "TIME",
		.help = "end if no client has come within TIME",
		.man = "Ends with status 5 if no client has come, and passed its handshake, within TIME. One that has may stay. "
		       "With --keep-open the time begins anew when a client has gone." },
	{ 0 },
};
const struct opt_group listen_opts = { .title = "Listening", .size = sizeof(struct listen_conf), .rows = listen_rows };

static void on_deserted(void *arg)
{
	struct server *s = arg;
	const struct listen_conf *conf = conf_get(s->run->conf, &listen_opts);
	char at[SA_TEXT], span[DIAL_SPAN];
	struct err e;
	if (handshake_hand_over(&s->handshakes))
		return; /* it has come after all */
	err_set(&e, ERR_TIMEOUT, 0, "listen %s: no client has come within %s (--accept-timeout)",
		sa_text(&s->listeners.v[0].local, at), dial_span(conf->accept_ms, span));
	run_fail(s->run, &e);
	run_command_end(s->command);
	server_no_more(s);
}

void server_await(struct server *s)
{
	const struct listen_conf *conf = conf_get(s->run->conf, &listen_opts);
	if (s->opts.one && conf->accept_ms > 0 && !s->closed)
		loop_timer(s->run->loop, &s->deserted, loop_now(s->run->loop) + conf->accept_ms);
}

int server_watch_ends(struct server *s, struct err *e)
{
	const struct clock_conf *clocks = conf_get(s->run->conf, &clock_opts);
	struct loop *loop = s->run->loop;
	s->deadline = (struct timer){ .fn = on_shutdown_drained, .arg = s };
	s->lifetime = (struct timer){ .fn = on_shutdown_lived, .arg = s };
	s->deserted = (struct timer){ .fn = on_deserted, .arg = s };
	if (clocks->lifetime_ms > 0)
		loop_timer(loop, &s->lifetime, loop_now(loop) + clocks->lifetime_ms);
	server_await(s);
	if (s->opts.one)
		return run_die_on_signals(s->run, e);
	for (size_t i = 0; i < ENDING; i++)
		if (loop_signal(loop, ending[i].signo, on_shutdown_signal, s, e) != 0)
			return -1;
	prelude_end();
	return 0;
}

void server_forget_ends(struct server *s)
{
	struct loop *loop = s->run->loop;
	loop_timer(loop, &s->deadline, NEVER);
	loop_timer(loop, &s->lifetime, NEVER);
	loop_timer(loop, &s->deserted, NEVER);
	for (size_t i = 0; i < ENDING && !s->opts.one; i++)
		loop_signal(loop, ending[i].signo, NULL, NULL, NULL);
}
