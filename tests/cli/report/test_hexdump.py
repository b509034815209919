"""-x: what passes, live on stderr, in the form of a transcript; and the events about payload that carry it."""
import base64
import json
import os
import pty
import re

import pytest

import wire
from place import Place
from test_transcript import converted, joined

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def test_stderr_converts_like_a_transcript(sockctl, tcp, tmp_path):
    data = wire.payload(10_001)
    server = sockctl.serve("echo", tcp, "--count", 1)
    client = sockctl.run("connect", "-x", *tcp.words(), stdin=data)
    wire.same(client.ends(), data)
    server.ends()
    (tmp_path / "x").write_bytes(client.err)
    packets = converted(tmp_path / "x", tmp_path)
    wire.same(joined(packets, "I"), data)
    wire.same(joined(packets, "O"), data)
    assert client.lines()[0] == "# 1" and "\x1b" not in client.err.decode()


@pytest.mark.whole("the dump shows what each read gave")
def test_it_is_live(sockctl, pair, tcp):
    proc, sock = pair("listen", tcp, "-x")
    sock.sendall(b"a\x1b\n")
    proc.says(rb"I \S+\n000000 61 1b 0a  \|a\.\.\|\n")
    proc.send(b"yes")
    proc.says(rb"O \S+\n000000 79 65 73  \|yes\|\n")
    assert wire.read(sock, 3) == b"yes"
    wire.close(sock)
    proc.finish()


def test_clients_are_told_apart(sockctl, tcp):
    server = sockctl.serve("echo", tcp, "--hexdump", "--quiet")
    socks = [tcp.dial(), tcp.dial()]
    for sock in socks * 2:
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"
    server.signal(15)
    for sock in socks:
        wire.close(sock)
    server.ends()
    assert re.findall(rb"^# (\d)$", server.err, re.M) == [b"1", b"2", b"1", b"2"]


def test_empty_datagrams_are_comments(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = sockctl.serve("echo", place, "-x")
    sock = place.dial()
    sock.send(b"")
    assert sock.recv(10) == b""
    server.says(rb"# I \S+ empty datagram\n# O \S+ empty datagram\n")


@pytest.mark.whole("the dump shows what each read gave")
@pytest.mark.parametrize("env, colours", [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                          ({"TERM": "dumb"}, False)])
def test_a_terminal_gets_colours_and_no_foreign_escape(sockctl, tcp, env, colours):
    master, slave = pty.openpty()
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "-x", stderr=slave, env=env)
    os.close(slave)
    try:
        sock = wire.accept(listener)
        sock.sendall(b"\x1b[31mred")
        proc.read(8)
        wire.close(sock)
        proc.finish()
        said = b""
        try:
            while part := os.read(master, 65536):
                said += part
        except OSError:  # the other end is closed
            pass
    finally:
        os.close(master)
    assert (b"\x1b[32m" in said) == colours
    assert b"\x1b" not in COLOUR.sub(b"", said) and b"\x1b[31m" not in said
    assert b"000000 1b 5b 33 31 6d 72 65 64  |.[31mred|" in said


def test_a_reader_that_does_not_read_stops_no_traffic(sockctl, tcp):
    """The test reads no stderr until everything has passed; what was missed is counted."""
    reads, writes = os.pipe()
    data = wire.payload(3_000_000)
    server = sockctl.serve("echo", tcp, "--count", 1, "-x", stderr=writes)
    os.close(writes)
    wire.same(sockctl.run("connect", *tcp.words(), stdin=data).ends(), data)
    task = wire.Task(lambda: os.fdopen(reads, "rb").read())
    server.ends()
    assert task.result().startswith(b"sockctl: listening")


def test_events_carry_the_same_bytes(sockctl, tcp, tmp_path):
    data = wire.payload(9_000)
    server = sockctl.serve("echo", tcp, "--count", 1, "--events", tmp_path / "len", "--events-data", "len", "-x")
    client = sockctl.run("connect", *tcp.words(), "--events", tmp_path / "b64", "--events-data", "b64", stdin=data)
    wire.same(client.ends(), data)
    server.ends()
    for name, carries in ("len", False), ("b64", True):
        events = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for way in ("in", "out"):
            parts = [e for e in events if e["ev"] == "data" and e["dir"] == way]
            assert sum(e["len"] for e in parts) == len(data)
            assert [e["off"] for e in parts] == [sum(e["len"] for e in parts[:i]) for i in range(len(parts))]
            assert all(("b64" in e) == carries and e["conn"] == 1 for e in parts)
            if carries:
                wire.same(b"".join(base64.b64decode(e["b64"]) for e in parts), data)


def test_events_alone_say_nothing_of_payload(sockctl, tcp, tmp_path):
    server = sockctl.serve("echo", tcp, "--count", 1, "--events", tmp_path / "e", "-x")
    sockctl.run("connect", *tcp.words(), stdin=b"x").ends()
    server.ends()
    assert '"data"' not in (tmp_path / "e").read_text()


def test_one_stderr_has_one_form(sockctl):
    proc = sockctl.run("connect", "--json", "-x", "127.0.0.1:1")
    assert proc.code == 2 and b"--hexdump" in proc.err
