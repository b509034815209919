"""A full house in which a client has ended its side: it gives way to a newcomer, and stays where there is room."""
import json
import os
import re
import signal
import socket

import pytest

import wire
from place import Place

NO_NOTICE = pytest.mark.no_tls("turned away before the handshake")
PLAIN = pytest.mark.no_tls("what is asked is below TLS")


def console(sockctl, place, *words, **how):
    """stdin stays open and says nothing."""
    return sockctl.serve("serve", place, "-vv", *words, **how)


def speaks(proc, place, word=b"hello\n", **how):
    sock = place.dial(**how)
    sock.sendall(word)
    assert proc.read_until().endswith(word)
    return sock


def ends(proc, sock, number, end=wire.half_close):
    """The server has seen that this client has ended its side."""
    end(sock)
    proc.says(rb"\[%d\] end of data in" % number)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("end", [wire.half_close, wire.close], ids=["half-close", "close"])
def test_the_next_one_comes_in(sockctl, place, end):
    proc = console(sockctl, place, "--max", "1")
    seen = place.unix and end is wire.close  # that it is gone, the system tells at once
    for number in range(1, 5):
        sock = speaks(proc, place, b"I am %d\n" % number)
        ends(proc, sock, number, end)
    for number in range(1, 4):
        proc.says(rb"\[%d\] .*closed by (full|%s): in 7, out 0 bytes(;.*)?\n" % (number, b"peer" if seen else b"full"))
    assert b"turned away" not in proc.err


@pytest.mark.no_tls("our relay passes an end on a little later")
def test_a_client_that_comes_at_once_is_accepted(sockctl, place):
    """Nothing is waited for: whatever order the two arrive in, an end that came before a newcomer is seen before it."""
    proc = console(sockctl, place, "--max", "1")
    for _ in range(20):
        wire.close(speaks(proc, place))


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_client_gives_way(sockctl, place, signo):
    proc = console(sockctl, place, "--max", "1")
    for number in (1, 2, 3):
        client = sockctl.connect(place, "-q")
        client.send(b"hello\n")
        assert proc.read_until() == b"[%d] hello\n" % number
        client.signal(signo)
        client.wait()
        proc.says(rb"\[%d\] (end of data in|.*closed by)" % number)


def test_a_reset_client_is_gone(sockctl, place):
    proc = console(sockctl, place, "--max", "1")
    for number in (1, 2, 3):
        sock = speaks(proc, place)
        wire.reset(sock)
        if not place.unix:
            proc.says(rb"\[%d\] .*closed by error" % number)


@PLAIN
def test_the_event(sockctl, place):
    proc = sockctl.serve("serve", place, "--max", "1", "--json")
    sock = speaks(proc, place)
    wire.half_close(sock)
    proc.says(rb'"eof".*"in"')
    speaks(proc, place)
    events = [json.loads(line) for line in bytes(proc.err).splitlines() if line.startswith(b"{")]
    closed = [ev for ev in events if ev["ev"] == "close"]
    assert [(ev["conn"], ev["by"], ev["how"], ev["in"], ev["truncated"]) for ev in closed] == [(1, "full", "fin", 6, False)]
    assert wire.read_eof(sock) == b""


@pytest.mark.usefixtures("loop")
def test_the_oldest_goes_first_and_those_that_never_spoke_last(sockctl, place):
    proc = console(sockctl, place, "--max", "4")
    mute = place.dial()
    proc.says(rb"\[1\] .* connected")
    ends(proc, mute, 1)
    talker, second, third = (speaks(proc, place) for _ in range(3))
    ends(proc, third, 4)
    ends(proc, second, 3)
    order = []
    for gone, sock in ((3, second), (4, third), (1, mute)):
        speaks(proc, place)
        proc.says(rb"\[%d\] .*closed by full" % gone)
        assert wire.read_eof(sock) == b""
        order = [int(n) for n in re.findall(rb"\[(\d)\] .*closed by full", proc.err)]
    assert order == [3, 4, 1]
    talker.sendall(b"still here\n")
    assert proc.read_until() == b"[2] still here\n"


@pytest.mark.usefixtures("loop")
def test_while_there_is_room_each_keeps_its_place(sockctl, place):
    proc = console(sockctl, place, "--max", "3")
    one, two = speaks(proc, place), speaks(proc, place)
    ends(proc, one, 1)
    ends(proc, two, 2)
    three = speaks(proc, place)
    proc.send(b"to all who listen\n")
    for sock in (one, two, three):
        assert wire.read_until(sock) == b"to all who listen\n"
    assert b"closed by" not in proc.err


