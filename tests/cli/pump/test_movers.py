"""Every byte arrives however it is moved: each kind of source and sink once, also where splice and sendfile have to give way.

SOCKCTL_TEST_FLAGS=--no-splice (make check-copy) runs these, and all other tests, with copying alone.
"""
import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import termios

import pytest

import wire
from conftest import FLAGS
from test_seam import SEAM

SIZE = (8 << 20) + 4321
DATA = wire.payload(SIZE)
HALF = len(DATA) // 2 - 3

seam = pytest.mark.skipif(not os.access(SEAM, os.X_OK), reason="no seam build")
zero_copy = pytest.mark.skipif("--no-splice" in FLAGS, reason="asked to copy")


@pytest.fixture
def source(request, tmp_path):
    """A file that holds DATA, opened."""
    (tmp_path / "in").write_bytes(DATA)
    with open(tmp_path / "in", "rb") as file:
        yield file


@pytest.fixture
def sink(tmp_path):
    """sink(kind): something opened that takes what comes, and a function that says what that was."""
    files = []

    def make(kind):
        path = "/dev/null" if kind == "null" else tmp_path / "out"
        if kind == "append":
            path.write_bytes(b"before ")
        files.append(open(path, "ab" if kind == "append" else "wb"))
        return files[-1], lambda: DATA if kind == "null" else path.read_bytes()

    yield make
    for file in files:
        file.close()


@pytest.mark.parametrize("into", ["pipe", "file", "append", "null"])
@pytest.mark.parametrize("out_of", ["pipe", "file"])
@pytest.mark.usefixtures("loop")
def test_each_kind(sockctl, place, source, sink, out_of, into):
    """From connect's stdin to listen's stdout."""
    if into == "pipe":
        server = sockctl.serve("listen", place, "--recv-only")
    else:
        file, written = sink(into)
        server = sockctl.serve("listen", place, "--recv-only", stdout=file)
    client = sockctl.connect(place, stdin=DATA if out_of == "pipe" else source)
    sent = wire.Task(client.ends, 0)
    got = server.ends(0)
    assert sent.result() == b""
    if into != "pipe":
        got = written()
    wire.same(got, b"before " * (into == "append") + DATA)
    assert client.lines() == server.lines() == []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("end", ["half-close", "reset"])
@pytest.mark.parametrize("to", ["--discard", "null"])
def test_unseen_bytes_are_counted(sockctl, place, tmp_path, sink, to, end):
    """It is thrown away in the kernel where that can be done; its count and its end are as ever."""
    log = tmp_path / "events"
    if to == "null":
        proc = sockctl.serve("listen", place, "--events", log, "--recv-only", stdout=sink("null")[0])
    else:
        proc = sockctl.serve("serve", place, "--events", log, to, "--count", 1, "--strict")
    sock = place.dial()
    sock.sendall(DATA)
    if end == "half-close":
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
        proc.ends(0)
    else:
        wire.until(lambda: place.tls or unread(sock) == 0, "all is read")
        wire.reset(sock)
        proc.ends(0 if place.unix else 7)  # which know no reset
    close, = [e for e in map(json.loads, log.read_text().splitlines()) if e["ev"] == "close"]
    assert close["in"] == len(DATA) or (place.tls and end == "reset")


def unread(sock):
    """Bytes that the other end has not read yet."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


@pytest.mark.usefixtures("loop")
def test_both_ways_with_files_and_pipes(sockctl, place, source, sink):
    """Much each way at once, which would stall if either waited for the other."""
    back = wire.payload(24 << 20, seed=5)
    file, written = sink("file")
    server = sockctl.serve("listen", place, stdin=back, stdout=file)
    client = sockctl.connect(place, stdin=source)
    ended = wire.Task(server.ends, 0)
    wire.same(client.ends(0), back)
    ended.result()
    wire.same(written(), DATA)


@pytest.mark.whole("it fills the system's buffers")
def test_peer_that_is_stopped(sockctl, place):
    """A stopped peer holds up what goes to it, and is not given up; then all arrives, both ways."""
    there, back = wire.payload(24 << 20, seed=6), wire.payload(24 << 20, seed=7)
    server = sockctl.serve("listen", place, stdin=back)
    client = sockctl.connect(place)
    client.read(1000)
    client.signal(signal.SIGSTOP)
    wire.fill(server.stdin, back)
    assert server.alive()
    client.signal(signal.SIGCONT)
    client.feed += there
    client.eof()
    ended = wire.Task(client.ends, 0)
    got = server.finish(0)
    wire.same(got, there)
    assert ended.result().endswith(back[-1000:])


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("role", ["listen", "connect", "forward"])
def test_a_word_after_much(sockctl, place, pair, role):
    """What comes fast may be waited for until there is much of it; a word after that, and the next one, still come."""
    much = wire.payload(20 << 20, seed=8)  # patience begins after 16 MiB
    if role == "forward":
        behind = sockctl.serve("listen", ["127.0.0.1:0"], "--recv-only")
        sockctl.serve("serve", place, "--forward", f"127.0.0.1:{behind.port}")
        proc, sock = behind, place.dial()
    else:
        proc, sock = pair(role, place, "--recv-only")
    for data in (much, b"a word", b"another", much, b"the last"):
        sent = wire.Task(sock.sendall, data)
        wire.same(proc.read(len(data)), data)
        sent.result()
    wire.half_close(sock)
    assert proc.ends(0) == b""


def test_file_from_a_place_in_it(sockctl, place, source):
    """The offset is shared with the file's opener, and is where we stopped."""
    os.lseek(source.fileno(), HALF, os.SEEK_SET)
    server = sockctl.serve("listen", place, "--recv-only")
    client = sockctl.connect(place, stdin=source)
    wire.same(server.ends(0), DATA[HALF:])
    client.ends(0)
    assert os.lseek(source.fileno(), 0, os.SEEK_CUR) == len(DATA)


