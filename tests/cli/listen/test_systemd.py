"""What a service manager passes and wants to hear: listening sockets by number and by name, and READY=1.

Sockets are passed by a shell that does what the protocol says, and by systemd-socket-activate where there is one.
"""
import os
import socket

import pytest

import wire
from conftest import BINARY, make_place
from place import Place
from proc import NULL

KINDS = pytest.mark.parametrize("kind", ["tcp4", "tcp6", "udp4", "unix", "unix-dgram"])


@pytest.fixture
def activated(sockctl):
    """activated(mode, words, [place…], names=""): the server with our listening sockets, passed as the protocol says."""

    def make(mode, words, places, names="", **how):
        sockets = [place.listen() for place in places]
        fds = [sock.fileno() for sock in sockets]
        places_of_fds = " ".join(f"{3 + n}<&{50 + n} {50 + n}<&-" for n in range(len(fds)))
        moves = " ".join(f"{50 + n}<&{fd} {fd}<&-" for n, fd in enumerate(fds))
        env = {"LISTEN_FDS": str(len(fds)), **({"LISTEN_FDNAMES": names} if names else {})}
        script = f'exec {moves} {places_of_fds}; LISTEN_PID=$$ exec "$@"'
        how.setdefault("stdin", NULL)
        proc = sockctl.program(["bash", "-c", script, "bash", BINARY, mode, "-v", *words], env=env, pass_fds=fds, **how)
        for sock in sockets:
            sock.close()
        return proc

    return make


@pytest.fixture
def unix_places(tmp_path):
    """Some Unix sockets, each in a folder of its own."""

    def make(count):
        folders = [tmp_path / str(n) for n in range(count)]
        for folder in folders:
            folder.mkdir()
        return [Place("unix", folder) for folder in folders]

    return make


def echoes(sock):
    sock.settimeout(wire.DEADLINE)
    sock.send(b"hola")
    return (sock.recv(10) if sock.type == socket.SOCK_DGRAM else wire.read(sock, 4)) == b"hola"


@KINDS
@pytest.mark.parametrize("word", ["systemd", "fd:3"])
def test_every_kind_of_socket(activated, tmp_path, kind, word):
    place = make_place(kind, tmp_path)
    proc = activated("echo", [word], [place])
    proc.says(rb"listening on")
    assert echoes(place.dial())


@pytest.mark.parametrize("names, word, served", [
    ("one:two:two:three", "systemd", [0, 1, 2, 3]),
    ("one:two:two:three", "systemd:one", [0]),
    ("one:two:two:three", "systemd:two", [1, 2]),
    ("", "systemd", [0, 1, 2, 3]),
])
def test_names(activated, unix_places, names, word, served):
    """Those of a name, and no other; all of them without one."""
    places = unix_places(4)
    proc = activated("echo", [word, "-vv"], places, names)
    proc.says(rb"ready")
    assert proc.err.count(b"sockctl: listening on") == len(served)
    for n in served:
        assert echoes(places[n].dial())


@pytest.mark.parametrize("word, says", [("systemd:none", "no descriptor in"), ("systemd:two", "do not stand together")])
def test_names_that_do_not_fit(activated, unix_places, word, says):
    proc = activated("echo", [word], unix_places(3), "two:one:two")
    proc.wait()
    assert proc.code == 2
    assert says in proc.complaint()


@pytest.mark.parametrize("env, says", [({}, "are not set"), ({"LISTEN_FDS": "1", "LISTEN_PID": "1"}, "is not ours")])
def test_nothing_was_passed(sockctl, env, says):
    proc = sockctl.run("echo", "systemd", env=env)
    assert proc.code == 2
    assert says in proc.complaint()


@pytest.mark.parametrize("mode", ["listen", "serve", "chat"])
def test_other_modes(activated, tcp, mode):
    proc = activated(mode, ["systemd"], [tcp], stdin=b"")
    sock = tcp.dial()
    sock.sendall(b"hola\n")
    if mode == "chat":
        assert wire.read(sock, 2) == b"* "
    else:
        assert proc.read_until().endswith(b"hola\n")
    wire.close(sock)


