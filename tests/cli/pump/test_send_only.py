"""--send-only ends with the peer, or when the peer's system has acknowledged everything and nothing has come for a second."""
import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

BOTH = pytest.mark.parametrize("role", ["connect", "listen"])
AUTO = ["--half-close", "auto"]
MUCH = wire.payload(4 << 20)


@BOTH
@pytest.mark.parametrize("data", [b"", b"told you", MUCH], ids=["nothing", "little", "much"])
def test_a_peer_that_never_closes(pair, place, role, data):
    proc, sock = pair(role, place, "--send-only", *AUTO, stdin=data)
    task = wire.Task(wire.read_eof, sock)
    assert proc.ends(0) == b""
    assert proc.lines() == []
    wire.same(task.result(), data)


@pytest.mark.parametrize("role", ["connect", "listen"])
def test_without_half_close(pair, place, role):
    proc, sock = pair(role, place, "--send-only", "--half-close", "no", stdin=b"told you")
    assert wire.read(sock, 8) == b"told you"
    assert proc.ends(0) == b""
    assert wire.read_eof(sock) == b""


@BOTH
def test_what_is_not_acknowledged_is_waited_for(pair, place, role):
    """A small buffer keeps most of it at our end until the peer reads."""
    proc, sock = pair(role, place, "--send-only", *AUTO, rcvbuf=4096)
    task = wire.Task(wire.read_eof, sock)
    proc.send(MUCH)
    assert proc.finish(0) == b""
    wire.same(task.result(), MUCH)


@BOTH
def test_a_peer_that_talks_is_heard_out(pair, place, role):
    """What it says is dropped to its end, and is no silence."""
    proc, sock = pair(role, place, "--send-only", *AUTO, stdin=b"told you")
    assert wire.read_eof(sock) == b"told you"
    sender = wire.sending(sock, MUCH)
    assert proc.ends(0) == b""
    sender.result()
