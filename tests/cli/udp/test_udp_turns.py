"""listen -k over datagrams: each later sender has its turn, as with nc -luk, and what it sent until then is kept."""
import contextlib
import os
import signal

import pytest

import wire
from place import Place

pytestmark = pytest.mark.usefixtures("loop")


@pytest.fixture
def udp(tmp_path):
    return Place("udp4", tmp_path)


def said(number):
    return b"<%d>" % number


def test_each_sender_in_turn(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "-k", stdin=None)
    socks = [dgram.dial() for _ in range(5)]
    for n in range(20):  # each of them comes back
        socks[n * 7 % 5].send(said(n))
        assert proc.read(len(said(n))) == said(n)


def test_senders_that_come_at_once(sockctl, dgram):
    """Nothing is lost, and what one sender sent keeps its order."""
    proc = sockctl.serve("listen", dgram, "-k", stdin=None)
    socks = [dgram.dial() for _ in range(8)]
    sent = {n: [b"%d.%d;" % (n, k) for k in range(9)] for n in range(8)}
    for k in range(9):
        for n, sock in enumerate(socks):
            sock.send(sent[n][k])
    got = proc.read(sum(len(d) for all in sent.values() for d in all)).split(b";")[:-1]
    for n, all in sent.items():
        assert [d + b";" for d in got if d.startswith(b"%d." % n)] == all


def test_behind_a_reader_that_waits(sockctl, dgram):
    """A full stdout: what the present sender sent goes out before the next has its turn."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    proc = sockctl.serve("listen", dgram, "-k", stdin=None, stdout=writes)
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += os.write(writes, b"x" * 4096)
    os.close(writes)
    first, second = dgram.dial(), dgram.dial()
    for n in range(10):
        first.send(b"A%d;" % n)
    second.send(b"B;")
    got = b""
    while len(got) < filled + 32:
        got += os.read(reads, 1 << 20)
    assert got[filled:] == b"".join(b"A%d;" % n for n in range(10)) + b"B;"
    proc.signal(signal.SIGTERM)
    proc.wait()
    os.close(reads)


def test_stdin_goes_to_the_first(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "-k")
    first, second = dgram.dial(), dgram.dial()
    first.send(b"one")
    assert proc.read(3) == b"one"
    proc.send(b"to the first")
    assert first.recv(100) == b"to the first"
    second.send(b"two")
    assert proc.read(3) == b"two"
    proc.send(b"kept")
    second.send(b"and three")
    assert proc.read(9) == b"and three"
    assert wire.silent(second) and wire.silent(first)


def test_keep_stdin_gives_it_to_the_present_one(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "-k", "--keep-stdin")
    for n in range(4):
        sock = dgram.dial()
        sock.send(said(n))
        assert proc.read(3) == said(n)
        proc.send(b"answer %d" % n)
        assert sock.recv(100) == b"answer %d" % n


def test_a_program_is_waited_for(sockctl, dgram):
    """One for each, and none is cut by the next sender."""
    proc = sockctl.serve("listen", dgram, "-k", "-e", "dd bs=100 count=1 2>&-", stdin=None)
    socks = [dgram.dial() for _ in range(6)]
    for n, sock in enumerate(socks):
        sock.send(said(n))
    for n, sock in enumerate(socks):
        assert sock.recv(100) == said(n)
    assert proc.alive()


def test_no_more_than_sixteen_wait(sockctl, udp):
    """-v tells which were refused."""
    proc = sockctl.serve("listen", udp, "-k", "-v", "--discard", stdin=None)
    for n in range(20):
        udp.dial().send(said(n))
    proc.says(rb"full")
    assert proc.alive()


@pytest.mark.parametrize("peer", ["nc.openbsd", "ncat"])
def test_real_senders(sockctl, udp, need, peer):
    proc = sockctl.serve("listen", udp, "-k", stdin=None)
    words = [need(peer), "-u", *(["-w", "1"] if peer == "nc.openbsd" else ["--send-only"])]
    for n in range(3):
        sockctl.program([*words, udp.host, udp.port], stdin=said(n))
        assert proc.read(3) == said(n)


def test_the_time_for_the_next_begins_anew(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "-k", "--accept-timeout", "300ms", "-i", "200ms", stdin=None)
    for n in range(2):
        sock = dgram.dial()
        sock.send(said(n))
    assert proc.ends(5) == said(0) + said(1)
    assert "no client has come within" in proc.complaint()
