"""listen --accept-timeout: a run to which nobody comes ends with 5; a client that has come may stay."""
import os

import pytest

import wire
from place import Place
from program import has_tls

pytestmark = pytest.mark.usefixtures("loop")

SOON = ["--accept-timeout", "300ms"]


@pytest.mark.parametrize("more", [[], ["-k"], ["-e", "cat"], ["--discard"], ["--talk", "send \"x\""]],
                         ids=lambda words: words[0] if words else "plain")
def test_nobody_comes(sockctl, place, more):
    proc = sockctl.serve("listen", place, *SOON, *more)
    assert proc.ends(5) == b""
    assert proc.complaint().endswith(": no client has come within 300ms (--accept-timeout)"), proc
    assert proc.complaint().startswith("sockctl: listen " + ("unix:" if place.unix else place.host if place.host != "::1" else "[::1]"))
    if place.unix:
        assert not os.path.exists(place.path)


def test_nobody_sends(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, *SOON)
    assert proc.ends(5) == b""
    assert "no client has come within" in proc.complaint()


def test_a_client_may_stay(sockctl, place):
    """Longer than the time in which one was to come: an idle timeout that begins later ends it."""
    proc = sockctl.serve("listen", place, "--accept-timeout", "2s", "-i", "2500ms", stdin=None)
    sock = place.dial()
    sock.sendall(b"here")
    assert proc.read(4) == b"here"
    assert proc.ends(5) == b""
    assert "idle" in proc.complaint() or "silent" in proc.complaint() or "--idle" in proc.complaint(), proc


def test_with_k_the_time_begins_anew(sockctl, place):
    proc = sockctl.serve("listen", place, "-k", "--accept-timeout", "2s", stdin=b"")
    for word in (b"one", b"two"):
        sock = place.dial()
        sock.sendall(word)
        wire.half_close(sock)
        assert proc.read(3) == word
        assert wire.read_eof(sock) == b""
        wire.close(sock)
    assert proc.ends(5) == b""
    assert "no client has come within 2" in proc.complaint()


@pytest.mark.skipif(not has_tls(), reason="built without TLS")
def test_a_silent_handshake_is_no_client(sockctl, tmp_path):
    place = Place("tls", tmp_path)
    proc = sockctl.serve("listen", place, "--accept-timeout", "1s")
    sock = place.dial(raw=True)
    assert proc.ends(5) == b""
    assert "no client has come within" in proc.complaint()
    assert wire.closed_without_a_byte(sock)


def test_its_command_is_ended(sockctl, tcp):
    proc = sockctl.serve("listen", tcp, *SOON, "--run", "exec sleep 1h")
    assert proc.ends(5) == b""
    assert "no client has come within" in proc.complaint()


def test_refused_elsewhere(sockctl):
    proc = sockctl.run("serve", "--accept-timeout", "1s", "0")
    assert proc.code == 2
    assert "--accept-timeout" in proc.complaint()
