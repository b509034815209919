"""One datagram in is one datagram out, whatever its size; a server never sticks to one peer."""
import os
import select
import signal
import socket
import sys

import pytest

import wire
from place import Place

IP_RECVTTL = getattr(socket, "IP_RECVTTL", 12)  # Python tells since 3.14

pytestmark = pytest.mark.usefixtures("loop")


@pytest.fixture
def udp(tmp_path):
    return Place("udp4", tmp_path)


def received(sock):
    return sock.recv(70000)


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_each_read_of_stdin_is_a_datagram(sockctl, dgram):
    server = dgram.listen()
    proc = sockctl.connect(dgram)
    for size in (1, 2, 1000, 8192, 3):
        data = wire.payload(size)
        proc.send(data)
        assert received(server) == data


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("words, sizes", [([], [8192, 8192, 3616]), (["--datagram-size", "15000"], [15000, 5000]),
                                          (["--datagram-size", "20k"], [20000])], ids=["default", "15000", "20k"])
def test_a_file_is_cut_at_the_datagram_size(sockctl, dgram, tmp_path, words, sizes):
    (tmp_path / "in").write_bytes(wire.payload(20000))
    server = dgram.listen()
    with open(tmp_path / "in", "rb") as source:
        proc = sockctl.connect(dgram, "--send-only", *words, stdin=source)
    got = [received(server) for _ in sizes]
    assert [len(d) for d in got] == sizes
    assert b"".join(got) == wire.payload(20000)
    proc.ends(0)


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_the_largest_datagram(sockctl, udp, tmp_path):
    (tmp_path / "in").write_bytes(wire.payload(65507))
    sockctl.serve("echo", udp)
    with open(tmp_path / "in", "rb") as source:
        proc = sockctl.connect(udp, "--datagram-size", "65507", "--replies", "1", stdin=source)
    wire.same(proc.ends(0), wire.payload(65507))


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_boundaries_back(sockctl, dgram):
    """Each answer is written whole; several come in order."""
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--replies", "3", stdin=b"ask")
    data, peer = server.recvfrom(100)
    assert data == b"ask"
    for answer in (b"one", b"", b"three"):
        server.sendto(answer, peer)
    assert proc.ends(0) == b"onethree"


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_empty_datagrams_are_data_and_no_end(sockctl, dgram):
    server = dgram.listen()
    proc = sockctl.connect(dgram)
    proc.send(b"hello")
    _, peer = server.recvfrom(100)
    for _ in range(3):
        server.sendto(b"", peer)
    server.sendto(b"after", peer)
    assert proc.read(5) == b"after"
    proc.send(b"still here")
    assert received(server) == b"still here"


def test_reply_wait_ends_it(sockctl, dgram):
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--reply-wait", "300ms", stdin=b"ask")
    _, peer = server.recvfrom(100)
    server.sendto(b"answer", peer)
    assert proc.ends(0) == b"answer"


def test_no_answer_is_fine_without_replies(sockctl, dgram):
    dgram.listen()
    proc = sockctl.connect(dgram, "--reply-wait", "100ms", stdin=b"ask")
    assert proc.ends(0) == b""


def test_empty_stdin_over_udp_ends_too(sockctl, dgram):
    dgram.listen()
    assert sockctl.connect(dgram, "--reply-wait", "100ms", stdin=b"").ends(0) == b""


def test_replies_end_at_once(sockctl, dgram):
    """An hour of waiting is left when the second reply comes."""
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--replies", "2", "--reply-wait", "1h", stdin=b"ask")
    _, peer = server.recvfrom(100)
    server.sendto(b"1", peer)
    server.sendto(b"2", peer)
    assert proc.ends(0) == b"12"


def test_too_few_replies(sockctl, dgram):
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--replies", "2", "--reply-wait", "200ms", stdin=b"ask")
    _, peer = server.recvfrom(100)
    server.sendto(b"1", peer)
    assert proc.ends(5) == b"1"
    assert proc.complaint()


def test_silence_is_no_reply(sockctl, dgram):
    """The idle timeout is a good end of datagrams, but not of a count of them."""
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--replies", "2", "-i", "200ms", "--reply-wait", "1h", stdin=b"ask")
    _, peer = server.recvfrom(100)
    server.sendto(b"1", peer)
    assert proc.ends(5) == b"1"
    assert "fewer replies than asked for" in proc.complaint()


def test_listen_counts_until_silence(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "--replies", "2", "-i", "200ms", stdin=b"")
    sock = dgram.dial()
    sock.send(b"only one")
    assert proc.ends(5) == b"only one"
    assert proc.complaint()


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_send_only_does_not_wait(sockctl, dgram):
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--send-only", "--reply-wait", "1h", stdin=b"told you")
    assert proc.ends(0) == b""
    assert received(server) == b"told you"


