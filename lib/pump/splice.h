/* Movers that leave the bytes in the kernel. Each fits only where both streams name a descriptor (stream_rawfd), and none fits
 * where the system has no such call or the pool says to copy. A flow whose descriptors turn out not to be up to it, which may be
 * found out in the middle, goes on by copying. */
#ifndef PUMP_SPLICE_H
#define PUMP_SPLICE_H

#include "pump/flow.h"

extern const struct mover mover_discard;     /* TCP to nobody */
extern const struct mover mover_sendfile;    /* a regular file to a socket */
extern const struct mover mover_splice;	     /* one of the two is a pipe */
extern const struct mover mover_splice_pipe; /* neither is: by way of a pipe of our own */

#endif
