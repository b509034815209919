"""The two directions are independent: whatever state one is in, bytes and the end still pass in the other.

24 checks per transport and loop: role {connect, listen} x other direction {quiet, filled, done} x way {in, out} x
{data, EOF}. `in` is peer to stdout, `out` is stdin to peer. `filled` means stuck by back-pressure because nothing reads its
sink, `done` that it has already passed its end on, `quiet` that it is open and idle.
"""
import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

# listen holds the end of a stdin back that never said a word, so each stdin says one first.
WORD = b"a word first\n"


class Out:
    """stdin to the peer."""

    def __init__(self, proc, sock):
        self.proc, self.sock = proc, sock

    def open(self):
        self.send(WORD)
        assert self.read(len(WORD)) == WORD

    def send(self, data):
        self.proc.send(data)

    def end(self):
        self.proc.eof()

    def read(self, size):
        return wire.read(self.sock, size)

    def read_eof(self):
        return wire.read_eof(self.sock)

    def fill(self):
        return wire.fill(self.proc.stdin)


class In(Out):
    """The peer to stdout."""

    def send(self, data):
        self.sock.sendall(data)

    def end(self):
        wire.half_close(self.sock)

    def read(self, size):
        return self.proc.read(size)

    def read_eof(self):
        return self.proc.read_eof()

    def fill(self):
        return wire.fill(self.sock)


@pytest.mark.parametrize("what", ["data", "eof"])
@pytest.mark.parametrize("way", ["in", "out"])
@pytest.mark.parametrize("other_is", ["quiet", "filled", "done"])
@pytest.mark.parametrize("role", ["connect", "listen"])
def test_ways_are_independent(pair, place, role, other_is, way, what):
    proc, sock = pair(role, place, rcvbuf=8192)
    ways = {"in": In(proc, sock), "out": Out(proc, sock)}
    for each in ways.values():
        each.open()
    tested = ways.pop(way)
    (other,) = ways.values()

    stuck = b""
    if other_is == "filled":
        stuck = other.fill()
    elif other_is == "done":
        other.end()
        assert other.read_eof() == b""

    if what == "data":
        for part in (b"x", wire.payload(3000), b"y\n"):
            tested.send(part)
            assert tested.read(len(part)) == part
    tested.end()
    assert tested.read_eof() == b""

    if other_is == "done":
        assert proc.ends(0) == b""
        return
    assert proc.alive()
    other.end()
    wire.same(other.read_eof(), stuck)
    assert proc.ends(0) == b""
    assert proc.lines() == []


@pytest.mark.parametrize("role", ["connect", "listen"])
def test_both_filled_then_both_drained(pair, place, role):
    proc, sock = pair(role, place, rcvbuf=8192)
    there, back = In(proc, sock), Out(proc, sock)
    for each in (there, back):
        each.open()
    stuck_in, stuck_out = there.fill(), back.fill()
    there.end()
    back.end()
    wire.same(back.read_eof(), stuck_out)
    wire.same(there.read_eof(), stuck_in)
    assert proc.ends(0) == b""
