/* One port of a probe: tested once, answered once. */
#ifndef DIAL_PROBE_PORT_H
#define DIAL_PROBE_PORT_H

#include "net/addr.h"
#include "net/run.h"

enum probe_answer {
	PROBE_UNWANTED,
	PROBE_UNASKED,
	PROBE_OPEN,
	PROBE_REFUSED,
	PROBE_UNREACHABLE,
	PROBE_SILENT,
	PROBE_CLOSED,
	PROBE_NO_TLS,
	PROBE_DROPPED,
	PROBE_NOT_FOUND, /* of a name, by its target */
	PROBE_HOPELESS
};

struct probe_how { /* the same for all ports; borrowed */
	const struct run *run;
	const struct sa *list; /* the host's addresses, in the order of attempts; a Unix path needs none */
	size_t n;
	int64_t limit_ms;  /* for the answer of one address */
	int64_t until_ms;  /* the end of all waiting, except for a last moment; NEVER */
	int64_t stable_ms; /* streams: must stay open so long, TLS after its handshake */
	const void *data;  /* UDP: what is sent */
	size_t data_len;
};

/* e says why, for every answer but OPEN. HOPELESS: an error at our end, the same for all ports. NO_TLS and DROPPED: a server took
 * the connection, and words (NULL for other answers) say why there was no handshake; DROPPED: it was closed without a byte, as by
 * a proxy that cannot reach its server yet. */
typedef void probe_answered(void *arg, uint16_t port, enum probe_answer how, const char *words, const struct err *e);

struct probe_port;
/* a has the port and, as text, its name; with TLS, the run's stack has started it. NULL with e. answered is never called before
 * this returns; may start others. */
struct probe_port *probe_port_ask(
	const struct probe_how *how, const struct addr *a, probe_answered *answered, void *arg, struct err *e);
/* Does it say that no way leads to the peer? Not so what only our own system refuses. */
bool probe_port_no_way(const struct err *e);
void probe_port_stop(struct probe_port *takes); /* not after answered was called */

#endif
