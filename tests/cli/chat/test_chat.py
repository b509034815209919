"""The chat room: names, which member gets what, and that one that does not read delays no other for long."""
import re
import signal
import time

import pytest

import wire
from place import Place

pytestmark = pytest.mark.usefixtures("loop")


class Guest:
    """A member: lines out, lines in."""

    def __init__(self, place, **how):
        self.sock = place.dial(**how)
        self.buf = b""

    def say(self, *lines):
        for line in lines:
            self.sock.sendall(line + b"\n")
        return self

    def hear(self, words):
        """Reads up to the line that matches; returns that line, and everything that came before it is gone."""
        words = re.compile(words)
        while True:
            while b"\n" in self.buf:
                line, _, self.buf = self.buf.partition(b"\n")
                if words.search(line):
                    return line
            part = self.sock.recv(65536)
            assert part, f"{words.pattern!r} never came; left: {self.buf[-200:]!r}"
            self.buf += part

    def hear_until(self, words):
        """All lines up to the one that matches, in order."""
        words = re.compile(words)
        lines = []
        while not lines or not words.search(lines[-1]):
            lines.append(self.hear(b""))
        return lines


@pytest.fixture
def room(sockctl, place):
    sockctl.serve("chat", place)
    return place


def clients(place, n):
    """n clients that all know that all are there."""
    came = []
    for number in range(1, n + 1):
        came.append(Guest(place))
        came[-1].hear(rb"^\* .*\b%d\b" % number)
        came[-1].say(b"/nick g%d" % number)
        for client in came:
            client.hear(rb"^\* .*g%d" % number)
    return came


def test_five_members_hear_each_other(room):
    five = clients(room, 5)
    for number, speaker in enumerate(five, 1):
        speaker.say(b"this is %d" % number)
        for listener in five:
            if listener is not speaker:
                assert listener.hear(rb"this is") == b"<g%d> this is %d" % (number, number)


def test_no_client_hears_itself(room):
    one, two = clients(room, 2)
    one.say(b"echo?")
    two.hear(rb"^<g1> echo\?$")
    two.say(b"done")
    assert not any(b"echo?" in line for line in one.hear_until(rb"^<g2> done$"))


def test_numbers_before_names(room):
    one, two = Guest(room), Guest(room)
    one.hear(rb"^\* .*1")
    two.hear(rb"^\* .*2")
    one.say(b"no name yet")
    assert two.hear(rb"no name yet") == b"<1> no name yet"


def test_a_new_client_is_told_number_and_roster(room):
    one = Guest(room)
    one.hear(rb"^\* .*\b1\b")
    one.say(b"/nick Ana")
    one.hear(rb"^\* .*Ana")
    two = Guest(room)
    two.say(b"/help")
    told = b"\n".join(two.hear_until(rb"/quit"))
    assert b"2" in told and b"Ana" in told
    assert all(line.startswith(b"* ") for line in told.split(b"\n"))


def test_joining_renaming_leaving_are_announced_with_the_count(room):
    one = Guest(room)
    one.hear(rb"^\* .*1")
    two = Guest(room)
    assert re.search(rb"^\* .*2\b.*\b2\b", one.hear(rb"^\* .*\b2\b"))
    two.say(b"/nick bob")
    one.hear(rb"^\* .*bob.*2|^\* .*2.*bob")
    two.say(b"/quit")
    assert re.search(rb"^\* .*bob.*\b1\b", one.hear(rb"^\* .*bob"))


NAMES = {"letters": (b"ana", True), "all-kinds": (b"A_b-3", True), "twenty": (b"a" * 20, True), "too-long": (b"a" * 21, False),
         "empty": (b"", False), "digit-first": (b"3po", False), "server": (b"server", False), "Server": (b"SerVer", False),
         "space": (b"a b", False), "utf8": ("ñandú".encode(), False), "angle": (b"<x>", False), "escape": (b"\x1b[31m", False)}


@pytest.mark.parametrize("name", NAMES)
def test_names(room, name):
    nick, good = NAMES[name]
    one, two = Guest(room), Guest(room)
    one.hear(rb"^\* .*2")
    one.say(b"/nick " + nick, b"who am I")
    said = two.hear(rb"who am I")
    assert said == b"<%s> who am I" % (nick if good else b"1")


def test_names_are_unique_without_regard_to_case(room):
    one, two = clients(room, 2)
    one.say(b"/nick Ana")
    two.hear(rb"^\* .*Ana")
    two.say(b"/nick aNA", b"I am")
    assert one.hear(rb"I am") == b"<g2> I am"
    one.say(b"/nick ANA", b"and I")  # one's own name may change its case
    assert two.hear(rb"and I") == b"<ANA> and I"


