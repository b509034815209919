"""--replies N with --frame over a stream: the run ends with 0 when N frames have come, whatever the peer and stdin do then."""
import json
import signal

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

FRAMES = {"line": b"uno\ndos\ntres\n", "netstring": b"3:uno,3:dos,4:tres,", "u16be": b"\0\3uno\0\3dos\0\4tres", "nul": b"uno\0dos\0tres\0"}


@pytest.mark.parametrize("role", ["connect", "listen"])
@pytest.mark.parametrize("spec", FRAMES)
def test_it_ends_when_they_have_come(pair, place, role, spec, tmp_path):
    """stdin stays open, and so does the peer; what else it has sent is not wanted."""
    log = tmp_path / "log"
    proc, sock = pair(role, place, "--frame", spec, "--replies", "2", "--events", log)
    sock.sendall(FRAMES[spec])
    assert proc.ends(0) == b"uno\ndos\n" and proc.lines() == []
    closes = [event for event in map(json.loads, log.read_text().splitlines()) if event["ev"] == "close"]
    assert [event["by"] for event in closes] == ["local"]


def test_byte_by_byte(pair, tcp):
    proc, sock = pair("connect", tcp, "--frame", "u16be", "--replies", "3", stdin=b"ask\n")
    assert wire.read_eof(sock) == b"\0\3ask"
    for byte in FRAMES["u16be"]:
        sock.sendall(bytes([byte]))
    assert proc.ends(0) == b"uno\ndos\ntres\n"


def test_empty_frames_count(pair, tcp):
    proc, sock = pair("connect", tcp, "--frame", "netstring", "--replies", "3")
    sock.sendall(b"0:,0:,1:x,9:")
    assert proc.ends(0) == b"\n\nx\n"


@pytest.mark.parametrize("stdin", [b"", None], ids=["ended", "open"])
def test_fewer_are_a_failure(pair, place, stdin):
    proc, sock = pair("connect", place, "--frame", "line", "--replies", "3", **({} if stdin is None else {"stdin": stdin}))
    sock.sendall(b"uno\ndos\n")
    wire.half_close(sock)
    assert proc.ends(5) == b"uno\ndos\n"
    assert proc.complaint().startswith("sockctl: fewer replies than asked for came from ")


def test_silence_ends_it(pair, tcp):
    proc, sock = pair("connect", tcp, "--frame", "line", "--replies", "2", "-i", "200ms", stdin=b"x\n")
    sock.sendall(b"uno\n")
    assert proc.ends(5) == b"uno\n"
    assert proc.complaint().startswith("sockctl: idle timeout: ")


def test_each_client_of_one_after_the_other(sockctl, tcp):
    proc = sockctl.serve("listen", tcp, "-k", "--frame", "line", "--replies", "1")
    for text in (b"uno", b"dos"):
        sock = tcp.dial()
        sock.sendall(text + b"\n")
        assert proc.read_until() == text + b"\n"
        assert wire.read_eof(sock) == b""
    proc.signal(signal.SIGTERM)
    assert proc.wait() == -signal.SIGTERM


def test_what_is_dropped_counts(pair, tcp):
    proc, sock = pair("connect", tcp, "--frame", "line", "--replies", "2", "--send-only")
    sock.sendall(b"uno\ndos\n")
    assert proc.ends(0) == b""
