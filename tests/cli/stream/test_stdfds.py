"""stdin, stdout and stderr belong to others too: no flag of theirs is changed, and whatever they are, they work."""
import fcntl
import os
import signal
import socket
import stat

import pytest

import wire

pytestmark = pytest.mark.usefixtures("loop")

BOTH = pytest.mark.parametrize("role", ["connect", "listen"])


@pytest.fixture
def ends():
    """Descriptors that are closed after the test, or by shut() before."""
    kept = []

    def keep(*fds):
        kept.extend(fds)
        return fds

    def shut(fd):
        kept.remove(fd)
        os.close(fd)

    keep.shut = shut
    yield keep
    for fd in kept:
        os.close(fd)


def nonblocking(fd):
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)


@BOTH
@pytest.mark.parametrize("end", ["exit", "term", "kill"])
def test_no_flag_is_left_on_shared_pipes(pair, place, ends, role, end):
    """SIGKILL restores nothing, so nothing may be changed in the first place."""
    in_r, in_w = ends(*os.pipe())
    out_r, out_w = ends(*os.pipe())
    err_r, err_w = ends(*os.pipe())
    proc, sock = pair(role, place, stdin=in_r, stdout=out_w, stderr=err_w)
    os.write(in_w, b"there")
    assert wire.read(sock, 5) == b"there"
    sock.sendall(b"back")
    assert b"".join(os.read(out_r, 1) for _ in b"back") == b"back"
    assert not any(map(nonblocking, (in_r, out_w, err_w)))
    if end == "exit":
        ends.shut(in_w)
        sock.close()
        proc.ends(0)
        assert not any(map(nonblocking, (out_w, err_w)))
        return
    proc.signal(signal.SIGTERM if end == "term" else signal.SIGKILL)
    proc.wait()
    assert not any(map(nonblocking, (in_r, out_w, err_w)))


@BOTH
@pytest.mark.parametrize("end", ["exit", "kill"])
def test_no_flag_is_left_on_shared_sockets(pair, place, role, end):
    ours, theirs = socket.socketpair()
    wire.keep(ours)
    wire.keep(theirs).setblocking(True)  # a timeout of Python's would make it nonblocking
    proc, sock = pair(role, place, stdin=theirs, stdout=theirs)
    ours.sendall(b"there")
    assert wire.read(sock, 5) == b"there"
    sock.sendall(b"back")
    assert wire.read(ours, 4) == b"back"
    assert not nonblocking(theirs.fileno())
    if end == "exit":
        wire.half_close(ours)
        sock.close()
        proc.ends(0)
    else:
        proc.signal(signal.SIGKILL)
        proc.wait()
    assert not nonblocking(theirs.fileno())


@BOTH
def test_one_socket_as_stdin_and_stdout(pair, place, role):
    """As under inetd: the peer's end is passed on as a half-close, since closing a copy would say nothing."""
    ours, theirs = socket.socketpair()
    wire.keep(ours)
    proc, sock = pair(role, place, stdin=theirs, stdout=theirs)
    theirs.close()
    data = wire.payload(1 << 20)
    task = wire.Task(wire.read_eof, ours)
    sock.sendall(data)
    wire.half_close(sock)
    wire.same(task.result(), data)
    ours.sendall(b"the other way is open")
    wire.half_close(ours)
    assert wire.read_eof(sock) == b"the other way is open"
    proc.ends(0)


@BOTH
@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]], ids=str)
def test_no_socket_gets_a_low_number(pair, place, role, closed):
    how = {name: None for number, name in enumerate(("stdin", "stdout", "stderr")) if number in closed}
    proc, sock = pair(role, place, closed=closed, **how)
    if 0 not in closed:
        proc.send(b"x")
        assert wire.read(sock, 1) == b"x"
    if os.path.isdir(f"/proc/{proc.pid}/fd"):
        wire.until(lambda: sockets_of(proc.pid), "a socket")
        assert not {0, 1, 2} & sockets_of(proc.pid)
    sock.close()
    if 0 in closed:
        assert proc.wait() == 0
    else:
        proc.finish(0)


