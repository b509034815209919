"""-vv names each state of a flow (in: from the peer, out: to it, echo: both) and of the pump, once, in order; --json has the same."""
import json
import re
import signal
import socket

import pytest

import wire
from conftest import LOOPS
from place import Place

SHUT = ["draining", "drained", "shutting", "shut"]


def chain(of, *states):
    """The lines of one flow or pump that is open and then takes these states."""
    return [f"{of}: {was} -> {now}" for was, now in zip(("open", *states), states)]


def states(proc, conn=1):
    """All such lines of this connection, in their order."""
    found = re.findall(rf"^sockctl: \[{conn}\] (\w+: \w+ -> \w+)$", proc.err.decode(), re.M)
    for of in {line.split(":")[0] for line in found}:  # each begins where the last one ended
        steps = [line.split(": ")[1].split(" -> ") for line in found if line.startswith(f"{of}:")]
        assert [was for was, _ in steps] == ["open", *(now for _, now in steps[:-1])], found
    return found


@pytest.fixture(params=LOOPS)
def each_loop(request, sockctl):
    sockctl.loop = ["--loop", request.param]
    return request.param


@pytest.mark.usefixtures("loop")
def test_connect_half_closes(pair, place):
    proc, sock = pair("connect", place, "-vv", stdin=b"hi")
    assert wire.read_eof(sock) == b"hi"
    sock.sendall(b"ho")
    wire.half_close(sock)
    assert proc.ends(0) == b"ho"
    assert states(proc) == chain("out", *SHUT) + chain("in", *SHUT) + chain("pump", "settling", "done")


@pytest.mark.usefixtures("loop")
def test_the_peer_ends_first(pair, place):
    proc, sock = pair("listen", place, "-vv")
    proc.send(b"hi")
    assert wire.read(sock, 2) == b"hi"
    wire.half_close(sock)
    assert proc.read_eof() == b""
    proc.eof()
    assert wire.read_eof(sock) == b""
    proc.ends(0)
    assert states(proc) == chain("in", *SHUT) + chain("out", *SHUT) + chain("pump", "settling", "done")


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("size", [0, 2, 1 << 20])
def test_echo(sockctl, place, size):
    proc = sockctl.serve("echo", place, "-vv")
    for conn in 1, 2:
        sock = place.dial()
        wire.sending(sock, b"x" * size)
        assert len(wire.read_eof(sock)) == size
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert states(proc, 1) == states(proc, 2) == chain("echo", *SHUT)


def test_the_peer_resets(pair, tcp, each_loop):
    """What it sent is still written out; nothing can be sent to it any more, which epoll tells as a hang-up."""
    proc, sock = pair("connect", tcp, "-vv")
    sock.sendall(b"ho")
    assert proc.read(2) == b"ho"
    wire.reset(sock)
    proc.ends(7)
    gone = chain("out", "shut") if each_loop == "epoll" else []
    assert states(proc) == chain("in", *SHUT) + gone + chain("pump", "settling", "failed")


@pytest.mark.usefixtures("each_loop")
def test_a_fault_closes(pair, tcp):
    """Before stdin has ended."""
    proc, sock = pair("connect", tcp, "-vv", "--fault", "close-after=4:out")
    proc.send(b"0123456789")
    assert wire.read_eof(sock) == b"0123"
    proc.wait()
    assert proc.code == 7
    assert states(proc) == chain("out", "failed") + chain("in", *SHUT) + chain("pump", "settling", "failed")


@pytest.mark.usefixtures("loop")
def test_an_echo_server_drains(sockctl, place):
    """The client has not ended: the server does, of its own accord."""
    proc = sockctl.serve("echo", place, "-vv")
    sock = place.dial()
    sock.sendall(b"hi")
    assert wire.read(sock, 2) == b"hi"
    proc.signal(signal.SIGTERM)
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    proc.ends(0)
    assert states(proc) == chain("echo", *SHUT)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("service", [["--discard"], ["--zero"]])
def test_a_server_drains(sockctl, place, service):
    proc = sockctl.serve("serve", place, "-vv", *service)
    sock = place.dial()
    sock.sendall(b"hi")
    proc.says(rb"connected")
    proc.signal(signal.SIGTERM)
    wire.read_eof(sock)
    wire.close(sock)
    proc.ends(0)
    assert states(proc) == chain("out", *SHUT) + chain("in", "draining", "drained") + chain("pump", "settling", "done")


@pytest.mark.usefixtures("each_loop")
def test_a_connection_is_cut(pair, tcp):
    proc, sock = pair("connect", tcp, "-vv", "--max-time", "50ms")
    assert wire.read_eof(sock) == b""
    proc.ends(5)
    assert states(proc) == chain("pump", "stopped")


@pytest.mark.usefixtures("each_loop")
def test_a_program(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, "-vv", "-e", "cat")
    sock = tcp.dial()
    wire.sending(sock, b"hi")
    assert wire.read_eof(sock) == b"hi"
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert states(proc) == chain("in", *SHUT) + chain("out", *SHUT) + chain("pump", "settling", "done")


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("kind", ["tcp4", "udp4"])
def test_forward_means_its_client(sockctl, tcp, tmp_path, kind):
    """in is from the client, wherever the pump has it: a target of datagrams is its far end."""
    target = Place(kind, tmp_path)
    to = target.listen()
    wait = ["--reply-wait", "50ms"] if kind == "udp4" else []
    proc = sockctl.serve("listen", tcp, "-vv", *wait, "--forward", *target.words())
    sock = tcp.dial()
    wire.sending(sock, b"hi")
    if kind == "tcp4":
        there = wire.accept(to)
        assert wire.read_eof(there) == b"hi"
        there.close()
    assert wire.read_eof(sock) == b""
    proc.ends(0)
    out = chain("out", *SHUT) if kind == "tcp4" else []  # a datagram target has no end
    assert states(proc) == chain("in", *SHUT) + out + chain("pump", "settling", "done")


def test_programs_are_told_the_same(pair, tcp, tmp_path):
    log = tmp_path / "log"
    proc, sock = pair("connect", tcp, "-vv", "--events", log, stdin=b"hi")
    assert wire.read_eof(sock) == b"hi"
    sock.close()
    proc.ends(0)
    told = [e for e in map(json.loads, log.read_text().splitlines()) if e["ev"] == "state"]
    assert [f"{e['of']}: {e['was']} -> {e['now']}" for e in told] == states(proc) and {e["conn"] for e in told} == {1}


@pytest.mark.parametrize("words", [[], ["-q"], ["-v"]])
def test_only_when_every_step_is_asked_for(pair, tcp, words):
    proc, sock = pair("connect", tcp, *words, stdin=b"hi")
    assert wire.read_eof(sock) == b"hi"
    sock.close()
    proc.ends(0)
    assert b"->" not in proc.err
