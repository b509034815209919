"""--strict: what fails for one client is the run's failure; without it, it is only reported."""
import contextlib
import signal

import pytest

import wire
from place import make_place

PLACES = pytest.mark.parametrize("strict", [True, False])


def serve(sockctl, place, strict, *words, count=1):
    return sockctl.serve("serve", place, "--count", count, *(["--strict"] if strict else []), *words)


@PLACES
@pytest.mark.parametrize("command, how", [("cat; exit 3", "status 3"), ("kill -9 $$", "signal 9"), ("/nonexistent/program", "status 127")])
@pytest.mark.parametrize("more", [[], ["--pty"], ["--exec-socket"]])
def test_a_program_that_fails(sockctl, tcp, strict, command, how, more):
    proc = serve(sockctl, tcp, strict, *more, "-e", command)
    sock = tcp.dial()
    host, port = sock.getsockname()
    wire.half_close(sock)
    wire.read_eof(sock)
    proc.ends(9 if strict else 0)
    if strict:
        assert proc.lines()[-1] == f"sockctl: client 1, {host}:{port}: its program ended with {how}"


@PLACES
def test_a_program_that_succeeds(sockctl, tcp, strict):
    proc = serve(sockctl, tcp, strict, "-e", "cat")
    sock = tcp.dial()
    sock.sendall(b"x")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"x"
    proc.ends(0)


def test_one_of_many(sockctl, tcp):
    """The first failure in time is told, however well those after it do."""
    proc = serve(sockctl, tcp, True, "-e", "exit $(cat)", count=3)
    for status in (b"0", b"4", b"0"):
        sock = tcp.dial()
        sock.sendall(status)
        wire.half_close(sock)
        wire.read_eof(sock)
        wire.close(sock)
    proc.ends(9)
    assert "client 2, " in proc.complaint() and "status 4" in proc.complaint()


def test_a_program_that_we_end_has_not_failed(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, "--strict", "--exec-socket", "-e", "echo there; sleep 1000")
    sock = tcp.dial()
    assert wire.read(sock, 6) == b"there\n"
    proc.signal(signal.SIGTERM)
    proc.ends(0)


@PLACES
def test_a_target_that_refuses(sockctl, tcp, strict, tmp_path):
    proc = serve(sockctl, tcp, strict, "--forward", "127.0.0.1:1")
    with contextlib.suppress(ConnectionResetError):  # it may come before connect has returned
        wire.read_reset(tcp.dial())
    proc.ends(4 if strict else 0)


@PLACES
def test_a_conversation_that_fails(sockctl, tcp, strict):
    """A mismatch is always the run's failure."""
    proc = serve(sockctl, tcp, strict, "--talk", 'expect "hello"', "--talk", 'send "well"')
    sock = tcp.dial()
    sock.sendall(b"something else\n")
    wire.read_any(sock)
    proc.ends(8)


@PLACES
def test_a_conversation_that_is_reset(sockctl, tcp, strict):
    proc = serve(sockctl, tcp, strict, "--talk", 'on "hello" send "well"')
    sock = tcp.dial()
    sock.sendall(b"hello\n")
    assert wire.read_until(sock) == b"well\n"
    wire.reset(sock)
    proc.ends(7 if strict else 0)


@PLACES
def test_a_handshake_that_fails(sockctl, tmp_path, strict):
    place = make_place("tls", tmp_path)
    proc = serve(sockctl, place, strict, "--discard")
    sock = place.dial(raw=True)
    sock.sendall(b"this is no TLS\n")
    wire.read_any(sock)
    good = place.dial()
    wire.half_close(good)
    wire.read_eof(good)
    proc.ends(6 if strict else 0)
    assert "client 1, " in proc.lines()[-1] if strict else True
