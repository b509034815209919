"""--fault on streams, seen from the other end: where it was asked for, byte for byte, and the same again for the same seed."""
import signal

import pytest

import wire
from faulty import closed, events, told, words
from place import Place

DATA = wire.payload(200_000)
LOOPS = pytest.mark.usefixtures("loop")
pytestmark = pytest.mark.no_tls("faults lie under TLS: offsets are those of the ciphertext, and some fall into the handshake")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


def read_reset(sock):
    """All that comes before a reset."""
    got = bytearray()
    try:
        while part := sock.recv(1 << 20):
            got += part
    except ConnectionResetError:
        return bytes(got)
    raise AssertionError(f"end of data after {len(got)} bytes, no reset")


# ends


@pytest.mark.whole("it takes too long byte by byte")
@LOOPS
@pytest.mark.parametrize("size", [1, 1000, 65536, 150_000])
def test_reset_behind_so_many_bytes_sent(sockctl, tcp, log, size):
    """They are sent when the client is surely connected: a reset while connect() returns would take them away again."""
    proc = sockctl.serve("listen", tcp, *words(log, f"rst-after={size}:out", seed=1))
    got = wire.Task(read_reset, tcp.dial())
    proc.feed += DATA
    proc.finish(7)
    wire.same(got.result(), DATA[:size])
    assert told(log) == [(1, "rst-after", "out", size, size)]
    close = closed(log)
    assert (close["by"], close["how"], close["truncated"], close["out"]) == ("fault", "rst", True, size)


@pytest.mark.whole("it takes too long byte by byte")
def test_a_reset_waits_for_what_went_before_it(sockctl, tcp, log, data):
    """The peer has a small buffer and begins to read when the last byte was sent: it gets them all."""
    with open(data, "rb") as source:
        proc = sockctl.serve("listen", tcp, *words(log, "rst-after=150000:out"), stdin=source)
    sock = tcp.dial(rcvbuf=4096)
    wire.until(lambda: told(log), "the last byte is sent")
    got = wire.Task(read_reset, sock)
    proc.ends(7)
    wire.same(got.result(), DATA[:150_000])


@LOOPS
def test_reset_at_once(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, *words(log, "rst-after=0"))
    try:
        assert read_reset(tcp.dial()) == b""
    except ConnectionResetError:
        pass  # connect() itself met it
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert told(log) == [(1, "rst-after", "in", 0, 0)]


@pytest.mark.whole("it takes too long byte by byte")
@LOOPS
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_reset_behind_so_many_bytes_received(sockctl, tcp, log, size):
    proc = sockctl.serve("serve", tcp, "--discard", *words(log, f"rst-after={size}:in"))
    sock = tcp.dial()
    try:
        sock.sendall(DATA)
    except ConnectionError:
        pass
    else:
        assert read_reset(sock) == b""
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert told(log) == [(1, "rst-after", "in", size, size)]
    assert closed(log)["in"] == size


@LOOPS
def test_close_behind_so_many_bytes_is_polite(sockctl, place, log, data):
    """What the peer still sends is read, so nothing turns the end into a reset."""
    proc = sockctl.serve("serve", place, "--file", data, *words(log, "close-after=12345:out"))
    sock = place.dial()
    wire.same(wire.read(sock, 12345), DATA[:12345])
    sock.sendall(wire.payload(10_000))
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    close = closed(log)
    assert (close["by"], close["how"], close["out"]) == ("fault", "fin", 12345)


def test_reset_after_a_time(sockctl, tcp, log):
    """A session that waits for something else is cut, too."""
    proc = sockctl.serve("serve", tcp, "--discard", *words(log, "rst-after=50ms"))
    assert read_reset(tcp.dial()) == b""
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert [e["kind"] for e in events(log, "fault")] == ["rst-after"]
    assert told(log)[0][4] == 50_000


@LOOPS
def test_half_of_what_is_sent(sockctl, place, log):
    """The peer sees an end; what it sends comes in all the same."""
    proc = sockctl.serve("listen", place, *words(log, "half-after=5:out"), stdin=b"0123456789")
    sock = place.dial()
    assert wire.read_eof(sock) == b"01234"
    sock.sendall(b"still heard")
    wire.close(sock)
    assert proc.ends(0) == b"still heard"
    assert told(log) == [(1, "half-after", "out", 5, 5)]


@LOOPS
def test_half_of_what_is_received(sockctl, place):
    """Our end sees an end; what we send goes out all the same."""
    proc = sockctl.serve("listen", place, "--fault", "half-after=5:in")
    sock = place.dial()
    sock.sendall(b"0123456789")
    assert proc.read_eof() == b"01234"
    proc.send(b"still said")
    proc.eof()
    assert wire.read_eof(sock) == b"still said"
    wire.close(sock)
    proc.ends(0)


