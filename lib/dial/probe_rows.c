/* The options of a probe. */
#include "dial/probe.h"

static int probe_rows_check(void *block, struct err *e)
{
	const struct probe_conf *conf = block;
	if (conf->all && conf->until == UNTIL_CLOSED)
		return err_set(
			e, ERR_USAGE, 0, "--all and --until closed cannot be used together: that waits for every port anyway");
	return 0;
}

static const struct opt rows[] = {
	{ .name = "probe",
		.kind = OPT_CHOICE,
		.needs = NEEDS_DIAL,
		.off = offsetof(struct probe_conf, probe),
		.arg = "no|show|quiet",
		.bare = "show",
		.def = "no",
		.help = "only test whether a port is open; ports may be 20-30,80",
		.man = "Connects, sends nothing, and says on standard output, one line a port, whether it is open, refused, "
		       "unreachable (the system has no route to it, or a router says so), or gave no answer. The port may be a "
		       "list of numbers and ranges such as 20-30,80, and there may be several addresses: --probe db:5432 tls://web:443 unix:/run/app. "
		       "A name without an address is then not found. Over UDP one empty datagram is sent: a reply is open, an ICMP refusal is refused. --connect-timeout says how long to wait "
		       "for each port: by default 5s, over UDP 1s. With TLS a port is open when the handshake has succeeded, "
		       "too, by the rules of any connection (--ca, --pin, --alpn and so on); of one that has failed the line "
		       "says why: tls: and the words. The exit status is 0 if at least one port is open, else that of the last "
		       "failure. --probe=quiet prints nothing. With a "
		       "command after -- the lines go to standard error, and once the probe has succeeded this process becomes that command "
		       "(found along $PATH, without a shell), with the signal mask, ignored signals and standard descriptors that it "
		       "was started with: its exit status is the only one. If the probe fails the command is not run. "
		       "--probe cannot be used with proxies or faults." },
	{ .name = "until",
		.with = WITH_PROBE,
		.kind = OPT_CHOICE,
		.off = offsetof(struct probe_conf, until),
		.arg = "open|closed",
		.def = "open",
		.help = "with --probe: succeed when the ports are closed",
		.man = "With --probe: closed waits for the opposite. The exit status is 0 if every port is closed: refused, "
		       "unreachable, or a Unix socket's file that is gone. A port that gives no answer is not closed, nor is one that accepts and "
		       "closes again (--stable). With --wait it "
		       "asks until then; the exit status is 5 if a port is still open, or silent, at the end." },
	{ .name = "all",
		.with = WITH_PROBE,
		.kind = OPT_FLAG,
		.off = offsetof(struct probe_conf, all),
		.help = "with --probe: every port must be open",
		.man = "With --probe: the exit status is 0 only if every port of every address is open, and --wait tries until then. "
		       "Otherwise it is that of the last one that is not." },
	{ .name = "probe-data",
		.with = WITH_PROBE | WITH_DGRAM,
		.kind = OPT_TEXT,
		.off = offsetof(struct probe_conf, data),
		.arg = "TEXT",
		.help = "what to send when probing UDP",
		.man = "With --probe over UDP: sends TEXT, with C escapes such as \\n and \\x00, instead of an empty datagram." },
	{ .name = "stable",
		.with = WITH_PROBE | WITH_STREAM,
		.kind = OPT_MS,
		.off = offsetof(struct probe_conf, stable_ms),
		.arg = "TIME",
		.help = "a port that closes again within TIME is not open",
		.man = "With --probe: a connection must stay open for TIME to count. One that the peer ends earlier is shown as "
		       "closed: a proxy that accepts and then closes, because it cannot reach its server. With TLS the time "
		       "begins after the handshake; a server that wants a certificate of ours may refuse us only then." },
	{ 0 },
};
const struct opt_group probe_opts = {
	.title = "Probing", .size = sizeof(struct probe_conf), .rows = rows, .check = probe_rows_check
};
