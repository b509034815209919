/* Children: fork, pass exactly three descriptors, reap by SIGCHLD.
 *
 * All signals are blocked from before the fork until the child has its default dispositions, so that no handler of ours runs in
 * the child and writes into the parent's loop. Parent and child both call setpgid: the group exists before it can be signalled,
 * whichever runs first. Each child is waited for by its own pid, never with waitpid(-1), so that children of a library, or
 * inherited ones, are not reaped here. A forgotten child stays in the list, without a callback, until it has been reaped, by its
 * own loop or another.
 *
 * To end a child is to end its group: a child that obeys TERM may leave others in its group that do not. No signal reports these,
 * so after the child is reaped its group is checked again and again until it is empty or KILL was sent. The system does not reuse
 * the number of a group while a process is in it, and a group that was found empty is never signalled. */
#include "loop/child.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/sys.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

enum { GRACE_MS = 2000, LOOK_MS = 20, NOT_STARTED = 126, NOT_FOUND = 127 };

struct child {
	struct child *next, *prev;
	struct loop *loop;
	pid_t pid;
	child_done *done; /* NULL: forgotten */
	void *arg;
	struct timer clock; /* while ending */
	int64_t kill_ms;
	int status; /* once reaped */
	bool reaped, ending, killed;
};

static struct {
	struct child *first, *last;
} children; /* of all loops; empty again when every child has been reaped */
static struct rlimit files_limit;
static bool files_limited; /* files_limit has a value */

#ifdef __linux__
/* Kernels before 5.9 have no close_range, and some containers refuse it. */
static int close_listed(int low)
{
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return -1;
	for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
		long fd = strtol(d->d_name, NULL, 10); /* "." and ".." read as 0 */
		if (fd >= low && fd != dirfd(dir))
			close((int)fd);
	}
	closedir(dir);
	return 0;
}
#endif

static void close_from(int low)
{
#if defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
	closefrom(low);
#else
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)low, ~0U, 0U) == 0)
		return;
#endif
#ifdef __linux__
	if (close_listed(low) == 0)
		return;
#endif
	long most = sysconf(_SC_OPEN_MAX);
	for (int fd = low; fd < most; fd++)
		close(fd);
#endif
}

