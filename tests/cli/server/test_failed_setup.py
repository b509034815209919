"""A client that fails in its handshake or its header: it does not end well, and people are told without -v, a line a second."""
import contextlib
import json
import re
import socket

import pytest

import certs
import wire

pytestmark = pytest.mark.tls

TLS = ["tls://127.0.0.1:0"]
CERT = ["--cert", certs.good().pem, "--key", certs.good().key]


def server(sockctl, mode, *words, at=TLS, **how):
    return sockctl.serve(mode, at, *words, *(CERT if at is TLS else []), **how)


def dial(proc):
    return wire.keep(socket.create_connection(("127.0.0.1", proc.port), wire.DEADLINE))


def refused(proc, words=b"nonsense\n"):
    sock = dial(proc)
    with contextlib.suppress(OSError):
        sock.sendall(words)
    assert wire.read_reset(sock) == b""
    return sock


def told(proc):
    """What people were told: (of how many, the words)."""
    return [(int(re.match(r"sockctl: (\d+) (?:handshakes|setups) failed", line)[1]) if " failed within a second" in line else 1, line)
            for line in proc.lines() if "turned away" in line or "failed within" in line or "refused" in line or "alert" in line]


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["echo", "serve", "chat", "listen"])
def test_a_plain_client_does_not_end_well(sockctl, mode):
    proc = server(sockctl, mode)
    client = sockctl.start("connect", "127.0.0.1", proc.port, stdin=b"hola\n")
    assert client.ends(7) == b""
    assert "reset" in client.complaint()
    proc.says(rb'sockctl: \[1\] 127.0.0.1:\d+ turned away: tls: the peer does not speak TLS: it sent "hola\\n"\n')
    assert len(told(proc)) == 1
    proc.signal(15)
    proc.wait()
    assert len(told(proc)) == 1


@pytest.mark.parametrize("words", [b"h", b"\x16\x02", b"GET / HTTP/1.0\r\n\r\n", bytes(1000), b"\x80\x2e\x01\x03\x01"],
                         ids=["a-letter", "no-version", "http", "zeros", "ssl-2"])
def test_what_is_no_tls_is_reset_at_once(sockctl, words):
    """Not one byte of an alert, and no wait of ten seconds for the rest of a record."""
    proc = server(sockctl, "echo")
    refused(proc, words)
    proc.says(rb"does not speak TLS")


@pytest.mark.parametrize("at,words,client,line", [
    (TLS, [], ["127.0.0.1"], rb"turned away: tls: the peer does not speak TLS"),
    (["127.0.0.1:0"], ["--proxy-in", "any"], ["127.0.0.1"], rb"turned away: proxy: its PROXY header is missing"),
    (["127.0.0.1:0"], ["--proxy-in", "v2"], ["--proxy-out", "v1", "127.0.0.1"], rb"its PROXY header is of version 1"),
], ids=["tls", "header", "version"])
@pytest.mark.parametrize("how", ["", "-q", "-v", "-vv"])
def test_the_failed_peer_is_named(sockctl, at, words, client, line, how):
    """One line; -v has said it already, and -q leaves it out."""
    proc = server(sockctl, "echo", *words, *([how] if how else []), at=at)
    assert sockctl.start("connect", "-q", *client, proc.port, stdin=b"hola\n").ends(7) == b""
    if how != "-q":
        proc.says(line)
    proc.signal(15)
    proc.ends(0)
    assert len(re.findall(line, proc.err)) == (how != "-q")


def test_a_flood_is_a_line_a_second(sockctl):
    proc = server(sockctl, "echo")
    for _ in range(300):
        refused(proc)
    proc.says(rb"turned away: tls")
    proc.says(rb"sockctl: \d+ handshakes failed within a second, the last with 127.0.0.1:\d+: tls: the peer does not speak TLS: .*\n")
    proc.signal(15)
    proc.ends(0)
    lines = told(proc)
    assert sum(count for count, _ in lines) == 300
    assert lines[0][0] == 1 and all(count > 1 for count, _ in lines[1:-1])


def test_two_are_two_lines(sockctl):
    proc = server(sockctl, "echo")
    ports = [refused(proc).getsockname()[1] for _ in range(2)]
    proc.says(rb"(?s)turned away.*turned away")
    assert [int(re.search(r"127.0.0.1:(\d+) turned away", line)[1]) for _, line in told(proc)] == ports


def test_what_programs_are_told(sockctl, tmp_path):
    log = tmp_path / "log"
    proc = server(sockctl, "echo", "--events", log)
    for _ in range(50):
        refused(proc)
    proc.signal(15)
    proc.ends(0)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert len([ev for ev in events if ev["ev"] == "reject"]) == 50
    failed = [ev for ev in events if ev["ev"] == "failed"]
    assert sum(ev["count"] for ev in failed) == 50
    assert failed[0]["conn"] == 1 and failed[0]["reason"] == "tls" and "does not speak TLS" in failed[0]["error"]


@pytest.mark.parametrize("at,words", [(TLS, []), (["127.0.0.1:0"], ["--proxy-in", "any"])], ids=["tls", "header"])
@pytest.mark.parametrize("end", [wire.close, wire.reset, wire.half_close])
def test_a_health_check_is_no_line(sockctl, at, words, end):
    proc = server(sockctl, "echo", "--events", "fd:2", *words, at=at)
    sock = dial(proc)
    end(sock)
    proc.says(rb'"ev":"reject"')
    if end is wire.half_close:
        assert wire.read_reset(sock) == b""
    proc.signal(15)
    proc.ends(0)
    assert not told(proc) or b'"failed"' not in proc.err


@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_a_client_that_refuses_our_certificate(sockctl, mode):
    """In TLS 1.3 it says so behind the handshake, and that is where people look for what was wrong."""
    proc = server(sockctl, mode)
    client = sockctl.start("connect", "-q", "--ca", certs.stranger().pem,
                           f"tls://127.0.0.1:{proc.port}", stdin=b"hola\n")
    client.ends(6)
    proc.says(rb"sockctl: \[1\] .*127.0.0.1:\d+.*(certificate|unknown CA|alert).*\n")


def test_a_refused_client_still_reads_why(sockctl):
    """Real TLS is answered with an alert, which arrives."""
    proc = server(sockctl, "echo", "--alpn", "h2")
    client = sockctl.start("connect", "-q", "--insecure", "--alpn", "http/1.1", f"tls://127.0.0.1:{proc.port}", stdin=b"hola\n")
    client.ends(6)
    assert b"no application protocol" in client.err
    proc.says(rb"turned away: tls: the client speaks none of the protocols of --alpn")


def test_one_that_is_too_slow_is_told(sockctl, tmp_path):
    """Nothing of ours closes it as if it had been served."""
    proc = server(sockctl, "echo", "-vv", "--max", "1")
    sock = dial(proc)
    proc.says(rb"wants to connect")
    client = sockctl.start("connect", "-q", "--ca", certs.root().pem, f"tls://127.0.0.1:{proc.port}", stdin=b"hola\n")
    assert client.ends(0) == b"hola\n"
    assert wire.read_reset(sock) == b""
