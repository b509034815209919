/* Signals become bytes in a pipe of our own, which the loop watches; the handler does nothing else. If the byte cannot be
 * written, the handler closes the pipe: its end wakes the loop as well, and the loop opens another pipe.
 *
 * Dispositions belong to the process, so this file has static state; it serves one loop at a time and signal_close restores
 * everything. A signal that was ignored at start stays ignored, as nohup and a shell's `&` require. */
#include "loop/signal.h"
#include "base/sys.h"
#include "loop/loop.h"
#include "loop/prelude.h"

#include <signal.h>
#include <string.h>

enum { SIGNALS = 32 }; /* the classic signals; real-time signals are not used */

static struct {
	struct loop *loop;
	struct watch watch;
	volatile sig_atomic_t write_fd; /* -1: the handler has closed it */
	struct {
		void (*fn)(void *arg, int signo);
		void *arg;
		struct sigaction before;
		bool set;
	} of[SIGNALS];
	volatile sig_atomic_t pending[SIGNALS];
} here;

static void signal_caught(int signo)
{
	int keep = errno;
	here.pending[signo] = 1;
	if (sys_wake(here.write_fd) != 1) {
		sys_close(here.write_fd);
		here.write_fd = -1;
	}
	errno = keep;
}

/* Where there is no other pipe, the one that has ended goes on waking the loop, which tries again in each turn. */
static void signal_renew(void)
{
	int fd[2], ended = here.watch.fd;
	if (sys_pipe(fd) != 0)
		return;
	loop_watch(here.loop, &here.watch, 0);
	here.watch.fd = fd[0];
	if (loop_watch(here.loop, &here.watch, LOOP_IN) == 0) {
		here.write_fd = fd[1];
		sys_close(ended);
		return;
	}
	here.watch.fd = ended;
	if (loop_watch(here.loop, &here.watch, LOOP_IN) != 0)
		loop_stop(here.loop); /* a run that hears no signal cannot be ended */
	sys_close(fd[0]);
	sys_close(fd[1]);
}

static void on_signal_byte(void *arg, unsigned ready)
{
	(void)arg;
	(void)ready;
	char buf[64];
	ssize_t got;
	while ((got = read(here.watch.fd, buf, sizeof buf)) > 0)
		;
	if (got == 0)
		signal_renew();
	for (int s = 1; s < SIGNALS; s++) {
		if (!here.pending[s])
			continue;
		here.pending[s] = 0;
		if (here.of[s].fn != NULL)
			here.of[s].fn(here.of[s].arg, s);
	}
}

static int signal_open(struct loop *loop, struct err *e)
{
	if (here.loop == loop)
		return 0;
	int fd[2];
	if (here.loop != NULL || sys_pipe(fd) != 0)
		return err_set(e, ERR_LOCAL, errno, "prepare for signals");
	here.watch = (struct watch){ .fd = fd[0], .fn = on_signal_byte };
	here.write_fd = fd[1];
	if (loop_watch(loop, &here.watch, LOOP_IN) != 0) {
		err_set(e, ERR_LOCAL, errno, "prepare for signals");
		sys_close(fd[0]);
		sys_close(fd[1]);
		return -1;
	}
	here.loop = loop;
	return 0;
}

int loop_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg, struct err *e)
{
	if (signo <= 0 || signo >= SIGNALS)
		return err_set(e, ERR_BUG, 0, "signal %d is not one of the classic ones", signo);
	if (signal_open(loop, e) != 0)
		return -1;
	here.of[signo].fn = fn;
	here.of[signo].arg = arg;
	if (fn == NULL || here.of[signo].set)
		return 0;
	struct sigaction now;
	if (sigaction(signo, NULL, &now) != 0)
		return err_set(e, ERR_LOCAL, errno, "ask about signal %d", signo);
	if (now.sa_handler == SIG_IGN && signo != SIGCHLD && signo != SIGWINCH)
		return 0;
	struct sigaction act = { .sa_handler = signal_caught, .sa_flags = SA_RESTART };
	sigfillset(&act.sa_mask);
	if (sigaction(signo, &act, &here.of[signo].before) != 0)
		return err_set(e, ERR_LOCAL, errno, "catch signal %d", signo);
	here.of[signo].set = true;
	if (prelude_caught(signo))
		signal_caught(signo);
	return 0;
}

void signal_close(struct loop *loop)
{
	if (here.loop != loop)
		return;
	for (int s = 1; s < SIGNALS; s++)
		if (here.of[s].set)
			sigaction(s, &here.of[s].before, NULL);
	loop_watch(loop, &here.watch, 0);
	sys_close(here.watch.fd);
	sys_close(here.write_fd);
	memset(&here, 0, sizeof here);
}
