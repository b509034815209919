/* --run 'CMD': a shell's command that is told where we listen, and whose end is ours.
 *
 * It runs in a process group of its own with descriptors 0 to 2 alone; at its end, or at ours, nobody of that group is left. */
#ifndef NET_RUN_H
#define NET_RUN_H

#include "net/env.h"
#include "net/reach.h"

extern const struct opt_group run_opts;
struct run_conf {
	const char *command; /* NULL: none */
};

bool run_wanted(const struct conf *conf);
/* Before stdin is opened: with a command nobody reads it, so it becomes empty, unless it is the socket of the address itself. */
int run_take_stdin(const struct env *env, const struct addr *a, struct err *e);

struct run;
/* stdout_taken: our stdout carries payload, so what the command prints goes to our stderr. idle is called, from the loop, when
 * the command has ended, and once more if others of its group had to be ended after it. NULL with e. */
struct run *run_start(
	const struct env *env, const struct reach *reach, bool stdout_taken, void (*idle)(void *arg), void *arg, struct err *e);
bool run_busy(const struct run *r); /* idle will be called; NULL: false */
void run_end(struct run *r);	    /* TERM to all of its group, KILL in 2 s; NULL is fine */
void run_kill(struct run *r);	    /* KILL; NULL is fine */
/* The command's status as a shell has it, 128 + n for signal n. Once it has ended. */
int run_status(const struct run *r);
int run_close(struct run *takes); /* turns the loop until nobody of its group is left; the command's status */

#endif
