"""serve --forward --wait T: a client waits so long for its target; then, as without it, it is reset."""
import contextlib
import json
import signal

import pytest

import wire
from test_forward import is_reset, made  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("loop")
KINDS = ["tcp4", "tcp6", "unix"]


@pytest.fixture
def closed(made):  # noqa: F811
    """A target that does not listen yet, and what makes it listen."""

    def make(kind):
        target = made(kind)
        if target.unix:
            return target, target.listen
        sock = target.bind()

        def listen():
            sock.listen()
            return sock

        return target, listen

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["serve", "listen"])
def test_it_waits(sockctl, made, closed, mode, kind):  # noqa: F811
    target, listen = closed(kind)
    place = made("tcp4")
    proc = sockctl.serve(mode, place, "--forward", *target.words(), "--wait", "1h", "-v", *(["--drain", "1h"] if mode == "serve" else []))
    client = place.dial()
    client.sendall(b"hola")
    wire.half_close(client)
    proc.says(rb"\[1\] [^\n]*next try")
    there = wire.accept(listen())
    assert wire.read_eof(there) == b"hola"
    there.sendall(b"que tal")
    wire.half_close(there)
    assert wire.read_eof(client) == b"que tal"
    if mode == "serve":
        proc.signal(signal.SIGTERM)
    proc.ends(0)


def test_each_client_waits_for_itself(sockctl, made, closed):  # noqa: F811
    target, listen = closed("tcp4")
    place = made("unix")
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "--wait", "1h", "-v")
    clients = [place.dial() for _ in range(3)]
    for number in range(1, 4):
        proc.says(rb"\[%d\] [^\n]*next try" % number)
    listener = listen()
    for client in clients:
        client.sendall(b"x")
    pairs = [wire.accept(listener) for _ in clients]
    for there in pairs:
        assert there.recv(1) == b"x"
        there.sendall(b"y")
    assert [client.recv(1) for client in clients] == 3 * [b"y"]


def test_a_client_of_the_run_itself(sockctl, made, closed):  # noqa: F811
    target, listen = closed("tcp4")
    place = made("tcp4")
    entry = place.listen()
    proc = sockctl.connect(place, "--forward", *target.words(), "--wait", "1h", "-v")
    peer = wire.accept(entry)
    proc.says(rb"next try")
    there = wire.accept(listen())
    peer.sendall(b"hola")
    wire.half_close(peer)
    assert wire.read_eof(there) == b"hola"
    there.close()
    assert wire.read_eof(peer) == b""
    proc.ends(0)


def test_datagrams_wait_too(sockctl, made, closed):  # noqa: F811
    target, listen = closed("tcp4")
    place = made("udp4")
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "--wait", "1h", "-v")
    client = place.dial()
    client.send(b"uno")
    proc.says(rb"\[1\] [^\n]*next try")
    client.send(b"dos")
    there = wire.accept(listen())
    assert wire.read(there, 6) == b"unodos"


def test_a_time_that_is_over(sockctl, made, closed, tmp_path):  # noqa: F811
    target, _ = closed("tcp4")
    place = made("tcp4")
    log = tmp_path / "log"
    proc = sockctl.serve("listen", place, "--forward", *target.words(), "--wait", "100ms", "--events", log)
    client = place.dial()
    proc.wait()
    assert is_reset(client, b"x") and proc.code == 4
    assert proc.complaint().startswith(f"sockctl: connect {target.shown()}: Connection refused (")
    tries = [event for event in map(json.loads, log.read_text().splitlines()) if event["ev"] == "retry"]
    assert tries and {event["conn"] for event in tries} == {1}


def test_a_client_that_leaves_is_not_waited_for(sockctl, made, closed):  # noqa: F811
    target, _ = closed("tcp4")
    place = made("tcp4")
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "--wait", "1h", "-v")
    client = place.dial()
    proc.says(rb"\[1\] [^\n]*next try")
    wire.reset(client)
    proc.says(rb"\[1\] [^\n]*closed by error")


def test_what_would_not_help_ends_at_once(sockctl, made):  # noqa: F811
    place = made("tcp4")
    proc = sockctl.serve("listen", place, "--forward", "unix:/dev/null/x", "--wait", "1h")
    with contextlib.suppress(ConnectionError):  # it is reset as soon as it is there
        place.dial()
    assert proc.wait() == 4


@pytest.mark.parametrize("mode", ["serve", "listen"])
def test_without_a_target_it_is_refused(sockctl, mode):
    proc = sockctl.run(mode, "--wait", "1s", "0")
    assert proc.code == 2 and proc.complaint() == "sockctl: --wait requires --forward: nothing is dialed"
