"""The ends of TLS: which end says goodbye when, what a missing goodbye means, and that nothing sent before it is lost."""
import os
import socket
import ssl
import subprocess

import pytest

import certs
import relay
import tlspeer
import wire
from program import has_tls

pytestmark = pytest.mark.neighbours

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

LONG = bool(os.environ.get("SOCKCTL_LONG"))
RUNS = 200 if LONG else 20
DATA = wire.payload(300_000, seed=3)
MUCH = wire.payload(1 << 20, seed=4)
CA = ["--ca", certs.root().pem]
CERT = ["--cert", certs.good().both]


def url(place):
    return f"tls://{place.shown()}"


@pytest.fixture
def served(sockctl, tcp):
    """served(mode, words…): a server of ours, tcp its address."""

    def start(mode, *words, **how):
        proc = sockctl.serve(mode, [url(tcp)], *CERT, *words, **how)
        tcp.port = proc.port
        return proc

    return start


# both ends are ours: as over TCP


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("way", ["there", "back"])
def test_a_tree_through_tar(sockctl, served, tcp, tmp_path, way):
    """Both ends come to their end by themselves, with 0, when everything has arrived."""
    for number in range(20):
        (tmp_path / "tree" / str(number)).mkdir(parents=True)
        (tmp_path / "tree" / str(number) / "file").write_bytes(wire.payload(number * 5000, seed=number))
    (tmp_path / "new").mkdir()
    pack = subprocess.Popen(["tar", "c", "-C", tmp_path, "tree"], stdout=subprocess.PIPE)
    # tar itself leaves at the end of the archive, which is not yet the end of the stream
    unpack = subprocess.Popen(["sh", "-c", 'tar x -C "$0" && cat', tmp_path / "new"], stdin=subprocess.PIPE)
    ends = [dict(stdin=pack.stdout), dict(stdin=None, stdout=unpack.stdin)]
    one, two = ends if way == "back" else ends[::-1]
    with pack.stdout, unpack.stdin:
        server = served("listen", **{"stdin": b"", **{k: v for k, v in one.items() if v}})
        client = sockctl.start("connect", *CA, url(tcp), **{"stdin": b"", **{k: v for k, v in two.items() if v}})
    client.ends(0)
    server.ends(0)
    assert client.lines() == [] and server.lines() == []
    assert pack.wait(wire.DEADLINE) == unpack.wait(wire.DEADLINE) == 0
    assert subprocess.run(["diff", "-r", tmp_path / "tree", tmp_path / "new" / "tree"]).returncode == 0


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("first", ["client", "server"])
def test_one_end_goes_on_after_the_others(sockctl, served, tcp, first):
    """A half-close reaches the other side, which still has much to say."""
    server = served("listen")
    client = sockctl.start("connect", *CA, url(tcp))
    server.send(b"here\n")
    assert client.read(5) == b"here\n"
    one, other = (client, server) if first == "client" else (server, client)
    one.send(b"all I say")
    one.eof()
    assert other.read_eof() == b"all I say"
    assert one.alive()
    other.feed += MUCH
    other.eof()
    task = wire.Task(other.ends, 0)
    wire.same(one.ends(0), MUCH)
    assert task.result() == b""


def test_a_silent_client_is_heard_to_end(sockctl, served, tcp):
    server = served("listen")
    client = sockctl.start("connect", *CA, url(tcp), stdin=b"")
    assert server.read_eof() == b""  # while our stdin is open, and so is theirs
    server.send(b"an answer")
    assert client.read(9) == b"an answer"
    server.finish(0)
    client.ends(0)


def test_the_extension_is_not_answered_by_others(sockctl, tcp):
    """It is there in our hello, empty; a server that knows nothing of it is answered with patience."""
    listener = tcp.listen()
    proc = sockctl.start("connect", *CA, url(tcp), stdin=b"x")
    sock = wire.accept(listener)
    assert b"\xff\x5c\0\0" in wire.read(sock, 200)
    wire.close(sock)
    proc.ends(6)


# servers that drop their answer when they see our end


