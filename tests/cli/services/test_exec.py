"""A program per connection: bytes, ends, exit status, environment, and that no process is left.

SOCKCTL_LONG: a GiB through cat, and ten thousand short programs.
"""
import contextlib
import hashlib
import json
import os
import resource
import signal
import sys

import pytest

import wire
from place import make_place
from program import has_tls

pytestmark = pytest.mark.usefixtures("loop")
LONG = bool(os.environ.get("SOCKCTL_LONG"))


def start(sockctl, mode, place, *words, command=(), **how):
    """Words behind "--" stand behind the address."""
    tail = ["--", *command] if command else []
    proc = sockctl.serve(mode, [*words, *place.words(), *tail], **how)
    place.port = proc.port
    return proc


def gone(pid):
    """No process of that number, or only what its parent has not yet fetched."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("mode", ["listen", "serve"])
@pytest.mark.parametrize("how", ["shell", "program"])
def test_every_byte_and_the_end(sockctl, place, mode, how):
    words, command = (["-e", "cat"], ()) if how == "shell" else ([], ["cat"])
    start(sockctl, mode, place, *words, command=command)
    sock = place.dial()
    data = wire.payload(3 << 20)
    sender = wire.sending(sock, data)
    wire.same(wire.read_eof(sock), data)
    sender.result()


def test_connect_runs_a_program_too(sockctl, place):
    listener = place.listen()
    proc = sockctl.start("connect", "-e", "tr a-z A-Z; exit 7", *place.words())
    sock = wire.accept(listener)
    sock.sendall(b"hola\n")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"HOLA\n"
    assert proc.ends(7) == b""
    assert proc.lines() == ["sockctl: the command ended with status 7"]


@pytest.mark.parametrize("end,code", [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
def test_listen_passes_the_status_on(sockctl, tcp, end, code):
    proc = start(sockctl, "listen", tcp, "-e", f"cat >/dev/null; {end}")
    sock = tcp.dial()
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    proc.ends(code)


def test_what_was_written_before_the_exit_arrives(sockctl, place):
    start(sockctl, "serve", place, "-e", "head -c 300000 /dev/zero; exit 1")
    sock = place.dial()
    assert wire.read_eof(sock) == bytes(300_000)


@pytest.mark.whole("it takes too long byte by byte")
def test_a_program_that_reads_no_more_is_no_failure(sockctl, place):
    proc = start(sockctl, "listen", place, "-e", "head -1; exec <&-; read x 2>/dev/null; echo done")
    sock = place.dial()
    sender = wire.sending(sock, b"first\n" + bytes(3 << 20))
    assert wire.read_eof(sock) == b"first\ndone\n"
    sender.result()
    proc.ends(0)


@pytest.mark.usefixtures("loop")
def test_a_peer_that_takes_no_more_is_read_all_the_same(sockctl, tmp_path):
    """Its program must not wait for it with what it has to say."""
    place = make_place("unix", tmp_path)
    sockctl.serve("serve", place, "-e", "cat")
    sock = place.dial()
    sock.shutdown(wire.socket.SHUT_RD)
    sock.sendall(wire.payload(8 << 20))
    wire.half_close(sock)


def test_a_grandchild_that_holds_the_pipe_does_not_hold_up_the_end(sockctl, tcp):
    start(sockctl, "serve", tcp, "-e", "sleep 1000 & echo $!")
    sock = tcp.dial()
    pid = int(wire.read_eof(sock))
    wire.until(lambda: gone(pid), "the grandchild is ended with its group")


def test_a_program_without_its_client_is_ended(sockctl, tcp):
    start(sockctl, "serve", tcp, "-e", "echo $$; trap 'exit 0' TERM; while :; do read x || sleep 0.1; done")
    sock = tcp.dial()
    pid = int(wire.read_until(sock))
    wire.reset(sock)
    wire.until(lambda: gone(pid), "the program is ended")


def test_a_server_that_ends_leaves_no_program(sockctl, tcp):
    proc = start(sockctl, "serve", tcp, "--drain", "200ms", "-e", "trap '' TERM; echo $$; while :; do sleep 1; done")
    sock = tcp.dial()
    pid = int(wire.read_until(sock))
    proc.signal(signal.SIGTERM)
    proc.ends(0)  # no byte was sent that it would not have got
    assert gone(pid)


def test_a_drain_lets_the_program_finish(sockctl, tcp):
    proc = start(sockctl, "serve", tcp, "--drain", "1h", "-e", "echo here; cat; echo bye")
    sock = tcp.dial()
    assert wire.read_until(sock) == b"here\n"
    proc.signal(signal.SIGTERM)
    assert wire.refused(tcp.dial)
    sock.sendall(b"more\n")
    assert wire.read_until(sock) == b"more\n"
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"bye\n"
    proc.ends(0)


def test_environment(sockctl, tcp):
    start(sockctl, "serve", tcp, "-e", "env", env={"TCPREMOTEHOST": "stale", "LISTEN_FDS": "1"})
    sock = tcp.dial()
    told = dict(line.split("=", 1) for line in wire.read_eof(sock).decode().splitlines() if "=" in line)
    mine, peers = sock.getsockname(), sock.getpeername()
    assert told["PROTO"] == "TCP" and told["SOCKCTL_CONN"] == "1"
    assert (told["TCPREMOTEIP"], int(told["TCPREMOTEPORT"])) == mine
    assert (told["TCPLOCALIP"], int(told["TCPLOCALPORT"])) == peers
    assert "TCPREMOTEHOST" not in told and "LISTEN_FDS" not in told


def test_only_three_descriptors_and_default_signals(sockctl, tcp):
    code = ("import os, signal\n"
            "print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4], os.getpgrp() == os.getpid(),"
            " [s for s in (signal.SIGPIPE, signal.SIGTTIN) if signal.getsignal(s) is signal.SIG_IGN])")
    start(sockctl, "serve", tcp, "--count", "1", command=[sys.executable, "-S", "-c", "import signal; signal.signal("
          "signal.SIGPIPE, signal.SIG_DFL)\n" + code])
    assert wire.read_eof(tcp.dial()) == b"[0, 1, 2, 3] True []\n"  # 3 is the folder that is being listed


def test_stderr_is_ours(sockctl, tcp):
    proc = start(sockctl, "listen", tcp, "-e", "echo oops >&2")
    assert wire.read_eof(tcp.dial()) == b""
    proc.ends(0)
    assert b"oops\n" in bytes(proc.err)


def test_socket_itself(sockctl, tcp):
    proc = start(sockctl, "listen", tcp, "--exec-socket", command=["cat"])
    sock = tcp.dial()
    data = wire.payload(1 << 20)
    sender = wire.sending(sock, data)
    wire.same(wire.read_eof(sock), data)
    sender.result()
    proc.ends(0)


def test_many_short_ones(sockctl, tcp, tmp_path):
    """As many events as programs, and the same descriptors as before."""
    log = tmp_path / "log"
    proc = start(sockctl, "serve", tcp, "--max", "200", "--events", log, command=["true"])
    before = None
    for _ in range(20):
        socks = [tcp.dial() for _ in range(10)]
        for sock in socks:
            assert wire.read_eof(sock) == b""
            wire.close(sock)
        fds = lambda: len(os.listdir(f"/proc/{proc.pid}/fd"))
        if before is None:
            wire.until(lambda: not children(proc.pid), "the first ones are gone")
            before = fds()
    wire.until(lambda: not children(proc.pid), "no child is left, not even as a zombie")
    wire.until(lambda: fds() <= before, "no descriptor is left")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    kinds = [json.loads(line)["ev"] for line in log.read_text().splitlines()]
    assert kinds.count("child") == kinds.count("open") == kinds.count("close") == 200


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


def test_much_through_cat(sockctl, tcp):
    """Piece by piece, so that the length is no question of memory; the half-close comes back behind the last byte."""
    start(sockctl, "serve", tcp, command=["cat"])
    piece, pieces = wire.payload(8 << 20), 128 if LONG else 4
    sock = tcp.dial()

    def send():
        for _ in range(pieces):
            sock.sendall(piece)
        wire.half_close(sock)

    sender = wire.Task(send)
    want, got, size = hashlib.sha256(), hashlib.sha256(), 0
    for _ in range(pieces):
        want.update(piece)
    while part := sock.recv(1 << 20):
        got.update(part)
        size += len(part)
    sender.result()
    assert size == pieces * len(piece) and got.digest() == want.digest()


def test_thousands_of_short_ones(sockctl, tcp):
    """Clients that come and go, some of them without waiting: no zombie, no descriptor and no process group is left."""
    proc = start(sockctl, "serve", tcp, "--max", "64", "--when-full", "queue", "-e", "echo $$")
    fds, groups, before = lambda: len(os.listdir(f"/proc/{proc.pid}/fd")), [], 0
    for turn in range(625 if LONG else 20):
        socks = [tcp.dial() for _ in range(16)]
        for i, sock in enumerate(socks):
            if i % 4 == 3:
                wire.reset(sock)
                continue
            groups.append(int(wire.read_eof(sock)))
            wire.close(sock)
        if turn == 0:
            wire.until(lambda: not children(proc.pid), "the first ones are gone")
            before = fds()
    wire.until(lambda: not children(proc.pid), "no child is left, not even as a zombie")
    wire.until(lambda: fds() <= before, "no descriptor is left")
    for group in groups[-200:]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, 0)
            raise AssertionError(f"group {group} is left")


def test_a_program_that_cannot_be_started_ends_only_its_client(sockctl, tcp):
    """There is a descriptor for the client and none for its pipes: one line, and the server goes on until there are."""
    proc = start(sockctl, "serve", tcp, "-v", command=["cat"])
    limit = resource.prlimit(proc.pid, resource.RLIMIT_NOFILE)
    used = {int(n) for n in os.listdir(f"/proc/{proc.pid}/fd")}
    free = next(n for n in range(1000) if n not in used)
    resource.prlimit(proc.pid, resource.RLIMIT_NOFILE, (free + 1, limit[1]))
    with contextlib.suppress(ConnectionResetError):  # before it has noticed that it was let in
        assert wire.closed_without_a_byte(tcp.dial())
    proc.says(rb"\[1\] .* closed by error")
    resource.prlimit(proc.pid, resource.RLIMIT_NOFILE, limit)
    sock = tcp.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"


@pytest.mark.parametrize("words,sent,got", [
    (["--frame", "u16be"], b"\0\4hola\0\3que", b"\0\4HOLA\0\3QUE"), (["--crlf"], b"a\n", b"A\r\n")])
def test_layers_lie_in_between(sockctl, tcp, words, sent, got):
    start(sockctl, "serve", tcp, *words, "-e", "tr a-z A-Z")
    sock = tcp.dial()
    sock.sendall(sent)
    wire.half_close(sock)
    assert wire.read_eof(sock) == got


def test_facts_of_tls(sockctl, tmp_path):
    if not has_tls():
        pytest.skip("built without TLS")
    place = make_place("tls", tmp_path)
    start(sockctl, "serve", place, "-e", "env")
    told = dict(line.split("=", 1) for line in wire.read_eof(place.dial()).decode().splitlines() if "=" in line)
    assert told["PROTO"] == "TCP" and told["TLS_VERSION"].startswith("TLSv1.") and told["TLS_CIPHER"]
    assert "TLS_PEER_PIN" not in told


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_datagrams_have_a_program_each(sockctl, dgram):
    start(sockctl, "serve", dgram, command=["cat"])
    for word in (b"one", b"two"):
        sock = dgram.dial()
        sock.send(word)
        assert sock.recv(100) == word


@pytest.mark.parametrize("words,line", [
    (["0", "--", "no-such-program"], "sockctl: -- no-such-program: No such file or directory"),
    (["0", "--", "/etc/passwd"], "sockctl: -- /etc/passwd: Permission denied"),
    (["-e", "", "0"], "sockctl: --exec: the command is empty"),
    (["-e", "cat", "0", "--", "cat"], "sockctl: --exec and the program after --: only one of them can be run"),
    (["-e", "cat", "--zero", "0"], "sockctl: --zero and --exec: a connection can have only one service"),
])
def test_bad_input(sockctl, words, line):
    proc = sockctl.run("serve", *words)
    assert proc.code == 2 and proc.lines() == [line]


def test_a_mode_without_programs(sockctl):
    proc = sockctl.run("echo", "0", "--", "cat")
    assert proc.code == 2 and proc.lines() == ['sockctl: unexpected word "cat" after --: echo runs no command']


def test_what_cannot_be_started_later_ends_only_its_client(sockctl, tcp, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho yes\n")
    program.chmod(0o700)
    proc = start(sockctl, "serve", tcp, command=[program])
    assert wire.read_eof(tcp.dial()) == b"yes\n"
    program.unlink()
    assert wire.read_eof(tcp.dial()) == b""
    proc.says(rb"warning: -- .*/program: the program could not be started")
    program.write_text("#!/bin/sh\necho again\n")
    program.chmod(0o700)
    assert wire.read_eof(tcp.dial()) == b"again\n"
