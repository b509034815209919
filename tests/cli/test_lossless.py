"""Exit 0 means: every byte sent was acknowledged, and every byte received was written. Large transfers, both ways at once,
and peers that go away with the last bytes on the way."""
import random

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

SIZE = 64 << 20
BOTH = pytest.mark.parametrize("role", ["connect", "listen"])


def test_64_mib_through_echo(sockctl, place):
    """Both ways at once through one server; it would stall if either side stopped reading while it writes."""
    sockctl.serve("echo", place)
    client = sockctl.connect(place, stdin=wire.payload(SIZE))
    wire.same(client.ends(0), wire.payload(SIZE))
    assert client.lines() == []


def test_64_mib_between_files(sockctl, place, tmp_path):
    (tmp_path / "in").write_bytes(wire.payload(SIZE))
    sockctl.serve("echo", place)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
        client = sockctl.connect(place, stdin=source, stdout=sink)
    client.ends(0)
    wire.same((tmp_path / "out").read_bytes(), wire.payload(SIZE))


def test_both_ways_between_listen_and_connect(sockctl, place):
    there, back = wire.payload(SIZE // 4, seed=2), wire.payload(SIZE // 4 + 12345, seed=3)
    server = sockctl.serve("listen", place, stdin=back)
    client = sockctl.connect(place, stdin=there)
    got = wire.Task(server.ends)
    wire.same(client.ends(0), back)
    wire.same(got.result(), there)


@BOTH
def test_slow_reader_gets_all(pair, place, role):
    """A peer that takes a little at a time, with pauses in which everything is stuck."""
    data = wire.payload(3 << 20)
    proc, sock = pair(role, place, rcvbuf=8192)
    wire.half_close(sock)
    dice = random.Random(4)
    proc.feed += data
    proc.eof()
    feeding = wire.Task(proc.ends, 0)
    got = bytearray()
    while part := sock.recv(dice.choice([1, 100, 5000, 200000])):
        got += part
    wire.same(got, data)
    assert feeding.result() == b""


@BOTH
@pytest.mark.parametrize("taken", [0, 1, 100_000])
@pytest.mark.parametrize("how", [wire.close, wire.reset])
def test_peer_half_closes_stops_reading_and_dies(pair, tcp, role, taken, how):
    """Its FIN came first, so nothing but the acknowledgement count can tell that our last bytes were lost."""
    proc, sock = pair(role, tcp, rcvbuf=8192)
    wire.half_close(sock)
    assert proc.read_eof() == b""
    proc.send(wire.payload(200_000))
    proc.eof()
    wire.read(sock, taken)
    how(sock)
    proc.ends(7)
    assert proc.complaint()


@BOTH
def test_peer_dies_while_bytes_come(pair, tcp, role):
    """What was received before the reset is written, and the exit is never 0."""
    proc, sock = pair(role, tcp)
    data = wire.payload(1 << 20)
    task = wire.Task(sock.sendall, data)
    wire.same(proc.read(1 << 19), data[: 1 << 19])
    task.result()
    wire.reset(sock)
    assert data[1 << 19 :].startswith(proc.ends(7))


def test_echo_client_that_dies_hurts_nobody(sockctl, place):
    server = sockctl.serve("echo", place)
    dying = place.dial(rcvbuf=8192)
    wire.fill(dying)
    client = sockctl.connect(place, stdin=wire.payload(1 << 20))
    wire.close(dying)
    wire.same(client.ends(0), wire.payload(1 << 20))
    assert server.alive()


@BOTH
def test_stdout_that_stops_and_goes_on(pair, place, role):
    """The sink takes nothing for a while: the peer is held back, nothing is lost."""
    proc, sock = pair(role, place, stdin=b"")
    stuck = wire.fill(sock)
    wire.half_close(sock)
    wire.same(proc.ends(0), stuck)


def test_many_clients_at_once(sockctl, place):
    sockctl.serve("echo", place)
    clients = [(sockctl.connect(place, stdin=data), data) for data in (wire.payload(1 << 20, seed=n) for n in range(8))]
    for client, data in clients:
        wire.same(client.ends(0), data)
