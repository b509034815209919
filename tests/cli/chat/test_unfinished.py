"""Many programs send no newline: a client's unfinished line is one when nothing comes after it, in the console and in the room."""
import pytest

import wire
from place import Place

pytestmark = [pytest.mark.usefixtures("loop"), pytest.mark.whole("a line that begins with a single byte is typed")]


@pytest.fixture
def console(sockctl, place):
    proc = sockctl.serve("serve", place, stdin=None)
    return proc, place.dial()


@pytest.fixture
def ticks(sockctl, tmp_path):
    """Comes back when another server has seen three silences, one after the other: what began before has been silent, too."""
    (tmp_path / "ticks").mkdir()
    there = Place("tcp4", tmp_path / "ticks")
    proc = sockctl.serve("serve", there, stdin=None)
    sock = there.dial()

    def wait():
        for n in range(3):
            sock.sendall(b"tick %d" % n)
            assert proc.read_until() == b"[1] tick %d\n" % n

    return wait


def test_the_console_shows_it(console):
    proc, sock = console
    for n in range(3):
        sock.sendall(b"turn %d" % n)
        assert proc.read_until() == b"[1] turn %d\n" % n


def test_whole_lines_before_it_come_at_once(console):
    proc, sock = console
    sock.sendall(b"one\ntwo\nthree")
    assert [proc.read_until() for _ in range(3)] == [b"[1] one\n", b"[1] two\n", b"[1] three\n"]
    sock.sendall(b"four\n")
    assert proc.read_until() == b"[1] four\n"


def test_what_began_with_a_single_byte_is_typed(sockctl, place, ticks):
    """Also when the byte came behind a whole line."""
    proc = sockctl.serve("serve", place, stdin=None)
    typed, begun = place.dial(), place.dial()
    typed.sendall(b"h")
    begun.sendall(b"said\ns")
    assert proc.read_until() == b"[2] said\n"
    ticks()
    typed.sendall(b"ola\n")
    assert proc.read_until() == b"[1] hola\n"
    begun.sendall(b"o\n")
    assert proc.read_until() == b"[2] so\n"


def test_the_next_line_is_judged_anew(console):
    proc, sock = console
    sock.sendall(b"k")
    sock.sendall(b"ey\nwhole")
    assert [proc.read_until() for _ in range(2)] == [b"[1] key\n", b"[1] whole\n"]


@pytest.mark.parametrize("mode", ["serve", "chat"])
@pytest.mark.parametrize("words", [["--whole-lines"], ["--frame", "crlf"]], ids=lambda words: words[0][2:])
def test_never(sockctl, place, ticks, mode, words):
    proc = sockctl.serve(mode, place, *words, stdin=None)
    sock = place.dial()
    if mode == "chat":
        wire.read_until(sock, b"(1 here)")
        other = place.dial()
        wire.read_until(other, b"(2 here)")
        wire.read_until(sock, b"(2 here)")
    sock.sendall(b"unfinished")
    ticks()
    sock.sendall(b" no more\r\n")
    got = wire.read_until(other, b"no more") if mode == "chat" else proc.read_until(b"no more")
    assert got.endswith(b" unfinished no more")


def test_the_room_relays_it(sockctl, place):
    sockctl.serve("chat", place)
    one = place.dial()
    wire.read_until(one, b"(1 here)\n")
    two = place.dial()
    wire.read_until(one, b"joined (2 here)\n")
    wire.read_until(two, b"(2 here)\n")
    two.sendall(b"hola")
    assert wire.read_until(one) == b"<2> hola\n"
    two.sendall(b"/nick ana")
    assert wire.read_until(one) == b"* 2 is now ana (2 here)\n"
    two.sendall(b"me too\nand I")
    assert wire.read_until(one, b"I\n") == b"<ana> me too\n<ana> and I\n"


def test_labels_and_length(sockctl, place):
    proc = sockctl.serve("serve", place, "--label", "none", "--max-line", "8", stdin=None)
    sock = place.dial()
    sock.sendall(b"eight by")
    assert proc.read_until() == b"eight by\n"
    sock.sendall(b"more than eight")
    assert proc.read_until() == b"more tha\n"
    sock.sendall(b" and\nnew")
    assert proc.read_until() == b"new\n"


def test_a_reader_that_waits(sockctl, place, ticks):
    """While stdout is full no client is read, and what has not been read is no silence."""
    proc = sockctl.serve("serve", place, "--label", "none", stdin=None)
    many = b"".join(b"%08d\n" % n for n in range(1_000_000))
    sender = wire.sending(place.dial(), many + b"the end")
    ticks()
    wire.same(proc.read(len(many) + 8), many + b"the end\n")
    sender.result()


@pytest.mark.parametrize("mode", ["serve", "chat"])
def test_frames_are_whole_already(sockctl, mode):
    proc = sockctl.run(mode, "--whole-lines", "--frame", "line", "127.0.0.1:0")
    assert proc.code == 2 and proc.complaint() == "sockctl: --frame and --whole-lines cannot be used together: a frame is whole"
