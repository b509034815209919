"""What a connection ended of is said in whole sentences: a text that ends with "from" or "by" is followed by the peer's name."""
import re

import pytest

import wire
from place import Place
from program import TOP

NOT_YET = """about after against among around at before behind below between beyond by during for from in into like near of off on onto
over per than that the through to towards under until upon via with within without a an and or""".split()
SOURCES = sorted((TOP / "lib").rglob("*.c"))
TEXT = r'"((?:[^"\\]|\\.)*)"'
# A reason and its flags, as a struct why, what a stream fails with, and the words of a pair of descriptors.
WITH_FLAGS = [re.compile(pattern) for pattern in (
    r"\{ (?:ERR_\w+|e->cls), ([\w| ]+), [^{}\"]*?, (\".*?\") \}", r"\bstream_fail\([^,]+, [^,]+, ([\w| ]+), [^{}\"]*?, (\".*?\")\)",
    r"struct stream_words \w+ = \{\s*([\w| ]+),\s*(.*?)\};")]
# The same where a function adds OF_PEER.
OF_PEER = [re.compile(pattern) for pattern in (
    r"\b(?:echo_fail|broadcast_fail|fail_socket|tls_stream_broke)\(([^;]*?)\);", r"\b(?:in|out)_words,(.*?)\);", r"unended\[\] = (.*?);",
    r"name (\"\) from\")", r"lost\.text = (.*?);", r"struct tls_failure f = \{ heard (.*?)\};")]


def texts():
    """(file, text, whether the peer's name follows) of each reason."""
    for source in SOURCES:
        code = re.sub(r"\n\s*", " ", source.read_text())
        for place in WITH_FLAGS:
            for flags, words in place.findall(code):
                for text in re.findall(TEXT, words):
                    yield source.name, text, "OF_PEER" in flags
        for place in OF_PEER:
            for words in place.findall(code):
                for text in re.findall(TEXT, words):
                    yield source.name, text, True


def test_every_text_is_whole():
    found = set(texts())
    assert {("ack_wait.c", "not everything was acknowledged by", True), ("fdstream.c", "receive from", True), ("stdfd.c", "write stdout", False),
            ("pty.c", "close the terminal of the program for", True), ("tls_stream.c", "TLS has ended towards", True),
            ("tls_stream.c", "TLS cannot be ended towards", True), ("echo.c", "echo what came from", True),
            ("tls_errors.c", ") from", True), ("frame_in.c", "%s from", True), ("talk.c", "misbehave towards", True),
            ("handshake.c", "cut before its setup was done", False),
            ("fault_cut.c", "the fault rst-after reset the connection with", True)} <= found
    wrong = [(name, text) for name, text, of_peer in found if (text.split(" ")[-1] in NOT_YET) != of_peer]
    assert wrong == []


def test_no_reason_escapes():
    """A reason in another form would not be looked at."""
    for source in SOURCES:
        code = source.read_text()
        assert not re.search(r"struct why \w+ = \{[^}]*\.text|\)\{ \.(?:cls|text)\b|\bwhy\.text = \"", code), source


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_the_peer_that_did_not_get_everything(sockctl, tcp, tmp_path, strict):
    """The peer takes nothing of a file that has left us whole."""
    (tmp_path / "file").write_bytes(b"x" * 400000)
    proc = sockctl.serve("serve", tcp, "--file", tmp_path / "file", "--count", 1, "--drain", "100ms", "-v", *strict)
    sock = tcp.dial(rcvbuf=4096)
    host, port = sock.getsockname()
    wire.half_close(sock)
    proc.says(rb"closed by")
    proc.wait()
    said = f"not everything was acknowledged by {host}:{port}"
    assert said in proc.err.decode(), proc
    if strict:
        assert proc.code == 7
        assert said in proc.lines()[-1]


def test_whose_replies_are_few(sockctl, tmp_path):
    peer = Place("udp4", tmp_path)
    sock = peer.listen()
    proc = sockctl.connect(peer, "--replies", 2, "--reply-wait", "100ms", stdin=b"x")
    _, client = sock.recvfrom(10)
    sock.sendto(b"y", client)
    assert proc.ends(5) == b"y"
    assert proc.complaint() == f"sockctl: fewer replies than asked for came from {peer.shown()}"


@pytest.mark.parametrize("fault, what", [("rst-after=0", "rst-after reset"), ("close-after=5", "close-after closed")])
def test_what_ended_a_setup(sockctl, tcp, fault, what):
    """The address stands before it: the peer needs no name again, and the sentence its end."""
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--proxy-out", "v2", "--fault", fault, "--seed", 1, stdin=b"x")
    wire.keep(wire.accept(listener))
    assert proc.ends(7) == b""
    assert proc.complaint() == f"sockctl: connect {tcp.shown()}: the fault {what} the connection with the peer (--seed 1)"


def test_what_broke_a_recording(sockctl, tcp, tmp_path):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--record", tmp_path / "talk", stdin=b"x")
    sock = wire.accept(listener)
    assert wire.read(sock, 1) == b"x"
    wire.reset(sock)
    proc.ends(7)
    assert "# broken: receive from the peer: Connection reset by peer\n" in (tmp_path / "talk").read_text()
