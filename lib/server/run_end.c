/* Two ends of a server by a script: it runs a command (--run), or holds a descriptor (--exit-with-fd).
 *
 * The command's end is a drain as any other: its connections may still be in the backlog, or have unread bytes. The rest of its
 * group runs on meanwhile, because it may be a client, and is ended with the server. */
#include "server/server_internal.h"

static void on_exit_with_fd(void *arg)
{
	struct server *s = arg;
	run_command_end(s->command);
	if (!s->opts.one) {
		server_drain(s, "exit-with-fd", true);
		return;
	}
	exit_with_fd_fail(&s->exit_with_fd);
	server_cut(s, "exit-with-fd");
}

int server_run_prepare(struct server *s, const struct service *service, struct err *e)
{
	bool in = (service->needs & OWNS_STDIN) != 0 && !run_command_wanted(s->run->conf),
	     out = (service->needs & OWNS_STDOUT) != 0;
	if (exit_with_fd_open(&s->exit_with_fd, s->run, in, out, on_exit_with_fd, s, e) != 0)
		return -1;
	return run_command_take_stdin(s->run, &s->addr, e);
}

static void on_run_command_idle(void *arg)
{
	struct server *s = arg;
	s->run->outcome->child_status = run_command_status(s->command);
	if (!s->draining)
		server_drain(s, "run", true);
	server_look(s);
}

int server_run_start(struct server *s, struct err *e)
{
	struct self_url self_url;
	if (!run_command_wanted(s->run->conf))
		return 0;
	self_url_of(&self_url, &s->listeners, &s->addr);
	s->command = run_command_start(
		s->run, &self_url, (s->service_run->service->needs & OWNS_STDOUT) != 0, on_run_command_idle, s, e);
	return s->command != NULL ? 0 : -1;
}

void server_run_close(struct server *s)
{
	if (s->command != NULL) {
		accept_shut(s);
		s->run->outcome->child_status = run_command_close(s->command);
		s->command = NULL;
	}
	exit_with_fd_close(&s->exit_with_fd);
}
