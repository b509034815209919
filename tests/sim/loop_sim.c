#include "tests/sim/loop_sim.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

enum { SIM_MOST_WAITS = 10000000, LATE_MOST_MS = 40 };

static struct sim {
	int64_t now_ms;
	unsigned waits, most_waits;
	struct dice *dice;
	int top; /* descriptors below it were used */
	unsigned char want[SIM_FDS], is[SIM_FDS];
	bool hang_up[SIM_FDS];
} sim;

static void *sim_open(struct err *e)
{
	(void)e;
	sim = (struct sim){ .now_ms = SIM_START_MS, .most_waits = SIM_MOST_WAITS };
	return &sim;
}

static int sim_set(void *state, int fd, unsigned want, struct err *e)
{
	(void)state;
	if (fd >= SIM_FDS)
		return err_set(e, ERR_LOCAL, EMFILE, "watch descriptor %d", fd);
	sim.want[fd] = (unsigned char)want;
	if (fd >= sim.top)
		sim.top = fd + 1;
	return 0;
}

/* What is said of this descriptor now; *left: it has more to say. */
static unsigned look(int fd, bool *left)
{
	unsigned bits = sim.is[fd] & sim.want[fd];
	if (sim.want[fd] == 0)
		return 0;
	if (sim.hang_up[fd]) {
		sim.hang_up[fd] = false;
		return LOOP_HUP;
	}
	if (sim.dice == NULL)
		return bits;
	if (dice_chance(sim.dice, 3))
		return sim.want[fd] & (LOOP_IN | LOOP_OUT);
	if (bits != 0 && dice_chance(sim.dice, 40)) {
		*left = true;
		return 0;
	}
	return bits;
}

static int sim_wait(void *state, struct loop *loop, int64_t until_ms, struct err *e)
{
	(void)state;
	bool told = false;
	int first = sim.dice != NULL && sim.top > 1 ? (int)dice_roll(sim.dice, (unsigned)sim.top) : 0;
	for (int i = 0; i < sim.top; i++) {
		int fd = (first + i) % sim.top;
		unsigned bits = look(fd, &told);
		if (bits != 0)
			loop_ready(loop, fd, bits);
		told |= bits != 0;
	}
	if (++sim.waits > sim.most_waits)
		return err_set(e, ERR_BUG, 0, "the loop spins");
	if (told || (sim.dice != NULL && dice_chance(sim.dice, 3)))
		return 0;
	if (until_ms == NEVER)
		return err_set(e, ERR_BUG, 0, "waiting for ever");
	if (until_ms > sim.now_ms)
		sim.now_ms = until_ms + (sim.dice != NULL && dice_chance(sim.dice, 10) ? dice_roll(sim.dice, LATE_MOST_MS) : 0);
	return 0;
}

static int64_t sim_now(void *state)
{
	(void)state;
	return sim.now_ms;
}

static void sim_close(void *state)
{
	(void)state;
}

const struct loop_backend loop_sim = {
	.name = "sim",
	.open = sim_open,
	.set = sim_set,
	.wait = sim_wait,
	.now = sim_now,
	.close = sim_close,
};

void sim_schedule(struct dice *dice, unsigned most_waits)
{
	sim.dice = dice;
	sim.waits = 0;
	sim.most_waits = most_waits != 0 ? most_waits : SIM_MOST_WAITS;
	memset(sim.is, 0, sizeof sim.is);
	memset(sim.hang_up, 0, sizeof sim.hang_up);
	sim.top = 0;
}

void sim_ready(int fd, unsigned bits, bool ready)
{
	sim.is[fd] = (unsigned char)(ready ? sim.is[fd] | bits : sim.is[fd] & ~bits);
}

void sim_hang_up(int fd)
{
	sim.hang_up[fd] = true;
}

unsigned sim_watched(int fd)
{
	return sim.want[fd];
}

unsigned sim_waits(void)
{
	return sim.waits;
}
