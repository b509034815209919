"""The deadline of a drain, and a second signal: a client with nothing undelivered is closed plainly and the run is 0; a byte that
was taken and not delivered makes it 7, and its client sees a reset."""
import errno
import os
import signal
import socket
import ssl

import pytest

import relay
import wire
from place import Place

pytestmark = pytest.mark.usefixtures("loop")

SHORT = ["-v", "--drain", "200ms"]
LONG = ["-v", "--drain", "1h"]

SERVICES = {
    "console": ("serve", []),
    "recv-only": ("serve", ["--recv-only"]),
    "discard": ("serve", ["--discard"]),
    "zero": ("serve", ["--zero"]),
    "exec": ("serve", ["-e", "cat"]),
    "echo": ("echo", []),
    "chat": ("chat", []),
    "talk": ("serve", ["--talk", 'on "hola" send "pues"']),
    "ignore": ("serve", ["--talk", "ignore"]),
}
SERVICE = pytest.mark.parametrize("mode, words", SERVICES.values(), ids=SERVICES)


def reset_or_end(place, sock):
    """A Unix socket knows no reset for bytes that were read already."""
    got = wire.read_any(sock) if place.unix else wire.read_reset(sock)
    return got


def was_reset(sock):
    """Also after our end, where reading finds only that."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (errno.ECONNRESET, errno.EPIPE)


@SERVICE
def test_an_idle_client_costs_the_deadline_and_nothing_else(sockctl, place, mode, words):
    if "--zero" in words and place.tls:
        pytest.skip("a relay that is full of zeros has not taken them")
    drain = ["--drain", "3s"] if "--zero" in words else []  # in which its client takes what is on its way
    proc = sockctl.serve(mode, place, *SHORT, *drain, *words)
    sock = place.dial()
    proc.says(rb"connected")
    if "--zero" in words:
        task = wire.Task(wire.read_any, sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert b"closed by drain" in proc.err and b"cut" not in proc.err
    if "--zero" in words:
        task.result()
    else:
        assert wire.read_eof(sock) in (b"", b"* server is closing\n", b"* you are 1; here: 1 (1 here)\n* server is closing\n")


def test_an_idle_forwarded_one(sockctl, place, tmp_path):
    target = place.__class__("tcp4", tmp_path)
    listener = target.listen()
    proc = sockctl.serve("serve", place, *SHORT, "--forward", *target.words())
    sock = place.dial()
    far = wire.accept(listener)
    proc.says(rb"->")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert wire.read_eof(sock) == wire.read_eof(far) == b""


@pytest.mark.parametrize("mode, words", [SERVICES[name] for name in ("recv-only", "discard", "echo")])
def test_a_pool_costs_only_until_it_sees_our_end(sockctl, place, mode, words):
    proc = sockctl.serve(mode, place, *LONG, *words)
    socks = [place.dial() for _ in range(5)]
    proc.says(rb"\[5\] .* connected")
    proc.signal(signal.SIGTERM)
    for sock in socks:
        assert wire.read_eof(sock) == b""
        wire.close(sock)
    proc.ends(0)


@pytest.mark.parametrize("name", ["echo", "talk"])
def test_what_can_no_longer_be_answered_ends_with_a_reset(sockctl, place, name):
    mode, words = SERVICES[name]
    proc = sockctl.serve(mode, place, *LONG, *words)
    sock = place.dial()
    sock.sendall(b"hola\n")
    assert wire.read_until(sock) in (b"hola\n", b"pues\n")
    proc.signal(signal.SIGTERM)
    assert wire.read_eof(sock) == b""
    sock.sendall(b"too late\n")
    proc.ends(7)
    assert b"can no longer be answered" in proc.err
    assert place.unix or place.tls or was_reset(sock)


def test_our_own_echo_client_is_not_told_that_all_is_well(sockctl, place):
    proc = sockctl.serve("echo", place, *LONG)
    client = sockctl.connect(place, "--end", "both")
    client.send(b"one\n")
    assert client.read_until() == b"one\n"
    proc.signal(signal.SIGTERM)
    assert client.read_eof() == b""
    client.send(b"two\n")
    proc.ends(7)
    client.eof()
    client.wait()
    assert client.code == 7


@pytest.mark.parametrize("how", ["deadline", "second"])
def test_a_console_whose_stdout_is_full(sockctl, place, how):
    """The clients' bytes wait before it: they were taken and are nowhere."""
    proc = sockctl.serve("serve", place, *(SHORT if how == "deadline" else LONG), "--recv-only", "--label", "none")
    sock = place.dial()
    wire.fill(sock, b"many words in a line\n" * (3 << 20))
    proc.signal(signal.SIGTERM)
    proc.says(rb"no more clients")
    if how == "second":
        proc.signal(signal.SIGTERM)
    proc.says(rb"closed by (drain|signal).*before everything was delivered")
    proc.ends(7)
    assert b"1 client cut" in proc.err


