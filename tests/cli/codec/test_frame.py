"""--frame: lines at our end are frames at the other, in every role; echo gives whole frames back as they came.

A peer that is not sockctl says what a frame is (struct, and by hand for netstrings). Layer and framer have unit tests of
their own; here is what a user sees: bytes, exit status, the line on stderr.
"""
import json
import signal
import struct

import pytest

import wire
from place import Place

pytestmark = pytest.mark.usefixtures("loop")


def counted(form, incl=0):
    return lambda data: struct.pack(form, len(data) + incl) + data


FORMS = {
    "line": lambda data: data + b"\n",
    "crlf": lambda data: data + b"\r\n",
    "nul": lambda data: data + b"\0",
    "netstring": lambda data: b"%d:%s," % (len(data), data),
    "u8": counted("B"),
    "u8,incl": counted("B", 1),
    "u16be": counted(">H"),
    "u16be,incl": counted(">H", 2),
    "u16le,incl": counted("<H", 2),
    "u32be": counted(">I"),
    "u32le": counted("<I"),
    "u32be,incl": counted(">I", 4),
}
WORDS = [b"hola", b"", b"que tal", b"x" * 200, "ñ€".encode()]
ROLES = ("connect", "listen")


@pytest.fixture(params=FORMS, ids=lambda spec: spec.replace(",", "-"))
def spec(request):
    return request.param


def wired(spec, words=WORDS):
    return b"".join(map(FORMS[spec], words))


def lines(words=WORDS):
    return b"".join(word + b"\n" for word in words)


@pytest.mark.parametrize("role", ROLES)
def test_lines_out_frames_in(pair, tcp, role, spec):
    """Also the last line, which has no newline; and frames that come byte by byte."""
    proc, sock = pair(role, tcp, "--frame", spec, stdin=lines()[:-1])
    assert wire.read_eof(sock) == wired(spec)
    for byte in wired(spec):
        sock.sendall(bytes([byte]))
    wire.half_close(sock)
    assert proc.ends(0) == lines()


@pytest.mark.parametrize("role", ROLES)
def test_every_stream(pair, place, role):
    proc, sock = pair(role, place, "--frame", "u32le")
    proc.send(b"hola\n")
    assert wire.read(sock, 8) == b"\4\0\0\0hola"
    sock.sendall(b"\5\0\0\0adios")
    assert proc.read(6) == b"adios\n"
    wire.half_close(sock)
    proc.finish(0)


def test_fixed(pair, tcp):
    proc, sock = pair("connect", tcp, "--frame", "fixed=4", stdin=b"hola\nadio\n")
    assert wire.read_eof(sock) == b"holaadio"
    sock.sendall(b"que tal\n")
    wire.half_close(sock)
    assert proc.ends(0) == b"que \ntal\n\n"


def test_raw_is_no_frame(pair, tcp):
    proc, sock = pair("connect", tcp, "--frame", "raw", stdin=b"no end")
    assert wire.read_eof(sock) == b"no end"
    sock.sendall(b"none either")
    wire.half_close(sock)
    assert proc.ends(0) == b"none either"


@pytest.mark.parametrize("half", ["no", "yes"])
def test_the_last_line_does_not_wait_for_the_half_close(pair, tcp, half):
    proc, sock = pair("connect", tcp, "--frame", "u8", "--half-close", half, stdin=b"question")
    assert wire.read(sock, 9) == b"\10question"
    sock.sendall(b"\6answer")
    wire.half_close(sock)
    assert proc.ends(0) == b"answer\n"


@pytest.fixture
def source(tmp_path):
    """source(data): a file to be a program's stdin, which no thread has to feed."""

    def make(data):
        (tmp_path / "in").write_bytes(data)
        return open(tmp_path / "in", "rb")

    return make


def test_between_two_of_us(sockctl, tcp, source):
    """16 MiB of lines of every length, both ways."""
    data = wire.payload(16 << 20) + b"\n"
    with source(data) as one, source(data) as two:
        server = sockctl.serve("listen", tcp, "--frame", "netstring", stdin=one)
        client = sockctl.connect(tcp, "--frame", "netstring", stdin=two)
    wire.same(client.read(len(data)), data)
    wire.same(server.ends(0), data)
    assert client.ends(0) == b""


def test_one_long_frame(pair, tcp, source):
    data = wire.payload(8 << 20).replace(b"\n", b"n")
    with source(data) as stdin:
        proc, sock = pair("connect", tcp, "--frame", "u32be,max=8M", stdin=stdin)
    wire.same(wire.read_eof(sock), struct.pack(">I", len(data)) + data)
    sender = wire.sending(sock, struct.pack(">I", len(data)) + data)
    wire.same(proc.ends(0), data + b"\n")
    sender.result()