@NO_NOTICE
def test_one_that_only_pauses_keeps_its_place(sockctl, place):
    proc = console(sockctl, place, "--max", "1")
    sock = speaks(proc, place)
    assert wire.read_until(place.dial()) == b"server full\n"
    sock.sendall(b"again\n")
    assert proc.read_until() == b"[1] again\n"


@NO_NOTICE
def test_one_that_something_is_queued_for_keeps_its_place(sockctl, place):
    proc = console(sockctl, place, "--max", "1")
    sock = place.dial(rcvbuf=4096)
    sock.sendall(b"hello\n")
    assert proc.read_until() == b"[1] hello\n"
    ends(proc, sock, 1)
    data = wire.fill(proc.stdin)
    assert wire.read_until(place.dial()) == b"server full\n"
    wire.same(wire.read(sock, len(data)), data)
    proc.send(b"last\n")
    assert wire.read_until(sock) == b"last\n"
    speaks(proc, place)
    assert wire.read_eof(sock) == b""


@pytest.mark.usefixtures("loop")
def test_a_queue_at_the_door_moves_on(sockctl, place):
    """--when-full queue: the client that waits comes in when the other ends its side."""
    proc = console(sockctl, place, "--max", "1", "--when-full", "queue")
    first = speaks(proc, place)
    second = place.dial()
    second.sendall(b"patience\n")
    proc.send(b"nobody else hears this\n")
    assert wire.read_until(first) == b"nobody else hears this\n"
    assert not proc.buf
    wire.half_close(first)
    assert proc.read_until() == b"[2] patience\n"
    assert wire.read_eof(first) == b""
    wire.half_close(second)
    speaks(proc, place)


@NO_NOTICE
def test_a_queue_waits_for_what_is_queued(sockctl, place):
    proc = console(sockctl, place, "--max", "1", "--when-full", "queue")
    first = place.dial(rcvbuf=4096)
    first.sendall(b"hello\n")
    assert proc.read_until() == b"[1] hello\n"
    ends(proc, first, 1)
    data = wire.fill(proc.stdin)
    second = place.dial()
    second.sendall(b"patience\n")
    wire.same(wire.read(first, len(data)), data)
    assert proc.read_until() == b"[2] patience\n"
    assert wire.read_eof(first) == b""


def test_of_one_address(sockctl, tcp):
    """--max-per-ip is such a house: an address's own client gives way, and no other's."""
    proc = console(sockctl, tcp, "--max-per-ip", "1")
    other = speaks(proc, tcp, source="127.0.0.2")
    ends(proc, other, 1)
    for number in (2, 3, 4):
        ends(proc, speaks(proc, tcp), number)
    assert re.findall(rb"\[(\d)\] .*closed by full", proc.err) == [b"2", b"3"]
    proc.send(b"still there\n")
    assert wire.read_until(other) == b"still there\n"


def test_none_goes_for_one_that_may_not_come_in(sockctl, tcp):
    """Over the limit of its own address, or over the rate: with another's place it would not come in either."""
    proc = console(sockctl, tcp, "--max", "2", "--max-per-ip", "1")
    ends(proc, speaks(proc, tcp, source="127.0.0.2"), 1)
    speaks(proc, tcp)
    assert wire.read_until(tcp.dial()) == b"server full\n"
    assert b"closed by" not in proc.err


@PLAIN
def test_count_is_not_touched(sockctl, place):
    """Each that came in counts, also one that has given way."""
    proc = console(sockctl, place, "--max", "1", "--count", "2")
    ends(proc, speaks(proc, place), 1)
    sock = speaks(proc, place)
    proc.says(rb"\[1\] .*closed by full")
    assert wire.refused(place.dial)
    proc.send(b"the last word\n")
    proc.eof()
    assert wire.read_eof(sock) == b"the last word\n"
    wire.close(sock)
    proc.ends(0)


