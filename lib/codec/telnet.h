/* Telnet for a client that wants the text alone (RFC 854, 855): every option that is offered or asked for is refused, and no
 * trace of that negotiation is left in what is read; bytes that mean something to telnet are written so that they mean
 * themselves. */
#ifndef CODEC_TELNET_H
#define CODEC_TELNET_H

#include "base/opt.h"
#include "stream/stream.h"

extern const struct opt_group telnet_opts; /* --telnet */
struct telnet_conf {
	bool wanted;
};

/* Stands on *top, a stream of bytes, and replaces it. -1: no memory, *top as it was. */
int telnet_push(struct stream **top);

#endif
