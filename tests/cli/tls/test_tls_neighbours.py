"""A TLS server with bad neighbours at its door serves the honest client as if it were alone: every byte, and the right end."""
import pytest

import certs
import neighbours
import wire

pytestmark = [pytest.mark.tls, pytest.mark.usefixtures("loop")]

CERT = ["--cert", certs.good().pem, "--key", certs.good().key]
KINDS = ["mute", "head", "half", "stalled", "drip", "plain", "gone", "reset"]
DATA = wire.payload(300_000)


def server(sockctl, mode, *words, **how):
    return sockctl.serve(mode, ["tls://127.0.0.1:0"], "-q", *words, *CERT, **how)


def client(sockctl, proc, **how):
    return sockctl.start("connect", "-q", "--ca", certs.root().pem, f"tls://127.0.0.1:{proc.port}", **how)


def sender(sockctl, proc):
    """It needs no thread to feed it."""
    path = sockctl.folder / "data"
    path.write_bytes(DATA)
    with open(path, "rb") as data:
        return client(sockctl, proc, stdin=data)


@pytest.mark.parametrize("kind", KINDS)
def test_listen_gives_its_one_place_to_the_honest(sockctl, kind):
    for _ in range(3):
        proc = server(sockctl, "listen", stdin=b"")
        neighbours.surround("127.0.0.1", proc.port, kind)
        honest = sender(sockctl, proc)
        wire.same(proc.ends(0), DATA)
        honest.ends(0)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_listen_beside_several(sockctl, count):
    proc = server(sockctl, "listen", stdin=b"")
    for kind in KINDS[:count]:
        neighbours.surround("127.0.0.1", proc.port, kind)
    honest = sender(sockctl, proc)
    wire.same(proc.ends(0), DATA)
    honest.ends(0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_echo_of_one_place(sockctl, kind):
    """The neighbour has the place, and gives way."""
    proc = server(sockctl, "echo", "--max", "1")
    for _ in range(3):
        neighbours.surround("127.0.0.1", proc.port, kind)
        honest = client(sockctl, proc, stdin=DATA)
        wire.same(honest.ends(0), DATA)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_counts(sockctl, kind):
    """--count 1 is one that has come in: neighbours have not."""
    proc = server(sockctl, "serve", "--recv-only", "--label", "none", "--count", "1", stdin=b"")
    neighbours.surround("127.0.0.1", proc.port, kind)
    honest = client(sockctl, proc, stdin=b"the one\n")
    assert proc.ends(0) == b"the one\n"
    honest.ends(0)


def test_all_of_them_while_it_goes_on(sockctl):
    proc = server(sockctl, "echo")
    first = client(sockctl, proc)
    first.send(b"before\n")
    assert first.read(7) == b"before\n"
    neighbours.surround("127.0.0.1", proc.port)
    second = client(sockctl, proc, stdin=DATA)
    wire.same(second.ends(0), DATA)
    first.send(b"after\n")
    assert first.read(6) == b"after\n"
    first.finish(0)
