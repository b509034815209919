"""A client whose stdin can say nothing (cron, ssh -n, CI: the null device, a closed descriptor, an empty file) holds its half-close
back until the peer has finished. An empty pipe is a deliberate end, and is passed on."""
import os

import pytest

import wire
from proc import NULL

pytestmark = pytest.mark.usefixtures("loop")

MUCH = wire.payload(1 << 20)
AUTO = ["--half-close", "auto"]  # also over TLS, where our peers here understand a half-close


@pytest.fixture(params=["null", "closed", "empty", "read"])
def mute(request, tmp_path):
    """How stdin is opened."""
    if request.param == "null":
        return dict(stdin=NULL)
    if request.param == "closed":
        return dict(stdin=None, closed=[0])
    (tmp_path / "in").write_bytes(b"" if request.param == "empty" else b"read by another program")
    fd = os.open(tmp_path / "in", os.O_RDONLY)
    wire.at_end(lambda: os.close(fd))
    os.lseek(fd, 0, os.SEEK_END)
    return dict(stdin=fd)


@pytest.mark.parametrize("more", [[], ["-C"], ["--end", "both"]], ids=lambda words: "".join(words) or "plain")
def test_a_client_without_stdin_waits_for_the_peer(pair, place, mute, more):
    proc, sock = pair("connect", place, *AUTO, *more, **mute)
    for word in (b"one", b"two", b"three"):
        sock.sendall(word)
        assert proc.read(len(word)) == word
        assert wire.silent(sock)
    wire.sending(sock, MUCH)
    wire.same(proc.ends(0), MUCH)
    assert wire.read_eof(sock) == b""


def test_and_half_closes_at_once_when_told_to(pair, place, mute):
    proc, sock = pair("connect", place, "--half-close", "yes", **mute)
    assert wire.read_eof(sock) == b""
    sock.sendall(b"still heard")
    wire.close(sock)
    assert proc.ends(0) == b"still heard"


def test_a_file_that_has_bytes_ends_at_once(pair, place, tmp_path):
    (tmp_path / "in").write_bytes(b"all I say")
    with open(tmp_path / "in", "rb") as file:
        proc, sock = pair("connect", place, stdin=file)
    assert wire.read_eof(sock) == b"all I say"
    sock.sendall(b"x")
    wire.close(sock)
    assert proc.ends(0) == b"x"


def test_and_so_does_one_that_only_seems_empty(pair, tcp):
    """Files of /proc have no size, and bytes all the same."""
    with open("/proc/version", "rb") as file:
        proc, sock = pair("connect", tcp, stdin=file)
    with open("/proc/version", "rb") as file:
        assert wire.read_eof(sock) == file.read()
    wire.close(sock)
    assert proc.ends(0) == b""


def test_the_next_connection_waits_too(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--wait", "10s", "--source", "127.0.0.1", stdin=NULL)
    sock = wire.accept(listener)
    assert wire.silent(sock)
    wire.sending(sock, b"hola")
    assert proc.ends(0) == b"hola"


def test_datagrams_end_as_before(sockctl, dgram):
    """There is no half-close to hold back."""
    dgram.listen()
    assert sockctl.connect(dgram, "--reply-wait", "1ms", stdin=NULL).ends(0) == b""


@pytest.mark.parametrize("peer, words", [("nc.openbsd", ["-N", "-l", "127.0.0.1", "0"]), ("ncat", ["-l", "127.0.0.1", "{port}"]),
                                         ("socat", ["-t", "0.1", "STDIN!!STDOUT", "TCP-LISTEN:{port},bind=127.0.0.1"])],
                         ids=["nc", "ncat", "socat"])
def test_a_whole_download_comes(sockctl, tmp_path, tcp, need, mute, peer, words):
    """Senders that see our half-close hang up."""
    program = need(peer)
    data = tmp_path / "data"
    data.write_bytes(MUCH)
    if "{port}" in " ".join(words):  # a port that was free a moment ago: these cannot say which one they took
        listener = tcp.listen()
        wire.close(listener)
    with open(data, "rb") as file:
        server = sockctl.program([program, *[w.format(port=tcp.port) for w in words]], stdin=file)
    proc = sockctl.start("connect", "--wait", "10s", "127.0.0.1", server.listens_at(), **mute)
    wire.same(proc.ends(0), MUCH)
    server.wait()


def test_send_only_needs_no_waiting(pair, place, mute):
    """No answer is wanted, so there is none to lose."""
    proc, sock = pair("connect", place, *AUTO, "--send-only", **mute)
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    assert proc.ends(0) == b""
