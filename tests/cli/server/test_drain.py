"""One drain, whatever ends the run: what a client says after it, with pauses, is delivered wherever it still can be, and both ends
end with 0."""
import os
import signal

import pytest

import wire
from conftest import BINARY
from place import Place

LINES = [b"line %d\n" % i for i in range(8)]


class Cause:
    """What ends the run, when the test says so; `words` for the server, `code` of its good end."""

    def __init__(self, kind, folder, mode):
        self.kind, self.code, self.how = kind, 0, {}
        self.words = ["-v"] if mode == "listen" else ["-v", "--drain", "1h"]
        if kind == "run":
            os.mkfifo(folder / "end")
            self.fifo = folder / "end"
            self.words += ["--run", f"read x <{self.fifo}; exit 0"]
        elif kind == "lifetime":
            self.words += ["--lifetime", "1500ms"]
            self.code = 5
        elif kind == "leash":
            self.held = list(os.pipe())
            self.words += ["--exit-with-fd", self.held[0]]
            self.how["pass_fds"] = [self.held[0]]
            wire.at_end(self.let_go)

    def let_go(self):
        while self.held:
            os.close(self.held.pop())

    def happens(self, proc):
        if self.kind == "signal":
            proc.signal(signal.SIGTERM)
        elif self.kind == "run":
            with open(self.fifo, "w") as end:
                print(file=end)
        elif self.kind == "leash":
            self.let_go()
        elif self.kind == "stdin":
            proc.send(b"the last word\n")
            proc.eof()
        proc.says(rb"no more clients")


KINDS = ["signal", "run", "lifetime", "leash"]
CAUSE = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def drained(sockctl, tmp_path):
    """drained(kind, mode, place, words…): a server, and what will end it."""

    def make(kind, mode, place, *words):
        cause = Cause(kind, tmp_path, mode)
        return sockctl.serve(mode, place, *cause.words, *words, **cause.how), cause

    return make


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", [*KINDS, "stdin"])
def test_a_console_prints_what_comes_after_it(drained, place, kind):
    proc, cause = drained(kind, "serve", place)
    sock = place.dial()
    for i, line in enumerate(LINES):
        sock.sendall(line)
        assert proc.read_until() == b"[1] " + line
        if i == 2:
            cause.happens(proc)
            assert wire.read_eof(sock) == (b"the last word\n" if kind == "stdin" else b"")
    wire.half_close(sock)
    assert proc.ends(cause.code) == b""


@pytest.mark.usefixtures("loop")
@CAUSE
@pytest.mark.parametrize("words", [["--recv-only"], ["--recv-only", "--label", "none", "--frame", "nul"]], ids=["lines", "frames"])
def test_recv_only(drained, place, kind, words):
    proc, cause = drained(kind, "serve", place, *words)
    sock = place.dial()
    for i, line in enumerate(LINES):
        sock.sendall(line.replace(b"\n", b"\0") if "nul" in words else line)
        assert proc.read_until().endswith(line)
        if i == 2:
            cause.happens(proc)
            assert wire.read_eof(sock) == b""
    wire.half_close(sock)
    assert proc.ends(cause.code) == b""


@pytest.mark.usefixtures("loop")
@CAUSE
def test_an_unfinished_line_goes_on(drained, place, kind):
    proc, cause = drained(kind, "serve", place, "--recv-only", "--label", "none", "--raw")
    sock = place.dial()
    sock.sendall(b"begun")
    assert proc.read(5) == b"begun"
    cause.happens(proc)
    assert wire.read_eof(sock) == b""
    sock.sendall(b" and ended")
    wire.half_close(sock)
    assert proc.ends(cause.code) == b" and ended"


