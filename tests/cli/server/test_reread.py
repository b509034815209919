"""SIGUSR2: the files of --allow, --deny and --proxy-from are read again, whole or not at all, and no client that is in is cut."""
import os
import re
import signal
import socket

import pytest

import wire

READ, KEPT = rb"lists read again", rb"SIGUSR2: .*; the lists stay as they were"
MODES = ["serve", "echo", "chat", "listen"]


def admitted(address, data=b"hola\n"):
    """By echo."""
    sock = wire.keep(socket.create_connection(address))
    try:
        sock.sendall(data)
        return wire.read(sock, len(data)) == data
    except (AssertionError, ConnectionError):
        return False


def again(proc, words=READ):
    """After the signal, until it has said so once more."""
    before = len(re.findall(words, proc.err))
    proc.signal(signal.SIGUSR2)
    proc.says(rb"(?s)" + rb".*".join([words] * (before + 1)))


def replace(path, text):
    """As an editor or `kubectl` does it: another file takes the name."""
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("sandbox", ["auto", "off"])
@pytest.mark.parametrize("write", ["replace", "in place"])
@pytest.mark.parametrize("option", ["--allow", "--deny"])
def test_another_list(sockctl, tcp, tmp_path, option, write, sandbox):
    path = tmp_path / "list"
    good, bad = ("127.0.0.1\n", "192.0.2.0/24\n")[:: 1 if option == "--allow" else -1]
    put = replace if write == "replace" else lambda path, text: path.write_text(text)
    path.write_text(good)
    proc = sockctl.serve("echo", tcp, option, f"@{path}", "-v", "--sandbox", sandbox)
    at = ("127.0.0.1", tcp.port)
    present = wire.keep(socket.create_connection(at))
    present.sendall(b"one")
    assert wire.read(present, 3) == b"one"
    put(path, "# none of this\n" + bad)
    again(proc)
    assert not admitted(at)
    present.sendall(b"two")  # it is in, and stays
    assert wire.read(present, 3) == b"two"
    put(path, good)
    again(proc)
    assert admitted(at)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(sockctl, tcp, tmp_path, mode):
    path = tmp_path / "list"
    path.write_text("127.0.0.0/8\n")
    proc = sockctl.serve(mode, tcp, "--deny", f"@{path}", "-v", stdin=b"")
    assert wire.closed_without_a_byte(tcp.dial())
    path.write_text("")
    again(proc)
    sock = tcp.dial()
    sock.sendall(b"hola\n")
    if mode in ("serve", "listen"):
        assert proc.read_until(b"\n").endswith(b"hola\n")
    else:
        assert wire.read(sock, 2)


def test_relative_names(sockctl, tcp, tmp_path):
    (tmp_path / "list").write_text("192.0.2.1\n")
    proc = sockctl.serve("echo", tcp, "--allow", "@list", "-v", before_exec=lambda: os.chdir(tmp_path))
    (tmp_path / "list").write_text("127.0.0.1\n")
    again(proc)
    assert admitted(("127.0.0.1", tcp.port))


