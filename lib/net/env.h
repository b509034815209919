/* What every part of one run shares. Built by sockctl.c, borrowed by everybody, changed by nobody but through outcome. */
#ifndef NET_ENV_H
#define NET_ENV_H

#include "base/event.h"
#include "base/opt.h"
#include "io/budget.h"
#include "io/linger.h"
#include "io/loop.h"
#include "io/pool.h"

struct outcome {
	struct err first; /* cls ERR_OK: nothing failed */
	int signo;	  /* die of this signal after cleaning up; 0: none */
	int child_status; /* of the command of --run: the exit status where nothing of ours failed */
};

struct stack;	/* net/stack.h */
struct meter;	/* net/meter.h */
struct confine; /* net/confine.h */

struct env {
	struct loop *loop;
	struct pool *pool;
	struct budget *budget; /* NULL: none */
	struct lingers *linger;
	const struct conf *conf;
	const struct event_sink *events;
	struct outcome *outcome;
	struct meter *meter;	 /* NULL: nobody counts */
	struct stack *stack;	 /* what layers share; NULL: nothing */
	struct confine *confine; /* what the run gives up; NULL: nothing */
	uint32_t seed;
	int argc; /* the words after the options: the address */
	char **argv;
	char **command; /* the words behind "--", NULL-terminated, where the address stands before it; NULL: none */
};

/* A failure of the run (not of one client of many): kept by err_keep. */
void env_fail(const struct env *env, const struct err *e);
/* For whoever writes payload, or anything else, to stdout: -1 with e (ERR_USAGE) when the events go there. */
int env_claim_stdout(const struct env *env, const char *what, struct err *e);
/* TERM, INT and HUP stop the loop, and the process dies of that signal after cleaning up: for connect and listen. */
int env_die_on_signals(const struct env *env, struct err *e);

#endif
