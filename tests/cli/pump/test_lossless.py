"""Exit 0 means: every byte sent was acknowledged, and every byte received was written. Large transfers, both ways at once,
and peers that go away with the last bytes on the way."""
import os
import random
import subprocess

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
@pytest.mark.parametrize("taken", [0, 1, 90_000])
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
    half = len(data) // 2
    wire.same(proc.read(half), data[:half])
    task.result()
    wire.reset(sock)
    assert data[half:].startswith(proc.ends(7))


def test_echo_client_that_dies_hurts_no_other(sockctl, place):
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


@BOTH
def test_unread_stdout_does_not_delay_the_other_direction(pair, place, role):
    """Our stdout is full, and so is everything before it."""
    proc, sock = pair(role, place)
    stuck, data = wire.fill(sock), wire.payload(24 << 20)
    got = wire.Task(wire.read, sock, len(data))
    proc.send(data)
    wire.same(got.result(), data)
    wire.half_close(sock)
    wire.same(proc.finish(0), stuck)


@BOTH
def test_peer_that_does_not_read_holds_up_nothing_the_other_way(pair, place, role):
    proc, sock = pair(role, place)
    stuck, data = wire.fill(proc.stdin), wire.payload(24 << 20)
    sending = wire.sending(sock, data)
    wire.same(proc.read(len(data)), data)
    sending.result()
    proc.eof()
    wire.same(wire.read_eof(sock), stuck)
    proc.ends(0)


@pytest.mark.skipif(not os.environ.get("SOCKCTL_LONG"), reason="takes long: make check-long")
@pytest.mark.parametrize("through", ["file", "pipe"])
def test_4_gib_both_ways_at_once(sockctl, tcp, tmp_path, through):
    """More than 32 bits can count, between two that read and write at once; cmp compares while they do."""
    size, paths = (4 << 30) + 4321, [tmp_path / "there", tmp_path / "back"]
    for seed, path in enumerate(paths):
        with open(path, "wb") as file:  # noise among zeros, which take no room
            for at in range(0, size, 64 << 20):
                file.seek(at)
                file.write(wire.noise(1 << 20, seed=at + seed))
            file.truncate(size)
    sources = [os.open(path, os.O_RDONLY) if through == "file" else piped(sockctl, ["cat", path], 1)[1] for path in paths]
    checks = [piped(sockctl, ["cmp", "-", path], 0) for path in paths]
    server = sockctl.serve("listen", tcp, stdin=sources[1], stdout=checks[0][1])
    client = sockctl.connect(tcp, stdin=sources[0], stdout=checks[1][1])
    for fd in (*sources, *(fd for _, fd in checks)):
        os.close(fd)
    for proc in (client, server, *(proc for proc, _ in checks)):
        proc.ends(0)


def piped(sockctl, argv, its):
    """A program with its end number 0 or 1 in a pipe, and the other end of that pipe."""
    pipe = os.pipe()
    ends = {("stdin", "stdout")[end]: pipe[its] if end == its else subprocess.DEVNULL for end in (0, 1)}
    proc = sockctl.program(argv, **ends)
    os.close(pipe[its])
    return proc, pipe[1 - its]


def test_many_clients_at_once(sockctl, place):
    sockctl.serve("echo", place)
    clients = [(sockctl.connect(place, stdin=data), data) for data in (wire.payload(1 << 20, seed=n) for n in range(8))]
    for client, data in clients:
        wire.same(client.ends(0), data)
