"""--forward: each client is joined to a connection of its own to the target, whatever carries either."""
import json
import re
import select
import signal
import socket
import ssl
import subprocess

import pytest

import wire
from place import DATAGRAMS, PLAIN, make_place
from program import has_tls

with_tls = pytest.mark.skipif(not has_tls(), reason="built without TLS")


@pytest.fixture
def made(tmp_path):
    """made(kind): a place with a folder of its own."""
    count = iter(range(100))

    def make(kind):
        folder = tmp_path / f"p{next(count)}"
        folder.mkdir()
        return make_place(kind, folder)

    return make


@pytest.fixture
def joined(sockctl, made):
    """joined(mode, kind, kind, words…): sockctl between a client and a target of ours: (program, client, target)."""

    def join(mode, kind, target_kind, *words, **how):
        target = made(target_kind)
        listener = target.listen()
        place = made(kind)
        words = ["--forward", *target.words(), *words]
        if mode == "connect":
            entry = place.listen()
            proc = sockctl.connect(place, *words, **how)
            client = wire.accept(entry)
        else:
            proc = sockctl.serve(mode, place, *words, **how)
            client = place.dial()
        return proc, client, wire.accept(listener)

    return join


def port(sock):
    return sock.getsockname()[1]


def is_reset(sock, data=b""):
    """Is it the end of the connection, whatever is sent?"""
    try:
        sock.sendall(data)
        wire.read_eof(sock)
        return False
    except ConnectionError:
        return True


def turned_away(place, data=b""):
    """One that dials and says something is reset, perhaps before it has noticed that it was let in."""
    try:
        return is_reset(place.dial(), data)
    except ConnectionError:
        return True


def events_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# streams

@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("last", [0, 1], ids=["client-first", "target-first"])
@pytest.mark.parametrize("target_kind", PLAIN)
@pytest.mark.parametrize("kind", PLAIN)
def test_any_stream_to_any(joined, kind, target_kind, last):
    """Bytes both ways; one ends, and the other goes on until it has ended, too."""
    proc, client, target = joined("serve", kind, target_kind)
    client.sendall(b"question")
    assert wire.read(target, 8) == b"question"
    target.sendall(b"answer")
    assert wire.read(client, 6) == b"answer"
    first, second = (target, client) if last == 0 else (client, target)
    wire.half_close(second)
    assert wire.read_eof(first) == b""
    first.sendall(wire.payload(100_000))
    wire.half_close(first)
    wire.same(wire.read_eof(second), wire.payload(100_000))


@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_one_connection(joined, mode):
    """connect and listen end with it, exit 0 when both have all."""
    proc, client, target = joined(mode, "tcp4", "unix")
    client.sendall(b"to the target")
    target.sendall(b"to the client")
    wire.half_close(client)
    wire.half_close(target)
    assert wire.read_eof(target) == b"to the target"
    assert wire.read_eof(client) == b"to the client"
    assert proc.ends(0) == b""


@pytest.mark.parametrize("kind, target_kind", [("tcp4", "tcp4"), ("tcp4", "unix"), ("unix", "tcp4")])
def test_much_both_ways(joined, kind, target_kind):
    size = 64 << 20
    there, back = wire.payload(size, 1), wire.payload(size, 2)
    proc, client, target = joined("serve", kind, target_kind)
    tasks = [wire.sending(client, there), wire.sending(target, back), wire.Task(wire.read_eof, target)]
    wire.same(wire.read_eof(client), back)
    wire.same(tasks[2].result(), there)
    for task in tasks:
        task.result()


@pytest.mark.usefixtures("loop")
def test_one_that_does_not_read_stops_only_itself(joined):
    proc, client, target = joined("serve", "tcp4", "tcp4")
    sent = wire.fill(client)
    target.sendall(b"meanwhile")
    assert wire.read(client, 9) == b"meanwhile"
    wire.half_close(client)
    wire.same(wire.read_eof(target), sent)


@pytest.mark.usefixtures("loop")
def test_many_clients(sockctl, made):
    target, place = made("tcp4"), made("tcp4")
    sockctl.serve("echo", target, "--max", "200")
    sockctl.serve("serve", place, "--forward", *target.words(), "--max", "200")
    socks = [place.dial() for _ in range(150)]
    for i, sock in enumerate(socks):
        sock.sendall(wire.payload(5000, seed=i))
        wire.half_close(sock)
    for i, sock in enumerate(socks):
        assert wire.read_eof(sock) == wire.payload(5000, seed=i)


