/* A layer for our own input: one line, then a pause. */
#ifndef CODEC_LINE_DELAY_H
#define CODEC_LINE_DELAY_H

#include "stream/stream.h"

/* Stands on *top and replaces it: what is read comes line by line, the next one pause_ms after the one before. Writing passes
 * through. -1: no memory, *top as it was. */
int line_delay_push(struct stream **top, const struct loop *borrows, int64_t pause_ms);

#endif