def sockets_of(pid):
    """Numbers of its descriptors that are sockets."""
    found = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            if stat.S_ISSOCK(os.stat(f"/proc/{pid}/fd/{number}").st_mode):
                found.add(int(number))
        except FileNotFoundError:
            pass
    return found


@BOTH
def test_appending_to_a_file(pair, place, role, tmp_path):
    (tmp_path / "log").write_bytes(b"before\n")
    with open(tmp_path / "log", "ab") as log:
        proc, sock = pair(role, place, stdin=b"", stdout=log)
    sock.sendall(b"after\n")
    sock.close()
    proc.ends(0)
    assert (tmp_path / "log").read_bytes() == b"before\nafter\n"


@BOTH
def test_a_file_from_where_it_stands(pair, place, role, tmp_path, ends):
    """A shell's `{ read line; sockctl …; } <file`: neither read before nor written over."""
    (tmp_path / "in").write_bytes(b"first line\nthe rest\n")
    (tmp_path / "out").write_bytes(b"0123456789")
    (source,) = ends(os.open(tmp_path / "in", os.O_RDONLY))
    (sink,) = ends(os.open(tmp_path / "out", os.O_WRONLY))
    os.lseek(source, 11, os.SEEK_SET)
    os.lseek(sink, 3, os.SEEK_SET)
    proc, sock = pair(role, place, stdin=source, stdout=sink)
    assert wire.read_eof(sock) == b"the rest\n"
    sock.sendall(b"abc")
    sock.close()
    proc.ends(0)
    assert (tmp_path / "out").read_bytes() == b"012abc6789"
    assert os.lseek(sink, 0, os.SEEK_CUR) == 6


@BOTH
def test_devices(pair, place, role):
    """epoll refuses /dev/null and regular files; to us they are always ready."""
    with open("/dev/null", "r+b") as null:
        proc, sock = pair(role, place, stdin=null, stdout=null)
    sock.sendall(wire.payload(1 << 20))
    sock.close()
    proc.ends(0)


@BOTH
def test_a_named_pipe(pair, place, role, tmp_path, ends):
    os.mkfifo(tmp_path / "fifo")
    (both,) = ends(os.open(tmp_path / "fifo", os.O_RDWR))
    (source,) = ends(os.open(tmp_path / "fifo", os.O_RDONLY))
    proc, sock = pair(role, place, stdin=source)
    os.write(both, b"through a fifo")
    assert wire.read(sock, 14) == b"through a fifo"
    ends.shut(both)
    sock.close()
    proc.ends(0)


def test_a_stdin_that_is_not_open_for_reading(pair, place, ends):
    """Nothing to send, or a failure of ours with a line; the other direction goes on."""
    (sink,) = ends(os.open("/dev/null", os.O_WRONLY))
    proc, sock = pair("connect", place, stdin=sink)
    sock.sendall(b"received")
    sock.close()
    assert proc.wait() in (0, 9)
    assert proc.read_eof() == b"received"
    assert len(proc.lines()) == (proc.code == 9)


@BOTH
def test_the_same_pipe_for_stdout_and_stderr(pair, place, role, ends):
    """2>&1: the streams share a description; nothing gets lost or stuck."""
    reads, writes = ends(*os.pipe())
    proc, sock = pair(role, place, "-v", stdin=b"", stdout=writes, stderr=writes)
    ends.shut(writes)
    sock.sendall(b"payload\n")
    sock.close()
    proc.ends(0)
    got = b""
    while part := os.read(reads, 65536):
        got += part
    assert b"payload\n" in got


@BOTH
def test_unread_stderr(pair, place, role, ends):
    """Its pipe is full from the start: the transfer goes on."""
    reads, writes = ends(*os.pipe())
    os.set_blocking(writes, False)
    try:
        while True:
            os.write(writes, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writes, True)
    proc, sock = pair(role, place, "-vv", stdin=b"there", stderr=writes)
    assert wire.read_eof(sock) == b"there"
    sock.sendall(b"back")
    sock.close()
    assert proc.ends(0) == b"back"
