"""Few descriptors are allowed: a server takes as many clients as fit, says so, and serves all of them; more than fit are refused."""
import re
import signal

import pytest

import wire
from place import Place, make_place
from program import has_tls

LIMITS = [24, 64]
KINDS = ["tcp4", "unix", *(["tls"] if has_tls() else [])]
SERVICES = {
    "echo": ("echo", []),
    "console": ("serve", []),
    "chat": ("chat", []),
    "exec": ("serve", ["-e", "cat"]),
    "pty": ("serve", ["--pty", "-e", "cat"]),
    "socket": ("serve", ["--exec-socket", "-e", "cat"]),
    "file": ("serve", ["--file", "PATH"]),
    "talk": ("serve", ["--talk", 'send "xx"\nhang']),
    "forward": ("serve", ["--forward", "FAR"]),
    "zero": ("serve", ["--zero"]),
    "transcripts": ("echo", ["--transcript", "FOLDER/%c"]),
}


def words_of(name, sockctl, tmp_path):
    mode, words = SERVICES[name]
    (tmp_path / "file").write_bytes(b"x" * 100)
    far = ""
    if "FAR" in words:
        target = Place("tcp4", tmp_path)
        sockctl.serve("echo", target)
        far = target.shown()
    return mode, [w.replace("PATH", str(tmp_path / "file")).replace("FAR", far).replace("FOLDER", str(tmp_path)) for w in words]


def greet(name, proc, sock, number):
    """The service is there for this client."""
    if name in ("echo", "exec", "socket", "forward", "transcripts", "pty"):
        sock.sendall(b"%03d\n" % number)
        assert wire.read(sock, 3) == b"%03d" % number
    elif name == "console":
        sock.sendall(b"%03d\n" % number)
        assert proc.read_until().endswith(b"%03d\n" % number)
    else:
        assert wire.read(sock, 2) in (b"* ", b"xx", b"\0\0")


def most_of(proc, limit):
    return int(proc.says(rb"the system allows %d open files: at most (\d+) clients? at a time instead of 100" % limit)[1])


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SERVICES)
def test_as_many_as_fit_are_served(sockctl, tmp_path, name, kind, limit):
    if kind == "tls" and name == "socket":
        pytest.skip("a program cannot have a TLS connection as its socket")
    place = make_place(kind, tmp_path)
    mode, words = words_of(name, sockctl, tmp_path)
    proc = sockctl.serve(mode, place, "--drain", "1h", "-v", *words, nofile=(limit, limit))
    most = most_of(proc, limit)
    assert most >= 1
    twice = name in ("echo", "chat", "transcripts")
    for _ in range(2 if twice else 1):  # once more, while those before may still linger
        socks = [place.dial() for _ in range(most)]
        for number, sock in enumerate(socks):
            greet(name, proc, sock, number)
        for sock in socks:
            wire.close(sock)
        for sock in socks if twice else []:  # gone, and their places free
            proc.says(rb"closed by")
            assert b"paused" not in proc.err, proc
            del proc.err[:proc.err.index(b"closed by") + 9]
        assert b"paused" not in proc.err, proc
    proc.signal(signal.SIGTERM)
    proc.wait()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["echo", "serve", "chat"])
def test_24_do_for_4(sockctl, tmp_path, kind, mode):
    place = make_place(kind, tmp_path)
    proc = sockctl.serve(mode, place, "--max", 4, nofile=(24, 24))
    socks = [place.dial() for _ in range(4)]
    for number, sock in enumerate(socks):
        greet({"serve": "console"}.get(mode, mode), proc, sock, number)
    assert b"system allows" not in proc.err and b"paused" not in proc.err, proc


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("kind", KINDS)
def test_listen(sockctl, tmp_path, kind, limit):
    """Whose one client needs little; there is nothing to say."""
    place = make_place(kind, tmp_path)
    proc = sockctl.serve("listen", place, "-e", "cat", nofile=(limit, limit))
    sock = place.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.half_close(sock)
    wire.read_eof(sock)
    proc.ends(0)
    assert proc.lines() == []


@pytest.mark.parametrize("kind", KINDS)
def test_connect(sockctl, tmp_path, kind):
    place = make_place(kind, tmp_path)
    listener = place.listen()
    proc = sockctl.connect(place, stdin=b"x", nofile=(24, 24))
    sock = wire.accept(listener)
    assert wire.read(sock, 1) == b"x"
    wire.close(sock)
    proc.wait()
    assert proc.code == 0, proc


def test_datagram_peers_share_one_socket(sockctl, tmp_path):
    place = make_place("udp4", tmp_path)
    proc = sockctl.serve("echo", place, nofile=(24, 24))
    for number in range(40):
        sock = place.dial()
        sock.send(b"%d" % number)
        assert sock.recv(10) == b"%d" % number
    assert b"system allows" not in proc.err


@pytest.mark.parametrize("mode, words", [("echo", []), ("serve", []), ("chat", []), ("serve", ["-e", "cat"]), ("serve", ["--zero"])])
def test_more_than_fit_are_refused(sockctl, tcp, mode, words):
    proc = sockctl.run(mode, "--max", 60, *words, *tcp.words(), nofile=(64, 64))
    assert proc.code == 2
    found = re.search(r"this run needs (\d+) open files and the system allows 64; lower --max", proc.complaint())
    assert found and int(found[1]) > 64
    fits = 60 - (int(found[1]) - 64) // (3 if "-e" in words else 1) - 1
    sockctl.serve(mode, tcp, "--max", fits, *words, nofile=(64, 64))


@pytest.mark.parametrize("mode, option", [("echo", True), ("serve", True), ("chat", True), ("listen", False)])
def test_no_advice_that_does_not_exist(sockctl, tcp, mode, option):
    """listen has no --max."""
    proc = sockctl.run(mode, *(["--max", 5] if option else []), *tcp.words(), nofile=(12, 12))
    assert proc.code == 2
    assert "the system allows 12" in proc.complaint()
    assert ("--max" in proc.complaint()) == option
    assert "ulimit -n" in proc.complaint()