@LOOPS
def test_sink(sockctl, place, log):
    proc = sockctl.serve("echo", place, *words(log, "sink-after=1000:in"))
    sock = place.dial()
    sender = wire.sending(sock, DATA)
    wire.same(wire.read_eof(sock), DATA[:1000])
    sender.result()
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert told(log) == [(1, "sink-after", "in", 1000, 1000)]
    assert closed(log)["in"] == 1000


@LOOPS
def test_stall_then_timeout(sockctl, place, log):
    """Nothing comes after the fifth byte, no end either, until the idle timeout ends it; the failure names the seed."""
    proc = sockctl.serve("listen", place, "--idle-timeout", "1", *words(log, "stall-after=5:out", seed=77), stdin=b"0123456789")
    sock = place.dial()
    assert wire.read(sock, 5) == b"01234"
    assert wire.closed_without_a_byte(sock)
    proc.ends(5)
    assert proc.complaint().endswith("(--seed 77)")
    assert told(log) == [(1, "stall-after", "out", 5, 5)]


def test_slow_close(sockctl, place, log):
    proc = sockctl.serve("listen", place, *words(log, "slow-close=100ms"), stdin=b"bye")
    sock = place.dial()
    assert wire.read_eof(sock) == b"bye"
    wire.close(sock)
    proc.ends(0)
    assert told(log) == [(1, "slow-close", None, None, 100_000)]
    order = [e["ev"] for e in events(log)]
    assert order.index("fault") < order.index("sent") < order.index("close")


