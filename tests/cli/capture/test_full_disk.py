"""Files beside the traffic on a disk that is full: the run ends with 9 and one line, also with -q, and what is there is whole."""
import re
import resource

import pytest

import shark
import wire
from place import make_place

KEY = re.compile(rb"[A-Z_]+[A-Z0-9_]* [0-9a-f]{64} [0-9a-f]+\n")


def disk(most):
    """RLIMIT_FSIZE is the disk."""
    return {"before_exec": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))}


def told(proc, path, why="File too large"):
    proc.wait()
    assert proc.code == 9, proc
    assert proc.complaint() == f"sockctl: write {path}: {why}"


def play(sockctl, file):
    """A record is read to its end before anything is dialed; one that has no step left is refused for that alone."""
    proc = sockctl.run("connect", "--talk", f"@{file}", "127.0.0.1:1")
    assert proc.code == 4 or "no step and no rule" in proc.complaint()


@pytest.mark.parametrize("most", [5_000, 40_000, 77_777, 100_000])
@pytest.mark.parametrize("option", ["--record", "--transcript", "--pcap"])
def test_whole_entries(sockctl, tcp, tmp_path, option, most):
    """Each piece of the traffic is longer than what is written of it at once."""
    file = tmp_path / "file"
    data = wire.payload(300_000)
    proc = sockctl.serve("echo", tcp, "-q", "--count", 1, option, file, **disk(most))
    wire.same(sockctl.run("connect", *tcp.words(), stdin=data).ends(), data)
    told(proc, file)
    text = file.read_bytes()
    assert len(text) <= most
    if option == "--pcap":
        assert all(data.startswith(part) for part in shark.payloads(file)[0].values())
        return
    assert text == b"" or text.endswith(b"\n")
    assert not text.endswith(b"\\\n")
    if option == "--record" and text:
        play(sockctl, file)


def test_a_record_of_one_long_step_is_left_out(sockctl, tcp, tmp_path):
    file = tmp_path / "file"
    data = wire.payload(60_000)
    proc = sockctl.serve("listen", tcp, "-q", "--record", file, stdin=b"", **disk(70_000))
    sock = tcp.dial()
    sock.sendall(b"begin")
    assert proc.read(5) == b"begin"
    sock.sendall(data)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b""
    wire.same(proc.read_eof(), data)
    told(proc, file)
    steps = [line for line in file.read_bytes().splitlines(keepends=True) if line.startswith(b"expect ")]
    assert steps and steps[0] == b'expect "begin"\n'
    assert not file.read_bytes().endswith(b"\\\n")


@pytest.mark.tls
@pytest.mark.parametrize("most", [100, 500, 600, 1000])
def test_a_key_log_has_whole_lines(sockctl, tmp_path, most):
    """Also what was there before: it is appended to."""
    file = tmp_path / "keys"
    file.write_bytes(b"# before\n")
    place = make_place("tls", tmp_path)
    proc = sockctl.serve("echo", place, "-q", "--count", 3, "--keylog", file, **disk(most))
    for _ in range(3):
        sock = place.dial()
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"
        wire.close(sock)
    told(proc, file)
    first, *lines = file.read_bytes().splitlines(keepends=True)
    assert first == b"# before\n" and bool(lines) == (most > 200)
    assert all(KEY.fullmatch(line) for line in lines), lines


@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
def test_a_port_file_is_whole_or_not_there(sockctl, tcp, tmp_path, mode):
    folder = tmp_path / "folder"
    folder.mkdir()
    proc = sockctl.start(mode, "-q", *tcp.words(), "--port-file", folder / "port", stdin=b"", **disk(2))
    proc.wait()
    assert proc.code == 9, proc
    assert re.fullmatch(rf"sockctl: write {folder}/port(\.[0-9a-f]+)?: File too large", proc.complaint())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("option", ["--record", "--transcript", "--pcap", pytest.param("--keylog", marks=pytest.mark.tls)])
def test_a_device_that_is_full(sockctl, tcp, tmp_path, option):
    place = make_place("tls", tmp_path) if option == "--keylog" else tcp
    proc = sockctl.serve("echo", place, "-q", "--count", 1, option, "/dev/full")
    sock = place.dial()
    sock.sendall(b"there")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"there"
    told(proc, "/dev/full", "No space left on device")
