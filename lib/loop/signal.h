/* Signals as loop callbacks. The public call is loop_signal (loop.h); this is what loop.c needs of it. */
#ifndef LOOP_SIGNAL_H
#define LOOP_SIGNAL_H

struct loop;

/* Restores every disposition that this loop changed. */
void signal_close(struct loop *loop);

#endif
