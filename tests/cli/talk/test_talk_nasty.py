"""--talk and lines that a peer has chosen to be hard: others are served meanwhile, and TERM is heard. What each of them costs is
counted in tests/unit/pattern/test_ere.c; here a server that one of them holds would answer no other before the test's deadline."""
import signal

import pytest

import wire
from test_talk import script

MIB = 1 << 20
NASTY = [
    "(a|aa)+$",
    "(a*)*b",
    "(a+)+b",
    "a?" * 30 + "a" * 30 + "b",
    "(.*)(.*)(.*)(.*)(.*)x",
    "((a{1,60}){1,60})b",
    "(.*a){25}x",
    "(.{0,300}a){3}x",
    "|".join(f"word{i}" for i in range(700)),
]
OTHERS = ['on "ping" send "pong"', 'else send "no"']


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.parametrize("pattern", NASTY, ids=range(len(NASTY)))
def test_a_hard_line_delays_no_other(sockctl, tcp, pattern):
    server = sockctl.serve("serve", tcp, *script(f'on ~"{pattern}" send "<$0>" close', *OTHERS))
    hard, other = tcp.dial(), tcp.dial()
    hard.sendall(b"a" * (MIB - 1) + b"\\\n")
    for _ in range(3):
        other.sendall(b"ping\n")
        assert wire.read_until(other) == b"pong\n"
    server.signal(signal.SIGTERM)
    wire.close(other)
    wire.close(hard)
    server.wait()
    assert server.code in (0, 7)  # 7: the drain's deadline cut a line that was still looked at


@pytest.mark.whole("it takes too long byte by byte")
def test_many_rules_and_many_hard_lines(sockctl, tcp):
    """Every rule looks at every line, and ten clients send one at once."""
    rules = [f'on ~i"(x|y{i})+z(.*){i}(.*)$" send "$1"' for i in range(100)]
    searches = [f'on *i"{"a" * 500}{i}b" send "found"' for i in range(100)]
    server = sockctl.serve("serve", tcp, *script(*rules, *searches, *OTHERS), "--drain", "0s")
    for _ in range(10):
        tcp.dial().sendall(b"a" * (MIB - 1) + b"\n")
    other = tcp.dial()
    for _ in range(3):
        other.sendall(b"ping\n")
        assert wire.read_until(other) == b"pong\n"
    server.signal(signal.SIGTERM)
    server.wait()
    assert server.code in (0, 7)


@pytest.mark.whole("it takes too long byte by byte")
def test_an_answer_comes_when_all_was_looked_at(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('on ~"^(a|aa)+(b)$" send "$2" close', 'else send "no"'), "--count", 1)
    sock = tcp.dial()
    sock.sendall(b"a" * 500_000 + b"c\n" + b"a" * 500_000 + b"b\n")
    assert wire.read_eof(sock) == b"no\nb\n"
    server.ends(0)


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.parametrize("step", ["skip", "expect"])
def test_a_search_does_not_begin_again_with_each_byte(sockctl, tcp, step):
    """Of raw bytes: many of them are nearly what is searched for."""
    star = "*" if step == "expect" else ""
    server = sockctl.serve("serve", tcp, *script("frame raw", f'{step} {star}i 100000*"a" "b" within 60s send "found" close'),
                           "--count", 1)
    sock = tcp.dial()
    for _ in range(64):
        sock.sendall(b"a" * 65_536)
    sock.sendall(b"B")
    assert wire.read_eof(sock) == b"found"
    server.ends(0)


@pytest.mark.parametrize(("pattern", "why"), [
    (r"(a)\\1", "back-reference"),
    ("((a{1,100}){1,100})", "over 8192 parts"),
])
def test_what_has_no_bound_is_refused(sockctl, tmp_path, pattern, why):
    path = tmp_path / "s.talk"
    path.write_text(f'send "hola"\non ~"{pattern}" close\n')
    server = sockctl.run("serve", "--talk", f"@{path}", "127.0.0.1:0")
    server.ends(2)
    assert f"{path}:2:4: regular expression: " in server.complaint() and why in server.complaint()
