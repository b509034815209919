"""Services without an operator: everything swallowed, a file for each client, zeros without end."""
import signal

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")


def test_discard(sockctl, place):
    proc = sockctl.serve("serve", place, "--discard")
    for _ in range(2):
        sock = place.dial()
        sock.sendall(wire.payload(1 << 20))
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
        wire.close(sock)
    proc.signal(signal.SIGTERM)
    assert proc.ends(0) == b""


def test_file(sockctl, place, tmp_path):
    (tmp_path / "data").write_bytes(wire.payload(3 << 20))
    sockctl.serve("serve", place, "--file", tmp_path / "data")
    for _ in range(2):
        sock = place.dial()
        wire.half_close(sock)
        wire.same(wire.read_eof(sock), wire.payload(3 << 20))
        wire.close(sock)


def test_zero(sockctl, place):
    sockctl.serve("serve", place, "--zero")
    for _ in range(2):
        sock = place.dial()
        assert wire.read(sock, 100_000) == bytes(100_000)
        wire.close(sock)
