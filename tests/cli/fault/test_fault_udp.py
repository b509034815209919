"""--fault on datagrams, seen from the other end: which of them are lost, doubled, cut and overtaken, and the same for the same
seed."""
import signal

import pytest

import wire
from faulty import events, told, words
from place import Place

LOOPS = pytest.mark.usefixtures("loop")


@pytest.fixture
def udp(tmp_path):
    return Place("udp4", tmp_path)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events"


@LOOPS
def test_picked_ones_are_lost(sockctl, dgram, log):
    proc = sockctl.serve("listen", dgram, "--replies", "4", *words(log, "loss=#2,#5:in"))
    sock = dgram.dial()
    for text in b"1", b"2", b"3", b"4", b"5", b"6":
        sock.send(text)
    assert proc.ends(0) == b"1346"
    assert told(log) == [(1, "loss", "in", 2, 1), (1, "loss", "in", 5, 1)]


@LOOPS
def test_what_is_sent_is_lost(sockctl, dgram, log):
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--send-only", "--frame", "line", *words(log, "loss=#1,#3:out"), stdin=b"a\nb\nc\nd\n")
    assert server.recv(100) == b"b"
    assert server.recv(100) == b"d"
    proc.ends(0)
    assert told(log) == [(1, "loss", "out", 1, 1), (1, "loss", "out", 3, 1)]


@LOOPS
def test_doubles(sockctl, dgram, log):
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--send-only", "--frame", "line", *words(log, "dup=#2:out"), stdin=b"a\nb\nc\n")
    assert [server.recv(100) for _ in range(4)] == [b"a", b"b", b"b", b"c"]
    proc.ends(0)
    assert told(log) == [(1, "dup", "out", 2, 1)]


@pytest.mark.whole("what one read of a stream gives is a datagram")
@LOOPS
def test_truncation(sockctl, dgram, log):
    server = dgram.listen()
    proc = sockctl.connect(dgram, *words(log, "truncate=3"), "--replies", "2", stdin=b"0123456789")
    data, peer = server.recvfrom(100)
    assert data == b"012"
    server.sendto(b"abcdef", peer)
    server.sendto(b"x", peer)
    assert proc.ends(0) == b"abcx"
    assert told(log) == [(1, "truncate", "out", 1, 3), (1, "truncate", "in", 1, 3)]


@LOOPS
def test_late_and_not_lost(sockctl, dgram, log):
    """An echo server on a slow line: everything comes back, in order."""
    proc = sockctl.serve("echo", dgram, *words(log, "latency=20ms~20ms"))
    sock = dgram.dial()
    numbers = [b"%d" % i for i in range(30)]
    for number in numbers:
        sock.send(number)
    assert [sock.recv(100) for _ in numbers] == numbers
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert told(log) == [(1, "latency", "in", 1, 20_000), (1, "latency", "out", 1, 20_000)]


def overtaken(sockctl, udp, log, loop, seed):
    """200 datagrams through a server that reorders what it sends: (the order in which they came, what was told)."""
    proc = sockctl.serve("echo", udp, "--loop", loop, *words(log, "reorder=10%/3:out", "loss=5%:in", seed=seed))
    sock = udp.dial()
    for i in range(200):
        sock.send(b"%d" % i)
    got = [int(sock.recv(100))]
    proc.signal(signal.SIGTERM)  # what has arrived is answered before it ends
    proc.ends(0)
    while not wire.silent(sock):
        got.append(int(sock.recv(100)))
    udp.port = 0
    return got, {way: told(log, way) for way in ("in", "out")}


def test_the_same_seed_is_the_same_disorder(sockctl, udp, log):
    got, faults = overtaken(sockctl, udp, log, "select", 7)
    lost = {off - 1 for _, _, _, off, _ in faults["in"]}
    sent = [i for i in range(200) if i not in lost]  # in this order they went into the fault
    late = {off - 1 for _, kind, _, off, value in faults["out"] if kind == "reorder" and value == 3}
    assert 0 < len(lost) < 30 and 5 < len(late) < 40
    assert sorted(got) == sent and got != sent
    prompt = [sent[i] for i in range(len(sent)) if i not in late]
    assert [n for n in got if n in prompt] == prompt  # no other is overtaken
    for i in late:
        if sent[i] != sent[-1] and i + 20 < len(sent):
            assert got.index(sent[i]) >= i
    for loop in ("select", "epoll"):
        assert overtaken(sockctl, udp, log, loop, 7) == (got, faults)
    assert overtaken(sockctl, udp, log, "select", 8)[0] != got


def test_a_share_is_lost(sockctl, udp, log):
    """Each peer is a connection of its own, with a fate of its own."""
    proc = sockctl.serve("echo", udp, *words(log, "loss=20%:in", seed=3))
    socks = [udp.dial() for _ in range(2)]
    back = [0, 0]
    for i in range(200):
        for sock in socks:
            sock.send(b"%d" % i)

    def all_have_come():
        for n, sock in enumerate(socks):
            while not wire.silent(sock):
                sock.recv(10)
                back[n] += 1
        return sum(back) + len(told(log)) == 400

    wire.until(all_have_come, "all have come or are lost")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    lost = [[off for c, _, _, off, _ in told(log) if c == conn] for conn in (1, 2)]
    assert lost[0] != lost[1]
    for numbers in lost:
        assert 15 < len(numbers) < 70


def test_an_echo_is_never_longer_than_what_it_got(sockctl, udp, log):
    """Not even with doubles: addresses of datagrams can be forged, and their host must not get more than was sent."""
    proc = sockctl.serve("echo", udp, *words(log, "dup=100%"))
    sock = udp.dial()
    for i in range(5):
        sock.send(b"abc")
        assert sock.recv(100) == b"abc"
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert wire.silent(sock)
