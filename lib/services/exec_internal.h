/* Inside services/exec: what the service (exec.c) and the program's start and environment (exec_env.c) share. */
#ifndef SERVICES_EXEC_INTERNAL_H
#define SERVICES_EXEC_INTERNAL_H

#include "services/service.h"

#include "base/mem.h"
#include "loop/child.h"

struct exec_conf {
	const char *command; /* for sh -c; NULL: none */
	bool socket, pty;
};

/* exec_wire.c: our end of what becomes the program's standard input and output. fd are its descriptors, the caller's to close
 * when it has started. NULL with e. */
struct stream *exec_wire(const struct exec_conf *conf, int fd[3], struct err *e);

/* exec_env.c: the program of --exec or of the words behind "--", with an environment that tells about the connection. NULL with
 * e. */
struct child *exec_child(
	const struct session *s, const struct exec_conf *conf, const int fd[3], child_done *done, void *arg, struct err *e);

#endif
