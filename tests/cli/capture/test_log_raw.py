"""--log-raw: both directions byte for byte, in the order in which they passed, as ncat -o and socat -r -R write them."""
import stat
import subprocess

import pytest

import wire
from place import DATAGRAMS, STREAMS, Place

LOOPS = pytest.mark.usefixtures("loop")
TURNS = [b"who\r\n", b"\x00\xffme", b"again", b"\n"]


def converse(sockctl, tmp_path, kind, *words):
    """Turn by turn, so that the order is known. Returns the finished program."""
    place = Place(kind, tmp_path)
    server = sockctl.serve("echo", place)
    proc = sockctl.connect(place, *words, *(["--replies", str(len(TURNS))] if place.dgram else []))
    for turn in TURNS:
        proc.send(turn)
        assert proc.read(len(turn)) == turn
    if not place.dgram:
        proc.eof()
    proc.ends(0)
    server.signal(15)
    return proc


@LOOPS
@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("kind", STREAMS + DATAGRAMS)
def test_as_it_was_and_in_order(sockctl, tmp_path, kind):
    file = tmp_path / "log"
    converse(sockctl, tmp_path, kind, "--log-raw", str(file))
    assert file.read_bytes() == b"".join(turn + turn for turn in TURNS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@LOOPS
def test_each_client_apart(sockctl, tcp, tmp_path):
    server = sockctl.serve("echo", tcp, "--log-raw", str(tmp_path / "log-%c"), "--count", "2", "--drain", "1h")
    for text in (b"one", b"other"):
        sock = tcp.dial()
        sock.sendall(text)
        assert wire.read(sock, len(text)) == text
        sock.close()
    server.ends(0)
    assert [(tmp_path / f"log-{n}").read_bytes() for n in (1, 2)] == [b"oneone", b"otherother"]


@LOOPS
def test_long_traffic_is_whole(sockctl, tcp, tmp_path):
    file = tmp_path / "log"
    data = wire.payload(3_000_000)
    server = sockctl.serve("serve", tcp, "--discard", "--log-raw", str(file), "--count", "1", "--drain", "1h")
    sockctl.run("connect", *tcp.words(), stdin=data).ends(0)
    server.ends(0)
    wire.same(file.read_bytes(), data)


def test_ncat_writes_the_same(sockctl, need, tmp_path):
    ncat = need("ncat")
    logs = []
    for name, argv in (("ours", [sockctl.binary, "connect", "--log-raw"]), ("theirs", [ncat, "-o"])):
        server = sockctl.serve("echo", Place("tcp4", tmp_path), "--count", "1", "--drain", "1h")
        done = subprocess.run([*argv, str(tmp_path / name), "127.0.0.1", str(server.port)], input=b"hola\n", capture_output=True,
                              timeout=wire.DEADLINE)
        assert done.stdout == b"hola\n", done
        logs.append((tmp_path / name).read_bytes())
    assert logs[0] == logs[1] == b"hola\nhola\n"


def test_refused(sockctl, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for file in ("nowhere/log", "link", "."):
        proc = sockctl.run("connect", "--log-raw", str(tmp_path / file), "127.0.0.1:1")
        assert proc.code == 2
        assert f"--log-raw: {tmp_path / file}: " in proc.complaint()
    proc = sockctl.run("connect", "--probe", "--log-raw", str(tmp_path / "file"), "127.0.0.1:1")
    assert proc.code == 2 and "--probe and --log-raw" in proc.complaint()
