/* A client and a server of TLS, joined in memory: the layers are started and pushed as a run does it, and then driven by hand or
 * by a pump at each end, under the simulated clock. The server makes its own certificate; the client knows its pin, unless it was
 * given other options. */
#ifndef TESTS_TLSPAIR_H
#define TESTS_TLSPAIR_H

#include "double.h"
#include "pump/pump.h"
#include "joint.h"
#include "net/run.h"
#include "tls/tls.h"

struct tlsparty {
	struct conf *conf;
	struct layers layers;
	struct addr addr;
	struct outcome outcome;
	struct run run;
	void *shared;
	struct joint_end *end;
	struct stream *top; /* NULL: closed */
	struct double_stream near;
	struct waiter waiter; /* while it sets up */
	struct pump pump;
	bool set_up, failed, done;
	struct why why; /* of the setup, or of the pump; its text may be the layer's */
};

struct tlspair {
	struct loop *loop;
	struct pool *pool;
	size_t blocks;
	struct lingers *linger;
	struct event_sink sink;
	char verify[16], said[256], alpn[64]; /* of the last event tls, and the last warning or note */
	unsigned shakes;		      /* events tls */
	struct joint joint;
	struct tlsparty client, server;
	struct task stop; /* the loop, once both are done */
};

void tlspair_open(struct tlspair *p, size_t block_bytes, size_t blocks);
void tlspair_set(struct tlsparty *x, const struct opt_group *group, const char *name, const char *text);
/* Starts both layers and pushes them. */
void tlspair_start(struct tlspair *p);
/* Sets both up and lets a pump at each end move what `near` says, until both are done. NULL, or which promise was broken. */
const char *tlspair_run(struct tlspair *p, const struct pump_opts *client, const struct pump_opts *server);
/* Sets both up, by hand; false: one failed. */
bool tlspair_shake(struct tlspair *p);
void tlspair_turn(struct tlspair *p);  /* the loop, until nothing is put off */
void tlspair_close(struct tlspair *p); /* what is still open, and asserts that nothing was lent or armed */

#endif