# what is wrong

BAD = {
    "too long": ("u32be,max=65536", b"\0\1\x11\x70more", "frame of 70000 bytes is over max 65536 from {}"),
    "another protocol": ("u32be", b"GET / HTTP/1.0\r\n\r\n", "frame of 1195725856 bytes is over max 1048576 from {}"),
    "netstring": ("netstring", b"hola\n", "netstring without its length from {}"),
    "comma": ("netstring", b"4:hola;", "netstring without its comma from {}"),
    "endless": ("nul,max=1k", b"x" * 1100, "frame without an end is over max 1024 from {}"),
    "incl": ("u16be,incl", b"\0\0", "frame with a length that does not count itself from {}"),
}


@pytest.mark.whole("the words show what came with the first wrong byte")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("what", BAD)
def test_a_bad_frame_ends_the_connection(pair, tcp, role, what):
    """What was good before it is written."""
    spec, bad, words = BAD[what]
    good = FORMS[spec.partition(",max")[0]](b"hola")
    proc, sock = pair(role, tcp, "--frame", spec)
    peer = "{}:{}".format(*(sock.getsockname()))
    sock.sendall(good + bad)
    assert proc.ends(7) == b"hola\n"
    assert proc.complaint() == "sockctl: " + words.format(peer)


@pytest.mark.parametrize("spec, cut", [("u32le", b"\4\0\0\0ho"), ("u16be", b"\0"), ("netstring", b"4:hola"), ("fixed=9", b"hola")])
def test_a_frame_that_is_cut_off(pair, tcp, spec, cut):
    proc, sock = pair("connect", tcp, "--frame", spec)
    sock.sendall(cut)
    wire.half_close(sock)
    assert proc.ends(7) == b""
    assert f"frame cut off after {len(cut)} bytes from 127.0.0.1:" in proc.complaint()


@pytest.mark.parametrize("spec", ["line", "crlf", "nul"])
def test_an_unterminated_last_frame_is_one(pair, tcp, spec):
    proc, sock = pair("connect", tcp, "--frame", spec)
    sock.sendall(wired(spec, [b"hola"]) + b"last")
    wire.half_close(sock)
    assert proc.finish(0) == b"hola\nlast\n"


@pytest.mark.parametrize("spec, text, words", [
    ("fixed=4", b"hola\nadios\n", "line of 5 bytes does not fit into a frame to 127.0.0.1:"),
    ("u8", b"hola\n" + b"x" * 256, "line of 256 bytes does not fit into a frame to 127.0.0.1:"),
    ("nul", b"hola\na\0b\n", "line with a zero byte does not fit into a frame to 127.0.0.1:")])
def test_a_line_that_is_no_frame(pair, tcp, spec, text, words):
    """Those before it are sent, what the peer says is still written, and the peer sees a reset: it has not got everything."""
    proc, sock = pair("connect", tcp, "--frame", spec, stdin=text)
    good = b"hola" if spec == "fixed=4" else FORMS[spec](b"hola")
    assert wire.read(sock, len(good)) == good
    sock.sendall(good)
    wire.half_close(sock)
    assert wire.read_reset(sock) == b""
    assert proc.ends(9) == b"hola\n"
    assert words in proc.complaint()


def test_usage(sockctl):
    for words, said in ((["--frame", "u64"], "--frame: expected raw, line, crlf, nul, netstring, fixed=N, u8, "),
                        (["--frame", "u8,max=0"], "--frame: max: expected a size from 1 to 1G"),
                        (["--frame", "line", "-C"], "--frame and --crlf cannot be used together")):
        proc = sockctl.run("connect", *words, "127.0.0.1", "1")
        assert proc.code == 2
        assert said in proc.complaint()


# many clients

def test_console(sockctl, place):
    proc = sockctl.serve("serve", place, "--frame", "u16be")
    one, two = place.dial(), place.dial()
    one.sendall(b"\0\4hola")
    assert proc.read_until() == b"[1] hola\n"
    two.sendall(b"\0\0\0\3tal")
    assert proc.read_until() + proc.read_until() == b"[2] \n[2] tal\n"
    proc.send(b"a todos\n")
    for sock in (one, two):
        assert wire.read(sock, 9) == b"\0\7a todos"


def test_one_bad_client_of_many(sockctl, tcp, tmp_path):
    """Its failure is its own; --strict makes it the run's."""
    proc = sockctl.serve("serve", tcp, "--frame", "netstring", "--events", tmp_path / "log", "--strict")
    good, bad = tcp.dial(), tcp.dial()
    bad.sendall(b"GET")
    assert wire.closed_without_a_byte(bad)
    good.sendall(b"4:hola,")
    assert proc.read_until() == b"[1] hola\n"
    wire.half_close(good)
    proc.eof()
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert "netstring without its length from 127.0.0.1:" in proc.complaint()
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    close = next(e for e in events if e["ev"] == "close" and e["conn"] == 2)
    assert close["by"] == "error" and close["truncated"]
    assert close["error"].startswith("netstring without its length from 127.0.0.1:")


