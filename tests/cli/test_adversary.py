"""One client can hurt only itself: every behaviour of the adversary against every server, and then a client who behaves."""
import adversary
import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")


def misbehave(behaviour, sock):
    sock.settimeout(1)  # the adversary's own patience
    try:
        adversary.BEHAVIOURS[behaviour](sock)
    except (OSError, ValueError):  # the server may hang up on it at any moment
        pass


@pytest.mark.whole("a flood takes too long byte by byte")
@pytest.mark.parametrize("behaviour", adversary.BEHAVIOURS)
@pytest.mark.parametrize("mode", ["echo", "chat", "serve"])
def test_others_notice_nothing(sockctl, place, mode, behaviour):
    proc = sockctl.serve(mode, place)
    misbehave(behaviour, place.dial(raw=behaviour == "flood"))
    two, one = place.dial(), place.dial()
    if mode == "serve":
        one.sendall(b"a good word\n")
        assert proc.read_until(b" a good word\n")
    elif mode == "chat":
        wire.read_until(two)  # it is in, and will hear what is said from now on
        one.sendall(b"a good word\n")
        assert wire.read_until(two, b"> a good word\n")
    else:
        one.sendall(b"a good word\n")
        assert wire.read(one, 12) == b"a good word\n"
    assert proc.alive()


@pytest.mark.parametrize("behaviour", adversary.BEHAVIOURS)
@pytest.mark.parametrize("role", ["connect", "listen"])
def test_one_connection_survives_or_says_why(pair, place, role, behaviour):
    """Against connect and listen it may at worst end the run: with a class and a line, never with silence or a signal."""
    proc, sock = pair(role, place, stdin=b"an answer\n")
    task = wire.Task(proc.wait)  # reads all that comes
    misbehave(behaviour, sock)
    wire.close(sock)
    # a reset may come before we have seen the connection at all: then connecting has failed
    assert task.result() in ((0, 4, 7) if role == "connect" else (0, 7))
    assert len(proc.lines()) == (proc.code != 0)
