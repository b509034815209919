"""Forged datagrams (root, in a network of our own): what a server makes of senders that it cannot know to be others.

Two addresses stand on the loopback device of that network, so that they are not loopback addresses, yet no bounce takes longer
than the two programs need for it.
"""
import functools
import os
import select
import socket
import struct
import time

from ground import Server
from netns import Net, refusal

FORGED, QUIET_S, PATIENCE_S = 10, 0.5, 8
FAR = ("10.9.0.1", "10.9.0.2")
NEAR = ("127.0.0.1", "127.0.0.1")


class Skip(Exception):
    """Cannot be tried here."""


def forge(source, dest, payload):
    """An IPv4 datagram from whomever."""
    udp = struct.pack("!HHHH", source[1], dest[1], 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, socket.inet_aton(source[0]),
                       socket.inet_aton(dest[0]))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(head + udp, (dest[0], 0))


def received():
    """Datagrams that came to a socket of this network, ever."""
    with open("/proc/thread-self/net/snmp") as f:
        names, values = (line.split() for line in f if line.startswith("Udp:"))
    return int(values[names.index("InDatagrams")])


def quiet():
    """Waits until no datagram comes any more; whether that happened, and after how many of them."""
    first = last = received()
    end, since, never = time.monotonic() + PATIENCE_S, time.monotonic(), select.poll()
    while time.monotonic() - since < QUIET_S:
        never.poll(20)
        if (now := received()) != last:
            last, since = now, time.monotonic()
        if time.monotonic() > end:
            return False, last - first
    return True, last - first


def network():
    why = refusal()
    if why:
        raise Skip(why)
    net = Net()
    net.ip(*(f"addr add {host}/32 dev lo" for host in FAR))
    return net


def mirrors(hosts, loop, cage):
    """Two echo servers, each of which takes the other for its client."""
    net = network()
    try:
        with net:
            one, two = (Server(cage, f"echo -u --loop {loop} {host}:0") for host in hosts)
            for _ in range(FORGED):
                forge((hosts[1], two.port), (hosts[0], one.port), b"who is there?")
            ended, number = quiet()
    finally:
        net.close()
    return ended, f"{FORGED} forged datagrams, {number:,} bounces, {'then silence' if ended else 'and no end'}"


def itself(host, loop, cage):
    """An echo server that is its own client, by its own address."""
    net = network()
    try:
        with net:
            server = Server(cage, f"echo -u --loop {loop} {host}:0")
            before = received()
            for _ in range(FORGED):
                forge((host, server.port), (host, server.port), b"it is me")
            ended, _ = quiet()
            number = received() - before
    finally:
        net.close()
    return ended and number == FORGED, f"{FORGED} forged datagrams, {number} received"


def no_more_than_it_got(words, cage):
    """Bytes back per byte sent, of a client that says a little and listens. It could be any host: it is not on loopback."""
    path = os.path.join(cage.names["dir"], "much")
    with open(path, "wb") as f:
        f.write(os.urandom(1 << 20))
    net = network()
    try:
        with net, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((FAR[1], 0))
            server = Server(cage, words)
            sock.connect((FAR[0], server.port))
            sent = got = 0
            for size in (0, 1, 2, 7, 64, 500, 1400, 9000):
                sent += sock.send(bytes(size))
            sock.settimeout(QUIET_S)
            try:
                while got <= sent:
                    got += len(sock.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                pass
    finally:
        net.close()
    return got <= sent and (got > 0) == words.startswith("echo"), f"{sent:,} bytes sent, {got:,} came back"


REFLECTIONS = {}
for _loop in ("epoll", "select"):
    REFLECTIONS[f"udp mirrors {_loop}"] = functools.partial(mirrors, FAR, _loop)
    REFLECTIONS[f"udp mirrors loopback {_loop}"] = functools.partial(mirrors, NEAR, _loop)
    REFLECTIONS[f"udp itself {_loop}"] = functools.partial(itself, FAR[0], _loop)
for _name, _words in {"echo": "echo -u 10.9.0.1:0", "zero": "serve -u --zero 10.9.0.1:0",
                      "file": "serve -u --file {dir}/much 10.9.0.1:0"}.items():
    REFLECTIONS[f"udp amplifies {_name}"] = functools.partial(no_more_than_it_got, _words)
