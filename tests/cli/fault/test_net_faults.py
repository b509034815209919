"""What goes wrong between two hosts, with networks of our own (tests/tools/netns.py) in the place of hosts: a cable is pulled, a host
comes up again and knows no peer, routes lead nowhere, packets do not fit. Each end says so with the right exit status, in time.

The addresses are always the same: each test has networks of its own.
"""
import errno
import re
import socket

import pytest

import isolation
import netns
import wire
from program import words_of

pytestmark = isolation.networks()

SERVER, CLIENT = "10.88.0.1", "10.88.0.2"
NOWHERE = "10.99.0.1"
GIVEN_UP = f"timed out|{words_of(errno.EHOSTUNREACH)}|{words_of(errno.ENETUNREACH)}"  # the last thing that the system has heard of the way is what it says
CONNECTED = ("01", "04", "08")  # established, or our end or theirs is on its way


class Wired:
    """Two hosts and a cable."""

    def __init__(self):
        self.server, self.client = netns.Net(), netns.Net()
        netns.cable(self.server, self.client, "left", "right")
        self.server.ip(f"addr add {SERVER}/32 dev left")
        self.client.ip(f"addr add {CLIENT}/32 dev right")
        self.plug()

    def plug(self):
        """rto_min: what was lost is sent again after 10 ms."""
        self.server.ip("link set left up", f"route replace {CLIENT}/32 dev left rto_min 10ms")
        self.client.ip("link set right up", f"route replace {SERVER}/32 dev right rto_min 10ms")

    def pull(self, end="client"):
        """At one end; the other one only loses its carrier."""
        if end == "client":
            self.client.ip("link set right down")
        else:
            self.server.ip("link set left down")

    def close(self):
        self.server.close()
        self.client.close()

    def until_queued(self, fact, what):
        """Waits for a fact of the bytes that each connected socket has sent and the other system has not confirmed."""

        def ask():
            rows = []
            for net in (self.server, self.client):
                with net, open("/proc/thread-self/net/tcp") as f:
                    rows += [line.split() for line in f.readlines()[1:]]
            return fact([int(row[4].partition(":")[0], 16) for row in rows if row[3] in CONNECTED])

        wire.until(ask, what)


@pytest.fixture
def wired(sockctl):
    pair = Wired()
    yield pair
    pair.close()


def joined(sockctl, wired, *words):
    """`connect` joined to `listen`, over the cable."""
    with wired.server:
        server = sockctl.serve("listen", [f"tcp://{SERVER}:0"], *words)
    with wired.client:
        client = sockctl.start("connect", *words, f"tcp://{SERVER}:{server.port}")
    return server, client


def at_once(*calls):
    """What each of them returns; programs are fed and read only while a thread waits for them."""
    return [task.result() for task in [wire.Task(*call) for call in calls]]


def flowing(*programs, size=4 << 20):
    """Bytes have gone both ways, and the rest goes out while a thread waits; returns what each program was to send."""
    sent = [wire.payload(size, seed=n) for n in range(len(programs))]
    for program, data in zip(programs, sent):
        program.send(data[:1000])
    for program, data in zip(programs, reversed(sent)):
        assert program.read(1000) == data[:1000]
    for program, data in zip(programs, sent):
        program.feed += data[1000:]
    return sent


def all_end(programs, code, words):
    """Each with this code and a line that says why."""
    at_once(*((program.ends, code) for program in programs))
    for program in programs:
        assert re.search(words, program.complaint()), program


def interrupted(wired, programs, cut, mend):
    """All arrives although each has sent in vain before it was mended; both ends are content."""
    sent = flowing(*programs)
    cut()
    ends = [wire.Task(program.finish) for program in programs]
    wired.until_queued(lambda queued: len(queued) == 2 and all(queued), "unconfirmed bytes at both ends")
    mend()
    for end, data in zip(ends, reversed(sent)):
        wire.same(end.result(), data[1000:])


@pytest.mark.parametrize("end", ("client", "server"))
@pytest.mark.parametrize("limit", (("-i", "2s"), ("--max-time", "4s")), ids="-".join)
def test_cable_pulled(sockctl, wired, limit, end):
    both = joined(sockctl, wired, *limit)
    flowing(*both)
    wired.pull(end)
    all_end(both, 5, "idle timeout|--max-time")


