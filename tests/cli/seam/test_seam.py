"""Whole runs on a system that misbehaves: reads and writes of one byte, EINTR and EAGAIN where they may come.

Needs the seam build (`make seam`), named in SOCKCTL_SEAM_BIN; the check runner does that.
"""
import os
import re
import signal

import pytest

import wire
from faulty import told, words
from place import Place, make_place

SEAM = os.environ.get("SOCKCTL_SEAM_BIN", "")

pytestmark = [pytest.mark.skipif(not os.access(SEAM, os.X_OK), reason="no seam build"), pytest.mark.usefixtures("loop")]

FAULTS = ["short=1", "short=7", "eintr", "again", "eintr,again", "short=1,eintr,again"]
SIZE = 40_000


@pytest.fixture(params=FAULTS)
def faulty(request, sockctl):
    """The fixture with every sockctl the seam build, under this fault."""
    sockctl.binary = os.path.abspath(SEAM)
    start = sockctl.start

    def start_faulty(*words, env=None, **how):
        return start(*words, env={"SOCKCTL_SEAM": request.param, **(env or {})}, **how)

    sockctl.start = start_faulty
    return sockctl


def size_for(place):
    """A record goes through ten times as many hands, a byte at a time."""
    return SIZE // 4 if place.tls else SIZE


def test_through_echo(faulty, place):
    data = wire.payload(size_for(place))
    faulty.serve("echo", place)
    wire.same(faulty.connect(place, stdin=data).ends(0), data)


def test_between_listen_and_connect(faulty, place):
    there, back = wire.payload(size_for(place), seed=2), wire.payload(size_for(place) + 777, seed=3)
    server = faulty.serve("listen", place, stdin=back)
    client = faulty.connect(place, stdin=there)
    got = wire.Task(server.ends)
    wire.same(client.ends(0), back)
    wire.same(got.result(), there)


def test_between_files(faulty, tcp, tmp_path):
    (tmp_path / "in").write_bytes(wire.payload(SIZE))
    faulty.serve("echo", tcp)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
        client = faulty.connect(tcp, stdin=source, stdout=sink)
    client.ends(0)
    wire.same((tmp_path / "out").read_bytes(), wire.payload(SIZE))


def test_asked_faults_are_the_same(faulty, tcp, tmp_path):
    """What --fault does is a matter of the seed, and not of how few bytes a call moves: this digest is of a run without trouble."""
    log = tmp_path / "events"
    faults = words(log, "corrupt=1/100", "chunk=1..500", "latency=1ms~1ms", "sink-after=30000:in", seed=42)
    server = faulty.serve("echo", tcp, *faults)
    got = faulty.connect(tcp, stdin=wire.payload(120_000)).ends(0)
    server.signal(signal.SIGTERM)
    server.ends(0)
    assert len(got) == 30_000
    assert wire.sha(got) == "2584705135fc85d5158ea4b62a20be48bd8dc250b9f3532a42e9f99807862a29"
    assert len(told(log, "in")) == 303 and len(told(log, "out")) == 302


def test_datagrams(faulty, dgram):
    faulty.serve("echo", dgram)
    sock = dgram.dial()
    for size in (1, 0, 100, 8000):
        sock.send(wire.payload(size))
        assert sock.recv(70000) == wire.payload(size)


def test_datagram_client(faulty, dgram):
    server = dgram.listen()
    client = faulty.connect(dgram, "--replies", "2", stdin=b"x")
    data, peer = server.recvfrom(100)
    assert data == b"x"
    server.sendto(b"one", peer)
    server.sendto(b"two", peer)
    assert client.ends(0) == b"onetwo"


def test_chat(faulty, place):
    faulty.serve("chat", place)
    one, two = place.dial(), place.dial()
    one.sendall(b"/nick ana\n")
    wire.read_until(two, b"ana")
    one.sendall(b"hello\n" + b"x" * 3000 + b"\n")
    wire.read_until(two, b"<ana> hello\n<ana> " + b"x" * 3000 + b"\n")


def test_console(faulty, place):
    proc = faulty.serve("serve", place)
    sock = place.dial()
    sock.sendall(b"hello\n")
    assert proc.read_until() == b"[1] hello\n"
    proc.send(b"hi\n")
    assert wire.read(sock, 3) == b"hi\n"
    proc.signal(signal.SIGTERM)
    wire.close(sock)
    proc.ends(0)


