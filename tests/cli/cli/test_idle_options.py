"""An option that would do nothing is refused: exit 2 before anything is opened, and one line that names it.

What each option needs of a run stands in its row, which --dump-options prints. Here each row is tried in each mode, with each service
and over each transport: what the row lacks there is refused, and no other. Rows that need nothing are those of the list below, each
with what it changes wherever it is given.
"""
import re
import subprocess

import pytest

from conftest import BINARY
SERVICES = {"file": ["--file", "/dev/null"], "discard": ["--discard"], "zero": ["--zero"], "exec": ["-e", "true"], "talk": ["--talk", "close"],
            "forward": ["--forward", "127.0.0.1:9"], "probe": ["--probe"]}
OWN = {"connect": "stdio", "listen": "stdio", "serve": "console", "echo": "echo", "chat": "chat"}
TRANSPORTS = {"tcp": "stream inet", "udp": "dgram inet", "unix": "stream unix"}
KINDS = [{"stdio", "console", "echo", "chat", *SERVICES}, {"dial"}, {"client"}, {"stream", "dgram", "frames"}, {"inet", "unix"},
         {"sending"}, {"showing"}, {"next"}, {"notice"}]

# What every run has, so that the option changes each.
ALWAYS = {
    "how its address is read": "udp ipv4 ipv6 unix tls numeric",
    "its time": "lifetime", "its sockets": "sockopt", "its own means": "loop no-splice memory sandbox user chroot exit-with-fd",
    "its words": "verbose quiet json events",
    "its connections' TLS, or it is refused by tls/": "cert key alpn tls-min keylog client-ca ca insecure pin server-name",
    "its clients": "allow deny max max-per-ip conn-rate count drain strict run proxy-in proxy-from keep-open accept-timeout",
    "how others hear that it listens": "print-port port-file ready-fd",
    "what it is": "probe wire",
}
# Choices and specs that are no file, number or time
VALUES = {"probe": "show", "source": "127.0.0.1", "proxy": "socks5://127.0.0.1:9", "proxy-auth": "/dev/null", "unix-mode": "0600",
          "frame": "line", "expect-sha256": 64 * "0", "fault": "rate=1", "udp-rate": "off", "forward": "127.0.0.1:9",
          "talk": "close", "exec": "true", "file": "/dev/null"}
KNOWN = {"N": "1", "TIME": "1s", "SIZE": "100", "TEXT": "x", "STRING": "x", "FILE": "/dev/null"}


def dumped():
    text = subprocess.run([BINARY, "--dump-options"], stdout=subprocess.PIPE, check=True).stdout.decode()
    rows = [line.split("\t") for line in text.splitlines() if line.startswith("option\t")]
    return [{"modes": row[2].split(), "name": row[4], "arg": row[5], "with": row[10].split()} for row in rows]


def value_of(row):
    if not row["arg"]:
        return []
    value = VALUES.get(row["name"]) or KNOWN.get(row["arg"]) or row["arg"].split("|")[0]
    return [f"--{row['name']}={value}"]


def facts(mode, service, transport):
    out = {service, "sending", "showing", *TRANSPORTS[transport].split()}
    if mode == "connect":
        out |= {"dial", "client"}
    if service == "forward":
        out |= {"dial", "client", "stream"}
    return out | ({"notice"} if service in ("console", "chat") else set())


def lacks(row, have):
    return any(set(row["with"]) & kind and not set(row["with"]) & kind & have for kind in KINDS)


@pytest.fixture(scope="module")
def rows():
    return dumped()


def test_a_row_says_what_it_needs(rows):
    free = {row["name"] for row in rows if not row["with"]}
    assert free == set(" ".join(ALWAYS.values()).split())


CASES = [(mode, service) for mode in OWN for service in [OWN[mode], *SERVICES]
         if service == OWN[mode] or (mode in ("connect", "listen", "serve") and (service != "probe" or mode == "connect"))]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("mode, service", CASES, ids=lambda word: word)
