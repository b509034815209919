/* A layer for our own input: one line, then a pause. */
#ifndef IO_PACE_H
#define IO_PACE_H

#include "io/stream.h"

/* Stands on *top and replaces it: what is read comes line by line, the next one pause_ms after the one before. Writing passes
 * through. -1: no memory, *top as it was. */
int pace_push(struct stream **top, const struct loop *borrows, int64_t pause_ms);

#endif
