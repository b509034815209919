"""Many datagrams at once: every one comes back whole to its own sender, and what the system drops is counted."""
import json
import re
import signal
import socket
import sys

import pytest

import wire
from place import make_place

pytestmark = pytest.mark.usefixtures("loop")

counted = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what it drops")
SIZES = (1, 2, 0, 63, 64, 512, 1400, 1472, 1473, 3, 8192, 20000, 5, 65507, 0, 9)


@pytest.fixture(params=["udp4", "udp6"])
def udp(request, tmp_path):
    return make_place(request.param, tmp_path)


def stopped(proc):
    """Does nothing from now on; what is sent to it meets it as one batch."""
    proc.signal(signal.SIGSTOP)
    wire.until(lambda: open(f"/proc/{proc.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T", "stopped")


def lost(proc):
    """The sum of what it says, and the total of the last line that tells one."""
    text = proc.err.decode()
    counts = [int(n) for n in re.findall(r"(\d+) datagrams? lost", text)]
    total = re.findall(r"\((\d+) in all\)", text)
    return sum(counts), int(total[-1]) if total else sum(counts)


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "as they come"])
def test_echo_with_sixteen_clients(sockctl, udp, at_once):
    proc = sockctl.serve("echo", udp)
    clients = [udp.dial(rcvbuf=4 << 20) for _ in range(16)]
    want = [[wire.payload(size, seed=16 * number + size % 7) for size in SIZES] for number in range(16)]
    if at_once:
        stopped(proc)
    for place in range(len(SIZES)):
        for number, sock in enumerate(clients):
            if SIZES[place] < 20000 or not at_once or number == 0:  # the large ones of all would not fit into the buffer
                sock.send(want[number][place])
    if at_once:
        proc.signal(signal.SIGCONT)
    for number, sock in enumerate(clients):
        for place in range(len(SIZES)):
            if SIZES[place] < 20000 or not at_once or number == 0:
                wire.same(sock.recv(70000), want[number][place])
    assert all(wire.silent(sock) for sock in clients)


def test_lines_of_many_at_once(sockctl, udp):
    proc = sockctl.serve("serve", udp)
    clients = [udp.dial() for _ in range(16)]
    for number, sock in enumerate(clients):
        sock.send(b"%d begins\n" % number)
        assert proc.read_until() == b"[%d] %d begins\n" % (number + 1, number)
    stopped(proc)
    for line in range(5):
        for number, sock in enumerate(clients):
            sock.send(b"%d says %d\n" % (number, line))
    proc.signal(signal.SIGCONT)
    got = [proc.read_until() for _ in range(5 * 16)]
    for number in range(16):
        own = b"[%d] " % (number + 1)
        assert [g for g in got if g.startswith(own)] == [own + b"%d says %d\n" % (number, line) for line in range(5)]


@counted
def test_a_server_tells_what_the_system_drops(sockctl, udp):
    proc = sockctl.serve("serve", udp, "-o", "rcvbuf=1")
    sock = udp.dial()
    sock.send(b"begin\n")
    assert proc.read_until() == b"[1] begin\n"
    stopped(proc)
    for _ in range(500):
        sock.send(b"much\n")
    proc.signal(signal.SIGCONT)
    assert proc.read_until() == b"[1] much\n"
    proc.says(rb"lost")  # within a second, while it runs
    proc.signal(signal.SIGTERM)
    got = 1 + proc.ends(0).count(b"[1] much\n")
    assert lost(proc) == (500 - got, 500 - got)
    assert 0 < got < 500


@counted
def test_totals_for_machines(sockctl, udp):
    proc = sockctl.serve("echo", udp, "-o", "rcvbuf=1", "--json")
    sock = udp.dial()
    for times in (1, 2):
        stopped(proc)
        for _ in range(500):
            sock.send(b"much")
        proc.signal(signal.SIGCONT)
        proc.says(rb'(?s)("ev":"lost".*){%d}' % times)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    told = [event for event in map(json.loads, proc.err.decode().splitlines()) if event["ev"] == "lost"]
    assert len(told) >= 2
    assert all(event["what"] == "datagram" for event in told)
    assert [event["total"] for event in told] == [sum(e["count"] for e in told[: n + 1]) for n in range(len(told))]


@counted
def test_a_client_tells_what_the_system_drops(sockctl, udp):
    server = udp.listen()
    client = sockctl.connect(udp, "-o", "rcvbuf=1", "--reply-wait", "300ms")
    client.send(b"ask")
    _, peer = server.recvfrom(100)
    stopped(client)
    for _ in range(500):
        server.sendto(b"x", peer)
    client.signal(signal.SIGCONT)
    got = len(client.finish(0))
    assert 0 < got < 500
    assert lost(client) == (500 - got, 500 - got)


def roomy():
    """May this process have a large buffer? As root it is forced, else the system's limit decides."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for option in (33, socket.SO_RCVBUF):  # SO_RCVBUFFORCE
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
            except OSError:
                pass
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 4 << 20


BURST = 2500  # ten times what fits into the system's usual buffer
needs_room = pytest.mark.skipif(not roomy(), reason="the system allows no large buffer")


@needs_room
def test_a_burst_fits_into_the_buffer_of_a_server(sockctl, udp):
    proc = sockctl.serve("listen", udp, "--replies", f"{BURST + 1}", stdin=b"")
    sock = udp.dial()
    sock.send(b"x")
    assert proc.read(1) == b"x"
    stopped(proc)
    for _ in range(BURST):
        sock.send(b"y")
    proc.signal(signal.SIGCONT)
    assert proc.ends(0) == b"y" * BURST


@needs_room
def test_a_burst_fits_into_the_buffer_of_a_client(sockctl, udp):
    server = udp.listen()
    client = sockctl.connect(udp, "--replies", f"{BURST}")
    client.send(b"ask")
    _, peer = server.recvfrom(100)
    stopped(client)
    for _ in range(BURST):
        server.sendto(b"y", peer)
    client.signal(signal.SIGCONT)
    assert client.ends(0) == b"y" * BURST
