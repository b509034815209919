"""Which port, and since when: port 0 in each way that it is told, and only when all sockets listen."""
import os
import re
import select
import signal
import socket
import stat

import pytest

import wire
from place import has_ipv6
from proc import NULL

pytestmark = pytest.mark.usefixtures("loop")

MODES = pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])


def dials(port, hosts):
    """This port answers, now."""
    for host in hosts:
        socket.create_connection((host, port), timeout=wire.DEADLINE).close()


@pytest.mark.parametrize("mode", ["serve", "echo", "chat"])
def test_one_number_for_both_families(sockctl, mode):
    proc = sockctl.serve(mode, ["0"])
    assert proc.port > 0
    dials(proc.port, ["127.0.0.1"] + ["::1"] * has_ipv6())


@MODES
def test_stderr_says_it_for_port_0(sockctl, mode):
    proc = sockctl.start(mode, "127.0.0.1", "0")
    port = int(proc.says(rb"listening on 127\.0\.0\.1:(\d+)")[1])
    wire.keep(socket.create_connection(("127.0.0.1", port)))


@MODES
@pytest.mark.parametrize("option", ["-1", "--print-port"])
def test_print_port(sockctl, mode, option):
    """The first line on stdout, before any payload."""
    proc = sockctl.start(mode, option, "127.0.0.1", "0")
    line = proc.read_until()
    assert re.fullmatch(rb"\d+\n", line)
    sock = wire.keep(socket.create_connection(("127.0.0.1", int(line))))
    if mode in ("listen", "serve"):
        sock.sendall(b"payload\n")
        assert proc.read_until() == (b"payload\n" if mode == "listen" else b"[1] payload\n")


@MODES
def test_port_file(sockctl, mode, tmp_path):
    """Asked for again and again from the start, it is never seen empty, partial or under a temporary name's content."""
    path = tmp_path / "port"
    proc = sockctl.start(mode, "--port-file", path, "127.0.0.1", "0")

    def there():
        try:
            return path.read_text()
        except FileNotFoundError:
            assert proc.alive(), proc
            return None

    text = there()
    while text is None:
        text = there()
    assert re.fullmatch(r"\d+\n", text)
    dials(int(text), ["127.0.0.1"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [p.name for p in tmp_path.iterdir()] == ["port"]
    proc.signal(signal.SIGTERM)
    proc.wait()
    assert list(tmp_path.iterdir()) == []


def test_port_file_is_removed_at_exit(sockctl, tmp_path, tcp):
    proc = sockctl.serve("echo", tcp, "--port-file", tmp_path / "port", "--count", "1")
    assert (tmp_path / "port").read_text() == f"{proc.port}\n"
    wire.close(tcp.dial())
    proc.ends(0)
    assert not (tmp_path / "port").exists()


def test_port_file_in_a_tight_loop(sockctl, tmp_path):
    """Read 10,000 times while servers come and go, it is there as a whole or not at all."""
    path, reads, seen = tmp_path / "port", 0, set()
    while reads < 10_000 or len(seen) < 2:
        proc = sockctl.start("echo", "--port-file", path, "127.0.0.1", "0", stdin=NULL)
        told = 0
        while told < 500:
            try:
                text = path.read_text()
                assert re.fullmatch(r"\d+\n", text)
                seen.add(text)
                told += 1
                if told == 250:
                    proc.signal(signal.SIGTERM)
            except FileNotFoundError:
                told += told > 0  # not before it was there once
            reads += 1
        proc.ends(0)
        assert os.listdir(tmp_path) == []


def test_port_file_replaces_an_old_one(sockctl, tmp_path):
    (tmp_path / "port").write_text("stale and longer than a port\n")
    proc = sockctl.serve("echo", ["127.0.0.1", "0"], "--port-file", tmp_path / "port")
    assert (tmp_path / "port").read_text() == f"{proc.port}\n"


def test_port_file_follows_no_link(sockctl, tmp_path):
    (tmp_path / "precious").write_text("precious")
    os.symlink(tmp_path / "precious", tmp_path / "port")
    proc = sockctl.start("echo", "127.0.0.1", "0", "--port-file", tmp_path / "port")
    proc.says(rb"listening on|sockctl: ")
    proc.signal(signal.SIGTERM) if proc.alive() else None
    proc.wait()
    assert (tmp_path / "precious").read_text() == "precious"


@MODES
def test_ready_fd(sockctl, mode):
    """The number, a newline, then the end: read port <&3 works while the server lives."""
    reads, writes = os.pipe()
    try:
        proc = sockctl.start(mode, "--ready-fd", writes, "127.0.0.1", "0", pass_fds=[writes])
        os.close(writes)
        said = b""
        while True:
            assert select.select([reads], [], [], wire.DEADLINE)[0]
            part = os.read(reads, 100)
            if not part:
                break
            said += part
    finally:
        os.close(reads)
    assert re.fullmatch(rb"\d+\n", said)
    assert proc.alive()
    wire.keep(socket.create_connection(("127.0.0.1", int(said))))


def test_all_ways_at_once_say_the_same(sockctl, tmp_path):
    proc = sockctl.serve("echo", ["0"], "-1", "--port-file", tmp_path / "port")
    assert proc.read_until() == b"%d\n" % proc.port
    assert (tmp_path / "port").read_text() == f"{proc.port}\n"
    assert int(proc.says(rb"listening on .*:(\d+)")[1]) == proc.port


@pytest.mark.parametrize("mode", ["listen", "echo"])
def test_udp_port_0(sockctl, mode):
    proc = sockctl.serve(mode, ["-u", "0"])
    for family, host in [(socket.AF_INET, "127.0.0.1")] + [(socket.AF_INET6, "::1")] * (has_ipv6() and mode == "echo"):
        sock = wire.keep(socket.socket(family, socket.SOCK_DGRAM))
        sock.connect((host, proc.port))
        sock.send(b"x")
        assert (sock.recv(10) if mode == "echo" else proc.read(1)) == b"x"


def test_listen_hears_both_families_and_takes_one(sockctl):
    if not has_ipv6():
        pytest.skip("no IPv6 here")
    proc = sockctl.serve("listen", ["0"], stdin=b"")
    sock = wire.keep(socket.create_connection(("::1", proc.port)))
    sock.sendall(b"by six")
    assert proc.read(6) == b"by six"
    assert wire.refused(lambda: wire.keep(socket.create_connection(("127.0.0.1", proc.port))))
    sock.close()
    proc.ends(0)


def test_fixed_port_is_silent(sockctl, tcp):
    """Without -v only port 0 is worth a line."""
    sock = tcp.bind()
    sock.close()
    proc = sockctl.serve("echo", tcp)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert not proc.err
