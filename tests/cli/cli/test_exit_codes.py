"""Every failure has its class, which is the exit code, and exactly one line that says what was tried, where and why."""
import os
import signal
import socket

import pytest

import wire
from place import Place

BOTH = pytest.mark.parametrize("role", ["connect", "listen"])
MUCH = wire.payload(8 << 20)


@BOTH
@pytest.mark.usefixtures("loop")
def test_reset_is_lost(pair, tcp, role):
    proc, sock = pair(role, tcp)
    proc.send(b"hello")
    assert wire.read(sock, 5) == b"hello"
    wire.reset(sock)
    proc.ends(7)
    assert "Connection reset" in proc.complaint()
    assert "127.0.0.1:" in proc.complaint()


@BOTH
@pytest.mark.usefixtures("loop")
def test_bytes_before_a_reset_are_written(pair, tcp, role):
    proc, sock = pair(role, tcp)
    sock.sendall(b"before")
    assert proc.read(6) == b"before"
    wire.reset(sock)
    proc.ends(7)


@BOTH
@pytest.mark.usefixtures("loop")
def test_cut_send_is_lost(pair, place, role):
    """The peer closes with our bytes unread."""
    proc, sock = pair(role, place, rcvbuf=8192)
    proc.send(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.fill(proc.stdin)
    wire.close(sock)
    proc.ends(7)
    assert proc.complaint()


@BOTH
@pytest.mark.usefixtures("loop")
def test_unacknowledged_at_the_end_is_lost(pair, tcp, role):
    """All was handed to the kernel and stdin has ended, but the peer never read it and dies."""
    proc, sock = pair(role, tcp, rcvbuf=8192)
    wire.half_close(sock)
    proc.send(MUCH[:200_000])
    proc.eof()
    assert wire.read(sock, 1000) == MUCH[:1000]
    wire.reset(sock)
    proc.ends(7)
    assert proc.complaint()


@BOTH
def test_full_disk(pair, place, role):
    with open("/dev/full", "wb") as full:
        proc, sock = pair(role, place, stdout=full)
    sock.sendall(b"too much")
    proc.ends(9)
    assert "stdout" in proc.complaint()
    assert "No space left" in proc.complaint()


@BOTH
def test_closed_stdout(pair, place, role):
    proc, sock = pair(role, place, stdout=None, closed=[1])
    sock.sendall(b"for nobody")
    proc.ends(9)
    assert "stdout" in proc.complaint()


@BOTH
def test_closed_stdout_without_payload_is_fine(pair, place, role):
    proc, sock = pair(role, place, stdout=None, closed=[1], stdin=b"only sending")
    assert wire.read_eof(sock) == b"only sending"
    sock.close()
    proc.ends(0)


@BOTH
@pytest.mark.parametrize("ignored", [[], [signal.SIGPIPE]], ids=["default", "sigpipe-ignored"])
@pytest.mark.usefixtures("loop")
def test_gone_reader(pair, place, role, ignored):
    proc, sock = pair(role, place, ignored=ignored)
    sock.sendall(b"one\n")
    assert proc.read(4) == b"one\n"
    proc._drop("stdout")

    def write_on():  # the socket is closed as soon as it is noticed, whether or not we still write
        try:
            while True:
                sock.sendall(b"more\n" * 1000)
        except OSError:
            pass

    task = wire.Task(write_on)
    proc.ends(141)
    task.result()
    assert len(proc.lines()) <= 1


@BOTH
def test_stdin_that_is_a_folder(pair, place, role, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        proc, sock = pair(role, place, stdin=folder)
        sock.sendall(b"the other direction goes on")
        sock.close()
        assert proc.ends(9) == b"the other direction goes on"
        assert "stdin" in proc.complaint()
    finally:
        os.close(folder)


def test_unresolvable(sockctl):
    """A label over 63 characters is refused by every resolver without asking a server."""
    name = "a" * 64 + ".invalid"
    proc = sockctl.run("connect", name, "80")
    assert proc.code == 3
    assert name in proc.complaint()


def test_numeric_asks_no_dns(sockctl):
    proc = sockctl.run("connect", "-n", "localhost", "80")
    assert proc.code == 3
    assert "localhost" in proc.complaint()


def test_unresolvable_server(sockctl):
    proc = sockctl.run("echo", "-n", "localhost", "0")
    assert proc.code in (3, 10)
    assert "localhost" in proc.complaint()


def test_refused(sockctl, place):
    place.bind()
    proc = sockctl.connect(place, stdin=b"x")
    assert proc.ends(4) == b""
    assert proc.complaint().startswith("sockctl: connect ")
    assert place.shown() in proc.complaint()
    assert "Connection refused" in proc.complaint()


def test_refused_names_each_address(sockctl, tmp_path):
    """A name with several addresses: each with its own error. localhost may have only one."""
    place = Place("tcp4", tmp_path)
    place.bind()
    proc = sockctl.run("connect", "localhost", place.port)
    assert proc.code == 4
    assert f"127.0.0.1:{place.port}" in proc.complaint()


def test_unix_path_not_there(sockctl, tmp_path):
    proc = sockctl.run("connect", f"unix:{tmp_path}/nothing")
    assert proc.code == 4
    assert "No such file" in proc.complaint()


def test_connect_timeout(sockctl, tcp):
    """A full backlog lets no peer in: Linux drops the SYN."""
    tcp.listen(backlog=0)
    for _ in range(4):
        sock = wire.keep(socket.socket())
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", tcp.port))
    proc = sockctl.connect(tcp, "-w", "300ms", stdin=b"")
    proc.ends(5)
    assert f"127.0.0.1:{tcp.port}" in proc.complaint()


@BOTH
@pytest.mark.parametrize("option", [["-i", "200ms"], ["--idle-timeout", "200ms"], ["--max-time", "200ms"],
                                    ["--lifetime", "200ms"]], ids=lambda o: o[0])
@pytest.mark.usefixtures("loop")
def test_clocks(pair, place, role, option):
    proc, sock = pair(role, place, *option)
    assert wire.closed_without_a_byte(sock)
    wire.close(sock)
    proc.ends(5)
    assert proc.complaint()


def test_idle_means_silence(pair, tcp):
    """A byte either way starts the clock again: ten of them, each at once after the other's echo, then silence."""
    proc, sock = pair("connect", tcp, "-i", "1")
    for _ in range(10):
        proc.send(b"a")
        assert wire.read(sock, 1) == b"a"
    proc.ends(5)


def test_lifetime_of_a_listener_without_a_client(sockctl, tcp):
    proc = sockctl.serve("listen", tcp, "--lifetime", "200ms")
    proc.ends(5)
    assert proc.complaint()


@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
def test_address_in_use(sockctl, place, mode):
    place.listen()
    proc = sockctl.run(mode, *place.words())
    assert proc.code == 10
    assert place.shown() in proc.complaint()
    assert "in use" in proc.complaint()


@pytest.mark.parametrize("mode", ["listen", "echo"])
def test_udp_address_in_use(sockctl, dgram, mode):
    dgram.listen()
    proc = sockctl.run(mode, *dgram.words())
    assert proc.code == 10
    assert proc.complaint()


def test_address_not_ours(sockctl):
    proc = sockctl.run("listen", "192.0.2.1", "0")
    assert proc.code == 10
    assert "192.0.2.1" in proc.complaint()


def test_source_address_not_ours(sockctl, tcp):
    tcp.listen()
    proc = sockctl.connect(tcp, "-s", "192.0.2.1", stdin=b"")
    proc.ends(10)
    assert "192.0.2.1" in proc.complaint()


SIGNALS = pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])


