/* A run's time limits, as options: session.c applies those of a connection, the modes that of the run. */
#include "session/session.h"

static const struct opt clock_rows[] = {
	{ .name = "idle-timeout",
		.with = WITH_PAYLOAD,
		.ch = 'i',
		.kind = OPT_SECONDS,
		.off = offsetof(struct clock_conf, idle_ms),
		.arg = "TIME",
		.help = "end a connection when no byte moves for TIME",
		.man = "Ends a connection on which no byte has moved in either direction for TIME; a bare number is seconds. "
		       "Over TCP and Unix stream sockets this is a failure (exit status 5); by default there is no limit. A "
		       "UDP peer of a server is forgotten after TIME, 60s by default, which is a normal end; 0 keeps it for "
		       "ever." },
	{ .name = "max-time",
		.with = WITH_PAYLOAD,
		.kind = OPT_MS,
		.off = offsetof(struct clock_conf, max_ms),
		.arg = "TIME",
		.help = "end a connection after TIME",
		.man = "Ends each connection TIME after it was opened, busy or not (exit status 5)." },
	{ .name = "lifetime",
		.kind = OPT_MS,
		.off = offsetof(struct clock_conf, lifetime_ms),
		.arg = "TIME",
		.help = "end the whole run after TIME",
		.man = "Ends the program TIME after it was started (exit status 5). A server first lets its clients finish, "
		       "as after a signal; the exit status is 7 if that loses a byte." },
	{ 0 },
};
const struct opt_group clock_opts = { .title = "Time limits", .size = sizeof(struct clock_conf), .rows = clock_rows };
