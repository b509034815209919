/* Why a serving run ends, and how: first nobody else comes in, then the clients may finish, then the connections that linger
 * are closed well, then the loop stops. A signal and --lifetime hurry the clients: they are asked to finish within --drain and
 * cut after it. A second signal cuts at once. */
#include "net/server_parts.h"

#include "io/prelude.h"

#include <signal.h>
#include <stdio.h>

static const struct {
	int signo;
	const char *name;
} ending[] = { { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" }, { SIGHUP, "SIGHUP" } };
enum { ENDING = sizeof ending / sizeof ending[0] };

static void stop(void *arg)
{
	loop_stop(arg);
}

/* A client holds its place from its admission on: in its setup, between setup and session, and as a session until that is swept.
 * So the places say whether a client is left, and no end is decided while one is on its way from one state to the next. A UDP
 * peer that had to make room has given its place away before its session is swept. */
void server_look(struct server *s)
{
	if (s->over || !s->closed || admit_active(s->admit) > 0 || s->hub->all.left > 0 || run_busy(s->run))
		return;
	s->over = true;
	linger_when_empty(s->env->linger, stop, s->env->loop);
}

/* A client that has passed is served, unless --count says that it is one too many. */
void server_no_more(struct server *s)
{
	doors_shut(s);
	while ((s->conf->count == 0 || s->opened < s->conf->count) && pending_hand_over(&s->pending))
		;
	pendings_close(&s->pending);
	server_look(s);
}

/* Also cut is who had ended well, but has not got everything yet. */
void server_cut(struct server *s, enum session_end by, const char *reason)
{
	unsigned long n = s->hub->all.count + linger_cut(s->env->linger);
	for (struct session *i = s->hub->all.first; i != NULL; i = i->next)
		session_end(i, by, CLOSE_RST, NULL);
	if (n > 0) {
		struct err e;
		err_set(&e, ERR_LOST, 0, "%s: %lu client%s cut", reason, n, n == 1 ? "" : "s");
		env_fail(s->env, &e);
	}
	loop_stop(s->env->loop);
}

void server_drain(struct server *s, const char *reason)
{
	int64_t ms = s->conf->drain_ms;
	s->draining = true;
	event(s->env->events, EV_DRAIN, 0, EV_TEXT("signal", reason), EV_NUM("active", s->hub->all.count),
		EV_NUM("deadline_us", ms * 1000), EV_NUM("deadline_ms", ms));
	admit_drain(s->admit);
	loop_timer(s->env->loop, &s->deadline, loop_now(s->env->loop) + ms);
	server_no_more(s); /* before the sessions are drained: a setup that has passed is one of them */
	hub_drain(s->hub);
	run_end(s->run);
}

static void signalled(void *arg, int signo)
{
	struct server *s = arg;
	const char *name = "signal";
	for (size_t i = 0; i < ENDING; i++)
		if (ending[i].signo == signo)
			name = ending[i].name;
	if (!s->draining) {
		server_drain(s, name);
		return;
	}
	char reason[32];
	run_kill(s->run);
	snprintf(reason, sizeof reason, "second signal, %s", name);
	server_cut(s, END_SIGNAL, reason);
}

static void drained(void *arg)
{
	const struct server *s = arg;
	server_cut(arg, s->hub->outlived ? END_LIFETIME : END_DRAIN, "drain deadline");
}

static void lived(void *arg)
{
	struct server *s = arg;
	struct err e;
	const struct clock_conf *clocks = conf_get(s->env->conf, &clock_opts);
	err_set(&e, ERR_TIMEOUT, 0, "--lifetime: %g seconds are over", (double)clocks->lifetime_ms / 1000);
	env_fail(s->env, &e);
	s->hub->outlived = true;
	if (!s->draining)
		server_drain(s, "lifetime");
}

int server_watch_ends(struct server *s, struct err *e)
{
	const struct clock_conf *clocks = conf_get(s->env->conf, &clock_opts);
	struct loop *loop = s->env->loop;
	s->deadline = (struct timer){ .fn = drained, .arg = s };
	s->lifetime = (struct timer){ .fn = lived, .arg = s };
	if (clocks->lifetime_ms > 0)
		loop_timer(loop, &s->lifetime, loop_now(loop) + clocks->lifetime_ms);
	if (s->opts.one)
		return env_die_on_signals(s->env, e);
	for (size_t i = 0; i < ENDING; i++)
		if (loop_signal(loop, ending[i].signo, signalled, s, e) != 0)
			return -1;
	prelude_end();
	return 0;
}

void server_forget_ends(struct server *s)
{
	struct loop *loop = s->env->loop;
	loop_timer(loop, &s->deadline, NEVER);
	loop_timer(loop, &s->lifetime, NEVER);
	for (size_t i = 0; i < ENDING && !s->opts.one; i++)
		loop_signal(loop, ending[i].signo, NULL, NULL, NULL);
}