@BOTH
@SIGNALS
@pytest.mark.usefixtures("loop")
def test_signal_with_a_peer(pair, place, role, signo):
    proc, sock = pair(role, place)
    proc.send(b"hello")
    assert wire.read(sock, 5) == b"hello"
    proc.signal(signo)
    proc.ends(-signo)
    assert wire.closed_without_a_byte(sock)
    assert not place.unix or role == "connect" or not os.path.exists(place.path)


@SIGNALS
def test_signal_without_a_client(sockctl, place, signo):
    """`listen 7000 >f && use f` never succeeds on nothing."""
    proc = sockctl.serve("listen", place)
    proc.signal(signo)
    proc.ends(-signo)
    assert not place.unix or not os.path.exists(place.path)


def test_signal_while_connecting(sockctl, tcp):
    tcp.bind()
    proc = sockctl.connect(tcp, "--wait", "1h", "-v")
    proc.says(rb"try|refused")
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


def test_quiet_silences_all_but_the_failure(sockctl, place):
    place.bind()
    proc = sockctl.connect(place, "-q", stdin=b"")
    proc.ends(4)
    assert proc.complaint()


def test_verbose_success_has_words_and_plain_none(sockctl, tcp):
    sockctl.serve("echo", tcp)
    loud = sockctl.connect(tcp, "-v", stdin=b"x")
    assert loud.ends(0) == b"x"
    assert loud.lines()
    plain = sockctl.connect(tcp, stdin=b"x")
    assert plain.ends(0) == b"x"
    assert plain.lines() == []


def test_one_clients_failure_is_not_the_servers(sockctl, tcp):
    proc = sockctl.serve("echo", tcp)
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.reset(sock)
    again = tcp.dial()
    again.sendall(b"y")
    assert wire.read(again, 1) == b"y"
    wire.close(again)
    proc.signal(signal.SIGTERM)
    proc.ends(0)


def test_strict_makes_it_the_servers(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "--strict", "--count", "1")
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.reset(sock)
    proc.ends(7)
    assert proc.complaint()
