"""With the programs that people have: each of them at the other end, both ways, to a clean exit on both sides."""
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import wire
from place import Place

DATA = wire.payload(3 << 20)


# Clients of ours. Each is a command for (host, port).
CLIENTS = {
    "nc.openbsd": ["-N", "{host}", "{port}"],
    "ncat": ["{host}", "{port}"],
    "socat": ["-t", "10", "-", "TCP:{host}:{port}"],
}
# Servers for us, at a port of their own choice.
SERVERS = {
    "nc.openbsd": ["-N", "-l", "127.0.0.1", "0"],
    "ncat": ["-l", "127.0.0.1", "0"],
    "socat": ["-t", "10", "-", "TCP-LISTEN:0,bind=127.0.0.1"],
}


@pytest.mark.parametrize("peer", CLIENTS)
@pytest.mark.parametrize("mode", ["listen", "echo"])
def test_their_client(sockctl, tcp, need, peer, mode):
    program = need(peer)
    server = sockctl.serve(mode, tcp, **({"stdin": b"an answer"} if mode == "listen" else {}))
    words = [w.format(host=tcp.host, port=tcp.port) for w in CLIENTS[peer]]
    client = sockctl.program([program, *words])
    if mode == "echo":
        client.send(b"hello\n")
        assert client.read(6) == b"hello\n"
        client.eof()
        client.wait()
        return
    assert client.read(9) == b"an answer"
    client.feed += DATA
    client.eof()
    ended = wire.Task(client.wait)
    wire.same(server.ends(0), DATA)
    ended.result()


@pytest.mark.parametrize("peer", SERVERS)
def test_their_server(sockctl, tcp, need, peer):
    server = sockctl.program([need(peer), *SERVERS[peer]])
    tcp.port = server.listens_at()
    client = sockctl.connect(tcp)
    client.send(b"hello")
    assert server.read(5) == b"hello"  # ncat drops what it reads while no peer is connected
    server.send(b"an answer")
    assert client.read(9) == b"an answer"
    got = wire.Task(server.read, len(DATA))
    client.send(DATA)
    client.eof()
    wire.same(got.result(), DATA)
    server.eof()
    client.ends(0)


@pytest.mark.parametrize("peer", ["nc.openbsd", "ncat"])
def test_receive_from_nc_l(sockctl, tcp, need, peer):
    """--recv-only: the way to receive from an nc that ends when it sees our EOF."""
    words = {"nc.openbsd": ["-N", "-v", "-l", "127.0.0.1", "0"], "ncat": ["-v", "-l", "127.0.0.1", "0"]}[peer]
    server = sockctl.program([need(peer), *words])
    tcp.port = server.listens_at()
    client = sockctl.connect(tcp, "--recv-only")
    server.says(rb"Connection (received )?(from|on)")
    server.feed += DATA
    server.eof()
    task = wire.Task(server.wait)
    wire.same(client.ends(0), DATA)
    task.result()


@pytest.mark.parametrize("peer, words", [("nc.openbsd", ["-N"]), ("nc.traditional", ["-q", "0"]), ("ncat", [])])
def test_plain_nc_sends_all_to_listen_without_stdin(sockctl, tcp, need, peer, words):
    """listen holds the end of an empty stdin back: nc stops sending when it sees our EOF."""
    program = need(peer)
    server = sockctl.serve("listen", tcp, stdin=b"")
    client = sockctl.program([program, *words, tcp.host, str(tcp.port)], stdin=DATA)
    task = wire.Task(client.wait)
    wire.same(server.ends(0), DATA)
    task.result()


@pytest.mark.parametrize("peer, words", [("socat", ["-t", "10", "-", "UNIX-CONNECT:{path}"]), ("nc.openbsd", ["-N", "-U", "{path}"]),
                                         ("ncat", ["-U", "{path}"])])
def test_unix(sockctl, tmp_path, need, peer, words):
    program = need(peer)
    place = Place("unix", tmp_path)
    server = sockctl.serve("listen", place, stdin=b"an answer")
    client = sockctl.program([program, *[w.format(path=place.path) for w in words]])
    assert client.read(9) == b"an answer"
    client.feed += DATA
    client.eof()
    task = wire.Task(client.wait)
    wire.same(server.ends(0), DATA)
    task.result()


def test_unix_server_of_socat_waited_for(sockctl, tmp_path, need):
    place = Place("unix", tmp_path)
    client = sockctl.connect(place, "--wait", "1h")
    server = sockctl.program([need("socat"), "-t", "10", "-", f"UNIX-LISTEN:{place.path}"])
    client.send(b"hello")
    assert server.read(5) == b"hello"
    server.send(b"hi")
    assert client.read(2) == b"hi"
    server.eof()
    client.finish(0)


