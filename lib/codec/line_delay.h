/* A layer for our own input: one line, then a pause. */
#ifndef CODEC_LINE_DELAY_H
#define CODEC_LINE_DELAY_H

#include "stream/stream.h"

/* Puts the layer on *top and replaces it: reads return one line at a time, the next pause_ms after the last. Writing passes
 * through. -1: no memory, *top unchanged. */
int line_delay_push(struct stream **top, const struct loop *borrows, int64_t pause_ms);

#endif
