/* The movers that join datagrams and streams of bytes, for the table of movers in io/flow.c. */
#ifndef IO_BATCH_MOVE_H
#define IO_BATCH_MOVE_H

#include "io/flow.h"

extern const struct mover mover_gather; /* datagrams to bytes */
extern const struct mover mover_cut;	/* bytes to datagrams, not by line */

#endif
