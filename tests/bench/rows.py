"""What is compared, with which words, and how good sockctl is meant to be. One row is one workload; to add one is one entry.

A tool's words are what a user would type for this job, and where a tool has a faster way (socat's -b, no name lookups, a longer
backlog) they use it. A tool that is not installed is skipped by name. Goals are ratios against the best of the others, each
figure by itself, or against those named; rates at least, everything else at most.
"""
from collections import namedtuple

from kinds import Bulk, Dials, Forward, Server, Startup, UdpReceive, UdpSend

# needs: an option that this sockctl must know, and the mode to ask. limit: a goal that is no ratio, in the figure's own unit.
Row = namedtuple("Row", "name title kind goals needs")
Goal = namedtuple("Goal", "figure factor against limit", defaults=(None,))


def row(name, title, kind, *goals, needs=None):
    return Row(name, title, kind, [g for group in goals for g in group], needs)


def goal(against="", **figures):
    names = [name.strip() for name in against.split(",") if name.strip()]
    return [Goal(figure, factor, names) for figure, factor in figures.items()]


def limit(**figures):
    return [Goal(figure, None, [], most) for figure, most in figures.items()]


HOST = "127.0.0.1"
BIG = "socat -b 262144"

# One stream, one way: (who listens and receives, who connects and sends).
TCP = {
    "sockctl": (f"sockctl listen --ready-fd {{ready}} {HOST}:0", f"sockctl connect {HOST} {{port}}"),
    "nc.openbsd": (f"nc.openbsd -l {HOST} {{port}}", f"nc.openbsd -N {HOST} {{port}}"),
    "nc.traditional": (f"nc.traditional -l -s {HOST} -p {{port}}", f"nc.traditional -q 0 {HOST} {{port}}"),
    "ncat": (f"ncat -l --recv-only {HOST} {{port}}", f"ncat --send-only {HOST} {{port}}"),
    "socat": (f"socat -u TCP4-LISTEN:{{port}},bind={HOST} -", f"socat -u - TCP4:{HOST}:{{port}}"),
    BIG: (f"{BIG} -u TCP4-LISTEN:{{port}},bind={HOST} -", f"{BIG} -u - TCP4:{HOST}:{{port}}"),
}
# It sends a file, and prints figures instead of what came: nothing can be compared.
TO_NULL = {**TCP, "iperf3": (f"iperf3 -s -1 -B {HOST} -p {{port}}", f"iperf3 -c {HOST} -p {{port}} -F {{file}}")}
SENDERS = {name: (None, sender) for name, (_, sender) in TCP.items()}
SENDERS["bash"] = (None, f"bash -c 'exec cat >/dev/tcp/{HOST}/{{port}}'")
RECEIVERS = {name: (receiver, None) for name, (receiver, _) in TCP.items()}
RECEIVERS["bash"] = (Dials(f"bash -c 'exec cat </dev/tcp/{HOST}/{{port}}'"), None)
UNIX = {
    "sockctl": ("sockctl listen --ready-fd {ready} unix:{path}", "sockctl connect unix:{path}"),
    "nc.openbsd": ("nc.openbsd -l -U {path}", "nc.openbsd -N -U {path}"),
    "ncat": ("ncat -l -U --recv-only {path}", "ncat -U --send-only {path}"),
    "socat": ("socat -u UNIX-LISTEN:{path} -", "socat -u - UNIX-CONNECT:{path}"),
    BIG: (f"{BIG} -u UNIX-LISTEN:{{path}} -", f"{BIG} -u - UNIX-CONNECT:{{path}}"),
}
SSL_LISTEN = f"OPENSSL-LISTEN:{{port}},bind={HOST},cert={{cert}},key={{key}},verify=0"
TLS = {
    "sockctl": (f"sockctl listen --ready-fd {{ready}} --tls --cert {{cert}} --key {{key}} {HOST}:0",
                f"sockctl connect --tls --insecure {HOST} {{port}}"),
    "ncat": (f"ncat -l --ssl --ssl-cert {{cert}} --ssl-key {{key}} --recv-only {HOST} {{port}}",
             f"ncat --ssl --send-only {HOST} {{port}}"),
    "socat": (f"socat -u {SSL_LISTEN} -", f"socat -u - OPENSSL:{HOST}:{{port}},verify=0"),
    BIG: (f"{BIG} -u {SSL_LISTEN} -", f"{BIG} -u - OPENSSL:{HOST}:{{port}},verify=0"),
    "openssl": (f"openssl s_server -quiet -naccept 1 -cert {{cert}} -key {{key}} -accept {HOST}:{{port}} {{held}}",
                f"openssl s_client -quiet -no_ign_eof -connect {HOST}:{{port}}"),
}

