"""The standard server: admission, how many, in which order; and the console, its operator's end."""
import re
import signal
import socket

import pytest

import wire
from place import Place, has_ipv6

LOOPS = pytest.mark.usefixtures("loop")


def greeted(proc, place, word=b"hello\n", **how):
    """A client that the server has surely taken in: its line came to stdout."""
    sock = place.dial(**how)
    sock.sendall(word)
    assert proc.read_until().endswith(word)
    return sock


def served(place, **how):
    """The same for an echo server."""
    sock = place.dial(**how)
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    return sock


# --max and --when-full


NO_NOTICE = pytest.mark.no_tls("turned away before the handshake")


@LOOPS
@NO_NOTICE
@pytest.mark.parametrize("mode", ["serve", "chat"])
@pytest.mark.parametrize("words", [[], ["--when-full", "notice"]], ids=["default", "notice"])
def test_full_notice_is_read_although_the_client_writes_first(sockctl, place, mode, words):
    proc = sockctl.serve(mode, place, "--max", "1", "-v", *words)
    place.dial()
    proc.says(rb"connected")
    late = place.dial()
    writing = wire.Task(lambda: late.sendall(wire.payload(100_000)))
    assert wire.read_until(late) == b"server full\n"
    assert wire.read_eof(late) == b""
    try:
        writing.result()
    except ConnectionError:
        pass


@pytest.mark.parametrize("mode, words", [("echo", []), ("serve", ["--discard"]), ("serve", ["--when-full", "close"])])
def test_full_plain_close(sockctl, place, mode, words):
    proc = sockctl.serve(mode, place, "--max", "1", "-v", *words)
    place.dial()
    proc.says(rb"connected")
    assert wire.closed_without_a_byte(place.dial())


@LOOPS
def test_full_queue(sockctl, place):
    sockctl.serve("echo", place, "--max", "2", "--when-full", "queue")
    first, second = served(place), served(place)
    third = place.dial()
    third.sendall(b"patience")
    second.sendall(b"y")
    assert wire.read(second, 1) == b"y"
    assert wire.silent(third)
    wire.close(first)
    assert wire.read(third, 8) == b"patience"


@NO_NOTICE
def test_full_message(sockctl, place):
    proc = sockctl.serve("echo", place, "--max", "1", "-v", "--when-full", "notice", "--full-message", "come back tomorrow")
    place.dial()
    proc.says(rb"connected")
    assert wire.read_eof(place.dial()).rstrip(b"\r\n") == b"come back tomorrow"


def test_a_place_becomes_free_again(sockctl, place):
    proc = sockctl.serve("echo", place, "--max", "1", "-v")
    for turn in range(5):
        sock = served(place)
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
        wire.close(sock)
        proc.says(rb"(?s)(closed by.*){%d}" % (turn + 1))


# --count


@LOOPS
def test_count(sockctl, place):
    proc = sockctl.serve("echo", place, "--count", "3")
    socks = [served(place) for _ in range(3)]
    assert wire.refused(place.dial)
    for sock in socks:  # accepted clients stay
        sock.sendall(b"y")
        assert wire.read(sock, 1) == b"y"
        assert proc.alive()
        wire.close(sock)
    proc.ends(0)


def test_count_leaves_out_refused_clients(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "--count", "1", "--deny", "127.0.0.2")
    for _ in range(3):
        assert wire.closed_without_a_byte(tcp.dial(source="127.0.0.2"))
    wire.close(served(tcp))
    proc.ends(0)


# per address, allow, deny


def test_max_per_ip(sockctl, tcp):
    sockctl.serve("echo", tcp, "--max-per-ip", "2")
    first = served(tcp)
    served(tcp)
    assert wire.closed_without_a_byte(tcp.dial())
    served(tcp, source="127.0.0.2")
    wire.close(first)
    wire.until(lambda: not wire.closed_without_a_byte(tell(tcp)), "the place of the one that left")


def tell(place):
    sock = place.dial()
    sock.sendall(b"x")
    return sock


