"""--fault on listening sockets: refused, kept waiting, reset, never accepted, dropped by the system."""
import errno
import os
import select
import signal
import socket

import pytest

import wire
from faulty import events, told, words
from place import Place

LOOPS = pytest.mark.usefixtures("loop")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events"


def ended(proc):
    proc.signal(signal.SIGTERM)
    proc.ends(0)


# refuse-for


@LOOPS
def test_bound_and_refusing(sockctl, place, log):
    """Ready is told at once: the port is known, and no other process can have it."""
    proc = sockctl.serve("echo", place, *words(log, "refuse-for=1h"))
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            place.dial()
    ended(proc)
    assert told(log) == [(None, "refuse-for", None, None, 3_600_000_000)]
    assert [e["ev"] for e in events(log)].index("ready") > 0


@LOOPS
@pytest.mark.parametrize("mode", ["echo", "listen"])
def test_a_waiting_client_gets_in(sockctl, place, mode):
    server = sockctl.serve(mode, place, "--fault", "refuse-for=300ms", stdin=b"at last" if mode == "listen" else b"")
    proc = sockctl.connect(place, "--wait", "1h", stdin=b"at last")
    assert proc.ends(0) == b"at last"
    if mode == "listen":
        assert server.ends(0) == b"at last"


def test_an_inherited_socket_listens_already(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.run("echo", "--fault", "refuse-for=1s", f"fd:{listener.fileno()}", pass_fds=(listener.fileno(),))
    assert proc.code == 2
    assert "listens already" in proc.complaint()


# accept-delay, accept-rst


@LOOPS
def test_kept_waiting(sockctl, place, log):
    """The client is connected and has a number; what it says is heard when the time has come."""
    proc = sockctl.serve("echo", place, *words(log, "accept-delay=200ms"))
    sock = place.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    wire.close(sock)
    ended(proc)
    assert told(log) == [(1, "accept-delay", None, None, 200_000)]
    order = [e["ev"] for e in events(log)]
    assert order.index("request") < order.index("fault") < order.index("open")
    fault, = events(log, "fault")
    opened, = events(log, "open")
    assert opened["us"] - fault["us"] >= 199_000


def test_others_do_not_wait_with_it(sockctl, tcp):
    sockctl.serve("echo", tcp, "--fault", "accept-delay=1h,conn=1")
    first, second = tcp.dial(), tcp.dial()
    first.sendall(b"x")
    second.sendall(b"y")
    assert wire.read(second, 1) == b"y"
    assert wire.silent(first)


@LOOPS
def test_accepted_and_reset(sockctl, tcp, log):
    proc = sockctl.serve("echo", tcp, "--count", "1", *words(log, "accept-rst,conn=1-2"))
    for _ in range(2):
        try:
            sock = tcp.dial()
            with pytest.raises(ConnectionResetError):
                wire.read(sock, 1)
        except ConnectionResetError:
            pass  # connect() itself met it
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.close(sock)
    proc.ends(0)  # those that were reset did not count
    assert told(log) == [(1, "accept-rst", None, None, None), (2, "accept-rst", None, None, None)]
    assert [e["conn"] for e in events(log, "open")] == [3]


def test_their_places_are_free_again(sockctl, tcp):
    proc = sockctl.serve("echo", tcp, "--max", "1", "--fault", "accept-rst,conn=1-3")
    for _ in range(3):
        try:
            wire.closed_without_a_byte(tcp.dial())
        except ConnectionResetError:
            pass
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    wire.close(sock)
    ended(proc)


# no-accept, backlog-full


@LOOPS
def test_never_accepted(sockctl, place, log):
    """Clients connect, because the system does that by itself, and hear nothing."""
    proc = sockctl.serve("serve", place, "--file", __file__, *words(log, "no-accept"))
    socks = [place.dial() for _ in range(3)]
    sender = socks[0].send(b"anybody?")
    assert sender == 8
    ended(proc)
    assert not events(log, "request") and not events(log, "open")
    for sock in socks:
        assert wire.closed_without_a_byte(sock)


def test_never_accepted_and_still_ended_by_run(sockctl, tcp):
    """The command's client gives up; the server does not wait for a peer that can never come in."""
    proc = sockctl.start("echo", "--fault", "no-accept", "--run", "exit 3", *tcp.words())
    proc.wait()
    assert proc.code == 3


@LOOPS
@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix"])
def test_the_queue_is_full(sockctl, tmp_path, kind, log):
    """Connecting is neither accepted nor refused: it times out."""
    place = Place(kind, tmp_path)
    server = sockctl.serve("echo", place, *words(log, "backlog-full"))
    proc = sockctl.connect(place, "-w", "0.3", stdin=b"")
    proc.ends(5)
    assert "no answer within 300ms" in proc.complaint()
    sock = wire.keep(socket.socket(place.family))
    sock.setblocking(False)
    assert sock.connect_ex(place._at()) in (errno.EINPROGRESS, errno.EAGAIN)
    if not place.unix:
        assert not select.select([], [sock], [], 0)[1]
    ended(server)
    assert told(log) == [(None, "backlog-full", None, None, None)]
    assert not events(log, "request")


def test_every_address_of_a_wildcard_is_full(sockctl, tcp):
    server = sockctl.serve("echo", ["0"], "--fault", "backlog-full")
    for host in ("127.0.0.1", "::1"):
        if host == "::1" and not os.path.exists("/proc/net/if_inet6"):
            continue
        proc = sockctl.start("connect", "-w", "0.3", host, str(server.port), stdin=b"")
        proc.ends(5)
    ended(server)


def test_refusing_first_and_full_then(sockctl, tcp, log):
    server = sockctl.serve("echo", tcp, *words(log, "refuse-for=200ms", "backlog-full"))
    with_a_wait = sockctl.connect(tcp, "--wait", "1s", "-w", "0.3", "-v", stdin=b"")
    with_a_wait.says(rb"no answer within")
    with_a_wait.ends(5)
    ended(server)
    assert [e["kind"] for e in events(log, "fault")] == ["refuse-for", "backlog-full"]
