"""Handshakes that are cut at every byte, with a bit of every byte flipped, or that never go on: they let no client in, nothing
crashes, no place is lost, and the next client is served at once.

SOCKCTL_LONG flips every bit, and tries connect at every byte, too.
"""
import contextlib
import os
import select
import ssl
import time

import pytest

import certs
import relay
import tlspeer
import wire
from program import has_tls

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

LONG = bool(os.environ.get("SOCKCTL_LONG"))
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
BATCH = 64
CERT = ["--cert", certs.good().pem, "--key", certs.good().key]


class Client:
    """One that shakes hands step by step, so that a test may lay hands on what it says."""

    contexts = {}

    def __init__(self, tcp, version):
        if version not in self.contexts:
            self.contexts[version] = relay.client_context(oldest=version, newest=version)
        self.sock = tcp.dial()
        self.tls = relay.Tls(self.contexts[version], name="127.0.0.1")
        self.tls.shake()

    def flight(self):
        """What it has to say now."""
        said = bytes(self.tls.out)
        self.tls.out.clear()
        return said

    def hear(self):
        data = self.sock.recv(65536)
        self.tls.take(data)
        return bool(data)

    def go_on(self):
        """To the end of the handshake and an echo: whether that came."""
        try:
            while not self.tls.shake():
                self.sock.sendall(self.flight())
                if not self.hear():
                    return False
            self.tls.write(b"x")
            self.sock.sendall(self.flight())
            while not (got := self.tls.read()) and not self.tls.ended:
                if not self.hear():
                    return False
            return got == b"x"
        except ssl.SSLError:
            try:
                self.sock.sendall(self.flight())  # the alert
            except ConnectionError:
                pass
            return False
        except ConnectionError:
            return False

    def close(self):
        wire.close(self.sock)


@pytest.fixture
def echo(sockctl, tcp, tmp_path):
    """A server that has fewer places than will be attacked, and what it says of itself."""
    proc = sockctl.serve("echo", [f"tls://{tcp.shown()}"], *CERT, "--max", 2 * BATCH, "--events", tmp_path / "events")
    tcp.port = proc.port
    proc.descriptors = len(os.listdir(f"/proc/{proc.pid}/fd"))
    proc.happened = lambda kind: tlspeer.events(tmp_path / "events", kind)
    return proc


def served(tcp, version):
    """A client as it should be. When it is served, everything that came before it has been looked at."""
    client = Client(tcp, version)
    assert client.go_on()
    client.close()


def end_of(echo, opened):
    """Only allowed clients came in, and all of them are gone."""
    wire.until(lambda: len(os.listdir(f"/proc/{echo.pid}/fd")) <= echo.descriptors, "no descriptor is left")
    assert len(echo.happened("open")) == opened == len(echo.happened("tls"))
    assert [event for event in echo.happened("reject") if event["reason"] != "tls" or not event["error"]] == []
    assert echo.alive()


def batches(items):
    items = list(items)
    return [items[at : at + BATCH] for at in range(0, len(items), BATCH)]


def flipped(data, at, bit):
    data = bytearray(data)
    data[at] ^= 1 << bit
    return bytes(data)


def flips(size):
    """(place, bit) of each byte, and of each bit if there is time."""
    return [(at, bit) for at in range(size) for bit in (range(8) if LONG else [at % 8])]


def unprotected(flight, at):
    """Of a record's head the version means nothing, and no checksum of the handshake covers it where it is not encrypted."""
    head = 0
    while head + 5 <= at:
        size = 5 + int.from_bytes(flight[head + 3 : head + 5], "big")
        if at < head + size:
            break
        head += size
    return at - head in (1, 2)


def second_flight(client):
    """What the client says when it has heard the server's first words."""
    client.sock.sendall(client.flight())
    while not client.tls.out:
        assert client.hear()
        client.tls.shake()
    return client.flight()


def sample(tcp, version, flight):
    """What is said in such a flight."""
    client = Client(tcp, version)
    said = flight(client)
    client.close()
    return said


# clients


