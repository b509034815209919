"""What a connection ended of is said in whole sentences: a text that ends with "from" or "by" is followed by the peer's name."""
import re

import pytest

import wire
from place import Place
from program import TOP

NOT_YET = """about after against among around at before behind below between beyond by during for from in into like near of off on onto
over per than that the through to towards under until upon via with within without a an and or""".split()
SOURCES = sorted((TOP / "lib").rglob("*.c"))
# A why's text is what stands in one, what a stream fails with, and what the words of a pair of descriptors are.
PLACES = [re.compile(pattern, re.S) for pattern in (
    r"struct why \w+(?:\[\])? = \{(.*?)\};", r"\bstream_fail\((.*?)\);", r"\b(?:\w+_)?(?:broke|refuse|fail|fail_socket)\((.*?)\);",
    r"\.text = (.*?)[,;}]", r"struct stream_words \w+ = \{(.*?)\};", r"\b(?:in|out)_words,(.*?)\);", r"\btext\[\] = (\".*?\");")]
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def texts():
    for source in SOURCES:
        code = source.read_text()
        for place in PLACES:
            for found in place.finditer(code):
                for text in TEXT.findall(found[1]):
                    yield source.name, text


def ends():
    session = (TOP / "lib/session/session.c").read_text()
    return [end.strip() for end in TEXT.findall(re.search(r"ends\[\] = \{(.*?)\};", session, re.S)[1])]


def test_every_text_is_whole():
    found = set(texts())
    assert {("pump.c", "not everything was acknowledged by"), ("fdstream.c", "receive from"), ("pty.c", "close the terminal of the program for"),
            ("tls_stream.c", "TLS has ended towards"), ("echo.c", "echo what came from"), ("talk.c", "misbehave towards"),
            ("fault_cut.c", "the fault rst-after reset the connection with")} <= found
    half = [(name, text) for name, text in found if text.split(" ")[-1] in NOT_YET and text.split(" ")[-1] not in ends()]
    assert half == []


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_whom_not_everything_reached(sockctl, tcp, tmp_path, strict):
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
