"""connect --probe where no route leads: unreachable, which is an answer, and not `no answer`. Networks of our own."""
import pytest

import isolation
import netns

pytestmark = [isolation.networks(), pytest.mark.usefixtures("loop")]

NOWHERE, NOWHERE6 = "10.99.0.1", "2001:db8::1"


@pytest.fixture
def net():
    net = netns.Net()
    yield net
    net.close()


def probe(sockctl, net, *words):
    with net:
        proc = sockctl.start("connect", "--probe", *words, stdin=b"")
    proc.wait()
    return proc


@pytest.mark.parametrize("words", [[], ["-u"], ["--tls"], ["--stable", "1s"], ["--wait", "100ms"]], ids=lambda words: "".join(words[:1]) or "tcp")
@pytest.mark.parametrize("host, shown", [(NOWHERE, NOWHERE), (NOWHERE6, f"[{NOWHERE6}]")], ids=["v4", "v6"])
def test_no_route(sockctl, net, words, host, shown):
    proc = probe(sockctl, net, *words, host, "80,443")
    assert proc.code == 4
    assert proc.read_eof().decode() == f"{shown}:80 unreachable\n{shown}:443 unreachable\n"
    assert "unreachable" in proc.complaint() or "Cannot assign" in proc.complaint()


@pytest.mark.parametrize("kind", ["unreachable", "prohibit"])
@pytest.mark.parametrize("words", [[], ["-u"]], ids=["tcp", "udp"])
def test_a_route_that_refuses(sockctl, net, kind, words):
    net.ip(f"route add {kind} {NOWHERE}/32")
    proc = probe(sockctl, net, *words, NOWHERE, "80")
    assert (proc.code, proc.read_eof()) == (4, f"{NOWHERE}:80 unreachable\n".encode())


@pytest.mark.parametrize("words", [[], ["-u"]], ids=["tcp", "udp"])
def test_a_router_that_knows_no_way(sockctl, net, words):
    """Its ICMP message comes back while the probe waits for the answer."""
    router = netns.Net()
    try:
        netns.cable(net, router, "right", "left")
        net.ip("addr add 10.88.0.2/24 dev right", "link set right up", "route add default via 10.88.0.1")
        router.ip("addr add 10.88.0.1/24 dev left", "link set left up", f"route add unreachable {NOWHERE}/32")
        with router, open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write("1")
        proc = probe(sockctl, net, "-w", "30", *words, NOWHERE, "80")
        assert (proc.code, proc.read_eof()) == (4, f"{NOWHERE}:80 unreachable\n".encode())
    finally:
        router.close()


def test_a_hole_is_still_no_answer(sockctl, net):
    """Packets that vanish: nothing has said anything."""
    netns.cable(net, net, "right", "left")
    net.ip("link set left up", "addr add 10.88.0.2/24 dev right", "link set right up",
           "neigh add 10.88.0.9 lladdr 02:00:00:00:00:09 dev right")
    proc = probe(sockctl, net, "-w", "300ms", "10.88.0.9", "80")
    assert (proc.code, proc.read_eof()) == (5, b"10.88.0.9:80 no answer\n")