def test_a_chain(sockctl, made):
    """Through four of us, over everything there is."""
    last = made("tcp4")
    sockctl.serve("echo", last)
    for kind in ("unix", "tcp4", "unix"):
        place = made(kind)
        sockctl.serve("serve", place, "--forward", *last.words())
        last = place
    proc = sockctl.connect(last, stdin=wire.payload(1 << 16))
    wire.same(proc.ends(0), wire.payload(1 << 16))


# resets

@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("who", [0, 1], ids=["client", "target"])
def test_a_reset_is_passed_on(joined, who):
    """What came before it arrives, and no end that would make it look whole."""
    proc, *ends = joined("listen", "tcp4", "tcp4")
    one, other = ends[who], ends[1 - who]
    one.sendall(b"half an ans")
    assert wire.read(other, 11) == b"half an ans"
    name = one.getsockname()
    wire.reset(one)
    assert is_reset(other)
    proc.ends(7)
    assert "receive from {}:{}: Connection reset by peer".format(*name) in proc.complaint()


def test_a_target_that_is_killed(sockctl, made):
    """The system ends its connections, and so do we."""
    target, place = made("tcp4"), made("tcp4")
    echo = sockctl.serve("echo", target)
    sockctl.serve("serve", place, "--forward", *target.words())
    sock = place.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    echo.signal(signal.SIGKILL)
    assert wire.closed_without_a_byte(sock)
    echo.wait()


# no connection to the target

def test_refused(sockctl, made):
    target, place = made("tcp4"), made("tcp4")
    target.bind()
    proc = sockctl.serve("listen", place, "--forward", *target.words())
    assert turned_away(place, b"not read")
    proc.ends(4)
    assert proc.complaint() == f"sockctl: connect {target.shown()}: Connection refused"


def test_refused_is_one_clients_failure(sockctl, made, tmp_path):
    target, place = made("unix"), made("tcp4")
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "-v", "--events", tmp_path / "log")
    assert turned_away(place, b"not read")
    listener = target.listen()  # the next one finds it
    other = place.dial()
    there = wire.accept(listener)
    other.sendall(b"hola")
    assert wire.read(there, 4) == b"hola"
    assert not proc.code
    events = events_of(tmp_path / "log")
    failed = next(e for e in events if e["ev"] == "dial_fail" and e.get("conn") == 1)
    assert failed["addr"] == target.words()[0] and failed["error"] == "No such file or directory"
    close = next(e for e in events if e["ev"] == "close")
    assert close["conn"] == 1 and close["by"] == "error" and close["in"] == close["out"] == 0
    assert close["error"] == f"connect {target.words()[0]}: No such file or directory"


def test_an_unknown_name(sockctl, made):
    place = made("tcp4")
    proc = sockctl.serve("listen", place, "--forward", "nobody.invalid:80")
    assert turned_away(place)
    proc.ends(3)
    assert "resolve nobody.invalid: " in proc.complaint()


def test_a_name(sockctl, made):
    target, place = made("tcp4"), made("tcp4")
    listener = target.listen()
    sockctl.serve("serve", place, "--forward", f"localhost:{target.port}")
    place.dial().sendall(b"hola")
    assert wire.read(wire.accept(listener), 4) == b"hola"


@pytest.fixture
def silent(made):
    """A target that lets no client in: its backlog is full, and Linux drops the SYN."""
    target = made("tcp4")
    listener = target.listen(backlog=0)
    for _ in range(4):
        sock = wire.keep(socket.socket())
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", target.port))
    return target, listener


def test_no_answer(sockctl, made, silent):
    place = made("tcp4")
    proc = sockctl.serve("listen", place, "--connect-timeout", "300ms", "--forward", *silent[0].words())
    assert turned_away(place)
    proc.ends(5)
    assert proc.complaint() == f"sockctl: connect {silent[0].shown()}: no answer within 300ms"


@pytest.mark.usefixtures("loop")
def test_a_client_that_leaves_while_we_dial(sockctl, made, silent):
    place = made("tcp4")
    proc = sockctl.serve("serve", place, "-v", "--forward", *silent[0].words())
    sock = place.dial()
    name = "127.0.0.1:%d" % port(sock)
    sock.sendall(b"never mind")
    wire.reset(sock)
    proc.says(rf"\[1\] {name} closed by error: in 0, out 0 bytes: receive from {name}: Connection reset by peer".encode())


