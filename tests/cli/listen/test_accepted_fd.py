"""A connection that another program has accepted: inetd's nowait and systemd's Accept=yes start a server for each."""
import os
import socket

import pytest

import wire
from conftest import BINARY, make_place
from proc import NULL, PIPE

KINDS = pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix"])
DATA = wire.payload(1 << 20, seed=5)


@pytest.fixture
def handed(sockctl):
    """handed(place, words, std=(0, 1, 2)): a client's socket, and the program to which these descriptors are its server's end."""

    def make(place, words, std=(0, 1, 2), before=lambda sock: None, **how):
        listener = place.listen()
        client = place.dial()
        before(client)
        sock, _ = listener.accept()
        listener.close()
        names = ("stdin", "stdout", "stderr")
        given = {names[n]: sock if n in std else NULL if n == 0 else PIPE for n in range(3)}
        proc = sockctl.program([BINARY, *words], **{**given, **how})
        sock.close()
        return client, proc

    return make


@KINDS
@pytest.mark.parametrize("words", [["echo"], ["echo", "-v"], ["echo", "--loop", "select"], ["serve", "-v", "-e", "cat"],
                                   ["serve", "--exec-socket", "-e", "cat"], ["listen", "-v", "-e", "cat"], ["serve", "-e", "cat", "--strict"],
                                   ["listen", "-k", "-e", "cat"]], ids=" ".join)
def test_inetd(handed, tmp_path, kind, words):
    """stdin, stdout and stderr are the connection: not a byte of ours gets into it, and its end is seen."""
    client, proc = handed(make_place(kind, tmp_path), [*words, "fd:0"])
    back = wire.Task(lambda: wire.read_eof(client))
    client.sendall(DATA)
    wire.half_close(client)
    wire.same(back.result(), DATA)
    assert proc.wait() == 0


def test_a_client_that_spoke_first(handed, tcp):
    """And has half-closed before the program was there."""

    def speak(sock):
        sock.sendall(b"hola\n")
        wire.half_close(sock)

    client, proc = handed(tcp, ["echo", "fd:0"], before=speak)
    assert wire.read_eof(client) == b"hola\n"
    assert proc.wait() == 0


@pytest.mark.parametrize("mode, shown", [("serve", b"[1] hola\n"), ("listen", b"hola\n")])
def test_stdin_has_nothing_to_say(handed, tcp, mode, shown):
    """It is the connection, which is not read twice."""
    client, proc = handed(tcp, [mode, "fd:0", "-v"], std=(0,))
    client.sendall(b"hola\n")
    wire.half_close(client)
    assert wire.read_eof(client) == b""
    assert proc.ends(0) == shown
    assert b"listening" not in proc.err


@pytest.mark.parametrize("mode", ["serve", "listen"])
def test_stdout_is_the_connection(handed, tcp, mode):
    client, proc = handed(tcp, [mode, "fd:0"], std=(0, 1))
    assert wire.read_any(client) == b""
    assert proc.wait() == 2
    assert proc.complaint() == (f"sockctl: listen fd:0: standard output is the connection itself; use a service such as --exec or "
                                "--forward")


@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_a_denied_client(handed, tcp, mode):
    client, proc = handed(tcp, [mode, "fd:0", "--deny", "127.0.0.1"], std=(0,))
    assert wire.read_any(client) == b""
    proc.ends(0)


def test_listen_without_its_client(handed, tcp):
    client, proc = handed(tcp, ["listen", "fd:0", "--deny", "127.0.0.1"], std=(0,))
    assert wire.read_any(client) == b""
    assert proc.ends(1) == b""
    assert proc.complaint() == "sockctl: listen fd:0: the connection was turned away"


@pytest.mark.parametrize("mode, code", [("echo", 0), ("listen", 6)])
def test_a_client_without_tls(handed, tcp, mode, code):
    client, proc = handed(tcp, [mode, "--tls", "fd:0"], std=(0,))
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    wire.read_any(client)
    assert proc.ends(code) == b""


@pytest.mark.parametrize("mode", ["echo", "listen", "serve"])
def test_neither_listening_nor_connected(sockctl, mode):
    with socket.socket() as sock:
        proc = sockctl.program([BINARY, mode, "fd:0"], stdin=sock)
    assert proc.ends(2) == b""
    assert "descriptor 0 is a socket that does not listen, and has no peer" in proc.complaint()


def test_a_pair(sockctl):
    ours, theirs = socket.socketpair()
    proc = sockctl.program([BINARY, "echo", "fd:0"], stdin=theirs, stdout=theirs)
    theirs.close()
    ours.sendall(b"hola\n")
    wire.half_close(ours)
    assert wire.read_eof(ours) == b"hola\n"
    assert proc.wait() == 0


def test_a_signal_lets_the_client_finish(handed, tcp):
    client, proc = handed(tcp, ["serve", "fd:0", "--drain", "1h", "-v"], std=(0,))
    client.sendall(b"uno\n")
    assert proc.read_until() == b"[1] uno\n"
    proc.signal(15)
    proc.says(b"SIGTERM")
    client.sendall(b"dos\n")
    wire.half_close(client)
    assert proc.ends(0) == b"[1] dos\n"


def alone(proc):
    """The servers that a program has started have ended, each with its client."""
    wire.until(lambda: not open(f"/proc/{proc.pid}/task/{proc.pid}/children").read().split(), "the servers have ended")


@KINDS
@pytest.mark.parametrize("options, word", [(["--inetd"], "fd:0"), ([], "systemd"), ([], "fd:3")])
def test_systemd_accept(sockctl, need, tmp_path, kind, options, word):
    """One program for each client, as Accept=yes and StandardInput=socket do it."""
    activate, place = need("systemd-socket-activate"), make_place(kind, tmp_path)
    if not place.unix:
        place.bind().close()
    at = place.path if place.unix else place.shown()
    proc = sockctl.program([activate, "--accept", *options, "-l", at, BINARY, "echo", word], stdin=NULL)
    proc.says(rb"Listening on")
    if place.unix:
        wire.keep_file(place.path)
    for _ in range(3):
        sock = place.dial()
        sock.sendall(b"hola\n")
        wire.half_close(sock)
        assert wire.read_eof(sock) == b"hola\n"
        alone(proc)


def test_socat_as_inetd(sockctl, need, tcp):
    """With the socket on both descriptors, and socat's own words on stderr."""
    proc = sockctl.program([need("socat"), "TCP4-LISTEN:0,bind=127.0.0.1,fork", f"EXEC:{os.fspath(BINARY)} serve fd\\:0 -e cat,nofork"],
                           stdin=NULL)
    tcp.port = proc.listens_at()
    for _ in range(3):
        sock = tcp.dial()
        sock.sendall(b"hola\n")
        wire.half_close(sock)
        assert wire.read_eof(sock) == b"hola\n"
        alone(proc)