@pytest.mark.parametrize("words", [["--discard"], ["--forward"], ["-e"]], ids=lambda words: words[0].strip("-"))
def test_where_an_answer_is_owed_none_gives_way(sockctl, tcp, words, tmp_path):
    """A client of a program, or of a target, has ended its side because it waits for the answer."""
    if words == ["--forward"]:
        target = wire.keep(socket.create_server(("127.0.0.1", 0)))
        words = ["--forward", "127.0.0.1:%d" % target.getsockname()[1]]
    if words == ["-e"]:
        os.mkfifo(tmp_path / "go")
        words = ["-e", f"cat >/dev/null; cat '{tmp_path}/go'"]
    proc = sockctl.serve("serve", tcp, "-vv", "--max", "1", *words)
    sock = tcp.dial()
    sock.sendall(b"question")
    if words == ["--discard"]:
        proc.says(rb"connected")
    elif words[0] == "--forward":
        behind = wire.accept(target)
        assert wire.read(behind, 8) == b"question"
        ends(proc, sock, 1)
        assert wire.read_eof(behind) == b""
    else:
        ends(proc, sock, 1)
    assert wire.closed_without_a_byte(tcp.dial())
    if words[0] == "--forward":
        behind.sendall(b"answer")
        wire.close(behind)
        assert wire.read_eof(sock) == b"answer"
    if words[0] == "-e":
        (tmp_path / "go").write_bytes(b"answer")
        assert wire.read_eof(sock) == b"answer"


# --end


@pytest.mark.usefixtures("loop")
def test_end_peer_ends_a_client_with_its_end(sockctl, place):
    proc = console(sockctl, place, "--end", "peer")
    sock, other = speaks(proc, place), speaks(proc, place)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    proc.says(rb"\[1\] .*closed by peer")
    proc.send(b"to the other\n")
    assert wire.read_until(other) == b"to the other\n"


@PLAIN
def test_end_peer_delivers_first(sockctl, place):
    proc = console(sockctl, place, "--end", "peer")
    sock = place.dial(rcvbuf=4096)
    sock.sendall(b"hello\n")
    assert proc.read_until() == b"[1] hello\n"
    data = wire.fill(proc.stdin)
    ends(proc, sock, 1)
    got = wire.read_eof(sock)
    assert data.startswith(got[:1000]) and len(got) >= len(data) - (1 << 20)


# One that is gone altogether, in a house that is not full


def timer(sock):
    """The kernel's timer of the server's socket for this client: (kind, in how many seconds). 2 is keepalive."""
    port = "%04X" % sock.getsockname()[1]
    for line in open("/proc/self/net/tcp").readlines()[1:]:
        fields = line.split()
        if fields[2].endswith(":" + port):
            kind, _, when = fields[5].partition(":")
            return int(kind, 16), int(when, 16) / os.sysconf("SC_CLK_TCK")
    return None


@pytest.mark.parametrize("mode", [["serve"], ["serve", "--forward"], ["listen"]], ids=["console", "forward", "stdio"])
def test_it_is_looked_after_soon(sockctl, tcp, mode):
    """Its kernel answers for it for a minute: 20 seconds later at most it is asked again."""
    target = wire.keep(socket.create_server(("127.0.0.1", 0)))
    more = ["--forward", "127.0.0.1:%d" % target.getsockname()[1]] if mode[1:] else []
    proc = sockctl.serve(mode[0], tcp, "-vv", *more)
    sock = tcp.dial()
    sock.sendall(b"hello\n")
    wire.until(lambda: (timer(sock) or (0, 0))[0] == 2, "the kernel's timer")
    assert timer(sock)[1] > 20
    ends(proc, sock, 1)
    wire.until(lambda: timer(sock)[0] == 2, "the kernel's timer")
    assert timer(sock)[1] <= 20
    if more:
        wire.close(wire.accept(target))


def test_it_is_looked_after_as_was_asked(sockctl, tcp):
    proc = console(sockctl, tcp, "-o", "keepalive=50,5,3")
    sock = speaks(proc, tcp)
    ends(proc, sock, 1)
    wire.until(lambda: timer(sock)[0] == 2, "the kernel's timer")
    assert 20 < timer(sock)[1] <= 50


@pytest.mark.usefixtures("loop")
def test_a_hang_up_is_seen_at_once(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    proc = console(sockctl, place)
    sock = speaks(proc, place)
    ends(proc, sock, 1)
    wire.close(sock)
    proc.says(rb"\[1\] .*closed by peer")


@pytest.mark.usefixtures("loop")
def test_a_reset_after_the_end_is_seen(sockctl, tcp):
    proc = console(sockctl, tcp)
    sock = speaks(proc, tcp)
    ends(proc, sock, 1)
    wire.reset(sock)
    proc.says(rb"\[1\] .*closed by")
