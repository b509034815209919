/* The options of stdin and stdout (stdio.c). */
#include "services/service.h"

static const struct opt rows[] = {
	{ .name = "end",
		.with = WITH_STREAM,
		.kind = OPT_CHOICE,
		.off = offsetof(struct stdio_conf, end),
		.arg = "auto|both|peer",
		.def = "auto",
		.help = "end when both directions have ended, or the peer's",
		.man = "When the connection is over. both: when stdin has ended and the peer has finished. peer: as soon as the "
		       "peer has finished and everything it sent is written. auto is peer when stdin is a terminal, so that no "
		       "key has to be pressed, and both otherwise." },
	{ .name = "half-close",
		.with = WITH_STDIO | WITH_FORWARD | WITH_STREAM,
		.kind = OPT_CHOICE,
		.off = offsetof(struct stdio_conf, half_close),
		.arg = "auto|yes|no",
		.def = "auto",
		.help = "tell the peer at once when stdin has ended",
		.man = "Whether the end of stdin is passed on to the peer as a half-close. auto does so at once over TCP "
		       "and Unix sockets. A client under TLS waits until the peer has finished, because most TLS servers drop "
		       "their answer when they see our end; not so with --send-only, nor where the peer is sockctl, which says "
		       "in the handshake that it understands. A server whose stdin was empty from the start, and a client whose stdin "
		       "is the null device, closed, or an empty file, have nothing to say and wait until the peer has finished, because "
		       "many programs stop sending when they see our end. yes does it at once, and no never." },
	{ .name = "quit-after",
		.with = WITH_SENDING,
		.kind = OPT_MS,
		.off = offsetof(struct stdio_conf, quit_ms),
		.arg = "TIME",
		.help = "end TIME after stdin has ended",
		.man = "Ends the connection TIME after standard input has ended and was sent, even if the peer has not finished. "
		       "That is no failure: what would come later is not wanted." },
	{ .name = "pace",
		.with = WITH_SENDING,
		.kind = OPT_MS,
		.off = offsetof(struct stdio_conf, pace_ms),
		.arg = "TIME",
		.help = "wait TIME after each line of stdin",
		.man = "Sends standard input line by line and waits for TIME after each." },
	{ .name = "recv-only",
		.kind = OPT_FLAG,
		.off = offsetof(struct stdio_conf, recv_only),
		.help = "never read stdin, send nothing",
		.man = "Never reads stdin, sends nothing, and does not half-close before the peer has finished." },
	{ .name = "keep-stdin",
		.with = WITH_SENDING | WITH_NEXT,
		.kind = OPT_FLAG,
		.off = offsetof(struct stdio_conf, keep_stdin),
		.help = "listen -k: the next client gets what stdin still has",
		.man = "Of listen with --keep-open: the next client gets what standard input still has. Without it only the first "
		       "client gets any." },
	{ .name = "send-only",
		.kind = OPT_FLAG,
		.off = offsetof(struct stdio_conf, send_only),
		.help = "print nothing; what the peer sends is dropped",
		.man = "Prints nothing. What the peer sends is still read and dropped, so that no reset can destroy what was sent to "
		       "it. After the end of stdin it ends with the peer, or when the peer's system has acknowledged everything and "
		       "nothing has come for a second." },
	{ .name = "raw",
		.with = WITH_SHOWING,
		.kind = OPT_FLAG,
		.off = offsetof(struct stdio_conf, raw),
		.help = "give a terminal the bytes as they are",
		.man = "Gives stdout the peer's bytes as they are, even if it is a terminal. Without it a terminal is "
		       "shown printable UTF-8, newlines and tabs, and everything else as \\xHH. A pipe or a file always "
		       "gets exact bytes." },
	{ .name = "datagram-size",
		.with = WITH_STDIO | WITH_FORWARD | WITH_DGRAM | WITH_SENDING,
		.kind = OPT_SIZE,
		.off = offsetof(struct stdio_conf, datagram_bytes),
		.arg = "SIZE",
		.def = "8192",
		.min = 1,
		.max = 65507,
		.help = "cut stdin into datagrams of at most SIZE bytes",
		.man = "Over datagrams, sends one datagram per read of stdin of at most SIZE bytes. When stdin is a "
		       "terminal each line is a datagram." },
	{ .name = "hex",
		.kind = OPT_FLAG,
		.off = offsetof(struct stdio_conf, hex),
		.help = "stdin and stdout are hexadecimal",
		.man = "Standard input is hexadecimal and is sent as the bytes that it stands for: pairs of digits, also with 0x or \\x "
		       "before them, with spaces, newlines and any of , : ; - between, a single digit for a small byte, comments "
		       "from # on. Anything else ends the run with exit status 9. What comes is printed so, 16 bytes a line. Over "
		       "datagrams each line is a datagram, and each datagram a line." },
	{ .name = "label",
		.with = WITH_DGRAM | WITH_SHOWING,
		.kind = OPT_CHOICE,
		.off = offsetof(struct stdio_conf, label),
		.arg = "none|addr",
		.def = "none",
		.help = "datagrams: put the sender's address before each line",
		.man = "Over datagrams, addr puts the sender's address before each line on standard output, as in \"[10.0.0.7:1900] "
		       "text\". A datagram that does not end with a newline gets one." },
	{ .name = "reply-wait",
		.with = WITH_STDIO | WITH_FORWARD | WITH_CLIENT | WITH_DGRAM | WITH_SENDING,
		.kind = OPT_MS,
		.off = offsetof(struct stdio_conf, reply_wait_ms),
		.arg = "TIME",
		.def = "1s",
		.help = "datagrams: go on for TIME after the last one",
		.man = "Datagrams have no end: a client ends when stdin has ended and no datagram has passed in either direction "
		       "for TIME." },
	{ .name = "replies",
		.with = WITH_DGRAM | WITH_FRAMES,
		.kind = OPT_INT,
		.off = offsetof(struct stdio_conf, replies),
		.arg = "N",
		.help = "datagrams, or frames: end when N have come",
		.man = "Over datagrams, or a stream with --frame, ends as soon as N datagrams or frames have come, with status 0. Fewer than "
		       "N are a failure (exit status 5)." },
	{ .name = "reads",
		.with = WITH_STREAM,
		.kind = OPT_INT,
		.off = offsetof(struct stdio_conf, reads),
		.arg = "N",
		.help = "streams: end after N reads that gave something",
		.man = "Over a stream, ends after N reads that gave something, with status 0, as -W of nc does; how many bytes "
		       "a read gives the network decides. Fewer than N are a failure (exit status 5). --replies counts frames." },
	{ 0 },
};

static int stdio_check(void *block, struct err *e)
{
	const struct stdio_conf *conf = block;
	if (conf->replies > 0 && conf->reads > 0)
		return err_set(e, ERR_USAGE, 0, "--replies and --reads cannot be used together");
	if (conf->recv_only && conf->send_only)
		return err_set(e, ERR_USAGE, 0, "--recv-only and --send-only cannot be used together");
	if (conf->hex && conf->raw)
		return err_set(e, ERR_USAGE, 0, "--hex and --raw cannot be used together");
	return 0;
}

const struct opt_group stdio_opts = { .title = "Standard input and output",
	.size = sizeof(struct stdio_conf),
	.rows = rows,
	.with = WITH_STDIO,
	.check = stdio_check };
