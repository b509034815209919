"""Many clients, and the cost of silent ones."""
import os
import resource
import select
import signal
import socket
import time

import pytest

import wire
from place import Place
from program import is_sanitized

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts through /proc")
LOOPS = pytest.mark.usefixtures("loop")


def test_1500_clients_at_once(sockctl, place):
    """More than select can hold: the server takes epoll by itself, raises its own limit, and answers each."""
    many = 1500
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < many + 200:
        pytest.skip("our own limit of descriptors is too low")
    proc = sockctl.serve("echo", place, "--max", str(many), nofile=(256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    socks = [place.dial() for _ in range(many)]
    for turn in range(2):
        for number, sock in enumerate(socks):
            sock.sendall(b"%d of %d" % (turn, number))
        for number, sock in enumerate(socks):
            want = b"%d of %d" % (turn, number)
            assert wire.read(sock, len(want)) == want
    for sock in socks:
        wire.half_close(sock)
    for sock in socks:
        assert wire.read_eof(sock) == b""
    assert proc.alive()


@needs_proc
def test_10000_clients_that_stay(sockctl, tcp):
    """One round trip each, none lost; and then an idle client costs no more than 2 KiB."""
    many = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < many + 1000:
        pytest.skip("the limit of descriptors is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (many + 1000, hard))
    try:
        proc = sockctl.serve("echo", tcp, "--max", "0")
        before = resident_kib(proc)
        socks = [tcp.dial() for _ in range(many)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%5d" % number)
        for number, sock in enumerate(socks):
            assert wire.read(sock, 5) == b"%5d" % number
        if not is_sanitized():
            assert (resident_kib(proc) - before) / many <= 2
        assert proc.alive()
    finally:
        wire.close_all()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_kib(proc):
    with open(f"/proc/{proc.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


@LOOPS
def test_64_connects_at_once(sockctl, tcp):
    """The backlog holds a burst, and accepting goes on until none is left."""
    sockctl.serve("echo", tcp)
    socks = [wire.keep(socket.socket()) for _ in range(64)]
    for sock in socks:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", tcp.port))
    for sock in socks:
        assert select.select([], [sock], [], wire.DEADLINE)[1]
        sock.settimeout(wire.DEADLINE)
        sock.sendall(b"x")
    assert all(wire.read(sock, 1) == b"x" for sock in socks)


@LOOPS
def test_closed_clients_do_not_fill_the_server(sockctl, place):
    """A server that comes late to a crowd of which one is still there serves that one, though more than --max have come."""
    proc = sockctl.serve("echo", place, "--max", 20)
    proc.signal(signal.SIGSTOP)
    wire.until(proc.stopped, "a server that is late")
    for number in range(40):
        sock = place.dial(raw=True)
        sock.sendall(b"x" * (number % 3))
        wire.close(sock)
    alive = wire.Task(place.dial)
    if not place.tls:
        alive.result().sendall(b"here")
    proc.signal(signal.SIGCONT)
    if place.tls:
        alive.result().sendall(b"here")
    assert wire.read(alive.result(), 4) == b"here"


@needs_proc
@LOOPS
@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_no_descriptor_is_left_after_1000_clients(sockctl, place, mode):
    proc = sockctl.serve(mode, place, stdin=b"")
    folder = f"/proc/{proc.pid}/fd"
    wire.close(place.dial())
    before = wire.until(lambda: settled(folder), "a steady number of descriptors")
    for number in range(1000):
        sock = place.dial()
        if number % 3:
            sock.sendall(b"x\n")
        if number % 5 == 0 and mode == "echo" and number % 3:
            assert wire.read(sock, 2) == b"x\n"
        if number % 7 == 0 and not place.unix:
            wire.reset(sock)
        else:
            wire.close(sock)
        if number % 50 == 0 and proc.stdout:
            drain(proc)
    wire.until(lambda: drain(proc) or len(os.listdir(folder)) <= before, f"back to {before} descriptors")


def drain(proc):
    """What the console printed meanwhile."""
    while proc.stdout and select.select([proc.stdout], [], [], 0)[0]:
        proc._take("stdout", proc.buf)


def settled(folder):
    count = len(os.listdir(folder))
    select.select([], [], [], 0.05)
    return count if len(os.listdir(folder)) == count else 0


# Idle is free. Each state below once made a program of this kind spin.


def quiet(sockctl, pair, place):
    proc, sock = pair("connect", place)
    proc.send(b"x")
    assert wire.read(sock, 1) == b"x"
    return proc


def peer_done(sockctl, pair, place):
    """Its end was passed on; stdin is open and idle."""
    proc, sock = pair("connect", place)
    wire.half_close(sock)
    assert proc.read_eof() == b""
    return proc


def stdin_done(sockctl, pair, place):
    proc, sock = pair("connect", place, stdin=b"x")
    assert wire.read_eof(sock) == b"x"
    return proc


def stdout_stuck(sockctl, pair, place):
    """Paused by back-pressure with bytes and the end waiting in the socket: a hang-up that cannot be acted on."""
    proc, sock = pair("connect", place)
    wire.fill(sock)
    wire.half_close(sock)
    return proc


def peer_stuck(sockctl, pair, place):
    proc, sock = pair("connect", place, rcvbuf=8192)
    wire.fill(proc.stdin)
    wire.half_close(sock)
    return proc


def listening(sockctl, pair, place):
    return sockctl.serve("listen", place)


def many_clients(sockctl, pair, place):
    proc = sockctl.serve("echo", place)
    for _ in range(50):
        sock = place.dial()
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"
    return proc


def echo_stuck(sockctl, pair, place):
    proc = sockctl.serve("echo", place)
    sock = place.dial(rcvbuf=8192)
    wire.fill(sock)
    wire.half_close(sock)
    return proc


def chatting(sockctl, pair, place):
    proc = sockctl.serve("chat", place)
    for _ in range(5):
        wire.read_until(place.dial())
    return proc


def console_without_operator(sockctl, pair, place):
    proc = sockctl.serve("serve", place, stdin=b"")
    for _ in range(3):
        place.dial().sendall(b"x\n")
        proc.read_until()
    return proc


def console_waiting_for_a_client(sockctl, pair, place):
    proc = sockctl.serve("serve", place)
    proc.send(b"for whoever comes\n")
    return proc


STATES = [quiet, peer_done, stdin_done, stdout_stuck, peer_stuck, listening, many_clients, echo_stuck, chatting,
          console_without_operator, console_waiting_for_a_client]


def spent(pid):
    """CPU ticks, and how often it went to sleep by itself."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status") as f:
        switches = next(int(line.split()[1]) for line in f if line.startswith("voluntary"))
    return int(fields[11]) + int(fields[12]), switches


@needs_proc
@LOOPS
@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
def test_idle_uses_no_cpu(sockctl, pair, tmp_path, state):
    """Over the life of another program that ends by its own clock. Under select a hang-up is asked for once a second."""
    proc = state(sockctl, pair, Place("tcp4", tmp_path))
    interval(sockctl, "500ms")
    ticks, switches = spent(proc.pid)
    began = time.monotonic()
    interval(sockctl, "1500ms")
    lasted = time.monotonic() - began
    more_ticks, more_switches = spent(proc.pid)
    assert more_switches - switches <= 3 + 2 * lasted
    assert more_ticks - ticks <= 1
    assert proc.alive()


def interval(sockctl, lasts):
    sockctl.run("listen", "127.0.0.1", "0", "--lifetime", lasts)
