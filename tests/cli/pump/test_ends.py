"""One rule for the end: EOF on one side is passed on to the other as a half-close, and the program ends when both directions
have ended. And the options that refine it."""
import os
import socket

import pytest

import wire
from place import Place
from proc import NULL

pytestmark = pytest.mark.usefixtures("loop")

BOTH = pytest.mark.parametrize("role", ["connect", "listen"])
MUCH = wire.payload(4 << 20)
# three ways for stdin to be at its end from the start
EMPTY = pytest.mark.parametrize("how", [dict(stdin=NULL), dict(stdin=b""), dict(stdin=None, closed=[0])],
                                ids=["devnull", "eof", "closed"])


@BOTH
@EMPTY
def test_empty_stdin_never_shortens_receiving(pair, place, role, how):
    proc, sock = pair(role, place, **how)
    wire.sending(sock, MUCH)
    wire.same(proc.ends(0), MUCH)


def test_connect_passes_the_end_of_an_empty_pipe_on_at_once(pair, place):
    """It is a deliberate end; of a client that has no stdin see test_empty_stdin.py."""
    proc, sock = pair("connect", place, stdin=b"")
    assert wire.read_eof(sock) == b""
    sock.sendall(b"still heard")
    sock.close()
    assert proc.ends(0) == b"still heard"


@EMPTY
def test_listen_holds_the_end_of_an_empty_stdin_back(pair, place, how):
    """nc and others stop sending when they see our EOF."""
    proc, sock = pair("listen", place, **how)
    for word in (b"one", b"two", b"three"):
        sock.sendall(word)
        assert proc.read(len(word)) == word
        assert wire.silent(sock)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b""


def test_listen_half_closes_at_once_when_told_to(pair, place):
    proc, sock = pair("listen", place, "--half-close", "yes", stdin=NULL)
    assert wire.read_eof(sock) == b""
    sock.sendall(b"x")
    sock.close()
    assert proc.ends(0) == b"x"


def test_listen_that_has_spoken_half_closes_at_once(pair, place):
    proc, sock = pair("listen", place, stdin=b"a word")
    assert wire.read_eof(sock) == b"a word"
    sock.sendall(b"x")
    sock.close()
    assert proc.ends(0) == b"x"


@BOTH
def test_peer_end_never_shortens_sending(pair, place, role):
    """tar c . | sockctl connect B 7000, to a receiver that has half-closed at once."""
    proc, sock = pair(role, place)
    wire.half_close(sock)
    assert proc.read_eof() == b""
    task = wire.Task(wire.read_eof, sock)
    proc.send(MUCH)
    assert proc.alive()
    proc.finish(0)
    wire.same(task.result(), MUCH)


@BOTH
def test_both_ends_are_needed(pair, place, role):
    proc, sock = pair(role, place)
    proc.send(b"question\n")
    proc.eof()
    assert wire.read_eof(sock) == b"question\n"
    for word in (b"one", b"two"):
        sock.sendall(word)
        assert proc.read(3) == word
        assert proc.alive()
    sock.close()
    assert proc.ends(0) == b""


@BOTH
def test_end_peer(pair, place, role):
    """The peer's end ends it although stdin stays open."""
    proc, sock = pair(role, place, "--end", "peer")
    proc.send(b"hello")
    assert wire.read(sock, 5) == b"hello"
    wire.sending(sock, MUCH)
    wire.same(proc.ends(0), MUCH)
    assert wire.read_eof(sock) == b""


@BOTH
@pytest.mark.parametrize("end", ["auto", "both"])
def test_end_both(pair, place, role, end):
    """With no terminal as stdin, auto is both."""
    proc, sock = pair(role, place, "--end", end)
    sock.sendall(b"bye")
    wire.half_close(sock)
    assert proc.read_eof() == b"bye"
    for word in (b"one", b"two"):
        proc.send(word)
        assert wire.read(sock, 3) == word
    proc.finish(0)
    assert wire.read_eof(sock) == b""


@BOTH
def test_half_close_no(pair, place, role):
    proc, sock = pair(role, place, "--half-close", "no", stdin=b"all I say")
    assert wire.read(sock, 9) == b"all I say"
    for word in (b"one", b"two", b"three"):
        sock.sendall(word)
        assert proc.read(len(word)) == word
        assert wire.silent(sock)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b""


@BOTH
def test_recv_only_never_reads_stdin(pair, place, role):
    reads, writes = os.pipe()
    os.write(writes, b"not for you")
    try:
        proc, sock = pair(role, place, "--recv-only", stdin=reads)
        for word in (b"one", b"two", b"three"):
            sock.sendall(word)
            assert proc.read(len(word)) == word
            assert wire.silent(sock)  # no half-close before the peer has finished
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
        assert proc.ends(0) == b""
        assert os.read(reads, 100) == b"not for you"
    finally:
        os.close(reads)
        os.close(writes)


