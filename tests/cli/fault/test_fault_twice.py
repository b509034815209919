"""The same fault given twice: both hold. And a latency is only late: what is on its way is kept, not kept waiting."""
import signal
import time

import pytest

import wire
from faulty import events, told, words

LOOPS = pytest.mark.usefixtures("loop")
pytestmark = pytest.mark.no_tls("faults lie under TLS: offsets are those of the ciphertext, and some fall into the handshake")
MUCH = 24 << 20  # more than the system's buffers of a connection hold


def ended(proc):
    proc.signal(signal.SIGTERM)
    proc.ends(0)


@pytest.mark.whole("it takes too long byte by byte")
@LOOPS
def test_all_that_comes_is_on_its_way(sockctl, place):
    """Not a byte has passed, and the sender has got rid of all of them."""
    proc = sockctl.serve("serve", place, "--discard", "--fault", "latency=1h:in", "--drain", "0")
    sock = place.dial()
    wire.sending(sock, wire.payload(1 << 20) * (MUCH >> 20)).result()
    assert wire.silent(sock)
    proc.signal(signal.SIGTERM)
    proc.wait()


@pytest.mark.whole("it takes too long byte by byte")
def test_all_that_is_sent_is_on_its_way(sockctl, tcp):
    """A program's output is taken although nothing of it may pass for an hour."""
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--fault", "latency=1h:out")
    sock = wire.accept(listener)
    proc.send(wire.payload(1 << 20) * (MUCH >> 20))
    assert wire.silent(sock)
    proc.signal(signal.SIGTERM)
    proc.wait()


@LOOPS
def test_delays_before_the_first_byte_add(sockctl, place, log):
    proc = sockctl.serve("echo", place, *words(log, "accept-delay=60ms", "accept-delay=40ms"))
    sock = place.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    wire.close(sock)
    ended(proc)
    assert told(log) == [(1, "accept-delay", None, None, 60_000), (1, "accept-delay", None, None, 40_000)]
    fault, opened = events(log, "fault")[0], events(log, "open")[0]
    assert opened["us"] - fault["us"] >= 99_000


@LOOPS
@pytest.mark.parametrize("times", [("300ms", "1ms"), ("1ms", "300ms")])
def test_a_socket_refuses_for_the_longest(sockctl, place, times):
    before = time.monotonic()
    server = sockctl.serve("listen", place, *(word for each in times for word in ("--fault", f"refuse-for={each}")), stdin=b"at last")
    proc = sockctl.connect(place, "--wait", "1h", stdin=b"")
    assert proc.ends(0) == b"at last"
    server.ends(0)
    assert time.monotonic() - before >= 0.3


@LOOPS
def test_latencies_add(sockctl, place, log):
    proc = sockctl.serve("echo", place, *words(log, "latency=60ms:in", "latency=40ms:in", "latency=30ms"))
    sock = place.dial()
    before = time.monotonic()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    assert time.monotonic() - before >= 0.16
    wire.close(sock)
    ended(proc)
    assert told(log, "in") == [(1, "latency", "in", 0, us) for us in (60_000, 40_000, 30_000)]
    assert told(log, "out") == [(1, "latency", "out", 0, 30_000)]


def test_what_one_changes_the_other_does_not_undo(sockctl, place):
    data = wire.payload(5000)
    proc = sockctl.serve("echo", place, "--fault", "corrupt=1/10:in", "--fault", "corrupt=1/10:in", "--fault", "corrupt-at=7:out",
                         "--fault", "corrupt-at=7:out", "--seed", "3")
    sock = place.dial()
    sender = wire.sending(sock, data)
    got = wire.read_eof(sock)
    sender.result()
    ended(proc)
    changed = [i for i in range(5000) if got[i] != data[i]]
    assert 7 in changed and 800 < len(changed) <= 1001


def test_the_first_cut_comes(sockctl, place, log):
    proc = sockctl.serve("listen", place, *words(log, "half-after=9:out", "half-after=4:out", "half-after=1h"), stdin=b"0123456789")
    sock = place.dial()
    assert wire.read_eof(sock) == b"0123"
    wire.close(sock)
    proc.ends(0)
    assert told(log)[0] == (1, "half-after", "out", 4, 4)


def test_shares_of_connections_are_combined(sockctl, tcp, log):
    """Three quarters of 60, not half."""
    proc = sockctl.serve("echo", tcp, *words(log, "rst-after=1:in,prob=50%", "rst-after=1:in,prob=50%", seed=1))
    for _ in range(60):
        sock = tcp.dial()
        sock.sendall(b"x")
        try:
            assert wire.read(sock, 1) == b"x"
        except ConnectionResetError:
            pass
        wire.close(sock)
    ended(proc)
    assert 38 <= len({e["conn"] for e in events(log, "fault")}) <= 52


def test_a_step_that_is_taken_again(sockctl, place):
    """A latency is asked for by each message and holds once; a place is another one each time."""
    proc = sockctl.serve("serve", place, "--talk", 'on any fault latency=1ms fault rate=1G fault corrupt-at=1:out send "abc"')
    sock = place.dial()
    for _ in range(1500):
        sock.sendall(b"x\n")
        got = wire.read(sock, 4)
        assert got[:1] + got[2:] == b"ac\n" and got[1:2] != b"b"
    wire.close(sock)
    ended(proc)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events"