def test_each_option(sockctl, rows, tmp_path, mode, service, transport):
    """The last word is a descriptor that is not open, of which a run hears when nothing else was wrong: nothing is opened here."""
    if mode == "chat" and transport == "udp":
        pytest.skip("chat has no datagrams")
    have = facts(mode, service, transport)
    address = {"tcp": ["127.0.0.1", "9"], "udp": ["-u", "127.0.0.1", "9"], "unix": ["-U", str(tmp_path / "s")]}[transport]
    wrong = []
    for row in rows:
        name = row["name"]
        if mode not in row["modes"] or not row["with"] or name == service:
            continue
        words = [*(value_of(row) or [f"--{name}"]), *SERVICES.get(service, []), "--exit-with-fd", "99", *address]
        proc = subprocess.run([BINARY, mode, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd=tmp_path, timeout=60)
        said = proc.stderr.decode()
        named = re.search(rf"--{name}\b(?!-)", said) or (name.startswith("proxy") and "proxies cannot" in said)
        refused = (named or "only one service" in said) and "--exit-with-fd" not in said
        needed = lacks(row, have | ({"exec"} if name in ("pty", "exec-socket") else set()))  # these request a program themselves
        if proc.returncode != 2 or said.count("\n") != 1 or (needed and not refused) or not (refused or "99" in said):
            wrong.append((name, row["with"], proc.returncode, said))
    assert wrong == []


PROBED = [["--send-only"], ["--recv-only"], ["--frame", "line"], ["--pace", "1s"], ["--quit-after", "1s"], ["--telnet"], ["--crlf"],
          ["--half-close", "no"], ["--idle-timeout", "1s"], ["--hexdump"], ["--seed", "1"], ["--progress=line"]]
SAID = {
    "replies": (["connect", "--replies", "3"], "--replies requires datagrams or --frame, and {0} is a stream of bytes"),
    "raw-frames": (["connect", "--replies", "3", "--frame", "raw"], "--replies requires datagrams or --frame, and {0} is a stream of bytes"),
    "reply-wait": (["connect", "--reply-wait", "1s"], "--reply-wait requires datagrams, and {0} is a stream"),
    "datagram-size": (["listen", "--datagram-size", "5"], "--datagram-size requires datagrams, and {0} is a stream"),
    "keep-stdin": (["connect", "--keep-stdin"], "--keep-stdin requires listen --keep-open"),
    "keep-stdin-once": (["listen", "--keep-stdin"], "--keep-stdin requires listen --keep-open"),
    "recv-only": (["connect", "--recv-only", "-C"], "--recv-only and --crlf cannot be used together"),
    "quit-after": (["connect", "--recv-only", "--quit-after", "1s"], "--recv-only and --quit-after cannot be used together"),
    "raw": (["connect", "--send-only", "--raw"], "--send-only and --raw cannot be used together"),
    "console": (["serve", "--file", "/dev/null", "--label", "none"], "--file and --label cannot be used together"),
    "commands": (["serve", "--recv-only", "--commands"], "--recv-only and --commands cannot be used together"),
    "discard": (["serve", "--discard", "-C"], "--discard and --crlf cannot be used together"),
    "notice": (["serve", "--zero", "--full-message", "x"], "--full-message requires --when-full notice, without TLS"),
    "tls-notice": (["chat", "--tls", "--full-message", "x"], "--full-message requires --when-full notice, without TLS"),
    "seed": (["echo", "--seed", "1"], "--seed requires --fault: nothing else is left to chance"),
    "udp-rate": (["echo", "--udp-rate", "5"], "--udp-rate requires datagrams, and {0} is a stream"),
    "unix-mode": (["serve", "--unix-mode", "0600"], "--unix-mode requires the path of a Unix socket, and {0} is none"),
    **{f"probe-{words[0][2:]}": (["connect", "--probe", *words], f"--probe and {words[0].split('=')[0]} cannot be used together") for words in PROBED},
}


@pytest.mark.parametrize("case", SAID)
def test_the_line_says_what_is_needed(sockctl, case):
    words, says = SAID[case]
    proc = sockctl.run(*words, "127.0.0.1", "9")
    assert proc.ends(2) == b"" and proc.complaint() == "sockctl: " + says.format("127.0.0.1:9")


@pytest.mark.parametrize("words, says", [(["--half-close", "no"], "--half-close requires a stream"), (["--end", "peer"], "--end requires a stream"),
                                         (["--probe", "--stable", "1s"], "--stable requires a stream")])
def test_datagrams_have_no_end(sockctl, words, says):
    proc = sockctl.run("connect", "-u", *words, "127.0.0.1", "9")
    assert proc.code == 2 and proc.complaint() == f"sockctl: {says}, and 127.0.0.1:9 has datagrams"


def test_a_connection_that_is_there_is_not_waited_for(sockctl):
    proc = sockctl.run("connect", "--wait", "1s", "fd:0")
    assert proc.code == 2 and proc.complaint() == "sockctl: --wait: fd:0 cannot be connected again"
