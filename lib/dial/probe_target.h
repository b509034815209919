/* One address of a probe, with one port or many: a round resolves its name and tests each port once. */
#ifndef DIAL_PROBE_TARGET_H
#define DIAL_PROBE_TARGET_H

#include "dial/probe_port.h"

struct probe_target;
struct probe_target_ops {
	/* A port's answer is there. HOPELESS: an error at our end, and the last call. port NULL: the name has no address, e says
	 * why. */
	void (*answered)(void *arg, struct probe_target *t, const uint16_t *port, enum probe_answer how, const struct err *e);
	void *arg;
};

enum { PROBE_SOCKETS = 64 /* of all targets of a run, at the same time */ };

/* Reads which ports. Borrows everything; how holds what is the same for all targets. NULL with e. */
struct probe_target *probe_target_open(const struct run *run, const struct addr *a, const struct probe_how *how,
	unsigned *sockets, const struct probe_target_ops *ops, struct err *e);
void probe_target_close(struct probe_target *takes);

/* A round: forgets all answers, then asks again. Answers never come before this returns. -1 with e. */
int probe_target_begin(struct probe_target *t, struct err *e);
/* Asks more ports if there are sockets for them: to be called when one was given back. -1 with e. */
int probe_target_ask(struct probe_target *t, struct err *e);
bool probe_target_done(const struct probe_target *t); /* the round is over */
const struct addr *probe_target_addr(const struct probe_target *t);

/* The name of a port, as it is shown. */
enum { PROBE_LABEL = 320 }; /* as much as addr.text */
void probe_target_label(const struct probe_target *t, uint16_t port, char out[PROBE_LABEL]);
/* The next port to show in this round, if it has been answered; words (NULL: none) live until the next call. */
bool probe_target_next(struct probe_target *t, uint16_t *port, enum probe_answer *how, const char **words);
bool probe_target_shown(const struct probe_target *t); /* all of them */

#endif
