"""The PROXY protocol: --proxy-in, --proxy-from and --proxy-out, byte by byte, against hostile headers, and with the real haproxy."""
import contextlib
import json
import socket
import struct

import pytest

import relay
import wire

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\n"


def binary(peer="192.0.2.1", local="192.0.2.2", ports=(51000, 443), more=b"", command=0x21):
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    body = socket.inet_pton(family, peer) + socket.inet_pton(family, local) + struct.pack(">HH", *ports) + more
    return SIGNATURE + bytes([command, 0x21 if ":" in peer else 0x11]) + struct.pack(">H", len(body)) + body


LOCAL = SIGNATURE + b"\x20\0\0\0"
UNIX = SIGNATURE + b"\x21\x31\0\xd8" + bytes(216)
PATHS = [UNIX, UNIX[:13] + b"\x32" + UNIX[14:], SIGNATURE + b"\x21\0\0\x04\4\0\1x"]  # none of them tells an address
NOT_KNOWN = [kind for kind in range(256) if kind not in (0, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32)]
WHO = "echo $PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT; cat"


def served(sockctl, mode, place, *words, **how):
    return sockctl.serve(mode, place, "-v", *words, **how)


def behind(place, header):
    """A client whose proxy says this before it says a word."""
    sock = place.dial(raw=True)
    sock.sendall(header)
    return relay.dial(sock) if place.tls else sock


def events(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


# what is announced is true from then on


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["listen", "serve"])
@pytest.mark.parametrize("header,told", [
    (LINE, b"TCP 192.0.2.1 51000 192.0.2.2 443\n"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", b"TCP 2001:db8::1 1 2001:db8::2 65535\n"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.8 1 2\r\n", b"TCP 192.0.2.7 1 192.0.2.8 2\n"),
    (binary(), b"TCP 192.0.2.1 51000 192.0.2.2 443\n"),
    (binary("2001:db8::1", "::1", (1, 2), more=b"\4\0\3abc"), b"TCP 2001:db8::1 1 ::1 2\n"),
], ids=["v1-4", "v1-6", "v1-mapped", "v2-4", "v2-6"])
def test_the_announced_client_is_the_peer(sockctl, place, mode, header, told):
    served(sockctl, mode, place, "--proxy-in", "any", "-e", WHO)
    sock = behind(place, header)
    data = wire.payload(200_000)
    sender = wire.sending(sock, data)
    got = wire.read_eof(sock)
    line, _, rest = got.partition(b"\n")
    assert line.split() == told.split()
    wire.same(rest, data)
    sender.result()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ::1 ::1 1 2\r\n", LOCAL, binary(command=0x20), *PATHS],
                         ids=["unknown", "unknown-more", "local", "local-more", "unix", "unix-dgram", "unspecified"])
def test_a_proxy_that_announces_itself(sockctl, tcp, header):
    served(sockctl, "serve", tcp, "--proxy-in", "any", "-e", WHO)
    sock = behind(tcp, header)
    host, port = sock.getsockname()
    assert wire.read_until(sock).split() == ["TCP".encode(), host.encode(), b"%d" % port, host.encode(), b"%d" % tcp.port]


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("header", [LINE, binary(more=b"\4\0\3abc")], ids=["v1", "v2"])
def test_cut_at_every_byte(sockctl, tcp, header):
    """However slowly it comes, and whatever comes with its last byte."""
    served(sockctl, "echo", tcp, "--proxy-in", "any")
    for at in range(1, len(header) + 1):
        sock = tcp.dial()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(header[:at])
        sock.sendall(header[at:] + b"hola")
        assert wire.read(sock, 4) == b"hola"
    sock = tcp.dial()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header + b"hola":
        sock.sendall(bytes([byte]))
    assert wire.read(sock, 4) == b"hola"


