"""Files over datagrams: cut as asked for, byte for byte, whether the system cuts long ones for us, refuses to, or knows nothing of it."""
import os
import re
import socket

import pytest

import wire
from place import make_place

pytestmark = pytest.mark.usefixtures("loop")

SEAM = os.environ.get("SOCKCTL_SEAM_BIN", "")
UDP_SEGMENT = 103
SIZES = (1, 64, 999, 1400, 8192, 30000, 65507)
ALONE = 32500  # larger ones never leave together, and then a refusal is one


def cuts():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.getsockopt(socket.IPPROTO_UDP, UDP_SEGMENT)
            return True
        except OSError:
            return False


@pytest.fixture(params=["udp4", "udp6"])
def udp(request, tmp_path):
    return make_place(request.param, tmp_path)


NEVER, NOW_AND_THEN = ["EIO", "EINVAL"], ["", "again"]
REFUSALS = NEVER if cuts() else []
CASES = [(fault, size) for size in SIZES for fault in NOW_AND_THEN + (REFUSALS if size < ALONE else [])]


@pytest.fixture
def on_a_system(sockctl):
    """on_a_system(fault): the program as it is (""), on one that has no room now and then, or on one that does not cut, which it
    finds out with its first call that sends (a server has told that it is ready before that)."""
    start = sockctl.start

    def choose(fault, first=1):
        if fault == "":
            return sockctl
        if not os.access(SEAM, os.X_OK):
            pytest.skip("no seam build")
        sockctl.binary = os.path.abspath(SEAM)
        spec = f"write:{first}:{fault}" if fault in NEVER else fault
        sockctl.start = lambda *words, **how: start(*words, env={"SOCKCTL_SEAM": spec}, **how)
        return sockctl

    return choose


def cut(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def comes(sock, data, size):
    for number, want in enumerate(cut(data, size)):
        got = sock.recv(70000)
        assert len(got) == len(want), f"datagram {number}"
        wire.same(got, want)


def much(size):
    """A few batches and a shorter last one; as much as the receiver's buffer surely holds."""
    return wire.payload(size * (100 if size < 1000 else 70 if size < 2000 else 12) + size // 3)


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("fault, size", CASES)
def test_a_client_sends_a_file(on_a_system, udp, tmp_path, fault, size):
    (tmp_path / "in").write_bytes(much(size))
    server = udp.listen(rcvbuf=4 << 20)
    with open(tmp_path / "in", "rb") as source:
        proc = on_a_system(fault).connect(udp, "--send-only", "--datagram-size", f"{size}", stdin=source)
    comes(server, much(size), size)
    proc.ends(0)
    assert wire.silent(server)


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("fault, size", CASES)
def test_a_server_sends_a_file(on_a_system, udp, tmp_path, fault, size):
    (tmp_path / "in").write_bytes(much(size))
    with open(tmp_path / "in", "rb") as source:
        proc = on_a_system(fault, first=2).serve("listen", udp, "--datagram-size", f"{size}", "--replies", "2", stdin=source)
    client = udp.dial(rcvbuf=4 << 20)
    client.send(b"give it to me")
    comes(client, much(size), size)
    assert wire.silent(client)
    client.send(b"thanks")
    assert proc.ends(0) == b"give it to methanks"


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("fault", NOW_AND_THEN)
def test_file_to_every_peer(on_a_system, udp, tmp_path, fault):
    data = wire.payload(50_000)
    (tmp_path / "in").write_bytes(data)
    on_a_system(fault).serve("serve", udp, "--file", tmp_path / "in")
    clients = [udp.dial(rcvbuf=4 << 20) for _ in range(3)]
    for client in clients:
        client.send(b"give it to me")
    for client in clients:
        comes(client, data, 8192)


def test_zeros(sockctl, udp):
    sockctl.serve("serve", udp, "--zero")
    client = udp.dial()
    client.send(b"go")
    for _ in range(20):
        assert client.recv(70000) == bytes(8192)
    wire.close(client)


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_datagrams_are_seen_by_observers(sockctl, udp, tmp_path):
    """A layer that must see each datagram does, one by one."""
    log, data = tmp_path / "log", wire.payload(5000)
    (tmp_path / "in").write_bytes(data)
    server = udp.listen(rcvbuf=4 << 20)
    with open(tmp_path / "in", "rb") as source:
        proc = sockctl.connect(udp, "--send-only", "--datagram-size", "1000", "--events", log, "--events-data", "len", stdin=source)
    comes(server, data, 1000)
    proc.ends(0)
    assert re.findall(r'"ev":"data".*"dir":"out".*"len":(\d+)', log.read_text()) == ["1000"] * 5


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_a_file_takes_few_calls(sockctl, need, udp, tmp_path):
    """Here, and not in what comes out, is the gain."""
    strace, log = need("strace"), tmp_path / "calls"
    (tmp_path / "in").write_bytes(wire.payload(100 * 1000))
    server = udp.listen(rcvbuf=4 << 20)
    with open(tmp_path / "in", "rb") as source:
        proc = sockctl.program([strace, "-f", "-qq", "-o", log, "-e", "trace=sendmmsg,sendmsg,sendto", sockctl.binary, "connect",
                                "--send-only", "--datagram-size", "1000", *udp.words()], stdin=source,
                               env={"ASAN_OPTIONS": "detect_leaks=0"})
    proc.wait()
    if "ptrace" in proc.err.decode():
        pytest.skip("strace may not trace here")
    comes(server, wire.payload(100 * 1000), 1000)
    assert 0 < len(re.findall(r"\bsend\w+\(", log.read_text())) <= 10
