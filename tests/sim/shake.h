/* A layer in the manner of TLS, for histories of a server: a handshake of two flights, reading ahead of what is asked for, and a
 * goodbye without which an end is a cut. The client says H, hears S, says F, then its payload, and at last the goodbye. */
#ifndef TESTS_SHAKE_H
#define TESTS_SHAKE_H

#include "stream/stream.h"

#define SHAKE_BYE '\4'

int shake_push(struct stream **top);

#endif