def test_a_command_finds_an_inherited_socket(activated, unix_places):
    """And none of what was passed to us."""
    (place,) = unix_places(1)
    proc = activated("serve", ["systemd", "--run", f'echo "$SOCKCTL_ADDR $LISTEN_FDS" | {BINARY} connect "$SOCKCTL_ADDR"'],
                     [place])
    assert proc.ends(0) == f"[1] unix:{place.path} \n".encode()


# the real thing


def free_port(place):
    """Free a moment ago; the activating program takes no port 0."""
    place.bind().close()


@pytest.mark.parametrize("kind, options", [("tcp4", []), ("tcp6", []), ("unix", []), ("udp4", ["-d"]), ("unix-dgram", ["-d"])])
def test_systemd_socket_activate(sockctl, need, tmp_path, kind, options):
    """The server is started by the first client, whose bytes wait for it."""
    activate, place = need("systemd-socket-activate"), make_place(kind, tmp_path)
    if not place.unix:
        free_port(place)
    at = place.path if place.unix else place.shown()
    proc = sockctl.program([activate, *options, "-l", at, BINARY, "echo", "-v", "systemd"], stdin=NULL)
    proc.says(rb"Listening on")
    if place.unix:
        wire.keep_file(place.path)
    assert echoes(place.dial())
    proc.says(rb"sockctl: listening on")


def test_names_of_systemd_socket_activate(sockctl, need, unix_places):
    activate, places = need("systemd-socket-activate"), unix_places(2)
    proc = sockctl.program([activate, "-l", places[0].path, "-l", places[1].path, "--fdname", "left:right", BINARY, "echo", "-v",
                            "systemd:right"], stdin=NULL)
    proc.says(rb"Listening on(?s:.*)Listening on")
    for place in places:
        wire.keep_file(place.path)
    assert echoes(places[1].dial())
    proc.says(rb"sockctl: listening on")


# sd_notify


@pytest.fixture
def manager(tmp_path):
    """manager(name): a socket of a service manager; name is a path or @abstract."""

    def make(name):
        sock = wire.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sock.bind(("\0" + name[1:]) if name.startswith("@") else name)
        if not name.startswith("@"):
            wire.keep_file(name)
        sock.settimeout(wire.DEADLINE)
        return sock

    return make


@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
@pytest.mark.parametrize("abstract", [False, True])
def test_ready(sockctl, manager, tmp_path, mode, abstract):
    """When it comes every socket listens."""
    name = f"@sockctl-{os.getpid()}-{mode}" if abstract else str(tmp_path / "notify")
    sock = manager(name)
    proc = sockctl.start(mode, "--port-file", tmp_path / "port", "127.0.0.1", "0", env={"NOTIFY_SOCKET": name})
    assert sock.recv(1000) == b"READY=1"
    port = int((tmp_path / "port").read_text())
    wire.keep(socket.create_connection(("127.0.0.1", port)))
    assert proc.alive() and proc.lines() == []


@pytest.mark.parametrize("name", ["/nonexistent/notify", "relative", "@sockctl-nobody", "/" + "x" * 200, "vsock:2:1234"])
def test_no_manager_is_a_warning(sockctl, name):
    proc = sockctl.serve("echo", ["127.0.0.1", "0"], env={"NOTIFY_SOCKET": name})
    proc.says(rb"warning: \$NOTIFY_SOCKET ")
    assert proc.alive()


def test_a_full_manager_delays_no_server(sockctl, manager, tmp_path):
    name = str(tmp_path / "notify")
    manager(name)
    filler = wire.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    filler.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            filler.sendto(b"x", name)
    proc = sockctl.serve("echo", ["127.0.0.1", "0"], env={"NOTIFY_SOCKET": name})
    proc.says(rb"warning: \$NOTIFY_SOCKET .*temporarily unavailable")


def test_clients_are_not_told(sockctl, manager, tcp, tmp_path):
    sock = manager(str(tmp_path / "notify"))
    listener = tcp.listen()
    sockctl.connect(tcp, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}, stdin=b"", stdout=NULL)
    assert wire.read_eof(wire.accept(listener)) == b""
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(10)
