"""connect --proxy: against microsocks and tinyproxy, against a scripted proxy byte by byte, and against hostile answers."""
import contextlib
import socket


import pytest

import certs
import place
import wire


def free_port():
    """For programs that cannot be given port 0: bound, so that the system does not choose it for another, then let go."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    with open("/proc/net/tcp") as f:
        return any(wanted in line for line in f)


@pytest.fixture
def socks(sockctl, need):
    def start(*words):
        port = free_port()
        sockctl.program([need("microsocks"), "-i", "127.0.0.1", "-p", port, *words], stdin=None)
        wire.until(lambda: listens(port), "microsocks listens")
        return port

    return start


@pytest.fixture
def http(sockctl, need, tmp_path):
    def start(*lines):
        port = free_port()
        conf = tmp_path / "tinyproxy.conf"
        conf.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 20", "MaxClients 10", "Allow 127.0.0.1", *lines]) + "\n")
        sockctl.program([need("tinyproxy"), "-d", "-c", conf], stdin=None)
        wire.until(lambda: listens(port), "tinyproxy listens")
        return port

    return start


@pytest.fixture
def echo(sockctl, tcp):
    sockctl.serve("echo", tcp)
    return tcp


@pytest.mark.whole("microsocks wants each message of the handshake in one read")
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_microsocks(sockctl, socks, echo, scheme, host):
    data = wire.payload(1 << 20)
    proc = sockctl.start("connect", "--half-close", "no", "--proxy", f"{scheme}://127.0.0.1:{socks()}", host, echo.port, stdin=data)
    wire.same(proc.read(len(data)), data)  # microsocks knows no half-close, so neither end would end


@pytest.mark.whole("microsocks wants each message of the handshake in one read")
@pytest.mark.parametrize("how", ["url", "file", "environment"])
def test_password(sockctl, socks, tcp, tmp_path, how):
    (tmp_path / "answer").write_bytes(b"served\n")
    sockctl.serve("serve", tcp, "--file", tmp_path / "answer")
    port = socks("-u", "ana", "-P", "s3:cr@t")
    (tmp_path / "auth").write_text("ana:s3:cr@t\n")
    words = ["--proxy-auth", tmp_path / "auth"] if how == "file" else []
    user = "ana:s3%3acr%40t@" if how == "url" else ""
    env = {"SOCKCTL_PROXY_AUTH": "ana:s3:cr@t"} if how == "environment" else {}
    proc = sockctl.run("connect", "-v", *words, "--half-close", "no", "--end", "peer", "--proxy",
                       f"socks5://{user}127.0.0.1:{port}", "127.0.0.1", tcp.port, env=env)
    assert proc.code == 0 and proc.read_eof() == b"served\n"
    assert b"cr@t" not in bytes(proc.err) and b"cr%40t" not in bytes(proc.err)


@pytest.mark.whole("microsocks wants each message of the handshake in one read")
def test_wrong_password(sockctl, socks, tcp):
    port = socks("-u", "ana", "-P", "right")
    proc = sockctl.run("connect", "--proxy", f"socks5://ana:wrong@127.0.0.1:{port}", "127.0.0.1", "9")
    assert proc.code == 4
    assert proc.lines() == [f"sockctl: connect 127.0.0.1:9: proxy 127.0.0.1:{port}: it refused the user or the password"]


def test_tinyproxy(sockctl, http, tcp, tmp_path):
    (tmp_path / "answer").write_bytes(wire.payload(1 << 20))
    sockctl.serve("serve", tcp, "--file", tmp_path / "answer")
    proc = sockctl.run("connect", "--end", "peer", "--half-close", "no", "--proxy", f"http://127.0.0.1:{http()}", "127.0.0.1", tcp.port)
    assert proc.code == 0
    wire.same(proc.read_eof(), wire.payload(1 << 20))


def test_tinyproxy_wants_a_password(sockctl, http, tcp, tmp_path):
    (tmp_path / "answer").write_bytes(b"served\n")
    sockctl.serve("serve", tcp, "--file", tmp_path / "answer")
    port = http("BasicAuth ana secret")
    proc = sockctl.run("connect", "--proxy", f"http://127.0.0.1:{port}", "127.0.0.1", tcp.port)
    assert proc.code == 4 and "407" in proc.lines()[0]
    proc = sockctl.run("connect", "--end", "peer", "--half-close", "no", "--proxy", f"http://ana:secret@127.0.0.1:{port}", "127.0.0.1", tcp.port)
    assert proc.code == 0 and proc.read_eof() == b"served\n"


@pytest.mark.whole("microsocks wants each message of the handshake in one read")
@pytest.mark.parametrize("mode", ["listen", "serve"])
def test_forward_through_microsocks(sockctl, socks, echo, mode):
    server = sockctl.serve(mode, ["127.0.0.1:0"], "--forward", f"localhost:{echo.port}", "--proxy", f"socks5h://127.0.0.1:{socks()}")
    data = wire.payload(1 << 20)
    sock = wire.keep(socket.create_connection(("127.0.0.1", server.port)))
    sender = wire.sending(sock, data, end=lambda sock: None)  # microsocks knows no half-close
    wire.same(wire.read(sock, len(data)), data)
    sender.result()


def test_forward_with_tls_through_tinyproxy(sockctl, http, tmp_path):
    if not place.has_tls():
        pytest.skip("built without TLS")
    target = place.make_place("tls", tmp_path)
    sockctl.serve("echo", target)
    server = sockctl.serve("serve", ["127.0.0.1:0"], "--forward", f"tls://127.0.0.1:{target.port}", "--ca", certs.root().pem,
                           "--proxy", f"http://127.0.0.1:{http()}")
    sock = wire.keep(socket.create_connection(("127.0.0.1", server.port)))
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"


def test_a_proxy_that_refuses_the_target_of_forward(sockctl, tcp):
    """Its words are in the event; the client is reset, the server lives."""
    listener = tcp.listen()
    server = sockctl.serve("serve", ["127.0.0.1:0"], "-v", "--forward", "name.example:80", "--proxy", f"socks4a://127.0.0.1:{tcp.port}")
    for _ in range(2):
        client = wire.keep(socket.create_connection(("127.0.0.1", server.port)))
        sock = wire.accept(listener)
        wire.read(sock, 9 + len("name.example") + 1)
        sock.sendall(b"\0\x5b\0\0\0\0\0\0")
        assert wire.read_reset(client) == b""
    server.says(rb"\[2\] .*proxy 127.0.0.1:\d+: the request was refused or failed")


@pytest.mark.whole("microsocks wants each message of the handshake in one read")
def test_connect_with_a_proxy_joins_a_target_without_one(sockctl, socks, tcp, tmp_path):
    """connect --forward: the proxy is on the way to ADDRESS."""
    listener = tcp.listen()
    (tmp_path / "answer").write_bytes(b"served\n")
    served = sockctl.serve("serve", ["127.0.0.1:0"], "--file", tmp_path / "answer")
    proc = sockctl.start("connect", "--proxy", f"socks5://127.0.0.1:{socks()}", "127.0.0.1", tcp.port, "--forward",
                         f"127.0.0.1:{served.port}")
    sock = wire.accept(listener)
    assert wire.read(sock, 7) == b"served\n"
    wire.close(sock)
    proc.wait()


# A proxy of ours, byte by byte.


V5_OK = b"\5\0" + b"\5\0\0\1\0\0\0\0\0\0"


@pytest.mark.parametrize("scheme,said,answers", [
    ("socks4", b"\4\1\0\x50\x7f\0\0\1\0", [(9, b"\0\x5a\0\0\0\0\0\0")]),
    ("socks4a", b"\4\1\0\x50\0\0\0\1\0name.example\0", [(22, b"\0\x5a\0\0\0\0\0\0")]),
    ("socks5h", b"\5\1\0\5\1\0\3\x0cname.example\0\x50", [(3, b"\5\0"), (19, b"\5\0\0\3\x04host\0\x50")]),
    ("socks5h", b"\5\1\0\5\1\0\4" + bytes(15) + b"\1\0\x50", [(3, b"\5\0"), (22, b"\5\0\0\4" + bytes(18))]),
    ("http", b"CONNECT name.example:80 HTTP/1.1\r\nHost: name.example:80\r\n\r\n",
     [(59, b"HTTP/1.0 200 Connection established\r\nX: y\r\n\r\n")]),
    *(("http", b"CONNECT name.example:80 HTTP/1.1\r\nHost: name.example:80\r\n\r\n", [(59, answer)]) for answer in (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" * 8 + b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1  200  Connection established\r\n\r\n",
        b"HTTP/1.1    204\n\n",
        b"HTTP/1.1 200 \r\n\r\n",
    )),
])
@pytest.mark.parametrize("cut", [False, True])
def test_words_on_the_wire(sockctl, tcp, scheme, said, answers, cut):
    """Exactly these bytes are sent, and what follows the proxy's answer belongs to the target, however it is cut."""
    listener = tcp.listen()
    host = "127.0.0.1" if scheme == "socks4" else "::1" if bytes(15) in said else "name.example"
    proc = sockctl.start("connect", "--proxy", f"{scheme}://127.0.0.1:{tcp.port}", host, "80", stdin=b"payload")
    sock = wire.accept(listener)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    got = b""
    for i, (size, answer) in enumerate(answers):
        got += wire.read(sock, size)
        if i == len(answers) - 1:
            answer += b"first words of the target"
        for piece in ([answer[n:n + 1] for n in range(len(answer))] if cut else [answer]):
            sock.sendall(piece)
    assert got == said
    assert wire.read_eof(sock) == b"payload"
    wire.close(sock)
    assert proc.ends(0) == b"first words of the target"


