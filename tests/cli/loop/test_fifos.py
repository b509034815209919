"""Options that name a file are given a FIFO whose other end is not open, or open and silent: a signal and --lifetime end the
run all the same, before anything else has happened, and nothing is left behind."""
import os
import signal

import pytest

from program import has_tls

TLS = pytest.mark.skipif(not has_tls(), reason="built without TLS")
PORT = "127.0.0.1:0"
READS = {
    "ca": pytest.param(["connect", "--ca", "FIFO", "tls://localhost:1"], marks=TLS),
    "ca-far": pytest.param(["serve", "--forward", "tls://localhost:1", "--ca", "FIFO", PORT], marks=TLS),
    "ca-probe": pytest.param(["connect", "--probe", "--tls", "--ca", "FIFO", "localhost", "1"], marks=TLS),
    "client-ca": pytest.param(["echo", "--tls", "--client-ca", "FIFO", PORT], marks=TLS),
    "proxy-auth": ["connect", "--proxy", "socks5://127.0.0.1:1", "--proxy-auth", "FIFO", "localhost:1"],
    "proxy-auth-far": ["serve", "--proxy", "socks5://127.0.0.1:1", "--proxy-auth", "FIFO", "--forward", "localhost:1", PORT],
    "talk": ["connect", "--talk", "@FIFO", "localhost:1"],
    "talk-server": ["serve", "--talk", "@FIFO", PORT],
    "talk-listen": ["listen", "--talk", "@FIFO", PORT],
    "talk-file": ["serve", "--talk", 'send @"FIFO"', PORT],
    "allow": ["serve", "--allow", "@FIFO", PORT],
    "deny": ["listen", "--deny", "@FIFO", PORT],
    "proxy-from": ["echo", "--proxy-in", "any", "--proxy-from", "@FIFO", PORT],
}
WRITES = {
    "events": ["echo", "--events", "FIFO", PORT],
    "events-listen": ["listen", "--events", "FIFO", PORT],
    "events-connect": ["connect", "--events", "FIFO", "localhost:1"],
}
# Opened without waiting: exit 2 at once, as without a reader or a writer there is nothing to have.
NEVER_WAIT = [
    pytest.param(["echo", "--tls", "--cert", "FIFO", PORT], marks=TLS),
    pytest.param(["echo", "--tls", "--cert", "CERT", "--key", "FIFO", PORT], marks=TLS),
    pytest.param(["echo", "--tls", "--keylog", "FIFO", PORT], marks=TLS),
    ["echo", "--transcript", "FIFO", PORT], ["echo", "--record", "FIFO", PORT], ["echo", "--pcap", "FIFO", PORT],
    ["echo", "--port-file", "FIFO", PORT], ["echo", "--expect-file", "FIFO", PORT],
]


def params(table):
    return [pytest.param(*(words.values if hasattr(words, "values") else [words]), id=name, marks=getattr(words, "marks", ()))
            for name, words in table.items()]


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def start(sockctl, words, fifo, *more):
    mode, *rest = [word.replace("FIFO", str(fifo)) for word in words]
    return sockctl.start(mode, *more, *rest, stdin=b"")


def blocks(proc):
    """Until it sleeps: it waits for the other end."""
    while proc.alive():
        with open(f"/proc/{proc.pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == "S":
                return


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("words", params(READS | WRITES))
def test_a_signal_ends_it(sockctl, fifo, tmp_path, words, signo):
    more = [] if words[0] == "connect" else ["--port-file", tmp_path / "port"]
    proc = start(sockctl, words, fifo, *more)
    blocks(proc)
    proc.signal(signo)
    proc.wait()
    assert proc.code == -signo, proc
    assert proc.lines() == []
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.parametrize("words", params(READS | WRITES))
def test_a_signal_that_comes_at_any_time_ends_it(sockctl, fifo, words):
    """Also one that comes just before it would begin to wait."""
    proc = start(sockctl, words, fifo)
    proc.signal(signal.SIGTERM)
    proc.wait()
    assert proc.code == -signal.SIGTERM, proc


@pytest.mark.parametrize("words", params(READS | WRITES))
def test_lifetime_ends_it(sockctl, fifo, tmp_path, words):
    more = [] if words[0] == "connect" else ["--port-file", tmp_path / "port"]
    proc = start(sockctl, words, fifo, "--lifetime", "50ms", *more)
    proc.wait()
    assert proc.code == 5, proc
    assert proc.complaint().startswith("sockctl: --lifetime is over: ")
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.parametrize("how", ["TERM", "lifetime"])
@pytest.mark.parametrize("words", params({name: words for name, words in READS.items() if "ca" not in name.split("-")}))
def test_a_writer_that_writes_nothing(sockctl, fifo, words, how):
    """The other end is there, and silent."""
    keep = os.open(fifo, os.O_RDWR)
    try:
        proc = start(sockctl, words, fifo, *(["--lifetime", "50ms"] if how == "lifetime" else []))
        if how == "TERM":
            blocks(proc)
            proc.signal(signal.SIGTERM)
        proc.wait()
        assert proc.code == (-signal.SIGTERM if how == "TERM" else 5), proc
    finally:
        os.close(keep)


@pytest.mark.parametrize("words", NEVER_WAIT)
def test_what_never_waits(sockctl, fifo, tmp_path, words):
    if "CERT" in words:
        import certs
        words = [str(certs.good().pem) if word == "CERT" else word for word in words]
    proc = start(sockctl, words, fifo)
    proc.wait()
    assert proc.code == 2, proc
    assert proc.complaint()
    assert os.listdir(tmp_path) == ["fifo"]


def test_what_was_ignored_does_not_end_it(sockctl, fifo):
    proc = sockctl.start("echo", "--allow", f"@{fifo}", PORT, ignored=[signal.SIGHUP])
    blocks(proc)
    proc.signal(signal.SIGHUP)
    with open(fifo, "w") as file:
        file.write("127.0.0.1\n")
    proc.says(rb"listening on")
    proc.signal(signal.SIGTERM)
    proc.ends(0)


def test_lifetime_counts_from_the_start(sockctl, fifo):
    """A writer that comes in time is waited for, and the run ends when it should."""
    proc = sockctl.start("echo", "--allow", f"@{fifo}", "--lifetime", "2s", PORT)
    with open(fifo, "w") as file:
        file.write("127.0.0.1\n")
    proc.says(rb"listening on")
    proc.wait()
    assert proc.code == 5, proc
