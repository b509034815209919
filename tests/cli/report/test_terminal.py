"""At a terminal: what a peer sends is shown harmlessly, a prompt at once, and the end needs no key."""
import fcntl
import termios

import pytest

import wire
from place import Place
from proc import PIPE
from terminal import Terminal

pytestmark = pytest.mark.usefixtures("loop")


@pytest.fixture
def screen():
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def at_screen(screen, sockctl, place):
    """at_screen(words…): connect with stdin and stdout at the terminal: (program, socket)."""

    def make(*words, stdin=screen.theirs, stdout=screen.theirs):
        listener = place.listen()
        proc = sockctl.connect(place, *words, stdin=stdin, stdout=stdout, before_exec=screen.take)
        return proc, wire.accept(listener)

    return make


SHOWN = {
    "plain": (b"plain text\n", b"plain text\n"),
    "tab": (b"a\tb\n", b"a\tb\n"),
    "utf8": ("¡hola! ñ 漢 🙂\n".encode(), "¡hola! ñ 漢 🙂\n".encode()),
    "escape": (b"\x1b[31mred\x1b[0m\n", rb"\x1b[31mred\x1b[0m" + b"\n"),
    "title": (b"\x1b]0;owned\x07\n", rb"\x1b]0;owned\x07" + b"\n"),
    "nul-and-del": (b"a\x00b\x7fc\x08d\n", rb"a\x00b\x7fc\x08d" + b"\n"),
    "crlf": (b"dos\r\nlines\r\n", b"dos\nlines\n"),
    "lone-cr": (b"over\rwrite\n", rb"over\x0dwrite" + b"\n"),
    "bad-utf8": (b"\xff\xfe \xc3(\n", rb"\xff\xfe \xc3(" + b"\n"),
    "overlong": (b"\xc0\xaf\n", rb"\xc0\xaf" + b"\n"),
    "surrogate": (b"\xed\xa0\x80\n", rb"\xed\xa0\x80" + b"\n"),
    "c1": ("\x9b31m\n".encode(), rb"\xc2\x9b31m" + b"\n"),
    "bidi": ("\u202eabc\n".encode(), rb"\xe2\x80\xaeabc" + b"\n"),
}


@pytest.mark.parametrize("what", SHOWN)
def test_shown_harmlessly(screen, at_screen, what):
    sent, shown = SHOWN[what]
    proc, sock = at_screen()
    sock.sendall(sent + b"[end]\n")
    assert screen.shows(b"[end]\n") == shown + b"[end]\n"


def test_a_character_in_pieces(screen, at_screen):
    """UTF-8 cut by the network is one character; CR and LF too may come apart."""
    proc, sock = at_screen()
    for byte in "ñ漢🙂".encode():
        sock.sendall(bytes([byte]))
    assert screen.shows("🙂".encode()) == "ñ漢🙂".encode()
    sock.sendall(b"dos\r")
    assert screen.shows(b"dos") == b"dos"
    sock.sendall(b"\nend\n")
    assert screen.shows(b"end\n") == b"\nend\n"


def test_half_a_character_at_the_end(screen, at_screen):
    proc, sock = at_screen()
    sock.sendall(b"half \xe6\xbc")
    sock.close()
    screen.shows(rb"half \xe6\xbc")
    proc.ends(0)


def test_prompt_at_once(screen, at_screen):
    proc, sock = at_screen()
    sock.sendall(b"login: ")
    assert screen.shows(b"login: ") == b"login: "
    screen.type(b"ana\n")
    assert wire.read(sock, 4) == b"ana\n"
    sock.sendall(b"Password:")
    assert screen.shows(b"Password:") == b"Password:"


def test_raw(screen, at_screen):
    every = bytes(range(1, 256)) + b"\r\n"
    proc, sock = at_screen("--raw")
    sock.sendall(every)
    assert screen.shows(b"\xff\r\n") == every


def test_a_pipe_gets_exact_bytes(at_screen):
    every = bytes(range(256)) + b"\x1b[31m\r\n"
    proc, sock = at_screen(stdout=PIPE)
    sock.sendall(every)
    assert proc.read(len(every)) == every


