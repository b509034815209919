/* Telnet for a client that wants only the text (RFC 854, 855): every option that is offered or asked for is refused, and the
 * negotiation is removed from what is read; bytes that have a meaning in telnet are escaped when written. */
#ifndef CODEC_TELNET_H
#define CODEC_TELNET_H

#include "base/opt.h"
#include "stream/stream.h"

extern const struct opt_group telnet_opts; /* --telnet */
struct telnet_conf {
	bool wanted;
};

/* Puts the layer on *top, a byte stream, and replaces it. -1: no memory, *top unchanged. */
int telnet_push(struct stream **top);

#endif
