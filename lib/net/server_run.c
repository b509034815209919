/* What a script does with a server: it has it run a command (--run), and it holds its leash (--exit-with-fd).
 *
 * The command's end is a drain as any other: what it sent may still stand at a door, or wait here to be read. What it has left
 * behind of its group goes on as long as that, for it may be a client, and is ended with the server. */
#include "net/server_parts.h"

static void leash_cut(void *arg)
{
	struct server *s = arg;
	run_end(s->run);
	if (!s->opts.one) {
		server_drain(s, "exit-with-fd", true);
		return;
	}
	leash_fail(&s->leash);
	server_cut(s, "exit-with-fd");
}

int server_run_prepare(struct server *s, const struct service *service, struct err *e)
{
	bool in = (service->needs & OWNS_STDIN) != 0 && !run_wanted(s->env->conf), out = (service->needs & OWNS_STDOUT) != 0;
	if (leash_open(&s->leash, s->env, in, out, leash_cut, s, e) != 0)
		return -1;
	return run_take_stdin(s->env, &s->addr, e);
}

static void idle(void *arg)
{
	struct server *s = arg;
	s->env->outcome->child_status = run_status(s->run);
	if (!s->draining)
		server_drain(s, "run", true);
	server_look(s);
}

int server_run_start(struct server *s, struct err *e)
{
	struct reach reach;
	if (!run_wanted(s->env->conf))
		return 0;
	reach_of(&reach, &s->listeners, &s->addr);
	s->run = run_start(s->env, &reach, (s->hub->service->needs & OWNS_STDOUT) != 0, idle, s, e);
	return s->run != NULL ? 0 : -1;
}

void server_run_close(struct server *s)
{
	if (s->run != NULL) {
		doors_shut(s);
		s->env->outcome->child_status = run_close(s->run);
		s->run = NULL;
	}
	leash_close(&s->leash);
}
