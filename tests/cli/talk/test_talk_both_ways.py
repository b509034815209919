"""--talk where both ends say much at once: a sender hears the peer all the same, up to a bound, and a peer's half-close, reset or
leaving is judged as if it had been met later."""

import signal

import pytest

import wire
from place import STREAMS, Place
from test_talk import script

MIB = 1 << 20
MANY = 16 if wire.LESS == 1 else 1


@pytest.fixture
def mib(tmp_path):
    """A file of a MiB, and its bytes."""
    data = wire.payload(MIB)
    (tmp_path / "mib").write_bytes(data)
    return f'@"{tmp_path}/mib"', data


def total(data):
    return MANY * len(data)


def count(role):
    return ["--count", 1] if role == "serve" else []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("role", ["listen", "serve"])
def test_two_scripts_that_speak_first(sockctl, tmp_path, mib, role, kind):
    place, (file, data) = Place(kind, tmp_path), mib
    server = sockctl.serve(role, place, *script("frame raw", "timeout 1h", f"send {MANY}*{file}", f"expect {total(data)} bytes"),
                           *count(role))
    client = sockctl.connect(place, *script("frame raw", "timeout 1h", f"send {MANY}*{file}", f"expect {MANY}*{file}"))
    client.ends(0)
    server.ends(0)


@pytest.mark.parametrize("frame", ["u32be", "netstring", "raw"])
@pytest.mark.parametrize("kind", STREAMS)
def test_all_that_the_steps_expect_is_heard(sockctl, tmp_path, mib, kind, frame):
    place, (file, _) = Place(kind, tmp_path), mib
    lines = script(f"frame {frame}", "timeout 1h", *[f"send {file}"] * MANY, *[f"expect {file}"] * MANY)
    server = sockctl.serve("listen", place, *lines)
    sockctl.connect(place, *lines).ends(0)
    server.ends(0)


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("role", ["connect", "listen", "serve"])
@pytest.mark.parametrize("steps", ["expect *{}", "skip {}", "ignore", ""])
def test_a_peer_that_first_says_all(sockctl, pair, tmp_path, mib, kind, role, steps):
    """It hears nothing before it has said its own."""
    place, (file, data) = Place(kind, tmp_path), mib
    proc, sock = pair(role, place, *script("frame raw", "timeout 1h", f"send {MANY}*{file} {steps.format(chr(34) + 'END' + chr(34))}"),
                      *count(role))
    for _ in range(MANY):
        sock.sendall(data)
    sock.sendall(b"END")
    wire.half_close(sock)
    wire.same(wire.read_eof(sock), MANY * data)
    proc.ends(0)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("role", ["connect", "listen", "serve"])
def test_an_end_is_met_in_its_turn(sockctl, pair, tmp_path, mib, kind, role):
    """The same verdict as where everything is sent before the peer says a word."""
    place, (file, data) = Place(kind, tmp_path), mib
    proc, sock = pair(role, place, *script("frame raw", f'send {MANY}*{file} expect "hola" expect "que"'), *count(role))
    sock.sendall(b"hola")
    wire.half_close(sock)
    wire.same(wire.read_any(sock), MANY * data)
    proc.ends(8)
    assert proc.complaint().endswith(' 1: --talk:2: expected "que", got the end of the data')


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("role", ["connect", "listen", "serve"])
def test_a_reset_is_a_failure(sockctl, pair, tcp, mib, role):
    file, _ = mib
    proc, sock = pair(role, tcp, *script("frame raw", f'send 64*{file} expect "hola"'), *count(role))
    sock.sendall(b"hola")
    assert wire.read(sock, 10)
    wire.reset(sock)
    proc.ends(8)
    assert ': --talk:2: in the middle of "send", and the connection ended (' in proc.complaint()


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.usefixtures("loop")
def test_there_is_a_bound(sockctl, tcp, mib):
    """Of a peer that floods a server and never hears its answer only so much is taken, and the others notice nothing."""
    file, data = mib
    server = sockctl.serve("serve", tcp, *script(f"on any sendraw 64*{file}"))
    flood = tcp.dial()
    flood.sendall(b"go\n")
    assert len(wire.fill(flood)) >= MIB
    sock = tcp.dial()
    sock.sendall(b"go\n")
    wire.half_close(sock)
    wire.same(wire.read_eof(sock), 64 * data)
    wire.close(sock)
    wire.close(flood)
    server.signal(signal.SIGTERM)
    server.ends(8)
    assert ': --talk:1: in the middle of "sendraw", and the connection ended (' in server.complaint()