@pytest.mark.parametrize("peer, words", [("socat", ["-", "UDP:127.0.0.1:{port}"]), ("nc.openbsd", ["-u", "127.0.0.1", "{port}"]),
                                         ("ncat", ["-u", "127.0.0.1", "{port}"])])
def test_udp(sockctl, tmp_path, need, peer, words):
    program = need(peer)
    place = Place("udp4", tmp_path)
    sockctl.serve("echo", place)
    client = sockctl.program([program, *[w.format(port=place.port) for w in words]])
    for word in (b"one\n", b"two\n"):
        client.send(word)
        assert client.read(4) == word


# curl


@pytest.mark.whole("curl takes the first piece of an answer and leaves the next one until it hears from its stdin")
def test_curl_telnet(sockctl, tcp, need):
    sockctl.serve("echo", tcp)
    client = sockctl.program([need("curl"), "-sN", f"telnet://{tcp.host}:{tcp.port}"])
    client.send(b"hello\n")
    assert client.read(6) == b"hello\n"


def test_curl_http_from_listen(sockctl, tcp, need):
    answer = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
    server = sockctl.serve("listen", tcp)
    client = sockctl.program([need("curl"), "-s", f"http://{tcp.host}:{tcp.port}/path"], stdin=b"")
    assert server.read_until(b"\r\n\r\n").startswith(b"GET /path HTTP/1.1\r\n")
    server.send(answer)
    server.eof()
    assert client.ends(0) == b"hello\n"
    server.ends(0)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, *words):
        pass


@pytest.fixture
def website():
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_http_through_connect(sockctl, tcp, website):
    """printf 'GET …' | sockctl connect: the answer comes although stdin has ended."""
    tcp.port = website
    out = sockctl.connect(tcp, stdin=b"GET / HTTP/1.0\r\n\r\n").ends(0)
    head, _, body = out.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    wire.same(body, DATA)


# dig


def dns_answer(query):
    """A record 192.0.2.7 for whatever is asked."""
    end = query.index(b"\0", 12) + 5
    return query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0) + query[12:end] + struct.pack(
        ">HHHIH4s", 0xC00C, 1, 1, 60, 4, bytes([192, 0, 2, 7]))


def dig(port, *words):
    return ["dig", "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=15", "+noedns", *words, "host.example", "A"]


@pytest.mark.whole("what one read gives is a datagram")
def test_dig_over_udp(sockctl, tmp_path, need):
    need("dig")
    server = sockctl.serve("listen", Place("udp4", tmp_path))
    client = sockctl.program(dig(server.port), stdin=b"")
    server._until(lambda: len(server.buf) > 12)
    server.send(dns_answer(bytes(server.buf)))
    assert client.ends(0) == b"192.0.2.7\n"


def test_dig_over_tcp(sockctl, tcp, need):
    need("dig")
    server = sockctl.serve("listen", tcp)
    client = sockctl.program(dig(tcp.port, "+tcp"), stdin=b"")
    (size,) = struct.unpack(">H", server.read(2))
    answer = dns_answer(server.read(size))
    server.send(struct.pack(">H", len(answer)) + answer)
    assert client.ends(0) == b"192.0.2.7\n"
    server.finish(0)


@pytest.mark.whole("what one read gives is a datagram")
def test_a_dns_question_by_hand(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    dns = place.listen()
    question = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\4host\7example\0\0\1\0\1"
    client = sockctl.connect(place, "--replies", "1", stdin=question)
    data, peer = dns.recvfrom(1000)
    assert data == question
    dns.sendto(dns_answer(data), peer)
    assert client.ends(0) == dns_answer(question)


# redis


def test_redis_ping(sockctl, tmp_path, need):
    path = tmp_path / "redis"
    redis = sockctl.program([need("redis-server"), "--port", "0", "--unixsocket", path, "--dir", tmp_path, "--save", "",
                             "--daemonize", "no"], stdin=b"")
    client = sockctl.start("connect", "--wait", "15s", f"unix:{path}")
    client.send(b"PING\r\n")
    assert client.read_until() == b"+PONG\r\n"
    client.send(b"SET key " + b"v" * 100 + b"\r\nGET key\r\nQUIT\r\n")
    assert client.read_until() == b"+OK\r\n"
    assert client.read_until(b"v\r\n").startswith(b"$100\r\n")
    assert client.read_until() == b"+OK\r\n"
    client.finish(0)
    assert redis.alive()
