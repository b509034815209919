"""--hex: stdin is hexadecimal as people write it, stdout 16 bytes a line, whatever the pieces in which either comes."""
import random
import re

import pytest

import wire
from place import DATAGRAMS, STREAMS, Place

LOOPS = pytest.mark.usefixtures("loop")

WRITTEN = {
    "pairs": ("02 45 31 ff", "024531ff"),
    "colons": ("02:45:31:FF\n", "024531ff"),
    "prefixes": ("0x02,0x45 0X31, 0xfF", "024531ff"),
    "issue": ("02:45 0x31 ff\n", "024531ff"),
    "escapes": (r"\x02\x45\X31\xff", "024531ff"),
    "joined": ("024531ff\n", "024531ff"),
    "prefixed group": ("0x024531ff", "024531ff"),
    "single digits": ("2 0x5 a:0:f\n", "02050a000f"),
    "zeros": ("0 00 0x0 0x00", "00000000"),
    "dashes": ("02-45-31;ff", "024531ff"),
    "lines": ("02\n\n45\r\n\t31\nff", "024531ff"),
    "comments": ("# a comment: zz\n02 45 # and another\n31ff#x", "024531ff"),
    "newlines among the bytes": ("0a 0d0a 0a", "0a0d0a0a"),
    "empty": ("", ""),
    "no digit": (" \n # nothing\n", ""),
}

WRONG = {
    "letter": ("02 4g", 1, 'expected hexadecimal digits, got "g"'),
    "percent": ("02\n%45", 2, 'expected hexadecimal digits, got "%"'),
    "odd": ("02\n45\n123 44", 3, "an odd number of digits"),
    "odd at the end": ("02 123", 1, "an odd number of digits"),
    "bare prefix": ("02 0x 45", 1, "a prefix without digits"),
    "bare prefix at the end": ("02\n0x", 2, "a prefix without digits"),
    "two prefixes": ("02 0x0x31", 1, "an x that is not of 0x"),
    "an x alone": ("02 x31", 1, "an x that is not of 0x"),
    "an x behind digits": ("02 31x", 1, "an x that is not of 0x"),
    "control": ("02 \x11", 1, "expected hexadecimal digits"),
    "nul": ("02 \0", 1, "expected hexadecimal digits"),
}


def shown(data):
    rows = [data[at:at + 16].hex(" ") for at in range(0, len(data), 16)]
    return "".join(row + "\n" for row in rows).encode()


@LOOPS
@pytest.mark.parametrize("name", WRITTEN)
def test_what_people_write(sockctl, pair, tcp, name):
    text, want = WRITTEN[name]
    proc, sock = pair("connect", tcp, "--hex", stdin=text.encode())
    assert wire.read_eof(sock).hex() == want
    sock.close()
    proc.ends(0)


@LOOPS
@pytest.mark.parametrize("name", WRITTEN)
def test_in_pieces_of_a_byte(sockctl, pair, tcp, name):
    """The same where each read gives one character."""
    text, want = WRITTEN[name]
    proc, sock = pair("connect", tcp, "--hex")
    for byte in text.encode():
        proc.send(bytes([byte]))
    proc.eof()
    assert wire.read_eof(sock).hex() == want
    sock.close()
    proc.ends(0)


@LOOPS
@pytest.mark.parametrize("name", WRONG)
def test_what_is_none(sockctl, pair, tcp, name):
    """The line is named, and the peer does not take what came before for the whole."""
    text, line, why = WRONG[name]
    proc, sock = pair("connect", tcp, "--hex", stdin=text.encode())
    proc.ends(9)
    assert f"read stdin: --hex: line {line}: {why}" in proc.complaint().replace("\\\\", "\\")


@LOOPS
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("role", ["connect", "listen"])
def test_both_ways(sockctl, pair, tmp_path, kind, role):
    place = Place(kind, tmp_path)
    data = wire.payload(100_003)
    (tmp_path / "in").write_text(data.hex(":"))
    with open(tmp_path / "in", "rb") as source:
        proc, sock = pair(role, place, "--hex", stdin=source)
    wire.same(wire.read(sock, len(data)), data)
    sock.sendall(data)
    sock.close()
    wire.same(proc.ends(0), shown(data))