# Servers that send everything back.
ECHO = {
    "sockctl": f"sockctl echo --ready-fd {{ready}} --max 0 {HOST}:0",
    "ncat": f"ncat -l -k --max-conns 10000 -e /bin/cat {HOST} {{port}}",
    "socat": f"socat TCP4-LISTEN:{{port}},bind={HOST},fork,backlog=4096 PIPE",
    "tcpserver": f"tcpserver -1 -H -R -l 0 -c 10000 -b 4096 {HOST} 0 /bin/cat {{stdout}}",
    "asyncio": "python {here}/asyncio_echo.py tcp {stdout}",
}
NO_FORK = {name: ECHO[name] for name in ("sockctl", "asyncio")}
BOTH_WAYS = {**{name: ECHO[name] for name in ("sockctl", "ncat", "socat", "tcpserver")},
             BIG: f"{BIG} TCP4-LISTEN:{{port}},bind={HOST},fork PIPE"}
TLS_ECHO = {
    "sockctl": f"sockctl echo --ready-fd {{ready}} --tls --cert {{cert}} --key {{key}} --max 0 {HOST}:0",
    "ncat": f"ncat -l -k --ssl --ssl-cert {{cert}} --ssl-key {{key}} -e /bin/cat {HOST} {{port}}",
    "socat": f"socat {SSL_LISTEN},fork,backlog=4096 PIPE",
    "openssl": f"openssl s_server -quiet -rev -cert {{cert}} -key {{key}} -accept {HOST}:{{port}}",
}
CHAT = {
    "sockctl": f"sockctl chat --ready-fd {{ready}} --wire raw --slow wait --max 0 {HOST}:0",
    "ncat": f"ncat -l -k --broker --max-conns 1010 {HOST} {{port}}",
}

# Datagrams.
UDP_SEND = {
    "sockctl": f"sockctl connect -u --send-only --datagram-size {{size}} {HOST} {{port}}",
    "nc.openbsd": f"nc.openbsd -u -q 0 {HOST} {{port}} {{packets}}",
    "nc.traditional": f"nc.traditional -u -q 0 {HOST} {{port}} {{packets}}",
    "ncat": f"ncat -u --send-only {HOST} {{port}} {{packets}}",
    "socat": f"socat -b {{size}} -u - UDP4:{HOST}:{{port}}",
}
UDP_RECEIVE = {
    "sockctl": f"sockctl listen -u --recv-only --ready-fd {{ready}} {HOST}:0",
    "nc.openbsd": f"nc.openbsd -u -l {HOST} {{port}}",
    "nc.traditional": f"nc.traditional -u -l -s {HOST} -p {{port}}",
    "ncat": f"ncat -u -l --recv-only {HOST} {{port}}",
    "socat": f"socat -u UDP4-RECV:{{port}},bind={HOST} -",
}
UDP_ECHO = {
    "sockctl": f"sockctl echo -u --udp-rate off --ready-fd {{ready}} --max 0 {HOST}:0",
    "ncat": f"ncat -u -l -k -e /bin/cat {HOST} {{port}}",
    "socat": f"socat UDP4-LISTEN:{{port}},bind={HOST},fork PIPE",
    "asyncio": "python {here}/asyncio_echo.py udp {stdout}",
}

FORWARD = {
    "sockctl": f"sockctl serve --ready-fd {{ready}} --forward {HOST}:{{target}} {HOST}:0",
    "plain splice": "{build}/plain target={target} {stdout}",
    "haproxy": "env PORT={port} TARGET={target} haproxy -db -q -f {here}/haproxy.cfg",
    "socat": f"socat -u TCP4-LISTEN:{{port}},bind={HOST},fork TCP4:{HOST}:{{target}}",
    BIG: f"{BIG} -u TCP4-LISTEN:{{port}},bind={HOST},fork TCP4:{HOST}:{{target}}",
}

# From start to end: (words, exit code).
HELLO = {
    "sockctl": ("sockctl --version", 0),
    "nc.openbsd": ("nc.openbsd -h", 0),
    "nc.traditional": ("nc.traditional -h", 0),
    "ncat": ("ncat --version", 0),
    "socat": ("socat -V", 0),
}
REFUSED = {
    "sockctl": (f"sockctl connect {HOST} {{closed}}", 4),
    "nc.openbsd": (f"nc.openbsd {HOST} {{closed}}", 1),
    "nc.traditional": (f"nc.traditional -n {HOST} {{closed}}", 1),
    "ncat": (f"ncat -n {HOST} {{closed}}", 1),
    "socat": (f"socat -u - TCP4:{HOST}:{{closed}}", 1),
    "bash": (f"bash -c ': >/dev/tcp/{HOST}/{{closed}}'", 1),
}

OTHERS = "socat, ncat"
ALONE = {**NO_FORK, "sockctl alone": (ECHO["sockctl"], "echo clients=1")}