@VERSIONS
@pytest.mark.parametrize("end", [wire.half_close, wire.reset], ids=["fin", "reset"])
def test_a_client_cut_anywhere_in_its_first_flight(echo, tcp, version, end):
    sizes = range(len(sample(tcp, version, Client.flight)))
    for batch in batches(sizes):
        clients = [(Client(tcp, version), size) for size in batch]
        for client, size in clients:
            client.sock.sendall(client.flight()[:size])
            end(client.sock)
        served(tcp, version)
        if end is wire.half_close:
            for client, _ in clients:
                assert b"\x16" != wire.read_any(client.sock)[:1]  # perhaps an alert, no hello
                client.close()
    wire.close_all()
    end_of(echo, len(batches(sizes)))


@VERSIONS
def test_a_client_cut_anywhere_in_its_second_flight(echo, tcp, version):
    sizes = range(len(sample(tcp, version, second_flight)))
    for batch in batches(sizes):
        clients = [(Client(tcp, version), size) for size in batch]
        for client, size in clients:
            client.sock.sendall(second_flight(client)[:size])
            wire.half_close(client.sock)
        served(tcp, version)
        for client, _ in clients:
            wire.read_any(client.sock)
            client.close()
    wire.close_all()
    end_of(echo, len(batches(sizes)))


def attack(echo, tcp, version, flight, say):
    """Every flip of the flight; say(client, at, bit) says everything up to it. Whatever the server makes of it, at the latest
    the checksum over the whole handshake tells."""
    let_in = opened = 0
    for batch in batches(flips(len(flight))):
        clients = [(Client(tcp, version), at, bit) for at, bit in batch]
        for client, at, bit in clients:
            say(client, at, bit)
        served(tcp, version)
        opened += 1
        for client, at, bit in clients:
            if not select.select([client.sock], [], [], 0)[0]:
                wire.half_close(client.sock)  # it waits for more: a length was flipped
                wire.read_any(client.sock)
            elif client.go_on():
                assert unprotected(flight, at), f"let in with bit {bit} of byte {at} flipped"
                let_in += 1
            client.close()
    wire.close_all()
    end_of(echo, opened + let_in)


@VERSIONS
def test_a_client_with_a_flipped_bit_in_its_first_flight(echo, tcp, version):
    def say(client, at, bit):
        client.sock.sendall(flipped(client.flight(), at, bit))

    attack(echo, tcp, version, sample(tcp, version, Client.flight), say)


@VERSIONS
def test_a_client_with_a_flipped_bit_in_its_second_flight(echo, tcp, version):
    def say(client, at, bit):
        client.sock.sendall(flipped(second_flight(client), at, bit))
        if client.tls.shaken:  # in 1.3 its words follow at once
            client.tls.write(b"x")
            client.sock.sendall(client.flight())

    attack(echo, tcp, version, sample(tcp, version, second_flight), say)


# servers


@pytest.fixture
def tricked(sockctl, tcp):
    """tricked(version, change): how far the handshake of connect came with a server whose first flight is changed and followed by
    its end: (the program, which has ended; the server's TLS)."""
    contexts = {version: relay.server_context(newest=version) for version in (TLS12, TLS13)}
    listener = tcp.listen()

    def run(version, change):
        proc = sockctl.start("connect", "--pin", certs.good().pin, f"tls://{tcp.shown()}", stdin=b"payload")
        sock = wire.accept(listener)
        tls = relay.Tls(contexts[version], server=True)
        while not tls.out:
            tls.take(sock.recv(65536))
            tls.shake()
        flight, tls.out = bytes(tls.out), bytearray()
        sock.sendall(change(flight))
        wire.half_close(sock)
        tls.take(wire.read_any(sock))
        try:
            tls.shake()
        except ssl.SSLError:
            pass
        wire.close(sock)
        proc.wait()
        return proc, tls, flight

    return run


def some(size):
    """Places all over the flight, those of its first messages among them; all of them if there is time."""
    return range(size) if LONG else [*range(0, 12), *range(12, size, 41), size - 1]


@VERSIONS
def test_a_server_cut_anywhere(tricked, version):
    proc, tls, flight = tricked(version, lambda flight: flight)
    assert tls.shaken  # so far the test could do it
    for size in some(len(flight)):
        proc, tls, _ = tricked(version, lambda flight: flight[: min(size, len(flight) - 1)])
        assert not tls.shaken
        tlspeer.says_why(proc, "closed the connection during the handshake|handshake failed")


