"""The clocks of a server: silence and duration are a client's, the lifetime is the process's."""
import signal

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

MANY = pytest.mark.parametrize("mode", ["serve", "echo", "chat"])


@MANY
def test_the_silent_is_closed(sockctl, place, mode):
    proc = sockctl.serve(mode, place, "-i", "200ms", "-v")
    sock = place.dial()
    place.read_cut(sock)
    wire.close(sock)
    proc.says(rb"closed by idle")
    wire.close(place.dial())
    proc.signal(signal.SIGTERM)
    proc.ends(0)


def test_the_talkative_is_not(sockctl, place):
    """A byte starts the clock again; a client that answers at once stays, the silent one beside it goes."""
    sockctl.serve("echo", place, "-i", "2s")
    silent, busy = place.dial(), place.dial()
    while wire.silent(silent):
        busy.sendall(b"x")
        assert wire.read(busy, 1) == b"x"
    assert place.read_cut(silent) == b""
    busy.sendall(b"still in")
    assert wire.read(busy, 8) == b"still in"


def test_max_time_ends_a_busy_session(sockctl, place):
    proc = sockctl.serve("echo", place, "--max-time", "300ms", "-v")
    sock = place.dial()
    try:
        while True:
            sock.sendall(b"x")
            if not sock.recv(1):
                break
    except ConnectionError:
        pass
    wire.close(sock)
    proc.says(rb"closed by max[_ -]time")
    proc.signal(signal.SIGTERM)
    proc.ends(0)


@MANY
def test_lifetime(sockctl, place, mode):
    proc = sockctl.serve(mode, place, "--lifetime", "300ms")
    sock = place.dial()
    wire.Task(wire.read_eof, sock).result()
    wire.close(sock)
    proc.ends(5)
    assert proc.complaint()
    assert wire.refused(place.dial)


@MANY
def test_lifetime_without_clients(sockctl, place, mode):
    proc = sockctl.serve(mode, place, "--lifetime", "200ms")
    proc.ends(5)
    assert proc.complaint()


def test_by_default_a_tcp_client_may_stay(sockctl, place):
    """No clock is armed for a silent client: the server sleeps without a timeout of seconds."""
    proc = sockctl.serve("echo", place)
    sock = place.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    sockctl.run("listen", "127.0.0.1", "0", "--lifetime", "1500ms")
    assert wire.silent(sock)
    assert proc.alive()
