/* Inside services/exec: what the service (exec.c) and the program's start and environment (exec_env.c) share. */
#ifndef SERVICES_EXEC_PARTS_H
#define SERVICES_EXEC_PARTS_H

#include "services/service.h"

#include "base/mem.h"
#include "io/child.h"

struct exec_conf {
	const char *command; /* for sh -c; NULL: none */
	bool socket;
};

/* exec_env.c: the program of --exec or of the words behind "--", with an environment that tells about the connection. NULL with
 * e. */
struct child *exec_child(
	const struct session *s, const struct exec_conf *conf, const int fd[3], child_done *done, void *arg, struct err *e);

#endif
