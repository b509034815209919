"""What the system has measured of a TCP connection stands in the event `close`, and with -vv in the line that ends it."""
import json
import re
import sys
import time

import pytest

import badline
import netns
import wire

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="TCP_INFO is Linux's")
FACTS = ("rtt_us", "retrans", "limited", "busy_us", "reader_us", "window_us")
WORDS = r"; rtt \d+\.\d{3} ms, \d+ segments? sent again, sending limited by the (application|reader|window|network)$"
WHY_NOT = netns.refusal()


def closed(log):
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return next(event for event in events if event["ev"] == "close")


def line_of(proc):
    return next(line for line in proc.lines() if " closed by " in line)


def limit_of(event):
    """As the manual says it."""
    network = event["busy_us"] - event["reader_us"] - event["window_us"]
    shares = {"application": event["dur_us"] - event["busy_us"], "network": network, "window": event["window_us"],
              "reader": event["reader_us"]}
    return max(shares, key=shares.get)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo"])
def test_every_mode(pair, place, tmp_path, mode):
    """Also under TLS; of a Unix socket there is nothing to tell."""
    log = tmp_path / "events"
    proc, sock = pair(mode, place, "-vv", "--events", log, *(("--count", "1") if mode in ("serve", "echo") else ()),
                      *(("--drain", "1h") if mode in ("serve", "echo") else ()))
    if mode == "echo":
        sock.sendall(b"hola\n")
    else:
        proc.send(b"hola\n")
    assert wire.read(sock, 5) == b"hola\n"
    wire.half_close(sock)
    proc.eof()
    wire.read_eof(sock)
    sock.close()
    proc.ends(0)
    event = closed(log)
    if place.unix:
        assert not set(FACTS) & set(event) and line_of(proc).endswith(" bytes")
        return
    assert set(FACTS) <= set(event)
    assert event["rtt_us"] > 0 and event["limited"] == limit_of(event)
    assert re.search(WORDS, line_of(proc))[1] == event["limited"]


def test_only_with_vv(pair, tcp):
    """-v says no more than it did."""
    proc, sock = pair("connect", tcp, "-v", stdin=b"hola")
    wire.read_eof(sock)
    sock.close()
    proc.ends(0)
    assert line_of(proc).endswith("in 0, out 4 bytes")


def test_nothing_sent(pair, tcp, tmp_path):
    """Then nothing has limited it; a round trip was measured when the connection was made."""
    log = tmp_path / "events"
    proc, sock = pair("connect", tcp, "-vv", "--events", log, stdin=b"")
    sock.sendall(b"hola")
    sock.close()
    assert proc.ends(0) == b"hola"
    assert "limited" not in closed(log) and closed(log)["rtt_us"] > 0
    assert re.search(r"bytes; rtt \d+\.\d{3} ms, \d+ segments? sent again$", line_of(proc))


def test_datagrams(sockctl, tmp_path, dgram):
    """No TCP."""
    log = tmp_path / "events"
    server = dgram.listen()
    proc = sockctl.connect(dgram, "-vv", "--events", log, "--reply-wait", "1ms", stdin=b"x")
    assert server.recv(10) == b"x"
    proc.ends(0)
    assert not set(FACTS) & set(closed(log)) and line_of(proc).endswith("out 1 bytes")


def test_reset(pair, tcp, tmp_path):
    """The figures outlive the connection."""
    log = tmp_path / "events"
    proc, sock = pair("connect", tcp, "-vv", "--events", log)
    proc.send(b"hola\n")
    assert wire.read(sock, 5) == b"hola\n"
    wire.reset(sock)
    assert proc.wait() == 7
    event = closed(log)
    assert event["how"] == "rst" and event["rtt_us"] > 0 and event["limited"] == limit_of(event)
    assert re.search(r"Connection reset by peer" + WORDS, line_of(proc))


def held(fact, what):
    """A second in which that stays so: the time that is measured, in microseconds."""
    wire.until(fact, what)
    start = time.monotonic()
    wire.until(lambda: time.monotonic() - start >= 1, "a second")
    return int((time.monotonic() - start) * 1e6)


def unacknowledged(port):
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(int(row[4].partition(":")[0], 16) for row in rows if row[2].endswith(f":{port:04X}"))


@pytest.mark.whole("what fills a window is no test of single bytes")
def test_a_reader_that_does_not_read(pair, tcp, tmp_path):
    log = tmp_path / "events"
    proc, sock = pair("connect", tcp, "--events", log, rcvbuf=32768, stdin=wire.noise(600_000))
    end = wire.Task(proc.ends, 0)
    waited_us = held(lambda: unacknowledged(tcp.port) > 100_000, "a full window")
    wire.same(wire.read_eof(sock), wire.noise(600_000))
    sock.close()
    end.result()
    event = closed(log)
    assert event["limited"] == limit_of(event)
    assert event["reader_us"] > waited_us / 2
    assert event["busy_us"] >= event["reader_us"] + event["window_us"]


def test_an_application_that_has_nothing_to_send(pair, tcp, tmp_path):
    log = tmp_path / "events"
    proc, sock = pair("connect", tcp, "--events", log)
    proc.send(b"x")
    assert wire.read(sock, 1) == b"x"
    waited_us = held(lambda: unacknowledged(tcp.port) == 0, "an acknowledgement")
    sock.close()
    proc.finish(0)
    event = closed(log)
    assert event["limited"] == limit_of(event)
    assert event["dur_us"] - event["busy_us"] > waited_us / 2


@pytest.fixture
def line():
    """Two networks and a line that takes 50 ms each way."""
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    both = badline.Line(0)
    both.link.weather.delay_ms, both.link.weather.jitter_ms = 50, 0
    both.link.weather.twice = both.link.weather.swap = both.link.weather.loss = 0
    yield both
    both.close()


def over(sockctl, line, log, size, *words, rcvbuf="1M"):
    """The event of `connect` that has sent so many bytes to `listen`."""
    with line.nets[0]:
        server = sockctl.serve("listen", [f"tcp://{line.hosts[0]}:0"], "-o", f"rcvbuf={rcvbuf}", stdin=b"")
    with line.nets[1]:
        client = sockctl.start("connect", "--events", log, *words, f"tcp://{line.hosts[0]}:{server.port}", stdin=wire.noise(size))
    task = wire.Task(server.ends, 0)
    client.ends(0)
    wire.same(task.result(), wire.noise(size))
    return closed(log)


@pytest.mark.whole("a byte a round trip would take a day")
def test_a_small_send_buffer(sockctl, line, tmp_path):
    """It is emptied once a round trip; the line could take more. The system fills it by half a receive window at a time."""
    event = over(sockctl, line, tmp_path / "events", 60_000, "-o", "sndbuf=4k", rcvbuf="12k")
    assert event["rtt_us"] >= 90_000
    assert event["limited"] == limit_of(event) == "window"


@pytest.mark.whole("a byte a round trip would take a day")
def test_the_network(sockctl, line, tmp_path):
    """Slow start, with room in both buffers."""
    event = over(sockctl, line, tmp_path / "events", 200_000, "-o", "sndbuf=1M")
    assert event["limited"] == limit_of(event) == "network"
    assert event["reader_us"] == event["window_us"] == 0


@pytest.mark.whole("a byte a packet would take a day")
def test_losses(sockctl, line, tmp_path):
    line.link.weather.loss = 0.1
    line.link.weather.delay_ms = 1
    event = over(sockctl, line, tmp_path / "events", 400_000)
    assert event["retrans"] > 0 and event["limited"] == limit_of(event)
