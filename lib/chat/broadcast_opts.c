/* Options for slow clients and long lines. */
#include "chat/broadcast_internal.h"

#include "codec/frame.h"

#include <stdint.h>

enum { LINE_MOST = 65536 };

static const struct opt rows[] = {
	{ .name = "slow",
		.with = WITH_SENDING,
		.kind = OPT_CHOICE,
		.off = offsetof(struct broadcast_conf, slow),
		.arg = "auto|skip|close|wait",
		.def = "auto",
		.help = "what happens to a client that does not keep up",
		.man = "While the queue of a client is more than half full, the clients that fill it are not read. A queue that "
		       "stays so for a second marks its client slow. With skip, the client then misses lines and is told how "
		       "many when it has caught up; with close it is closed; with wait no client is marked and all wait for the "
		       "slowest. auto is skip, and wait for a console whose standard input is not a terminal." },
	{ .name = "slow-after",
		.with = WITH_SENDING,
		.kind = OPT_MS,
		.off = offsetof(struct broadcast_conf, slow_after_ms),
		.arg = "TIME",
		.def = "10s",
		.min = 1,
		.max = INT64_MAX / 4,
		.help = "close a client that reads nothing for TIME",
		.man = "Closes a client that reads nothing for TIME while data is queued for it." },
	{ .name = "max-line",
		.kind = OPT_SIZE,
		.off = offsetof(struct broadcast_conf, max_line),
		.arg = "SIZE",
		.def = "4096",
		.min = 1,
		.max = LINE_MOST,
		.help = "cut lines of clients after SIZE bytes",
		.man = "Cuts a line of a client after SIZE bytes, at most 64k; the rest of that line is dropped, and this is "
		       "reported." },
	{ .name = "whole-lines",
		.kind = OPT_FLAG,
		.off = offsetof(struct broadcast_conf, whole_lines),
		.with = WITH_STREAM,
		.help = "wait for the newline of a client's line",
		.man = "Without it, a client's unfinished line after which nothing comes for 200 ms is taken for a line, because "
		       "many programs send no newline; not if it began with a single byte, as what a person types does, and never "
		       "with --frame. With it, every line ends with its newline, or with its client." },
	{ 0 },
};
const struct opt_group broadcast_opts = { .title = "Slow clients and long lines",
	.size = sizeof(struct broadcast_conf),
	.rows = rows,
	.with = WITH_CONSOLE | WITH_CHAT };

/* Frames are whole, and have ends of their own. */
int broadcast_whole_lines(const struct conf *conf, bool *whole, struct err *e)
{
	const struct frame_conf *frame = conf_get(conf, &frame_opts);
	const struct broadcast_conf *own = conf_get(conf, &broadcast_opts);
	bool framed = frame != NULL && frame->wanted;
	*whole = own->whole_lines || framed;
	if (own->whole_lines && framed)
		return err_set(e, ERR_USAGE, 0, "--frame and --whole-lines cannot be used together: a frame is whole");
	return 0;
}