@pytest.mark.parametrize("words, inside, outside", [
    (["--allow", "127.0.0.2"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.3"]),
    (["--allow", "127.0.0.2/31"], ["127.0.0.2", "127.0.0.3"], ["127.0.0.1", "127.0.0.4"]),
    (["--deny", "127.0.0.2"], ["127.0.0.1", "127.0.0.3"], ["127.0.0.2"]),
    (["--allow", "127.0.0.0/8", "--deny", "127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"]),
    (["--deny", "127.0.0.2", "--allow", "127.0.0.2"], [], ["127.0.0.1", "127.0.0.2"]),
    (["--allow", "127.0.0.5", "--allow", "127.0.0.6"], ["127.0.0.5", "127.0.0.6"], ["127.0.0.1"]),
    (["--allow", "localhost"], ["127.0.0.1"], ["127.0.0.2"]),
    (["--allow", "::ffff:127.0.0.2"], ["127.0.0.2"], ["127.0.0.1"]),
], ids=lambda v: " ".join(v).replace("--", ""))
def test_allow_and_deny(sockctl, tcp, words, inside, outside):
    sockctl.serve("echo", tcp, *words)
    for source in outside:
        assert wire.closed_without_a_byte(tcp.dial(source=source))
    for source in inside:
        served(tcp, source=source)


def test_allow_from_a_file(sockctl, tcp, tmp_path):
    (tmp_path / "list").write_text("# friends\n127.0.0.2\n\n127.0.0.4/30  # and these\n")
    sockctl.serve("echo", tcp, "--allow", f"@{tmp_path}/list")
    for source in ("127.0.0.2", "127.0.0.4", "127.0.0.7"):
        served(tcp, source=source)
    for source in ("127.0.0.1", "127.0.0.8"):
        assert wire.closed_without_a_byte(tcp.dial(source=source))


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_deny_reaches_both_families_of_a_server_without_a_host(sockctl):
    proc = sockctl.serve("echo", ["0"], "--deny", "127.0.0.0/8")
    assert wire.closed_without_a_byte(wire.keep(socket.create_connection(("127.0.0.1", proc.port))))
    sock = wire.keep(socket.create_connection(("::1", proc.port)))
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"


@pytest.mark.parametrize("mode", ["chat", "serve"])
def test_denied_reads_not_one_byte(sockctl, tcp, mode):
    sockctl.serve(mode, tcp, "--deny", "127.0.0.1")
    assert wire.closed_without_a_byte(tcp.dial())


def test_listen_waits_for_an_allowed_client(sockctl, tcp):
    proc = sockctl.serve("listen", tcp, "--deny", "127.0.0.2", stdin=b"")
    assert wire.closed_without_a_byte(tcp.dial(source="127.0.0.2"))
    sock = tcp.dial()
    sock.sendall(b"welcome")
    sock.close()
    assert proc.ends(0) == b"welcome"


# numbers and labels


@LOOPS
def test_numbers_are_not_used_again(sockctl, place):
    proc = sockctl.serve("serve", place)
    first = place.dial()
    first.sendall(b"a\n")
    assert proc.read_until() == b"[1] a\n"
    wire.close(first)
    for number in (2, 3):
        sock = place.dial()
        sock.sendall(b"b\n")
        assert proc.read_until() == b"[%d] b\n" % number


def test_numbers_come_after_admission(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, "--deny", "127.0.0.2")
    assert wire.closed_without_a_byte(tcp.dial(source="127.0.0.2"))
    sock = tcp.dial()
    sock.sendall(b"a\n")
    assert proc.read_until() == b"[1] a\n"


def test_labels(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, "--label", "addr")
    sock = tcp.dial()
    sock.sendall(b"hello\n")
    assert b"127.0.0.1:%d" % sock.getsockname()[1] in proc.read_until()
    bare = sockctl.serve("serve", Place("tcp4", tcp.folder), "--label", "none")
    sock = wire.keep(socket.create_connection(("127.0.0.1", bare.port)))
    sock.sendall(b"hello\n")
    assert bare.read_until() == b"hello\n"


# the console


@LOOPS
def test_lines_are_never_interleaved(sockctl, place):
    proc = sockctl.serve("serve", place, "--whole-lines")
    socks = [place.dial() for _ in range(5)]
    for step in range(40):
        for number, sock in enumerate(socks):
            sock.sendall(b"%d:%d " % (number, step) + b"abc" * step)
        for number, sock in enumerate(socks):
            sock.sendall(b" end\n")
    lines = [proc.read_until() for _ in range(200)]
    assert all(re.fullmatch(rb"\[\d\] (\d):(\d+) (abc)* end\n", line) for line in lines)
    heard = {}
    for line in lines:
        label, number, step = re.match(rb"\[(\d)\] (\d):(\d+)", line).groups()
        heard.setdefault(label, []).append((number, int(step)))
    for said in heard.values():  # one client under one label, in its order
        assert len({number for number, _ in said}) == 1
        assert [step for _, step in said] == list(range(40))


@LOOPS
def test_stdin_goes_to_all(sockctl, place):
    proc = sockctl.serve("serve", place)
    socks = [greeted(proc, place) for _ in range(3)]
    proc.send(b"hear me\n@2 is no command here\n/who neither\n")
    for sock in socks:
        assert wire.read_until(sock, b"neither\n") == b"hear me\n@2 is no command here\n/who neither\n"


def test_commands(sockctl, place):
    proc = sockctl.serve("serve", place, "--commands")
    one, two = greeted(proc, place), greeted(proc, place)
    proc.send(b"@2 only you\nall\n@@at\n//slash\n")
    assert wire.read_until(two, b"/slash\n") == b"only you\nall\n@at\n/slash\n"
    assert wire.read_until(one, b"/slash\n") == b"all\n@at\n/slash\n"
    proc.send(b"/kick 1\n")
    assert wire.read_eof(one) == b""
    proc.send(b"after\n")
    assert wire.read_until(two) == b"after\n"


def test_stdin_waits_for_a_client(sockctl, place):
    proc = sockctl.serve("serve", place)
    proc.send(b"for the first who comes\n")
    assert wire.read_until(place.dial()) == b"for the first who comes\n"


@LOOPS
def test_console_without_operator(sockctl, place):
    """EOF before the first byte: clients are served receive-only, and the server goes on."""
    proc = sockctl.serve("serve", place, stdin=b"")
    for _ in range(3):
        sock = greeted(proc, place)
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
    assert proc.alive()


@LOOPS
def test_end_of_stdin_after_data(sockctl, place):
    """Drain, half-close all that are there, take no more, end when they have finished."""
    proc = sockctl.serve("serve", place)
    socks = [greeted(proc, place) for _ in range(3)]
    proc.send(b"goodbye\n")
    proc.eof()
    for sock in socks:
        assert wire.read_eof(sock) == b"goodbye\n"
    assert wire.refused(place.dial)
    for sock in socks:
        sock.sendall(b"and you\n")
        assert proc.read_until().endswith(b"and you\n")
        wire.close(sock)
    proc.ends(0)


def test_one_clients_end_does_not_close_stdout(sockctl, place):
    proc = sockctl.serve("serve", place)
    wire.close(greeted(proc, place))
    wire.close(greeted(proc, place))


def test_an_unfinished_last_line_is_shown(sockctl, place):
    proc = sockctl.serve("serve", place)
    sock = place.dial()
    sock.sendall(b"no newline")
    wire.half_close(sock)
    assert proc.read(14) == b"[1] no newline"
    other = place.dial()
    other.sendall(b"next\n")
    assert proc.read_until(b"next\n").endswith(b"\n[2] next\n")  # on a line of its own


def test_a_later_client_gets_later_lines(sockctl, place):
    proc = sockctl.serve("serve", place)
    early = greeted(proc, place)
    proc.send(b"one\n")
    assert wire.read_until(early) == b"one\n"
    late = greeted(proc, place)
    proc.send(b"two\n")
    assert wire.read_until(late) == b"two\n"


@LOOPS
def test_the_slowest_sets_the_pace(sockctl, place):
    """--slow wait, the default without a terminal: nothing is lost for any client."""
    data = wire.payload(8 << 20).hex().encode()
    proc = sockctl.serve("serve", place)
    fast, slow = greeted(proc, place), greeted(proc, place, rcvbuf=8192)
    proc.feed += data
    proc.eof()
    reading = wire.Task(wire.read_eof, fast)
    feeding = wire.Task(proc.ends)
    first = wire.read(slow, 1000)
    wire.same(first + wire.read_eof(slow), data)
    wire.same(reading.result(), data)
    wire.close(fast)
    wire.close(slow)
    assert feeding.result() == b""


@LOOPS
def test_a_client_that_takes_nothing_is_closed(sockctl, place):
    data = wire.payload(8 << 20).hex().encode()
    proc = sockctl.serve("serve", place, "--slow-after", "500ms", "-v")
    fast, stuck = greeted(proc, place), greeted(proc, place, rcvbuf=8192)
    proc.feed += data
    proc.eof()
    feeding = wire.Task(proc.ends)
    wire.same(wire.read_eof(fast), data)
    wire.close(fast)
    feeding.result()
    proc.says(rb"closed by slow")
    wire.close(stuck)


def test_full_stdout_ends_the_console(sockctl, tcp):
    with open("/dev/full", "wb") as full:
        proc = sockctl.serve("serve", tcp, stdout=full)
    sock = tcp.dial()
    sock.sendall(b"x\n")
    proc.ends(9)
    assert "stdout" in proc.complaint()


@LOOPS
def test_gone_reader_ends_the_console(sockctl, place):
    proc = sockctl.serve("serve", place)
    sock = greeted(proc, place)
    proc._drop("stdout")
    try:
        sock.sendall(b"for nobody\n")
    except ConnectionError:  # it may have noticed by itself
        pass
    proc.ends(141)
    assert len(proc.lines()) <= 1
