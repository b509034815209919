"""nc takes letters together of which one leaves the other nothing to do; ours does, too, though such options are refused elsewhere."""
import pytest

import wire
from conftest import BINARY
from place import make_place


@pytest.fixture
def nc(sockctl, tmp_path):
    ours = tmp_path / "nc"
    ours.symlink_to(BINARY)
    return lambda *words, **how: sockctl.program([ours, *words], **how)


@pytest.mark.parametrize("flags", ["-zC", "-zd", "-zi1", "-zq3", "-zN", "-zCNdt"])
def test_a_scan(nc, tcp, flags):
    tcp.listen()
    proc = nc(flags, tcp.host, str(tcp.port), stdin=b"")
    assert proc.ends(0) == b"" and proc.err == b""


@pytest.mark.parametrize("flags", ["-dq1", "-dC", "-dN", "-di1"])
def test_no_stdin(nc, tcp, flags):
    listener = tcp.listen()
    proc = nc(flags, tcp.host, str(tcp.port), stdin=b"not read")
    sock = wire.accept(listener)
    sock.sendall(b"hola")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b"hola" and proc.err == b""


@pytest.mark.parametrize("flags", ["-uN", "-uC", "-uNq0", "-ud", "-udC"])
def test_datagrams(nc, tmp_path, flags):
    place = make_place("udp4", tmp_path)
    server = place.listen()
    proc = nc(flags, "-W1", place.host, str(place.port), stdin=b"hola")
    if "d" not in flags:
        data, way = server.recvfrom(100)
        assert data == b"hola"
        server.sendto(b"que tal", way)
        if "q" not in flags:
            assert proc.ends(0) == b"que tal"
    assert proc.err == b""