def test_a_link_that_is_swapped(sockctl, tcp, tmp_path):
    """As Kubernetes mounts a ConfigMap."""
    for name, text in (("..1", "192.0.2.1\n"), ("..2", "127.0.0.1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "list").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "list").symlink_to("..data/list")
    proc = sockctl.serve("echo", tcp, "--allow", f"@{tmp_path}/list", "-v")
    assert not admitted(("127.0.0.1", tcp.port))
    (tmp_path / "new").symlink_to("..2")
    os.replace(tmp_path / "new", tmp_path / "..data")
    again(proc)
    assert admitted(("127.0.0.1", tcp.port))


@pytest.mark.parametrize("text, why", [
    ("127.0.0.1\n10.0.0.300\n", 'list:2: "10.0.0.300": this is no IPv4 or IPv6 address'),
    ("nosuchname.example\n", 'list:1: "nosuchname.example": names are resolved at start only; expected an address'),
    ("a\0b\n", "a text file is expected"),
    (None, "open .*list: No such file or directory"),
    ("folder", "only a regular file can be read again"),
    ("pipe", "only a regular file can be read again"),
])
def test_a_wrong_list(sockctl, tcp, tmp_path, text, why):
    """Also the other list, which is good, stays as it was."""
    path, other = tmp_path / "list", tmp_path / "other"
    path.write_text("127.0.0.1\n")
    other.write_text("192.0.2.1\n")
    proc = sockctl.serve("echo", tcp, "--allow", f"@{path}", "--deny", f"@{other}")
    other.write_text("127.0.0.1\n")
    path.unlink()
    if text == "folder":
        path.mkdir()
    elif text == "pipe":
        os.mkfifo(path)
    elif text is not None:
        path.write_text(text)
    again(proc, KEPT)
    proc.says(f"SIGUSR2: --allow: .*{why}.*; the lists stay as they were\n".encode())
    assert admitted(("127.0.0.1", tcp.port))


def test_names_keep_their_addresses(sockctl, tcp, tmp_path):
    path = tmp_path / "list"
    path.write_text("localhost\n")
    proc = sockctl.serve("echo", tcp, "--allow", f"@{path}", "--allow", "192.0.2.9", "-v")
    path.write_text("192.0.2.1\nlocalhost # still\n")
    again(proc)
    assert admitted(("127.0.0.1", tcp.port))


def test_a_list_from_a_pipe(sockctl, tcp):
    """It is read at start, and cannot be read again."""
    reads, writes = os.pipe()
    os.write(writes, b"127.0.0.1\n")
    os.close(writes)
    proc = sockctl.serve("echo", tcp, "--allow", f"@/dev/fd/{reads}", pass_fds=(reads,))
    os.close(reads)
    again(proc, rb"only a regular file can be read again, and /dev/fd/\d+ is none; the lists stay as they were")
    assert admitted(("127.0.0.1", tcp.port))


def test_many_files(sockctl, tcp, tmp_path):
    words = []
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "list").write_text(f"192.0.2.{number}\n")
        words += ["--allow", f"@{tmp_path}/d{number}/list"]
    proc = sockctl.serve("echo", tcp, *words, "-v")
    (tmp_path / "d19" / "list").write_text("127.0.0.1\n")
    again(proc, rb"lists read again: 20 allowed, 0 denied")
    assert admitted(("127.0.0.1", tcp.port))


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
@pytest.mark.parametrize("more", [["--user", "nobody"], ["--user", "nobody", "--chroot"]], ids=["user", "chroot"])
def test_another_user_and_root(sockctl, tcp, tmp_path, more):
    folder = tmp_path
    while folder != folder.parent and folder.stat().st_uid == os.getuid() and str(folder) != "/tmp":
        folder.chmod(0o755)
        folder = folder.parent
    path, root = tmp_path / "list", tmp_path / "root"
    root.mkdir()
    path.write_text("192.0.2.1\n")
    proc = sockctl.serve("echo", tcp, "--allow", f"@{path}", "-v", *more, *([root] if "--chroot" in more else []),
                         env={"ASAN_OPTIONS": "detect_leaks=0"})  # which needs /proc
    path.write_text("127.0.0.1\n")
    again(proc)
    assert admitted(("127.0.0.1", tcp.port))


def test_datagrams(sockctl, tmp_path):
    """A peer that is in stays; a new one is asked by the new list."""
    path = tmp_path / "list"
    path.write_text("127.0.0.1\n")
    proc = sockctl.serve("echo", ["udp://127.0.0.1:0"], "--allow", f"@{path}", "-v")

    def peer(source):
        sock = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", proc.port))
        return sock

    first, second = peer("127.0.0.1"), peer("127.0.0.2")
    first.send(b"x")
    assert first.recv(9) == b"x"
    path.write_text("127.0.0.2\n")
    again(proc)
    second.send(b"y")
    assert second.recv(9) == b"y"
    first.send(b"z")
    assert first.recv(9) == b"z"


def test_proxies(sockctl, tcp, tmp_path):
    path = tmp_path / "list"
    path.write_text("192.0.2.1\n")
    proc = sockctl.serve("echo", tcp, "--proxy-in", "v1", "--proxy-from", f"@{path}", "-v")
    header = b"PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\n"
    assert wire.closed_without_a_byte(tcp.dial())
    path.write_text("127.0.0.1\n")
    again(proc)
    sock = tcp.dial()
    sock.sendall(header + b"hola")
    assert wire.read(sock, 4) == b"hola"


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", [*MODES, "connect"])
def test_without_a_list(pair, place, mode):
    """The signal means nothing, and ends no run."""
    proc, sock = pair(mode, place, *(("--allow", "127.0.0.1", "--allow", "::1") if mode != "connect" else ()))
    proc.signal(signal.SIGUSR2)
    proc.signal(signal.SIGUSR1)  # is answered after it
    proc.says(rb"sent \d+B")
    sock.sendall(b"hola\n")
    wire.half_close(sock)
    if mode == "echo":
        assert wire.read(sock, 5) == b"hola\n"
    assert proc.alive()
    assert b"USR2" not in proc.err
