"""--file of a pipe: every client gets all of it, a single one without a limit; its writer is waited for."""
import os
import signal

import pytest

import wire
from conftest import BINARY, make_place
from proc import NULL

DATA = wire.payload(3 << 20, seed=8)
MIB = 1 << 20


def got(sock):
    wire.half_close(sock)
    return wire.read_eof(sock)


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def write(path, data):
    """A writer that waits for its reader, as a program of a shell does."""

    def work():
        with open(path, "wb") as file:
            file.write(data)

    return wire.Task(work)


@pytest.mark.parametrize("words", [["serve"], ["serve", "--loop", "select"], ["listen", "-k"]], ids=" ".join)
@pytest.mark.parametrize("data", [DATA, b"", b"x"], ids=["long", "empty", "short"])
def test_a_fifo_for_many(sockctl, place, fifo, words, data):
    writer = write(fifo, data)
    mode, *options = words
    sockctl.serve(mode, place, "--file", fifo, *options)
    writer.result()
    for _ in range(3):
        sock = place.dial()
        wire.same(got(sock), data)
        wire.close(sock)


def test_many_at_once(sockctl, tcp, fifo):
    """Each at its own place in it."""
    writer = write(fifo, DATA)
    sockctl.serve("serve", tcp, "--file", fifo)
    writer.result()
    socks = [tcp.dial() for _ in range(5)]
    for n, sock in enumerate(socks):
        wire.same(wire.read(sock, 100000 * n + 1), DATA[:100000 * n + 1])
    for n, sock in enumerate(socks):
        wire.same(got(sock), DATA[100000 * n + 1:])


@pytest.fixture
def piped():
    """piped(data): the reading end of a pipe into which data, or zeros without end, is written; it is the caller's no longer when
    a program has it."""
    ends = []

    def make(data):
        reads, writes = os.pipe()
        ends.append(reads)

        def work():
            with open(writes, "wb", buffering=0) as file:
                try:
                    while data is None:
                        file.write(bytes(MIB))
                    rest = memoryview(data)
                    while rest:
                        rest = rest[file.write(rest):]
                except BrokenPipeError:
                    pass

        wire.Task(work)
        return reads

    def give():
        while ends:
            os.close(ends.pop())

    make.give = give
    yield make
    give()


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_stdin(sockctl, tcp, piped, name):
    proc = sockctl.program([BINARY, "serve", "127.0.0.1:0", "--file", name], stdin=piped(DATA))
    piped.give()
    tcp.port = proc.listens_at()
    for _ in range(2):
        sock = tcp.dial()
        wire.same(got(sock), DATA)
        wire.close(sock)


def serve_pipe(sockctl, piped, data, mode="serve", at="127.0.0.1:0"):
    """As a shell passes <(...): by the number of a descriptor."""
    fd = piped(data)
    proc = sockctl.program([BINARY, mode, at, "--file", f"/dev/fd/{fd}"], stdin=NULL, pass_fds=[fd])
    piped.give()
    return proc


def test_what_a_shell_passes(sockctl, tcp, piped):
    tcp.port = serve_pipe(sockctl, piped, b"hola\n").listens_at()
    for _ in range(2):
        assert got(tcp.dial()) == b"hola\n"


def test_datagrams(sockctl, tmp_path, fifo):
    place = make_place("udp4", tmp_path)
    writer = write(fifo, b"hola")
    sockctl.serve("serve", place, "--file", fifo)
    writer.result()
    for _ in range(2):
        sock = place.dial()
        sock.send(b"?")
        sock.settimeout(wire.DEADLINE)
        assert sock.recv(100) == b"hola"


def test_the_limit(sockctl, tcp, piped):
    tcp.port = serve_pipe(sockctl, piped, bytes(64 * MIB)).listens_at()
    assert len(got(tcp.dial())) == 64 * MIB


@pytest.mark.parametrize("data", [bytes(64 * MIB + 1), None], ids=["one byte more", "no end"])
def test_over_the_limit(sockctl, piped, data):
    """Found before anything listens."""
    proc = serve_pipe(sockctl, piped, data)
    assert proc.ends(2) == b""
    assert "a pipe is kept for every client, and 64 MiB of it at most" in proc.complaint()


@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_one_client_has_no_limit(sockctl, tcp, piped, mode):
    """Nothing is kept for it: it gets the bytes as they come."""
    listener = tcp.listen() if mode == "connect" else None
    proc = serve_pipe(sockctl, piped, bytes(65 * MIB), mode, tcp.shown() if listener else "127.0.0.1:0")
    if listener:
        sock = wire.accept(listener)
    else:
        tcp.port = proc.listens_at()
        sock = tcp.dial()
    assert len(got(sock)) == 65 * MIB
    assert proc.ends(0) == b""


@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_a_fifo_for_one(sockctl, tcp, fifo, mode):
    """Opened once: a writer never meets a reader that goes again, and no empty file is sent before it has come."""
    listener = tcp.listen() if mode == "connect" else None
    proc = sockctl.program([BINARY, mode, tcp.shown() if listener else "127.0.0.1:0", "--file", fifo], stdin=NULL)
    writer = write(fifo, DATA)
    if listener:
        sock = wire.accept(listener)
    else:
        tcp.port = proc.listens_at()
        sock = tcp.dial()
    wire.same(got(sock), DATA)
    writer.result()
    assert proc.ends(0) == b""


@pytest.mark.parametrize("mode, silent", [("serve", False), ("serve", True), ("listen", False), ("connect", False)])
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_waits(sockctl, fifo, mode, signo, silent):
    """For a writer, or for one that says nothing."""
    keeps = os.open(fifo, os.O_RDWR) if silent else None
    proc = sockctl.program([BINARY, mode, "127.0.0.1:1" if mode == "connect" else "127.0.0.1:0", "--file", fifo], stdin=NULL)

    def asleep():
        with open(f"/proc/{proc.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "S"

    wire.until(asleep, "it waits")
    proc.signal(signo)
    proc.wait()
    assert proc.code == -signo and proc.err == b"", proc
    if silent:
        os.close(keeps)


def test_a_lifetime(sockctl, fifo):
    proc = sockctl.program([BINARY, "serve", "127.0.0.1:0", "--file", fifo, "--lifetime", "100ms"], stdin=NULL)
    assert proc.ends(5) == b""