def test_nothing_is_read_before_the_target_is_there(sockctl, made):
    """The client fills what the system holds for it; then the target comes, and gets all of it."""
    target, place = made("unix"), made("tcp4")
    listener = target.listen(backlog=0)
    first = target.dial()  # the only place; our program waits for one to be free
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "-vv")
    client = place.dial()
    proc.says(rb"connecting to ")
    sent = wire.fill(client)
    wire.half_close(client)
    proc.signal(signal.SIGUSR1)
    assert b"recv 0B" in proc.says(rb"sent 0B .*recv 0B").group()
    wire.accept(listener)
    wire.close(first)
    wire.same(wire.read_eof(wire.accept(listener)), sent)


# the course of things

@pytest.mark.whole("the dump shows what each read gave")
def test_what_is_told(joined, tmp_path):
    proc, client, target = joined("serve", "tcp4", "tcp4", "-v", "--events", tmp_path / "log", "--transcript", tmp_path / "text")
    name, to = "127.0.0.1:%d" % port(client), "127.0.0.1:%d" % port(target)
    proc.says(rf"\[1\] {name} -> {to}\n".encode())
    client.sendall(b"12345")
    target.sendall(b"123")
    wire.half_close(client)
    wire.half_close(target)
    assert wire.read_eof(client) == b"123"
    assert wire.read_eof(target) == b"12345"
    proc.says(rf"\[1\] {name} closed by peer: in 5, out 3 bytes".encode())
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    events = events_of(tmp_path / "log")
    forward = next(e for e in events if e["ev"] == "forward")
    assert (forward["conn"], forward["peer"], forward["to"]) == (1, name, to)
    close = next(e for e in events if e["ev"] == "close")
    assert (close["in"], close["out"], close["how"]) == (5, 3, "fin")
    text = (tmp_path / "text").read_text()
    assert text.count("31 32 33 34 35") == 1 and text.count("|123") == 2  # the client's side alone


@pytest.mark.parametrize("option", [["-i", "200ms"], ["--max-time", "200ms"]], ids=lambda o: o[0])
def test_clocks(joined, option):
    proc, client, target = joined("listen", "tcp4", "tcp4", *option)
    assert wire.closed_without_a_byte(client)
    assert wire.closed_without_a_byte(target)
    proc.ends(5)


def test_drain_lets_them_finish(joined):
    proc, client, target = joined("serve", "tcp4", "tcp4")
    client.sendall(b"before")
    assert wire.read(target, 6) == b"before"
    proc.signal(signal.SIGTERM)
    target.sendall(b"after")
    assert wire.read(client, 5) == b"after"
    wire.half_close(client)
    wire.half_close(target)
    assert wire.read_eof(target) == wire.read_eof(client) == b""
    proc.ends(0)


def test_drain_cuts_the_rest(joined):
    proc, client, target = joined("serve", "tcp4", "tcp4", "--drain", "200ms")
    client.sendall(b"before")
    assert wire.read(target, 6) == b"before"
    wire.fill(client)
    proc.signal(signal.SIGTERM)
    assert is_reset(client)
    proc.ends(7)
    assert proc.complaint() == "sockctl: drain deadline: 1 client cut"


def test_half_close_no(joined):
    """Neither hears of the other's end, and both ends are the end."""
    proc, client, target = joined("listen", "tcp4", "tcp4", "--half-close", "no")
    client.sendall(b"hola")
    wire.half_close(client)
    assert wire.read(target, 4) == b"hola"
    target.sendall(b"adios")
    assert wire.read(client, 5) == b"adios"
    assert wire.silent(target)
    wire.half_close(target)
    assert wire.read_eof(target) == wire.read_eof(client) == b""
    proc.ends(0)


def test_with_frames(joined):
    """The client speaks in frames, the target in lines."""
    proc, client, target = joined("serve", "tcp4", "unix", "--frame", "u16be")
    client.sendall(b"\0\4hola\0\5adios")
    assert wire.read(target, 11) == b"hola\nadios\n"
    target.sendall(b"que tal\n")
    assert wire.read(client, 9) == b"\0\7que tal"


# datagrams

@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("target_kind", DATAGRAMS)
@pytest.mark.parametrize("kind", DATAGRAMS)
def test_datagrams_to_datagrams(sockctl, made, kind, target_kind):
    """Each client has a socket of its own towards the target; boundaries stay, also of an empty one."""
    target, place = made(target_kind), made(kind)
    server = target.listen()
    sockctl.serve("serve", place, "--forward", *target.words())
    clients = [place.dial() for _ in range(3)]
    ways = []
    for i, client in enumerate(clients):
        client.send(b"%d" % i)
        data, way = server.recvfrom(100)
        assert data == b"%d" % i
        ways.append(way)
    assert len(set(ways)) == 3
    for i in (2, 0, 1):
        for answer in (b"to %d" % i, b"", b"x" * 9000):
            server.sendto(answer, ways[i])
            assert clients[i].recv(10000) == answer
    clients[1].send(b"")
    assert server.recvfrom(100) == (b"", ways[1])


