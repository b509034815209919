/* What a run gives up once everything is open: root's rights, and then (sandbox/sandbox.h) all others that it does not need.
 *
 * The order: prepare, before any socket, so that an impossible request is an error of the command line; keep, before readiness is
 * reported, after which only peers bring descriptors; drop, when all is bound and reported; seal, when --run's command has
 * started. `connect` does the last two when it is connected. */
#ifndef SANDBOX_SANDBOX_OPTS_H
#define SANDBOX_SANDBOX_OPTS_H

#include "sandbox/privdrop.h"
#include "sandbox/sandbox.h"
#include "net/addr.h"
#include "net/run.h"

extern const struct opt_group sandbox_opts;
struct sandbox_conf {
	int sandbox; /* enum sandbox_mode */
	const char *user, *chroot;
};
enum sandbox_mode { SANDBOX_AUTO, SANDBOX_STRICT, SANDBOX_OFF };

struct sandbox_run { /* of a run; zeroed before first use */
	struct privdrop who;
	struct sandbox plan;
	const char *off;       /* why there is no sandbox; NULL: there will be one */
	bool asks_authorities; /* a folder of authorities is read at each handshake */
	bool prepared, dropped, sealed;
};

/* Before prepare: the run will connect there later; NULL is fine. */
void sandbox_run_dials(const struct run *run, const struct addr *a);
/* needs: NEEDS_ of the mode, beside those of the options given and of the command behind "--". If run->sandbox is NULL,
 * nothing of all this happens. -1 with e (ERR_USAGE). */
int sandbox_run_prepare(const struct run *run, unsigned needs, struct err *e);
void sandbox_run_hold(const struct run *run, int folder_fd);   /* a file of ours will be removed from it; -1 is fine */
void sandbox_run_reread(const struct run *run, int folder_fd); /* files in it may be read again */
void sandbox_run_keep(const struct run *run); /* opens what is needed later and could not be opened then; drop does it, too */
int sandbox_run_drop(const struct run *run, struct err *e);
int sandbox_run_seal(const struct run *run, struct err *e); /* reports what is in force */
void sandbox_run_close(const struct run *run);

#endif
