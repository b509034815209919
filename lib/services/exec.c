/* A process per connection: the socket's bytes on its stdin and stdout, with any layers between; its stderr is ours.
 *
 * The ends: the client's end closes the child's stdin. The child's end is its exit (a grandchild that still holds the pipe does
 * not count); the rest of the pipe is sent, and then the client is told. A child that reads no more is no failure: the client is
 * read on and its bytes are dropped. When both directions are over the child may take GRACE_MS to exit; a child whose client has
 * gone before, or is cut, gets TERM and two seconds later KILL, with all of its process group.
 *
 * exec_wire.c makes its pipes. With --exec-socket the child gets the connection itself, and nothing is copied. */
#include "services/exec_internal.h"

#include "base/list.h"
#include "base/sys.h"
#include "loop/child.h"
#include "pump/pump.h"
#include "stream/stdfd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRACE_MS = 2000, KILLED_BY = 128, NOT_STARTED = 126, NOT_FOUND = 127 };

static const struct opt rows[] = {
	{ .name = "exec",
		.ch = 'e',
		.kind = OPT_TEXT,
		.needs = NEEDS_EXEC,
		.off = offsetof(struct exec_conf, command),
		.arg = "CMD",
		.help = "run sh -c CMD for each connection, wired to it",
		.man = "Runs sh -c CMD for each connection (a UDP peer counts as one), whose bytes are its standard input and "
		       "output. Words after -- are a program and its arguments, run without a shell: sockctl serve 7000 -- cat. "
		       "The client's end closes the program's standard input; what the program has written goes out before the "
		       "client is told its end. A program whose client has gone gets SIGTERM, and two seconds later SIGKILL, "
		       "with all of its process group. Its environment tells about the connection: see ENVIRONMENT. listen and "
		       "connect end with its exit status if nothing of their own failed." },
	{ .name = "pty",
		.with = WITH_EXEC,
		.kind = OPT_FLAG,
		.off = offsetof(struct exec_conf, pty),
		.help = "run the program on a terminal of its own",
		.man = "Runs the program of --exec, or of --, on a terminal of its own (24 lines of 80), as interactive programs want it: "
		       "its standard error goes to the peer, too, what the peer sends is echoed and edited as if it were typed, the "
		       "peer's end types the end-of-file character, and a peer that leaves hangs up." },
	{ .name = "exec-socket",
		.with = WITH_EXEC,
		.kind = OPT_FLAG,
		.off = offsetof(struct exec_conf, socket),
		.help = "give the program the socket itself",
		.man = "Gives the program the connection itself as standard input and output, so that nothing is copied. It "
		       "cannot be used with TLS or with any option that has to see the bytes." },
	{ 0 },
};

static int exec_check(void *block, struct err *e)
{
	const struct exec_conf *conf = block;
	if (conf->command != NULL && conf->command[0] == '\0')
		return err_set(e, ERR_USAGE, 0, "--exec: the command is empty");
	if (conf->pty && conf->socket)
		return err_set(e, ERR_USAGE, 0, "--pty and --exec-socket cannot be used together");
	return 0;
}
const struct opt_group exec_opts = {
	.title = "Programs", .size = sizeof(struct exec_conf), .rows = rows, .with = WITH_PAYLOAD, .check = exec_check
};

struct job { /* a child; it may outlive its session */
	struct child *child;
	bool told; /* to end: its status then is no failure of its own */
	struct service_run *service_run;
	struct session *session; /* NULL: gone */
	pid_t pid;
	struct timer grace;
	struct job *next, *prev;
};

struct execs { /* the service run's */
	struct job *first, *last;
	unsigned count;
	bool stopping;
};

struct exec { /* a session's */
	struct pump pump;
	struct stream *near; /* NULL: the child has the socket */
	struct job *job;     /* NULL: it has ended */
	bool pumped;	     /* both directions are over */
};

static const struct exec_conf *conf_of(const struct run *run)
{
	return conf_get(run->conf, &exec_opts);
}

static bool exec_wanted(const struct run *run)
{
	const struct exec_conf *conf = conf_of(run);
	return conf->command != NULL || run->command != NULL || conf->pty || conf->socket;
}

/* --- before any socket --- */

static int exec_start(struct service_run *service_run, struct err *e)
{
	const struct run *run = service_run->run;
	const struct exec_conf *conf = conf_of(run);
	if (conf->command != NULL && run->command != NULL)
		return err_set(e, ERR_USAGE, 0, "--exec and the program after --: only one of them can be run");
	if (conf->command == NULL && run->command == NULL)
		return err_set(e, ERR_USAGE, 0, "%s: there is no program to run; add -e CMD or -- PROGRAM",
			conf->pty ? "--pty" : "--exec-socket");
	int sys = run->command != NULL ? child_find(run->command[0]) : 0;
	return sys == 0 ? 0 : err_set(e, ERR_USAGE, sys, "-- %.200s", run->command[0]);
}

