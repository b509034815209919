"""What 200 clients together make a server keep, for each service that buffers: clients that send as much as is taken from them, and
read nothing. Each row says how far the server may grow; how far it did is printed (pytest -rP), and stands in tests/RESULTS.md."""
import select
import signal
import struct
import sys

import pytest

import wire
from place import Place
from program import is_sanitized
from test_talk import script

MIB = 1 << 20
CLIENTS = 200
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
sanitized = pytest.mark.skipif(is_sanitized(), reason="a sanitizer's memory is not ours")
pytestmark = [linux, sanitized, pytest.mark.whole("it takes too long byte by byte")]


def kept(proc, what):
    """MiB of one line of /proc/PID/status."""
    with open(f"/proc/{proc.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what + ":")) / 1024


def pour(socks, data, most):
    """To all of them in turn, at most `most` bytes each, until none takes any more for a while; closed ones are left out."""
    left = {sock: most for sock in socks}
    poll = select.poll()
    by = {sock.fileno(): sock for sock in socks}
    for sock in socks:
        sock.setblocking(False)
        poll.register(sock, select.POLLOUT)
    while left and (ready := poll.poll(400)):
        for number, _ in ready:
            sock = by[number]
            try:
                left[sock] -= sock.send(data[:min(len(data), left[sock])])
            except BlockingIOError:
                continue
            except OSError:
                left[sock] = 0
            if left[sock] <= 0:
                poll.unregister(sock)
                del left[sock]


def many(place, n=CLIENTS, **how):
    return [place.dial(**how) for _ in range(n)]


LINE = b"x" * 65536
ROWS = {
    # name: words of the server, what each sends, how much of it at the most, MiB that it may grow by
    "talk, an endless line": (["serve", "--frame", "line,max=64M", *script('on "a" close')], LINE, 4 * MIB, 128 + 24),
    "talk, read ahead while it sends": (["serve", *script("frame raw", 'sendraw 1000000000*"x" skip "never"')], LINE, 4 * MIB, 128 + 24),
    "talk, a search": (["serve", *script("frame raw", 'expect *"never" within 1h')], LINE, 4 * MIB, 24),
    "console, --frame": (["serve", "--frame", "netstring,max=64M", "--recv-only"], b"60000000:" + LINE, 4 * MIB, 128 + 24),
    "echo": (["echo"], LINE, 8 * MIB, 40),
    "echo, --frame": (["echo", "--frame", "u32be,max=64M"], struct.pack(">I", 60_000_000) + LINE, 4 * MIB, 128 + 24),
    "echo, latency": (["echo", "--fault", "latency=1h"], LINE, 4 * MIB, 64 + 40),
    "chat": (["chat", "--slow-after", "1h"], b"hola " * 100 + b"\n", MIB, 100),
    "chat, an endless line": (["chat"], LINE, MIB, 24),
    "console": (["serve", "--recv-only"], LINE, 4 * MIB, 60),
    "file": (["serve", "--zero"], LINE, MIB, 40),
    "exec": (["serve", "-e", "sleep 1000"], LINE, 2 * MIB, 60),
    "PROXY header": (["echo", "--proxy-in", "any"], b"PROXY ", 6, 16),
}


def end(server):
    """What is undelivered is cut, and some scripts have failed: that is not the question here."""
    server.signal(signal.SIGTERM)
    server.wait()
    assert server.code in (0, 7, 8, 9)  # 9: --memory had no room for one more frame


def check(server, name, before, bound):
    grown = kept(server, "VmHWM") - before
    print(f"| {name} | {grown:.1f} | {bound} |")
    assert grown <= bound
    end(server)


@pytest.mark.parametrize("name", ROWS)
def test_what_200_clients_can_make_it_keep(sockctl, tcp, name):
    words, data, most, bound = ROWS[name]
    server = sockctl.serve(words[0], tcp, *words[1:], "--max", CLIENTS + 8, "--drain", "0s")
    before = kept(server, "VmRSS")
    pour(many(tcp), data, most)
    check(server, name, before, bound)


def test_what_200_clients_of_a_forwarder_can_make_it_keep(sockctl, tcp, tmp_path):
    """Whose target reads nothing."""
    target = Place("tcp4", tmp_path)
    listener = target.listen(backlog=CLIENTS, rcvbuf=4096)
    server = sockctl.serve("serve", tcp, "--forward", *target.words(), "--max", CLIENTS + 8, "--drain", "0s")
    before = kept(server, "VmRSS")
    pour(many(tcp), LINE, 8 * MIB)
    wire.close(listener)
    check(server, "forward", before, 60)


def test_what_200_senders_of_datagrams_can_make_it_keep(sockctl, tmp_path):
    """The test reads no standard output."""
    place = Place("udp4", tmp_path)
    server = sockctl.serve("serve", place, "--max", CLIENTS + 8, "--recv-only", "--idle-timeout", "1h")
    before = kept(server, "VmRSS")
    pour(many(place), b"x" * 1000, 200_000)
    check(server, "console, UDP", before, 40)


@pytest.mark.parametrize("words", [script('on ~"^(x|y)*$" send "found"'), ["--frame", "line,max=64M", "--exec", "cat"]], ids=["talk", "frame"])
def test_a_client_over_its_part_is_closed_and_others_are_not(sockctl, tcp, words):
    server = sockctl.serve("serve", tcp, "--frame", "line,max=64M", "--memory", "4M", "-v", *words[-2:] if "--exec" in words else words)
    other, greedy = tcp.dial(), tcp.dial()
    pour([greedy], LINE, 8 * MIB)
    server.says(rb"--memory has no room for .* from 127\.0\.0\.1")
    other.settimeout(wire.DEADLINE)
    other.sendall(b"x" * 500_000 + b"\n")
    assert wire.read(other, 6 if "--talk" in words else 500_001)
    wire.close(other)
    end(server)


def test_memory_is_a_size(sockctl):
    for size in ("0", "much"):
        proc = sockctl.run("serve", "--memory", size, "127.0.0.1:0")
        proc.ends(2)
        assert "--memory" in proc.complaint()
