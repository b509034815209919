"""--expect and its sisters: in every mode and over every transport, right is 0, wrong is 8 and says where."""
import hashlib
import re

import pytest

import wire
from place import DATAGRAMS, STREAMS, Place

HASH = hashlib.sha256(b"hola\npues").hexdigest()
WAYS = {
    "text": ["--expect", "hola\\npues"],
    "file": ["--expect-file", "want"],
    "bytes": ["--expect-bytes", "9"],
    "sum": ["--expect-sha256", HASH],
    "both": ["--expect-bytes", "9", "--expect-sha256", HASH.upper()],
}
WRONG = [
    ("text", b"hola\nbues", 'byte 5: got 62 ("bues"), want 70 ("pues")'),
    ("file", b"hola\nbues", 'byte 5: got 62 ("bues"), want 70 ("pues")'),
    ("text", b"hola\npues!", 'byte 9: got 21 ("!"), want the end'),
    ("text", b"hol", "ended after 3 bytes, want 9"),
    ("text", b"", "ended after 0 bytes, want 9"),
    ("file", b"hol", "ended after 3 bytes, want 9"),
    ("bytes", b"hola\npues!", "got more than 9 bytes"),
    ("bytes", b"hola", "ended after 4 bytes, want 9"),
    ("sum", b"x", f"SHA-256 of 1 byte: got {hashlib.sha256(b'x').hexdigest()}, want {HASH}"),
    ("both", b"hola", "ended after 4 bytes, want 9"),
]


@pytest.fixture
def ways(tmp_path):
    (tmp_path / "want").write_bytes(b"hola\npues")
    return {name: [str(tmp_path / "want") if word == "want" else word for word in words] for name, words in WAYS.items()}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("role", ["connect", "listen", "echo", "serve"])
@pytest.mark.parametrize("way", WAYS)
def test_right_is_0(sockctl, pair, tmp_path, ways, role, kind, way):
    more = ["--count", "1"] if role in ("echo", "serve") else []
    proc, sock = pair(role, Place(kind, tmp_path), *ways[way], *more, stdin=b"")
    sock.sendall(b"hola\npues")
    wire.half_close(sock)
    wire.read_eof(sock)
    proc.ends()


@pytest.mark.whole("the words show what came with the first wrong byte")
@pytest.mark.parametrize("role", ["connect", "listen", "echo", "serve", "chat"])
@pytest.mark.parametrize("way, data, words", WRONG)
def test_wrong_is_8_and_says_where(sockctl, pair, tcp, ways, role, way, data, words):
    more = ["--count", "1"] if role in ("echo", "serve", "chat") else []
    proc, sock = pair(role, tcp, *ways[way], *more, stdin=b"")
    sock.sendall(data)
    wire.half_close(sock)
    out = proc.ends(8)
    who = "connection" if role == "connect" else "client"
    assert proc.complaint() == f"sockctl: {who} 1: {words}"
    if role in ("connect", "listen"):
        assert out == data  # what came is not kept back


@pytest.mark.parametrize("kind", DATAGRAMS)
@pytest.mark.parametrize("right", [True, False])
def test_datagrams_are_joined(sockctl, tmp_path, kind, right):
    place = Place(kind, tmp_path)
    server = sockctl.serve("echo", place, "--expect", "hola\\npues")
    sock = place.dial()
    for part in (b"hola\n", b"", b"pues" if right else b"pue"):
        sock.send(part)
        assert sock.recv(100) == part
    server.signal(15)
    server.ends(0 if right else 8)
    if not right:
        assert server.complaint() == "sockctl: client 1: ended after 8 bytes, want 9"


@pytest.mark.parametrize("reply, code", [(b"pong", 0), (b"pang", 8)])
def test_a_udp_client_expects_its_reply(sockctl, tmp_path, reply, code):
    place = Place("udp4", tmp_path)
    sock = place.listen()
    proc = sockctl.connect(place, "--replies", 1, "--expect", "pong", stdin=b"ping")
    _, peer = sock.recvfrom(100)
    sock.sendto(reply, peer)
    assert proc.ends(code) == reply


@pytest.mark.whole("what came with the first wrong byte is still handed on")
def test_each_client_is_judged_and_one_is_enough(sockctl, tcp):
    server = sockctl.serve("echo", tcp, "--expect", "right", "--count", 3, "-v")
    for data in (b"right", b"wrong", b"right"):
        sock = tcp.dial()
        sock.sendall(data)
        wire.half_close(sock)
        try:
            wire.read_eof(sock)
        except ConnectionResetError:
            assert data == b"wrong"
    server.ends(8)
    assert server.lines()[-1] == 'sockctl: client 2: byte 0: got 77 ("wron…"), want 72 ("righ…")'
    assert any(line.startswith("sockctl: [2] byte 0: ") for line in server.lines())


