"""One client can hurt only itself: every behaviour of the adversary against every server, and then a client that behaves."""
import os

import adversary
import pytest

import wire
from program import is_sanitized

pytestmark = pytest.mark.usefixtures("loop")


def misbehave(behaviour, sock):
    sock.settimeout(1)  # the adversary's own patience
    try:
        adversary.BEHAVIOURS[behaviour](sock)
    except (OSError, ValueError):  # the server may hang up on it at any moment
        pass


@pytest.mark.whole("a flood takes too long byte by byte")
@pytest.mark.parametrize("behaviour", adversary.BEHAVIOURS)
@pytest.mark.parametrize("mode", ["echo", "chat", "serve"])
def test_others_notice_nothing(sockctl, place, mode, behaviour):
    proc = sockctl.serve(mode, place)
    misbehave(behaviour, place.dial(raw=behaviour == "flood"))
    two, one = place.dial(), place.dial()
    if mode == "serve":
        one.sendall(b"a good word\n")
        assert proc.read_until(b" a good word\n")
    elif mode == "chat":
        wire.read_until(two)  # it is in, and will hear what is said from now on
        one.sendall(b"a good word\n")
        assert wire.read_until(two, b"> a good word\n")
    else:
        one.sendall(b"a good word\n")
        assert wire.read(one, 12) == b"a good word\n"
    assert proc.alive()


@pytest.mark.parametrize("behaviour", adversary.BEHAVIOURS)
@pytest.mark.parametrize("role", ["connect", "listen"])
def test_one_connection_survives_or_says_why(pair, place, role, behaviour):
    """Against connect and listen it may at worst end the run: with a class and a line, never with silence or a signal."""
    proc, sock = pair(role, place, stdin=b"an answer\n")
    task = wire.Task(proc.wait)  # reads all that comes
    misbehave(behaviour, sock)
    wire.close(sock)
    # a reset may come before we have seen the connection at all: then connecting has failed
    assert task.result() in ((0, 4, 7) if role == "connect" else (0, 7))
    assert len(proc.lines()) == (proc.code != 0)


def resident_kib(proc):
    with open(f"/proc/{proc.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


@pytest.mark.whole("megabytes take too long byte by byte")
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's memory is not ours")
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
@pytest.mark.parametrize("words", [["chat"], ["serve"], ["serve", "--frame", "nul,max=4096"]], ids=["chat", "serve", "frames"])
def test_endless_lines_cost_their_limit_and_no_more(sockctl, tcp, words):
    """Of a line that does not end, --max-line bytes are kept; a frame that is too long ends its client. 30 of them, 30 MiB in all."""
    proc = sockctl.serve(words[0], tcp, *words[1:])
    last = b"\0" if "--frame" in words else b"\n"
    first = tcp.dial()
    first.sendall(b"x" + last)
    if words[0] == "serve":
        proc.read_until()
    before = resident_kib(proc)
    for _ in range(30):
        misbehave("endless-line", tcp.dial())
    one, two = tcp.dial(), tcp.dial()  # a client behind them is served when they have been heard
    if words[0] == "chat":
        wire.read_until(two)
    one.sendall(b"a good word" + last)
    assert proc.read_until(b" a good word\n") if words[0] == "serve" else wire.read_until(two, b"> a good word\n")
    assert resident_kib(proc) - before <= 30 * 8 + 1024
    assert proc.alive()
