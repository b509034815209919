"""A client whose bytes a failing system has lost is cut off: it sees a reset (of TLS: no goodbye) and never a good end, and the server
says so. Each read, write and splice of a server that serves one client fails once, in every service.

Needs the seam build (`make seam`), named in SOCKCTL_SEAM_BIN.
"""
import contextlib
import os
import signal

import pytest

import wire
from faulty import events
from place import make_place

SEAM = os.environ.get("SOCKCTL_SEAM_BIN", "")

pytestmark = pytest.mark.skipif(not os.access(SEAM, os.X_OK), reason="no seam build")

SIZE = 150_000  # more than one turn's look, so that an echo is spliced, too
LINES = b"".join(b"line %d of what is said\n" % i for i in range(200))
TALK = ["--talk", 'on "begin" send "said it"', "--talk", 'on "end" send "ended" close']
CALLS = ("read", "write", "splice")
ERRORS = {"read": "EIO", "write": "ENOMEM", "splice": "EIO"}


class Scene:
    """A server of one client: its words, what the client says and what it is to get."""

    def __init__(self, mode, *words, says=b"", gets=b"", prints=None):
        self.mode, self.words, self.says, self.gets, self.prints = mode, list(words), says, gets, prints


def scenes(folder, target):
    noise = wire.payload(SIZE)
    (folder / "file").write_bytes(noise)
    forward = ["--forward", target]
    return {
        "echo": Scene("echo", says=noise, gets=noise),
        "file": Scene("serve", "--file", folder / "file", gets=noise),
        "discard": Scene("serve", "--discard", "--expect-bytes", SIZE, says=noise),
        "console": Scene("serve", "--recv-only", "--label", "none", says=LINES, prints=LINES),
        "exec": Scene("serve", "-e", "exec cat", says=noise, gets=noise),
        "forward": Scene("serve", *forward, says=noise, gets=noise),
        "talk": Scene("serve", *TALK, says=b"begin\nend\n", gets=b"said it\nended\n"),
        "listen": Scene("listen", says=noise, gets=LINES, prints=noise),
    }


SCENES = ("echo", "file", "discard", "console", "exec", "forward", "talk", "listen")


def has_talked(place, scene):
    """What the client got, and whether that had a good end."""
    got, good = bytearray(), True
    try:
        sock = place.dial()
    except ConnectionError:  # a reset may come before connect has returned
        return b"", False

    def say():
        try:
            sock.sendall(scene.says)
            wire.half_close(sock)
            return True
        except OSError:
            return False  # a reset is told once, to one of the two

    said = wire.Task(say)
    try:
        while part := sock.recv(1 << 16):
            got += part
    except ConnectionError:
        good = False
    return bytes(got), said.result() and good


class Server:
    def __init__(self, sockctl, place, scene, log, report, words):
        self.sockctl, self.place, self.scene, self.log, self.report, self.words = sockctl, place, scene, log, report, words

    def runs(self, fault, comes=True):
        """(the ended process, what the client got, whether its end was a good one), and the calls that were made."""
        self.place.port = 0
        one = self.scene.mode == "listen"
        words = [*self.words, *self.scene.words, "--events", self.log, *([] if one else ["--count", 1])]
        binary, self.sockctl.binary = self.sockctl.binary, os.path.abspath(SEAM)
        proc = self.sockctl.serve(self.scene.mode, self.place, *words, stdin=self.scene.gets if one else b"",
                                  env={"SOCKCTL_SEAM": f"report={self.report}" + (f",{fault}" if fault else "")})
        self.sockctl.binary = binary
        got, good = b"", True
        if comes:
            got, good = has_talked(self.place, self.scene)
        if not comes or (not good and self.place.tls):  # a handshake that fails is no client that was served
            proc.signal(signal.SIGTERM)
        proc.wait()
        return proc, got, good

    def calls(self):
        found = {name: int(n) for name, n in (line.split() for line in self.report.read_text().splitlines())}
        return {name: found[name] for name in CALLS}


def judge(scene, fault, proc, got, good, log, tls):
    what = f"{fault}: {proc}, {len(got)} of {len(scene.gets)} bytes, a good end: {good}"
    assert proc.code >= 0 or proc.code == -signal.SIGTERM, what
    printed = scene.prints is None or bytes(proc.buf) == scene.prints
    if good:  # or stdout has failed, which is the run's failure; and listen may have half-closed before its read failed
        told = proc.code != 0 and (scene.mode == "listen" or not fault.startswith("read:"))
        assert got == scene.gets and (printed or told) and ("--expect-bytes" not in scene.words or proc.code == 0), what
        return
    if tls and got == scene.gets and printed:
        return  # only the goodbye failed
    ends = [e for e in events(log) if e["ev"] in ("close", "reject")]
    assert ends and (ends[0]["ev"] == "reject" or ends[0]["by"] == "error" or proc.code != 0), f"{what}, {ends}"


