/* What a run gives up once everything is open: root's rights, and then (io/sandbox.h) all but what it has a use for.
 *
 * In this order: prepare, before any socket, so that what cannot be had is a mistake of the command line; keep, before readiness
 * is told, after which no descriptor comes but those of peers; drop, when all is bound and told; seal, when the command of --run
 * is there. `connect` does the last two when its connection stands. */
#ifndef NET_CONFINE_H
#define NET_CONFINE_H

#include "io/identity.h"
#include "io/sandbox.h"
#include "net/addr.h"
#include "net/env.h"

extern const struct opt_group confine_opts;
struct confine_conf {
	int sandbox; /* enum confine_how */
	const char *user, *chroot;
};
enum confine_how { CONFINE_AUTO, CONFINE_STRICT, CONFINE_OFF };

struct confine { /* of a run; zeroed before first use */
	struct identity who;
	struct sandbox plan;
	const char *off;       /* why there is no sandbox; NULL: there will be one */
	bool asks_authorities; /* a folder of them is looked into at each handshake */
	bool prepared, dropped, sealed;
};

/* Before prepare: the run will connect there later on; NULL is fine. */
void confine_dials(const struct env *env, const struct addr *a);
/* needs: NEEDS_ of the mode, beside those of the options given and of the command behind "--". In an env without a confine
 * nothing of all this happens. -1 with e (ERR_USAGE). */
int confine_prepare(const struct env *env, unsigned needs, struct err *e);
void confine_hold(const struct env *env, int folder_fd); /* from which a file of ours will be removed; -1 is fine */
void confine_keep(const struct env *env); /* opens what will be needed and could not be opened then; drop does it, too */
int confine_drop(const struct env *env, struct err *e);
int confine_seal(const struct env *env, struct err *e); /* says what is in force */
void confine_close(const struct env *env);

#endif
