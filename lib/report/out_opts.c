/* The options of the reports (out.h). */
#include "report/out.h"

static int out_opts_count(void *block, const char *text, struct err *e)
{
	(void)text;
	(void)e;
	((struct report_conf *)block)->verbose++;
	return 0;
}

static int out_opts_check(void *block, struct err *e)
{
	const struct report_conf *conf = block;
	if (conf->json && conf->quiet)
		return err_set(e, ERR_USAGE, 0, "--json and --quiet cannot be used together");
	if (conf->json && conf->hexdump)
		return err_set(e, ERR_USAGE, 0, "--json and --hexdump cannot be used together: both are for stderr");
	if (conf->data != DATA_NONE && !conf->json && conf->events == NULL)
		return err_set(e, ERR_USAGE, 0, "--events-data requires --events or --json");
	return 0;
}

static const struct opt report_rows[] = {
	{ .name = "verbose",
		.ch = 'v',
		.kind = OPT_HOOK,
		.hook = out_opts_count,
		.help = "say what happens; -vv: every step",
		.man = "Say on standard error what happens: where a server listens, which clients connect and leave, what is "
		       "tried again. Given twice, every step, and by name how each direction of a connection ends: [3] in: open -> "
		       "draining (see state in EVENTS)." },
	{ .name = "quiet",
		.ch = 'q',
		.kind = OPT_FLAG,
		.off = offsetof(struct report_conf, quiet),
		.help = "say nothing but the error that ends the run",
		.man = "Say nothing on standard error but the one line that names a failure of the run, and the warning of --insecure." },
	{ .name = "hexdump",
		.with = WITH_PAYLOAD,
		.ch = 'x',
		.kind = OPT_FLAG,
		.off = offsetof(struct report_conf, hexdump),
		.help = "show what passes on stderr, in hexadecimal",
		.man = "Shows what passes in either direction on standard error as it happens, in the form of --transcript, on a "
		       "terminal in colour (unless NO_COLOR is set). What a slow reader of standard error misses is counted." },
	{ .name = "json",
		.kind = OPT_FLAG,
		.off = offsetof(struct report_conf, json),
		.help = "events as JSON on stderr instead of words",
		.man = "Write every event to standard error as one line of JSON, instead of words for people. The failure that ends "
		       "the run stands in the last one. See EVENTS." },
	{ .name = "events",
		.kind = OPT_TEXT,
		.off = offsetof(struct report_conf, events),
		.arg = "FILE|fd:N|-",
		.help = "write events as JSON to FILE, descriptor N or stdout",
		.man = "Write every event as one line of JSON to FILE, which is made (mode 0600) or emptied, to the open descriptor "
		       "N, or with - to standard output, which is refused where payload goes there. What is said on standard error "
		       "stays the same. If they cannot be written to the end (a full disk) the file ends with a whole line, and the exit "
		       "status is 9; a reader that leaves only ends the events. See EVENTS." },
	{ .name = "events-data",
		.with = WITH_PAYLOAD,
		.kind = OPT_CHOICE,
		.off = offsetof(struct report_conf, data),
		.arg = "none|len|b64",
		.def = "none",
		.help = "events about payload: its length, or its bytes too",
		.man = "Whether there are events about payload: len tells how many bytes went which way, b64 also gives the bytes, in "
		       "base64." },
	{ 0 },
};
const struct opt_group report_opts = {
	.title = "Reports", .size = sizeof(struct report_conf), .rows = report_rows, .check = out_opts_check
};
