/* The movers that join datagrams and streams of bytes, for the table of movers in pump/flow.c. */
#ifndef PUMP_DGRAM_COPY_H
#define PUMP_DGRAM_COPY_H

#include "pump/flow.h"

extern const struct mover mover_dgram_label; /* datagrams to lines, each with its label (dgram_label.c) */
extern const struct mover mover_dgram_join;  /* datagrams to bytes */
extern const struct mover mover_dgram_split; /* bytes to datagrams, not by line */

#endif