def test_a_name_is_free_again(room):
    one, two = clients(room, 2)
    one.say(b"/quit")
    two.hear(rb"^\* .*g1")
    two.say(b"/nick g1")
    two.hear(rb"^\* .*g1")
    three = Guest(room)
    three.hear(rb"^\* .*3")
    two.say(b"hello")
    assert three.hear(rb"hello") == b"<g1> hello"


def test_who(room):
    five = clients(room, 5)
    five[2].say(b"/who", b"/help")
    told = b"\n".join(five[2].hear_until(rb"/quit"))
    assert all(b"g%d" % n in told for n in range(1, 6))


@pytest.mark.parametrize("to", [b"g2", b"G2"])
def test_private_words(room, to):
    one, two, three = clients(room, 3)
    one.say(b"/msg %s between us" % to, b"for all")
    heard = two.hear(rb"between us")
    assert b"g1" in heard
    assert not any(b"between us" in line for line in three.hear_until(rb"for all"))


def test_private_words_by_number(room):
    """A member without a name has a number."""
    one = Guest(room)
    one.hear(rb"^\* .*1")
    two = Guest(room)
    one.hear(rb"^\* .*2")
    one.say(b"/msg 2 between us")
    assert b"1" in two.hear(rb"between us")


def test_private_words_to_an_unknown_name(room):
    one, two = clients(room, 2)
    one.say(b"/msg nobody psst")
    assert one.hear(rb"nobody").startswith(b"* ")
    one.say(b"for all")
    assert not any(b"psst" in line for line in two.hear_until(rb"for all"))


def test_me(room):
    one, two = clients(room, 2)
    one.say(b"/me waves")
    assert b"g1" in two.hear(rb"waves")


def test_quit(room):
    one, two = clients(room, 2)
    one.say(b"last words", b"/quit")
    two.hear(rb"^<g1> last words$")
    two.hear(rb"^\* .*g1")
    one.sock.settimeout(wire.DEADLINE)
    while one.sock.recv(4096):
        pass


def test_unknown_command(room):
    one, two = clients(room, 2)
    one.say(b"/dance wildly", b"for all")
    assert one.hear(rb"dance").startswith(b"* ")
    assert not any(b"wildly" in line for line in two.hear_until(rb"for all"))


def test_no_line_can_look_like_the_systems(room):
    one, two = clients(room, 2)
    for forged in (b"* g2 has left", b"<g2> I said", b"\r* x", b"/me \x1b[2K* y", b" * z"):
        one.say(forged)
    one.say(b"end")
    for line in two.hear_until(rb"<g1> end$"):
        assert line.startswith((b"<g1> ", b"* g1 ")), line
        assert b"\r" not in line and b"\x1b" not in line


def test_control_bytes_are_shown_and_utf8_passes(room):
    one, two = clients(room, 2)
    one.say("¡hola! ñ 漢 🙂".encode())
    assert two.hear("hola".encode()) == "<g1> ¡hola! ñ 漢 🙂".encode()
    one.say(b"\x1b[31mred\x07\x00 \xff\xfe \xc3")
    assert two.hear(rb"red") == rb"<g1> \x1b[31mred\x07\x00 \xff\xfe \xc3"


def test_crlf_clients(room):
    one, two = clients(room, 2)
    one.sock.sendall(b"from telnet\r\n")
    assert two.hear(rb"from telnet").rstrip(b"\r") == b"<g1> from telnet"


def test_a_line_in_pieces(sockctl, place):
    sockctl.serve("chat", place, "--whole-lines")
    one, two = clients(place, 2)
    for part in (b"in", b" ", b"pieces", b"\nand", b" more\n"):
        one.sock.sendall(part)
    assert two.hear(rb"in") == b"<g1> in pieces"
    assert two.hear(rb"and") == b"<g1> and more"


def test_an_unfinished_line_at_the_end_is_relayed(room):
    one, two = clients(room, 2)
    one.sock.sendall(b"no newline")
    wire.half_close(one.sock)
    assert two.hear(rb"no newline") == b"<g1> no newline"


@pytest.mark.parametrize("limit", [4096, 100])
def test_long_lines_are_cut_with_a_notice(sockctl, place, limit):
    sockctl.serve("chat", place, *(["--max-line", "100"] if limit == 100 else []))
    one, two = clients(place, 2)
    one.say(b"a" * (limit * 3), b"next")
    one.hear(rb"^\* ")
    lines = two.hear_until(rb"^<g1> next$")
    said = b"".join(re.findall(rb"a{20,}", b"\n".join(lines)))
    assert limit - 80 <= len(said) <= limit