/* --- children --- */

static void exec_forget(struct job *j)
{
	struct execs *all = j->service_run->mem;
	loop_timer(j->service_run->run->loop, &j->grace, NEVER);
	LIST_REMOVE(all, j);
	all->count--;
	if (all->stopping && all->count == 0)
		loop_stop(j->service_run->run->loop);
	mem_free(j);
}

static void tell_child(const struct job *j, uint32_t conn, int status)
{
	bool killed = WIFSIGNALED(status);
	int n = killed ? WTERMSIG(status) : WEXITSTATUS(status);
	char words[48];
	snprintf(words, sizeof words, "%s %d", killed ? "signal" : "status", n);
	event(j->service_run->run->events, EV_CHILD, conn, EV_NUM("pid", j->pid),
		killed ? EV_NUM("signal", n) : EV_NUM("status", n), EV_TEXT("how", words));
}

static void end_session(struct session *s, const struct why *why)
{
	const struct exec *x = s->mem;
	bool done = x->near == NULL || x->pump.down.eof;
	session_end(s, why != NULL ? END_ERROR : END_CHILD, done ? CLOSE_DONE : CLOSE_PLAIN, why);
}

/* It was found at start, and cannot be run now. */
static void warn_unstarted(const struct job *j, uint32_t conn, int status)
{
	char text[300];
	const struct run *run = j->service_run->run;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	if (run->command == NULL || (code != NOT_FOUND && code != NOT_STARTED) || child_find(run->command[0]) == 0)
		return;
	snprintf(text, sizeof text, "-- %.200s: the program could not be started", run->command[0]);
	event(run->events, EV_WARN, conn, EV_TEXT("text", text));
}

static void on_exec_rest_ended(void *arg, int status)
{
	(void)status;
	exec_forget(arg);
}

/* The rest of its group is ended with it. */
static void end_rest(struct job *j)
{
	struct err e = { 0 };
	j->session = NULL;
	loop_timer(j->service_run->run->loop, &j->grace, NEVER);
	if (child_left(j->pid))
		j->child = child_end_rest(j->service_run->run->loop, j->pid, on_exec_rest_ended, j, &e);
	if (j->child == NULL)
		exec_forget(j);
}

/* --strict: a failed program means a client that was not served. */
static void exec_judge(const struct job *j, int status)
{
	const struct service_run *service_run = j->service_run;
	bool killed = WIFSIGNALED(status);
	char label[SA_TEXT];
	struct err e = { 0 };
	if (j->session == NULL || j->told || service_run->one || !service_run->strict || status == 0)
		return;
	err_set(&e, ERR_LOCAL, 0, "client %u, %s: its program ended with %s %d", (unsigned)j->session->id,
		session_label(j->session, label), killed ? "signal" : "status", killed ? WTERMSIG(status) : WEXITSTATUS(status));
	run_fail(j->service_run->run, &e);
}

static void on_exec_child_ended(void *arg, int status)
{
	struct job *j = arg;
	struct session *s = j->session;
	const struct run *run = j->service_run->run;
	j->child = NULL;
	tell_child(j, s != NULL ? s->id : 0, status);
	warn_unstarted(j, s != NULL ? s->id : 0, status);
	exec_judge(j, status);
	if (j->service_run->one)
		run->outcome->child_status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED_BY + WTERMSIG(status);
	if (s != NULL) {
		struct exec *x = s->mem;
		x->job = NULL;
		if (x->near == NULL || x->pumped)
			end_session(s, NULL);
		else
			pump_last_of_near(&x->pump);
	}
	end_rest(j);
}

static void on_exec_grace_over(void *arg)
{
	struct job *j = arg;
	j->told = true;
	child_end(j->child);
}

/* The peer that writes to it through us, or waits for it, is gone. */
static void exec_orphan(struct job *j)
{
	j->session = NULL;
	loop_timer(j->service_run->run->loop, &j->grace, NEVER);
	j->told = true;
	child_end(j->child);
}

static struct job *start_job(struct session *s, const int fd[3], struct err *e)
{
	struct execs *all = s->service_run->mem;
	struct job *j = mem_new(sizeof *j);
	if (j == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "start a program");
		return NULL;
	}
	*j = (struct job){ .service_run = s->service_run, .session = s, .grace = { .fn = on_exec_grace_over, .arg = j } };
	j->child = exec_child(s, conf_of(s->service_run->run), fd, on_exec_child_ended, j, e);
	if (j->child == NULL) {
		mem_free(j);
		return NULL;
	}
	j->pid = child_pid(j->child);
	LIST_APPEND(all, j);
	all->count++;
	return j;
}

/* --- sessions --- */