@pytest.mark.parametrize("fault, code", [
    ("accept:1:EMFILE", 0), ("accept:1:ECONNABORTED", 0), ("accept:1:EPERM", 0), ("accept:1:ENOBUFS", 0), ("accept:1:ENOMEM", 0),
])
def test_a_server_never_exits_for_a_failed_accept(sockctl, tcp, fault, code):
    sockctl.binary = os.path.abspath(SEAM)
    proc = sockctl.serve("echo", tcp, env={"SOCKCTL_SEAM": fault})
    first, second = tcp.dial(), tcp.dial()
    second.sendall(b"x")
    assert wire.read(second, 1) == b"x"
    wire.close(first)
    wire.close(second)
    proc.signal(signal.SIGTERM)
    proc.ends(code)


@pytest.mark.parametrize("fault", ["memory:1+:ENOMEM", "socket:1:EMFILE", "connect:1:ENETUNREACH", "write:1+:EIO", "read:1+:EIO",
                                   "setsockopt:1+:EPERM", "open:1+:EACCES"])
def test_a_failing_system_is_told_in_one_line(sockctl, tmp_path, fault):
    """Never a crash, a hang, or an exit 0 with bytes lost."""
    place = Place("tcp4", tmp_path)
    sockctl.serve("echo", place)
    sockctl.binary = os.path.abspath(SEAM)
    proc = sockctl.connect(place, stdin=b"through?", env={"SOCKCTL_SEAM": fault})
    code = proc.wait()
    if code == 0:
        assert bytes(proc.buf) == b"through?"
        assert proc.lines() == []
    else:
        assert 0 < code < 128
        assert len(proc.lines()) == 1


# What the fault sweep has found (tests/torture), each at the command line.


@pytest.fixture
def seam(sockctl):
    """seam(fault): from here on every sockctl is the seam build, under this fault."""
    start = sockctl.start

    def under(fault):
        sockctl.binary = os.path.abspath(SEAM)
        sockctl.start = lambda *words, env=None, **how: start(*words, env={"SOCKCTL_SEAM": fault, **(env or {})}, **how)

    return under


@pytest.mark.parametrize("fault", ["short=3,again", "short=1,eintr,again"])
def test_the_last_words_of_a_program_are_read_whatever_a_read_says(sockctl, pair, tmp_path, seam, fault):
    """Its pipe says AGAIN although there is more: that is not the end."""
    seam(fault)
    place = Place("unix", tmp_path)
    listener = place.listen()
    proc = sockctl.start("connect", *place.words(), "--", "/bin/cat")
    sock = wire.accept(listener)
    data = wire.payload(5000)
    sending = wire.sending(sock, data)
    wire.same(wire.read_eof(sock), data)
    sending.result()
    proc.ends(0)


def test_accepting_that_never_works_does_not_spin(sockctl, tcp, seam, tmp_path):
    seam(f"accept:1+:EPERM,report={tmp_path / 'report'}")
    proc = sockctl.serve("echo", tcp)
    tcp.dial()
    proc.says(rb"paused: Operation not permitted")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    calls = dict(line.split() for line in (tmp_path / "report").read_text().splitlines())
    assert int(calls["accept"]) <= 2000


def test_a_client_that_finds_no_memory_is_told_and_named(sockctl, seam, tmp_path):
    """Each allocation in its turn: with --strict the run says so, and its peer is cut off and does not see an empty answer."""

    def client(fault, comes=True):
        """The server, ended, and what its client got: None when it was cut off."""
        place = Place("tcp4", tmp_path)
        seam(f"{fault}report={tmp_path / 'report'}")
        proc = sockctl.serve("echo", place, "--strict")
        got = b""
        if comes:
            try:
                sock = place.dial()
                sock.sendall(b"x")
                wire.half_close(sock)
                got = wire.read_eof(sock)
            except OSError:  # a reset, which may come before we have said anything
                got = None
        proc.signal(signal.SIGTERM)
        proc.wait()
        return proc, got

    def allocations():
        return int(dict(line.split() for line in (tmp_path / "report").read_text().splitlines())["memory"])

    client("", comes=False)
    ready = allocations()
    assert client("")[1] == b"x"
    named = 0
    for number in range(ready + 1, allocations() + 1):
        proc, got = client(f"memory:{number}:ENOMEM,")
        sockctl.procs.remove(proc)  # its end is judged here
        if proc.code == 0:
            assert got == b"x", number
        else:
            assert got is None, number
            assert "memory" in proc.complaint()
            named += 1
    assert named


