/* --run 'CMD': a shell command that is told where we listen, and whose end is ours.
 *
 * It runs in a process group of its own with only descriptors 0 to 2; at its end, or at ours, no process of that group is
 * left. */
#ifndef SERVER_RUN_COMMAND_H
#define SERVER_RUN_COMMAND_H

#include "net/run.h"
#include "listen/self_url.h"

extern const struct opt_group run_command_opts;
struct run_command_conf {
	const char *command; /* NULL: none */
};

bool run_command_wanted(const struct conf *conf);
/* Before stdin is opened: with a command it is not read, so it becomes empty, unless it is the socket of the address itself. */
int run_command_take_stdin(const struct run *run, const struct addr *a, struct err *e);

struct run_command;
/* stdout_taken: our stdout carries payload, so the command's output goes to our stderr. idle is called, from the loop, when the
 * command has ended, and once more if others of its group had to be ended after it. NULL with e. */
struct run_command *run_command_start(const struct run *run, const struct self_url *self_url, bool stdout_taken,
	void (*idle)(void *arg), void *arg, struct err *e);
bool run_command_busy(const struct run_command *r); /* idle will be called; NULL: false */
void run_command_end(struct run_command *r);	    /* TERM to all of its group, KILL in 2 s; NULL is fine */
void run_command_kill(struct run_command *r);	    /* KILL; NULL is fine */
/* The command's status as a shell has it, 128 + n for signal n. Once it has ended. */
int run_command_status(const struct run_command *r);
int run_command_close(struct run_command *takes); /* turns the loop until its group is empty; returns the command's status */

#endif
