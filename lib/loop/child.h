/* Children: a function of ours in a new process with exactly descriptors 0-2, its own process group and default signals.
 *
 * Reaped through SIGCHLD in the loop. child_end sends TERM to the group and KILL two seconds later. */
#ifndef LOOP_CHILD_H
#define LOOP_CHILD_H

#include "loop/loop.h"

#include <sys/resource.h>
#include <sys/types.h>

struct child;
typedef int child_body(void *arg);		/* runs in the child; its value is the exit status */
typedef void child_done(void *arg, int status); /* as of waitpid */

/* fd[i] becomes descriptor i of the child (-1: /dev/null); they stay the caller's. NULL with e. done is never called before
 * this returns. */
struct child *child_start(
	struct loop *loop, child_body *body, void *body_arg, const int fd[3], child_done *done, void *arg, struct err *e);
/* The same, where fd are a terminal (pty.h): the child leads a session of its own with that terminal. */
struct child *child_start_at_tty(
	struct loop *loop, child_body *body, void *body_arg, const int fd[3], child_done *done, void *arg, struct err *e);
void child_end(struct child *c);    /* TERM now, KILL in 2 s; done comes when its group is empty */
void child_kill(struct child *c);   /* KILL now; done still comes */
void child_forget(struct child *c); /* KILL, reap in the background, done never comes */
/* After the loop, by a program that becomes another one: KILL all that are left, and wait for them. */
void child_reap_all(void);
pid_t child_pid(const struct child *c);

/* Has a child that ended by itself left others in its group? Call it in done, or soon after. */
bool child_left(pid_t group);
/* Ends those, as child_end does; done comes with status 0. NULL with e. */
struct child *child_end_rest(struct loop *loop, pid_t group, child_done *done, void *arg, struct err *e);

struct child_command {
	const char *const *argv;
	const char *const *set; /* "NAME=value" for its environment, or "NAME": not there; NULL-terminated, NULL: nothing */
};
int child_find(const char *name); /* as execvp(3) will look for it: 0, or the errno that it would meet */
/* A child_body: executes that program, found along $PATH. 127: there is none, 126: it cannot be run. Variables that a service
 * manager set for us (LISTEN_*, NOTIFY_SOCKET) are removed. */
int child_exec(void *command);
/* The limit of open files before we raised it, for programs that children execute. NULL: unchanged. */
void child_files_limit(const struct rlimit *limit);

#endif
