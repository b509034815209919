/* How often a send queue is asked whether it is empty, as no descriptor tells. */
#ifndef PUMP_SETTLE_H
#define PUMP_SETTLE_H

#include "stream/stream.h"

/* How long to wait until the next question: after step_ms (the first is 1) the last time, and waited_ms since the first. */
int64_t settle_step(const struct stream *bottom, int64_t step_ms, int64_t waited_ms);

#endif