def test_members_come_and_go_meanwhile(room):
    one, two = clients(room, 2)
    for turn in range(20):
        passing = Guest(room)
        passing.say(b"passing %d" % turn)
        one.hear(rb"> passing %d$" % turn)
        wire.close(passing.sock)
        one.say(b"still %d" % turn)
        two.hear(rb"<g1> still %d$" % turn)


@pytest.mark.whole("four thousand lines take too long byte by byte")
def test_a_client_that_never_reads_delays_others_at_most_about_once(sockctl, tmp_path):
    """Its queue holds them up for about a second, then lines are skipped for it and none waits. The bound on time is wide;
    what is counted is how often the talk stops."""
    place = Place("tcp4", tmp_path)
    proc = sockctl.serve("chat", place, "-v", "--slow-after", "1h")
    one, two = clients(place, 2)
    never = Guest(place, rcvbuf=4096)
    one.hear(rb"^\* .*3")
    talk = b"blah " * 180
    stops = 0
    for turn in range(4000):
        said = time.monotonic()
        one.say(b"%d %s" % (turn, talk))
        two.hear(rb"<g1> %d " % turn)
        stops += time.monotonic() - said > 0.5
    assert stops <= 2
    assert proc.alive()
    # once it reads again it is told that it has missed some
    never.hear(rb"^\* .*\d+.*(line|miss|skip)")


def test_a_client_that_never_reads_is_closed(sockctl, place):
    proc = sockctl.serve("chat", place, "-v", "--slow-after", "300ms")
    one, two = clients(place, 2)
    Guest(place, rcvbuf=4096)
    one.hear(rb"^\* .*3")
    talk = b"blah " * 180
    for turn in range(100000):
        one.say(b"%d %s" % (turn, talk))
        two.hear(rb"<g1> %d " % turn)
        if b"closed by slow" in proc.err or turn % 50 == 0 and seen(proc, rb"closed by slow"):
            break
    proc.says(rb"closed by slow")
    two.say(b"and on")
    one.hear(rb"<g2> and on")


def test_slow_close(sockctl, place):
    """--slow close: a member over half of its queue for a second is closed, not skipped."""
    proc = sockctl.serve("chat", place, "-v", "--slow", "close", "--slow-after", "1h")
    one, two = clients(place, 2)
    Guest(place, rcvbuf=4096)
    one.hear(rb"^\* .*3")
    talk = b"blah " * 180
    for turn in range(100000):
        one.say(b"%d %s" % (turn, talk))
        two.hear(rb"<g1> %d " % turn)
        if turn % 50 == 0 and seen(proc, rb"closed by slow"):
            break
    proc.says(rb"closed by slow")


@pytest.mark.whole("four thousand lines take too long byte by byte")
def test_a_client_that_quit_is_not_reported_as_drained(sockctl, tmp_path):
    """Its queue holds it until after the signal: it goes for the reason that it had before."""
    place = Place("tcp4", tmp_path)
    proc = sockctl.serve("chat", place, "-v", "--slow-after", "1h", "--drain", "1h")
    one, two = clients(place, 2)
    late = Guest(place, rcvbuf=4096)
    one.hear(rb"^\* .*3")
    talk = b"blah " * 180
    for turn in range(4000):  # until lines are skipped for it: it still has half of a queue to take
        one.say(b"%d %s" % (turn, talk))
        two.hear(rb"<g1> %d " % turn)
    late.say(b"/quit")
    two.hear(rb"^\* 3 has left")
    proc.signal(signal.SIGTERM)
    two.hear(rb"^\* server is closing")
    wire.read_eof(late.sock)
    wire.close(late.sock)
    proc.says(rb"\[3\] .*closed by peer")
    for client in (one, two):
        wire.close(client.sock)
    proc.ends(0)


@pytest.mark.whole("megabytes take too long byte by byte")
def test_slow_wait_loses_nothing(sockctl, place):
    """--slow wait: the room waits for a member that is behind, and each line arrives."""
    sockctl.serve("chat", place, "--slow", "wait", "--slow-after", "1h")
    one, two = clients(place, 2)
    late = Guest(place, rcvbuf=4096)
    one.hear(rb"^\* .*3")
    two.hear(rb"^\* .*3")
    lines = [b"%d %s" % (turn, b"blah " * 180) for turn in range(6000)]
    wire.Task(one.sock.sendall, b"\n".join(lines) + b"\n")
    hearing = wire.Task(lambda: [two.hear(rb"^<g1> ") for _ in lines])
    assert [late.hear(rb"^<g1> ") for _ in lines] == [b"<g1> " + line for line in lines]
    assert hearing.result()[-1] == b"<g1> " + lines[-1]


def seen(proc, words):
    """A look at stderr without waiting for it."""
    try:
        proc._take("stderr", proc.err)
    except BlockingIOError:
        pass
    return re.search(words, bytes(proc.err))