@pytest.mark.parametrize("end", ("client", "server"))
def test_keepalive_notices(sockctl, wired, end):
    """Neither end sends, so only the system's probes find out."""
    both = joined(sockctl, wired, "-o", "keepalive=1,1,2")
    for program in both:
        program.send(b"hola\n")
    assert at_once(*((program.read, 5) for program in both)) == [b"hola\n"] * 2
    wired.until_queued(lambda queued: queued == [0, 0], "all is confirmed")
    wired.pull(end)
    all_end(both, 7, GIVEN_UP)


def test_user_timeout_notices(sockctl, wired):
    both = joined(sockctl, wired, "-o", "user-timeout=1s")
    flowing(*both)
    wired.pull()
    all_end(both, 7, GIVEN_UP)


def test_system_gives_up(sockctl, wired):
    """Without any option of ours, after as many attempts as the system makes."""
    for net in (wired.server, wired.client):
        with net, open("/proc/sys/net/ipv4/tcp_retries2", "w") as f:
            f.write("3")
    both = joined(sockctl, wired)
    flowing(*both)
    wired.pull()
    all_end(both, 7, GIVEN_UP)


@pytest.mark.parametrize("end", ("client", "server"))
def test_cable_put_back(sockctl, wired, end):
    """Nothing is lost, and neither end notices."""
    interrupted(wired, joined(sockctl, wired), lambda: wired.pull(end), wired.plug)


def test_peer_came_up_again(sockctl, wired):
    """While the cable was out the peer was restarted: it answers with a reset what it knows nothing of."""
    with wired.server:
        listener = wire.keep(socket.create_server((SERVER, 0)))
    with wired.client:
        client = sockctl.start("connect", f"tcp://{SERVER}:{listener.getsockname()[1]}")
    peer = wire.accept(listener)
    client.send(b"hola\n")
    assert wire.read(peer, 5) == b"hola\n"
    wired.pull("server")
    wire.reset(peer)  # neither end hears of it
    wired.plug()
    client.send(b"still there?\n")
    client.ends(7)
    assert "reset" in client.complaint()


def test_killed_connection(sockctl, wired):
    """An administrator ends it (ss -K): the one system says aborted, the other one was reset."""
    both = joined(sockctl, wired)
    flowing(*both)
    done = wired.server.run("ss", "-K", "-H", "-t", "dst", CLIENT)
    if "not supported" in done.stderr or not done.stdout.strip():
        pytest.skip(f"this kernel ends no connections: {done.stderr.strip()}")
    all_end(both, 7, "receive from|send to")


# Where no route leads. Linux tells the sender itself by an error of connect(), other hosts by ICMP.

NO_ROUTE = {"unreachable": errno.EHOSTUNREACH, "prohibit": errno.EACCES, "blackhole": errno.EINVAL, "": errno.ENETUNREACH}


@pytest.mark.parametrize("kind", NO_ROUTE)
@pytest.mark.parametrize("scheme", ("tcp", "udp"))
def test_no_route_from_here(sockctl, wired, scheme, kind):
    if kind:
        wired.client.ip(f"route add {kind} {NOWHERE}")
    with wired.client:
        client = sockctl.run("connect", f"{scheme}://{NOWHERE}:7000", stdin=b"hola\n")
    assert client.ends(4) == b""
    assert client.complaint().endswith(f"{NOWHERE}:7000: {words_of(NO_ROUTE[kind])}")


def beyond(wired, kind):
    """The client's way to NOWHERE leads through the server's host, and ends there."""
    with wired.server, open("/proc/sys/net/ipv4/ip_forward", "w") as f:
        f.write("1")
    wired.server.ip(f"route add {kind} {NOWHERE}")
    wired.client.ip(f"route add {NOWHERE} via {SERVER} dev right onlink")


@pytest.mark.parametrize("kind", ("unreachable", "prohibit"))
def test_router_says_no(sockctl, wired, kind):
    beyond(wired, kind)
    with wired.client:
        client = sockctl.run("connect", f"tcp://{NOWHERE}:7000", stdin=b"hola\n")
    client.ends(4)
    assert client.complaint().endswith(f"{NOWHERE}:7000: {words_of(errno.EHOSTUNREACH)}")


def test_router_says_nothing(sockctl, wired):
    beyond(wired, "blackhole")
    with wired.client:
        client = sockctl.run("connect", "-w", "500ms", f"tcp://{NOWHERE}:7000", stdin=b"hola\n")
    client.ends(5)
    assert "no answer within" in client.complaint()


def test_router_forbids_datagrams(sockctl, wired):
    beyond(wired, "prohibit")
    with wired.client:
        client = sockctl.run("connect", "--reply-wait", "1h", f"udp://{NOWHERE}:7000", stdin=b"hola\n")
    client.ends(4)
    assert client.complaint().endswith(f"{NOWHERE}:7000: {words_of(errno.EHOSTUNREACH)}")