class Held:
    """Our server, step by step."""

    def __init__(self, sockctl, tcp, *words, stdin=b"ask", **how):
        listener = tcp.listen()
        self.proc = sockctl.start("connect", *CA, *words, url(tcp), stdin=stdin, **how)
        self.sock = wire.accept(listener)
        self.tls = relay.Tls(relay.server_context(), server=True)
        while not self.tls.shake():
            self.take()
        self.flush()

    def take(self):
        self.flush()
        data = self.sock.recv(65536)
        assert data
        self.tls.take(data)

    def flush(self):
        if self.tls.out:
            self.sock.sendall(self.tls.out)
        self.tls.out.clear()

    def read(self, size):
        got = b""
        while len(got) < size and not self.tls.ended:
            part = self.tls.read()
            if not part and not self.tls.ended:
                self.take()
            got += part
        return got

    def ended(self):
        """Its close_notify has come, or comes."""
        assert self.read(1) == b""
        return self.tls.ended

    def write(self, data):
        self.tls.write(data)
        self.flush()

    def end(self):
        self.tls.end()
        self.flush()


def test_our_end_is_held_back(sockctl, tcp):
    held = Held(sockctl, tcp)
    assert held.read(3) == b"ask"
    for word in (b"one", b"two"):
        held.write(word)
        assert held.proc.read(3) == word
        assert wire.silent(held.sock) and not held.tls.raw, (held.sock.recv(100), held.tls.raw)
    held.end()
    assert held.ended()
    held.sock.close()
    assert held.proc.ends(0) == b""


@pytest.mark.parametrize("words", [["--half-close", "yes"], ["--send-only"]], ids=lambda w: w[0])
def test_our_end_is_said_at_once(sockctl, tcp, words):
    """And what comes after it is read."""
    held = Held(sockctl, tcp, *words)
    assert held.read(3) == b"ask" and held.ended()
    held.write(MUCH)
    held.end()
    held.sock.close()
    wire.same(held.proc.ends(0), b"" if words == ["--send-only"] else MUCH)


def test_our_end_after_the_peers(sockctl, tcp):
    """The peer has ended long before stdin does; what stdin still says goes out, and then the goodbye."""
    held = Held(sockctl, tcp, stdin=subprocess.PIPE)
    held.end()
    assert held.proc.read_eof() == b""
    held.proc.send(b"still here")
    assert held.read(10) == b"still here"
    held.proc.eof()
    assert held.ended()
    held.sock.close()
    held.proc.ends(0)


def request(name, host="localhost"):
    return f"GET /{name} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()


def body(answer):
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1][:3] == b"200", head
    return rest


NGINX = """
daemon off; {5} pid {0}/pid; error_log {0}/error; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type text/plain; root {0};
  client_body_temp_path {0}/t; proxy_temp_path {0}/t; fastcgi_temp_path {0}/t; uwsgi_temp_path {0}/t; scgi_temp_path {0}/t;
  server {{ listen 127.0.0.1:{1} ssl; ssl_certificate {2}; ssl_certificate_key {3}; ssl_protocols {4}; }}
}}
"""


