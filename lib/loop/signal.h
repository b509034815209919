/* Signals as loop callbacks, for loop.c. The public call is loop_signal (loop.h). */
#ifndef LOOP_SIGNAL_H
#define LOOP_SIGNAL_H

struct loop;

/* Restores every disposition that this loop changed. */
void signal_close(struct loop *loop);

#endif
