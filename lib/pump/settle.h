/* How often a send queue is asked whether it is empty, because no descriptor reports it. */
#ifndef PUMP_SETTLE_H
#define PUMP_SETTLE_H

#include "stream/stream.h"

/* The time until the next question: the last one waited step_ms (at first 1), the first was waited_ms ago. */
int64_t settle_step(const struct stream *bottom, int64_t step_ms, int64_t waited_ms);

#endif