@pytest.mark.usefixtures("loop")
@CAUSE
@pytest.mark.parametrize("word", ["--discard", "--zero"])
def test_what_is_swallowed_is_swallowed_to_its_end(drained, place, kind, word, tmp_path):
    proc, cause = drained(kind, "serve", place, word, "--expect-bytes", 56)
    sock = place.dial()
    for i, line in enumerate(LINES):
        sock.sendall(line)
        if i == 2:
            cause.happens(proc)
            assert set(wire.read_eof(sock)) <= {0}
    wire.half_close(sock)
    proc.ends(cause.code)


@CAUSE
def test_a_file_goes_out_and_its_client_is_heard(drained, place, kind, tmp_path):
    (tmp_path / "file").write_bytes(wire.payload(8 << 20))
    proc, cause = drained(kind, "serve", place, "--file", tmp_path / "file", "--expect-bytes", 14)
    sock = place.dial()
    sock.sendall(LINES[0])
    assert wire.read(sock, 100) == wire.payload(8 << 20)[:100]
    cause.happens(proc)
    sock.sendall(LINES[1])
    wire.same(wire.read_eof(sock), wire.payload(8 << 20)[100:])
    wire.half_close(sock)
    proc.ends(cause.code)


@pytest.mark.usefixtures("loop")
@CAUSE
def test_a_program_has_what_comes_after_it_and_answers(drained, place, kind):
    proc, cause = drained(kind, "serve", place, "-e", "cat; echo bye")
    sock = place.dial()
    for i, line in enumerate(LINES):
        sock.sendall(line)
        assert wire.read_until(sock) == line
        if i == 2:
            cause.happens(proc)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"bye\n"
    proc.ends(cause.code)


@CAUSE
def test_a_program_with_the_socket(drained, tcp, kind):
    proc, cause = drained(kind, "serve", tcp, "--exec-socket", "-e", "cat; echo bye")
    sock = tcp.dial()
    for i, line in enumerate(LINES):
        sock.sendall(line)
        assert wire.read_until(sock) == line
        if i == 2:
            cause.happens(proc)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"bye\n"
    proc.ends(cause.code)


@pytest.mark.usefixtures("loop")
@CAUSE
def test_a_target_has_it_and_answers(drained, place, kind, tmp_path):
    (tmp_path / "target").mkdir()
    target = Place("unix", tmp_path / "target")
    listener = target.listen()
    proc, cause = drained(kind, "serve", place, "--forward", *target.words())
    sock = place.dial()
    far = wire.accept(listener)
    for i, line in enumerate(LINES):
        sock.sendall(line)
        assert wire.read(far, len(line)) == line
        far.sendall(line)
        assert wire.read(sock, len(line)) == line
        if i == 2:
            cause.happens(proc)
    wire.half_close(sock)
    assert wire.read_eof(far) == b""
    wire.close(far)
    assert wire.read_eof(sock) == b""
    proc.ends(cause.code)


@pytest.mark.usefixtures("loop")
@CAUSE
@pytest.mark.parametrize("wire_words", [[], ["--wire", "raw"]], ids=["lines", "raw"])
def test_a_room_goes_on_while_two_are_in_it(drained, place, kind, wire_words):
    proc, cause = drained(kind, "chat", place, *wire_words)
    one, two = place.dial(), place.dial()
    greets = not wire_words
    if greets:
        assert b"here: 1 (1 here)" in wire.read_until(one) and b"here: 1, 2 (2 here)" in wire.read_until(two)
        assert b"joined" in wire.read_until(one)
    else:
        proc.says(rb"\[2\] .* connected")
    for i, line in enumerate(LINES):
        one.sendall(line)
        assert wire.read_until(two) == (b"<1> " if greets else b"") + line
        if i == 2:
            cause.happens(proc)
            if greets:
                assert wire.read_until(two) == wire.read_until(one) == b"* server is closing\n"
    wire.half_close(one)
    assert wire.read_eof(one) == b""
    assert wire.read_eof(two) == b""  # no peer is left to say anything
    two.sendall(b"to nobody\n")
    wire.half_close(two)
    proc.ends(cause.code)


