"""serve, echo and chat let their clients finish; signals ignored at the start stay ignored; storms lose no byte."""
import os
import signal

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

STOP = pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
MANY = pytest.mark.parametrize("mode", ["serve", "echo", "chat"])


def client(mode, proc, place, **how):
    """One that the server has surely taken in."""
    sock = place.dial(**how)
    if mode == "echo":
        sock.sendall(b"x\n")
        assert wire.read(sock, 2) == b"x\n"
    elif mode == "chat":
        assert wire.read(sock, 2) == b"* "
    else:
        sock.sendall(b"x\n")
        assert proc.read_until().endswith(b"x\n")
    return sock


@MANY
@STOP
def test_idle_server_ends_with_0(sockctl, place, mode, signo):
    proc = sockctl.serve(mode, place)
    proc.signal(signo)
    proc.ends(0)
    assert not place.unix or not os.path.exists(place.path)


@MANY
def test_clients_may_finish(sockctl, place, mode):
    proc = sockctl.serve(mode, place, "--drain", "1h")
    socks = [client(mode, proc, place) for _ in range(3)]
    proc.signal(signal.SIGTERM)
    assert wire.refused(place.dial)
    for sock in socks:
        wire.half_close(sock)
        wire.read_eof(sock)
        wire.close(sock)
    proc.ends(0)


def test_what_echo_has_taken_is_given_back(sockctl, place):
    """Megabytes are on their way in both directions when the signal comes."""
    proc = sockctl.serve("echo", place, "--drain", "1h")
    sock = client("echo", proc, place)
    stuck = wire.fill(sock)
    wire.half_close(sock)
    proc.signal(signal.SIGTERM)
    assert wire.refused(place.dial)
    wire.same(wire.read_eof(sock), stuck)
    wire.close(sock)
    proc.ends(0)


@pytest.mark.parametrize("drain", ["300ms", "0s"])
def test_deadline_cuts(sockctl, place, drain):
    proc = sockctl.serve("echo", place, "--drain", drain)
    sock = client("echo", proc, place, rcvbuf=8192)
    wire.fill(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert proc.complaint()


@MANY
def test_second_signal_ends_at_once(sockctl, place, mode):
    proc = sockctl.serve(mode, place, "--drain", "1h", "-v")
    sock = client(mode, proc, place)
    if mode == "echo":
        wire.fill(sock)
    proc.signal(signal.SIGTERM)
    assert wire.refused(place.dial)
    proc.signal(signal.SIGTERM)
    proc.wait()
    assert not place.unix or not os.path.exists(place.path)


@STOP
@pytest.mark.parametrize("mode", ["echo", "listen"])
def test_ignored_at_start_stays_ignored(sockctl, place, mode, signo):
    proc = sockctl.serve(mode, place, ignored=[signo])
    for _ in range(3):
        proc.signal(signo)
    sock = place.dial()
    sock.sendall(b"still here")
    assert (wire.read(sock, 10) if mode == "echo" else proc.read(10)) == b"still here"
    if signo == signal.SIGTERM:
        proc.signal(signal.SIGINT)
        proc.ends(0 if mode == "echo" else -signal.SIGINT)


def test_connect_ignores_what_was_ignored(sockctl, place):
    listener = place.listen()
    proc = sockctl.connect(place, ignored=[signal.SIGHUP])
    sock = wire.accept(listener)
    proc.signal(signal.SIGHUP)
    proc.send(b"nohup")
    assert wire.read(sock, 5) == b"nohup"
    sock.close()
    proc.finish(0)


def test_storm(sockctl, place):
    """Window changes, children, stops: only TERM, INT and HUP end it, and no byte is lost."""
    data = wire.payload(24 << 20)
    quiet = {"ASAN_OPTIONS": "detect_leaks=0"}  # a sanitizer's look for leaks hangs when it is stopped
    server = sockctl.serve("echo", place, env=quiet)
    proc = sockctl.connect(place, env=quiet)
    proc.feed += data
    proc.eof()
    task = wire.Task(proc.ends)
    storm = [signal.SIGWINCH, signal.SIGCHLD, signal.SIGSTOP, signal.SIGCONT, signal.SIGTSTP, signal.SIGCONT]
    rounds = 0
    while task.thread.is_alive() and rounds < 400:
        for signo in storm:
            for target in (proc, server):
                try:
                    target.signal(signo)
                except ProcessLookupError:
                    pass
        rounds += 1
        task.thread.join(0.002)
    server.signal(signal.SIGCONT)
    wire.same(task.result(), data)
    assert rounds > 0


def test_sigpipe_does_not_kill(sockctl, place):
    proc = sockctl.serve("echo", place)
    proc.signal(signal.SIGPIPE)
    sock = place.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"


def test_echo_of_a_client_gone_mid_write(sockctl, place):
    proc = sockctl.serve("echo", place)
    for _ in range(20):
        sock = place.dial()
        sock.sendall(wire.payload(50000))
        wire.close(sock)
    sock = place.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    assert proc.alive()
