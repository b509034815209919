/* Histories: whole runs of a part of sockctl among mocks, drawn from a seed, under a clock that jumps (loop_sim.h).
 *
 * A kind of history is one file with a `struct kind`, and a row in sim.c. It draws everything from the dice that it is given, and
 * says with sim_check what must hold. All histories of a process share the loop, the pools and the lingers, which each of them
 * leaves as it found them: that is checked, too. */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include "stream/linger.h"
#include "stream/pool.h"
#include "tests/sim/loop_sim.h"

struct kind {
	const char *name;
	unsigned share;	    /* of all histories, in percent */
	void (*open)(void); /* what all its histories share; NULL: nothing */
	void (*run)(struct dice *d);
	void (*close)(void);
};
extern const struct kind kind_pump, kind_sessions, kind_chat, kind_talk, kind_play, kind_doors, kind_relay;

/* Ends the process with the seed and the words, if it does not hold. */
void sim_check(bool holds, const char *what);
void sim_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

void ground_open(void); /* once a process */
void ground_close(void);
struct loop *sim_loop(void);
struct lingers *sim_lingers(void);

/* Pools of several block sizes, each of SIM_BLOCKS blocks; i is any number. */
enum { SIM_BLOCKS = 8 };
struct pool *sim_pool(unsigned i);	 /* from eight bytes to a few thousand */
struct pool *sim_pool_large(unsigned i); /* that hold any datagram */

#endif