def test_listen_hears_its_client_out(sockctl, tcp, tmp_path):
    """At the end of --run; a signal kills it, and the others cut it short."""
    cause = Cause("run", tmp_path, "listen")
    proc = sockctl.serve("listen", tcp, *cause.words)
    sock = tcp.dial()
    for i, line in enumerate(LINES):
        sock.sendall(line)
        assert proc.read_until() == line
        if i == 2:
            cause.happens(proc)
            assert wire.read_eof(sock) == b""
    wire.half_close(sock)
    assert proc.ends(0) == b""


def test_our_own_client_pauses(sockctl, place):
    """Both ends are ours, and both end with 0."""
    proc = sockctl.serve("serve", place, "--recv-only", "--label", "none", "-v", "--drain", "1h")
    client = sockctl.connect(place)
    for i, line in enumerate(LINES):
        client.send(line)
        assert proc.read_until() == line
        if i == 2:
            proc.signal(signal.SIGTERM)
            proc.says(rb"no more clients")
            assert client.read_eof() == b""
    client.finish(0)
    assert proc.ends(0) == b""


@pytest.mark.parametrize("label", ["id", "none"])
def test_stdin_that_was_begun_is_passed_on(sockctl, tcp, label):
    """Half a line of the operator was read already; what stands behind it in the pipe is not read any more."""
    proc = sockctl.serve("serve", tcp, "--commands", "--label", label, "-v", "--drain", "1h")
    sock = tcp.dial()
    proc.says(rb"connected")
    proc.send(b"whole\nbeg")
    assert wire.read_until(sock) == b"whole\n"
    proc.signal(signal.SIGTERM)
    assert wire.read_eof(sock) == b"beg"
    wire.close(sock)
    proc.ends(0)


def test_a_first_signal_hurries_a_drain_and_does_not_cut_it(sockctl, tcp, tmp_path):
    """The command of --run has ended; SIGTERM is the first signal all the same."""
    cause = Cause("run", tmp_path, "serve")
    proc = sockctl.serve("serve", tcp, *cause.words)
    sock = tcp.dial()
    sock.sendall(b"one\n")
    assert proc.read_until() == b"[1] one\n"
    cause.happens(proc)
    proc.signal(signal.SIGTERM)
    sock.sendall(b"two\n")
    assert proc.read_until() == b"[1] two\n"
    wire.half_close(sock)
    proc.ends(0)


def test_the_events_tell_it(sockctl, tcp, tmp_path):
    log = tmp_path / "log"
    proc = sockctl.serve("serve", tcp, "--recv-only", "--events", log, "--drain", "1h")
    sock = tcp.dial()
    sock.sendall(b"x\n")
    assert proc.read_until() == b"[1] x\n"
    proc.signal(signal.SIGTERM)
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    proc.ends(0)
    events = log.read_text().splitlines()
    drain = next(line for line in events if '"ev":"drain"' in line)
    close = next(line for line in events if '"ev":"close"' in line)
    assert '"signal":"SIGTERM"' in drain and '"active":1' in drain
    assert '"by":"drain"' in close and '"truncated":false' in close and '"how":"fin"' in close


def test_a_pipeline_is_whole(sockctl, tcp, tmp_path):
    """A client that the command has sent, and that goes on after the command's end."""
    script = (f"(read x <{tmp_path}/go; for i in 1 2 3 4; do echo line$i; done) | '{BINARY}' connect $SOCKCTL_ADDR & "
              f"read x <{tmp_path}/end; exit 0")
    os.mkfifo(tmp_path / "go")
    os.mkfifo(tmp_path / "end")
    proc = sockctl.serve("serve", tcp, "--recv-only", "--label", "none", "-v", "--drain", "1h", "--run", script)
    proc.says(rb"connected")
    with open(tmp_path / "end", "w") as end:
        print(file=end)
    proc.says(rb"no more clients")
    with open(tmp_path / "go", "w") as go:
        print(file=go)
    assert proc.ends(0) == b"line1\nline2\nline3\nline4\n"
