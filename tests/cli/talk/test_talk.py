"""--talk: both ends of scripted conversations, in every mode that has them: what is sent, the exit status, the line on stderr."""
import signal

import pytest

import wire
from place import STREAMS, Place

TWO = ["--talk", 'on "hola" send "pues hola"', "--talk", 'on "adios" send "pues adios" close']
RAW = ["--talk", "frame raw", *TWO]


def script(*lines):
    return [word for line in lines for word in ("--talk", line)]


@pytest.mark.usefixtures("loop")
def test_two_lines_are_a_server(sockctl, place):
    server = sockctl.serve("serve", place, *TWO, "--count", 2)
    for ending in (b"\n", b"\r\n"):
        sock = place.dial()
        sock.sendall(b"hola" + ending)
        assert wire.read_until(sock) == b"pues hola" + ending
        sock.sendall(b"hola" + ending + b"adios" + ending + b"too late")
        assert wire.read_eof(sock) == b"pues hola" + ending + b"pues adios" + ending
        wire.close(sock)
    server.ends(0)
    assert server.lines() == []


def test_lines_by_hand(sockctl, tcp, need):
    server = sockctl.serve("serve", tcp, *TWO, "--count", 1)
    person = sockctl.program([need("nc"), tcp.host, tcp.port])
    person.send(b"hola\n")
    assert person.read_until() == b"pues hola\n"
    person.send(b"adios\n")
    assert person.read_until() == b"pues adios\n"
    person.finish(0)
    server.ends(0)


@pytest.mark.whole("it shows what each read gave")
@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
def test_what_one_read_returned_decides_nothing(sockctl, tmp_path, kind):
    """The events of data tell that the pieces came one by one."""
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, *RAW, "--count", 1, "--json", "--events-data", "len")
    sock = place.dial()
    for piece, off, answer in ((b"ho", 0, b""), (b"laadi", 2, b"pues hola"), (b"os", 7, b"pues adios")):
        sock.sendall(piece)
        server.says(b'"ev":"data".*"dir":"in","off":%d,"len":%d' % (off, len(piece)))
        assert wire.read(sock, len(answer)) == answer
    assert wire.read_eof(sock) == b""
    server.ends(0)


def test_pieces_in_one_block(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *RAW, "--count", 1)
    sock = tcp.dial()
    sock.sendall(b"holaholaadios")
    assert wire.read_eof(sock) == b"pues holapues holapues adios"
    server.ends(0)


SERVER = ['send "hello"', 'on ~"^add (.*) (.*)$" send "$1+$2"', 'must "quit" send "bye" close']
CLIENT = ['expect ^"hel"', 'send "add 1 2"', 'expect "1+2"', 'send "quit"', 'expect "bye"']


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("mode", ["listen", "serve"])
def test_both_ends_are_scripts(sockctl, tmp_path, kind, mode):
    place = Place(kind, tmp_path)
    server = sockctl.serve(mode, place, *script(*SERVER), *(["--count", 1] if mode == "serve" else []))
    client = sockctl.connect(place, *script(*CLIENT))
    client.ends(0)
    server.ends(0)
    assert client.lines() == server.lines() == []


@pytest.mark.parametrize("role", ["connect", "listen", "serve"])
@pytest.mark.parametrize("lines, data, words", [
    (['expect "hola"'], b"holo\n", '--talk:1: expected "hola", got "holo" (from byte 3 on)'),
    (['expect "hola"'], b"ho", '--talk:1: expected "hola", got "ho" (from byte 2 on)'),
    (['expect "hola"'], b"", '--talk:1: expected "hola", got the end of the data'),
    (["timeout 1s", 'expect "hola" send "a" expect "b"'], b"hola\n", '--talk:2: expected "b", got the end of the data'),
    (['on "hola" log "$0"'], b"que\xff\n", '--talk:1: no rule for "que\\xff"'),
    (['must "hola" close', 'on any log "$0"'], b"que\n", '--talk:1: must "hola": it never came'),
    (["frame u16be", "on any close"], b"\0\3ab", "--talk:2: the last frame was cut after 4 bytes"),
    (["frame u8,max=9", "on any close"], b"\x0a", "--talk:2: frame of 10 bytes is over max 9"),
    (["frame raw", 'on "ab" log "."'], b"abac", '--talk:2: no rule for "ac"'),
    (['on any fail "I do not like $0"'], b"spam\n", "--talk:1: I do not like spam"),
    (["frame u8", 'on any send 200*"$0"'], b"\2ab", "--talk:2: 400 bytes cannot be sent as a frame here"),
])
def test_what_does_not_fit_is_8_and_says_where(sockctl, pair, tcp, role, lines, data, words):
    proc, sock = pair(role, tcp, *script(*lines), *(["--count", "1"] if role == "serve" else []))
    sock.sendall(data)
    wire.half_close(sock)
    assert proc.ends(8) == b""
    log = [line for line in proc.lines() if not line.startswith("sockctl: [1] ")]
    assert log == [f"sockctl: {'connection' if role == 'connect' else 'client'} 1: {words}"]


@pytest.mark.parametrize("role", ["connect", "listen", "serve"])
def test_a_timeout_is_8(sockctl, pair, tcp, role):
    proc, sock = pair(role, tcp, *script('expect "a" within 50ms'), *(["--count", "1"] if role == "serve" else []))
    assert wire.closed_without_a_byte(sock)
    proc.ends(8)
    assert proc.complaint().endswith('1: --talk:1: expected "a" within 50ms, got nothing')