@pytest.mark.parametrize("words", [[], ["--no-splice"]], ids=["splice", "copy"])
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("kind", ["tcp4", "tls"])
def test_each_call_of_a_server_fails_once(sockctl, tcp, tmp_path, kind, name, words):
    if kind == "tls" and words:
        pytest.skip("TLS is never spliced")
    target = sockctl.serve("echo", tcp) if name == "forward" else None
    place = make_place(kind, tmp_path)
    scene = scenes(tmp_path, f"127.0.0.1:{tcp.port}")[name]
    server = Server(sockctl, place, scene, tmp_path / "events", tmp_path / "report", words)
    server.runs("", comes=False)
    before = server.calls()
    proc, got, good = server.runs("")
    assert proc.code == 0 and good and got == scene.gets
    failed = 0
    for call, most in server.calls().items():
        numbers = range(before[call] + 1, most + 1)
        for k in numbers if len(numbers) <= 8 else [*numbers[:5], *numbers[-3:]]:
            fault = f"{call}:{k}:{ERRORS[call]}"
            proc, got, good = server.runs(fault)
            judge(scene, fault, proc, got, good, tmp_path / "events", place.tls)
            failed += not good
    assert failed
    if target:
        target.signal(signal.SIGTERM)
        target.ends(0)


@pytest.mark.no_tls("there it is a handshake that fails")
@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
@pytest.mark.parametrize("strict", [False, True])
def test_the_run_fails_of_it_with_strict(sockctl, place, tmp_path, mode, strict):
    """The first read of a client fails for good; on a Unix socket what was not read is what tells the client."""
    log = tmp_path / "events"
    words = ["--count", 1, "--events", log, *(["--strict"] if strict else [])]
    sockctl.binary = os.path.abspath(SEAM)
    probe = sockctl.serve(mode, place, env={"SOCKCTL_SEAM": f"report={tmp_path / 'report'}"})
    probe.signal(signal.SIGTERM)
    probe.ends(0)
    reads = int(dict(line.split() for line in (tmp_path / "report").read_text().splitlines())["read"])
    place.port = 0
    proc = sockctl.serve(mode, place, *words, env={"SOCKCTL_SEAM": f"read:{reads + 1}:EIO"})
    with pytest.raises(ConnectionError):
        sock = place.dial()
        sock.sendall(b"lost\n")
        wire.read_eof(sock)
    proc.wait()
    assert (proc.code != 0) == strict, proc
    assert not strict or "Input/output error" in proc.complaint()


@pytest.mark.no_tls("its bytes are read in another rhythm")
@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_bytes_that_a_drain_cannot_read_are_7(sockctl, place, tmp_path, mode):
    """Behind our goodbye a client reads a good end; then the first read that has something to read fails."""
    sockctl.binary = os.path.abspath(SEAM)
    report = tmp_path / "report"

    def runs(fault):
        place.port = 0
        proc = sockctl.serve(mode, place, "-v", "--drain", "1h", env={"SOCKCTL_SEAM": f"report={report}{fault}"})
        sock = place.dial()
        proc.says(rb"connected")
        proc.signal(signal.SIGTERM)
        with contextlib.suppress(ConnectionError):
            while sock.recv(100):
                pass
        return proc, sock

    proc, sock = runs("")
    wire.close(sock)
    proc.ends(0)
    reads = int(dict(line.split() for line in report.read_text().splitlines())["read"])
    for more in (0, 1, -1, 2) * 5:  # a run may read once more or less, and that read then fails before there is anything to read
        proc, sock = runs(f",read:{reads + more}:EIO")
        with contextlib.suppress(OSError):
            sock.sendall(b"lost\n")
            wire.half_close(sock)
        proc.wait()
        if proc.code != 0 and "Input/output error" in proc.lines()[-1]:
            break
    proc.ends(7)
    assert "Input/output error" in proc.lines()[-1]


def test_a_chat_loses_no_line_in_silence(sockctl, tcp, tmp_path):
    """Two members; each call of the server fails once. Who has a good end has said its lines to the other."""
    scene = Scene("chat", "--wire", "raw")
    report = tmp_path / "report"

    def runs(fault):
        tcp.port = 0
        binary, sockctl.binary = sockctl.binary, os.path.abspath(SEAM)
        proc = sockctl.serve("chat", tcp, *scene.words, "--count", 2, env={"SOCKCTL_SEAM": f"report={report}{fault}"}, stdin=b"")
        sockctl.binary = binary
        heard = None
        try:
            hears, says = tcp.dial(), tcp.dial()
            good = True
            says.sendall(LINES)
            wire.half_close(says)
            assert wire.read_eof(says) == b""
        except ConnectionError:
            good = False
        try:
            heard = wire.read(hears, len(LINES)) if good else b""
        except ConnectionError:
            pass
        wire.close_all()
        if not good:  # one of the two may not have come
            proc.signal(signal.SIGTERM)
        proc.wait()
        assert heard is None or not good or heard == LINES, (fault, proc)
        return good and heard is not None

    assert runs("")
    counts = dict(line.split() for line in report.read_text().splitlines())
    bad = 0
    for call in ("read", "write"):
        for k in range(1, int(counts[call]) + 1):
            if call == "write" and k == 1:
                continue  # the word that it listens
            bad += not runs(f",{call}:{k}:{ERRORS[call]}")
    assert bad