@pytest.mark.parametrize("scheme,answers,words", [
    ("socks5h", [b"\5\xff"], "it wants a user and a password"),
    ("socks5h", [b"\4\0"], "what answers is no SOCKS 5 proxy"),
    ("socks5h", [b"\5\2"], "it wants to authenticate in an unknown way"),
    ("socks5h", [b"\5\0", b"\5\5\0\1\0\0\0\0\0\0"], "connection refused"),
    ("socks5h", [b"\5\0", b"\5\x63\0\1\0\0\0\0\0\0"], "it gave an unknown answer"),
    ("socks5h", [b"\5\0", b"\5\0\0\x09\0\0\0\0\0\0"], "it answered with an unknown kind of address"),
    ("socks5h", [b"\5\0", b"\5\0\0"], "it closed the connection"),
    ("socks5h", [b""], "it closed the connection"),
    ("socks5h", [b"HTTP/1.0 400 Bad\r\n\r\n"], "what answers is no SOCKS 5 proxy"),
    ("socks4a", [b"\0\x5b\0\0\0\0\0\0"], "the request was refused or failed"),
    ("socks4a", [b"\7\x5a\0\0\0\0\0\0"], "what answers is no SOCKS 4 proxy"),
    ("http", [b"HTTP/1.1 403 For\x1b[2Jbidden\r\nA: b\r\n\r\n"], r"it answered 403 For\x1b[2Jbidden"),
    ("http", [b"SSH-2.0-x\r\n"], 'what answers is no HTTP proxy: it said "S"'),
    ("http", [b"HTTP/1.1  407  Proxy Authentication Required\r\n\r\n"], "it answered 407  Proxy Authentication Required"),
    ("http", [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502\r\n\r\n"], "it answered 502"),
    ("http", [b"HTTP/1.1 100 Continue\r\n\r\n"], "it closed the connection"),
    ("http", [b"HTTP/1.1 100 Continue\r\n\r\n" * 9], "it answered 9 times that its answer is still to come"),
    ("http", [b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], "it answered 101 Switching Protocols"),
    ("http", [b"HTTP/1.1 2000 OK\r\n\r\n"], 'what answers is no HTTP proxy: it said "HTTP/1.1 2000 OK"'),
    ("http", [b"HTTP/1.1 20\r\n\r\n"], 'what answers is no HTTP proxy: it said "HTTP/1.1 20"'),
    ("http", [b"HTTP/1.1200 OK\r\n\r\n"], 'what answers is no HTTP proxy: it said "HTTP/1.1200 OK"'),
    ("http", [b"HTTP/2.0 200 OK\r\n\r\n"], 'what answers is no HTTP proxy: it said "HTTP/2.0 200 OK"'),
    ("http", [b"HTTP/1.1 200"], "it closed the connection"),
    ("http", [b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 9000], "its answer has a head of more than 8192 bytes"),
])
def test_hostile_answers(sockctl, tcp, scheme, answers, words):
    listener = tcp.listen()
    proc = sockctl.start("connect", "--proxy", f"{scheme}://127.0.0.1:{tcp.port}", "name.example", "80")
    sock = wire.accept(listener)
    for answer in answers:
        sock.recv(1)
        sock.sendall(answer)
    with contextlib.suppress(OSError):  # it may have seen enough already
        sock.shutdown(socket.SHUT_WR)
    assert proc.ends(4) == b""
    assert proc.lines() == [f"sockctl: connect name.example:80: proxy 127.0.0.1:{tcp.port}: {words}"]


def test_silent_proxy(sockctl, tcp):
    tcp.listen()
    proc = sockctl.run("connect", "-w", "300ms", "--proxy", f"socks5h://127.0.0.1:{tcp.port}", "name.example", "80")
    assert proc.code == 5 and proc.lines() == ["sockctl: connect name.example:80: no handshake within 300ms"]


def test_slow_proxy(sockctl, tcp):
    """It has ten seconds for all of its answer, however busy it seems to be."""
    listener = tcp.listen()
    proc = sockctl.start("connect", "--proxy", f"http://127.0.0.1:{tcp.port}", "name.example", "80")
    sock = wire.accept(listener)
    sock.sendall(b"HTTP/1.1 ")
    assert proc.ends(4) == b""
    assert proc.lines() == [
        f"sockctl: connect name.example:80: proxy 127.0.0.1:{tcp.port}: it gave no whole answer within 10s"]


def test_no_proxy_there(sockctl, tcp):
    tcp.bind()
    proc = sockctl.run("connect", "--proxy", f"socks5h://127.0.0.1:{tcp.port}", "name.example", "80")
    assert proc.code == 4 and "Connection refused" in proc.lines()[0] and f"127.0.0.1:{tcp.port}" in proc.lines()[0]


@pytest.mark.parametrize("words,line", [
    (["--proxy", "ftp://h:1", "h", "1"], "expected socks5://"),
    (["--proxy", "socks5://h", "h", "1"], "--proxy: address"),
    (["--proxy", "socks4://a:b@h:1", "h", "1"], "SOCKS 4 knows users, but no passwords"),
    (["--proxy", "socks5://a%4:b@h:1", "h", "1"], "two hexadecimal digits"),
    (["--proxy", "socks5://a%\x10\x11:b@h:1", "h", "1"], "two hexadecimal digits"),
    (["--proxy", "socks5://" + "u" * 256 + "@h:1", "h", "1"], "at most 255 bytes"),
    (["--proxy", "socks5://h:1", "-u", "h", "1"], "proxies are for TCP"),
    (["--proxy", "socks5://h:1", "unix:/x"], "proxies are for TCP"),
    (["--proxy-auth", "/nope", "--proxy", "socks5://h:1", "h", "1"], "--proxy-auth /nope: No such file"),
    (["--proxy-auth", "/dev/null", "h", "1"], "--proxy-auth requires --proxy"),
    (["--proxy", "socks5://h:1", "--probe", "h", "1"], "--probe and proxies cannot be used together"),
])
def test_bad_input(sockctl, words, line):
    proc = sockctl.run("connect", *words)
    assert proc.code == 2 and line in proc.lines()[0], proc


def test_password_is_hidden(sockctl, tcp, tmp_path):
    tcp.bind()
    log = tmp_path / "log"
    sockctl.run("connect", "--events", log, "--proxy", f"socks5://ana:secret@127.0.0.1:{tcp.port}", "h.example", "1")
    assert "secret" not in log.read_text() and "***" in log.read_text()