def test_one_failure_of_many_sticks(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *TWO)
    for word in (b"hola\n", b"wrong\n", b"hola\n"):
        sock = tcp.dial()
        sock.sendall(word)
        if word == b"wrong\n":
            assert wire.closed_without_a_byte(sock)
        else:
            assert wire.read_until(sock) == b"pues hola\n"
            wire.half_close(sock)
            assert wire.read_eof(sock) == b""
        wire.close(sock)
    server.signal(signal.SIGTERM)
    server.ends(8)
    assert server.complaint() == 'sockctl: client 2: --talk:1: no rule for "wrong"'


def test_a_wait_that_a_second_signal_cuts_is_7(sockctl, tcp):
    """It is not the conversation that failed."""
    server = sockctl.serve("serve", tcp, *script("on any wait 1h"), "-vv")
    sock = tcp.dial()
    sock.sendall(b"x\n")
    server.says(rb"line 1: on any")
    server.signal(signal.SIGTERM)
    server.says(rb"SIGTERM: no more clients; 1 may finish")
    server.signal(signal.SIGTERM)
    server.ends(7)


def test_a_signal_ends_a_session_that_waits_for_a_frame(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *TWO, "--drain", "1h")
    sock = tcp.dial()
    sock.sendall(b"hola\nho")
    assert wire.read_until(sock) == b"pues hola\n"
    server.signal(signal.SIGTERM)
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    server.ends(7)  # "ho" was acknowledged, and has had no answer
    assert "can no longer be answered" in server.complaint()


def test_a_must_is_missed_at_a_signal_too(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('send "?"', 'must "hola" close'))
    sock = tcp.dial()
    assert wire.read_until(sock) == b"?\n"
    server.signal(signal.SIGTERM)
    server.ends(8)
    assert server.complaint() == 'sockctl: client 1: --talk:2: must "hola": it never came'


def test_a_reset_inside_steps(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('send "a" expect "b"'), "--count", 1)
    sock = tcp.dial()
    assert wire.read_until(sock) == b"a\n"
    wire.reset(sock)
    server.ends(8)
    assert server.complaint().startswith('sockctl: client 1: --talk:1: expected "b", and the connection ended (receive from 127.')
    assert server.complaint().endswith(": Connection reset by peer)")


@pytest.mark.parametrize("mode", ["connect", "listen", "serve"])
@pytest.mark.parametrize("words, why", [
    (script("on send"), '--talk:1:4: expected a pattern after "on", got "send"'),
    (script("close", "expect"), '--talk:2:7: expected a pattern after "expect", got the end of the line'),
    (script("frame raw", 'on "hola" close', 'on "ho" close'), '--talk:3:1: "ho" is how "hola" begins (lines 3 and 2)'),
    (script('send @"/no/such"'), "--talk:1:6: /no/such: No such file or directory"),
    (["--talk", "@/no/such"], "--talk: /no/such: No such file or directory"),
    (["--talk", "@/"], "--talk: /: read: Is a directory"),
    (["--talk", ""], "--talk: the script has no step and no rule"),
    (["--swap"], "--swap requires --talk: it exchanges the sides of the script"),
    ([*TWO, "--swap"], "--talk:1:1: --swap: a rule has no order that the other side could follow"),
    ([*TWO, "--discard"], "--discard and --talk: a connection can have only one service"),
])
def test_what_makes_no_sense_is_2_before_any_socket(sockctl, tcp, mode, words, why):
    listener = tcp.listen()
    proc = sockctl.run(mode, *words, *(tcp.words() if mode == "connect" else ["127.0.0.1:0"]))
    proc.ends(2)
    assert proc.complaint().startswith(f"sockctl: {why}")
    assert wire.silent(listener)


def test_a_file_names_its_line(sockctl, tcp, tmp_path):
    (tmp_path / "hola.talk").write_text('# two lines\n\non "hola" send\n')
    proc = sockctl.run("listen", "--talk", f"@{tmp_path}/hola.talk", "127.0.0.1:0")
    proc.ends(2)
    assert proc.complaint() == (f'sockctl: {tmp_path}/hola.talk:3:15: expected data ("text", x"6869" or @"file") after "send", '
                                "got the end of the line")


def test_a_script_from_a_pipe(sockctl, tcp):
    server = sockctl.serve("listen", tcp, "--talk", "@/dev/stdin", stdin=b'send "hi" close')
    assert wire.read_eof(tcp.dial()) == b"hi\n"
    server.ends(0)


def test_swap_plays_the_other_side(sockctl, tcp):
    lines = script("frame raw", 'send "hello" x"00ff"', 'expect "there" send 3*"."', "close")
    server = sockctl.serve("listen", tcp, *lines)
    client = sockctl.connect(tcp, *lines, "--swap")
    client.ends(0)
    server.ends(0)
    server = sockctl.serve("listen", tcp, *lines)
    client = sockctl.connect(tcp, *[word.replace("...", "..") for word in lines], "--swap", "--talk", 'expect "?"')
    client.ends(2)
    assert "nothing can follow" in client.complaint()


def test_frame_is_the_default_of_the_script(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--frame", "netstring", *script('on "a" send "b$0"', "conn 2", "frame nul", 'on "a" send "c"'),
                           "--count", 2)
    for data, answer in ((b"1:a,", b"2:ba,"), (b"a\0", b"c\0")):
        sock = tcp.dial()
        sock.sendall(data)
        wire.half_close(sock)
        assert wire.read_eof(sock) == answer
    server.ends(0)
