/* The third backend of the loop: a clock that jumps, and descriptors that are only numbers.
 *
 * Waiting takes no time, it turns the clock to the nearest timer. Mocks say which of their descriptors are ready. Without dice
 * all that is ready is told, in order. With dice the scheduler plays what a system may do: it tells some of what is ready and the
 * rest later, in any order, wakes up for nothing, claims a readiness that is over, and comes late. Waiting for ever is an error
 * (ERR_BUG, "waiting for ever"), and so is turning without end ("the loop spins"). One at a time. */
#ifndef TESTS_LOOP_SIM_H
#define TESTS_LOOP_SIM_H

#include "loop/loop.h"
#include "tests/sim/dice.h"

extern const struct loop_backend loop_sim;
enum { SIM_START_MS = 1000000, SIM_FDS = 64 };

void sim_schedule(struct dice *borrows, unsigned most_waits); /* NULL: in order; 0: the usual limit */
void sim_ready(int fd, unsigned bits, bool ready);	      /* LOOP_IN, LOOP_OUT: from now on */
void sim_hang_up(int fd);				      /* the next wait reports a hang-up of fd, if it is watched */
unsigned sim_watched(int fd);
unsigned sim_waits(void); /* since the loop was opened, or sim_schedule */

#endif
