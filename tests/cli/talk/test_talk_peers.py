"""--talk with the programs and protocols that it stands in for: mail, Redis, length-prefixed messages, BER; and what a peer is told
of ends that no program makes by itself."""
import json
import smtplib
import struct

import pytest

import wire
from conftest import TOP
from place import DATAGRAMS, Place
from test_talk import TWO, script

TALKS = TOP / "tests/talk"


def test_mail_is_refused_once_and_then_taken(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--talk", f"@{TALKS}/smtp.talk", "--count", 2)
    mail = "Subject: hola\r\n\r\nque tal\r\n.\r\n"
    for busy in (True, False):
        with smtplib.SMTP(tcp.host, tcp.port, timeout=wire.DEADLINE) as smtp:
            if busy:
                with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                    smtp.sendmail("ana@example.org", ["bea@example.org"], mail)
                assert refused.value.smtp_code == 451
            else:
                assert smtp.sendmail("ana@example.org", ["bea@example.org"], mail) == {}
    server.ends(0)
    assert server.lines() == []


def test_a_mail_that_never_comes_is_missed(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--talk", f"@{TALKS}/smtp.talk", "--count", 1)
    with smtplib.SMTP(tcp.host, tcp.port, timeout=wire.DEADLINE) as smtp:
        smtp.ehlo()
        assert smtp.quit()[0] == 221
    server.ends(8)
    assert server.complaint().endswith('/smtp.talk:7: must ^i"MAIL FROM:": it never came')


def call(place, text):
    """One request of a client with length-prefixed messages: the answer, or what became of it."""
    sock = place.dial()
    sock.sendall(struct.pack(">I", len(text)) + text)
    try:
        size = struct.unpack(">I", wire.read(sock, 4))[0]
        got = wire.read_eof(sock) if size == 100 else wire.read(sock, size)
    except ConnectionResetError:
        return "reset"
    return got if len(got) == size else f"cut after {len(got)} of {size}"


def test_three_connections(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--talk", f"@{TALKS}/frames.talk", "--count", 3)
    assert call(tcp, b"one") == "reset"
    assert call(tcp, b"two") == "cut after 18 of 100"
    assert call(tcp, b"three") == b"you said: three"
    wire.close_all()
    server.ends(0)
    assert server.lines() == []


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
def test_what_was_said_before_a_reset_arrives(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, *script("frame raw", 'send 100000*"ab" rst'), "--count", 1)
    sock = place.dial()
    assert wire.read(sock, 200000) == b"ab" * 100000
    assert wire.closed_without_a_byte(sock)
    server.ends(0)


def test_redis(sockctl, tcp, need):
    server = sockctl.serve("serve", tcp, *script(
        "frame raw",
        r'on i"*1\r\n$4\r\nPING\r\n" send "+PONG\r\n"',
        r'must i"*2\r\n$3\r\nGET\r\n$4\r\nhola\r\n" send "\$4\r\npues\r\n"',
        r'on i"*2\r\n$3\r\nGET\r\n$3\r\nque\r\n" send "-ERR no such thing\r\n"'), "--count", 3)
    client = [need("redis-cli"), "-h", tcp.host, "-p", str(tcp.port)]
    for words, answer in ((["PING"], b"PONG\n"), (["GET", "hola"], b"pues\n"), (["GET", "que"], b"ERR no such thing\n\n")):
        redis = sockctl.program([*client, *words], stdin=b"")
        assert redis.ends(0) == answer
    server.ends(8)  # two of the three have not asked for hola
    assert server.complaint().startswith("sockctl: client 1: --talk:3: must i")


def test_a_binary_exchange(sockctl, tcp):
    """An LDAP bind and its answer, as BER."""
    lines = script("frame raw",
                   'expect x"30 0c 02 01 01 60 07 02 01 03 04 00 80 00"',
                   'send   x"30 0c 02 01 01 61 07 0a 01 00 04 00 04 00"',
                   'expect x"30 05 02 01 02 42 00"')
    server = sockctl.serve("listen", tcp, *lines)
    sock = tcp.dial()
    for byte in bytes.fromhex("300c020101600702010304008000"):
        sock.sendall(bytes([byte]))
    assert wire.read(sock, 14) == bytes.fromhex("300c02010161070a010004000400")
    sock.sendall(bytes.fromhex("30050201024200"))
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    server.ends(0)
    server = sockctl.serve("listen", tcp, *lines)
    sock = tcp.dial()
    sock.sendall(bytes.fromhex("300c020101600702010204008000"))  # version 2
    server.ends(8)
    assert server.complaint().endswith(r'got "0\x0c\x02\x01\x01`\x07\x02\x01\x02" (from byte 9 on)')


# Ends


def test_shut_half_closes(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('send "bye" shut expect "you too"'), "--count", 1)
    sock = tcp.dial()
    assert wire.read_eof(sock) == b"bye\n"
    sock.sendall(b"you too\n")
    wire.close(sock)
    server.ends(0)


def test_hang_reads_nothing_and_ends_with_the_peer(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('on "a" send "b" hang'), "--count", 1)
    sock = tcp.dial()
    sock.sendall(b"a\n")
    assert wire.read_until(sock) == b"b\n"
    wire.fill(sock)
    assert wire.silent(sock)
    wire.reset(sock)
    server.ends(0)


def test_ignore_reads_all_and_ends_with_the_peer(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script("on any ignore"), "--count", 1)
    sock = tcp.dial()
    sock.sendall(b"go\n" + wire.payload(8 << 20))
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    server.ends(0)


@pytest.mark.whole("it takes too long byte by byte")
def test_a_large_answer_to_a_slow_reader(sockctl, tcp):
    """All of it arrives, although the peer has sent on; and it takes no memory here."""
    server = sockctl.serve("serve", tcp, *script('on any sendraw 30000000*"x" close'), "--count", 1)
    sock = tcp.dial(rcvbuf=4096)
    sock.sendall(b"go\n" + bytes(1 << 20))
    assert wire.read_eof(sock) == b"x" * 30_000_000
    server.ends(0)


@pytest.mark.whole("it takes too long byte by byte")
def test_a_client_that_takes_no_answer_is_cut_by_the_idle_timeout(sockctl, tcp):
    server = sockctl.serve("listen", tcp, *script('on any sendraw 100000000*"x" close'), "-i", "0.3s")
    sock = tcp.dial(rcvbuf=4096)
    sock.sendall(b"go\n")
    server.ends(5)
    wire.close(sock)


# Datagrams


@pytest.mark.parametrize("kind", DATAGRAMS)
def test_datagrams_are_frames(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, *TWO, *script('on "" send ""', r'on ~"^(.)\n(.)$" send "$2\n$1"'))
    socks = [place.dial() for _ in range(2)]
    for sock in socks:
        for data, answer in ((b"hola", b"pues hola"), (b"", b""), (b"1\n2", b"2\n1")):
            sock.send(data)
            assert sock.recv(100) == answer
    socks[0].send(b"adios")
    assert socks[0].recv(100) == b"pues adios"
    server.signal(15)
    server.ends(0)


@pytest.mark.parametrize("kind", DATAGRAMS)
def test_a_client_of_datagrams(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    sock = place.listen()
    proc = sockctl.connect(place, *script('send "ping" expect ^"pong" send "$0!"'))
    data, peer = sock.recvfrom(100)
    assert data == b"ping"
    sock.sendto(b"pong 1", peer)
    assert sock.recv(100) == b"pong 1!"
    proc.ends(0)


def test_an_unwanted_datagram(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = sockctl.serve("serve", place, *TWO, "--count", 1)
    sock = place.dial()
    sock.send(b"hola\r\n")
    assert sock.recv(100) == b"pues hola"
    sock.send(b"hola\nhola\n")
    server.ends(8)
    assert server.complaint() == 'sockctl: client 1: --talk:1: no rule for "hola\\nhola\\n"'


# Events


def events_of(path, kind):
    return [e for e in map(json.loads, path.read_text().splitlines()) if e["ev"] == kind]


def test_events(sockctl, tcp, tmp_path):
    log = tmp_path / "events"
    server = sockctl.serve("serve", tcp, "--events", log, *script(
        'on ~"^ho(.*)$" x2 log "<$1>"', "on eof log \"bye\"", 'else send "?"', "conn 2", 'expect "a" expect "bé\\x01"'), "--count", 2)
    sock = tcp.dial()
    sock.sendall(b"hola\nque\xff\n")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"?\n"
    sock = tcp.dial()
    sock.sendall(b"a\nbe\n")
    server.ends(8)
    keys = ("conn", "line", "rule", "text")
    assert [tuple(e.get(k) for k in keys) for e in events_of(log, "match")] == [
        (1, 1, 'on ~"^ho(.*)$" x2', "hola"), (1, 2, "on eof", None)]
    unmatched, = events_of(log, "unmatched")
    assert (unmatched["off"], unmatched["len"], unmatched["b64"]) == (5, 4, "cXVl/w==")
    assert [e["text"] for e in events_of(log, "note")] == ["<la>", "bye"]
    fail, = events_of(log, "fail")
    assert (fail["conn"], fail["line"], fail["off"]) == (2, 5, 3)
    assert fail["want"] == '"bé\\x01"' and fail["got"] == "be"
    assert fail["why"] == '--talk:5: expected "bé\\x01", got "be" (from byte 1 on)'
    assert [(e["conn"], e["by"]) for e in events_of(log, "close")] == [(1, "script"), (2, "error")]
    assert events_of(log, "exit")[0]["fails"] == 1


# Faults


def test_a_fault_counts_from_where_the_script_has_it(sockctl, tcp, tmp_path):
    """It ends the connection, and that is no failure of the script."""
    server = sockctl.serve("serve", tcp, "--events", tmp_path / "events", *script(
        'expect "go" send "hello" fault rst-after=5:out send "abcdefgh" expect "more"'), "--count", 1)
    sock = tcp.dial()
    sock.sendall(b"go\n")  # a reset that comes at once would be connect's failure
    assert wire.read(sock, 11) == b"hello\nabcde"
    assert wire.closed_without_a_byte(sock)
    server.ends(0)
    fault, = events_of(tmp_path / "events", "fault")
    assert (fault["kind"], fault["dir"], fault["off"]) == ("rst-after", "out", 11)
    assert [e["by"] for e in events_of(tmp_path / "events", "close")] == ["fault"]


def test_a_fault_changes_what_follows(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script(
        "on any fault corrupt-at=1:out fault latency=30ms send \"abc\" close"), "--count", 2)
    for _ in range(2):
        sock = tcp.dial()
        sock.sendall(b"x\n")
        got = wire.read_eof(sock)
        assert len(got) == 4 and got[0] == ord("a") and got[1] != ord("b") and got[2:] == b"c\n"
        wire.close(sock)
    server.ends(0)


def test_a_fault_of_datagrams(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = sockctl.serve("serve", place, *script("fault loss=#2:out", "on any send \"$0\""))
    sock = place.dial()
    for data in (b"1", b"2", b"3"):
        sock.send(data)
    assert [sock.recv(10), sock.recv(10)] == [b"1", b"3"]
    server.signal(15)
    server.ends(0)
