"""The Python side of a connection: sockets that never wait for ever, and bytes one can check.

Every socket made here has a timeout and is closed after the test (`close_all`), so a test may end at any line. Tests
are processes of their own under xdist, so the list of open sockets is one per process.
"""
import errno
import functools
import hashlib
import os
import select
import socket
import struct
import threading
import time

import pytest

DEADLINE = float(os.environ.get("SOCKCTL_TEST_DEADLINE", "20"))
LESS = int(os.environ.get("SOCKCTL_TEST_LESS", "1"))  # large payloads are shorter by this factor
ENOUGH = 96 * 1024  # shorter ones are left as they are
_open = []
_tasks = []
_files = []
_ends = []


def keep(sock):
    """Gives the socket its timeout and takes over closing it."""
    sock.settimeout(DEADLINE)
    _open.append(sock)
    return sock


def give(sock):
    """To another owner, which closes it."""
    _open.remove(sock)
    return sock


def keep_file(path):
    """A socket file that we made ourselves: removed after the test, if it is still the same."""
    at = os.lstat(path)
    _files.append((path, at.st_dev, at.st_ino))


def at_end(fn):
    """Something else to be done after the test."""
    _ends.append(fn)


def close_all():
    """After a test: no socket, no thread and no socket file of ours stays."""
    while _open:
        sock = _open.pop()
        try:
            sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that still sits in recv or accept
        except OSError:
            pass
        sock.close()
    while _ends:
        _ends.pop()()
    while _tasks:
        _tasks.pop().thread.join(DEADLINE)
    while _files:
        path, dev, ino = _files.pop()
        try:
            at = os.lstat(path)
            if (at.st_dev, at.st_ino) == (dev, ino):
                os.unlink(path)
        except FileNotFoundError:
            pass


@functools.lru_cache(maxsize=8)
def noise(size, seed=1):
    """`size` bytes that look like nothing and repeat exactly."""
    return hashlib.shake_128(b"%d" % seed).digest(size)


def much(size):
    """So many bytes, or a part of them where each is moved by a call of its own (make check-short)."""
    return size if size <= ENOUGH else max(ENOUGH, size // LESS)


def payload(size, seed=1):
    """`size` bytes of noise, less of them where they go one by one."""
    return noise(much(size), seed)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def same(got, want):
    """Equality with an answer a person can read when 64 MiB differ."""
    if sha(got) == sha(want):
        return
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    raise AssertionError(
        f"{len(got)} bytes, expected {len(want)}; first difference at {at}: {bytes(got[at:at + 16])!r} "
        f"instead of {bytes(want[at:at + 16])!r}"
    )


def accept(listener):
    sock, _ = listener.accept()
    return keep(sock)


def read(sock, size):
    """Exactly `size` bytes."""
    got = bytearray()
    while len(got) < size:
        part = sock.recv(min(size - len(got), 1 << 20))
        assert part, f"end of data after {bytes(got[-80:])!r} ({len(got)} of {size} bytes)"
        got += part
    return bytes(got)


def read_eof(sock):
    """Everything up to the peer's end."""
    got = bytearray()
    while part := sock.recv(1 << 20):
        got += part
    return bytes(got)


def read_any(sock):
    """Everything up to the end, whichever it is."""
    got = bytearray()
    try:
        while part := sock.recv(1 << 20):
            got += part
    except ConnectionError:
        pass
    return bytes(got)


def read_reset(sock):
    """Everything up to a reset."""
    got = bytearray()
    try:
        while part := sock.recv(1 << 20):
            got += part
    except ConnectionResetError:
        return bytes(got)
    raise AssertionError(f"a good end instead of a reset, after {bytes(got[-80:])!r}")


def read_until(sock, end=b"\n"):
    """Up to and with `end`; nothing behind it is taken. A look first, because a byte for each call is slow beside a flood."""
    got = bytearray()
    while not got.endswith(end):
        ahead = sock.recv(65536, socket.MSG_PEEK) if type(sock) is socket.socket else sock.recv(1)
        assert ahead, f"end of data after {bytes(got)!r}, expected {end!r}"
        at = (bytes(got[-len(end):]) + ahead).find(end)
        more = at + len(end) - min(len(got), len(end)) if at >= 0 else len(ahead)
        got += sock.recv(max(more, 1)) if type(sock) is socket.socket else ahead
    return bytes(got)


def half_close(sock):
    sock.shutdown(socket.SHUT_WR)


def reset(sock):
    """Closes with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(sock)


def close(sock):
    if sock in _open:
        _open.remove(sock)
    sock.close()


def silent(sock):
    """Is there nothing to read now, no byte and no end?"""
    return not select.select([sock], [], [], 0)[0]


def closed_without_a_byte(sock):
    """The peer let us in and hung up: an end or a reset, but no data."""
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def fill(fd, data=None):
    """Writes until no reader takes any more for a while; returns what was taken. A slow taker makes the test weaker, never
    wrong."""
    if LESS > 1:
        pytest.skip("the system's buffers hold megabytes, which takes too long byte by byte")
    data = memoryview(noise(64 << 20, seed=7) if data is None else data)
    number = fd if isinstance(fd, int) else fd.fileno()
    was = os.get_blocking(number)
    os.set_blocking(number, False)
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    at = 0
    while at < len(data):
        try:
            at += os.write(number, data[at : at + 65536])
        except BlockingIOError:
            if not poll.poll(250):
                break
    assert at < len(data), f"{at} bytes were taken although nothing reads"
    os.set_blocking(number, was)
    return bytes(data[:at])


class Task:
    """Something that happens meanwhile, in a thread. Its error is the test's."""

    def __init__(self, fn, *args):
        self.value = None
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(fn, args), daemon=True)
        self.thread.start()
        _tasks.append(self)

    def _run(self, fn, args):
        try:
            self.value = fn(*args)
        except BaseException as e:  # noqa: B902 - handed on by result()
            self.error = e

    def result(self):
        self.thread.join(DEADLINE * 3)
        assert not self.thread.is_alive(), "the task has not ended"
        if self.error:
            raise self.error
        return self.value


def until(fact, what):
    """For the few facts that the system offers no descriptor for (/proc, ss): asks again until it holds."""
    end = time.monotonic() + DEADLINE
    never = select.poll()
    while not (value := fact()):
        assert time.monotonic() < end, f"{what}: not within {DEADLINE:g} s"
        never.poll(10)
    return value


def sending(sock, data, end=half_close):
    """Sends meanwhile, and then its end."""

    def work():
        sock.sendall(data)
        end(sock)

    return Task(work)


def refused(dial):
    """Does dialing fail because the listener is gone? Asks until the answer is yes: an old listener may take one more."""

    def ask():
        try:
            close(dial())
            return False
        except OSError as e:
            return e.errno in (errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET)

    until(ask, "connection refused")
    return True