/* First move all copies above 2, then each to its place: the requested numbers may themselves be 0-2, in any order. */
static int take_places(const int fd[3])
{
	int copy[3];
	for (int i = 0; i < 3; i++) {
		int from = fd[i] >= 0 ? fd[i] : open("/dev/null", O_RDWR);
		copy[i] = fcntl(from, F_DUPFD, 3);
		if (copy[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(copy[i], i) < 0)
			return -1;
	close_from(3);
	return 0;
}

struct start {
	child_body *body;
	void *arg;
	const int *fd;
	bool at_tty;
};

static void be_child(const struct start *start)
{
	if (start->at_tty)
		setsid();
	else
		setpgid(0, 0);
	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (take_places(start->fd) < 0)
		_exit(NOT_STARTED);
	if (start->at_tty)
		ioctl(0, TIOCSCTTY, 0);
	_exit(start->body(start->arg));
}

/* Asks once; a child is reaped only here. */
static void child_ask(struct child *c)
{
	pid_t got;
	if (c->reaped)
		return;
	do
		got = waitpid(c->pid, &c->status, WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		c->status = 0; /* it was reaped elsewhere: its status is lost */
	c->reaped = got != 0;
}

bool child_left(pid_t group)
{
	while (waitpid(-group, NULL, WNOHANG) > 0)
		; /* orphans that became our children count as members of the group until they are reaped */
	return kill(-group, 0) == 0 || errno == EPERM;
}

static bool child_over(const struct child *c)
{
	return c->reaped && (!c->ending || c->killed || !child_left(c->pid));
}

static void child_finish(struct child *c)
{
	LIST_REMOVE(&children, c);
	loop_timer(c->loop, &c->clock, NEVER);
	if (c->done != NULL)
		c->done(c->arg, c->status);
	mem_free(c);
}

static void look_again(struct child *c)
{
	int64_t at_ms = c->reaped ? loop_now(c->loop) + LOOK_MS : c->kill_ms;
	loop_timer(c->loop, &c->clock, at_ms < c->kill_ms ? at_ms : c->kill_ms);
}

static void on_child_signal(void *arg, int signo)
{
	(void)signo;
	for (struct child *c = children.last; c != NULL;) {
		bool mine = c->done == NULL || c->loop == arg;
		if (mine)
			child_ask(c);
		if (mine && c->done == NULL && c->reaped) {
			LIST_REMOVE(&children, c);
			mem_free(c);
			c = children.last;
		} else if (mine && child_over(c)) {
			child_finish(c);
			c = children.last; /* done may have started or forgotten others */
		} else {
			if (mine && c->reaped)
				look_again(c);
			c = c->prev;
		}
	}
}

static void on_child_due(void *arg)
{
	struct child *c = arg;
	if (loop_now(c->loop) >= c->kill_ms && !c->killed) {
		child_kill(c);
		return;
	}
	if (child_over(c))
		child_finish(c);
	else if (!c->killed)
		look_again(c);
}

static struct child *child_enlist(struct loop *loop, child_done *done, void *arg, struct err *e)
{
	struct child *c = mem_new(sizeof *c);
	if (c == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "start a child process");
		return NULL;
	}
	*c = (struct child){ .loop = loop, .done = done, .arg = arg, .clock.fn = on_child_due, .clock.arg = c };
	LIST_APPEND(&children, c);
	return c;
}

/* The group of a child at a terminal exists only when it leads its session. */
static void signal_group(const struct child *c, int signo)
{
	if (kill(-c->pid, signo) != 0 && errno == ESRCH && !c->reaped)
		kill(c->pid, signo);
}

static struct child *child_begin(struct loop *loop, const struct start *start, child_done *done, void *arg, struct err *e)
{
	struct child *c = loop_signal(loop, SIGCHLD, on_child_signal, loop, e) == 0 ? child_enlist(loop, done, arg, e) : NULL;
	if (c == NULL)
		return NULL;
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	c->pid = sys_fork();
	if (c->pid == 0)
		be_child(start);
	int failed = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (c->pid < 0) {
		err_set(e, ERR_LOCAL, failed, "start a child process");
		LIST_REMOVE(&children, c);
		mem_free(c);
		return NULL;
	}
	if (!start->at_tty)
		setpgid(c->pid, c->pid);
	return c;
}

struct child *child_start(
	struct loop *loop, child_body *body, void *body_arg, const int fd[3], child_done *done, void *arg, struct err *e)
{
	return child_begin(loop, &(const struct start){ body, body_arg, fd, false }, done, arg, e);
}

struct child *child_start_at_tty(
	struct loop *loop, child_body *body, void *body_arg, const int fd[3], child_done *done, void *arg, struct err *e)
{
	return child_begin(loop, &(const struct start){ body, body_arg, fd, true }, done, arg, e);
}

void child_end(struct child *c)
{
	if (c->ending)
		return;
	signal_group(c, SIGTERM);
	c->ending = true;
	c->kill_ms = loop_now(c->loop) + GRACE_MS;
	look_again(c);
}

struct child *child_end_rest(struct loop *loop, pid_t group, child_done *done, void *arg, struct err *e)
{
	struct child *c = child_enlist(loop, done, arg, e);
	if (c == NULL)
		return NULL;
	c->pid = group;
	c->reaped = true;
	child_end(c);
	return c;
}

/* A killed process counts as gone, even if its present parent reaps it late. */
void child_kill(struct child *c)
{
	if (c->killed)
		return;
	signal_group(c, SIGKILL);
	c->ending = c->killed = true;
	c->kill_ms = loop_now(c->loop);
	loop_timer(c->loop, &c->clock, c->reaped ? c->kill_ms : NEVER);
}

void child_forget(struct child *c)
{
	loop_timer(c->loop, &c->clock, NEVER);
	signal_group(c, SIGKILL);
	c->done = NULL;
	if (!c->reaped)
		return;
	LIST_REMOVE(&children, c);
	mem_free(c);
}

void child_reap_all(void)
{
	for (struct child *c = children.first; c != NULL; c = c->next) {
		if (c->reaped)
			continue;
		signal_group(c, SIGKILL);
		while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
			;
		c->reaped = true;
	}
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

/* In the child, where nothing else runs: its environment is a copy of its own. */

static void setup_child(const char *const *set)
{
	static const char *const ours[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET" };
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		unsetenv(ours[i]);
	for (; set != NULL && *set != NULL; set++)
		if (strchr(*set, '=') != NULL)
			putenv((char *)(uintptr_t)*set);
		else
			unsetenv(*set);
}

static bool child_runs(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EACCES;
	else if (access(path, X_OK) == 0)
		return true;
	return false;
}

int child_find(const char *name)
{
	char path[4096];
	const char *dirs = getenv("PATH");
	int sys = ENOENT;
	if (strchr(name, '/') != NULL)
		return child_runs(name) ? 0 : errno;
	if (*name == '\0')
		return sys;
	for (const char *at = dirs != NULL ? dirs : "/bin:/usr/bin"; at != NULL;
		at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		int n = (int)strcspn(at, ":");
		if (snprintf(path, sizeof path, "%.*s%s%s", n, at, n > 0 ? "/" : "./", name) < (int)sizeof path &&
			child_runs(path))
			return 0;
		if (errno == EACCES)
			sys = EACCES;
	}
	return sys;
}

int child_exec(void *arg)
{
	const struct child_command *command = arg;
	setup_child(command->set);
	if (files_limited)
		setrlimit(RLIMIT_NOFILE, &files_limit);
	execvp(command->argv[0], (char *const *)(uintptr_t)command->argv);
	return errno == ENOENT ? NOT_FOUND : NOT_STARTED;
}

void child_files_limit(const struct rlimit *limit)
{
	files_limited = limit != NULL;
	if (limit != NULL)
		files_limit = *limit;
}
