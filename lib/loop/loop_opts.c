/* Options of how a run uses the machine: how it waits, how bytes are moved, how much memory peers may use. */
#include "base/budget.h"
#include "loop/loop.h"

static const struct opt loop_rows[] = {
	{ .name = "loop",
		.kind = OPT_CHOICE,
		.off = offsetof(struct loop_conf, backend),
		.arg = "auto|select|epoll",
		.def = "auto",
		.help = "how to wait for descriptors",
		.man = "How to wait for descriptors. auto is select, and epoll where more than 256 descriptors are possible "
		       "and the system has it. A run that select cannot hold is refused at start." },
	{ .name = "no-splice",
		.kind = OPT_FLAG,
		.off = offsetof(struct loop_conf, no_splice),
		.help = "move all bytes by reading and writing",
		.man = "Moves all bytes by reading and writing. Without it, bytes that no option has to see go from one "
		       "descriptor to the other inside the kernel (splice, sendfile), where the system can. A file that is "
		       "changed while it is being sent may then arrive with the change." },
	{ .name = "memory",
		.kind = OPT_SIZE,
		.off = offsetof(struct loop_conf, memory),
		.arg = "SIZE",
		.def = "128M",
		.help = "the most memory that all peers together can make us use",
		.man = "The most memory that all peers of a run together can make it use (128M): the frames and what is read "
		       "ahead of --talk, the frames of --frame, the datagrams that wait for a peer's turn, and the bytes that "
		       "wait for a peer that reads nothing when others need the pipe that they are in. A peer may use as "
		       "much as is left free: one peer alone a half, each of N peers one part of N + 1, so a part is always left "
		       "for the next one. A peer that would need more is closed and the reason is reported, or waits if it was "
		       "only read ahead; of datagrams the last are dropped. See SERVING MANY for what each connection may hold "
		       "beside it." },
	{ 0 },
};
static int check_memory(void *block, struct err *e)
{
	const struct loop_conf *conf = block;
	if (conf->memory < BUDGET_SMALL)
		return err_set(e, ERR_USAGE, 0, "--memory: expected %dk or more", BUDGET_SMALL / 1024);
	return 0;
}

const struct opt_group loop_opts = {
	.title = "Running", .size = sizeof(struct loop_conf), .rows = loop_rows, .check = check_memory
};
