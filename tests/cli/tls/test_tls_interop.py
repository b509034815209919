"""TLS with the programs that people have, as clients and as servers of ours, in both versions: byte for byte, to a clean end."""
import os
import socket

import pytest

import certs
import tlspeer
import wire
from program import has_tls

pytestmark = pytest.mark.neighbours

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

SIZE = (100 if os.environ.get("SOCKCTL_LONG") else 1) << 20
# Text, since some of them take a letter at the beginning of a line for a command of their own.
THERE, BACK = (wire.payload(SIZE // 2, seed=seed).hex().encode() for seed in (21, 22))
ROOT, CERT, KEY, BOTH = (str(path) for path in (certs.root().pem, certs.good().pem, certs.good().key, certs.good().both))
VERSIONS = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])


@pytest.fixture
def speaks(tmp_path):
    """speaks(version): the environment in which a program of OpenSSL has no newer one."""

    def env(version):
        (tmp_path / "openssl.cnf").write_text(f"""
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = default
[default]
MaxProtocol = {version}
""")
        return {"OPENSSL_CONF": str(tmp_path / "openssl.cnf")}

    return env


RUDE = {"ncat": ["--tls-allow-truncation"]}  # it never says goodbye
CLIENTS = {
    "s_client": ["openssl", "s_client", "-connect", "{at}", "-CAfile", ROOT, "-verify_return_error", "-quiet", "-no_ign_eof"],
    "socat": ["socat", "-t", "20", "-", "OPENSSL:{at},cafile=" + ROOT],
    "ncat": ["ncat", "--ssl-verify", "--ssl-trustfile", ROOT, "localhost", "{port}"],
}
SERVERS = {
    "s_server": ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", CERT, "-key", KEY, "-quiet", "-naccept", "1"],
    "socat": ["socat", "-t", "20", "-", f"OPENSSL-LISTEN:0,bind=127.0.0.1,cert={BOTH},verify=0"],
    "ncat": ["ncat", "--ssl", "--ssl-cert", CERT, "--ssl-key", KEY, "-l", "127.0.0.1", "0"],
}


def version_of(file):
    (event,) = tlspeer.events(file, "tls")
    return event["version"]


def passed(one, two, data, more=b""):
    """From the stdin of one to the stdout of the other."""
    sending = wire.Task(one.send, data + more)
    wire.same(two.read(len(data)), data)
    sending.result()


@VERSIONS
@pytest.mark.parametrize("peer", CLIENTS)
def test_their_client(sockctl, tcp, tmp_path, need, speaks, peer, version):
    need(CLIENTS[peer][0])
    server = sockctl.serve("listen", [f"tls://{tcp.shown()}"], "--cert", BOTH, *RUDE.get(peer, []),
                           "--events", tmp_path / "events")
    words = [word.format(at=f"localhost:{server.port}", port=server.port) for word in CLIENTS[peer]]
    client = sockctl.program(words, env=speaks(version))
    # ncat keeps the last bytes of a record to itself until others come
    passed(server, client, BACK, more=b"x" * 16384 if peer == "ncat" else b"")
    passed(client, server, THERE)
    client.eof()
    ended = wire.Task(client.wait)
    server.finish(0)
    assert ended.result() == 0, client
    assert version_of(tmp_path / "events") == version


@VERSIONS
@pytest.mark.parametrize("peer", SERVERS)
def test_their_server(sockctl, tcp, tmp_path, need, speaks, peer, version):
    need(SERVERS[peer][0])
    server = sockctl.program(SERVERS[peer], env=speaks(version))
    client = sockctl.start("connect", "--ca", ROOT, "--half-close", "yes", *RUDE.get(peer, []), "--events", tmp_path / "events",
                           "--tls", "localhost", server.listens_at())
    passed(client, server, THERE)  # s_server reads before it writes
    passed(server, client, BACK)
    client.eof()
    ended = wire.Task(client.wait)
    server.eof()
    assert ended.result() == 0, client
    assert client.lines() == [] and version_of(tmp_path / "events") == version
    server.wait()


# curl


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page"
    path.write_bytes(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BACK) + BACK)
    return path


