/* The sandbox: once everything is open, the process gives up what it has no more use for, so that an intruder that gets hold of
 * it through the bytes it handles finds nothing to do. No new privileges, no files (Landlock), no calls but those that move bytes
 * (seccomp).
 *
 * A plan gathers what must be left: NEEDS_ of option rows (base/opt.h), of services and modes, and the folders that go with them.
 * Built with SANDBOX_OUT, under a sanitizer, or for a system without these means there is none. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/err.h"
#include "sandbox/landlock.h"

#include <stdbool.h>

enum { SANDBOX_PLACES = 16, SANDBOX_HELD = 4 };

struct sandbox { /* zeroed: nothing is left */
	unsigned needs;
	struct landlock_place place[SANDBOX_PLACES]; /* descriptors of the plan's own */
	unsigned places;
	int held[SANDBOX_HELD]; /* borrowed: folders that stay open, from which entries may be removed */
	unsigned held_n;
};

struct sandbox_got {
	bool calls;   /* are filtered */
	int landlock; /* its version; 0: files are not restricted by it */
};

/* Which part cannot be had here, in words; NULL: none. */
const char *sandbox_lacks(void);

/* Files below the folder that a path lies in (NEEDS_READ), or of those of its files to come whose names have a %c (NEEDS_WRITE).
 * A path with a / at its end is the folder itself. -1 with e (ERR_USAGE): it cannot be opened, or there are too many. */
int sandbox_folder(struct sandbox *s, const char *path, unsigned needs, struct err *e);
void sandbox_hold(struct sandbox *s, int folder_fd); /* -1 is fine */

/* Gives all up but the plan, for good. With `whole`, -1 with e where a part cannot be had; else what can be had is. */
int sandbox_apply(struct sandbox *s, bool whole, struct sandbox_got *got, struct err *e);
void sandbox_close(struct sandbox *s); /* its descriptors */

#endif
