"""A drain at the doors: the system has told these clients that they are connected, so they are served."""
import signal

import pytest

import relay
import wire
from place import Place

pytestmark = pytest.mark.usefixtures("loop")
LONG = ["-v", "--drain", "1h"]
SHORT = ["-v", "--drain", "200ms"]


def stopped(proc):
    proc.signal(signal.SIGSTOP)
    wire.until(proc.stopped, "it stands still")


@pytest.mark.no_tls("its clients would wait for the handshake")
def test_the_backlog_is_served(sockctl, place):
    """They have come, and gone again, before the signal is heard."""
    proc = sockctl.serve("serve", place, *LONG, "--recv-only", "--label", "none")
    stopped(proc)
    socks = []
    for i in range(100):
        socks.append(place.dial())
        socks[-1].sendall(b"%03d\n" % i)
        wire.half_close(socks[-1])
    proc.signal(signal.SIGTERM)
    proc.signal(signal.SIGCONT)
    got = proc.ends(0)
    assert sorted(got.split()) == [b"%03d" % i for i in range(100)]
    assert all(wire.read_eof(sock) == b"" for sock in socks)


@pytest.mark.no_tls("its clients would wait for the handshake")
def test_a_client_that_waits_for_a_place_gets_it(sockctl, place):
    proc = sockctl.serve("serve", place, *LONG, "--recv-only", "--label", "none", "--max", "1", "--when-full", "queue")
    first = place.dial()
    first.sendall(b"first\n")
    assert proc.read_until() == b"first\n"
    second = place.dial()
    second.sendall(b"second\n")
    wire.half_close(second)
    proc.signal(signal.SIGTERM)
    assert wire.read_eof(first) == b""
    first.sendall(b"again\n")
    wire.half_close(first)
    assert proc.ends(0) == b"again\nsecond\n"
    assert wire.read_eof(second) == b""


def test_a_client_without_a_place_at_the_deadline_is_told(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, *SHORT, "--recv-only", "--max", "1", "--when-full", "queue")
    first, second = tcp.dial(), tcp.dial()
    proc.says(rb"\[1\] .* connected")
    second.sendall(b"second\n")
    proc.signal(signal.SIGTERM)
    proc.ends(7)
    assert b"1 client cut" in proc.err
    assert wire.read_reset(second) == b"" and wire.read_eof(first) == b""


@pytest.mark.tls
def test_a_handshake_under_way_is_finished(sockctl, tmp_path):
    place = Place("tls", tmp_path)
    proc = sockctl.serve("serve", place, *LONG, "--recv-only", "--label", "none")
    sock = place.dial(raw=True)
    other = place.dial()
    other.sendall(b"other\n")
    assert proc.read_until() == b"other\n"  # so the first one stands in its handshake
    proc.signal(signal.SIGTERM)
    proc.says(rb"no more clients")
    wire.half_close(other)
    with relay.client_context().wrap_socket(wire.give(sock), server_hostname="localhost") as tls:
        tls.sendall(b"late, but there\n")
        tls.unwrap().close()
    assert proc.ends(0) == b"late, but there\n"


@pytest.mark.parametrize("said, code", [(b"", 0), (b"PROXY TCP4 192.0", 7)], ids=["mute", "half-a-header"])
def test_a_setup_at_the_deadline(sockctl, tcp, said, code):
    proc = sockctl.serve("serve", tcp, *SHORT, "--recv-only", "--proxy-in", "any")
    sock, other = tcp.dial(), tcp.dial()
    sock.sendall(said)
    other.sendall(b"PROXY UNKNOWN\r\nx\n")
    assert proc.read_until().endswith(b"x\n")
    proc.signal(signal.SIGTERM)
    proc.ends(code)
    assert b"turned away: drain" in proc.err and (b"client cut" in proc.err) == (code == 7)


def test_a_consoles_end_lets_its_backlog_in(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, *LONG, "--label", "none")
    first = tcp.dial()
    proc.says(rb"connected")
    stopped(proc)
    second = tcp.dial()
    second.sendall(b"from the second\n")
    wire.half_close(second)
    proc.feed += b"to the first\n"
    proc.eof()
    proc.signal(signal.SIGCONT)
    assert wire.read_eof(first).startswith(b"to the first\n")
    wire.half_close(first)
    assert proc.ends(0) == b"from the second\n"


@pytest.mark.no_tls("its clients would wait for the handshake")
def test_the_end_of_run_lets_the_backlog_in(sockctl, place, tmp_path):
    proc = sockctl.serve("serve", place, *LONG, "--recv-only", "--label", "none", "--run", "kill -STOP $PPID; exit 0")
    wire.until(proc.stopped, "it stands still")
    socks = []
    for i in range(20):
        socks.append(place.dial())
        socks[-1].sendall(b"%03d\n" % i)
        wire.half_close(socks[-1])
    proc.signal(signal.SIGCONT)
    assert sorted(proc.ends(0).split()) == [b"%03d" % i for i in range(20)]