@VERSIONS
@pytest.mark.parametrize("trust", ["--cacert", "--pinnedpubkey"])
def test_curl(sockctl, tcp, tmp_path, need, page, version, trust):
    server = sockctl.serve("serve", [f"tls://{tcp.shown()}"], "--cert", BOTH, "--file", page, "--alpn", "http/1.1", "--events",
                           tmp_path / "events")
    known = [trust, ROOT] if trust == "--cacert" else [trust, certs.good().pin, "--insecure"]
    for host in ("localhost", "127.0.0.1"):
        client = sockctl.program([need("curl"), "-sS", *known, "--tls-max", version[4:], f"https://{host}:{server.port}/page"],
                                 stdin=None)
        wire.same(client.ends(0), BACK)
    assert {(event["version"], event["alpn"]) for event in tlspeer.events(tmp_path / "events", "tls")} == {(version, "http/1.1")}


def test_curl_knows_our_own_certificate_by_its_pin(sockctl, need, page):
    """What a server without --cert has made, with the pin that it told."""
    server = sockctl.serve("serve", ["tls://127.0.0.1:0"], "--file", page)
    pin = server.says(rb"--pin (sha256//\S+)")[1].decode()
    url = f"https://localhost:{server.port}/"
    client = sockctl.program([need("curl"), "-sS", "--insecure", "--pinnedpubkey", pin, url], stdin=None)
    wire.same(client.ends(0), BACK)
    stranger = sockctl.program([need("curl"), "-sS", "--insecure", "--pinnedpubkey", certs.user().pin, url], stdin=None)
    assert stranger.ends(90) == b""  # CURLE_SSL_PINNEDPUBKEYNOTMATCH


def test_curl_with_its_certificate(sockctl, need, page):
    server = sockctl.serve("serve", ["tls://127.0.0.1:0"], "--cert", BOTH, "--client-ca", ROOT, "--file", page)
    words = [need("curl"), "-sS", "--cacert", ROOT, f"https://localhost:{server.port}/"]
    assert sockctl.program(words, stdin=None).wait() in (35, 56)
    client = sockctl.program([*words, "--cert", certs.user().pem, "--key", certs.user().key], stdin=None)
    wire.same(client.ends(0), BACK)


def test_curl_sends_a_file(sockctl, tcp, need, tmp_path):
    """A POST to listen, whose stdin is the answer."""
    (tmp_path / "file").write_bytes(THERE)
    server = sockctl.serve("listen", [f"tls://{tcp.shown()}"], "--cert", BOTH, "--alpn", "http/1.1")
    client = sockctl.program([need("curl"), "-sS", "--cacert", ROOT, "-H", "Expect:", "--data-binary", f"@{tmp_path}/file",
                              f"https://localhost:{server.port}/"], stdin=None)
    assert server.read_until(b"\r\n\r\n").startswith(b"POST / HTTP/1.1\r\n")
    wire.same(server.read(len(THERE)), THERE)
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")
    server.eof()
    assert client.ends(0) == b"yes"
    server.ends(0)


# stunnel, as it runs under inetd: one connection, on its stdin


STUNNEL = """
foreground = yes
debug = err
syslog = no
pid =
{more}
"""


def stunnel(sockctl, need, tmp_path, sock, **options):
    program = need("stunnel")
    (tmp_path / "stunnel.conf").write_text(STUNNEL.format(more="\n".join(f"{key} = {value}" for key, value in options.items())))
    return sockctl.program([program, tmp_path / "stunnel.conf"], stdin=sock, stdout=sock)


@VERSIONS
def test_stunnel_as_client(sockctl, need, tmp_path, version):
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--cert", BOTH, "--events", tmp_path / "events")
    ours, theirs = socket.socketpair()
    wire.keep(ours)
    with theirs:
        stunnel(sockctl, need, tmp_path, theirs, client="yes", connect=f"127.0.0.1:{server.port}", CAfile=ROOT, verifyChain="yes",
                checkIP="127.0.0.1", sslVersionMax=version)
    wire.sending(ours, THERE, end=lambda sock: None)
    wire.same(wire.read(ours, len(THERE)), THERE)
    wire.half_close(ours)
    assert wire.read_eof(ours) == b""
    assert version_of(tmp_path / "events") == version


@VERSIONS
def test_stunnel_as_server(sockctl, tcp, need, tmp_path, version):
    plain = sockctl.serve("echo", ["127.0.0.1:0"])
    listener = tcp.listen()
    client = sockctl.start("connect", "--ca", ROOT, "--half-close", "yes", "--events", tmp_path / "events",
                           "--tls", "localhost", tcp.port)
    with wire.accept(listener) as sock:
        sock.setblocking(True)
        stunnel(sockctl, need, tmp_path, sock, cert=CERT, key=KEY, sslVersionMax=version, connect=f"127.0.0.1:{plain.port}")
    client.feed += THERE
    wire.same(client.read(len(THERE)), THERE)
    client.finish(0)
    assert version_of(tmp_path / "events") == version
