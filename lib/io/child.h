/* Children: a function of ours in a new process with exactly descriptors 0-2, its own process group and default signals.
 *
 * Reaped through SIGCHLD in the loop. child_end sends TERM to the group and KILL two seconds later. */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include "io/loop.h"

#include <sys/types.h>

struct child;
typedef int child_body(void *arg);		/* runs in the child; its value is the exit status */
typedef void child_done(void *arg, int status); /* as of waitpid */

/* fd[i] becomes descriptor i of the child (-1: /dev/null); they stay the caller's. NULL with e. done is never called before
 * this returns. */
struct child *child_start(
	struct loop *loop, child_body *body, void *body_arg, const int fd[3], child_done *done, void *arg, struct err *e);
void child_end(struct child *c);    /* TERM now, KILL in 2 s; done still comes */
void child_forget(struct child *c); /* KILL, reap in the background, done never comes */
pid_t child_pid(const struct child *c);

#endif
