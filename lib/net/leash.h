/* --exit-with-fd N: a pipe, or a pair of sockets, whose other end belongs to whoever wants us here. When it is closed, be it
 * because its owner was killed, the run ends. */
#ifndef NET_LEASH_H
#define NET_LEASH_H

#include "net/env.h"

extern const struct opt_group leash_opts;
struct leash_conf {
	int64_t fd;
};

struct leash { /* zeroed: none */
	const struct env *env;
	struct watch watch;
	void (*cut)(void *arg); /* called once, from the loop */
	void *arg;
};

/* Before any socket. Nothing happens when it was not asked for. stdin_taken, stdout_taken: the service uses them. -1 with e
 * (ERR_USAGE). */
int leash_open(struct leash *l, const struct env *env, bool stdin_taken, bool stdout_taken, void (*cut)(void *arg), void *arg,
	struct err *e);
void leash_close(struct leash *l);
/* The run was cut short by it: a failure, for whoever was to serve one conversation to its end. */
void leash_fail(const struct leash *l);

#endif
