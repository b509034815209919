/* A run of a service among mocks: peers that come when the seed says so, and what may befall a server meanwhile: a peer that is
 * suddenly gone, an operator that ends one of them, a drain, a signal that ends the run. When nothing is left to happen the peers
 * still there are drained, and then it is closed; afterwards everything that was lent, armed or opened must have been
 * given back.
 *
 * The caller writes the scripts of the peers (double.h) before stage_run, and looks at what they got after it. */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

#include "session/session.h"
#include "session/layers.h"
#include "tests/sim/sim.h"
#include "tests/unit/double.h"

enum { STAGE_PEERS = 6, STAGE_ACTS = 8, STAGE_TEXT = 600 };

struct stage_peer {
	struct double_stream d;
	struct act reads[STAGE_ACTS + 2], writes[STAGE_ACTS + 2], shuts[3];
	char text[STAGE_TEXT]; /* for the acts that say something */
	int64_t after_ms;      /* when it comes */
	struct timer comes;
	struct stage *stage;
	bool came, gone, left; /* left: before the end of all */
	bool cut;	       /* in the middle of its script: what was to come did not */
	uint64_t in, out;      /* that its session counted */
	struct why why;	       /* of its session's end */
	uint8_t by;
};

struct stage {
	struct run run;
	struct outcome outcome;
	struct event_sink events;
	struct layers layers;
	struct addr addr;
	struct service_run *service_run;
	struct dice *dice;
	struct stage_peer peer[STAGE_PEERS]; /* peer[i] is session i + 1 */
	unsigned peers, closes;		     /* closes: events of the kind */
	bool ending;			     /* drained or stopped from outside */
	struct timer cut, kick, drain, stop;
	void (*look)(struct stage *st); /* whenever a session has gone; NULL: not called */
};

/* A conf with the groups that services of the simulation read; its options are set with stage_set. The caller's to conf_free. */
struct conf *stage_conf(void);
void stage_set(struct conf *conf, const struct opt_group *group, const char *name, const char *text);

void stage_open(struct stage *st, struct dice *d, const struct conf *borrows, unsigned peers, unsigned caps);
/* Waits, short writes, and now and then a failure; what it is to say is the caller's. */
void stage_writes(struct stage_peer *p, struct dice *d, unsigned fails_percent);
void stage_wait(struct act *a, struct dice *d);
void stage_last(struct act *a, struct dice *d, unsigned fails_percent); /* an end, or a failure */
/* False: the service would not start. */
bool stage_run(struct stage *st, const struct service *service, unsigned most_waits);
void stage_close(struct stage *st);

#endif
