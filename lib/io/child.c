/* Children: fork, hand over exactly three descriptors, reap by SIGCHLD.
 *
 * All signals are blocked from before the fork until the child has its default dispositions, so that no handler of ours
 * runs in the child and writes into the parent's loop. Parent and child both call setpgid: whoever comes first, the group
 * exists before anybody signals it. Each child is asked for by its own pid, never with waitpid(-1), so that processes
 * which others started (a library, an inherited child) stay theirs. A forgotten child stays in the list, without a
 * callback, until it has been reaped, be it by another loop than its own. */
#include "io/child.h"

#include "base/mem.h"
#include "base/sys.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

enum { GRACE_MS = 2000, NOT_STARTED = 126 };

struct child {
	struct child *next;
	struct loop *loop;
	pid_t pid;
	child_done *done; /* NULL: forgotten */
	void *arg;
	struct timer grace;
};

static struct child *children; /* of all loops; empty again when every child has been reaped */

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

/* First all copies above 2, then each to its place: the numbers wanted may themselves be 0-2, in any order. */
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

static void be_child(child_body *body, void *arg, const int fd[3])
{
	setpgid(0, 0);
	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (take_places(fd) < 0)
		_exit(NOT_STARTED);
	_exit(body(arg));
}

static bool ended(const struct child *c, int *status)
{
	pid_t got;
	do
		got = waitpid(c->pid, status, WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		*status = 0; /* somebody else reaped it: how it ended is not to be had */
	return got != 0;
}

static void reap(void *arg, int signo)
{
	(void)signo;
	for (struct child **at = &children; *at != NULL;) {
		struct child *c = *at;
		int status;
		bool others = c->done != NULL && c->loop != arg;
		if (others || !ended(c, &status)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		if (c->done != NULL) {
			loop_timer(c->loop, &c->grace, NEVER);
			c->done(c->arg, status);
		}
		mem_free(c);
		at = &children; /* done may have started or forgotten others */
	}
}

static void grace_over(void *arg)
{
	const struct child *c = arg;
	kill(-c->pid, SIGKILL);
}

struct child *child_start(
	struct loop *loop, child_body *body, void *body_arg, const int fd[3], child_done *done, void *arg, struct err *e)
{
	struct child *c = mem_new(sizeof *c);
	if (c == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "start a child process");
		return NULL;
	}
	if (loop_signal(loop, SIGCHLD, reap, loop, e) < 0) {
		mem_free(c);
		return NULL;
	}
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	c->pid = sys_fork();
	if (c->pid == 0)
		be_child(body, body_arg, fd);
	int failed = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (c->pid < 0) {
		err_set(e, ERR_LOCAL, failed, "start a child process");
		mem_free(c);
		return NULL;
	}
	setpgid(c->pid, c->pid);
	c->loop = loop;
	c->done = done;
	c->arg = arg;
	c->grace.fn = grace_over;
	c->grace.arg = c;
	c->next = children;
	children = c;
	return c;
}

void child_end(struct child *c)
{
	if (c->grace.pos != 0)
		return;
	kill(-c->pid, SIGTERM);
	loop_timer(c->loop, &c->grace, loop_now(c->loop) + GRACE_MS);
}

void child_forget(struct child *c)
{
	loop_timer(c->loop, &c->grace, NEVER);
	kill(-c->pid, SIGKILL);
	c->done = NULL;
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}