def test_icmp_refusal(sockctl, udp):
    udp.deaf()
    proc = sockctl.connect(udp, "--reply-wait", "1h", stdin=b"anybody?")
    proc.ends(4)
    assert udp.shown() in proc.complaint()
    assert "refused" in proc.complaint()


def test_unix_dgram_refusal(sockctl, tmp_path):
    proc = sockctl.connect(Place("unix-dgram", tmp_path), stdin=b"anybody?")
    proc.ends(4)
    assert proc.complaint()


def test_unix_dgram_client_leaves_no_file(sockctl, tmp_path):
    place = Place("unix-dgram", tmp_path)
    sockctl.serve("echo", place)
    before = sorted(os.listdir(tmp_path))
    assert sockctl.connect(place, "--replies", "1", stdin=b"x").ends(0) == b"x"
    assert sorted(os.listdir(tmp_path)) == before


def test_echo_with_many_clients(sockctl, dgram):
    sockctl.serve("echo", dgram)
    clients = [dgram.dial() for _ in range(60)]
    for turn in range(3):
        for number, sock in enumerate(clients):
            sock.send(b"%d of %d" % (turn, number))
        for number, sock in enumerate(clients):
            assert received(sock) == b"%d of %d" % (turn, number)


def test_echo_keeps_boundaries(sockctl, dgram):
    sockctl.serve("echo", dgram)
    sock = dgram.dial()
    for size in (1, 0, 5000, 0, 8000, 1400):
        sock.send(wire.payload(size))
        assert received(sock) == wire.payload(size)
    for size in (10, 20, 30, 40):  # queued before they are read
        sock.send(wire.payload(size))
    assert [len(received(sock)) for _ in range(4)] == [10, 20, 30, 40]


def test_console_routes_replies(sockctl, dgram):
    proc = sockctl.serve("serve", dgram, "--commands")
    ann, bob = dgram.dial(), dgram.dial()
    ann.send(b"from ann\n")
    assert proc.read_until() == b"[1] from ann\n"
    bob.send(b"from bob\n")
    assert proc.read_until() == b"[2] from bob\n"
    proc.send(b"@2 to bob\n")
    assert received(bob) == b"to bob\n"
    proc.send(b"to all\n")
    assert received(ann) == b"to all\n"
    assert received(bob) == b"to all\n"


def test_idle_expiry_makes_a_new_client(sockctl, dgram):
    proc = sockctl.serve("serve", dgram, "-i", "200ms", "-v")
    sock = dgram.dial()
    sock.send(b"early\n")
    assert proc.read_until() == b"[1] early\n"
    proc.says(rb"closed by idle")
    sock.send(b"late\n")
    assert proc.read_until() == b"[2] late\n"


def test_full_table_evicts_a_peer_that_sent_only_once(sockctl, dgram):
    proc = sockctl.serve("serve", dgram, "--max", "2", "-v")
    once, twice, new = dgram.dial(), dgram.dial(), dgram.dial()
    twice.send(b"a\n")
    assert proc.read_until() == b"[1] a\n"
    once.send(b"b\n")
    assert proc.read_until() == b"[2] b\n"
    twice.send(b"c\n")
    assert proc.read_until() == b"[1] c\n"
    new.send(b"d\n")
    assert proc.read_until() == b"[3] d\n"
    twice.send(b"e\n")
    assert proc.read_until() == b"[1] e\n"


def test_full_table_sends_nothing(sockctl, dgram):
    proc = sockctl.serve("serve", dgram, "--max", "1", "-v")
    member, stranger = dgram.dial(), dgram.dial()
    for word in (b"a\n", b"b\n"):
        member.send(word)
        assert proc.read_until() == b"[1] " + word
    stranger.send(b"let me in\n")
    proc.says(rb"turned away|full")
    assert wire.silent(stranger)
    member.send(b"c\n")
    assert proc.read_until() == b"[1] c\n"


def test_count(sockctl, udp):
    proc = sockctl.serve("echo", udp, "--count", "2", "-i", "200ms")
    for _ in range(2):
        sock = udp.dial()
        sock.send(b"x")
        assert received(sock) == b"x"
    proc.ends(0)


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_listen_takes_the_first_sender(sockctl, udp):
    proc = sockctl.serve("listen", udp)
    first = udp.dial()
    first.send(b"me first")
    assert proc.read(8) == b"me first"
    other = udp.dial()
    other.send(b"me too")
    with pytest.raises(ConnectionRefusedError):
        received(other)
    first.send(b" and again")
    assert proc.read(10) == b" and again"
    proc.send(b"welcome")
    assert received(first) == b"welcome"
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


