"""--wait: the server may come later. --reconnect: it may go and come back. --probe: is a server there?"""
import re
import signal

import pytest

import wire
from place import Place, make_place

LOOPS = pytest.mark.usefixtures("loop")


@LOOPS
def test_wait_until_a_listener_appears(sockctl, place):
    """The first tries are refused; when it has said so, the server starts."""
    bound = None if place.unix else place.bind()  # on Unix not even the path is there
    proc = sockctl.connect(place, "--wait", "1h", "-v")
    proc.says(rb"refused|No such file")
    if bound:
        bound.listen(5)
        sock = wire.accept(bound)
    else:
        sock = wire.accept(place.listen())
    proc.send(b"at last")
    assert wire.read(sock, 7) == b"at last"
    sock.close()
    proc.finish(0)


@LOOPS
def test_wait_reads_no_stdin_meanwhile(sockctl, tcp):
    """What was piped in early arrives whole."""
    bound = tcp.bind()
    proc = sockctl.connect(tcp, "--wait", "1h", "-v", stdin=wire.payload(1 << 20))
    proc.says(rb"refused")
    bound.listen(5)
    sock = wire.accept(bound)
    task = wire.Task(wire.read_eof, sock)
    wire.half_close(sock)
    proc.ends(0)
    wire.same(task.result(), wire.payload(1 << 20))


@LOOPS
def test_wait_runs_out(sockctl, place):
    if not place.unix:
        place.bind()
    proc = sockctl.connect(place, "--wait", "400ms", stdin=b"")
    proc.ends(4)
    line = proc.complaint()
    assert place.shown() in line
    assert re.search(r"\d+ tries", line)