@BOTH
def test_send_only_prints_nothing_and_reads_all(pair, place, role):
    """What the peer sends is read and dropped to its end, so that no reset loses our bytes."""
    proc, sock = pair(role, place, "--send-only")
    sender = wire.sending(sock, MUCH)
    got = wire.Task(wire.read_eof, sock)
    proc.send(MUCH)
    assert proc.finish(0) == b""
    sender.result()
    wire.same(got.result(), MUCH)


@BOTH
def test_closed_stdin_gets_no_socket(pair, place, role):
    """Descriptors 0 to 2 closed at the start never become a socket, whose bytes would then be read as stdin."""
    proc, sock = pair(role, place, stdin=None, stderr=None, closed=[0, 2])
    sock.sendall(b"for stdout")
    assert proc.read(10) == b"for stdout"
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b""


@BOTH
def test_files_at_both_ends(pair, place, role, tmp_path):
    (tmp_path / "in").write_bytes(MUCH)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
        proc, sock = pair(role, place, stdin=source, stdout=sink)
    got = wire.Task(wire.read_eof, sock)
    wire.sending(sock, MUCH[::-1])
    wire.same(got.result(), MUCH)
    proc.ends(0)
    wire.same((tmp_path / "out").read_bytes(), MUCH[::-1])


def test_listen_refuses_a_later_client(sockctl, place):
    proc = sockctl.serve("listen", place)
    sock = place.dial()
    sock.sendall(b"first\n")
    assert proc.read(6) == b"first\n"
    assert wire.refused(place.dial)
    assert not place.unix or not os.path.exists(place.path) or proc.alive()
    sock.close()
    proc.finish(0)


def test_listen_keep_open(sockctl, place):
    """stdin goes to the first client; stdout stays open for all."""
    proc = sockctl.serve("listen", place, "-k", stdin=b"to the first")
    first = place.dial()
    assert wire.read_eof(first) == b"to the first"
    first.sendall(b"one\n")
    wire.half_close(first)
    assert proc.read(4) == b"one\n"
    for word in (b"two\n", b"six\n"):
        later = place.dial()
        later.sendall(word)
        wire.half_close(later)
        assert proc.read(4) == word
        assert wire.read_eof(later) == b""
    assert proc.alive()


@BOTH
def test_crlf_is_idempotent(pair, tcp, role):
    proc, sock = pair(role, tcp, "-C", stdin=b"one\ntwo\r\n\r\n\n\rlast")
    assert wire.read_eof(sock) == b"one\r\ntwo\r\n\r\n\r\n\rlast"
    sock.sendall(b"as\nit\r\nis")
    sock.close()
    assert proc.ends(0) == b"as\nit\r\nis"


def test_crlf_across_reads(pair, tcp):
    """The CR was sent before its LF was read."""
    proc, sock = pair("connect", tcp, "-C")
    for part, want in ((b"a\r", b"a\r"), (b"\n", b"\n"), (b"\n", b"\r\n")):
        proc.send(part)
        assert wire.read(sock, len(want)) == want
    sock.close()
    proc.finish(0)


@BOTH
def test_binary_by_default(pair, tcp, role):
    every = bytes(range(256)) * 16
    proc, sock = pair(role, tcp, stdin=every)
    assert wire.read_eof(sock) == every
    sock.sendall(every)
    sock.close()
    assert proc.ends(0) == every


def test_nothing_is_sent_that_was_not_asked_for(pair, place):
    proc, sock = pair("connect", place)
    wire.half_close(sock)
    assert proc.read_eof() == b""
    proc.finish(0)
    assert wire.read_eof(sock) == b""


def test_gone_unix_peer_is_noticed(pair, tmp_path):
    """After the peer's EOF a peer that is gone altogether is noticed where the system can tell, though stdin stays open."""
    proc, sock = pair("connect", Place("unix", tmp_path))
    sock.sendall(b"bye")
    sock.close()
    assert proc.read_eof() == b"bye"
    proc.wait()
    assert proc.code in (0, 7)


def test_nodelay_of_single_bytes(pair, place):
    """Forty round trips of one byte: delayed acknowledgements against Nagle would show as seconds, and as a deadline missed."""
    proc, sock = pair("connect", place)
    if not place.unix:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(40):
        proc.send(b"a")
        assert wire.read(sock, 1) == b"a"
        sock.sendall(b"b")
        assert proc.read(1) == b"b"
    sock.close()
    proc.finish(0)
