/* The command of --run (run_command.h): a child with a shell, and the rest of its group when the shell has ended. */
#include "server/run_command.h"

#include "base/mem.h"
#include "base/sys.h"
#include "loop/child.h"
#include "stream/stdfd.h"
#include "tls/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { KILLED_BY = 128, SET_MOST = sizeof "SOCKCTL_ADDR=" + sizeof((struct self_url *)0)->url };

struct run_command {
	const struct run *run;
	struct child *child; /* the command, or the rest of its group while that is being ended; NULL: none */
	pid_t group;	     /* 0: empty */
	bool ending;	     /* it was told to end */
	int status;
	void (*idle)(void *arg);
	void *arg;
};

static const struct opt rows[] = {
	{ .name = "run",
		.kind = OPT_TEXT,
		.needs = NEEDS_CHILD,
		.off = offsetof(struct run_command_conf, command),
		.arg = "CMD",
		.help = "run CMD once we listen, end when it ends",
		.man = "Once all sockets listen, runs sh -c CMD with SOCKCTL_HOST, SOCKCTL_PORT and SOCKCTL_ADDR (a URL) in its "
		       "environment, which tell how to reach this server, with 127.0.0.1 or ::1 in place of a wildcard; for a "
		       "Unix socket SOCKCTL_ADDR alone; under TLS also SOCKCTL_PIN, for --pin. Standard input is not read then, "
		       "and is empty for CMD. CMD's output goes to standard error if standard output carries payload. When CMD "
		       "ends no more clients are accepted, the present ones finish, and the exit status is that of CMD (128 + n "
		       "for signal n) unless this program has failed itself. Clients finish within --drain then, as after a "
		       "signal. At a signal, at the end of --lifetime and at any other end of this program CMD's process group "
		       "gets SIGTERM and after two seconds SIGKILL." },
	{ 0 },
};
const struct opt_group run_command_opts = { .title = "Scripts", .size = sizeof(struct run_command_conf), .rows = rows };

bool run_command_wanted(const struct conf *conf)
{
	const struct run_command_conf *run = conf_get(conf, &run_command_opts);
	return run != NULL && run->command != NULL;
}

int run_command_take_stdin(const struct run *run, const struct addr *a, struct err *e)
{
	if (!run_command_wanted(run->conf) || (a->kind == ADDR_FD && a->fd == STDIN_FILENO))
		return 0;
	int fd = sys_open("/dev/null", O_RDONLY, 0);
	int rc = fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO ? 0 : err_set(e, ERR_LOCAL, errno, "--run: open /dev/null");
	sys_close(fd);
	return rc;
}

static void tell_end(const struct run_command *r, int status)
{
	bool killed = WIFSIGNALED(status);
	const struct ev_field how = killed ? EV_NUM("signal", WTERMSIG(status)) : EV_NUM("status", r->status);
	char words[48];
	snprintf(words, sizeof words, "%s %d", killed ? "signal" : "status", killed ? WTERMSIG(status) : r->status);
	event(r->run->events, EV_CHILD, 0, EV_NUM("pid", r->group), how, EV_TEXT("how", words));
}

static void on_command_ended(void *arg, int status)
{
	struct run_command *r = arg;
	r->child = NULL;
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED_BY + WTERMSIG(status);
	tell_end(r, status);
	if (r->ending || !child_left(r->group))
		r->group = 0;
	r->idle(r->arg);
}

static void on_command_rest_ended(void *arg, int status)
{
	struct run_command *r = arg;
	(void)status;
	r->child = NULL;
	r->group = 0;
	r->idle(r->arg);
}

static void set_variable(char out[SET_MOST], const char *name, const char *value)
{
	snprintf(out, SET_MOST, "%s%s%s", name, *value != '\0' ? "=" : "", value);
}

static struct child *run_command_spawn(
	struct run_command *r, const char *script, const struct self_url *self_url, bool stdout_taken, struct err *e)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	char host[SET_MOST], port[SET_MOST], url[SET_MOST], pin[SET_MOST];
	const char *const set[] = { host, port, url, pin, NULL }, *own_pin = tls_pin(r->run);
	struct child_command command = { .argv = argv, .set = set };
	int err_fd = stdfd_lend(STDERR_FILENO), out_fd = stdfd_lend(stdout_taken ? STDERR_FILENO : STDOUT_FILENO);
	const int fd[3] = { -1, out_fd, err_fd };
	set_variable(host, "SOCKCTL_HOST", self_url->host);
	set_variable(port, "SOCKCTL_PORT", self_url->port);
	set_variable(url, "SOCKCTL_ADDR", self_url->url);
	set_variable(pin, "SOCKCTL_PIN", own_pin != NULL ? own_pin : "");
	struct child *child = child_start(r->run->loop, child_exec, &command, fd, on_command_ended, r, e);
	sys_close(err_fd);
	sys_close(out_fd);
	return child;
}

struct run_command *run_command_start(const struct run *run, const struct self_url *self_url, bool stdout_taken,
	void (*idle)(void *arg), void *arg, struct err *e)
{
	const struct run_command_conf *conf = conf_get(run->conf, &run_command_opts);
	struct run_command *r = mem_new(sizeof *r);
	if (r == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "--run");
		return NULL;
	}
#ifdef PR_SET_CHILD_SUBREAPER
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans of the command become our children, so that we see their end */
#endif
	*r = (struct run_command){ .run = run, .idle = idle, .arg = arg };
	r->child = run_command_spawn(r, conf->command, self_url, stdout_taken, e);
	if (r->child != NULL) {
		r->group = child_pid(r->child);
		return r;
	}
	err_prefix(e, "--run");
	mem_free(r);
	return NULL;
}

bool run_command_busy(const struct run_command *r)
{
	return r != NULL && r->child != NULL;
}

void run_command_end(struct run_command *r)
{
	struct err e = { 0 };
	if (r == NULL || r->ending)
		return;
	if (r->child == NULL && r->group != 0 && !child_left(r->group)) /* its number may be reused later */
		r->group = 0;
	if (r->group == 0)
		return;
	r->ending = true;
	if (r->child != NULL)
		child_end(r->child);
	else if ((r->child = child_end_rest(r->run->loop, r->group, on_command_rest_ended, r, &e)) == NULL)
		run_fail(r->run, &e);
}

void run_command_kill(struct run_command *r)
{
	run_command_end(r);
	if (run_command_busy(r))
		child_kill(r->child);
}

int run_command_status(const struct run_command *r)
{
	return r->status;
}

static void run_command_stop(void *arg)
{
	loop_stop(arg);
}

/* A second signal stops the loop and this wait. */
int run_command_close(struct run_command *r)
{
	struct err e = { 0 };
	r->idle = run_command_stop;
	r->arg = r->run->loop;
	run_command_end(r);
	if (run_command_busy(r) && loop_run(r->run->loop, &e) == 0)
		run_command_kill(r);
	if (run_command_busy(r) && (e.cls != ERR_OK || loop_run(r->run->loop, &e) != 0 || run_command_busy(r)))
		child_forget(r->child);
	int status = r->status;
	mem_free(r);
	return status;
}
