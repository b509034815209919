"""--transcript: what passed comes back out of text2pcap byte by byte, with its directions and times."""
import os
import re
import stat
import time

import pytest

import shark
import wire
from place import DATAGRAMS, STREAMS, Place

LINE = re.compile(r"[0-9a-f]{6}( [0-9a-f]{2}){1,16}  \|[ -~]{1,16}\|")
HEAD = re.compile(r"[IO] \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def converted(file, tmp_path, env=None):
    """[(direction, microseconds, bytes)] as text2pcap understands the file."""
    capture = tmp_path / "converted.pcapng"
    shark.run("text2pcap", "-q", "-D", "-t", "ISO", "-l", 147, file, capture, env=dict(os.environ, **(env or {})))
    out = shark.run("tshark", "-n", "-r", capture, "-T", "fields", "-e", "frame.packet_flags_direction", "-e",
                    "frame.time_epoch", "-e", "data.data", "-o", 'uat:user_dlts:"User 0 (DLT=147)","data","0","","0",""')
    rows = [line.split("\t") for line in out.decode().splitlines()]
    return [("IO"[int(way, 16) - 1], shark.micros(at), bytes.fromhex(data)) for way, at, data in rows]


def joined(packets, way):
    return b"".join(data for direction, _, data in packets if direction == way)


def assert_form(file):
    for line in file.read_text().splitlines():
        assert line.startswith("# ") or HEAD.fullmatch(line) or LINE.fullmatch(line), line


IN = [b"41 42 43 #TEXT\x00\xff", b"second"]
OUT = b"0d 0a # |AB\n"


def meet(sockctl, pair, role, place, *words):
    """One that says OUT and hears IN; over datagrams the one that connects speaks first."""
    if place.dgram and role == "connect":
        sock = place.listen()
        proc = sockctl.connect(place, *words)
        proc.send(OUT)
        said, peer = sock.recvfrom(100)
        sock.connect(peer)
        for part in IN:
            sock.sendall(part)
    else:
        proc, sock = pair(role, place, *words)
        sock.sendall(IN[0])
        assert proc.read(len(IN[0])) == IN[0]
        proc.send(OUT)
        said = sock.recv(100)
        sock.sendall(IN[1])
        assert proc.read(len(IN[1])) == IN[1]
    assert said == OUT
    return proc, sock


@pytest.mark.whole("it shows what each read gave")
@pytest.mark.parametrize("role, kind", [*(("connect", kind) for kind in STREAMS + DATAGRAMS), ("listen", "tcp4"), ("listen", "udp4")])
def test_every_byte_comes_back(sockctl, pair, tmp_path, role, kind):
    place = Place(kind, tmp_path)
    file = tmp_path / "t"
    before = time.time_ns() // 1000
    proc, sock = meet(sockctl, pair, role, place, "--transcript", file)
    if place.dgram and role == "listen":
        proc.signal(15)
        proc.ends(-15)
    else:
        if not place.dgram:
            wire.close(sock)
        proc.finish()
    assert_form(file)
    packets = converted(file, tmp_path)
    assert joined(packets, "I") == b"".join(IN)
    assert joined(packets, "O") == OUT
    times = [at for _, at, _ in packets]
    assert before <= times[0] and times == sorted(times) and times[-1] <= time.time_ns() // 1000


def test_times_do_not_depend_on_the_zone(sockctl, tcp, tmp_path):
    file = tmp_path / "t"
    server = sockctl.serve("echo", tcp, "--count", 1, "--transcript", file, env={"TZ": "America/Lima"})
    assert sockctl.run("connect", *tcp.words(), stdin=b"x").ends() == b"x"
    server.ends()
    for zone in ("UTC", "Asia/Tokyo"):
        assert abs(converted(file, tmp_path, env={"TZ": zone})[0][1] - time.time_ns() // 1000) < 60_000_000


@pytest.mark.whole("it takes too long byte by byte")
@pytest.mark.parametrize("size", [1, 16, 17, 32768, 32769, 600_001])
def test_any_length(sockctl, tcp, tmp_path, size):
    data = wire.payload(size)
    server = sockctl.serve("echo", tcp, "--count", 1, "--transcript", tmp_path / "s")
    wire.same(sockctl.run("connect", "--transcript", tmp_path / "c", *tcp.words(), stdin=data).ends(), data)
    server.ends()
    for name in "sc" if size == 17 else "c":  # a conversion takes two seconds
        packets = converted(tmp_path / name, tmp_path)
        wire.same(joined(packets, "I"), data)
        wire.same(joined(packets, "O"), data)


def test_datagrams_stay_datagrams_also_empty_and_long_ones(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    file = tmp_path / "t"
    server = sockctl.serve("echo", place, "--transcript", file)
    sock = place.dial()
    for data in (b"one", b"", wire.payload(60000)):
        sock.send(data)
        assert sock.recv(65536) == data
    server.signal(15)
    server.ends()
    assert [(way, data) for way, _, data in converted(file, tmp_path)] == [
        ("I", b"one"), ("O", b"one"), ("I", wire.payload(60000)), ("O", wire.payload(60000))]
    assert len(re.findall(r"^# [IO] \S+ empty datagram$", file.read_text(), re.M)) == 2


def test_clients_share_a_file_and_are_told_apart(sockctl, tcp, tmp_path):
    file = tmp_path / "t"
    server = sockctl.serve("echo", tcp, "--count", 2, "--transcript", file)
    socks = [tcp.dial(), tcp.dial()]
    for sock, data in zip(socks * 2, (b"1a", b"2a", b"1b", b"2b")):
        sock.sendall(data)
        assert wire.read(sock, 2) == data
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        wire.close(sock)
    server.ends()
    said = re.findall(r"^# ([12]) 127\.0\.0\.1:(\d+)$", file.read_text(), re.M)
    assert said[:4] == [("1", str(ports[0])), ("2", str(ports[1]))] * 2
    assert joined(converted(file, tmp_path), "I") == b"1a2a1b2b"


def test_a_file_for_each_connection(sockctl, tcp, tmp_path):
    server = sockctl.serve("echo", tcp, "--count", 3, "--transcript", tmp_path / "t-%c-100%%")
    for i in range(3):
        assert sockctl.run("connect", *tcp.words(), stdin=b"client %d" % i).ends()
    server.ends()
    assert sorted(p.name for p in tmp_path.glob("t-*")) == ["t-1-100%", "t-2-100%", "t-3-100%"]
    for i in range(3):
        assert joined(converted(tmp_path / f"t-{i + 1}-100%", tmp_path), "I") == b"client %d" % i


def test_a_new_connection_has_the_next_number(sockctl, tcp, tmp_path):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--reconnect", "--transcript", tmp_path / "%c")
    for data in (b"first", b"second"):
        sock = wire.accept(listener)
        sock.sendall(data)
        assert proc.read(len(data)) == data
        wire.close(sock)
    proc.signal(15)
    proc.ends(-15)
    assert joined(converted(tmp_path / "1", tmp_path), "I") == b"first"
    assert joined(converted(tmp_path / "2", tmp_path), "I") == b"second"


def test_the_file_is_ours_alone_and_begins_anew(sockctl, tcp, tmp_path):
    file = tmp_path / "t"
    server = sockctl.serve("echo", tcp, "--count", 1, "--transcript", file, before_exec=lambda: os.umask(0))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("# what somebody else appended meanwhile\n" * 100)
    sockctl.run("connect", *tcp.words(), "--transcript", tmp_path / "c", stdin=b"x").ends()
    server.ends()
    (tmp_path / "c").write_text("old " * 1000)
    sockctl.run("connect", "--transcript", tmp_path / "c", "127.0.0.1", "1").ends(4)
    assert (tmp_path / "c").read_text() == ""


@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
@pytest.mark.parametrize("option, file, why", [("--transcript", "none/%c", "folder")] + [
    (option, file, why) for option in ("--transcript", "--pcap") for file, why in (
        ("none/t", "No such file"), (".", "directory"), ("link", "symbolic link"), ("", "No such file"))])
def test_a_file_that_cannot_be_had_is_a_usage_error(sockctl, tmp_path, mode, option, file, why):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    proc = sockctl.run(mode, option, tmp_path / file if file else "", "127.0.0.1:0" if mode != "connect" else "127.0.0.1:1")
    proc.ends(2)
    assert option in proc.complaint() and why in proc.complaint()
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("option", ["--transcript", "--pcap"])
def test_a_full_disk_stops_no_traffic_and_is_told(sockctl, tcp, tmp_path, option):
    """RLIMIT_FSIZE is the disk."""
    import resource

    file = tmp_path / "t"
    data = wire.payload(300_000)
    server = sockctl.serve("echo", tcp, "--count", 1, option, file,
                           before_exec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    wire.same(sockctl.run("connect", *tcp.words(), stdin=data).ends(), data)
    server.wait()
    assert server.code == 9, server
    lines = server.lines()
    assert len(lines) == 2 and "warning" in lines[0] and lines[1].startswith(f"sockctl: write {file}: "), lines
    assert 0 < file.stat().st_size <= 100_000
    if option == "--pcap":
        whole = shark.payloads(file)  # cut back to its last whole packet
        assert all(data.startswith(part) for part in whole[0].values())
    else:
        assert_form(file)
        packets = converted(file, tmp_path)
        assert data.startswith(joined(packets, "I")) and joined(packets, "I")


def test_a_file_that_cannot_be_opened_later_stops_no_traffic(sockctl, tcp, tmp_path):
    (tmp_path / "1").mkdir()
    server = sockctl.serve("echo", tcp, "--count", 2, "--transcript", tmp_path / "%c")
    for _ in range(2):
        assert sockctl.run("connect", *tcp.words(), stdin=b"x").ends() == b"x"
    server.wait()
    assert server.code == 9, server
    assert joined(converted(tmp_path / "2", tmp_path), "I") == b"x"


def test_nothing_is_written_without_an_option(sockctl, tcp, tmp_path):
    server = sockctl.serve("echo", tcp, "--count", 1)
    sockctl.run("connect", *tcp.words(), stdin=b"x").ends()
    server.ends()
    assert list(tmp_path.iterdir()) == []
