"""connect --telnet: every option is refused, no trace of it is left, and bytes mean themselves; cut anywhere, flooded, and endless."""
import re
import socket

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

IAC, DONT, DO, WONT, WILL, SB, SE, NOP = (bytes([n]) for n in (255, 254, 253, 252, 251, 250, 240, 241))
ECHO, TTYPE, NAWS = b"\1", b"\x18", b"\x1f"


def spoken(sockctl, place, *words, **how):
    listener = place.listen()
    proc = sockctl.connect(place, "--telnet", *words, **how)
    sock = wire.accept(listener)
    if not place.unix:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return proc, sock


SPEECH = (IAC + WILL + ECHO + b"wel" + IAC + DO + TTYPE + b"come" + IAC + SB + TTYPE + b"\1" + IAC + IAC + b"x" + IAC + SE + b"\r\0" +
          IAC + NOP + IAC + IAC + b"\r\n" + IAC + DONT + ECHO + IAC + WONT + NAWS + b"login: ")
TEXT = b"welcome\r\xff\r\nlogin: "
ANSWERS = IAC + DONT + ECHO + IAC + WONT + TTYPE


@pytest.mark.no_tls("its peer is cut byte by byte")
def test_what_is_refused_and_what_is_left(sockctl, place):
    proc, sock = spoken(sockctl, place)
    sock.sendall(SPEECH)
    assert wire.read(sock, len(ANSWERS)) == ANSWERS
    proc.eof()
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == TEXT


def test_cut_at_every_byte(sockctl, tcp):
    proc, sock = spoken(sockctl, tcp)
    for n in range(len(SPEECH)):
        sock.sendall(SPEECH[n:n + 1])
    assert wire.read(sock, len(ANSWERS)) == ANSWERS
    proc.eof()
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == TEXT


def test_answers_go_out_without_input(sockctl, tcp):
    proc, sock = spoken(sockctl, tcp)
    sock.sendall(IAC + DO + NAWS)
    assert wire.read(sock, 3) == IAC + WONT + NAWS
    proc.eof()
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    proc.ends(0)


@pytest.mark.parametrize("said,sent", [
    (b"hola\n", b"hola\n"), (b"a\xffb\xff\xff", b"a\xff\xffb\xff\xff\xff\xff"), (b"a\rb", b"a\r\0b"), (b"a\r\nb", b"a\r\nb"),
    (b"a\r", b"a\r\0"), (b"\r\r\n", b"\r\0\r\n"), (b"\r\0", b"\r\0\0"),
])
def test_what_is_sent_means_itself(sockctl, tcp, said, sent):
    proc, sock = spoken(sockctl, tcp, stdin=said)
    assert wire.read_eof(sock) == sent
    sock.close()
    proc.ends(0)


def test_line_ends_of_telnet(sockctl, tcp):
    proc, sock = spoken(sockctl, tcp, "--crlf", stdin=b"a\nb\r\nc\xff\n")
    assert wire.read_eof(sock) == b"a\r\nb\r\nc\xff\xff\r\n"
    sock.close()
    proc.ends(0)


def test_text_without_a_word_of_ours(sockctl, tcp):
    """Behind our end nothing can be answered any more, and everything is read."""
    proc, sock = spoken(sockctl, tcp, stdin=b"")
    assert wire.read_eof(sock) == b""
    for _ in range(3):
        sock.sendall(SPEECH)
    wire.half_close(sock)
    assert proc.ends(0) == TEXT * 3


def test_much_in_both_directions(sockctl, tcp):
    """Anything at all, escaped here as it must be, and asked for options all the while."""
    data = wire.payload(2 << 20)
    escaped = data.replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n").replace(b"\xff", b"\xff\xff")
    proc, sock = spoken(sockctl, tcp, stdin=data)
    pieces = [escaped[at:at + 65536] for at in range(0, len(escaped), 65536)]
    # only where a piece ends with neither half of an escape may a command stand
    sender = wire.sending(sock, b"".join(p + (IAC + WILL + ECHO if p[-1:] not in b"\xff\r" else b"") for p in pieces))
    reader = wire.Task(wire.read_eof, sock)
    wire.same(proc.ends(0), data)
    sender.result()
    got = reader.result()
    assert IAC + DONT + ECHO in got
    plain = re.sub(rb"(\xff\xff)|\xff\xfe\x01", lambda found: found[1] or b"", got)  # left to right, as telnet reads
    wire.same(plain, escaped)


def test_an_endless_subnegotiation_costs_nothing(sockctl, tcp):
    proc, sock = spoken(sockctl, tcp, stdin=b"")
    sender = wire.sending(sock, b"before" + IAC + SB + TTYPE + bytes(8 << 20) + IAC + SE + b" and after")
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b"before and after"
    sender.result()


def test_a_peer_that_asks_and_does_not_read_is_not_read(sockctl, tcp):
    """What waits to be answered is bounded; when the peer reads at last, every answer is there."""
    proc, sock = spoken(sockctl, tcp, "-o", "sndbuf=4096", "-o", "rcvbuf=4096")
    taken = wire.fill(sock, (IAC + WILL + ECHO) * (8 << 20))
    whole = len(taken) // 3
    sender = wire.sending(sock, (IAC + WILL + ECHO)[len(taken) % 3:] + b"done" if len(taken) % 3 else b"done")
    asked = whole + (len(taken) % 3 > 0)
    wire.same(wire.read(sock, 3 * asked), (IAC + DONT + ECHO) * asked)
    sender.result()
    proc.eof()
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b"done"


def test_the_end_in_the_midst_of_a_command(sockctl, tcp):
    proc, sock = spoken(sockctl, tcp, stdin=b"")
    sock.sendall(b"hola" + IAC + WILL)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    assert proc.ends(0) == b"hola"


@pytest.mark.parametrize("mode,words,line", [
    ("connect", ["--telnet", "-u", "h", "1"], "--telnet: telnet needs a stream, and h:1 has datagrams"),
    ("listen", ["--telnet", "1"], "--telnet"),
])
def test_bad_input(sockctl, mode, words, line):
    proc = sockctl.run(mode, *words)
    assert proc.code == 2 and line in proc.complaint()
