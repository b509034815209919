/* Bytes that were read too early: a layer that gives them again, and then whatever is below.
 *
 * For who puts a layer into a connection on which bytes have passed already (session/layers.h): what came for the new layer is
 * still to reach it, however it was cut on its way. */
#ifndef STREAM_PUSHBACK_H
#define STREAM_PUSHBACK_H

#include "stream/stream.h"

/* Stands on *top, a byte stream, and replaces it. Copies the n bytes. -1: no memory, *top as it was. */
int pushback_push(struct stream **top, const void *bytes, size_t n);
void pushback_drop(struct stream *takes); /* a layer just pushed: the stream below stays open */

#endif