@pytest.mark.parametrize("how", ["deadline", "second"])
def test_a_program_that_does_not_read(sockctl, place, how):
    """What its pipe holds is lost when it is killed."""
    proc = sockctl.serve("serve", place, *(SHORT if how == "deadline" else LONG), "-e", "echo here; exec sleep 1000")
    sock = place.dial()
    assert wire.read_until(sock) == b"here\n"
    sock.sendall(b"a word")
    place.settle()
    proc.signal(signal.SIGTERM)
    proc.says(rb"no more clients")
    if how == "second":
        proc.signal(signal.SIGTERM)
    reset_or_end(place, sock)
    proc.ends(7)
    assert b"1 client cut" in proc.err


def test_a_program_that_works_on(sockctl, tcp):
    """It has been told the client's end, and has not answered yet."""
    proc = sockctl.serve("serve", tcp, *SHORT, "-e", "cat; sleep 1000; echo done")
    sock = tcp.dial()
    sock.sendall(b"x\n")
    wire.half_close(sock)
    assert wire.read_until(sock) == b"x\n"
    proc.signal(signal.SIGTERM)
    assert wire.read_reset(sock) == b""
    proc.ends(7)


def test_a_target_that_does_not_read(sockctl, place, tmp_path):
    target = place.__class__("tcp4", tmp_path)
    listener = target.listen(rcvbuf=4096)
    proc = sockctl.serve("serve", place, *SHORT, "--forward", *target.words())
    sock = place.dial()
    far = wire.accept(listener)
    wire.fill(sock)
    proc.signal(signal.SIGTERM)
    reset_or_end(place, sock)
    assert wire.read_reset(far)
    proc.ends(7)
    assert b"1 client cut" in proc.err


@pytest.mark.parametrize("frame", ["u32be", "line"])
def test_half_a_frame(sockctl, place, frame):
    proc = sockctl.serve("serve", place, *SHORT, "--frame", frame, "-e", "cat >/dev/null; echo")
    sock = place.dial()
    proc.says(rb"connected")
    sock.sendall(b"\0\0")
    place.settle()
    proc.signal(signal.SIGTERM)
    reset_or_end(place, sock)
    proc.ends(7)


@pytest.mark.parametrize("mode", ["serve", "chat"])
def test_an_unfinished_line(sockctl, place, mode):
    """A console shows it at last; in a room no member would have heard it."""
    proc = sockctl.serve(mode, place, *SHORT, "--whole-lines")
    sock, other = place.dial(), place.dial()
    proc.says(rb"\[2\] .* connected")
    sock.sendall(b"an unfin")
    place.settle()
    proc.signal(signal.SIGTERM)
    assert proc.ends(0 if mode == "serve" else 7) == (b"[1] an unfin\n" if mode == "serve" else b"")
    assert other.fileno() >= 0


@pytest.mark.tls
def test_half_a_record(sockctl, tmp_path):
    """It was acknowledged, and the server cannot read it."""
    place = Place("tls", tmp_path)
    proc = sockctl.serve("serve", place, *SHORT, "--recv-only", "--label", "none")
    sock = place.dial(raw=True)
    tls = Client(sock)
    tls.send(b"whole\n")
    assert proc.read_until() == b"whole\n"
    record = tls.record(b"cut\n")
    sock.sendall(record[:5])
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert was_reset(sock)
    assert b"1 client cut" in proc.err


