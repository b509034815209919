/* The time before the loop turns, in which opening and reading may block: a FIFO waits for its other end.
 *
 * The signals that end a run, and --lifetime, interrupt a blocking call: it fails with EINTR and is not tried again (sys_again).
 * loop_signal takes the signals over, and delivers those that have come. */
#ifndef LOOP_PRELUDE_H
#define LOOP_PRELUDE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

void prelude_begin(int64_t lifetime_ms); /* 0: no limit */
bool prelude_caught(int signo);		 /* in this prelude; false after its end */
/* The run failed. Did a signal or the lifetime end it? Then *signo is the signal, or e says that the lifetime is over. */
bool prelude_called_off(int *signo, struct err *e);
void prelude_end(void); /* the loop takes over; may be called again */

#endif
