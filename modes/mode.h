/* A mode says how connections come to be. Adding one: a file with its descriptor, and a row here. */
#ifndef MODES_MODE_H
#define MODES_MODE_H

#include "base/opt.h"
#include "net/run.h"

struct mode {
	struct command cmd;
	size_t (*descriptors)(const struct run *run);	  /* that a run may hold at once */
	size_t block_bytes;				  /* of the pool */
	int (*run)(const struct run *run, struct err *e); /* 0, or -1 with e; failures met on the way are in run->outcome */
};

/* The rows, in the order of `sockctl help`. */
#define MODES(ROW) ROW(connect) ROW(listen) ROW(serve) ROW(echo) ROW(chat)

#define MODE_DECLARE(name) extern const struct mode mode_##name;
MODES(MODE_DECLARE)
#undef MODE_DECLARE

#endif
