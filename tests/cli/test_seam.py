"""Whole runs on a system that misbehaves: reads and writes of one byte, EINTR and EAGAIN where they may come.

Needs the seam build (`make seam`), named in SOCKCTL_SEAM_BIN; the check runner does that.
"""
import os
import signal

import pytest

import wire
from faulty import told, words
from place import Place

SEAM = os.environ.get("SOCKCTL_SEAM_BIN", "")

pytestmark = [pytest.mark.skipif(not os.access(SEAM, os.X_OK), reason="no seam build"), pytest.mark.usefixtures("loop")]

FAULTS = ["short=1", "short=7", "eintr", "again", "eintr,again", "short=1,eintr,again"]
SIZE = 120_000


@pytest.fixture(params=FAULTS)
def faulty(request, sockctl):
    """The fixture with every sockctl the seam build, under this fault."""
    sockctl.binary = os.path.abspath(SEAM)
    start = sockctl.start

    def start_faulty(*words, env=None, **how):
        return start(*words, env={"SOCKCTL_SEAM": request.param, **(env or {})}, **how)

    sockctl.start = start_faulty
    return sockctl


def size_for(place):
    """A record goes through ten times as many hands, a byte at a time."""
    return SIZE // 8 if place.tls else SIZE


def test_through_echo(faulty, place):
    data = wire.payload(size_for(place))
    faulty.serve("echo", place)
    wire.same(faulty.connect(place, stdin=data).ends(0), data)


def test_between_listen_and_connect(faulty, place):
    there, back = wire.payload(size_for(place), seed=2), wire.payload(size_for(place) + 777, seed=3)
    server = faulty.serve("listen", place, stdin=back)
    client = faulty.connect(place, stdin=there)
    got = wire.Task(server.ends)
    wire.same(client.ends(0), back)
    wire.same(got.result(), there)


def test_between_files(faulty, tcp, tmp_path):
    (tmp_path / "in").write_bytes(wire.payload(SIZE))
    faulty.serve("echo", tcp)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
        client = faulty.connect(tcp, stdin=source, stdout=sink)
    client.ends(0)
    wire.same((tmp_path / "out").read_bytes(), wire.payload(SIZE))


def test_asked_faults_are_the_same(faulty, tcp, tmp_path):
    """What --fault does is a matter of the seed, and not of how few bytes a call moves: this digest is of a run without trouble."""
    log = tmp_path / "events"
    faults = words(log, "corrupt=1/100", "chunk=1..500", "latency=1ms~1ms", "sink-after=30000:in", seed=42)
    server = faulty.serve("echo", tcp, *faults)
    got = faulty.connect(tcp, stdin=wire.payload(SIZE)).ends(0)
    server.signal(signal.SIGTERM)
    server.ends(0)
    assert len(got) == 30_000
    assert wire.sha(got) == "2584705135fc85d5158ea4b62a20be48bd8dc250b9f3532a42e9f99807862a29"
    assert len(told(log, "in")) == 303 and len(told(log, "out")) == 302


def test_datagrams(faulty, dgram):
    faulty.serve("echo", dgram)
    sock = dgram.dial()
    for size in (1, 0, 100, 8000):
        sock.send(wire.payload(size))
        assert sock.recv(70000) == wire.payload(size)


def test_datagram_client(faulty, dgram):
    server = dgram.listen()
    client = faulty.connect(dgram, "--replies", "2", stdin=b"x")
    data, peer = server.recvfrom(100)
    assert data == b"x"
    server.sendto(b"one", peer)
    server.sendto(b"two", peer)
    assert client.ends(0) == b"onetwo"


def test_chat(faulty, place):
    faulty.serve("chat", place)
    one, two = place.dial(), place.dial()
    one.sendall(b"/nick ana\n")
    wire.read_until(two, b"ana")
    one.sendall(b"hello\n" + b"x" * 3000 + b"\n")
    wire.read_until(two, b"<ana> hello\n<ana> " + b"x" * 3000 + b"\n")


def test_console(faulty, place):
    proc = faulty.serve("serve", place)
    sock = place.dial()
    sock.sendall(b"hello\n")
    assert proc.read_until() == b"[1] hello\n"
    proc.send(b"hi\n")
    assert wire.read(sock, 3) == b"hi\n"
    proc.signal(signal.SIGTERM)
    wire.close(sock)
    proc.ends(0)


@pytest.mark.parametrize("fault, code", [
    ("accept:1:EMFILE", 0), ("accept:1:ECONNABORTED", 0), ("accept:1:EPERM", 0), ("accept:1:ENOBUFS", 0), ("accept:1:ENOMEM", 0),
])
def test_a_server_never_exits_for_a_failed_accept(sockctl, tcp, fault, code):
    sockctl.binary = os.path.abspath(SEAM)
    proc = sockctl.serve("echo", tcp, env={"SOCKCTL_SEAM": fault})
    first, second = tcp.dial(), tcp.dial()
    second.sendall(b"x")
    assert wire.read(second, 1) == b"x"
    wire.close(first)
    wire.close(second)
    proc.signal(signal.SIGTERM)
    proc.ends(code)


@pytest.mark.parametrize("fault", ["memory:1+:ENOMEM", "socket:1:EMFILE", "connect:1:ENETUNREACH", "write:1+:EIO", "read:1+:EIO",
                                   "setsockopt:1+:EPERM", "open:1+:EACCES"])
def test_a_failing_system_is_told_in_one_line(sockctl, tmp_path, fault):
    """Never a crash, a hang, or an exit 0 with bytes lost."""
    place = Place("tcp4", tmp_path)
    sockctl.serve("echo", place)
    sockctl.binary = os.path.abspath(SEAM)
    proc = sockctl.connect(place, stdin=b"through?", env={"SOCKCTL_SEAM": fault})
    code = proc.wait()
    if code == 0:
        assert bytes(proc.buf) == b"through?"
        assert proc.lines() == []
    else:
        assert 0 < code < 128
        assert len(proc.lines()) == 1
