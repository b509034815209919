/* Dialing: resolve, race the addresses (RFC 8305: 250 ms apart, IPv6 first, interleaved), build the layers, set up; one stream or
 * one error that names each address with its last error (four at most, then "and N more"). */
#ifndef DIAL_DIAL_H
#define DIAL_DIAL_H

#include "stream/stream.h"
#include "net/addr.h"
#include "net/run.h"
#include "net/layer.h"

extern const struct opt_group dial_opts; /* -w, -s, --from-any */
struct dial_conf {
	int64_t connect_ms; /* 0: no limit of ours; handshakes always 10 s */
	bool has_source, from_any;
	char source_host[64]; /* numeric; "": any, for a port alone */
	uint16_t source_port;
	bool has_path; /* of a Unix datagram socket: */
	struct addr source_path;
};

enum { DIAL_RACE_MS = 250, DIAL_SETUP_MS = 10000 };

/* gives is NULL on failure and e says why: ERR_RESOLVE, ERR_CONNECT, ERR_TIMEOUT, ERR_LISTEN (source address), ERR_USAGE (a
 * source of the other family, a descriptor that is no connection), ERR_LOCAL (descriptors, memory), ERR_NETWORK. e->sys, if not
 * 0, is the errno that decides whether another try may help. */
typedef void dial_done(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e);

/* -1 with e (ERR_USAGE) if an option of ours makes no sense for this address. */
int dial_fits(const struct conf *conf, const struct addr *a, struct err *e);

struct dialer;
/* done is never called before this returns. NULL with e. A bare stream (no layers) with conn == 0. */
struct dialer *dial(const struct run *run, const struct addr *a, uint32_t conn, dial_done *done, void *arg, struct err *e);
/* Right after dial: the client for which it dials, if any. */
void dial_for(struct dialer *d, const struct behalf *client);
void dial_stop(struct dialer *takes); /* done is not called. Not after done was called */

/* A duration as a user writes it: "250ms", "2s", "1.5s". */
enum { DIAL_SPAN = 32 };
const char *dial_span(int64_t ms, char out[DIAL_SPAN]);

#endif
