/* What a script does with a server: it has it run a command (--run), and it holds its leash (--exit-with-fd).
 *
 * The command's end is the server's, but not at once: whom it sent may still stand at the door, or may have gone and left bytes
 * on their way here that nobody has acknowledged yet. So the doors are shut when nobody stands there, and clients finish by
 * themselves. Only one that has said nothing for a while, of whom nothing waits to be read, is sent the end, as after a signal.
 * Whoever the command has left in its group is ended when somebody is silent, or after --drain. When nothing at all moves for
 * --drain whoever is left is cut. */
#include "net/server_parts.h"

#include "base/sys.h"

enum { LOOK_MS = 20, QUIET_MS = 500 };

static void leash_cut(void *arg)
{
	struct server *s = arg;
	if (s->draining)
		return;
	if (s->opts.one)
		leash_fail(&s->leash);
	server_drain(s, "exit-with-fd");
}

int server_run_prepare(struct server *s, const struct service *service, struct err *e)
{
	bool in = (service->needs & OWNS_STDIN) != 0 && !run_wanted(s->env->conf), out = (service->needs & OWNS_STDOUT) != 0;
	if (leash_open(&s->leash, s->env, in, out, leash_cut, s, e) != 0)
		return -1;
	return run_take_stdin(s->env, &s->addr, e);
}

/* listen that has served nobody has not done what it was asked for; a command that failed has said so itself. */
static void shut_doors(struct server *s)
{
	struct err e;
	server_no_more(s);
	if (!s->opts.one || s->opened > 0 || s->env->outcome->child_status != 0)
		return;
	err_set(&e, ERR_NETWORK, 0, "--run: the command has ended and no client has come");
	env_fail(s->env, &e);
}

/* Bytes, or an end, have come that the service does not take just now. */
static bool unread(const struct session *i)
{
	struct pollfd p = { .fd = i->stream->rfd, .events = POLLIN };
	return p.fd >= 0 && sys_poll(&p, 1, 0) > 0;
}

/* Says the end to those who are silent. Returns when a byte last moved. */
static int64_t let_finish(struct server *s, int64_t now_ms)
{
	int64_t moved_ms = s->finish_ms;
	for (struct session *i = s->hub->all.first; i != NULL; i = i->next) {
		int64_t used_ms = i->tally.used_ms > s->finish_ms ? i->tally.used_ms : s->finish_ms;
		if (i->ended)
			continue;
		moved_ms = used_ms > moved_ms ? used_ms : moved_ms;
		if (now_ms - used_ms < QUIET_MS || unread(i))
			continue;
		session_drain(i);
		run_end(s->run);
	}
	return moved_ms;
}

static void look(void *arg)
{
	struct server *s = arg;
	int64_t now_ms = loop_now(s->env->loop);
	if (s->over || s->draining)
		return;
	if (!s->closed && doors_last_call(s) && s->pending.count == 0)
		shut_doors(s);
	run_look(s->run);
	if (now_ms - s->finish_ms >= s->conf->drain_ms)
		run_end(s->run);
	if (now_ms - let_finish(s, now_ms) < s->conf->drain_ms) {
		loop_timer(s->env->loop, &s->finish, now_ms + LOOK_MS);
		return;
	}
	server_no_more(s);
	server_cut(s, END_DRAIN, "--run: the command has ended and nothing moved for --drain");
}

static void idle(void *arg)
{
	struct server *s = arg;
	s->env->outcome->child_status = run_status(s->run);
	if (!s->finishing && !s->draining) {
		s->finishing = true;
		s->finish_ms = loop_now(s->env->loop);
		look(s);
	}
	server_look(s);
}

int server_run_start(struct server *s, struct err *e)
{
	struct reach reach;
	if (!run_wanted(s->env->conf))
		return 0;
	s->finish = (struct timer){ .fn = look, .arg = s };
	reach_of(&reach, &s->listeners, &s->addr);
	s->run = run_start(s->env, &reach, (s->hub->service->needs & OWNS_STDOUT) != 0, idle, s, e);
	return s->run != NULL ? 0 : -1;
}

void server_run_close(struct server *s)
{
	if (s->run != NULL) {
		doors_shut(s);
		loop_timer(s->env->loop, &s->finish, NEVER);
		s->env->outcome->child_status = run_close(s->run);
		s->run = NULL;
	}
	leash_close(&s->leash);
}
