/* Faults as options of a run (fault/fault.h applies them): --fault for connections and listening sockets, and --seed, which
 * repeats them. */
#ifndef FAULT_FAULT_OPTS_H
#define FAULT_FAULT_OPTS_H

#include "fault/fault_spec.h"
#include "net/layer.h"

enum { FAULTS_MOST = 24 };

extern const struct opt_group fault_opts; /* --fault, --seed */
struct fault_conf {
	unsigned n;
	struct fault_spec spec[FAULTS_MOST];
	int64_t seed;
};

/* The row: an impossible fault is ERR_USAGE. The layer is pushed if a fault of the run concerns the connection, and always if the
 * stack's `faults` says that a script has some. */
int faults_start(const struct run *run, void **shared, struct err *e);
int faults_push(struct stream **top, const struct link *link, void *shared, struct err *e);
void faults_stop(const struct run *run, void *takes);

uint32_t faults_seed(const struct conf *conf); /* of the run: --seed, or a random one */
/* Adds to a failure of a run with faults how to repeat it. */
void faults_name_seed(const struct run *run, struct err *e);

/* The longest fault of this kind for the connection, or with conn 0 for the listener; NULL: none. */
const struct fault_spec *faults_of(const struct run *run, enum fault_kind kind, uint32_t conn);
/* ... and one after the other, the first after `after` (NULL: of all). */
const struct fault_spec *faults_next(const struct run *run, enum fault_kind kind, uint32_t conn, const struct fault_spec *after);
/* Reports one without a direction. */
void faults_tell(const struct run *run, const struct fault_spec *spec, uint32_t conn);

#endif