@pytest.mark.parametrize("fault", ["again", "short=1,eintr,again"])
def test_a_lookup_that_is_interrupted(sockctl, tcp, seam, fault):
    sockctl.serve("echo", tcp)
    seam(fault)
    assert sockctl.start("connect", "-4", "localhost", tcp.port, stdin=b"found").ends(0) == b"found"


@pytest.mark.parametrize("fault", ["open:3:EINTR", "eintr"])
def test_certificates_are_read_in_spite_of_signals(sockctl, tmp_path, seam, fault):
    seam(fault)
    place = make_place("tls", tmp_path)
    sockctl.serve("echo", place)
    sock = place.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"


@pytest.mark.parametrize("service", [[], ["--discard"]])
def test_a_handshake_that_cannot_be_finished_has_failed(sockctl, tmp_path, seam, service):
    """Also where neither end would write afterwards."""
    place = make_place("tls", tmp_path)
    place.listen()
    seam("write:2+:EPIPE")
    proc = sockctl.connect(place, *service, stdin=b"")
    proc.ends(6)
    assert "during the handshake" in proc.complaint()


def test_waiting_without_memory_is_no_bug_of_ours(sockctl, tcp, seam):
    seam("wait:1+:ENOMEM")
    proc = sockctl.start("listen", *tcp.words())
    proc.ends(9)
    assert re.search("Cannot allocate memory|Out of memory", proc.complaint())  # glibc's words, and musl's


def test_a_password_is_read_in_pieces(sockctl, tcp, tmp_path):
    """As a pipe may give it: --proxy-auth <(pass proxy)."""
    sockctl.binary = os.path.abspath(SEAM)
    (tmp_path / "auth").write_text("ana:secret\n")
    tcp.bind()
    proc = sockctl.run("connect", "--proxy-auth", tmp_path / "auth", "--proxy", f"socks5://127.0.0.1:{tcp.port}", "127.0.0.1", 1,
                       env={"SOCKCTL_SEAM": "short=1"})
    assert proc.code == 4 and "refused" in proc.complaint()


@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_a_peer_that_has_ended_and_never_reads_is_not_asked_for_ever(sockctl, pair, seam, tmp_path, mode):
    """On a Unix socket nothing tells when it reads. The run asks less and less often: a dozen questions in four seconds."""
    seam(f"report={tmp_path / 'report'}")
    place = Place("unix", tmp_path)
    proc, sock = pair(mode, place, "--max-time", "4s", stdin=b"not read")
    wire.half_close(sock)
    proc.ends(5)
    calls = {name: int(n) for name, n in (line.split() for line in (tmp_path / "report").read_text().splitlines())}
    assert 0 < calls["wait"] <= 40
    assert wire.read(sock, 8) == b"not read"


@pytest.mark.parametrize("fault", ["wake:1:EIO", "wake:1+:EIO", "wake:1+:EAGAIN", "wake:1+:EINTR"])
@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_a_signal_is_heard_whatever_becomes_of_its_byte(sockctl, place, seam, mode, fault):
    """The handler's write to its own pipe fails, once or always: TERM ends the server, after a USR1 that failed alike."""
    seam(fault)
    proc = sockctl.serve(mode, place)
    proc.signal(signal.SIGUSR1)
    proc.says(rb"clients?|sent")
    proc.signal(signal.SIGTERM)
    proc.ends(0)


@pytest.mark.parametrize("fault", ["wake:1:EIO", "wake:1+:ENOMEM"])
def test_a_program_that_ends_is_noticed_whatever_becomes_of_the_byte(sockctl, tcp, seam, fault):
    seam(fault)
    proc = sockctl.serve("serve", tcp, "--count", "1", "-e", "exec cat")
    sock = tcp.dial()
    sock.sendall(b"there")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"there"
    proc.ends(0)


@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_a_signal_ends_a_client_whatever_becomes_of_its_byte(pair, tcp, seam, mode):
    seam("wake:1:EIO")
    proc, sock = pair(mode, tcp)
    sock.sendall(b"x")
    assert proc.read_until(b"x") == b"x"
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)