def test_events_and_labels(sockctl, tcp, tmp_path):
    log = tmp_path / "log"
    proc = served(sockctl, "serve", tcp, "--proxy-in", "v2", "--events", log, "--label", "addr", stdin=b"")
    sock = behind(tcp, binary())
    sock.sendall(b"hola\n")
    assert proc.read_until() == b"[192.0.2.1:51000] hola\n"
    via = "%s:%d" % sock.getsockname()
    wire.half_close(sock)
    wire.read_eof(sock)
    proc.says(rb"192.0.2.1:51000 closed by peer")
    said = {e["ev"]: e for e in events(log)}
    assert (said["proxy"]["via"], said["proxy"]["version"], said["proxy"]["peer"], said["proxy"]["local"]) == \
        (via, 2, "192.0.2.1:51000", "192.0.2.2:443")
    assert said["open"]["peer"] == said["close"]["peer"] == "192.0.2.1:51000"
    assert said["open"]["local"] == "192.0.2.2:443" and said["request"]["peer"] == via


def test_chat_behind_a_proxy(sockctl, tcp):
    served(sockctl, "chat", tcp, "--proxy-in", "any", stdin=b"")
    one, two = behind(tcp, LINE), behind(tcp, binary())
    wire.read_until(two)
    two.sendall(b"hola\n")
    while b"hola" not in (line := wire.read_until(one)):
        pass
    assert line == b"<2> hola\n"


def test_the_program_may_have_the_socket_itself(sockctl, tcp):
    served(sockctl, "listen", tcp, "--proxy-in", "any", "--exec-socket", "-e", "cat; echo $TCPREMOTEIP")
    sock = behind(tcp, LINE + b"with the header ")
    sock.sendall(b"and after it\n")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"with the header and after it\n192.0.2.1\n"