def read_frame(sock):
    return wire.read(sock, struct.unpack("<I", wire.read(sock, 4))[0])


def test_chat(sockctl, place):
    sockctl.serve("chat", place, "--frame", "u32le")
    ana = place.dial()
    assert read_frame(ana) == b"* you are 1; here: 1 (1 here)"
    eva = place.dial()
    assert read_frame(eva) == b"* you are 2; here: 1, 2 (2 here)"
    assert read_frame(ana) == b"* 2 has joined (2 here)"
    ana.sendall(b"\11\0\0\0/nick ana\4\0\0\0hola")
    assert read_frame(eva) == b"* 1 is now ana (2 here)"
    assert read_frame(eva) == b"<ana> hola"


@pytest.mark.parametrize("spec", ["u32le", "netstring", "line", "crlf", "fixed=7"])
def test_echo_gives_whole_frames_back(sockctl, place, spec):
    """Nothing of a frame that is not whole, and everything exactly as it came."""
    sockctl.serve("echo", place, "--frame", spec)
    form = FORMS.get(spec, bytes)
    words = [b"hola\r\n!"] if spec == "fixed=7" else [b"a\0b", b"", b"\xff" * 300]
    data = b"".join(map(form, words))
    sock = place.dial()
    sock.sendall(data + data[:-1])
    assert wire.read(sock, len(data) * 2 - len(form(words[-1]))) == data + data[:-len(form(words[-1]))]
    assert wire.silent(sock)
    sock.sendall(data[-1:])
    wire.half_close(sock)
    assert wire.read_eof(sock) == form(words[-1])


def test_echo_of_a_frame_that_is_cut_off(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "--frame", "netstring", "-v")
    sock = tcp.dial()
    sock.sendall(b"4:hola,4:ad")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"4:hola,"
    proc.says(rb"\[1\] .* closed by error: in 7, out 7 bytes: frame cut off after 4 bytes from 127.0.0.1:")


def test_echo_of_much(sockctl, place):
    sockctl.serve("echo", place, "--frame", "u32be,max=4M")
    data = b"".join(counted(">I")(wire.payload(n)) for n in (1, 4 << 20, 0, 65536, 3 << 20))
    sock = place.dial()
    sender = wire.sending(sock, data)
    wire.same(wire.read_eof(sock), data)
    sender.result()


# datagrams

@pytest.mark.parametrize("spec", ["line", "u16be", "netstring"])
def test_a_line_is_a_datagram(sockctl, dgram, spec):
    """With nothing around it; a newline at the end of one that comes is no part of it where lines end so."""
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--frame", spec, "--replies", "4", stdin=b"hola\n\nsin fin")
    got = [server.recvfrom(100) for _ in range(3)]
    assert [data for data, _ in got] == [b"hola", b"", b"sin fin"]
    for answer in (b"uno", b"", b"dos\n", b"tres"):
        server.sendto(answer, got[0][1])
    assert proc.ends(0) == (b"uno\n\ndos\ntres\n" if spec == "line" else b"uno\n\ndos\n\ntres\n")


def test_datagrams_of_a_console(sockctl, dgram):
    proc = sockctl.serve("serve", dgram, "--frame", "u8")
    sock = dgram.dial()
    sock.send(b"hola")
    assert proc.read_until() == b"[1] hola\n"
    proc.send(b"a\nb")
    proc.send(b"c\n")
    assert sock.recv(100) == b"a"
    assert sock.recv(100) == b"bc"


def test_echo_of_datagrams_is_as_ever(sockctl, dgram):
    sockctl.serve("echo", dgram, "--frame", "u8")
    sock = dgram.dial()
    for data in (b"hola\n", b"", b"\xff\0"):
        sock.send(data)
        assert sock.recv(100) == data


@pytest.mark.tls
def test_over_tls(sockctl):
    """A server that takes our end for a hang-up gets the last line before it."""
    server = sockctl.serve("listen", Place("tcp4", sockctl.folder), "--tls", "--frame", "u16be", stdin=b"answer")
    pin = server.says(rb"--pin (\S+)").group(1).decode()
    client = sockctl.start("connect", "--tls", "--pin", pin, "--frame", "u16be", "127.0.0.1", server.port, stdin=b"question")
    assert client.ends(0) == b"answer\n"
    assert server.ends(0) == b"question\n"