@LOOPS
def test_shown_at_once(sockctl, pair, tcp):
    """An unfinished line is there before more comes; a line never depends on what one read gave."""
    proc, sock = pair("connect", tcp, "--hex", "--end", "peer")
    seen = b""
    for byte in range(20):
        sock.sendall(bytes([byte]))
        want = shown(bytes(range(byte + 1)))
        more = want[len(seen):-1] if (byte + 1) % 16 else want[len(seen):]
        assert proc.read(len(more)) == more
        seen += more
    sock.close()
    assert proc.ends(0) == b"\n"


@LOOPS
@pytest.mark.parametrize("kind", DATAGRAMS)
def test_a_line_is_a_datagram(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = place.listen()
    proc = sockctl.connect(place, "--hex", "--replies", "4", "--reply-wait", "1h", stdin=b"01 02\n\n# not one\n0a\n0x03,0x04 # end\n5")
    got = [server.recvfrom(100) for _ in range(4)]
    assert [data for data, _ in got] == [b"\x01\x02", b"\n", b"\x03\x04", b"\x05"]
    for data in (b"\xff", b"", bytes(range(40)), b"\n\n"):
        server.sendto(data, got[0][1])
    assert proc.ends(0) == b"ff\n\n" + bytes(range(40)).hex(" ").encode() + b"\n0a 0a\n"


@LOOPS
def test_the_longest_datagram(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    data = wire.payload(65507)
    sockctl.serve("echo", place)
    proc = sockctl.connect(place, "--hex", "--datagram-size", "65507", "--replies", "1", "--reply-wait", "1h", stdin=data.hex().encode())
    wire.same(proc.ends(0), data.hex(" ").encode() + b"\n")


@LOOPS
def test_with_the_senders(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = place.listen()
    proc = sockctl.connect(place, "--hex", "--label", "addr", "--reply-wait", "1h", "--replies", "2", stdin=b"00")
    _, peer = server.recvfrom(100)
    server.sendto(b"a\nb", peer)
    server.sendto(b"", peer)
    label = "[%s:%d] " % server.getsockname()
    assert proc.ends(0).decode() == f"{label}61 0a 62\n{label}\n"


@LOOPS
def test_a_line_each_with_pace(sockctl, pair, tcp):
    proc, sock = pair("connect", tcp, "--hex", "--pace", "1ms", stdin=b"01\n02\n")
    assert wire.read_eof(sock) == b"\x01\x02"
    sock.close()
    proc.ends(0)


def test_any_writing_of_any_bytes(sockctl, tcp):
    """A thousand groups at random, against a reader that is Python's."""
    draw = random.Random(15)
    data, text = bytearray(), []
    for _ in range(1000):
        group = draw.randbytes(draw.randint(1, 5))
        style = draw.choice(["{}", "0x{}", "\\x{}", "0X{}"])
        written = group.hex() if draw.random() < 0.5 else group.hex().upper()
        data += group
        text.append(style.format(written) + draw.choice([" ", "\n", ",", ":", ";", "-", "\t", " # x\n"]))
    sockctl.serve("echo", tcp)
    proc = sockctl.run("connect", "--hex", *tcp.words(), stdin="".join(text).encode())
    assert re.sub(rb"\s", b"", bytes(proc.buf)).decode() == data.hex()
    wire.same(bytes(proc.buf), shown(bytes(data)))


@pytest.mark.parametrize("words, says", [(["--hex", "--raw"], "--hex and --raw cannot be used together"),
                                         (["--hex", "--crlf"], "--hex and --crlf cannot be used together"),
                                         (["--hex", "--frame", "line"], "--hex and --frame cannot be used together")])
@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_refused(sockctl, mode, words, says):
    proc = sockctl.run(mode, *words, "127.0.0.1:1" if mode == "connect" else "127.0.0.1:0")
    assert proc.code == 2
    assert says in proc.complaint()
