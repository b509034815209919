"""What an attack on the program has found, each once."""
import os
import select
import signal

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
    """Our kernel has acknowledged it, so whoever sent it may have ended with 0."""
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

    stopped_while(proc, happens)
    rest = b"second\nthird\nlast" + (b"\n" if mode == "serve" else b"")
    assert heard(len(rest)) == rest
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    proc.ends(0)
