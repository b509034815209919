"""What an option would have helped is said with that option: broadcast, groups, and senders that an echo must not answer."""
import json
import socket

import pytest

import isolation
import netns
import wire

LOOPS = pytest.mark.usefixtures("loop")
GROUP = "239.88.0.2"


def free_port(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


@LOOPS
@pytest.mark.parametrize("more", [[], ["--from-any"], ["-s", "127.0.0.1"]], ids=["plain", "from-any", "source"])
def test_broadcast_names_its_option(sockctl, more):
    proc = sockctl.run("connect", *more, "udp://127.255.255.255:9", stdin=b"x")
    assert proc.code == 4
    assert "127.255.255.255:9: Permission denied; a broadcast address requires -o broadcast" in proc.complaint()


@LOOPS
def test_a_refusal_of_another_kind_does_not(sockctl):
    port = free_port("127.0.0.1")
    proc = sockctl.run("connect", f"udp://127.0.0.1:{port}", stdin=b"x")
    assert proc.code == 4
    assert "broadcast" not in proc.complaint()


def receiver(sockctl, port, *words):
    return sockctl.serve("serve", [f"udp://{GROUP}:{port}"], "-o", f"multicast={GROUP}@lo", *words, stdin=b"")


@LOOPS
def test_second_receiver_of_a_group(sockctl):
    """The first is alone: the second is told what both must say. With it, both hear."""
    first = receiver(sockctl, 0)
    second = sockctl.run("serve", "-o", f"multicast={GROUP}@lo", f"udp://{GROUP}:{first.port}")
    assert second.code == 10
    assert f"listen {GROUP}:{first.port}: Address" in second.complaint()
    assert "-o reuseport" in second.complaint()


@LOOPS
def test_receivers_that_share(sockctl):
    first = receiver(sockctl, 0, "-o", "reuseport")
    second = receiver(sockctl, first.port, "-o", "reuseport")
    sender = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    sender.sendto(b"to all\n", (GROUP, first.port))
    for proc in (first, second):
        assert proc.read(len("[1] to all\n")) == b"[1] to all\n"


@LOOPS
def test_a_port_in_use_that_is_no_groups(sockctl):
    taken = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    taken.bind(("127.0.0.1", 0))
    proc = sockctl.run("echo", f"udp://127.0.0.1:{taken.getsockname()[1]}")
    assert proc.code == 10
    assert "reuseport" not in proc.complaint()


@pytest.fixture
def net(sockctl):
    try:
        network = netns.Net()
    except OSError as e:
        isolation.skip(f"network namespaces are not permitted: {e.strerror}")
    yield network
    network.close()


@LOOPS
@pytest.mark.parametrize("verbose", [True, False], ids=["-v", "quiet"])
def test_a_low_port_is_ignored_and_said_once(sockctl, net, tmp_path, verbose):
    here = "192.0.2.77"  # loopback addresses may use any port
    net.ip(f"addr add {here}/32 dev lo")
    with net:
        server = sockctl.serve("echo", [f"udp://{here}:0"], *(["-v"] if verbose else []), "--events", str(tmp_path / "log"))
        low = [wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)]
        good = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for sock, port in zip(low, (123, 1023)):
            sock.bind((here, port))
        good.bind((here, 0))
    for sock in low + [good]:
        sock.sendto(b"who", (here, server.port))
    assert good.recv(100) == b"who"
    server.signal(15)
    server.ends(0)
    lines = [line for line in server.err.decode().splitlines() if "not answered" in line]
    assert lines == ([f"sockctl: {here}:123 is not answered, nor are others with a port below 1024: another service there would answer back"]
                     if verbose else [])
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["peer"] for event in told if event["ev"] == "ignored"] == [f"{here}:123"]