def test_8_wins_over_an_earlier_failure(sockctl, tcp):
    server = sockctl.serve("echo", tcp, "--expect", "right", "--count", 2, "--strict")
    sock = tcp.dial()
    sock.sendall(b"right")
    assert wire.read(sock, 5)
    wire.reset(sock)
    sock = tcp.dial()
    sock.sendall(b"x")
    wire.closed_without_a_byte(sock)
    server.ends(8)
    assert server.complaint().startswith("sockctl: client 2: byte 0")


@pytest.mark.whole("what came with the first wrong byte is still handed on")
def test_a_peer_that_differs_is_closed_at_once(sockctl, tcp):
    """Although it would go on, and although stdin is open."""
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--expect", "right")
    sock = wire.accept(listener)
    sock.sendall(b"rigid")
    assert proc.ends(8) == b"rigid"
    assert wire.closed_without_a_byte(sock)


def test_a_reset_before_everything_came(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--expect", "right")
    sock = wire.accept(listener)
    sock.sendall(b"rig")
    assert proc.read(3) == b"rig"
    wire.reset(sock)
    proc.finish(8)
    assert re.fullmatch(r"sockctl: connection 1: ended after 3 bytes, want 5 \(receive from 127\.0\.0\.1:\d+: "
                        r"Connection reset by peer\)", proc.complaint())


@pytest.mark.parametrize("limit", [["--lifetime", "100ms"], ["--max-time", "100ms"], ["-i", "0.1s"]])
def test_a_limit_of_time_before_everything_came(sockctl, tcp, limit):
    tcp.listen()
    proc = sockctl.connect(tcp, "--expect", "right", *limit)
    proc.ends(8)
    assert proc.complaint().startswith("sockctl: connection 1: ended after 0 bytes, want 5")


def test_a_signal_before_everything_came(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--expect", r"ri\nght", "--drain", "100ms", stdin=b"")
    sock = tcp.dial()
    sock.sendall(b"ri\n")
    assert server.read_until() == b"[1] ri\n"
    server.signal(15)
    server.ends(8)
    assert "ended after 3 bytes, want 6" in server.complaint()


def test_no_client_breaks_no_expectation(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--expect", "right")
    server.signal(15)
    server.ends(0)


def test_a_large_file_takes_no_memory(sockctl, tcp, tmp_path):
    data = wire.payload(48 << 20)
    (tmp_path / "want").write_bytes(data)
    server = sockctl.serve("serve", tcp, "--discard", "--expect-file", tmp_path / "want", "--count", 2)
    for last in (data, data[:-1] + bytes([data[-1] ^ 1])):
        sock = tcp.dial()
        sock.sendall(last)
        if last is data:
            with open(f"/proc/{server.pid}/status") as status:
                assert int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1)) < 24 << 10
        wire.half_close(sock)
        try:
            wire.read_eof(sock)
        except ConnectionResetError:
            pass
    server.ends(8)
    assert f"client 2: byte {len(data) - 1}: got " in server.complaint()


@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
@pytest.mark.parametrize("words, why", [
    (["--expect-sha256", "abc"], "64 hexadecimal digits"),
    (["--expect-sha256", HASH + "0"], "64 hexadecimal digits"),
    (["--expect-bytes", "many"], "--expect-bytes"),
    (["--expect-bytes", "-1"], "--expect-bytes"),
    (["--expect", "\\q"], "unknown escape"),
    (["--expect-file", "/no/such"], "No such file"),
    (["--expect-file", "/dev/null"], "no regular file"),
    (["--expect-file", "/"], "no regular file"),
    (["--expect", "x", "--expect-file", "/etc/passwd"], "cannot be used together"),
    (["--expect", "x", "--expect-bytes", "1"], "cannot be used together"),
    (["--expect-file", "/etc/passwd", "--expect-sha256", HASH], "cannot be used together"),
])
def test_what_makes_no_sense_is_2_before_any_socket(sockctl, tcp, mode, words, why):
    listener = tcp.listen()
    proc = sockctl.run(mode, *words, *(tcp.words() if mode == "connect" else ["127.0.0.1:0"]))
    proc.ends(2)
    assert why in proc.complaint()
    assert wire.silent(listener)
