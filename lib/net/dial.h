/* Dialing: resolve, race the addresses (RFC 8305: 250 ms apart, IPv6 first, interleaved), build the layers, set up; one stream or
 * one error that names each address with its last error (four at most, then "and N more"). */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "io/stream.h"
#include "net/addr.h"
#include "net/env.h"

extern const struct opt_group dial_opts; /* -w, -s */
struct dial_conf {
	int64_t connect_ms; /* 0: none of ours; handshakes always 10 s */
	bool has_source;
	char source_host[64]; /* numeric */
	uint16_t source_port;
};

enum { DIAL_RACE_MS = 250, DIAL_SETUP_MS = 10000 };

/* gives is NULL on failure and e says why: ERR_RESOLVE, ERR_CONNECT, ERR_TIMEOUT, ERR_LISTEN (source address), ERR_NETWORK. */
typedef void dial_done(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e);

struct dialer;
/* done is never called before this returns. NULL with e. A bare stream (no layers) with conn == 0. */
struct dialer *dial(const struct env *env, const struct addr *a, uint32_t conn, dial_done *done, void *arg, struct err *e);
void dial_stop(struct dialer *takes); /* done is not called. Not after done was called */

#endif
