#!/usr/bin/env python3
"""A peer that misbehaves, with named behaviours. Tests import it; by hand:

    tests/tools/adversary.py BEHAVIOUR HOST PORT
    tests/tools/adversary.py BEHAVIOUR PATH

Each behaviour takes a connected socket with a timeout, and returns when it has done its worst; the caller closes.
"""
import random
import socket
import struct
import sys


def never_read(sock, bytes_=16 << 20):
    """Sends until the peer takes no more, or that much, and reads nothing."""
    line = b"you will never hear that I got this\n" * 1000
    sock.settimeout(0.3)
    try:
        for _ in range(bytes_ // len(line)):
            sock.sendall(line)
    except (socket.timeout, ConnectionError):
        pass


def drip(sock, bytes_=20):
    """Half a line, one byte a packet, never a newline."""
    for n in range(bytes_):
        sock.sendall(b"%d" % (n % 10))


def silent(sock):
    """Says nothing at all."""


def reset_at(sock, at=1000):
    """A reset in the middle of what it sends."""
    sock.sendall(b"x" * at)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_close(sock):
    """Speaks, half-closes, and never reads the answer."""
    sock.sendall(b"question\n")
    sock.shutdown(socket.SHUT_WR)


def shut_both(sock):
    """Both directions shut, yet the socket is kept."""
    sock.sendall(b"and off\n")
    sock.shutdown(socket.SHUT_RDWR)


def endless_line(sock, size=1 << 20):
    """A line that does not end."""
    sock.sendall(b"a" * size)


def garbage(sock, size=100_000, seed=1):
    """Every byte there is: NUL, escapes, bad UTF-8, newlines anywhere."""
    dice = random.Random(seed)
    sock.sendall(dice.randbytes(size) + bytes(range(256)) + b"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\xff\xfe\n")


def empty_lines(sock, lines=20_000):
    """Newlines and nothing else."""
    sock.sendall(b"\n" * lines)


def commands(sock):
    """What a room might take for a command, and all that looks like one."""
    for line in (b"/", b"//", b"/nick", b"/nick " + b"x" * 5000, b"/msg", b"/msg 1", b"/msg  ", b"/who " * 100, b"/me", b"@1", b"/kick 1",
                 b"/nick \xff", b"/help me", b"/nick server"):
        sock.sendall(line + b"\n")


def flood(sock, times=50):
    """Connects again and again and resets each time."""
    family, kind, peer = sock.family, sock.type, sock.getpeername()
    for _ in range(times):
        with socket.socket(family, kind) as again:
            again.settimeout(sock.gettimeout())
            again.connect(peer)
            again.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


BEHAVIOURS = {fn.__name__.replace("_", "-"): fn for fn in (
    never_read, drip, silent, reset_at, half_close, shut_both, endless_line, garbage, empty_lines, commands, flood)}


def main(words):
    if len(words) not in (2, 3) or words[0] not in BEHAVIOURS:
        print(f"usage: adversary.py {'|'.join(BEHAVIOURS)} HOST PORT | PATH", file=sys.stderr)
        return 2
    if len(words) == 3:
        sock = socket.create_connection((words[1], int(words[2])), timeout=10)
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(words[1])
    with sock:
        try:
            BEHAVIOURS[words[0]](sock)
        except (ConnectionError, socket.timeout):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