def test_new_senders_are_limited(sockctl, made, tmp_path):
    target, place = made("udp4"), made("udp4")
    server = target.listen()
    sockctl.serve("serve", place, "--forward", *target.words(), "--events", tmp_path / "log")
    for _ in range(30):
        place.dial().send(b"hola")

    def rejected():
        return [e for e in events_of(tmp_path / "log") if e["ev"] == "reject"]

    wire.until(lambda: len(rejected()) >= 10, "senders turned away")
    assert all(e["reason"] == "rate" for e in rejected())
    for _ in range(10):
        assert server.recv(100) == b"hola"


def test_as_many_as_asked_for(sockctl, made):
    target, place = made("udp4"), made("udp4")
    server = target.listen()
    sockctl.serve("serve", place, "--forward", *target.words(), "--conn-rate", "0")
    for _ in range(30):
        place.dial().send(b"hola")
        assert server.recv(100) == b"hola"


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_a_stream_to_datagrams(sockctl, made):
    """After the client's end answers are waited for, for --reply-wait after the last."""
    target, place = made("udp4"), made("tcp4")
    server = target.listen()
    proc = sockctl.serve("listen", place, "--reply-wait", "500ms", "--forward", *target.words())
    client = place.dial()
    client.sendall(b"question")
    wire.half_close(client)
    data, way = server.recvfrom(100)
    assert data == b"question"
    for answer in (b"one", b"two"):
        server.sendto(answer, way)
    assert wire.read_eof(client) == b"onetwo"
    proc.ends(0)


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_datagrams_to_a_stream(sockctl, made, tmp_path):
    """A target that has ended is the end; the next datagram gets another connection."""
    target, place = made("tcp4"), made("udp4")
    listener = target.listen()
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "-v")
    client = place.dial()
    for turn in (1, 2):
        client.send(b"hola")
        there = wire.accept(listener)
        assert wire.read(there, 4) == b"hola"
        there.sendall(b"adios")
        assert client.recv(100) == b"adios"
        wire.close(there)
        proc.says(rb"\[%d\] .* closed by local: in 4, out 5 bytes\n" % turn)


def test_a_refusal_of_datagrams(sockctl, made):
    target, place = made("udp4"), made("udp4")
    target.bind()
    wire.close_all()  # the port was ours; it is free now
    proc = sockctl.serve("serve", place, "--forward", *target.words(), "-v")
    place.dial().send(b"hola")
    proc.says(rf"\[1\] .* closed by error: .*: (receive from|send to) {target.shown()}: Connection refused".encode())


def test_drain_ends_datagrams(sockctl, made):
    target, place = made("udp4"), made("udp4")
    server = target.listen()
    proc = sockctl.serve("serve", place, "--forward", *target.words())
    place.dial().send(b"hola")
    assert server.recv(100) == b"hola"
    proc.signal(signal.SIGTERM)
    proc.ends(0)


# TLS

def pin_of(proc):
    return proc.says(rb"--pin (\S+)").group(1).decode()


@pytest.mark.whole("TLS takes too long byte by byte")
@with_tls
def test_tls_on_either_side(sockctl, made):
    """Plain to TLS, TLS to TLS, TLS to plain, in a row; each end passes through."""
    echo, inner, middle, outer = (made("tcp4") for _ in range(4))
    pin = pin_of(sockctl.serve("echo", echo, "--tls"))
    sockctl.serve("serve", inner, "--forward", f"tls://127.0.0.1:{echo.port}", "--pin", pin)
    proc = sockctl.serve("serve", middle, "--tls", "--forward", *inner.words())
    proc = sockctl.serve("serve", outer, "--tls", "--forward", f"tls://127.0.0.1:{middle.port}", "--pin", pin_of(proc))
    data = wire.payload(1 << 20)
    client = sockctl.start("connect", "--tls", "--pin", pin_of(proc), "127.0.0.1", outer.port, stdin=data)
    wire.same(client.ends(0), data)


@with_tls
def test_tls_of_an_unknown_authority(sockctl, made):
    echo, place = made("tcp4"), made("tcp4")
    sockctl.serve("echo", echo, "--tls")
    proc = sockctl.serve("listen", place, "--forward", f"tls://127.0.0.1:{echo.port}")
    assert turned_away(place, b"secret")
    proc.ends(6)
    assert f"connect 127.0.0.1:{echo.port}: " in proc.complaint()


