"""Clients beside one honest transfer that are still in their setup: mute, dripping, half done, or no good at all. The honest
client loses nothing by them, and the run is not over before its client has been served."""
import select
import ssl
import threading

import pytest

import wire

LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\n"


def hello():
    """The first flight of a TLS client."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(into, out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def drip(sock, data):
    """A byte, and the next one a moment later, as long as the peer takes them."""
    try:
        for at in range(len(data)):
            sock.sendall(data[at:at + 1])
            if select.select([sock], [], [], 0.005)[0] and not sock.recv(1 << 16):
                return
    except OSError:
        pass  # turned away


def mute(sock, first):
    pass


def half(sock, first):
    sock.sendall(first[:len(first) * 2 // 3])


def dripping(sock, first):
    thread = threading.Thread(target=drip, args=(sock, first))
    thread.start()
    wire.at_end(lambda: thread.join(wire.DEADLINE))


def waiting(sock, first):
    """All that it has to say for now: under TLS the server waits for its second flight."""
    sock.sendall(first if first[0] == 22 else first[:-1])


def garbage(sock, first):
    sock.sendall(b"\xff" * 300)


def leaving(sock, first):
    sock.sendall(first[:7])
    wire.half_close(sock)


KINDS = [mute, half, dripping, waiting, garbage, leaving]


def named(value):
    return value.__name__ if callable(value) else value or "all"


def beside(kind, count):
    """Neighbours of this kind, or of each kind in turn."""
    return [kind or KINDS[i % len(KINDS)] for i in range(count)]


def gather(proc, place, kinds):
    """Each of them has been accepted when the next one, or the honest client, comes."""
    first = hello() if place.tls else LINE
    for n, kind in enumerate(kinds, 1):
        sock = place.dial(raw=True)
        proc.says(rb"(?s)(wants to connect.*){%d}" % n)
        kind(sock, first)


def serve(sockctl, mode, place, *words, **how):
    return sockctl.serve(mode, place, "-vv", *([] if place.tls else ["--proxy-in", "any"]), *words, **how)


def honest(sockctl, place, data):
    path = sockctl.folder / "data"
    path.write_bytes(data)
    with open(path, "rb") as file:
        return sockctl.connect(place, *([] if place.tls else ["--proxy-out", "v1"]), stdin=file)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind,count", [(mute, 1), (mute, 5), (dripping, 2), (waiting, 3), (None, 5)], ids=named)
def test_the_one_client_of_listen_is_served(sockctl, place, kind, count):
    proc = serve(sockctl, "listen", place, stdin=b"an answer\n")
    gather(proc, place, beside(kind, count))
    data = wire.payload(700_000)
    client = honest(sockctl, place, data)
    wire.same(proc.ends(), data)
    assert client.ends() == b"an answer\n"


@pytest.mark.usefixtures("loop")
def test_listen_keeps_open_beside_them(sockctl, place):
    """Each client in turn, with new neighbours before it."""
    proc = serve(sockctl, "listen", place, "-k", stdin=b"")
    data = wire.payload(150_000)
    for _ in range(3):
        gather(proc, place, beside(None, 3))
        client = honest(sockctl, place, data)
        wire.same(proc.read(len(data)), data)
        client.ends()
        proc.says(rb"closed by peer")
        proc.err.clear()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", [mute, None], ids=named)
@pytest.mark.parametrize("mode", ["echo", "serve"])
def test_the_counted_client_is_served(sockctl, place, mode, kind):
    """Those in their setup are not waited for, and do not end the run before its client has gone."""
    proc = serve(sockctl, mode, place, "--count", "1", *(["--recv-only", "--label", "none"] if mode == "serve" else []))
    gather(proc, place, beside(kind, 3))
    data = b"".join(b"line %d\n" % i for i in range(wire.much(300_000) // 10))
    client = honest(sockctl, place, data)
    wire.same(proc.ends(), b"" if mode == "echo" else data)
    wire.same(client.ends(), data if mode == "echo" else b"")


@pytest.mark.usefixtures("loop")
def test_a_full_house_of_them_gives_way(sockctl, place):
    proc = serve(sockctl, "echo", place, "--max", "2", "--count", "1")
    gather(proc, place, beside(mute, 5))
    data = wire.payload(150_000)
    client = honest(sockctl, place, data)
    wire.same(client.ends(), data)
    proc.ends()
