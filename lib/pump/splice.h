/* Movers that leave the bytes in the kernel. Each fits only if both streams name a descriptor (stream_rawfd), and none fits if
 * the system has no such call or the pool says to copy. A flow whose descriptors turn out not to support it, which may be found
 * in the middle, continues by copying. */
#ifndef PUMP_SPLICE_H
#define PUMP_SPLICE_H

#include "pump/flow.h"

extern const struct mover mover_discard;     /* TCP to no reader */
extern const struct mover mover_sendfile;    /* a regular file to a socket */
extern const struct mover mover_splice;	     /* one of the two is a pipe */
extern const struct mover mover_splice_pipe; /* neither is: through a pipe of our own */

/* Its pipe is now this flow's, wherever it stands; moved: bytes went out just now. */
void splice_waits(struct flow *f, bool moved);

#endif
