/* What a run gives up once everything is open: root's rights, and then (sandbox/sandbox.h) all but what it has a use for.
 *
 * In this order: prepare, before any socket, so that what cannot be had is a mistake of the command line; keep, before readiness
 * is told, after which no descriptor comes but those of peers; drop, when all is bound and told; seal, when the command of --run
 * is there. `connect` does the last two when its connection stands. */
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
	bool asks_authorities; /* a folder of them is looked into at each handshake */
	bool prepared, dropped, sealed;
};

/* Before prepare: the run will connect there later on; NULL is fine. */
void sandbox_run_dials(const struct run *run, const struct addr *a);
/* needs: NEEDS_ of the mode, beside those of the options given and of the command behind "--". In an env without a confine
 * nothing of all this happens. -1 with e (ERR_USAGE). */
int sandbox_run_prepare(const struct run *run, unsigned needs, struct err *e);
void sandbox_run_hold(const struct run *run, int folder_fd); /* from which a file of ours will be removed; -1 is fine */
void sandbox_run_keep(const struct run *run); /* opens what will be needed and could not be opened then; drop does it, too */
int sandbox_run_drop(const struct run *run, struct err *e);
int sandbox_run_seal(const struct run *run, struct err *e); /* says what is in force */
void sandbox_run_close(const struct run *run);

#endif