@with_tls
@pytest.mark.whole("it carries on until the client has one byte")
def test_a_tls_target_that_is_cut_off(sockctl, made):
    """Without its goodbye the answer is not whole, and the client must not think so."""
    target, place, source = made("tcp4"), made("tcp4"), made("tcp4")
    certified = sockctl.serve("echo", source, "--tls")  # its handshake is passed through, its end is not
    listener = target.listen()
    proc = sockctl.serve("listen", place, "--forward", f"tls://127.0.0.1:{target.port}", "--pin", pin_of(certified))
    client = place.dial()
    front, back = wire.accept(listener), source.dial()

    def carry():
        """Between the two, until the client has something to read."""
        while wire.silent(client):
            for sock in select.select([front, back, client], [], [], wire.DEADLINE)[0]:
                if sock is not client:
                    (back if sock is front else front).sendall(sock.recv(1 << 16))

    for words in (b"hola", b"more"):
        client.sendall(words)
        carry()
        assert wire.read(client, 4) == words
    wire.half_close(front)
    assert is_reset(client)
    proc.ends(7)
    assert "TLS stream cut off (no close_notify) from 127.0.0.1:" in proc.complaint()


@with_tls
def test_an_end_towards_tls_waits_for_the_answer(sockctl, made, need, tmp_path):
    """Most TLS servers drop what they had to say when they see their client's end."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=t",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=20)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    target, place = made("tcp4"), made("tcp4")
    listener = target.listen()
    proc = sockctl.serve("listen", place, "--events", tmp_path / "log", "--ca", cert,
                         "--forward", f"tls://127.0.0.1:{target.port}")
    client = place.dial()
    raw = wire.accept(listener)
    with context.wrap_socket(raw, server_side=True) as server:
        client.sendall(b"question")
        wire.half_close(client)
        assert wire.read(server, 8) == b"question"
        wire.until(lambda: any(e["ev"] == "eof" and e["dir"] == "in" for e in events_of(tmp_path / "log")), "the client's end")
        assert wire.silent(server)
        server.sendall(b"answer")
        assert wire.read(client, 6) == b"answer"
        server.unwrap()  # our end, and then theirs
    assert wire.read_eof(client) == b""
    proc.ends(0)


# what is refused before anything is opened

USAGE = {
    "ourselves": (["listen", "7000", "--forward", "localhost:7000"], "--forward localhost:7000: that is the address"),
    "ourselves-6": (["serve", "--local", "7000", "--forward", "[::1]:7000"], "that is the address that we listen on"),
    "our-path": (["serve", "unix:/tmp/s", "--forward", "unix:/tmp/s"], "that is the address that we listen on"),
    "inherited": (["listen", "0", "--forward", "fd:3"], "--forward: fd:3 cannot be connected to"),
    "no-host": (["listen", "0", "--forward", "80"], "--forward: address \"80\": the host is missing"),
    "two": (["listen", "0", "--discard", "--forward", "h:1"], "--discard and --forward"),
    "no-tls": (["serve", "--tls", "0", "--pin", "sha256//" + "A" * 43 + "=", "--forward", "h:1"], "--pin: it requires --forward tls://: nothing is dialed with TLS"),
    "no-dial": (["serve", "0", "--connect-timeout", "1s"], "--connect-timeout requires --forward: nothing is dialed"),
    "no-cert": (["serve", "0", "--cert", "x", "--forward", "h:1"], "--cert: the connection has no TLS"),
}


@pytest.mark.parametrize("what", USAGE)
def test_usage(sockctl, what):
    words, said = USAGE[what]
    proc = sockctl.run(*words)
    assert proc.code == 2, proc
    assert said in proc.complaint()


def test_ask_no_dns(sockctl):
    proc = sockctl.run("listen", "-n", "0", "--forward", "localhost:80")
    assert proc.code == 3
    assert "--forward localhost:80: not a numeric address" in proc.complaint()


def test_two_descriptors_a_client(sockctl):
    """1000 clients and what a server has of its own, but for each two."""
    sockctl.serve("serve", ["0"], "--max", "1000", nofile=(1500, 1500))
    proc = sockctl.run("serve", "0", "--max", "1000", "--forward", "h:1", nofile=(1500, 1500))
    assert proc.code == 2
    assert re.search(r"needs 20\d\d open files and the system allows 1500; lower --max", proc.complaint())
