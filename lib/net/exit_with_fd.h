/* --exit-with-fd N: a pipe, or a pair of sockets, whose other end belongs to the program that wants this run. When it is closed,
 * also because its owner was killed, the run ends. */
#ifndef NET_EXIT_WITH_FD_H
#define NET_EXIT_WITH_FD_H

#include "net/run.h"

extern const struct opt_group exit_with_fd_opts;
struct exit_with_fd_conf {
	int64_t fd;
};

struct exit_with_fd { /* zeroed: none */
	const struct run *run;
	struct watch watch;
	void (*cut)(void *arg); /* called once, from the loop */
	void *arg;
};

/* Before any socket. Does nothing if the option was not given. stdin_taken, stdout_taken: the service uses them. -1 with e
 * (ERR_USAGE). */
int exit_with_fd_open(struct exit_with_fd *l, const struct run *run, bool stdin_taken, bool stdout_taken, void (*cut)(void *arg),
	void *arg, struct err *e);
void exit_with_fd_close(struct exit_with_fd *l);
/* The run was cut short by it: a failure, if one client was to be served to its end. */
void exit_with_fd_fail(const struct exit_with_fd *l);

#endif