@pytest.mark.parametrize("path", ["/proc/version", "/dev/null"])
def test_files_without_a_size(sockctl, place, path):
    with open(path, "rb") as file:
        server = sockctl.serve("listen", place, "--recv-only")
        sockctl.connect(place, "--half-close", "yes", stdin=file).ends(0)  # an empty one would wait for the peer
    with open(path, "rb") as file:
        assert server.ends(0) == file.read()


def test_file_service(sockctl, place, source):
    sockctl.serve("serve", place, "--file", source.name)
    socks = [place.dial() for _ in range(3)]
    for sock in socks:
        wire.half_close(sock)
    for got in [wire.Task(wire.read_eof, sock) for sock in socks]:
        wire.same(got.result(), DATA)


def test_file_that_grows_is_sent_to_its_end(pair, place, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(DATA)
    with open(path, "rb") as source, open(path, "ab") as log:
        proc, sock = pair("connect", place, stdin=source, rcvbuf=8192)
        got = wire.read(sock, 1000)
        log.write(b"and a last line\n")
        log.flush()
        wire.same(got + wire.read_eof(sock), DATA + b"and a last line\n")
        wire.close(sock)
        proc.ends(0)


def test_full_disk_after_much(sockctl, place, source):
    with open("/dev/full", "wb") as full:
        server = sockctl.serve("listen", place, "--recv-only", stdout=full)
    client = sockctl.connect(place, stdin=source)  # a file: there is always more to send when the server goes
    server.ends(9)
    assert "No space left" in server.complaint()
    client.ends(7)


def test_urgent_data_stops_no_flow(pair, tcp):
    """Its byte is left out, as a reader that does not ask for it leaves it out; what follows comes."""
    proc, sock = pair("connect", tcp, stdin=b"")
    sock.sendall(b"before ")
    assert proc.read(7) == b"before "
    sock.send(b"!", wire.socket.MSG_OOB)
    sock.sendall(b"after")
    wire.half_close(sock)
    assert proc.ends(0) == b"after"


@pytest.fixture
def deaf(sockctl):
    """The seam build, in which splice and sendfile fail and everything else works."""
    sockctl.binary = os.path.abspath(SEAM)
    return {"env": {"SOCKCTL_SEAM": "splice:1+:ETIMEDOUT"}}


@seam
@zero_copy
@pytest.mark.no_tls("TLS has to see the bytes")
@pytest.mark.parametrize("words, code", [([], 7), (["--no-splice"], 0)], ids=["kernel", "copied"])
class TestWhatIsLeftToTheKernel:
    """A run that fails has used splice or sendfile."""

    @pytest.mark.parametrize("out_of", ["pipe", "file"])
    def test_from_stdin(self, pair, place, deaf, source, out_of, words, code):
        proc, sock = pair("connect", place, *words, stdin=DATA if out_of == "pipe" else source, **deaf)
        with contextlib.suppress(OSError):  # it may have been reset already
            wire.half_close(sock)
        got = wire.Task(wire.read_eof if code == 0 or place.unix else wire.read_reset, sock)
        proc.finish(code)
        wire.same(got.result(), DATA if code == 0 else b"")

    @pytest.mark.parametrize("into", ["pipe", "file"])
    def test_to_stdout(self, sockctl, place, deaf, sink, into, words, code):
        stdout = sink("file")[0] if into == "file" else subprocess.PIPE
        proc = sockctl.serve("listen", place, *words, stdin=b"", stdout=stdout, **deaf)
        with contextlib.nullcontext() if code == 0 else contextlib.suppress(OSError):  # a reset may come before connect has returned
            sock = place.dial()
            sock.sendall(b"through")
            wire.half_close(sock)
        proc.ends(code)

    def test_file_service(self, sockctl, place, deaf, source, words, code):
        sockctl.serve("serve", place, *words, "--file", source.name, **deaf)
        with contextlib.nullcontext() if code == 0 or place.unix else pytest.raises(OSError):  # a reset, which may come early
            sock = place.dial()
            wire.half_close(sock)
            try:
                wire.same(wire.read_eof(sock), DATA if code == 0 else b"")
            except TimeoutError:
                pytest.fail("neither an end nor a reset")
