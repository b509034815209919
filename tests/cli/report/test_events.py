"""--events and --json: every line is strict JSON whatever happens, keys stand as the rows say, nothing is held up, exit is last."""
import base64
import errno
import fcntl
import json
import os
import re
import resource
import select
import signal
import stat

import pytest

import wire
from conftest import TOP

ROWS = {}
for _name, _keys in re.findall(r'^EVENT\(\w+,\s+"(\w+)",\s+\w+,\s+"([^"]*)"', (TOP / "lib/base/events.def").read_text(), re.M):
    ROWS.setdefault(_name, _keys.split())
COMMON = ["v", "ev", "seq", "ts", "us", "conn"]
TEXTS = {"version", "mode", "args", "host", "addr", "error", "proto", "family", "url", "peer", "reason", "local", "role", "dir",
         "b64", "rule", "by", "how", "signal", "what", "nick", "was", "text", "class", "why", "want", "got", "pin", "cipher",
         "alpn", "sni", "verify", "kind", "state", "user", "chroot", "of", "now",
         "limited", "via", "authority", "tls", "cn", "subject", "issuer", "until"}
BYTES = bytes(range(256))


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def once(pairs):
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"a key twice: {keys}"
    return dict(pairs)


def look(event):
    """One event against the rows: which keys, in which order, of which type."""
    row = ROWS[event["ev"]]
    keys = list(event)
    common = [key for key in COMMON if key in event]
    assert keys[: len(common)] == common and common[:5] == COMMON[:5], keys
    own = keys[len(common):]
    assert own == [key for key in row if key in own], f"not the row's keys: {event}"
    assert event["v"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["ts"])
    for key in own:
        wanted = str if key in TEXTS else bool if key in ("truncated", "seccomp") else list if key in ("addrs", "ports", "left") else int
        assert type(event[key]) is wanted, f"{key} in {event}"


def strict(data, whole=True):
    """The events of a stream, all of it checked. whole: it began with start and ended with exit, and numbers tell what is lost."""
    assert data.endswith(b"\n")
    events = []
    for line in data.split(b"\n")[:-1]:
        assert len(line) < 4096
        text = line.decode("utf-8")
        assert text.isprintable() or all(c.isprintable() or c > "\x9f" for c in text), line
        events.append(json.loads(text, parse_constant=refuse, parse_float=refuse, object_pairs_hook=once))
        look(events[-1])
    seq = us = 0
    for event in events:
        missed = event["count"] if event["ev"] == "lost" and event["what"] == "log" else 0
        assert event["seq"] == seq + missed + 1, event
        assert event["us"] >= us
        seq, us = event["seq"], event["us"]
    if whole:
        assert events[0]["ev"] == "start"
        assert [e["ev"] for e in events].index("exit") == len(events) - 1
    return events


def pick(events, kind, **with_these):
    return [e for e in events if e["ev"] == kind and all(e.get(k) == v for k, v in with_these.items())]


def one(events, kind, **with_these):
    found = pick(events, kind, **with_these)
    assert len(found) == 1, f"{len(found)} of {kind} {with_these}: {events}"
    return found[0]


@pytest.fixture
def log(tmp_path):
    """Where events go, and what stands there."""

    class Log:
        path = tmp_path / "events"
        words = ("--events", path)

        def events(self, **how):
            return strict(self.path.read_bytes(), **how)

    return Log()