# clients turned away


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("sent,why", [
    (b"", "never came"),
    (b"GET / HTTP/1.0\r\n\r\n", "is missing"),
    (b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3", "is missing"),
    (b"PROXY TCP4 192.0.2.1", "was cut"),
    (SIGNATURE + b"\x21", "was cut"),
    (binary()[:-1], "was cut"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 " + b"x" * 5000, "is a line of more than 107 bytes"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 99999\r\n", "has no address or no port where one must be"),
    (b"PROXY TCP4 \x1b[2J 192.0.2.2 1 2\r\n", "has no address or no port where one must be"),
    (SIGNATURE + b"\x21\x11\0\x04\xc0\0\2\1", "lies about its length"),
    (binary(more=b"\4\0\x09x"), "lies about its length"),
    (SIGNATURE + b"\x21\x11\xff\xff" + bytes(70000), "is longer than 4096 bytes"),
    (SIGNATURE + b"\x31\x11\0\x0c" + bytes(12), "is of an unknown version or command"),
    (binary(more=b"\3\0\4abcd"), "has a wrong checksum"),
    (binary(more=b"\4"), "lies about its length"),
    (binary(more=b"\4\0"), "lies about its length"),
    (SIGNATURE + b"\x21\x31\0\xda" + bytes(216) + b"\4\0", "lies about its length"),
    (SIGNATURE + b"\x21\0\0\x02\4\0", "lies about its length"),
    (SIGNATURE + b"\x20\0\0\x04\4\0\2x", "lies about its length"),
])
def test_hostile_headers(sockctl, tcp, tmp_path, sent, why):
    log = tmp_path / "log"
    proc = served(sockctl, "echo", tcp, "--proxy-in", "any", "--events", log)
    sock = tcp.dial()
    with contextlib.suppress(OSError):  # it may have seen enough already
        sock.sendall(sent)
        wire.half_close(sock)
    assert wire.closed_without_a_byte(sock)
    proc.says(rb"turned away: proxy: its PROXY header " + why.encode())
    assert [(e["reason"], e["error"]) for e in events(log) if e["ev"] == "reject"] == [("proxy", f"its PROXY header {why}")]
    assert b"\x1b" not in bytes(proc.err)
    other = behind(tcp, LINE)
    other.sendall(b"hola")
    assert wire.read(other, 4) == b"hola"


@pytest.mark.parametrize("command", [0x20, 0x21])
def test_families_that_do_not_exist(sockctl, tcp, command):
    proc = served(sockctl, "echo", tcp, "--proxy-in", "v2", "--max", "0")
    for kind in NOT_KNOWN:
        sock = tcp.dial()
        with contextlib.suppress(OSError):
            sock.sendall(SIGNATURE + bytes([command, kind]) + b"\0\xd8" + bytes(216) + b"hola")
        assert wire.closed_without_a_byte(sock), hex(kind)
    assert proc.says(rb"turned away: proxy: its PROXY header names an unknown family")


@pytest.mark.parametrize("asked,header,why", [("v1", binary(), "is of version 2, and version 1 is wanted"),
                                              ("v2", LINE, "is of version 1, and version 2 is wanted")])
def test_only_the_version_that_is_asked_for(sockctl, tcp, asked, header, why):
    proc = served(sockctl, "echo", tcp, "--proxy-in", asked)
    assert wire.closed_without_a_byte(behind(tcp, header))
    proc.says(why.encode())


def test_a_header_that_does_not_come_has_ten_seconds(sockctl, tcp):
    """No other client waits for it, also not the one of listen."""
    proc = served(sockctl, "listen", tcp, "--proxy-in", "any", "-k", "-e", "cat")
    slow = tcp.dial()
    slow.sendall(b"PROXY ")
    quick = behind(tcp, LINE)
    quick.sendall(b"hola")
    assert wire.read(quick, 4) == b"hola"
    assert wire.closed_without_a_byte(slow)  # another client has won
    wire.close(quick)
    proc.says(rb"closed by child")
    slow = tcp.dial()
    slow.sendall(b"PROXY ")
    assert wire.closed_without_a_byte(slow)
    proc.says(rb"turned away: proxy: setup took too long")


@pytest.mark.parametrize("words,inside", [
    (["--proxy-from", "127.0.0.1"], True), (["--proxy-from", "10.0.0.0/8", "--proxy-from", "127.0.0.0/8"], True), ([], True),
    (["--proxy-from", "10.0.0.0/8"], False), (["--proxy-from", "unix"], False), (["--proxy-from", "::/0"], False),
])
def test_whose_word_is_taken(sockctl, tcp, words, inside):
    proc = served(sockctl, "echo", tcp, "--proxy-in", "any", *words)
    sock = behind(tcp, LINE)
    with contextlib.suppress(OSError):
        sock.sendall(b"hola")
    if inside:
        assert wire.read(sock, 4) == b"hola"
    else:
        assert wire.closed_without_a_byte(sock)
        proc.says(rb"127.0.0.1:\d+ turned away: proxy\n")


@pytest.mark.parametrize("words,inside", [([], True), (["--proxy-from", "unix"], True), (["--proxy-from", "127.0.0.1"], False)])
def test_whose_word_is_taken_at_a_unix_socket(sockctl, tmp_path, words, inside):
    path = tmp_path / "s"
    sockctl.serve("echo", [f"unix:{path}"], "--proxy-in", "any", *words)
    sock = wire.keep(socket.socket(socket.AF_UNIX))
    sock.connect(str(path))
    with contextlib.suppress(OSError):
        sock.sendall(LINE + b"hola")
    assert wire.read(sock, 4) == b"hola" if inside else wire.closed_without_a_byte(sock)


def test_from_a_file_with_mapped_addresses(sockctl, tmp_path):
    """A server of both families: the proxy comes over IPv6's disguise of IPv4 and counts as IPv4."""
    (tmp_path / "list").write_text("# our balancers\n10.0.0.1\n127.0.0.1 # this host\n")
    proc = sockctl.serve("echo", ["[::]:0"], "-o", "v6only=off", "--proxy-in", "any", "--proxy-from", f"@{tmp_path}/list")
    sock = wire.keep(socket.create_connection(("127.0.0.1", proc.port)))
    sock.sendall(LINE + b"hola")
    assert wire.read(sock, 4) == b"hola"


# places, and admission


@pytest.mark.parametrize("mode", ["listen", "serve", "echo"])
@pytest.mark.parametrize("words,inside", [
    (["--deny", "127.0.0.1"], False), (["--allow", "192.0.2.0/24"], False), (["--allow", "127.0.0.0/8"], True),
    (["--deny", "192.0.2.1"], True),
], ids=["denied", "not-allowed", "allowed", "another-denied"])
@pytest.mark.parametrize("header", [*PATHS, LOCAL, binary(command=0x20), b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN x y z\r\n"],
                         ids=["unix", "unix-dgram", "unspecified", "local", "local-more", "v1", "v1-more"])
def test_an_unannounced_client_is_looked_up_by_its_connection(sockctl, tcp, mode, words, inside, header):
    """The lists are asked of an address in any case, and where the header tells none it is the connection's own."""
    proc = served(sockctl, mode, tcp, "--proxy-in", "any", *words)
    sock = tcp.dial()
    with contextlib.suppress(OSError):
        sock.sendall(header + b"hola\n")
    if not inside:
        assert wire.closed_without_a_byte(sock)
        proc.says(rb"127.0.0.1:%d turned away: deny" % sock.getsockname()[1])
    elif mode == "echo":
        assert wire.read(sock, 5) == b"hola\n"
    else:
        assert proc.read_until().endswith(b"hola\n")


@pytest.mark.parametrize("words,inside,outside", [
    (["--deny", "192.0.2.1"], "192.0.2.9", "192.0.2.1"),
    (["--allow", "192.0.2.0/29"], "192.0.2.1", "192.0.2.9"),
    (["--allow", "127.0.0.1", "--allow", "2001:db8::/32"], "2001:db8::5", "192.0.2.1"),
])
def test_the_announced_one_is_admitted_or_not(sockctl, tcp, tmp_path, words, inside, outside):
    log = tmp_path / "log"
    proc = served(sockctl, "listen", tcp, "-k", "--proxy-in", "any", "--events", log, *words, "-e", "cat")
    local = "::1" if ":" in outside else "192.0.2.2"
    assert wire.closed_without_a_byte(behind(tcp, binary(outside, local)))
    proc.says(rb"turned away: deny")
    sock = behind(tcp, binary(inside, "::1" if ":" in inside else "192.0.2.2"))
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    rejected = [e for e in events(log) if e["ev"] == "reject"]
    assert [(e["reason"], e["peer"].rpartition(":")[0]) for e in rejected] == [("deny", outside)]


def test_places_are_those_of_the_proxy(sockctl, tcp):
    """--max-per-ip counts connections as they come; a client that leaves makes room, also after having been denied."""
    served(sockctl, "echo", tcp, "--proxy-in", "any", "--max-per-ip", "2", "--deny", "192.0.2.66")
    for _ in range(3):
        assert wire.closed_without_a_byte(behind(tcp, binary("192.0.2.66")))
    for _ in range(3):
        socks = [behind(tcp, binary(f"192.0.2.{n}")) for n in (1, 2)]
        for sock in socks:
            sock.sendall(b"hola")
            assert wire.read(sock, 4) == b"hola"
        third = tcp.dial()
        with contextlib.suppress(OSError):
            third.sendall(binary("192.0.2.3") + b"hola")
        assert wire.closed_without_a_byte(third)
        for sock in socks:
            wire.half_close(sock)
            assert wire.read_eof(sock) == b""


def test_a_denied_one_does_not_use_up_listen(sockctl, tcp):
    proc = served(sockctl, "listen", tcp, "--proxy-in", "any", "--deny", "192.0.2.66", stdin=b"")
    assert wire.closed_without_a_byte(behind(tcp, binary("192.0.2.66")))
    sock = behind(tcp, LINE + b"hola")
    assert proc.read(4) == b"hola"
    wire.half_close(sock)
    proc.ends(0)


# being the proxy


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.no_tls("the header comes before it")
def test_connect_announces_itself(sockctl, place, version):
    listener = place.listen()
    proc = sockctl.connect(place, "--proxy-out", version, stdin=b"payload")
    sock = wire.accept(listener)
    got = wire.read_eof(sock)
    if place.unix:
        want = b"PROXY UNKNOWN\r\n" if version == "v1" else UNIX
    else:
        (mine, my_port), (peer, port) = sock.getsockname()[:2], sock.getpeername()[:2]
        want = b"PROXY TCP%c %s %s %d %d\r\n" % (b"6" if ":" in peer else b"4", peer.encode(), mine.encode(), port, my_port)
        want = want if version == "v1" else binary(peer, mine, (port, my_port))
    assert got == want + b"payload"
    sock.close()
    proc.ends(0)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_tls_begins_after_it(sockctl, make_tls, version):
    place = make_tls
    proc = sockctl.serve("echo", place, "--proxy-in", version)
    words = place.words()
    client = sockctl.start("connect", "--proxy-out", version, *words, stdin=b"hola")
    assert client.ends(0) == b"hola"
    assert proc.alive()


@pytest.fixture
def make_tls(tmp_path):
    from place import make_place
    from program import has_tls

    if not has_tls():
        pytest.skip("built without TLS")
    return make_place("tls", tmp_path)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("mode", ["listen", "serve"])
def test_forward_announces_its_client(sockctl, tcp, mode, version):
    listener = tcp.listen()
    port = tcp.port
    server = sockctl.serve(mode, ["127.0.0.1:0"], "--forward", f"127.0.0.1:{port}", "--proxy-out", version)
    client = wire.keep(socket.create_connection(("127.0.0.1", server.port)))
    client.sendall(b"payload")
    wire.half_close(client)
    sock = wire.accept(listener)
    head = (b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (client.getsockname()[1], server.port) if version == "v1" else
            binary("127.0.0.1", "127.0.0.1", (client.getsockname()[1], server.port)))
    assert wire.read_eof(sock) == head + b"payload"


def test_the_word_of_one_proxy_is_passed_on_by_the_next(sockctl, tcp):
    sockctl.serve("serve", tcp, "--proxy-in", "v2", "-e", WHO)
    outer = sockctl.serve("serve", ["127.0.0.1:0"], "--proxy-in", "v1", "--forward", f"127.0.0.1:{tcp.port}", "--proxy-out", "v2")
    sock = wire.keep(socket.create_connection(("127.0.0.1", outer.port)))
    sock.sendall(LINE)
    assert wire.read_until(sock) == b"TCP 192.0.2.1 51000 192.0.2.2 443\n"


def test_datagrams_of_a_client_are_announced_as_such(sockctl, tcp):
    listener = tcp.listen()
    server = sockctl.serve("serve", ["udp://127.0.0.1:0"], "--forward", f"127.0.0.1:{tcp.port}", "--proxy-out", "v2")
    client = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.connect(("127.0.0.1", server.port))
    client.send(b"hola")
    head = binary("127.0.0.1", "127.0.0.1", (client.getsockname()[1], server.port))
    head = head[:13] + b"\x12" + head[14:]
    assert wire.read(wire.accept(listener), len(head) + 4) == head + b"hola"


# the real one


@pytest.fixture
def haproxy(sockctl, need, tmp_path):
    """haproxy(family, bind words, server words…): listening on a socket that we made; its address."""

    def start(listener, bind, server):
        conf = tmp_path / "haproxy.cfg"
        conf.write_text(f"""global
    maxconn 100
defaults
    mode tcp
    timeout connect 10s
    timeout client 20s
    timeout server 20s
listen it
    bind fd@{listener.fileno()} {bind}
    server one {server}
""")
        return sockctl.program([need("haproxy"), "-db", "-q", "-f", conf], stdin=None, pass_fds=(listener.fileno(),))

    return start


def listening(family, at):
    sock = wire.keep(socket.socket(family))
    sock.bind(at)
    sock.listen(16)
    return sock


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_behind_haproxy(sockctl, haproxy, tcp, host, send):
    """--proxy-in takes what haproxy sends, also what it appends to it."""
    if ":" in host:
        make = pytest.importorskip("place")
        if not make.has_ipv6():
            pytest.skip("no IPv6 here")
    sockctl.serve("serve", tcp, "--proxy-in", "any", "-e", WHO)
    front = listening(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, 0))
    haproxy(front, "", f"127.0.0.1:{tcp.port} {send}")
    sock = wire.keep(socket.create_connection(front.getsockname()[:2]))
    mine, its = sock.getsockname(), front.getsockname()
    assert wire.read_until(sock) == f"TCP {mine[0]} {mine[1]} {its[0]} {its[1]}\n".encode()
    data = wire.payload(1 << 20)
    sender = wire.sending(sock, data)
    wire.same(wire.read_eof(sock), data)
    sender.result()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_before_haproxy(sockctl, haproxy, tcp, version):
    """haproxy takes what connect --proxy-out sends, and tells the next one: it is our own address that arrives there."""
    sockctl.serve("serve", tcp, "--proxy-in", "any", "-e", WHO)
    front = listening(socket.AF_INET, ("127.0.0.1", 0))
    haproxy(front, "accept-proxy", f"127.0.0.1:{tcp.port} send-proxy-v2")
    port = front.getsockname()[1]
    proc = sockctl.start("connect", "-v", "--proxy-out", version, "127.0.0.1", str(port), stdin=b"hola")
    assert proc.ends(0).endswith(b" 127.0.0.1 %d\nhola" % port)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_forward_before_haproxy(sockctl, haproxy, tcp, version):
    sockctl.serve("serve", tcp, "--proxy-in", "any", "-e", WHO)
    front = listening(socket.AF_INET, ("127.0.0.1", 0))
    haproxy(front, "accept-proxy", f"127.0.0.1:{tcp.port} send-proxy")
    outer = sockctl.serve("serve", ["127.0.0.1:0"], "--forward", f"127.0.0.1:{front.getsockname()[1]}", "--proxy-out", version)
    sock = wire.keep(socket.create_connection(("127.0.0.1", outer.port)))
    assert wire.read_until(sock) == f"TCP 127.0.0.1 {sock.getsockname()[1]} 127.0.0.1 {outer.port}\n".encode()


def test_a_unix_client_of_haproxy(sockctl, haproxy, tcp, tmp_path):
    """It has no address to announce."""
    sockctl.serve("serve", tcp, "--proxy-in", "any", "-e", WHO)
    front = listening(socket.AF_UNIX, str(tmp_path / "front"))
    wire.keep_file(tmp_path / "front")
    haproxy(front, "", f"127.0.0.1:{tcp.port} send-proxy-v2")
    sock = wire.keep(socket.socket(socket.AF_UNIX))
    sock.connect(str(tmp_path / "front"))
    assert wire.read_until(sock).startswith(b"TCP 127.0.0.1 ")


def test_haproxy_looks_whether_we_are_well(sockctl, haproxy, tcp, tmp_path):
    """A health check is LOCAL: it speaks for no client."""
    log = tmp_path / "log"
    proc = served(sockctl, "echo", tcp, "--proxy-in", "any", "--events", log)
    front = listening(socket.AF_INET, ("127.0.0.1", 0))
    haproxy(front, "", f"127.0.0.1:{tcp.port} send-proxy-v2 check inter 100ms check-send-proxy")
    proc.says(rb"speaks for itself")
    assert all("peer" not in e for e in events(log) if e["ev"] == "proxy")


# bad input


@pytest.mark.parametrize("mode,words,line", [
    ("echo", ["--proxy-in", "v3", "0"], "expected v1, v2 or any"),
    ("connect", ["--proxy-out", "any", "h", "1"], "expected v1 or v2"),
    ("echo", ["--proxy-from", "unix", "0"], "--proxy-from requires --proxy-in"),
    ("echo", ["--proxy-in", "any", "--proxy-from", "10.0.0.0/40", "0"], "--proxy-from \"10.0.0.0/40\""),
    ("echo", ["--proxy-in", "any", "-u", "0"], "--proxy-in: a PROXY header begins a stream, and"),
    ("connect", ["--proxy-out", "v1", "-u", "h", "1"], "--proxy-out: a PROXY header begins a stream, and h:1 has datagrams"),
    ("serve", ["--proxy-out", "v1", "--forward", "udp://h:1", "0"], "--proxy-out: a PROXY header begins a stream, and"),
    ("serve", ["--proxy-out", "v1", "0"], "--proxy-out requires --forward: nothing is dialed"),
    ("connect", ["--proxy-out", "v1", "--probe", "h", "1"], "--probe and proxies cannot be used together"),
    ("connect", ["--proxy-in", "v1", "h", "1"], "--proxy-in"),
    ("echo", ["--proxy-out", "v1", "0"], "--proxy-out"),
])
def test_bad_input(sockctl, mode, words, line):
    proc = sockctl.run(mode, *words)
    assert proc.code == 2 and line in proc.complaint(), proc
