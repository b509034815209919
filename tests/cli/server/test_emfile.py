"""Descriptors are scarce: limits are raised, refused with both numbers, or waited for without spinning."""
import os
import resource
import select

import pytest

import wire

pytestmark = [pytest.mark.usefixtures("loop"),
              pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="prlimit is Linux's")]


def test_soft_limit_is_raised(sockctl, place):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    sockctl.serve("echo", place, "--max", "150", nofile=(64, hard))
    for number in range(120):
        sock = place.dial()
        sock.sendall(b"%03d" % number)
        assert wire.read(sock, 3) == b"%03d" % number


@pytest.mark.parametrize("mode", ["serve", "echo", "chat"])
def test_hard_limit_too_low_is_refused(sockctl, place, mode):
    proc = sockctl.run(mode, "--max", "500", *place.words(), nofile=(128, 128))
    assert proc.code == 2
    assert "128" in proc.complaint()
    assert "5" in proc.complaint().replace("128", "")


@pytest.mark.parametrize("mode, limit", [("connect", 16), ("listen", 256)])
def test_one_connection_needs_few(sockctl, pair, place, mode, limit):
    proc, sock = pair(mode, place, nofile=(limit, limit))
    proc.send(b"x")
    assert wire.read(sock, 1) == b"x"
    sock.sendall(b"y")
    sock.close()
    assert proc.read(1) == b"y"
    proc.finish(0)


def test_accepting_pauses_and_goes_on(sockctl, place):
    """The limit is lowered while it runs: later clients wait in the backlog, it is said once, nothing spins."""
    proc = sockctl.serve("echo", place)
    first = place.dial()
    first.sendall(b"a")
    assert wire.read(first, 1) == b"a"
    used = len(os.listdir(f"/proc/{proc.pid}/fd"))
    highest = max(int(n) for n in os.listdir(f"/proc/{proc.pid}/fd"))
    resource.prlimit(proc.pid, resource.RLIMIT_NOFILE, (highest + 1, highest + 1))
    assert used <= highest + 1
    waiting = [place.dial() for _ in range(3 + highest + 1 - used)]
    for sock in waiting:
        sock.sendall(b"b")
    proc.says(rb"(?i)descriptor|emfile|too many")
    before = ticks(proc.pid)
    first.sendall(b"c")  # a client inside is served meanwhile
    assert wire.read(first, 1) == b"c"
    select.select([], [], [], 1.2)  # long enough for a spin to show
    assert ticks(proc.pid) - before <= 5
    assert len([line for line in proc.lines() if "emfile" in line.lower() or "descriptor" in line or "oo many" in line]) == 1
    wire.close(first)
    while waiting:  # each one that leaves makes room for the next
        ready = select.select(waiting, [], [], wire.DEADLINE)[0]
        assert ready, f"no client was let in: {proc}"
        for sock in ready:
            assert wire.read(sock, 1) == b"b"
            waiting.remove(sock)
            wire.close(sock)
    assert proc.alive()


def ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
