"""--progress and SIGUSR1: a bar on a terminal that makes room for every message, lines in a log, and numbers that are right."""
import json
import os
import re
import select
import signal
import subprocess
import time

import pytest

import wire
from proc import NULL
from terminal import Terminal

HERE = ("127.0.0.1:0",)
LINE = rb"sockctl: sent \S+( \S+/s)?  recv \S+( \S+/s)?  \d\d:\d\d( ETA \d\d:\d\d)?\n"
SIZES = rb"sent (\S+) .*recv (\S+) "


@pytest.fixture
def screen():
    terminal = Terminal()
    terminal.resize(100)
    yield terminal
    terminal.close()


@pytest.fixture
def at_screen(sockctl, screen):
    """at_screen(mode, place, words…): a server whose stderr is the terminal."""

    def make(mode, place, *words, env=None):
        return sockctl.serve(mode, place, *words, stdin=NULL, stdout=NULL, stderr=screen.theirs, before_exec=screen.take,
                             env={"TERM": "xterm", **(env or {})})

    return make


def pause(seconds):
    select.select([], [], [], seconds)


def all_shown(screen):
    while select.select([screen.ours], [], [], 0)[0]:
        screen.seen += os.read(screen.ours, 65536)
    return screen.seen


def drawn(seen):
    """What was drawn in place, one after the other."""
    return [part.split(b"\x1b[K")[0] for part in seen.split(b"\r") if part.startswith(b"sent ")]


# on a terminal


def test_a_bar_is_drawn_in_place(screen, at_screen, tcp):
    """At most five times a second, however much comes."""
    proc = at_screen("serve", tcp, "--discard", "--progress", "--count", "1", "--size", "3k")
    sock = tcp.dial()
    since = time.monotonic()
    for _ in range(30):
        sock.sendall(bytes(100))
        pause(0.05)
    wire.close(sock)
    proc.ends(0)
    lasted = time.monotonic() - since
    seen = all_shown(screen)
    bars = drawn(seen)
    assert 4 <= len(bars) <= lasted * 5 + 2
    assert seen.count(b"\n") == 1 + (b"listening on" in seen)
    assert seen.endswith(b"\x1b[K\n")
    assert re.search(rb"recv 2.9KiB .*\[=+>? *\]  97%$", bars[-1])
    shares = [int(re.search(rb"(\d+)%$", bar)[1]) for bar in bars]
    assert shares == sorted(shares)


def test_a_bar_makes_room_for_messages(screen, at_screen, tcp):
    proc = at_screen("serve", tcp, "-v", "--discard", "--progress")
    for number in range(3):
        screen.shows(b"sent ")
        screen.shows(b"\x1b[K")
        wire.close(tcp.dial())
        screen.seen = b"\r" + screen.seen
        shown = screen.shows(b"[%d] 127.0.0.1:" % (number + 1))
        assert shown.endswith(b"\r\x1b[Ksockctl: [%d] 127.0.0.1:" % (number + 1))
    proc.signal(signal.SIGTERM)
    proc.wait()
    for message in re.finditer(rb"sockctl: ", all_shown(screen)):
        before = screen.seen[: message.start()]
        assert before.endswith((b"\n", b"\r\x1b[K")) or not before


def test_a_bar_keeps_to_the_window(screen, at_screen, tcp):
    screen.resize(20)
    at_screen("serve", tcp, "--discard", "--progress", "--size", "100")
    sock = tcp.dial()
    sock.sendall(b"x" * 50)
    screen.shows(b"recv 50B")
    screen.shows(b"\x1b[K\r")
    narrow = screen.shows(b"\x1b[K")[:-3]
    assert len(narrow) == 19 and narrow.startswith(b"sent 0B  recv 50B")
    screen.resize(90)
    screen.shows(b"%\x1b[K\r")
    wide = screen.shows(b"\x1b[K")[:-3]
    assert 60 < len(wide) <= 89


def test_a_terminal_that_takes_nothing_is_not_flooded(screen, at_screen, tcp):
    """Stopped with ^S, it shows the present when it goes on, not all that has been."""
    at_screen("serve", tcp, "--discard", "--progress")
    screen.shows(b"\x1b[K\r")
    screen.type(b"\x13")
    pause(2)
    all_shown(screen)
    screen.seen = b""
    screen.type(b"\x11")
    pause(0.1)
    assert len(drawn(b"\r" + all_shown(screen))) <= 3