def test_ends_when_the_peer_has_finished(screen, at_screen):
    """A person should not have to press a key: --end auto with a terminal as stdin."""
    proc, sock = at_screen()
    sock.sendall(b"bye\n")
    sock.close()
    screen.shows(b"bye\n")
    proc.ends(0)


def test_ends_with_a_terminal_as_stdin_alone(screen, at_screen):
    proc, sock = at_screen(stdout=PIPE)
    sock.sendall(b"bye\n")
    sock.close()
    assert proc.ends(0) == b"bye\n"


def test_end_both_waits_for_the_key(screen, at_screen):
    proc, sock = at_screen("--end", "both")
    wire.half_close(sock)
    for word in (b"one\n", b"two\n"):
        screen.type(word)
        assert wire.read(sock, 4) == word
    screen.type(b"\x04")
    assert wire.read_eof(sock) == b""
    proc.ends(0)


def test_control_d_is_the_end(screen, at_screen):
    proc, sock = at_screen()
    screen.type(b"question\n\x04")
    assert wire.read_eof(sock) == b"question\n"
    sock.sendall(b"answer\n")
    screen.shows(b"answer\n")
    sock.close()
    proc.ends(0)


def test_control_c_ends_it(screen, at_screen):
    proc, sock = at_screen()
    screen.type(b"x\n")
    assert wire.read(sock, 2) == b"x\n"
    screen.type(b"\x03")
    proc.ends(-2)


def test_the_terminal_is_left_as_it_was(screen, at_screen):
    before = fcntl.fcntl(screen.theirs, fcntl.F_GETFL), termios.tcgetattr(screen.theirs)
    proc, sock = at_screen()
    sock.sendall(b"x\n")
    screen.shows(b"x\n")
    assert fcntl.fcntl(screen.theirs, fcntl.F_GETFL) == before[0]
    sock.close()
    proc.ends(0)
    assert (fcntl.fcntl(screen.theirs, fcntl.F_GETFL), termios.tcgetattr(screen.theirs)) == before


def test_much_text(screen, at_screen):
    """A screen takes little at a time; nothing is lost on the way to it."""
    proc, sock = at_screen()
    lines = b"".join(b"line %06d \x1b[0m\r\n" % n for n in range(20000))
    wire.sending(sock, lines)
    shown = screen.shows(b"line 019999")
    assert shown.count(b"\n") == 19999
    assert b"\x1b" not in shown


def test_datagrams_go_by_line(screen, sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = place.listen()
    sockctl.connect(place, stdin=screen.theirs, stdout=screen.theirs, before_exec=screen.take)
    screen.type(b"one\ntwo\n")
    assert [server.recv(100) for _ in range(2)] == [b"one\n", b"two\n"]


def test_console_takes_commands_at_a_terminal(screen, sockctl, place):
    proc = sockctl.serve("serve", place, stdin=screen.theirs, stdout=screen.theirs, before_exec=screen.take)
    one, two = place.dial(), place.dial()
    for number, sock in ((1, one), (2, two)):
        sock.sendall(b"\x1b[31mhi\n")
        assert screen.shows(b"hi\n") == rb"[%d] \x1b[31mhi" % number + b"\n"
    screen.type(b"@2 only you\nall\n")
    assert wire.read_until(two, b"all\n") == b"only you\nall\n"
    assert wire.read_until(one, b"all\n") == b"all\n"
    screen.type(b"/kick 1\n")
    assert wire.read_eof(one) == b""
    assert proc.alive()


def test_chat_operator_at_a_terminal(screen, sockctl, place):
    sockctl.serve("chat", place, stdin=screen.theirs, stdout=screen.theirs, before_exec=screen.take)
    one = place.dial()
    one.sendall(b"/nick ana\nhello\x1b\n")
    assert rb"<ana> hello\x1b" in screen.shows(b"hello\\x1b\n")
    screen.type(b"welcome\n")
    wire.read_until(one, b"> welcome\n")
