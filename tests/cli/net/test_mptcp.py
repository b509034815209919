"""-o mptcp: seen in the protocol of the peer's socket; a peer without it gets plain TCP; where the system has none, that is said."""
import errno
import json
import os
import socket

import pytest

import netns
import wire
from place import make_place

MPTCP = 262


def why_not():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP).close()
        return ""
    except OSError as e:
        return f"no Multipath TCP here: {e.strerror}"


WHY_NOT = why_not()
offered = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def protocol(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)


def token_of(sock):
    """Does the connection itself speak it? MPTCP_INFO fails with EOPNOTSUPP after a fallback to TCP."""
    try:
        return bool(sock.getsockopt(284, 1, 256))
    except OSError as e:
        assert e.errno in (errno.EOPNOTSUPP, errno.ENOPROTOOPT), e
        return False


def listener(place):
    sock = wire.keep(socket.socket(place.family, socket.SOCK_STREAM, MPTCP))
    sock.bind((place.host, 0))
    sock.listen(16)
    place.port = sock.getsockname()[1]
    return sock


@pytest.fixture(params=["tcp4", "tcp6"])
def inet(request, tmp_path):
    return make_place(request.param, tmp_path)


@offered
@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("word, spoken", [("mptcp", True), ("mptcp=on", True), ("mptcp=off", False)])
def test_connect(sockctl, inet, word, spoken):
    data = wire.payload(4 << 20)
    server = listener(inet)
    proc = sockctl.connect(inet, "-o", word, stdin=data[:100_000])
    sock = wire.accept(server)
    assert token_of(sock) == spoken
    sender = wire.sending(sock, data)
    end = wire.Task(proc.ends, 0)
    wire.same(wire.read_eof(sock), data[:100_000])
    sender.result()
    wire.same(end.result(), data)


@offered
@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["echo", "listen", "serve", "chat"])
def test_servers(sockctl, inet, mode):
    proc = sockctl.serve(mode, inet, "-o", "mptcp", stdin=b"")
    sock = wire.keep(socket.socket(inet.family, socket.SOCK_STREAM, MPTCP))
    sock.connect((inet.host, proc.port))
    sock.sendall(b"hola\n")
    if mode == "echo":
        assert wire.read(sock, 5) == b"hola\n"
    elif mode == "chat":
        assert wire.read(sock, 2) == b"* "
    else:
        assert proc.read_until(b"\n").endswith(b"hola\n")
    assert token_of(sock)


@offered
def test_a_plain_client(sockctl, inet):
    """Is served, by TCP."""
    sockctl.serve("echo", inet, "-o", "mptcp")
    sock = inet.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"


@offered
def test_a_plain_server(sockctl, inet):
    sockctl.serve("echo", inet)
    assert sockctl.connect(inet, "-o", "mptcp", stdin=b"hola").ends(0) == b"hola"


@offered
def test_both_ends_are_ours(sockctl, tcp, tmp_path):
    """Every byte arrives both ways, and what was measured is told as of TCP."""
    log, data = tmp_path / "events", wire.payload(8 << 20)
    sockctl.serve("echo", tcp, "-o", "mptcp")
    wire.same(sockctl.connect(tcp, "-o", "mptcp", "--events", log, stdin=data).ends(0), data)
    closed = next(e for e in map(json.loads, log.read_text().splitlines()) if e["ev"] == "close")
    assert closed["out"] == len(data) and "retrans" in closed


@offered
@pytest.mark.parametrize("words, why", [
    (["connect", "-u", "-o", "mptcp", "127.0.0.1", "9"], "-o mptcp: UDP has no such option"),
    (["connect", "-o", "mptcp", "unix:/nowhere"], "-o mptcp: Unix sockets has no such option"),
    (["echo", "-o", "mptcp=maybe", "0"], "expected on or off"),
])
def test_refused(sockctl, words, why):
    proc = sockctl.run(*words)
    assert proc.code == 2 and why in proc.complaint()


@offered
def test_an_inherited_socket(sockctl, tcp):
    sock = tcp.listen()
    proc = sockctl.start("serve", "-o", "mptcp", f"fd:{sock.fileno()}", pass_fds=(sock.fileno(),))
    proc.ends(2)
    assert "-o mptcp: an inherited socket has its protocol already" in proc.complaint()


@pytest.mark.skipif(bool(netns.refusal()), reason=netns.refusal())
@pytest.mark.parametrize("mode", ["connect", "echo"])
def test_a_system_that_has_turned_it_off(sockctl, mode):
    """Said before anything is sent."""
    net = netns.Net()
    try:
        with net:
            if os.path.exists("/proc/sys/net/mptcp/enabled"):
                with open("/proc/sys/net/mptcp/enabled", "w") as file:
                    file.write("0")
            proc = sockctl.run(mode, "-o", "mptcp", "127.0.0.1:1")
    finally:
        net.close()
    assert proc.code == 2 and "-o mptcp: this system does not offer it (net.mptcp.enabled)" in proc.complaint()
