"""-s PATH: the name of our end of a Unix datagram socket. It is made for us alone, and removed whatever ends the run."""
import os
import signal
import socket
import stat

import pytest

import wire

LOOPS = pytest.mark.usefixtures("loop")


def bound(path):
    sock = wire.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sock.bind(path)
    wire.keep_file(path)
    return sock


@pytest.fixture
def server(tmp_path):
    return bound(str(tmp_path / "server"))


def ours(tmp_path):
    return str(tmp_path / "ours")


def asks(sockctl, tmp_path, *words, stdin=b"who", name=None):
    return sockctl.start("connect", "-s", name or ours(tmp_path), *words, f"unix-dgram:{tmp_path}/server", stdin=stdin)


@LOOPS
@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_the_peer_sees_it_and_it_is_removed(sockctl, tmp_path, server, sandbox):
    proc = asks(sockctl, tmp_path, "--reply-wait", "1h", "--replies", "1", "--sandbox", sandbox)
    data, asker = server.recvfrom(100)
    assert (data, asker) == (b"who", ours(tmp_path))
    assert stat.S_IMODE(os.stat(asker).st_mode) == 0o600
    server.sendto(b"me", asker)
    assert proc.ends(0) == b"me"
    assert not os.path.exists(asker)


@LOOPS
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_removed_after_a_signal(sockctl, tmp_path, server, signo):
    proc = asks(sockctl, tmp_path, "--reply-wait", "1h")
    server.recv(100)
    proc.signal(signo)
    proc.ends(-signo)
    assert not os.path.exists(ours(tmp_path))


@LOOPS
def test_a_name_without_a_file(sockctl, tmp_path, server):
    name = f"sockctl-test-{os.getpid()}"
    proc = asks(sockctl, tmp_path, "--reply-wait", "1h", "--replies", "1", name="@" + name)
    _, asker = server.recvfrom(100)
    assert asker == b"\0" + name.encode()
    server.sendto(b"me", asker)
    assert proc.ends(0) == b"me"


@LOOPS
def test_refused_leaves_nothing(sockctl, tmp_path):
    """The peer is not there: what we had bound is removed."""
    proc = asks(sockctl, tmp_path)
    proc.ends(4)
    assert os.listdir(tmp_path) == []


@LOOPS
def test_wait_binds_it_again(sockctl, tmp_path):
    proc = asks(sockctl, tmp_path, "-v", "--wait", "1h", "--reply-wait", "1h", "--replies", "1")
    proc.says(b"next try")
    server = bound(str(tmp_path / "server"))
    _, asker = server.recvfrom(100)
    assert asker == ours(tmp_path)
    server.sendto(b"me", asker)
    assert proc.ends(0) == b"me"
    assert not os.path.exists(asker)


@LOOPS
def test_a_dead_one_is_replaced(sockctl, tmp_path, server):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(ours(tmp_path))
    proc = asks(sockctl, tmp_path, "--send-only")
    assert server.recvfrom(100) == (b"who", ours(tmp_path))
    proc.ends(0)
    assert not os.path.exists(ours(tmp_path))


@LOOPS
@pytest.mark.parametrize("what", ["live", "file"])
def test_others_are_left_alone(sockctl, tmp_path, server, what):
    if what == "live":
        bound(ours(tmp_path))
    else:
        (tmp_path / "ours").write_text("mine")
    before = os.stat(ours(tmp_path)).st_ino
    proc = asks(sockctl, tmp_path)
    proc.ends(10)
    assert f"bind unix-dgram:{ours(tmp_path)}" in proc.complaint()
    assert os.stat(ours(tmp_path)).st_ino == before


@LOOPS
def test_one_that_was_replaced_meanwhile_stays(sockctl, tmp_path, server):
    proc = asks(sockctl, tmp_path, "--reply-wait", "1h")
    server.recv(100)
    os.rename(ours(tmp_path), tmp_path / "moved")
    wire.keep_file(tmp_path / "moved")
    (tmp_path / "ours").write_text("another's")
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)
    assert (tmp_path / "ours").read_text() == "another's"


PATH = "./name"


@pytest.mark.parametrize("words, says", [(["-s", PATH, "unix:/nowhere"], "a path requires unix-dgram:"),
                                         (["-s", PATH, "tcp://127.0.0.1:1"], "a path requires unix-dgram:"),
                                         (["-s", PATH, "udp://127.0.0.1:1"], "a path requires unix-dgram:"),
                                         (["-s", "127.0.0.1", "unix-dgram:/nowhere"], "expected a path with a slash or @NAME"),
                                         (["-s", "127.0.0.1", "unix:/nowhere"], "expected the address of an Internet socket"),
                                         (["-s", "name", "unix-dgram:/nowhere"], "expected a numeric address"),
                                         (["-s", "./" + "x" * 200, "unix-dgram:/nowhere"], "too long"),
                                         (["-s", PATH, "--reconnect", "unix-dgram:/nowhere"], "--reconnect and a path of --source"),
                                         (["-s", PATH, "--forward", "unix-dgram:/nowhere", "unix-dgram:/there"], "it names one socket")])
def test_refused(sockctl, tmp_path, words, says):
    proc = sockctl.run("connect", *words)
    assert proc.code == 2
    assert says in proc.complaint()
    assert not os.path.exists("name")
