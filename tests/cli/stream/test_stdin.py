"""What becomes of stdin besides being sent: a pause after each line, the end of all after its end, the next client of listen -k."""
import os

import pytest

import wire
from proc import NULL

pytestmark = pytest.mark.usefixtures("loop")


@pytest.mark.parametrize("role", ["connect", "listen"])
def test_quit_after_ends_where_the_peer_does_not(pair, place, role):
    """All of stdin is there before, and status 0 says so."""
    proc, sock = pair(role, place, "--quit-after", "0", stdin=wire.payload(30_000))
    wire.same(wire.read(sock, 30_000), wire.payload(30_000))
    assert proc.ends(0) == b""


def test_quit_after_waits_so_long_for_an_answer(pair, place):
    proc, sock = pair("connect", place, "--quit-after", "1h", stdin=b"hola")
    assert wire.read_eof(sock) == b"hola"
    sock.sendall(b"pues")
    assert proc.read(4) == b"pues"
    wire.close(sock)
    assert proc.ends(0) == b""


def test_quit_after_does_nothing_before_the_end(pair, place):
    proc, sock = pair("connect", place, "--quit-after", "0")
    for _ in range(3):
        proc.send(b"hola\n")
        assert wire.read_until(sock) == b"hola\n"
        sock.sendall(b"pues\n")
        assert proc.read_until() == b"pues\n"
    proc.eof()
    assert proc.ends(0) == b""


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_quit_after_in_datagrams(sockctl, dgram):
    sock = dgram.bind()
    proc = sockctl.connect(dgram, "--quit-after", "0", "--reply-wait", "1h", stdin=b"hola")
    assert sock.recv(10) == b"hola"
    assert proc.ends(0) == b""


def test_pace_holds_the_next_line_back(pair, place):
    """The second line is due in an hour; what comes the other way is not held up."""
    proc, sock = pair("connect", place, "--pace", "1h", stdin=b"uno\ndos\n")
    assert wire.read_until(sock) == b"uno\n"
    sock.sendall(b"pues")
    assert proc.read(4) == b"pues"
    assert wire.silent(sock) and proc.alive()
    wire.close(sock)


def test_pace_loses_nothing(pair, place):
    """Short lines, one without an end, one longer than any block."""
    data = b"".join(b"%d\n" % n for n in range(50)) + b"x" * 20_000 + b"\n\nthe last"
    proc, sock = pair("connect", place, "--pace", "1ms", stdin=data)
    wire.same(wire.read_eof(sock), data)
    wire.close(sock)
    proc.ends(0)


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_pace_makes_a_datagram_of_each_line(sockctl, dgram):
    sock = dgram.bind()
    proc = sockctl.connect(dgram, "--pace", "1ms", "--reply-wait", "0", stdin=b"uno\ndos\ntres")
    assert [sock.recv(100) for _ in range(3)] == [b"uno\n", b"dos\n", b"tres"]
    proc.ends(0)


def test_pace_has_nothing_to_do_without_stdin(sockctl, tcp):
    tcp.bind()
    proc = sockctl.connect(tcp, "--recv-only", "--pace", "1s", stdin=NULL)
    assert proc.ends(2) == b""
    assert "--pace" in proc.complaint()


@pytest.mark.parametrize("keep", [False, True])
def test_the_client_that_gets_stdin(sockctl, place, keep):
    """listen -k: the first client alone, or the present one."""
    proc = sockctl.serve("listen", place, "-k", *(["--keep-stdin", "--end", "peer"] if keep else []))
    sock = place.dial()
    proc.send(b"uno\n")
    assert wire.read_until(sock) == b"uno\n"
    wire.half_close(sock)
    proc.eof() if not keep else wire.close(sock)
    if not keep:
        assert wire.read_eof(sock) == b""
        wire.close(sock)
    sock = place.dial()
    sock.sendall(b"hola\n")
    assert proc.read_until() == b"hola\n"
    if keep:
        proc.send(b"dos\n")
        assert wire.read_until(sock) == b"dos\n"
    else:
        assert wire.silent(sock)
    wire.close(sock)


def test_bare_console(sockctl, dgram):
    """serve --label none --raw writes bytes, not lines."""
    proc = sockctl.serve("serve", dgram, "--label", "none", "--raw", stdin=NULL)
    for data in (b"uno", b"\0dos\r\n", b"tres"):
        dgram.dial().send(data)
        assert proc.read(len(data)) == data


def test_a_quiet_probe(sockctl, tcp):
    """Its status is its answer, and stdout need not be there."""
    tcp.listen()
    proc = sockctl.connect(tcp, "--probe=quiet", stdin=NULL, closed=[1])
    assert proc.wait() == 0 and proc.err == b""
    read, write = os.pipe()
    os.close(read)
    proc = sockctl.connect(tcp, "--probe=quiet", "-vv", stdin=NULL, stdout=write)
    os.close(write)
    assert proc.wait() == 0
    assert f"sockctl: {tcp.shown()} open".encode() in proc.err