@pytest.fixture
def blocked():
    """A pipe that is full and not read: (reads, writes)."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    try:
        while True:
            os.write(writes, b"\n" * 4096)
    except BlockingIOError:
        os.set_blocking(writes, True)
    yield reads, writes
    os.close(reads)
    os.close(writes)


# what each kind has


def test_faults(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, *log.words, "--seed", "7", "--fault", "corrupt-at=0:in", "--fault", "slow-close=1ms")
    sock = tcp.dial()
    sock.sendall(b"x")
    wire.half_close(sock)
    value = ord(wire.read_eof(sock)) ^ ord("x")
    wire.close(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    events = log.events()
    assert one(events, "start")["seed"] == 7
    changed, slow = pick(events, "fault", conn=1)
    assert (changed["kind"], changed["dir"], changed["off"], changed["value"]) == ("corrupt-at", "in", 0, value)
    assert (slow["kind"], slow["value"], slow.get("dir")) == ("slow-close", 1000, None)


@pytest.mark.usefixtures("loop")
def test_a_client(sockctl, place, log):
    listener = place.listen()
    proc = sockctl.connect(place, *log.words, stdin=b"ask")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == b"ask"
    sock.sendall(b"answer")
    sock.close()
    assert proc.ends(0) == b"answer"
    events = log.events()
    start = one(events, "start", mode="connect", pid=proc.pid)
    assert "--events" in start["args"] and isinstance(start["seed"], int) and start["version"]
    assert one(events, "connecting")["addr"]
    opened = one(events, "open", conn=1, role="dial", active=1, proto="unix" if place.unix else "tcp")
    closed = one(events, "close", conn=1, by="peer", how="fin", truncated=False, out=3)
    assert closed["in"] == 6 and "error" not in closed and "errno" not in closed
    assert closed["peer"] == opened["peer"] == ("unix" if place.unix else place.shown())
    assert 0 < closed["first_us"] <= closed["dur_us"] <= events[-1]["us"]
    assert one(events, "sent", conn=1)["bytes"] == 3
    assert {e["dir"] for e in pick(events, "eof", conn=1)} == {"in", "out"}
    last = one(events, "exit", code=0, conns=1, rejected=0, fails=0, out=3)
    assert last["in"] == 6 and last["class"] == "ok" and "error" not in last and last["dur_us"] > 0
    order = [e["ev"] for e in events]
    assert order.index("connecting") < order.index("open") < order.index("eof") < order.index("close")


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
def test_a_server(sockctl, place, log, mode):
    proc = sockctl.serve(mode, place, *log.words, *(("--count", "1") if mode != "listen" else ()), stdin=b"")
    sock = place.dial()
    local = sock.getsockname()
    sock.sendall(b"hola\n")
    wire.half_close(sock)
    wire.read_eof(sock)
    sock.close()
    proc.ends(0)
    events = log.events()
    listening = one(events, "listen", proto="unix" if place.unix else "tcp")
    assert listening["backlog"] >= 1
    ready = one(events, "ready")
    if place.unix:
        assert listening["family"] == "unix" and listening["addr"] == ready["url"] == f"unix:{place.path}"
        assert ready["ports"] == [] and "port" not in listening
    else:
        assert listening["addr"] == place.shown() and listening["host"] == place.host
        assert listening["port"] == place.port and listening["family"] == ("ipv6" if ":" in place.host else "ipv4")
        assert ready["ports"] == [place.port] and ready["url"] == str(place.words()[0]) and ready["host"] == place.host
        assert place.tls or one(events, "request")["peer"].endswith(f":{local[1]}")
    opened = one(events, "open", conn=1, role="accept")
    assert place.unix or opened["local"] == place.shown()
    assert one(events, "close", conn=1)["in"] == 5
    assert events[-1]["in"] == 5 and events[-1]["conns"] == 1
    order = [e["ev"] for e in events]
    assert order.index("listen") < order.index("ready") < order.index("request") < order.index("open") < order.index("close")


def test_ready_is_reachable(sockctl, log):
    """Wildcards are told as the loopback address."""
    proc = sockctl.serve("echo", ["0"], *log.words)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    events = log.events()
    ready = one(events, "ready")
    assert ready["ports"] == [proc.port] and ready["host"] in ("127.0.0.1", "::1")
    assert ready["url"] == f"tcp://{'[::1]' if ready['host'] == '::1' else '127.0.0.1'}:{proc.port}"
    assert {e["family"] for e in pick(events, "listen")} <= {"ipv4", "ipv6"}


def test_datagrams(sockctl, dgram, log):
    proc = sockctl.serve("echo", dgram, *log.words, "-i", "100ms", "--count", "1")
    sock = dgram.dial()
    sock.send(b"hola")
    assert sock.recv(100) == b"hola"
    proc.ends(0)
    events = log.events()
    proto = "unix-dgram" if dgram.unix else "udp"
    assert "backlog" not in one(events, "listen", proto=proto)
    one(events, "open", conn=1, proto=proto)
    closed = one(events, "close", conn=1, by="idle", out=4, truncated=False)
    assert "how" not in closed and closed["in"] == 4 and "error" not in closed


def test_turned_away(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, *log.words, "--max", "1")
    first, second = tcp.dial(), None
    first.sendall(b"x")
    wire.read(first, 1)
    second = tcp.dial()
    assert wire.read_eof(second) == b""
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    events = log.events()
    one(events, "reject", reason="full")
    assert "conn" not in one(events, "reject") and len(pick(events, "request")) == 2
    drain = one(events, "drain", signal="SIGTERM", active=1)
    assert drain["deadline_us"] == 5000000
    one(events, "close", by="drain")
    one(events, "exit", code=0, conns=1, rejected=1)


def test_denied(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, *log.words, "--deny", "127.0.0.0/8")
    assert wire.read_eof(tcp.dial()) == b""
    proc.signal(signal.SIGINT)
    proc.ends(0)
    one(log.events(), "reject", reason="deny")


@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_a_reset(pair, tcp, log, mode):
    proc, sock = pair(mode, tcp, *log.words)
    proc.send(b"x")
    wire.read(sock, 1)
    wire.reset(sock)
    proc.ends(7)
    events = log.events()
    closed = one(events, "close", by="error", how="rst", truncated=True, errno=errno.ECONNRESET)
    assert "reset" in closed["error"]
    last = one(events, "exit", code=7, fails=1)
    assert last["class"] == "lost" and last["error"] == proc.complaint().removeprefix("sockctl: ")


def test_limits_of_time(sockctl, tcp, log):
    for words, by, code in (("-i", "idle", 5), ("--max-time", "max_time", 5), ("--lifetime", "lifetime", 5)):
        listener = tcp.listen()
        proc = sockctl.connect(tcp, *log.words, words, "100ms")
        wire.accept(listener)
        proc.ends(code)
        listener.close()
        tcp.port = 0
        events = log.events()
        one(events, "close", by=by)
        assert events[-1]["class"] == "timeout"


def test_chat_members(sockctl, tcp, log):
    proc = sockctl.serve("chat", tcp, *log.words, "--count", "1")
    sock = tcp.dial()
    wire.read_until(sock)
    sock.sendall(b"/nick ana\n")
    wire.read_until(sock)
    sock.sendall(b"/quit\n")
    wire.read_eof(sock)
    sock.close()
    proc.ends(0)
    members = pick(log.events(), "member", conn=1)
    assert [(e["what"], e["nick"]) for e in members] == [("join", "1"), ("rename", "ana"), ("leave", "ana")]
    assert members[1]["was"] == "1"


def test_dialing_in_vain(sockctl, tcp, log):
    bound = tcp.bind()
    proc = sockctl.start("connect", *log.words, "--wait", "300ms", "localhost", bound.getsockname()[1], stdin=b"")
    proc.ends(4)
    events = log.events()
    assert "127.0.0.1" in pick(events, "resolve", host="localhost")[0]["addrs"]
    retries = pick(events, "retry")
    assert [e["try"] for e in retries] == list(range(1, len(retries) + 1)) and len(retries) >= 2
    assert all(e["errno"] == errno.ECONNREFUSED and "refused" in e["error"] and e["next_us"] >= 0 for e in retries)
    assert len(pick(events, "dial_fail", errno=errno.ECONNREFUSED)) == len(pick(events, "connecting")) >= 3
    assert events[-1]["class"] == "connect" and events[-1]["conns"] == 0


def test_a_name_that_no_client_has(sockctl, log):
    proc = sockctl.run("connect", *log.words, "surely.invalid", "80")
    assert proc.code == 3
    assert log.events()[-1]["class"] == "resolve"


@pytest.mark.parametrize("mode, signo", [("connect", signal.SIGTERM), ("listen", signal.SIGINT), ("listen", signal.SIGHUP)])
def test_death_by_signal(pair, tcp, log, mode, signo):
    proc, sock = pair(mode, tcp, *log.words)
    proc.send(b"x")
    wire.read(sock, 1)
    proc.signal(signo)
    proc.ends(-signo)
    events = log.events()
    one(events, "close", by="signal")
    last = one(events, "exit", code=128 + signo)
    assert last["class"] == "signal" and "error" not in last


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit is Linux's")
def test_no_descriptors(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, *log.words)
    first = tcp.dial()
    first.sendall(b"x")
    wire.read(first, 1)
    used = [int(n) for n in os.listdir(f"/proc/{proc.pid}/fd")]
    most = max(used) + 1
    before = resource.prlimit(proc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proc.pid, resource.RLIMIT_NOFILE, (most, before[1]))
    waiting = [tcp.dial() for _ in range(4 + most - len(used))]
    wire.until(lambda: b'"pause"' in log.path.read_bytes(), "the pause")
    wire.close(first)
    for sock in waiting:
        sock.sendall(b"x")
    while waiting:  # each one that leaves makes room for the next
        ready = select.select(waiting, [], [], wire.DEADLINE)[0]
        assert ready, f"no client was let in: {proc}"
        for sock in ready:
            waiting.remove(sock)
            wire.close(sock)
    resource.prlimit(proc.pid, resource.RLIMIT_NOFILE, before)
    tcp.dial()
    wire.until(lambda: b'"resume"' in log.path.read_bytes(), "the end of the pause")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    one(log.events(), "pause", reason="emfile")
    one(log.events(), "resume", reason="emfile")


# where they go


def test_json_is_all_there_is_on_stderr(sockctl, tcp):
    bound = tcp.bind()
    proc = sockctl.connect(tcp, "--json", stdin=b"")
    proc.ends(4)
    events = strict(bytes(proc.err))
    assert events[-1]["error"] == f"connect {tcp.shown()}: Connection refused"
    bound.listen()
    proc = sockctl.connect(tcp, "--json", stdin=b"")
    wire.accept(bound).close()
    assert proc.ends(0) == b""
    assert strict(bytes(proc.err))[-1]["code"] == 0


def test_both_streams_have_numbers_of_their_own(sockctl, tcp, log):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--json", *log.words, stdin=b"x")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == b"x"
    sock.close()
    proc.ends(0)
    there, here = log.events(), strict(bytes(proc.err))
    assert [e["ev"] for e in there] == [e["ev"] for e in here]


def test_words_stay_as_they_are(sockctl, tcp, log):
    """The file has all kinds, stderr what was asked for."""
    for words, count in ((), 0), (("-q",), 0), (("-v",), 3):
        listener = tcp.listen()
        proc = sockctl.connect(tcp, *log.words, *words, stdin=b"")
        sock = wire.accept(listener)
        sock.sendall(b"x")
        sock.close()
        listener.close()
        assert proc.ends(0) == b"x"
        assert len(proc.lines()) == count
        assert len(log.events()) >= 7
        tcp.port = 0


def test_the_file(sockctl, log):
    assert sockctl.run("connect", *log.words, "127.0.0.1", "1").code == 4
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    log.path.write_bytes(b"of old\n" * 1000)
    assert sockctl.run("connect", *log.words, "127.0.0.1", "1").code == 4
    log.events()


def test_to_a_descriptor_and_stdout(sockctl, tcp):
    for words in (["--events", "fd:{}"], ["--events", "/dev/fd/{}"]):
        reads, writes = os.pipe()
        proc = sockctl.start("connect", words[0], words[1].format(writes), "127.0.0.1", "1", stdin=b"", pass_fds=(writes,))
        os.close(writes)
        proc.ends(4)
        with open(reads, "rb") as pipe:
            assert strict(pipe.read())[-1]["code"] == 4
    for name in "-", "fd:1":
        proc = sockctl.serve("echo", tcp, "--events", name)
        proc.signal(signal.SIGTERM)
        assert strict(proc.ends(0))[-1]["code"] == 0
        tcp.port = 0


def test_to_a_fifo(sockctl, log):
    os.mkfifo(log.path)
    proc = sockctl.start("connect", *log.words, "127.0.0.1", "1", stdin=b"")
    with open(log.path, "rb") as pipe:
        events = strict(pipe.read())
    proc.ends(4)
    assert events[-1]["code"] == 4


def test_the_descriptor_belongs_to_events(sockctl, tcp):
    """Its reader sees the end when we end, whatever else we have started."""
    reads, writes = os.pipe()
    proc = sockctl.start("connect", "--events", f"fd:{writes}", "localhost", "1", stdin=b"", pass_fds=(writes,))
    os.close(writes)
    proc.ends(4)
    with open(reads, "rb") as pipe:
        assert strict(pipe.read())


# what is refused


@pytest.mark.parametrize("words", [
    ["connect", "--events", "-"], ["connect", "--events", "fd:1"], ["connect", "--events", "/dev/fd/1"],
    ["listen", "--events", "-"], ["serve", "--events", "-"], ["connect", "--probe", "--events", "-"],
    ["echo", "--print-port", "--events", "-"],
])
def test_stdout_is_taken(sockctl, words):
    """Nothing else than events comes there then, and they say why."""
    proc = sockctl.run(*words, "127.0.0.1", "0" if words[0] != "connect" else "1")
    assert proc.code == 2
    assert "stdout" in proc.complaint()
    assert strict(proc.read_eof())[-1]["class"] == "usage"


@pytest.mark.parametrize("words, says", [
    (["--events", "fd:99"], "Bad file descriptor"), (["--events", "fd:0"], "1 or more"), (["--events", "fd:x"], "1 or more"),
    (["--events", "fd:"], "1 or more"), (["--events", "/nonexistent/x"], "No such file"), (["--events", "/"], "directory"),
    (["--events", ""], "--events"), (["--events-data", "len"], "--events"), (["--json", "-q"], "cannot be used together"),
    (["--events", "x", "--events-data", "all"], "none, len or b64|len"),
])
def test_what_cannot_be(sockctl, words, says, tmp_path):
    proc = sockctl.run("connect", *words, "127.0.0.1", "1", before_exec=lambda: os.chdir(tmp_path))
    assert proc.code == 2
    assert re.search(says, proc.complaint()), proc.complaint()


def test_a_link_and_a_reading_end(sockctl, log, tmp_path):
    log.path.symlink_to(tmp_path / "other")
    assert sockctl.run("connect", *log.words, "127.0.0.1", "1").code == 2
    assert not (tmp_path / "other").exists()
    reads, writes = os.pipe()
    proc = sockctl.run("connect", "--events", f"fd:{reads}", "127.0.0.1", "1", pass_fds=(reads,))
    os.close(reads)
    os.close(writes)
    assert proc.code == 2 and "reading only" in proc.complaint()


def test_no_event_before_a_wrong_line(sockctl, log):
    assert sockctl.run("connect", *log.words, "--wiat", "1s", "127.0.0.1", "1").code == 2
    assert not log.path.exists()


# whatever is in it


@pytest.mark.parametrize("text", [BYTES[1:], b"\xc3\x28\xff\xfe \xed\xa0\x80", "se\u00f1or \U0001f600 \u202e".encode(),
                                  b"\x1b]0;x\x07" * 2000], ids=["all", "no-utf8", "utf8", "long"])
def test_any_argument(sockctl, log, text):
    proc = sockctl.run("echo", *log.words, "--full-message", os.fsdecode(text), "256.1.1.1", "0")
    assert proc.code in (2, 3)
    assert "--full-message" in one(log.events(), "start")["args"]


def test_passwords(sockctl, log):
    proc = sockctl.run("connect", *log.words, "-vv", "--file=http://ana:geheim@host/x", "tcp://ana:ge heim@host:1")
    assert proc.code == 2
    told = log.path.read_bytes() + bytes(proc.err)
    assert b"geheim" not in told and b"ge heim" not in told and b"ana:***@host" in told
    log.events()


@pytest.mark.parametrize("mode", ["connect", "listen"])
@pytest.mark.parametrize("form", ["len", "b64"])
def test_payload(pair, place, log, mode, form):
    """All byte values, what is no UTF-8, bursts of 64 KiB: both ways, and the bytes are the bytes."""
    there = BYTES * 3 + b"\xc3\x28\xed\xa0\x80\xf8" + wire.payload(64 * 1024) * 5
    back = wire.payload(200000, seed=2) + BYTES[::-1]
    proc, sock = pair(mode, place, *log.words, "--events-data", form)
    got = wire.Task(wire.read_eof, sock)
    proc.feed += there
    proc.eof()
    sent = wire.sending(sock, back)
    assert proc.read(len(back)) == back
    proc.ends(0)
    sent.result()
    wire.same(got.result(), there)
    events = log.events()
    for way, data in ("in", back), ("out", there):
        pieces = pick(events, "data", conn=1, dir=way)
        at = 0
        for piece in pieces:
            assert piece["off"] == at
            if form == "b64":
                assert base64.b64decode(piece["b64"], validate=True) == data[at:at + piece["len"]]
            else:
                assert "b64" not in piece
            at += piece["len"]
        assert at == len(data)


# a reader that does not read


@pytest.mark.parametrize("data", [(), ("--events-data", "b64")], ids=["plain", "b64"])
@pytest.mark.parametrize("where", ["json", "fd"])
def test_events_without_a_reader(sockctl, tcp, blocked, where, data):
    """Every byte passes; in the end the program does not stay for its events."""
    _, writes = blocked
    data_sent = wire.payload(16 << 20)
    listener = tcp.listen()
    if where == "json":
        proc = sockctl.connect(tcp, "--json", *data, stderr=writes)
    else:
        proc = sockctl.connect(tcp, "--events", f"fd:{writes}", *data, pass_fds=(writes,))
    sock = wire.accept(listener)
    got = wire.Task(wire.read_eof, sock)
    proc.send(data_sent)
    proc.eof()
    wire.same(got.result(), data_sent)
    sock.close()
    proc.ends(0)


def test_a_reader_that_comes_back(sockctl, tcp, blocked):
    """What it missed is counted where it is missing, and exit still is the last."""
    reads, writes = blocked
    proc = sockctl.serve("echo", tcp, "--events", f"fd:{writes}", pass_fds=(writes,))

    def visit():
        sock = tcp.dial()
        sock.sendall(b"x")
        wire.half_close(sock)
        assert wire.read_eof(sock) == b"x"
        sock.close()

    for _ in range(400):  # six events each, about 250 bytes an event: more than a queue
        visit()
    fcntl.fcntl(reads, fcntl.F_SETFL, os.O_NONBLOCK)
    told = bytearray()

    def read_some():
        try:
            while part := os.read(reads, 65536):
                told.extend(part)
        except BlockingIOError:
            pass
        return told.count(b'"ev":"close"') > 100

    wire.until(read_some, "the queue")
    for _ in range(20):
        visit()
    os.set_blocking(reads, True)

    def drain():
        while not told.endswith(b"}\n") or b'"ev":"exit"' not in told[-600:]:
            told.extend(os.read(reads, 65536))

    rest = wire.Task(drain)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    rest.result()
    events = strict(bytes(told).lstrip(b"\n"))
    lost = pick(events, "lost", what="log")
    assert lost and sum(e["count"] for e in lost) > 0
    assert events[-1]["conns"] == 420


def test_the_reader_leaves(sockctl, tcp):
    """The traffic goes on; it is said once."""
    reads, writes = os.pipe()
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--events", f"fd:{writes}", pass_fds=(writes,))
    os.close(writes)
    sock = wire.accept(listener)
    os.close(reads)
    proc.send(b"more")
    proc.eof()
    assert wire.read_eof(sock) == b"more"
    sock.close()
    proc.ends(0)
    assert len(proc.lines()) == 1 and "no more events" in proc.lines()[0]


def test_a_full_disk(sockctl, tcp):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--events", "/dev/full", stdin=b"x")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == b"x"
    sock.close()
    proc.ends(9)
    assert proc.lines() == ["sockctl: warning: no more events: write /dev/full: No space left on device",
                            "sockctl: write /dev/full: No space left on device"]


@pytest.mark.parametrize("mode", ["serve", "echo", "chat", "listen"])
def test_a_full_disk_is_said_also_with_q(sockctl, tcp, mode):
    proc = sockctl.run(mode, "-q", "--events", "/dev/full", "--run", "true" if mode != "listen" else "exit 3", *tcp.words())
    assert proc.code == 9, proc
    assert proc.complaint() == "sockctl: write /dev/full: No space left on device"


def test_events_of_a_full_stderr(sockctl, tcp):
    with open("/dev/full", "w") as full:
        proc = sockctl.run("echo", "--json", "--run", "true", *tcp.words(), stderr=full)
    assert proc.code == 9


@pytest.mark.parametrize("most", [1000, 2000, 3333, 4096])
def test_a_disk_that_fills_holds_whole_lines(sockctl, tcp, tmp_path, most):
    """Each write of the last line may be cut anywhere; what is there is read without a mistake, and every other report tells the end."""
    file = tmp_path / "events"
    other = sockctl.serve("echo", tcp, "--events", file, "--count", 20, "--json",
                          before_exec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    for _ in range(20):
        sock = tcp.dial()
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"
        wire.close(sock)
    other.ends(9)
    text = file.read_bytes()
    assert text.endswith(b"\n") and len(text) <= most
    seqs = [json.loads(line)["seq"] for line in text.splitlines()]
    assert seqs == list(range(1, len(seqs) + 1)) and len(seqs) > 2
    last = json.loads(other.err.splitlines()[-1])
    assert (last["ev"], last["code"], last["class"]) == ("exit", 9, "local")
    assert last["error"] == f"write {file}: File too large"
