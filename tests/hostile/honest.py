#!/usr/bin/env python3
"""One client that behaves, for what the bench's load generators do not do. It says "ready", begins when it reads a line, and
reports in one JSON line on stderr how many bytes it has got, all of them compared, and in how many nanoseconds.

    honest.py fetch PORT SECONDS FILE     connects again and again and reads FILE to its end
    honest.py chat PORT SECONDS           says lines to a room that another one hears
    honest.py tls PORT SECONDS            sends blocks to an echo server over TLS, and reads each back
"""
import hashlib
import json
import os
import re
import select
import socket
import ssl
import sys
import time

BLOCK = 1 << 18
PATIENCE_S = 10
LINE_BYTES = 61


def dial(port):
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def exactly(sock, into):
    """Fills it; what was filled is less at the end of the connection."""
    got, view = 0, memoryview(into)
    while got < len(into) and (n := sock.recv_into(view[got:])):
        got += n
    return got


class Fetch:
    def __init__(self, port, file):
        self.port = port
        with open(file, "rb") as f:
            self.want = f.read()
        self.room = bytearray(len(self.want) + 1)

    def turn(self):
        with dial(self.port) as sock:
            got = exactly(sock, self.room)
        if got != len(self.want) or not self.room.startswith(self.want):
            raise ConnectionError(f"not the file: {got} bytes")
        return got


class Chat:
    """One talks and is never far ahead of the one that listens. What others say, joins and leaves are heard and passed over."""

    LINES, AHEAD = 128, 1024

    def __init__(self, port):
        self.hears, self.talks = dial(port), dial(port)
        self.said = self.heard = 0
        self.rest = b""
        self.tag = b"%07d" % os.getpid()  # what a pair before us has said may still be on its way
        self.talks.sendall(b"hello from %s\n" % self.tag)
        while b"> hello from " + self.tag not in self.hears.recv(1 << 16):
            pass  # both are in from now on

    def turn(self):
        numbers = range(self.said, self.said + self.LINES)
        self.talks.sendall(b"".join(b"%s n%012d the quick brown fox jumps over the dog\n" % (self.tag, n) for n in numbers))
        self.said += self.LINES
        before = self.heard
        while self.said - self.heard > self.AHEAD:
            data = self.rest + self.hears.recv(1 << 18)
            whole = data.rfind(b"\n") + 1
            self.rest = data[whole:]
            for number in re.findall(b"> " + self.tag + rb" n(\d{12}) the quick brown fox jumps over the dog\n", data[:whole]):
                if int(number) != self.heard:
                    raise ConnectionError(f"line {int(number)} came, and not {self.heard}")
                self.heard += 1
        if select.select([self.talks], [], [], 0)[0]:
            self.talks.recv(1 << 18)
        return (self.heard - before) * LINE_BYTES


class Tls:
    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(dial(port))
        self.block = hashlib.sha256(b"block").digest() * (BLOCK // 32)
        self.room = bytearray(BLOCK)

    def turn(self):
        self.sock.sendall(self.block)
        got = exactly(self.sock, self.room)
        if self.room != self.block:
            raise ConnectionError(f"not what was sent: {got} bytes")
        return got


def main(kind, port, seconds, *file):
    who = {"fetch": Fetch, "chat": Chat, "tls": Tls}[kind](int(port), *file)
    print("ready", flush=True)
    sys.stdin.readline()
    first, total = time.monotonic_ns(), 0
    while time.monotonic_ns() < first + float(seconds) * 1e9:
        total += who.turn()
    print(json.dumps({"ops": total, "ns": time.monotonic_ns() - first}), file=sys.stderr)
    sys.stdin.read()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as e:
        sys.exit(f"{type(e).__name__}: {e}")