@pytest.mark.parametrize("kind", ("unreachable", "blackhole"))
def test_datagrams_vanish(sockctl, wired, kind):
    """A host that cannot be reached is no error that Linux tells a UDP socket of; a client that asked for an answer misses it."""
    beyond(wired, kind)
    with wired.client:
        client = sockctl.run("connect", "--replies", "1", "--reply-wait", "300ms", f"udp://{NOWHERE}:7000", stdin=b"hola\n")
    client.ends(5)
    assert "fewer replies" in client.complaint()


def test_closed_port_of_another_host(sockctl, wired):
    with wired.client:
        for scheme, words in (("tcp", ()), ("udp", ("--reply-wait", "1h"))):
            client = sockctl.run("connect", *words, f"{scheme}://{SERVER}:7000", stdin=b"hola\n")
            client.ends(4)
            assert client.complaint().endswith(f"{SERVER}:7000: Connection refused")


@pytest.mark.parametrize("kind", ("unreachable", "blackhole"))
def test_route_lost_and_found(sockctl, wired, kind):
    """The way back vanishes under a connection, which is no end of it: it goes on when the way is there again."""

    def cut():
        wired.server.ip(f"route del {CLIENT}/32 dev left", f"route add {kind} {CLIENT}/32")

    def mend():
        wired.server.ip(f"route del {kind} {CLIENT}/32")
        wired.plug()

    interrupted(wired, joined(sockctl, wired), cut, mend)


def test_route_lost(sockctl, wired):
    both = joined(sockctl, wired, "-i", "2s")
    flowing(*both)
    wired.server.ip(f"route del {CLIENT}/32 dev left", f"route add unreachable {CLIENT}/32")
    all_end(both, 5, "idle timeout")


# Packets that do not fit: four hosts in a row, and only the two in the middle know of the narrow place.

NARROW = 600


@pytest.fixture
def chain(sockctl):
    """The hosts at both ends: 10.0.0.1 and 10.2.0.2."""
    nets = [netns.Net() for _ in range(4)]
    for n in range(3):
        mtu = NARROW if n == 1 else 1500
        netns.cable(nets[n], nets[n + 1], "right", "left")
        nets[n].ip(f"addr add 10.{n}.0.1/24 dev right", f"link set right mtu {mtu} up")
        nets[n + 1].ip(f"addr add 10.{n}.0.2/24 dev left", f"link set left mtu {mtu} up")
    for net in nets[1:3]:
        with net, open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write("1")
    nets[0].ip("route add default via 10.0.0.2")
    nets[1].ip("route add 10.2.0.0/24 via 10.1.0.2")
    nets[2].ip("route add 10.0.0.0/24 via 10.1.0.1")
    nets[3].ip("route add default via 10.2.0.1")
    yield nets[0], nets[3]
    for net in nets:
        net.close()


def known_mtu(net, host):
    found = re.search(r"\bmtu (\d+)", net.run("ip", "route", "get", host).stdout)
    return int(found[1]) if found else None


def test_narrow_path(sockctl, chain):
    """Bulk both ways, whose first full packets fit nowhere."""
    left, right = chain
    sent = [wire.payload(2 << 20, seed=n) for n in range(2)]
    with left:
        server = sockctl.serve("listen", ["tcp://10.0.0.1:0"], stdin=sent[0])
    with right:
        client = sockctl.start("connect", f"tcp://10.0.0.1:{server.port}", stdin=sent[1])
    for got, want in zip(at_once((server.ends,), (client.ends,)), reversed(sent)):
        wire.same(got, want)
    assert known_mtu(right, "10.0.0.1") == known_mtu(left, "10.2.0.2") == NARROW  # or the test has not shown anything


def test_datagram_does_not_fit(sockctl, chain):
    """The first one is refused by the narrow place, which is said; then the system knows and cuts them in pieces."""
    left, right = chain
    with left:
        server = sockctl.serve("listen", ["udp://10.0.0.1:0"], "--replies", "1", stdin=b"")
    data = 1200 * b"x"
    with right:
        client = sockctl.run("connect", "--frame", "line", "--reply-wait", "1h", f"udp://10.0.0.1:{server.port}", stdin=data)
        client.ends(1)
        assert client.complaint().endswith(words_of(errno.EMSGSIZE))
        client = sockctl.run("connect", "--frame", "line", "--send-only", f"udp://10.0.0.1:{server.port}", stdin=data)
        assert client.ends(0) == b""
    assert server.ends(0) == data
