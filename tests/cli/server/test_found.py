"""What an attack on the program has found, each once."""
import os
import select
import signal
import time

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")


def stopped_while(proc, happens):
    """What happens is there, all of it, when the program looks again."""
    proc.signal(signal.SIGSTOP)
    os.waitpid(proc.pid, os.WUNTRACED)
    happens()
    proc.signal(signal.SIGCONT)


@pytest.mark.parametrize("finished", [False, True], ids=["goes-on", "finished"])
@pytest.mark.parametrize("mode", ["serve", "echo"])
def test_what_came_before_the_signal_counts(sockctl, place, mode, finished):
    """Our kernel has acknowledged it, so its sender may have ended with 0."""
    proc = sockctl.serve(mode, place, "--label", "none") if mode == "serve" else sockctl.serve(mode, place)
    sock = place.dial()
    heard = (lambda n: proc.read(n)) if mode == "serve" else (lambda n: wire.read(sock, n))
    sock.sendall(b"first\n")
    assert heard(6) == b"first\n"

    def happens():
        proc.signal(signal.SIGTERM)
        sock.sendall(b"second\nthird\nlast")
        if finished:
            wire.half_close(sock)
        place.settle()

    stopped_while(proc, happens)
    rest = b"second\nthird\nlast" + (b"\n" if mode == "serve" else b"")
    assert heard(len(rest)) == rest
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    proc.ends(0)


@pytest.mark.parametrize("role", ["connect", "listen", "serve"])
def test_reader_leaves_while_nothing_moves(pair, place, role):
    """Nothing is to be read and nothing written: the peer is let go at once, not when it happens to speak."""
    proc, sock = pair(role, place)
    sock.sendall(b"one\n")
    assert proc.read_until().endswith(b"one\n")
    proc._drop("stdout")
    proc.ends(141)
    assert place.read_cut(sock) == b""


def test_no_cpu_while_a_hang_up_is_waited_for(pair, tcp):
    proc, sock = pair("connect", tcp)
    sock.sendall(b"x")
    assert proc.read(1) == b"x"
    was = [int(n) for n in open(f"/proc/{proc.pid}/stat").read().rpartition(")")[2].split()[11:13]]
    select.select([], [], [], 1.2)
    now = [int(n) for n in open(f"/proc/{proc.pid}/stat").read().rpartition(")")[2].split()[11:13]]
    assert sum(now) - sum(was) <= 2
    assert proc.alive()


@pytest.mark.parametrize("option", ["-i", "--max-time"])
@pytest.mark.parametrize("role", ["connect", "listen"])
def test_a_limit_of_time_is_kept(pair, place, role, option):
    """The peer neither reads nor closes: we do not wait for its goodbye."""
    began = time.monotonic()
    proc, _ = pair(role, place, option, "300ms")
    proc.ends(5)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("typo, mode", [("serv", "serve"), ("conect", "connect"), ("chatt", "chat")])
def test_a_mistyped_mode_is_no_host(sockctl, typo, mode):
    proc = sockctl.program([sockctl.binary, typo, "7000"])
    proc.finish(2)
    assert proc.complaint() == f"sockctl: unknown mode {typo}; did you mean {mode}?"
