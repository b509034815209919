/* The sandbox: once everything is open, the process gives up every right that it no longer needs, so that an attacker who takes
 * it over through its input gains little. No new privileges, no files (Landlock), only calls that move bytes (seccomp).
 *
 * A plan lists what must remain: NEEDS_ of option rows (base/opt.h), of services and modes, and their folders. Built with
 * SANDBOX_OUT, under a sanitizer, or for a system without these means there is none. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/err.h"
#include "sandbox/landlock.h"

#include <stdbool.h>

enum { SANDBOX_PLACES = 32, SANDBOX_HELD = 4 };

struct sandbox { /* zeroed: nothing remains */
	unsigned needs;
	struct landlock_place place[SANDBOX_PLACES]; /* descriptors of the plan's own */
	unsigned places;
	int held[SANDBOX_HELD]; /* borrowed: folders that stay open, from which entries may be removed */
	unsigned held_n;
};

struct sandbox_got {
	bool calls;   /* calls are filtered */
	int landlock; /* its version; 0: files are not restricted by it */
};

/* The part that is missing here, in words; NULL: none. */
const char *sandbox_lacks(void);

/* Files below the folder of a path (NEEDS_READ), or of its later files if its name has a %c (NEEDS_WRITE). A path with a / at its
 * end is the folder itself. -1 with e (ERR_USAGE): it cannot be opened, or there are too many. */
int sandbox_folder(struct sandbox *s, const char *path, unsigned needs, struct err *e);
/* Files below that folder may be read later, from the caller's descriptor. Where there is no place left they may not. */
void sandbox_reread(struct sandbox *s, int folder_fd);
void sandbox_hold(struct sandbox *s, int folder_fd); /* -1 is fine */

/* Gives up everything but the plan; cannot be undone. With `whole`, -1 with e if a part is missing; else takes what there is. */
int sandbox_apply(struct sandbox *s, bool whole, struct sandbox_got *got, struct err *e);
void sandbox_close(struct sandbox *s); /* its descriptors */

#endif