@pytest.mark.parametrize("words, env", [(["--progress=line"], {}), (["--progress"], {"TERM": "dumb"})])
def test_lines_on_a_terminal(screen, at_screen, tcp, words, env):
    at_screen("echo", tcp, *words, env=env)
    assert b"\x1b" not in screen.shows(b"recv 0B  00:01\n")


def test_a_line_when_asked_for_one(screen, at_screen, tcp):
    proc = at_screen("echo", tcp, "--progress")
    screen.shows(b"sent ")
    screen.shows(b"\x1b[K")
    proc.signal(signal.SIGUSR1)
    screen.shows(b"\r\x1b[Ksockctl: sent 0B  recv 0B  ")
    screen.shows(b"\n")
    screen.shows(b"\rsent ")


# in a log


@pytest.mark.parametrize("words", [["--progress"], ["--progress=auto"], ["--progress=bar"], ["--progress=line"]])
def test_one_line_a_second_in_a_log(sockctl, tcp, words):
    proc = sockctl.serve("echo", tcp, *words, env={"TERM": "xterm"})
    since = time.monotonic()
    sock = tcp.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    proc.says(rb"sent 4B .*recv 4B.*\n(?s:.*)" + LINE)
    took = time.monotonic() - since
    assert took > 0.9 and len(re.findall(LINE, proc.err)) <= took + 2
    assert b"\r" not in proc.err and b"\x1b" not in proc.err


def test_never_unless_asked_for(sockctl, tcp):
    for words in ([], ["--progress=never"]):
        proc = sockctl.serve("echo", tcp, "--lifetime", "1200ms", "--drain", "0", *words)
        proc.wait()
        assert proc.complaint().startswith("sockctl: --lifetime")
        tcp.port = 0


def test_the_last_line_has_it_all(sockctl, place, tmp_path):
    (tmp_path / "data").write_bytes(bytes(3 << 20))
    listener = place.listen()
    with open(tmp_path / "data", "rb") as file:
        proc = sockctl.connect(place, "--progress", stdin=file)
    sock = wire.accept(listener)
    assert len(wire.read_eof(sock)) == 3 << 20
    wire.close(sock)
    proc.ends(0)
    assert re.match(rb"sockctl: sent 3.0MiB .*recv 0B ", proc.lines()[-1].encode())


# numbers


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
def test_sigusr1_of_a_server(sockctl, place, mode):
    """One line, and nothing else happens."""
    proc = sockctl.serve(mode, place)
    proc.signal(signal.SIGUSR1)
    proc.says(rb"sent 0B  recv 0B  00:00\n")
    sock = place.dial()
    sock.sendall(b"hola\n")
    if mode == "echo":
        assert wire.read(sock, 5) == b"hola\n"
    elif mode == "chat":
        wire.read(sock, 1)
    else:
        assert proc.read_until().endswith(b"hola\n")
    proc.signal(signal.SIGUSR1)
    assert proc.says(rb"sent (\S+)( \S+)?  recv (5B|0B) (?s:.*)sent (\S+)( \S+)?  recv 5B")[4] == (
        b"5B" if mode == "echo" else b"0B") or mode == "chat"
    assert proc.alive()
    wire.close(sock)


def test_sigusr1_while_nothing_is_connected(sockctl, tcp):
    tcp.bind()
    proc = sockctl.connect(tcp, "-v", "--wait", "1h")
    proc.says(rb"next try")
    proc.signal(signal.SIGUSR1)
    proc.says(LINE)
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


def test_sigusr1_does_not_break_quiet(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "-q", "--progress")
    proc.signal(signal.SIGUSR1)
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.close(sock)
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert not proc.err


def test_closed_clients_are_counted(sockctl, tcp):
    proc = sockctl.serve("echo", tcp)
    for _ in range(5):
        sock = tcp.dial()
        sock.sendall(b"1234")
        assert wire.read(sock, 4) == b"1234"
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
        wire.close(sock)
    proc.signal(signal.SIGUSR1)
    assert proc.says(SIZES).groups() == (b"20B", b"20B")


def test_datagrams_are_counted(sockctl, dgram):
    proc = sockctl.serve("echo", dgram)
    sock = dgram.dial()
    sock.send(bytes(100))
    assert len(sock.recv(200)) == 100
    proc.signal(signal.SIGUSR1)
    assert proc.says(SIZES).groups() == (b"100B", b"100B")


