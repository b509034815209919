/* From our signals back to those that we were started with (become.h). A handler ends with execve by itself; but what is blocked
 * or ignored is inherited, and a signal that came after we were through must end the program that we become, not vanish. */
#include "loop/become.h"
#include "loop/child.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGTTIN, SIGTTOU };
enum { IGNORED = sizeof ignored / sizeof *ignored };

static struct {
	sigset_t mask;
	struct sigaction of[IGNORED];
} inherited;

/* A parent may pass on a mask in which ending signals, or SIGCHLD, are blocked: we would miss them. Ignored signals stay ignored
 * (loop/signal.c). */
void become_note(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, &inherited.mask);
	for (size_t i = 0; i < IGNORED; i++)
		sigaction(ignored[i], &ignore, &inherited.of[i]);
}

int become(char *const argv[], struct err *e)
{
	const struct sigaction def = { .sa_handler = SIG_DFL };
	child_reap_all(); /* the command would find them as children that it never started */
	for (int signo = 1; signo < NSIG; signo++) {
		struct sigaction now;
		if (sigaction(signo, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaction(signo, &def, NULL);
	}
	for (size_t i = 0; i < IGNORED; i++)
		sigaction(ignored[i], &inherited.of[i], NULL);
	sigprocmask(SIG_SETMASK, &inherited.mask, NULL);
	execvp(argv[0], argv);
	return err_set(e, ERR_LOCAL, errno, "-- %.200s", argv[0]);
}