class Client:
    """TLS whose records one can cut."""

    def __init__(self, sock):
        self.sock, self.i, self.o = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = relay.client_context().wrap_bio(self.i, self.o, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(self.o.read())
                self.i.write(self.sock.recv(65536))
        self.sock.sendall(self.o.read())

    def record(self, data):
        self.tls.write(data)
        return self.o.read()

    def send(self, data):
        self.sock.sendall(self.record(data))


def test_a_held_fault(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, *SHORT, "--recv-only", "--fault", "latency=1h:in")
    sock = tcp.dial()
    proc.says(rb"connected")
    sock.sendall(b"late\n")
    wire.until(lambda: not any(queues(proc, 1)), "the server takes it")
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert was_reset(sock)


def queues(proc, which=0):
    """Of the server's TCP connections: bytes that are not acknowledged (0), or not read (1)."""
    for family in ("tcp", "tcp6"):
        for line in open(f"/proc/{proc.pid}/net/{family}").readlines()[1:]:
            fields = line.split()
            if fields[3] != "0A" and int(fields[1].split(":")[1], 16) == proc.port:
                yield int(fields[4].split(":")[which], 16)


def test_a_dropped_byte_is_meant_to_be_lost(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, *SHORT, "--recv-only", "--fault", "sink-after=0:in")
    sock = tcp.dial()
    proc.says(rb"connected")
    sock.sendall(b"into the sink\n")
    wire.until(lambda: not any(queues(proc, 1)), "the server takes it")
    proc.signal(signal.SIGTERM)
    proc.ends(0)


@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_a_second_signal_with_nothing_undelivered_is_no_loss(sockctl, place, mode):
    proc = sockctl.serve(mode, place, *LONG)
    one, two = place.dial(), place.dial()
    proc.says(rb"\[2\] .* connected")
    proc.signal(signal.SIGTERM)
    for sock in (one, two):
        if mode == "chat":
            assert wire.read_until(sock, b"closing\n")
        else:
            assert wire.read_eof(sock) == b""
    wire.until(lambda: not any(queues(proc)), "the peers' kernels say that they have it")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert b"closed by signal" in proc.err


def test_the_event_of_a_cut(sockctl, tcp, tmp_path):
    log = tmp_path / "log"
    proc = sockctl.serve("echo", tcp, "--drain", "0s", "--events", log)
    sock = tcp.dial(rcvbuf=8192)
    wire.fill(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert os.path.exists(log)
    close = next(line for line in log.read_text().splitlines() if '"ev":"close"' in line)
    assert '"by":"drain"' in close and '"how":"rst"' in close and '"truncated":true' in close
    assert proc.complaint() == "sockctl: drain deadline: 1 client cut"


def test_an_operators_last_words_may_take_longer(sockctl, tcp):
    """A client that is still taking what its operator has said is not cut, however slowly it reads."""
    proc = sockctl.serve("serve", tcp, "-v", "--drain", "1s", "--label", "none")
    sock = tcp.dial(rcvbuf=4096)
    proc.says(rb"connected")
    said = wire.payload(300_000)
    proc.feed += said
    proc.eof()
    proc.says(rb"stdin: no more clients")
    wire.same(wire.read_eof(sock), said)
    wire.close(sock)
    proc.ends(0)


@pytest.mark.no_tls("what the relay holds is in no queue of ours")
def test_lost_bytes_are_7_also_after_a_lifetime(sockctl, place):
    """A program that never reads: what it was sent is not delivered at the deadline."""
    proc = sockctl.serve("serve", place, "--drain", "50ms", "--lifetime", "3s", "-e", "exec sleep 1000")
    sock = place.dial()
    sock.sendall(b"it is not read")
    reset_or_end(place, sock)
    proc.ends(7)
    assert "--lifetime" in proc.complaint() and "cut" in proc.complaint()


def test_what_comes_after_the_goodbye_of_a_lifetime(sockctl, place):
    proc = sockctl.serve("echo", place, "-v", "--drain", "1h", "--lifetime", "3s")
    sock = place.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    assert wire.read_eof(sock) == b""
    sock.sendall(b"too late")
    proc.ends(7)
    assert "can no longer be answered" in proc.lines()[-1]
