"""listen --accept-timeout: a run to which no client comes ends with 5; a client that has come may stay."""
import os

import pytest

import certs
import wire
from place import PLAIN, Place
from program import has_tls

pytestmark = pytest.mark.usefixtures("loop")

SOON = ["--accept-timeout", "300ms"]


@pytest.mark.parametrize("more", [[], ["-k"], ["-e", "cat"], ["--discard"], ["--talk", "send \"x\""]],
                         ids=lambda words: words[0] if words else "plain")
def test_no_client_comes(sockctl, place, more):
    proc = sockctl.serve("listen", place, *SOON, *more)
    assert proc.ends(5) == b""
    assert proc.complaint().endswith(": no client has come within 300ms (--accept-timeout)"), proc
    assert proc.complaint().startswith("sockctl: listen " + ("unix:" if place.unix else place.host if place.host != "::1" else "[::1]"))
    if place.unix:
        assert not os.path.exists(place.path)


def test_no_datagram_comes(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, *SOON)
    assert proc.ends(5) == b""
    assert "no client has come within" in proc.complaint()


@pytest.fixture(params=[kind for kind in PLAIN if kind != "tcp6"])
def came(request, tmp_path):
    """A listening socket to hand over, and its place: who dials now has come in time, however busy the machine is."""
    there = Place(request.param, tmp_path)
    return there, there.listen()


def given(listener):
    return dict(pass_fds=(listener.fileno(),)), [f"fd:{listener.fileno()}"]


def test_a_client_may_stay(sockctl, came):
    """Longer than the time in which one was to come: an idle timeout that begins later ends it."""
    place, listener = came
    sock = place.dial()
    sock.sendall(b"here")
    how, words = given(listener)
    proc = sockctl.serve("listen", words, "--accept-timeout", "1ms", "-i", "300ms", **how)
    assert proc.read(4) == b"here"
    assert proc.ends(5) == b""
    assert "no client" not in proc.complaint() and "idle" in proc.complaint(), proc


def test_with_k_the_time_begins_anew(sockctl, came):
    place, listener = came
    socks = [place.dial() for _ in range(2)]
    how, words = given(listener)
    proc = sockctl.serve("listen", words, "-k", "--accept-timeout", "300ms", stdin=b"", **how)
    for sock, word in zip(socks, (b"one", b"two")):
        sock.sendall(word)
        wire.half_close(sock)
        assert proc.read(3) == word
        assert wire.read_eof(sock) == b""
    assert proc.ends(5) == b""
    assert "no client has come within 300ms" in proc.complaint()


@pytest.mark.skipif(not has_tls(), reason="built without TLS")
def test_a_silent_handshake_is_no_client(sockctl, came):
    place, listener = came
    sock = place.dial()
    how, words = given(listener)
    keys = ["--tls", "--cert", certs.good().pem, "--key", certs.good().key]
    proc = sockctl.serve("listen", words, *keys, *SOON, **how)
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
