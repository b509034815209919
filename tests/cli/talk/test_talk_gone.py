"""--talk whose peer has gone while the script says and reads nothing: each such conversation ends by itself, without more traffic."""
import os
import signal
import subprocess
import sys

import pytest

import relay
import wire
from place import STREAMS, Place
from test_talk import script

MODES = [("serve", ["--count", 1]), ("listen", [])]
LEAVER = """
import os, socket, sys, time
family, at = (socket.AF_UNIX, sys.argv[2]) if sys.argv[1] == "unix" else (socket.AF_INET, ("127.0.0.1", int(sys.argv[2])))
s = socket.socket(family)
s.connect(at)
s.sendall(sys.argv[3].encode())
os.write(1, b"c")
os.read(0, 1)
"""


def leaver(place, says):
    """A client in a process of its own, for it is to be killed. Returns it when it has connected and said its words."""
    argv = [sys.executable, "-c", LEAVER, "unix" if place.unix else "tcp", place.path or str(place.port), says]
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def end():
        client.kill()
        client.wait()
        client.stdin.close()
        client.stdout.close()

    wire.at_end(end)
    assert os.read(client.stdout.fileno(), 1) == b"c"
    return client


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("says", [b"", b"unread\n"])
@pytest.mark.parametrize(("mode", "more"), MODES)
def test_a_close_ends_hang(sockctl, tmp_path, mode, more, says, kind):
    """Behind TLS the relay keeps its connection until we have said goodbye: with bytes unread, ours has not ended."""
    place = Place(kind, tmp_path)
    says = b"" if place.tls else says
    server = sockctl.serve(mode, place, *script("hang"), *more)
    sock = place.dial()
    sock.sendall(says)
    place.settle()
    assert wire.silent(sock)
    wire.close(sock)
    server.ends(0)
    assert server.lines() == []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
@pytest.mark.parametrize("says", ["", "unread\n"])
@pytest.mark.parametrize(("mode", "more"), MODES)
def test_a_kill_ends_hang(sockctl, tmp_path, mode, more, says, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve(mode, place, *script("hang"), *more)
    client = leaver(place, says)
    client.send_signal(signal.SIGKILL)
    server.ends(0)
    assert server.lines() == []


@pytest.mark.skipif("tls" not in STREAMS, reason="needs TLS")
@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("says", [b"", b"unread\n", b"unread\n" * 5000])
@pytest.mark.parametrize(("mode", "more"), MODES)
def test_a_tls_peer_that_is_gone_ends_hang(sockctl, tmp_path, mode, more, says):
    """Its connection ends without a goodbye."""
    place = Place("tls", tmp_path)
    server = sockctl.serve(mode, place, *script("hang"), *more)
    tls = relay.client_context().wrap_socket(wire.give(place.dial(raw=True)), server_hostname="127.0.0.1")
    tls.sendall(says)
    tls.close()
    server.ends(0)
    assert server.lines() == []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
def test_hang_ends_when_its_client_does(sockctl, tmp_path, kind):
    """The script is a client's here."""
    place = Place(kind, tmp_path)
    listener = place.listen()
    client = sockctl.connect(place, *script('send "hola" hang'))
    sock = wire.accept(listener)
    assert wire.read_until(sock) == b"hola\n"
    wire.close(sock)
    client.ends(0)
    assert client.lines() == []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
def test_what_was_said_before_hang_arrives(sockctl, tmp_path, kind):
    """The peer has half-closed, and reads late."""
    place = Place(kind, tmp_path)
    server = sockctl.serve("listen", place, *script('sendraw 300000*"ab" hang'))
    sock = place.dial()
    wire.half_close(sock)
    wire.same(wire.read_eof(sock), b"ab" * 300000)
    server.ends(0)
    assert server.lines() == []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
def test_hang_after_the_end_was_told(sockctl, tmp_path, kind):
    """`on eof hang`: a half-closed peer is left waiting, and one that has gone altogether is noticed."""
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, *script('on eof log "ended" hang', 'on any send "$0"'), "--count", 2, "-v")
    sock, other = place.dial(), place.dial()
    wire.half_close(sock)
    server.says(rb"ended")
    other.sendall(b"turn\n")  # the server goes on meanwhile
    assert wire.read_until(other) == b"turn\n"
    wire.reset(other)
    assert wire.silent(sock)
    wire.close(sock) if place.unix else wire.reset(sock)
    server.ends(0)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
def test_a_reset_ends_a_wait(sockctl, tmp_path, kind):
    """What came before it is judged as if that time had passed."""
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, *script('wait 1h expect "a" expect "b"'), "--count", 2)
    for says in (b"a\nb\n", b"a\n"):
        sock = place.dial()
        sock.sendall(says)
        wire.close(sock) if place.unix else wire.reset(sock)
    server.ends(8)
    assert 'expected "b"' in server.complaint()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
def test_a_missed_must_is_told_when_hang_ends(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, *script('must "a" close', 'on any hang'), "--count", 1)
    sock = place.dial()
    sock.sendall(b"b\n")
    wire.close(sock)
    server.ends(8)
    assert server.complaint().endswith('--talk:1: must "a": it never came')
