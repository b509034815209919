/* Bytes that were read too early: a layer that returns them again, and then reads below.
 *
 * For code that puts a layer into a connection on which bytes have passed already (session/layers.h): the new layer still gets
 * its bytes, however they were cut on their way. */
#ifndef STREAM_PUSHBACK_H
#define STREAM_PUSHBACK_H

#include "stream/stream.h"

/* Puts the layer on *top, a byte stream, and replaces it. Copies the n bytes. -1: no memory, *top unchanged. */
int pushback_push(struct stream **top, const void *bytes, size_t n);
void pushback_drop(struct stream *takes); /* a layer just pushed: the stream below stays open */

#endif