# the end


def trickle(proc, sock, taken=1 << 20):
    """Something moves, and not all of it."""
    wire.read(sock, taken)
    pause(0.2)
    proc.signal(signal.SIGUSR1)
    return proc.says(LINE)[0]


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.parametrize("words, eta", [([], True), (["--size", "1G"], True), (["--recv-only"], False)])
def test_a_file_as_stdin_has_an_end(sockctl, tcp, tmp_path, words, eta):
    (tmp_path / "data").write_bytes(b"")
    os.truncate(tmp_path / "data", 1 << 30)
    listener = tcp.listen(rcvbuf=65536)
    with open(tmp_path / "data", "rb") as file:
        proc = sockctl.connect(tcp, *words, stdin=file)
    sock = wire.accept(listener)
    if words == ["--recv-only"]:
        sock.sendall(b"x")
        proc.read(1)
        proc.signal(signal.SIGUSR1)
        assert b"ETA" not in proc.says(LINE)[0]
    else:
        assert b" ETA " in trickle(proc, sock)
    wire.reset(sock)
    proc.wait()


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.parametrize("words, eta", [([], False), (["--size", "1G"], True)])
def test_a_pipe_as_stdin_has_none(sockctl, tcp, words, eta):
    listener = tcp.listen(rcvbuf=65536)
    with subprocess.Popen(["head", "-c", "32M", "/dev/zero"], stdout=subprocess.PIPE) as source:
        proc = sockctl.connect(tcp, *words, stdin=source.stdout)
        source.stdout.close()
        sock = wire.accept(listener)
        assert (b" ETA " in trickle(proc, sock)) == eta
        wire.reset(sock)
        proc.wait()


# for programs


def objects(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith(b"{")]


def test_as_events(sockctl, tcp, tmp_path):
    proc = sockctl.serve("echo", tcp, "--progress", "--size", "1M", "--events", tmp_path / "events", "--count", "1")
    sock = tcp.dial()
    sock.sendall(bytes(1000))
    assert len(wire.read(sock, 1000)) == 1000
    proc.signal(signal.SIGUSR1)
    proc.says(LINE)
    wire.close(sock)
    proc.ends(0)
    told = [event for event in objects((tmp_path / "events").read_bytes()) if event["ev"] == "progress"]
    assert len(told) >= 2
    first, last = told[0], told[-1]
    assert (first["in"], first["out"], first["active"], first["remaining_bytes"]) == (1000, 1000, 1, (1 << 20) - 1000)
    assert last["active"] == 0
    assert set(first) <= {"v", "ev", "seq", "ts", "us", "in", "out", "in_bps", "out_bps", "active", "queued_bytes",
                          "remaining_bytes", "eta_us"}


def test_json_among_the_words(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "-v", "--progress=json")
    sock = tcp.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    proc.says(rb'"ev":"progress".*\n')
    assert objects(bytes(proc.err))[-1]["in"] == 4
    assert re.search(rb"^sockctl: \[1\]", proc.err, re.M)


def test_all_json(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "--progress", "--json")
    proc.says(rb'"ev":"progress".*\n')
    assert len(objects(bytes(proc.err))) == proc.err.count(b"\n")


# the word itself


def test_its_value_is_joined_or_not_there(sockctl):
    """It never takes the address for its value."""
    proc = sockctl.serve("echo", ["--progress", *HERE])
    assert proc.alive()
    bad = sockctl.run("echo", "--progress=much", *HERE)
    assert bad.code == 2
    assert "expected never, auto, bar, line or json" in bad.complaint()


@pytest.mark.parametrize("typed, offered", [
    (["--progress", "=", ""], {"never", "auto", "bar", "line", "json"}),
    (["--progress", "=", "b"], {"bar"}),
    (["--progress", "="], {"never", "auto", "bar", "line", "json"}),
    (["--progress", "b"], set()),
    (["--slow", "=", "s"], {"skip"}),
    (["--slow", "s"], {"skip"}),
])
def test_completion_in_bash(sockctl, need, typed, offered):
    words = " ".join(f"'{word}'" for word in typed)
    script = (f'source <("{sockctl.binary}" completion bash); COMP_WORDS=(sockctl serve {words}); '
              f'COMP_CWORD={1 + len(typed)}; _sockctl; echo "${{COMPREPLY[@]}}"')
    said = subprocess.run([need("bash"), "-c", script], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    assert set(said) == offered