def test_a_client_says_which_fault_and_which_seed(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--fault", "rst-after=4:out", "--seed", "4294967295", stdin=b"0123456789")
    sock = wire.accept(listener)
    assert read_reset(sock) == b"0123"
    proc.ends(7)
    assert proc.complaint() == f"sockctl: the fault rst-after reset the connection with {tcp.shown()} (--seed 4294967295)"


@pytest.mark.whole("it takes too long byte by byte")
def test_strict_takes_it_for_a_failure(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "--strict", "--fault", "rst-after=3", "--seed", "5")
    sock = tcp.dial()
    sock.sendall(b"0123456789")
    assert read_reset(sock) in (b"", b"012")
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert proc.complaint().endswith("(--seed 5)")


# changes


@LOOPS
def test_corrupt_at(sockctl, place, log):
    proc = sockctl.serve("listen", place, *words(log, "corrupt-at=17:out", "corrupt-at=3:in", seed=9), stdin=DATA[:1000])
    sock = place.dial()
    sock.sendall(DATA[:100])
    wire.half_close(sock)
    sent, got = wire.read_eof(sock), proc.ends(0)
    assert [i for i in range(1000) if sent[i] != DATA[i]] == [17]
    assert [i for i in range(100) if got[i] != DATA[i]] == [3]
    assert sorted(told(log)) == [(1, "corrupt-at", "in", 3, got[3] ^ DATA[3]), (1, "corrupt-at", "out", 17, sent[17] ^ DATA[17])]


@pytest.mark.whole("it takes too long byte by byte")
@LOOPS
def test_one_byte_in_a_thousand(sockctl, tcp, log, data):
    proc = sockctl.serve("serve", tcp, "--file", data, *words(log, "corrupt=1/1000:out"))
    sock = tcp.dial()
    wire.half_close(sock)
    got = wire.read_eof(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    changed = [i for i, (a, b) in enumerate(zip(got, DATA)) if a != b]
    assert len(got) == len(DATA) and [i // 1000 for i in changed] == list(range(200))
    assert told(log) == [(1, "corrupt", "out", i, got[i] ^ DATA[i]) for i in changed]


# shapes: nothing is lost


@LOOPS
@pytest.mark.parametrize("role", ["connect", "listen", "echo"])
def test_shapes_lose_nothing(sockctl, pair, place, log, role):
    shapes = ("latency=15ms~10ms", "rate=20M", "chunk=1..20000", "gap=1ms")
    proc, sock = pair(role, place, *words(log, *shapes))
    if role == "echo":
        sender = wire.sending(sock, DATA)
        wire.same(wire.read_eof(sock), DATA)
        sender.result()
        proc.signal(signal.SIGTERM)
        proc.ends(0)
    else:
        sender = wire.sending(sock, DATA)
        proc.feed += DATA[::-1]
        proc.eof()
        got = wire.Task(wire.read_eof, sock)
        wire.same(proc.ends(0), DATA)
        wire.same(got.result(), DATA[::-1])
        sender.result()
    for way in ("in", "out"):
        assert told(log, way) == [(1, "latency", way, 0, 15_000), (1, "rate", way, 0, 20 << 20), (1, "chunk", way, 0, 1),
                                  (1, "gap", way, 0, 1000)]


@pytest.mark.whole("it takes too long byte by byte")
def test_chunks_are_what_one_read_gives(sockctl, tcp):
    """The one service where what a read returns decides: each chunk is a message."""
    sockctl.serve("chat", tcp, "--wire", "vbnet", "--fault", "chunk=4:in")
    sock = tcp.dial()
    wire.read_until(sock, b"U.[ID] - 1\r\n")
    sock.sendall(b"abcdefghij")
    for part in (b"abcd", b"efgh", b"ij"):
        assert wire.read_until(sock, part).endswith(b"DICE :" + part)


def test_lines_in_crumbs(sockctl, place):
    proc = sockctl.serve("serve", place, "--fault", "chunk=1..3:in")
    sock = place.dial()
    sock.sendall(b"first line\nsecond line\n")
    assert proc.read_until() == b"[1] first line\n"
    assert proc.read_until() == b"[1] second line\n"


def test_a_small_receive_buffer(sockctl, tcp, log, need):
    """Linux doubles what it was asked for, for its own books."""
    proc = sockctl.serve("echo", tcp, *words(log, "rcvbuf=4k"))
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    shown = sockctl.program([need("ss"), "-tmn", "sport", "=", f":{tcp.port}"], stdin=b"").ends(0)
    assert b"rb8192," in shown
    wire.close(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert told(log) == [(1, "rcvbuf", None, None, 4096)]


# TLS: the faults fall on what is encrypted


def tls_server(sockctl, tcp, *more):
    proc = sockctl.serve("echo", tcp, "--tls", "-v", *more)
    return proc, proc.says(rb"pin (sha256//\S+)").group(1).decode()


@pytest.mark.tls
def test_a_handshake_over_a_slow_line(sockctl, tcp):
    """Both ends hold back what they write: the end that waits for the answer must send the question."""
    slow = ("--fault", "latency=20ms", "--fault", "chunk=1..500")
    _, pin = tls_server(sockctl, tcp, *slow)
    proc = sockctl.connect(tcp, "--tls", "--pin", pin, *slow, stdin=DATA)
    wire.same(proc.ends(0), DATA)


@pytest.mark.tls
@pytest.mark.whole("where each byte is a record it may be the length that is changed, and then more is waited for")
def test_a_changed_byte_is_noticed(sockctl, tcp):
    server, pin = tls_server(sockctl, tcp)
    proc = sockctl.connect(tcp, "--tls", "--pin", pin, "--fault", "corrupt-at=5000:in", stdin=DATA)
    proc.wait()
    assert proc.code in (6, 7)
    assert "--seed" in proc.complaint()


@pytest.mark.tls
def test_a_cut_under_tls(sockctl, tcp):
    _, pin = tls_server(sockctl, tcp, "--fault", "close-after=20000:out")
    proc = sockctl.connect(tcp, "--tls", "--pin", pin, stdin=DATA)
    got = proc.ends(7)
    assert DATA.startswith(got) and len(got) < 20000


# the sessions it concerns


def test_only_these_connections(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, *words(log, "rst-after=1:in,conn=2,4-5,7-"))
    for number in range(1, 9):
        sock = tcp.dial()
        sock.sendall(b"x")
        if number in (1, 3, 6):
            assert wire.read(sock, 1) == b"x"
        else:
            assert read_reset(sock) == b""
        wire.close(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert [e["conn"] for e in events(log, "fault")] == [2, 4, 5, 7, 8]


def struck(sockctl, tcp, log, seed):
    """Which of 40 connections a fault with prob=50% falls on."""
    proc = sockctl.serve("echo", tcp, *words(log, "rst-after=1:in,prob=50%", seed=seed))
    for _ in range(40):
        sock = tcp.dial()
        sock.sendall(b"x")
        try:
            assert wire.read(sock, 1) == b"x"
        except ConnectionResetError:
            pass
        wire.close(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    tcp.port = 0
    return [e["conn"] for e in events(log, "fault")]


def test_a_share_of_connections(sockctl, tcp, log):
    first = struck(sockctl, tcp, log, 1)
    assert 8 <= len(first) <= 32
    assert struck(sockctl, tcp, log, 1) == first
    assert struck(sockctl, tcp, log, 2) != first


# the same seed


def session(sockctl, tcp, log, loop, seed, sizes):
    """One conversation with an echo server that misbehaves, in writes of these sizes: (its faults, what came back)."""
    faults = ("corrupt=1/100", "latency=2ms~2ms", "chunk=1..5000:in", "sink-after=30000:in")
    proc = sockctl.serve("echo", tcp, "--loop", loop, *words(log, *faults, seed=seed))
    sock = tcp.dial()

    def send():
        at = 0
        while at < 40_000:
            size = sizes[at % len(sizes)]
            sock.sendall(DATA[at:at + size])
            at += size
        wire.half_close(sock)

    task = wire.Task(send)
    got = wire.read_eof(sock)
    task.result()
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    tcp.port = 0
    start, = events(log, "start")
    return {way: told(log, way) for way in ("in", "out")}, got, start["seed"]


def test_the_same_seed_is_the_same_run(sockctl, tcp, log):
    faults, got, seed = session(sockctl, tcp, log, "select", 42, [40_000])
    assert seed == 42 and len(faults["in"]) > 300 and len(faults["out"]) > 300 and len(got) == 30_000
    for loop in ("select", "epoll"):
        for sizes in ([1000, 7, 333], [40_000], [5000]):
            again = session(sockctl, tcp, log, loop, 42, sizes)
            assert again[0] == faults
            wire.same(again[1], got)
    assert session(sockctl, tcp, log, "select", 43, [40_000])[1] != got


def test_the_seed_that_was_drawn_repeats_it(sockctl, tcp, log):
    faults, got, seed = session(sockctl, tcp, log, "select", None, [40_000])
    again = session(sockctl, tcp, log, "epoll", seed, [1000])
    assert again == (faults, got, seed)
    assert session(sockctl, tcp, log, "select", None, [40_000])[2] != seed


# another program's traffic


@LOOPS
def test_between_two_others(sockctl, tcp, tmp_path, log):
    """A forwarder with faults is a proxy that misbehaves towards its clients."""
    other = Place("tcp4", tmp_path)
    listener = other.listen()
    proc = sockctl.serve("serve", tcp, "--forward", f"127.0.0.1:{other.port}", *words(log, "corrupt-at=2:in", "half-after=4:out"))
    client = tcp.dial()
    server = wire.accept(listener)
    client.sendall(b"question")
    got = wire.read(server, 8)
    assert got[:2] + got[3:] == b"qustion" and got[2:3] != b"e"
    server.sendall(b"answer")
    assert wire.read_eof(client) == b"answ"
    wire.close(client)
    assert wire.read_eof(server) == b""
    wire.close(server)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert [fault[1:4] for fault in told(log)] == [("corrupt-at", "in", 2), ("half-after", "out", 4)]


# bad words


@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
def test_unknown_names_list_all(sockctl, mode):
    proc = sockctl.run(mode, "--fault", "rst-aftr=5", "127.0.0.1:1")
    assert proc.code == 2
    line = proc.complaint()
    assert 'got "rst-aftr", expected one of refuse-for, ' in line and "rst-after" in line and line.endswith("truncate")


@pytest.mark.parametrize("argv, says", [
    (["connect", "--fault", "accept-rst", "127.0.0.1:1"], "a client accepts no connections; possible are latency, rate"),
    (["connect", "-u", "--fault", "rst-after=1", "127.0.0.1:1"], "datagrams have no such fault; possible are latency, loss"),
    (["serve", "--fault", "loss=5%", "127.0.0.1:0"], "streams have no such fault; possible are refuse-for"),
    (["echo", "-u", "--fault", "backlog-full", "127.0.0.1:0"], "datagrams are not accepted; possible are latency, loss"),
    (["connect", "--probe", "--fault", "rate=1", "127.0.0.1:1"], "--probe and --fault cannot be used together"),
    (["echo", "--seed", "4294967296", "0"], "--seed: got"),
    (["echo", "--seed", "-1", "0"], "--seed: got"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else None)
def test_where_a_fault_cannot_be(sockctl, argv, says):
    proc = sockctl.run(*argv)
    assert proc.code == 2
    assert says in proc.complaint()


def test_help_and_manual_know_it(sockctl):
    for mode in ("connect", "listen", "serve", "echo", "chat"):
        assert b"--fault" in sockctl.run("help", mode).read_eof()


def test_without_faults_no_seed_is_named(sockctl, tcp):
    tcp.bind()
    proc = sockctl.connect(tcp, stdin=b"")
    proc.ends(4)
    assert "seed" not in proc.complaint()