static void on_exec_pump_over(void *arg, const struct why *why)
{
	struct session *s = arg;
	struct exec *x = s->mem;
	x->pumped = true;
	if (why->cls != ERR_OK || x->job == NULL)
		end_session(s, why->cls != ERR_OK ? why : NULL);
	else
		loop_timer(s->service_run->run->loop, &x->job->grace, loop_now(s->service_run->run->loop) + GRACE_MS);
}

static int open_near(struct session *s, struct err *e)
{
	const struct run *run = s->service_run->run;
	struct exec *x = s->mem;
	int fd[3];
	if ((x->near = exec_wire(conf_of(run), fd, e)) == NULL)
		return -1;
	x->job = start_job(s, fd, e);
	for (int i = 0; i < 3; i++)
		sys_close(fd[i]);
	if (x->job == NULL) {
		stream_close(x->near, CLOSE_PLAIN);
		return -1;
	}
	const struct pump_opts opts = {
		.half = (s->stream->caps & ST_NOHALF) ? HALF_LATE : HALF_YES,
		.program = true,
		.reply_wait_ms = 0, /* over datagrams the child's end is the end */
		.settle_ms = session_settle_ms(s),
		.events = run->events,
		.conn = s->id,
	};
	pump_start(&x->pump, run->loop, run->pool, x->near, s->stream, &opts, on_exec_pump_over, s);
	return 0;
}

static int open_socket(struct session *s, struct err *e)
{
	struct exec *x = s->mem;
	int sock = s->stream->below == NULL ? s->stream->rfd : stream_rawfd(s->stream, true);
	if (sock < 0 || (s->stream->below != NULL && stream_rawfd(s->stream, false) != sock))
		return err_set(e, ERR_USAGE, 0, "--exec-socket: a layer has to see the bytes");
	fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) & ~O_NONBLOCK); /* as programs expect; we use MSG_DONTWAIT */
	const int fd[3] = { sock, sock, stdfd_lend(STDERR_FILENO) };
	x->job = start_job(s, fd, e);
	sys_close(fd[2]);
	return x->job != NULL ? 0 : -1;
}

/* Programs whose clients have gone count until they have ended, too. */
static bool too_many(const struct session *s)
{
	const struct service_run *service_run = s->service_run;
	const struct execs *all = service_run->mem;
	return !service_run->one && service_run->max > 0 && all->count >= (unsigned)service_run->max;
}

static int exec_open(struct session *s, struct err *e)
{
	if (too_many(s))
		return err_set(e, ERR_LOCAL, EAGAIN, "programs of earlier clients are still ending");
	return conf_of(s->service_run->run)->socket ? open_socket(s, e) : open_near(s, e);
}

/* The client's bytes still go to the program, and the other way round; only over datagrams, which have no end, the program is
 * told one. */
static void exec_drain(struct session *s)
{
	struct exec *x = s->mem;
	if (x->near != NULL && (s->stream->caps & ST_DGRAM))
		pump_finish_down(&x->pump);
	else if (x->near == NULL && x->job != NULL && (s->stream->caps & ST_DGRAM))
		child_end(x->job->child);
}

/* Bytes in the pipes are lost when the program is killed. A program that has been told the client's end and runs on has not
 * finished yet. */
static bool exec_holds(struct session *s)
{
	const struct exec *x = s->mem;
	if (x->near == NULL)
		return false;
	bool works = x->job != NULL && x->pump.down.eof;
	return works || pump_holds(&x->pump) || stream_unread(x->near) || stream_unsent(x->near) > 0;
}

static void exec_close(struct session *s)
{
	struct exec *x = s->mem;
	if (x->near != NULL) {
		pump_stop(&x->pump);
		stream_close(x->near, CLOSE_PLAIN);
	}
	if (x->job != NULL)
		exec_orphan(x->job);
	x->job = NULL;
}

/* No process is left behind: TERM had its time, or a second signal has stopped the loop. */
static void exec_stop(struct service_run *service_run)
{
	struct execs *all = service_run->mem;
	struct err e = { 0 };
	all->stopping = true;
	for (struct job *j = all->last; j != NULL; j = j->prev)
		exec_orphan(j);
	if (all->count > 0)
		loop_run(service_run->run->loop, &e);
	while (all->last != NULL) {
		child_forget(all->last->child);
		all->stopping = false;
		exec_forget(all->last);
	}
}

const struct service service_exec = {
	.name = "exec",
	.is = WITH_EXEC,
	.needs = RUNS_COMMAND | COSTLY,
	.run_bytes = sizeof(struct execs),
	.session_bytes = sizeof(struct exec),
	.descriptors = 2,
	.wanted = exec_wanted,
	.start = exec_start,
	.open = exec_open,
	.drain = exec_drain,
	.holds = exec_holds,
	.close = exec_close,
	.stop = exec_stop,
};