@pytest.fixture
def nginx(sockctl, tcp, tmp_path, need):
    """The real one, at a port that we hold for it: it inherits the socket as when its program is replaced."""

    def start(protocols="TLSv1.2 TLSv1.3"):
        program = need("nginx")
        (tmp_path / "file").write_bytes(MUCH)
        listener = tcp.listen()
        (tmp_path / "nginx.conf").write_text(NGINX.format(tmp_path, tcp.port, certs.good().pem, certs.good().key, protocols,
                                                              "" if os.geteuid() else "user root;"))
        os.set_inheritable(listener.fileno(), True)
        proc = sockctl.program([program, "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stdin=None, stdout=None,
                               env={"NGINX": f"{listener.fileno()};"}, pass_fds=[listener.fileno()])
        wire.close(listener)
        return proc

    return start


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_nginx(sockctl, nginx, tcp, version):
    """printf 'GET …' | sockctl connect: the whole answer comes although stdin has ended before it."""
    nginx(version)
    proc = sockctl.run("connect", *CA, "--tls", "localhost", tcp.port, stdin=request("file"))
    wire.same(body(proc.ends(0)), MUCH)
    assert proc.lines() == []


def test_nginx_with_a_connection_that_it_keeps(sockctl, nginx, tcp):
    """Two questions on one connection, the second when the first is answered."""
    nginx()
    proc = sockctl.start("connect", *CA, "--alpn", "http/1.1", url(tcp))
    for last in (False, True):
        proc.send(b"GET /file HTTP/1.1\r\nHost: x\r\n%s\r\n" % (b"Connection: close\r\n" if last else b""))
        assert b" 200 " in proc.read_until(b"\r\n\r\n")
        wire.same(proc.read(len(MUCH)), MUCH)
    proc.finish(0)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_server_www(sockctl, tcp, tmp_path, need, version):
    (tmp_path / "file").write_bytes(MUCH)
    server = sockctl.program([need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-WWW", "-quiet", version, "-naccept", "1",
                              "-cert", certs.good().pem, "-key", certs.good().key], before_exec=lambda: os.chdir(tmp_path))
    proc = sockctl.run("connect", *CA, f"tls://127.0.0.1:{server.listens_at()}", stdin=request("file"))
    wire.same(body(proc.ends(0)), MUCH)
    server.wait()


# no goodbye


def cut(held, how):
    if how == "fin":
        held.sock.close()
    elif how == "half-a-record":
        held.tls.write(b"never whole" * 100)
        held.sock.sendall(held.tls.out[:50])
        held.sock.close()
    else:
        wire.reset(held.sock)


CUTS = pytest.mark.parametrize("how", ["fin", "half-a-record"])


@CUTS
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_a_cut_answer_is_lost(sockctl, tcp, tmp_path, size, how):
    """What came is written; the exit status, the line and the event say that it may not be all."""
    held = Held(sockctl, tcp, "--events", tmp_path / "events")
    held.read(3)
    held.write(DATA[:size])
    wire.same(held.proc.read(size), DATA[:size])
    cut(held, how)
    assert held.proc.ends(7) == b""
    assert f"sockctl: TLS stream cut off (no close_notify) from {tcp.shown()}" == held.proc.complaint()
    (closed,) = tlspeer.events(tmp_path / "events", "close")
    assert closed["truncated"] is True and closed["in"] == size and "cut off" in closed["error"]


@CUTS
def test_unless_that_is_allowed(sockctl, tcp, tmp_path, how):
    held = Held(sockctl, tcp, "--tls-allow-truncation", "--events", tmp_path / "events")
    held.read(3)
    held.write(DATA)
    wire.same(held.proc.read(len(DATA)), DATA)
    cut(held, how)
    assert held.proc.ends(0) == b"" and held.proc.lines() == []
    (closed,) = tlspeer.events(tmp_path / "events", "close")
    assert closed["truncated"] is False


def test_we_may_go_on_when_that_is_allowed(sockctl, tcp):
    """A peer that half-closes as in TCP, without a goodbye, and still listens."""
    held = Held(sockctl, tcp, "--tls-allow-truncation", stdin=subprocess.PIPE)
    wire.half_close(held.sock)
    assert held.proc.read_eof() == b""
    held.proc.send(b"still here")
    assert held.read(10) == b"still here"
    held.proc.eof()
    assert held.ended()
    held.sock.close()
    held.proc.ends(0)


@pytest.mark.parametrize("words", [[], ["--tls-allow-truncation"]], ids=["plain", "allowed"])
def test_a_reset_is_never_allowed(sockctl, tcp, words):
    held = Held(sockctl, tcp, *words)
    held.read(3)
    held.write(b"some")
    assert held.proc.read(4) == b"some"
    cut(held, "reset")
    assert held.proc.ends(7) == b""
    assert "Connection reset" in held.proc.complaint()


def test_the_answer_to_our_goodbye_may_be_cut(sockctl, tcp):
    """We have ended, they have not: it is still not known whether that is all."""
    held = Held(sockctl, tcp, "--half-close", "yes")
    held.read(3)
    assert held.ended()
    held.write(b"some")
    assert held.proc.read(4) == b"some"
    cut(held, "fin")
    held.proc.ends(7)


def visitor(tcp):
    """A client of ours, step by step: (its TLS, its socket), shaken."""
    sock = tcp.dial()
    tls = relay.Tls(relay.client_context(), name="127.0.0.1")
    while not tls.shake():
        sock.sendall(tls.out)
        tls.out.clear()
        tls.take(sock.recv(65536))
    sock.sendall(tls.out)
    tls.out.clear()
    return tls, sock


def heard_back(tls, sock):
    """One byte to an echo and back."""
    tls.write(b"x")
    sock.sendall(tls.out)
    tls.out.clear()
    while not (got := tls.read()):
        tls.take(sock.recv(65536))
    return got == b"x"


@pytest.mark.parametrize("words, code", [([], 7), (["--tls-allow-truncation"], 0)], ids=["plain", "allowed"])
def test_a_client_that_is_cut(served, tcp, words, code):
    server = served("listen", *words, stdin=b"")
    tls, sock = visitor(tcp)
    tls.write(b"half of")
    sock.sendall(tls.out)
    assert server.read(7) == b"half of"
    sock.close()
    server.ends(code)
    assert bool(server.lines()) == bool(code)


def test_a_client_that_is_cut_does_not_end_the_server(served, tcp, tmp_path):
    server = served("echo", "--events", tmp_path / "events")
    for end in (wire.close, wire.reset):
        tls, sock = visitor(tcp)
        assert heard_back(tls, sock)
        end(sock)
    wire.until(lambda: len(tlspeer.events(tmp_path / "events", "close")) == 2, "both are gone")
    assert all(event["truncated"] for event in tlspeer.events(tmp_path / "events", "close"))
    assert heard_back(*visitor(tcp)) and server.alive()


# nothing sent is lost: an end that closes while something of the peer's is unread (TLS 1.3's tickets) answers it with a reset


@pytest.mark.parametrize("words", [["--send-only"], ["--half-close", "yes"]], ids=lambda w: w[0])
def test_all_arrives_at_s_server(sockctl, need, words):
    server = sockctl.program([need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-quiet", "-cert", certs.good().pem, "-key",
                              certs.good().key])
    port = server.listens_at()
    for _ in range(RUNS // 2):
        task = wire.Task(sockctl.start("connect", *CA, *words, f"tls://127.0.0.1:{port}", stdin=DATA).ends, 0)
        wire.same(server.read(len(DATA)), DATA)
        task.result()


def test_all_arrives_at_our_server(sockctl, served, tcp):
    server = served("listen", "-k", stdin=b"")
    for _ in range(RUNS):
        task = wire.Task(sockctl.start("connect", *CA, url(tcp), stdin=DATA).ends, 0)
        wire.same(server.read(len(DATA)), DATA)
        task.result()


def test_all_arrives_from_a_client_that_reads_nothing(served, tcp):
    """It closes at once after its goodbye. Our server has sent it nothing that could be unread."""
    server = served("listen", "-k", stdin=b"")
    for _ in range(RUNS):
        tls, sock = visitor(tcp)
        tls.write(DATA)
        tls.end()
        sending = wire.sending(sock, bytes(tls.out), wire.close)
        wire.same(server.read(len(DATA)), DATA)
        sending.result()
    assert server.lines() == []


def test_no_tickets(served, tcp):
    """Neither one nor a session to take up again."""
    served("echo")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = relay.client_context(newest=version)
        tls = tlspeer.wrap(tcp.dial(), context, server_hostname="127.0.0.1")
        tls.do_handshake()
        tls.sendall(b"x")
        assert tls.recv(1) == b"x"
        assert tls.session is None or not tls.session.has_ticket
        session = {"session": tls.session} if tls.session else {}
        again = tlspeer.wrap(tcp.dial(), context, server_hostname="127.0.0.1", **session)
        again.do_handshake()
        assert not again.session_reused


# clients turned away before the handshake


@pytest.mark.parametrize("words", [[], ["--when-full", "notice"], ["--when-full", "close"]], ids=["auto", "notice", "close"])
def test_a_full_house_says_nothing_in_plain(served, tcp, words):
    server = served("chat", "--max", "1", "-v", *words)
    visitor(tcp)
    server.says(rb"connected")
    sock = tcp.dial()
    sock.shutdown(socket.SHUT_WR)
    assert wire.read_any(sock) == b""
