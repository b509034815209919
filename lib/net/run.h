/* What all parts of one run share. Built by sockctl.c, borrowed by all other code, changed only through outcome. */
#ifndef NET_RUN_H
#define NET_RUN_H

#include "base/event.h"
#include "base/opt.h"
#include "base/budget.h"
#include "stream/linger.h"
#include "loop/loop.h"
#include "stream/pool.h"

struct outcome {
	struct err first; /* cls ERR_OK: nothing failed */
	int signo;	  /* die of this signal after cleaning up; 0: none */
	char **becomes;	  /* the program that takes our place when all went well; NULL: none */
	int child_status; /* of the command of --run: the exit status where nothing of ours failed */
};

struct layers;	    /* session/layers.h */
struct stats;	    /* session/stats.h */
struct sandbox_run; /* sandbox/sandbox_opts.h */

struct run {
	struct loop *loop;
	struct pool *pool;
	struct budget *budget; /* NULL: none */
	struct lingers *linger;
	const struct conf *conf;
	const struct event_sink *events;
	struct outcome *outcome;
	struct stats *stats;	     /* NULL: not counted */
	struct layers *layers;	     /* what layers share; NULL: nothing */
	struct sandbox_run *sandbox; /* what the run gives up; NULL: no sandbox */
	uint32_t seed;
	int argc; /* the words after the options: the address */
	char **argv;
	char **command; /* the words after "--", NULL-terminated, if the address stands before it; NULL: none */
};

/* A failure of the run (not of one client of many): kept by err_keep. */
void run_fail(const struct run *run, const struct err *e);
/* Before anything is written to stdout: -1 with e (ERR_USAGE) if the events go there. */
int run_claim_stdout(const struct run *run, const char *what, struct err *e);
/* TERM, INT and HUP stop the loop, and the process dies of that signal after cleaning up: for connect and listen. */
int run_die_on_signals(const struct run *run, struct err *e);

#endif