def test_listen_ends_by_idle_expiry(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "-i", "200ms", stdin=b"")
    sock = dgram.dial()
    sock.send(b"only this")
    assert proc.ends(0) == b"only this"


def test_listen_ends_by_replies(sockctl, dgram):
    proc = sockctl.serve("listen", dgram, "--replies", "2", stdin=b"")
    sock = dgram.dial()
    sock.send(b"one")
    sock.send(b"two")
    assert proc.ends(0) == b"onetwo"


def test_chat_over_datagrams(sockctl, dgram):
    sockctl.serve("chat", dgram)
    ann, bob = dgram.dial(), dgram.dial()
    ann.send(b"/nick ann\n")
    assert b"ann" in read_for(ann, b"ann")
    bob.send(b"hello\n")
    assert b"<2> hello\n" in read_for(ann, b"<2> hello\n")
    ann.send(b"hi\n")
    assert b"<ann> hi\n" in read_for(bob, b"<ann> hi\n")


def read_for(sock, words):
    got = b""
    while words not in got:
        got += received(sock)
    return got


def last_hops(sock, v6):
    """The next datagram, and how many hops it had left."""
    assert select.select([sock], [], [], wire.DEADLINE)[0]
    data, control, _, _ = sock.recvmsg(100, 100)
    level, kind = (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT) if v6 else (socket.IPPROTO_IP, socket.IP_TTL)
    return data, next(int.from_bytes(value, sys.byteorder) for at, what, value in control if (at, what) == (level, kind))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is told of hops differs")
@pytest.mark.parametrize("own", [None, 5])
def test_an_echo_has_fewer_hops_left(sockctl, udp, own):
    """Else two servers, each of which takes the other for its client, would pass a forged datagram to and fro for ever. An echo
    also never answers more than once."""
    sockctl.serve("echo", udp, *([] if own is None else ["-o", f"ttl={own}"]))
    sock, v6 = udp.dial(), udp.kind == "udp6"
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    sock.setsockopt(level, socket.IPV6_RECVHOPLIMIT if v6 else IP_RECVTTL, 1)
    for hops, left in ((64, 63), (9, 8), (2, 1), (1, 1)):
        sock.setsockopt(level, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, hops)
        sock.send(b"%d" % hops)
        assert last_hops(sock, v6) == (b"%d" % hops, min(left, own or left))
    assert wire.silent(sock)


def test_server_answers_from_the_address_that_was_asked(sockctl, tmp_path):
    server = sockctl.serve("echo", ["-u", "-4", "0"])
    place = Place("udp4", tmp_path)
    place.port, place.host = server.port, "127.0.0.7"
    sock = place.dial()
    sock.send(b"to .7")
    assert received(sock) == b"to .7"  # a connected socket hears no other


def test_a_gone_client_takes_no_datagram_of_others_with_it(sockctl, dgram):
    """Its answer cannot be delivered; what others have sent meanwhile is still there."""
    proc = sockctl.serve("echo", dgram)
    here = dgram.dial()
    here.send(b"first")
    assert received(here) == b"first"
    proc.signal(signal.SIGSTOP)
    for _ in range(3):
        gone = dgram.dial()
        gone.send(b"you cannot answer me")
        name = gone.getsockname()
        wire.close(gone)
        if dgram.kind == "unix-dgram":
            os.unlink(name)
    for number in range(5):  # a Unix queue holds ten
        here.send(b"%d" % number)
    proc.signal(signal.SIGCONT)
    assert [received(here) for _ in range(5)] == [b"%d" % n for n in range(5)]


@pytest.mark.parametrize("mode", ["chat", "serve"])
def test_open_to_forged_addresses_is_said(sockctl, mode):
    """A datagram room beyond loopback without --allow: any host can join with a forged address."""
    assert b"warning" in started(sockctl, mode, "-u", "-4", "0")
    assert b"warning" not in started(sockctl, mode, "-u", "127.0.0.1", "0")
    assert b"warning" not in started(sockctl, mode, "-u", "-4", "0", "--allow", "127.0.0.1")


def started(sockctl, mode, *words):
    proc = sockctl.serve(mode, words)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    return bytes(proc.err)


def test_stdout_that_is_full_holds_no_datagram_server(sockctl, udp, tmp_path):
    with open("/dev/full", "wb") as full:
        proc = sockctl.serve("serve", udp, stdout=full)
    udp.dial().send(b"x\n")
    proc.ends(9)
    assert "stdout" in proc.complaint()