def test_wait_to_a_dead_socket_file(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    place.bind()
    proc = sockctl.connect(place, "--wait", "200ms", stdin=b"")
    proc.ends(4)


@LOOPS
def test_reconnect(sockctl, place):
    """Whenever the peer has closed it dials again; all that came is on stdout."""
    listener = place.listen()
    proc = sockctl.connect(place, "--reconnect", "--recv-only")
    for word in (b"one", b"two", b"three"):
        sock = wire.accept(listener)
        sock.sendall(word)
        wire.close(sock)
        assert proc.read(len(word)) == word
    wire.accept(listener)
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


def test_reconnect_with_stdin(sockctl, place):
    listener = place.listen()
    proc = sockctl.connect(place, "--reconnect")
    for number in range(3):
        sock = wire.accept(listener)
        proc.send(b"ask %d" % number)
        assert wire.read(sock, 5) == b"ask %d" % number
        sock.sendall(b"answer %d" % number)
        assert proc.read(8) == b"answer %d" % number
        wire.close(sock)


# --probe


@LOOPS
def test_probe_open(sockctl, place):
    """Nothing is sent: the server sees a connection and its end."""
    listener = place.listen()
    proc = sockctl.start("connect", "--probe", *place.words(), stdin=b"never sent")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == b""
    out = proc.ends(0).decode()
    assert out.count("\n") == 1
    assert "open" in out


@LOOPS
def test_probe_refused(sockctl, place):
    place.bind()
    proc = sockctl.start("connect", "--probe", *place.words(), stdin=b"")
    out = proc.ends(4).decode()
    assert out.count("\n") == 1
    assert "refused" in out


@LOOPS
def test_probe_several(sockctl, tmp_path):
    places = [Place("tcp4", tmp_path) for _ in range(4)]
    opened = {places[0].listen() and places[0].port, places[2].listen() and places[2].port}
    refused = {places[1].bind() and places[1].port, places[3].bind() and places[3].port}
    ports = sorted(opened | refused)
    proc = sockctl.start("connect", "--probe", "127.0.0.1", ",".join(map(str, ports)), stdin=b"")
    lines = proc.ends(0).decode().splitlines()
    assert len(lines) == 4
    for port, line in zip(ports, lines):
        assert re.search(rf"\b{port}\b", line)
        assert ("open" in line) == (port in opened)
        assert ("refused" in line) == (port in refused)


def test_probe_ranges(sockctl, tmp_path):
    """A range and a list; one open port among them makes it a success."""
    place = Place("tcp4", tmp_path)
    place.listen()
    first = max(place.port - 3, 1)
    proc = sockctl.start("connect", "--probe", "127.0.0.1", f"{first}-{place.port},{place.port + 1}", stdin=b"")
    lines = proc.ends(0).decode().splitlines()
    assert len(lines) == place.port - first + 2
    assert any(re.search(rf"\b{place.port}\b.*open", line) for line in lines)


@pytest.mark.parametrize("kind", ["udp4", "udp6"])
def test_probe_udp_sends_one_empty_datagram(sockctl, tmp_path, kind):
    place = make_place(kind, tmp_path)
    server = place.listen()
    proc = sockctl.start("connect", "--probe", *place.words(), stdin=b"")
    data, peer = server.recvfrom(100)
    assert data == b""
    server.sendto(b"yes", peer)
    assert "open" in proc.ends(0).decode()
    assert wire.silent(server)


def test_probe_data(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = place.listen()
    proc = sockctl.start("connect", "--probe", "--probe-data", "ping", *place.words(), stdin=b"")
    data, peer = server.recvfrom(100)
    assert data == b"ping"
    server.sendto(b"pong", peer)
    out = proc.ends(0)
    assert b"open" in out and b"pong" not in out


def test_probe_udp_refused(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    place.deaf()
    proc = sockctl.start("connect", "--probe", *place.words(), stdin=b"")
    assert "refused" in proc.ends(4).decode()


def test_probe_without_an_answer(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    place.listen()
    proc = sockctl.start("connect", "--probe", "-w", "300ms", *place.words(), stdin=b"")
    assert "no answer" in proc.ends(5).decode()


def test_probe_waits_for_a_server(sockctl, tcp):
    """--wait --probe: the wait-for-it of a script."""
    bound = tcp.bind()
    proc = sockctl.start("connect", "--probe", "--wait", "1h", "-v", *tcp.words(), stdin=b"")
    proc.says(rb"refused")
    bound.listen(5)
    assert "open" in proc.ends(0).decode()


def test_probe_stable(sockctl, tcp):
    """A proxy that accepts and drops is not a server."""
    listener = tcp.listen()
    proc = sockctl.start("connect", "--probe", "--stable", "10s", *tcp.words(), stdin=b"")
    wire.close(wire.accept(listener))
    assert proc.wait() != 0
    assert b"open" not in proc.read_eof()


def test_probe_of_a_range_over_ipv6(sockctl, tmp_path):
    place = make_place("tcp6", tmp_path)
    place.listen()
    proc = sockctl.start("connect", "--probe", "::1", f"{place.port}", stdin=b"")
    assert "open" in proc.ends(0).decode()


def test_wait_for_a_name_that_never_resolves(sockctl):
    proc = sockctl.run("connect", "-n", "--wait", "1h", "localhost", "80")
    assert proc.code == 3


def test_families_race(sockctl, tmp_path):
    """A name whose IPv6 never answers: IPv4 is tried beside it. localhost has both on many machines, else it is the plain case."""
    place = Place("tcp4", tmp_path)
    listener = place.listen()
    proc = sockctl.start("connect", "localhost", str(place.port), stdin=b"raced")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == b"raced"
    sock.close()
    proc.ends(0)


@pytest.mark.parametrize("words", [["--reconnect"], ["--talk", "close"], ["--zero"], ["--transcript", "t"], ["--pcap", "p"], ["--expect", "x"],
                                   ["--expect-bytes", "1"], ["--forward", "127.0.0.1:1"], ["-e", "cat"], ["--pty"],
                                   ["--exec-socket"], ["--discard"], ["--record", "r"], ["--fault", "rate=1"]], ids=lambda words: words[0])
def test_what_a_probe_would_forget_is_refused(sockctl, tcp, words):
    listener = tcp.listen()
    proc = sockctl.run("connect", "--probe", *words, *tcp.words())
    name = "--exec" if words[0] == "-e" else words[0]
    assert proc.code == 2 and proc.complaint() == f"sockctl: --probe and {name} cannot be used together"
    assert wire.silent(listener)
