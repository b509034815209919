"""-o NAME[=VALUE]: socket options by name, seen where the system shows them: in the calls and in what the peer notices."""
import re

import pytest

import wire
from place import Place


@pytest.fixture
def traced(sockctl, need, tmp_path):
    """traced(words…): a finished connect under strace; what it set with setsockopt, as text."""
    strace = need("strace")
    log = tmp_path / "calls"

    def run(*words, stdin=b"x"):
        proc = sockctl.program([strace, "-f", "-qq", "-o", log, "-e", "trace=setsockopt", sockctl.binary, "connect", *words],
                               stdin=stdin, env={"ASAN_OPTIONS": "detect_leaks=0"})  # a sanitizer cannot look for leaks under ptrace
        proc.wait()
        if "ptrace" in proc.err.decode():
            pytest.skip("strace may not trace here")
        assert proc.code == 0, proc
        return log.read_text()

    return run


OPTIONS = {
    "rcvbuf=65536": r"SO_RCVBUF, \[65536\]",
    "rcvbuf=64k": r"SO_RCVBUF, \[65536\]",
    "sndbuf=65536": r"SO_SNDBUF, \[65536\]",
    "nodelay=0": r"TCP_NODELAY, \[0\]",
    "keepalive=off": r"SO_KEEPALIVE, \[0\]",
    "keepalive=7,3,2": r"(?s)TCP_KEEPIDLE, \[7\].*TCP_KEEPINTVL, \[3\].*TCP_KEEPCNT, \[2\]",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_set(sockctl, traced, tcp, option):
    sockctl.serve("echo", tcp)
    assert re.search(OPTIONS[option], traced("-o", option, *tcp.words()))


@pytest.mark.parametrize("default", [r"TCP_NODELAY, \[1\]", r"SO_KEEPALIVE, \[1\]", r"TCP_KEEPIDLE, \[60\]", r"TCP_KEEPINTVL, \[10\]",
                                     r"TCP_KEEPCNT, \[6\]"])
def test_defaults(sockctl, traced, tcp, default):
    sockctl.serve("echo", tcp)
    assert re.search(default, traced(*tcp.words()))


def test_bulk_leaves_buffers_to_the_system(sockctl, traced, tcp):
    sockctl.serve("echo", tcp)
    assert "BUF" not in traced(*tcp.words())


def test_the_last_one_counts(sockctl, traced, tcp):
    sockctl.serve("echo", tcp)
    assert re.search(r"(?s).*SO_RCVBUF, \[8192\](?!.*SO_RCVBUF)", traced("-o", "rcvbuf=4096", "-o", "rcvbuf=8192", *tcp.words()))


def test_two_servers_cannot_share_a_port_by_default(sockctl, tcp):
    sockctl.serve("echo", tcp)
    assert sockctl.run("echo", *tcp.words()).code == 10


def test_a_port_is_free_at_once(sockctl, tcp):
    """SO_REUSEADDR on TCP listeners: connections in TIME_WAIT do not keep the next server out."""
    server = sockctl.serve("echo", tcp, "--count", "1")
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    server.signal(15)
    wire.half_close(sock)
    wire.read_eof(sock)
    wire.close(sock)
    server.wait()
    sockctl.serve("echo", tcp)


def test_datagram_sockets_are_not_shared(sockctl, dgram):
    """A second binder would silently take the datagrams."""
    sockctl.serve("echo", dgram)
    assert sockctl.run("echo", *dgram.words()).code == 10


def test_unknown_name_lists_the_known(sockctl, tcp):
    proc = sockctl.run("connect", "-o", "rcvbfu=1", *tcp.words())
    assert proc.code == 2
    line = proc.complaint()
    assert "rcvbfu" in line and "rcvbuf" in line and "sndbuf" in line


def test_value_where_none_can_be(sockctl, tcp):
    proc = sockctl.run("connect", "-o", "rcvbuf", *tcp.words())
    assert proc.code == 2
    assert "rcvbuf" in proc.complaint()


def test_source_address(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "-s", "127.0.0.9", stdin=b"")
    sock, peer = listener.accept()
    wire.keep(sock)
    assert peer[0] == "127.0.0.9"
    sock.close()
    proc.ends(0)


def test_source_port(sockctl, tcp):
    listener = tcp.listen()
    free = Place("tcp4", tcp.folder)
    free.bind().close()
    proc = sockctl.connect(tcp, "-s", f"127.0.0.9:{free.port}", stdin=b"")
    sock, peer = listener.accept()
    wire.keep(sock)
    assert peer == ("127.0.0.9", free.port)
    sock.close()
    proc.ends(0)


def test_broadcast_is_refused_by_the_system_without_the_option(sockctl):
    proc = sockctl.run("connect", "-u", "255.255.255.255", "9", stdin=b"x")
    assert proc.code != 0
    assert proc.complaint()