ROWS = [
    row("pipe-pipe", "pipe → TCP → pipe", Bulk(TCP), goal(rate=2.5, cpu=0.30)),
    row("head-cat", "head → pipe → TCP → pipe → cat", Bulk(TCP, feed="head", drain="cat"), goal(rate=1.4, cpu=0.50)),
    row("file-null", "file → TCP → /dev/null", Bulk(TO_NULL, feed="file", drain="null", unchecked=("iperf3",)),
        goal(rate=1.4, cpu=0.65)),
    row("pipe-file", "pipe → TCP → file", Bulk(TCP, drain="file"), goal(rate=1.3, cpu=0.60)),
    row("send-pipe", "sender alone, from a pipe", Bulk(SENDERS), goal(rate=2.2, cpu=0.55)),
    row("send-file", "sender alone, from a file", Bulk(SENDERS, feed="file"), goal(rate=1.4, cpu=0.50)),
    row("recv-pipe", "receiver alone, into a pipe", Bulk(RECEIVERS), goal(rate=2.5, cpu=0.25)),
    row("recv-null", "receiver alone, into /dev/null", Bulk(RECEIVERS, drain="null"), goal(rate=1.3, cpu=0.65)),
    row("recv-file", "receiver alone, into a file", Bulk(RECEIVERS, drain="file"), goal(rate=0.95, cpu=1.0)),
    row("unix", "pipe → Unix socket → pipe", Bulk(UNIX), goal(rate=5, cpu=0.15)),
    row("both-ways", "echo of a stream, both ways at once", Server(BOTH_WAYS, "both", per="byte"),
        goal("tcpserver", rate=1.0, cpu=1.2)),
    row("tls", "pipe → TLS 1.3 → pipe", Bulk(TLS), goal(rate=1.5, cpu=0.70), needs=("connect", "--tls")),
    row("tls-handshakes", "TLS handshakes, 8 at a time", Server(TLS_ECHO, "handshake", per="handshake"),
        goal("openssl", rate=1.0), goal(OTHERS, rate=2.0), needs=("echo", "--tls")),
    row("echo-1", "echo of 64 bytes, 1 connection", Server(ECHO, "echo clients=1"), goal(OTHERS, rate=1.4, cpu=0.5)),
    row("echo-64", "echo of 64 bytes, 64 connections", Server(ECHO, "echo clients=64"), goal(OTHERS, rate=1.5, cpu=0.5, p99=0.6)),
    row("echo-1000", "echo of 64 bytes, 1000 connections", Server(ECHO, "echo clients=1000", descriptors=1000),
        goal(OTHERS, rate=1.8, cpu=0.45, p99=0.6)),
    row("echo-8000", "echo of 64 bytes, 8000 connections", Server(NO_FORK, "echo clients=8000", descriptors=8000),
        goal(rate=1.0)),
    row("churn", "connect, 64 bytes both ways, close", Server(ECHO, "churn", per="connection"),
        goal(OTHERS, rate=10, cpu=0.2), goal("asyncio", rate=3)),
    row("idle-1000", "echo to 1 of 1000 connections", Server(ALONE, "echo clients=1000 active=1", descriptors=1000),
        goal("sockctl alone", p50=1.15, cpu=1.15)),
    row("idle-8000", "echo to 1 of 8000 connections", Server(ALONE, "echo clients=8000 active=1", descriptors=8000),
        goal("sockctl alone", p50=1.15, cpu=1.15)),
    row("memory", "memory of 500 connections", Server(ECHO, "echo clients=500 active=1", memory=True), limit(memory=2048)),
    row("crowd", "10,000 clients: connect, 64 bytes both ways, stay",
        Server(NO_FORK, "echo clients=10000 active=1", memory=True, descriptors=10000), limit(took=5, memory=2048)),
    row("chat-10", "chat, 10 receivers", Server(CHAT, "chat receivers=10", per="line"), goal(rate=1.4, cpu=0.9)),
    row("chat-100", "chat, 100 receivers", Server(CHAT, "chat receivers=100", per="line"), goal(rate=1.4, cpu=0.9)),
    row("chat-1000", "chat, 1000 receivers", Server(CHAT, "chat receivers=1000", per="line", descriptors=1000),
        goal(rate=1.0, cpu=0.9)),
    row("udp-send", "pipe → datagrams of 512 bytes", UdpSend(UDP_SEND), goal(rate=1.8, cpu=0.6)),
    row("udp-echo", "echo of datagrams of 64 bytes, 16 clients", Server(UDP_ECHO, "echo udp=1 clients=16", udp=True),
        goal(rate=3, cpu=0.25)),
    row("udp-receive", "300,000 datagrams a second → pipe", UdpReceive(UDP_RECEIVE, 300000),
        goal("nc.openbsd", loss=0.1), goal(cpu=0.6)),
    row("forward", "TCP → TCP", Forward(FORWARD), goal("haproxy", rate=0.9), goal(BIG, rate=1.8),
        goal("plain splice", cpu=1.05), needs=("serve", "--forward")),
    row("start", "start-up", Startup(HELLO), goal("nc.openbsd", instr=1.1)),
    row("refused", "connect to a closed port", Startup(REFUSED), goal("nc.openbsd", instr=1.1)),
]