@VERSIONS
def test_a_server_with_a_flipped_bit(tricked, version):
    _, _, flight = tricked(version, lambda flight: flight)
    for at in some(len(flight)):
        for bit in range(8) if LONG else [at % 8]:
            proc, tls, flight = tricked(version, lambda flight: flipped(flight, min(at, len(flight) - 1), bit))
            if not (tls.shaken and unprotected(flight, at)):
                assert not tls.shaken, f"trusted with bit {bit} of byte {at} flipped"
                tlspeer.says_why(proc, "handshake|TLS|pinned")


# those that never go on


def stalled(tcp, stage):
    """One that has come so far and stays there."""
    client = Client(tcp, TLS13)
    if stage == "hello":
        client.sock.sendall(client.flight())
        assert client.hear()
    elif stage != "nothing":
        client.sock.sendall(client.flight()[: {"byte": 1, "head": 5, "half": 100}[stage]])
    return client


STAGES = ["nothing", "byte", "head", "half", "hello"]


def test_a_stalled_peer_delays_no_other(echo, tcp):
    for _ in range(4):
        for stage in STAGES:
            stalled(tcp, stage)
        served(tcp, TLS13)
    assert len(echo.happened("open")) == 4 and not echo.happened("reject")


def test_the_stalled_have_ten_seconds(echo, tcp):
    """Also one that sends a byte now and then."""
    clients = [stalled(tcp, stage) for stage in STAGES]
    slow = Client(tcp, TLS13)
    hello = iter(slow.flight())
    poll = select.poll()
    poll.register(slow.sock, select.POLLIN)
    began = time.monotonic()
    while not poll.poll(200):
        slow.sock.send(bytes([next(hello)]))
    assert 9 < time.monotonic() - began
    for client in (slow, *clients):
        assert b"\x16" != wire.read_any(client.sock)[:1]
    rejects = wire.until(lambda: len(echo.happened("reject")) == 6 and echo.happened("reject"), "all are turned away")
    assert {event["error"] for event in rejects} == {"setup took too long"} and not echo.happened("open")
    served(tcp, TLS13)


def test_the_stalled_do_not_fill_the_house(sockctl, tcp, tmp_path):
    """The oldest of too many makes room, and a client that shakes hands comes in."""
    proc = sockctl.serve("echo", [f"tls://{tcp.shown()}"], *CERT, "--max", 1, "--events", tmp_path / "events")
    tcp.port = proc.port
    for _ in range(60):
        Client(tcp, TLS13)
    served(tcp, TLS13)
    assert proc.alive() and len(tlspeer.events(tmp_path / "events", "open")) == 1


# listen, which has one place only


@pytest.mark.usefixtures("loop")
def test_the_one_place_is_not_used_up(sockctl, tcp, tmp_path):
    """Not by clients that fail, stall or come first: the first that finishes its handshake has it."""
    proc = sockctl.serve("listen", [f"tls://{tcp.shown()}"], *CERT, "--events", tmp_path / "events")
    tcp.port = proc.port
    waiting = []
    for stage in STAGES:
        waiting.append(stalled(tcp, stage))
        wire.until(lambda: len(tlspeer.events(tmp_path / "events", "request")) == len(waiting), "at the door")  # few may queue
    for words in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\0\1\1", b""):
        sock = tcp.dial()
        sock.sendall(words)
        with contextlib.suppress(OSError):  # what is no TLS is reset
            wire.half_close(sock)
        assert wire.read_any(sock)[:1] != b"\x16"
    client = Client(tcp, TLS13)
    while not client.tls.shake():
        client.sock.sendall(client.flight())
        client.hear()
    client.tls.write(b"the one")
    client.tls.end()
    client.sock.sendall(client.flight())
    assert proc.read_eof() == b"the one"
    assert wire.refused(tcp.dial)
    for each in waiting:  # they were let go
        assert wire.read_any(each.sock)[:1] != b"\x16"
    proc.finish(0)
    assert len(tlspeer.events(tmp_path / "events", "open")) == 1
