"""Admission: lists with files, places of an address, and how many a second; over IPv4, IPv6 and IPv4 in IPv6's disguise."""
import contextlib
import json
import socket

import pytest

import wire
from place import has_ipv6

pytestmark = pytest.mark.usefixtures("loop")

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def dial(port, host="127.0.0.1", source=None):
    return wire.keep(socket.create_connection((host, port), source_address=(source, 0) if source else None))


def is_in(sock):
    with contextlib.suppress(ConnectionError, AssertionError):  # or an end
        sock.sendall(b"hola")
        return wire.read(sock, 4) == b"hola"
    return False


def reasons(log):
    return [e["reason"] for e in map(json.loads, log.read_text().splitlines()) if e["ev"] == "reject"]


# by list


FAMILIES = [
    ("127.0.0.1:0", [], "127.0.0.1", "127.0.0.0/8"),
    pytest.param("[::1]:0", [], "::1", "::/64", marks=needs_ipv6),
    pytest.param("[::]:0", ["-o", "v6only=off"], "127.0.0.1", "127.0.0.1", marks=needs_ipv6),
    pytest.param("[::]:0", ["-o", "v6only=off"], "127.0.0.1", "::ffff:127.0.0.0/104", marks=needs_ipv6),
]


@pytest.mark.parametrize("address,words,host,rule", FAMILIES)
@pytest.mark.parametrize("how", ["words", "file"])
def test_lists(sockctl, tmp_path, address, words, host, rule, how):
    (tmp_path / "list").write_text(f"# who\n\n  192.0.2.0/24 # nobody\r\n{rule}\n")
    said = rule if how == "words" else f"@{tmp_path}/list"
    allowing = sockctl.serve("echo", [address], *words, "--allow", said)
    denying = sockctl.serve("echo", [address], *words, "--deny", said)
    both = sockctl.serve("echo", [address], *words, "--deny", said, "--allow", said)
    other = sockctl.serve("echo", [address], *words, "--allow", "192.0.2.0/24")
    assert is_in(dial(allowing.port, host))
    for server in (denying, both, other):
        assert wire.closed_without_a_byte(dial(server.port, host))


@needs_ipv6
def test_everybody_of_ipv6_is_not_ipv4_in_disguise(sockctl):
    server = sockctl.serve("echo", ["[::]:0"], "-o", "v6only=off", "--deny", "::/0")
    assert is_in(dial(server.port)) and not is_in(dial(server.port, "::1"))


@pytest.mark.parametrize("line", ["10.0.0.300", "10.0.0.0/33", "nobody here", "10.0.0.1/", "fe80::1%lo"])
def test_a_wrong_line_of_a_file_is_named(sockctl, tmp_path, line):
    (tmp_path / "list").write_text(f"127.0.0.1\n{line}\n")
    proc = sockctl.run("echo", "--deny", f"@{tmp_path}/list", "0")
    assert proc.code == 2 and f"{tmp_path}/list:2: " in proc.complaint()


def test_an_empty_list_allows_no_peer(sockctl, tcp, tmp_path):
    (tmp_path / "list").write_text("# nobody yet\n")
    sockctl.serve("echo", tcp, "--allow", f"@{tmp_path}/list")
    assert wire.closed_without_a_byte(tcp.dial())


# by address


@pytest.mark.parametrize("address,words,host", [
    ("127.0.0.1:0", [], "127.0.0.1"), pytest.param("[::1]:0", [], "::1", marks=needs_ipv6),
    pytest.param("[::]:0", ["-o", "v6only=off"], "127.0.0.1", marks=needs_ipv6)])
def test_places_of_an_address(sockctl, tmp_path, address, words, host):
    log = tmp_path / "log"
    server = sockctl.serve("echo", [address], *words, "--max-per-ip", "2", "--events", log)
    inside = [dial(server.port, host) for _ in range(2)]
    assert all(map(is_in, inside))
    assert wire.closed_without_a_byte(dial(server.port, host))
    if host == "127.0.0.1":
        assert is_in(dial(server.port, host, "127.0.0.2"))
    wire.half_close(inside[0])
    assert wire.read_eof(inside[0]) == b""
    assert is_in(dial(server.port, host))
    assert reasons(log) == ["per_ip"]


# by time: a rate so low that no machine is too slow for it


@pytest.mark.parametrize("rate", ["1", "1/s"])
@pytest.mark.parametrize("mode", ["serve", "echo"])
def test_rate(sockctl, tcp, tmp_path, rate, mode):
    """Of many that come at once the first is let in, and never more than one each second that has passed."""
    log = tmp_path / "log"
    proc = sockctl.serve(mode, tcp, "--conn-rate", rate, "--events", log, *(["-e", "cat"] if mode == "serve" else []))
    socks = [tcp.dial() for _ in range(40)]
    inside = [is_in(sock) for sock in socks]
    assert inside[0]
    proc.signal(15)
    proc.wait()
    at = [e["us"] / 1e6 for e in map(json.loads, log.read_text().splitlines()) if e["ev"] == "open"]
    assert len(at) == sum(inside)
    assert all(late - early > 0.9 for early, late in zip(at, at[1:]))
    assert reasons(log) == ["rate"] * (40 - len(at))


@pytest.mark.whole("what a program writes in one call is a datagram")
def test_programs_for_datagrams_have_a_rate_of_their_own(sockctl, tmp_path):
    """Ten a second, because an address can be forged; unless something else is asked for."""
    log = tmp_path / "log"
    server = sockctl.serve("serve", ["udp://127.0.0.1:0"], "--events", log, "-e", "cat")
    free = sockctl.serve("serve", ["udp://127.0.0.1:0"], "--conn-rate", "0", "-e", "cat")
    socks = []
    for _ in range(60):
        sock = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.connect(("127.0.0.1", server.port))
        sock.send(b"hola")
        socks.append(sock)
    assert socks[0].recv(100) == b"hola"
    wire.until(lambda: "rate" in reasons(log), "some are turned away")
    for _ in range(30):
        sock = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.connect(("127.0.0.1", free.port))
        sock.send(b"hola")
        assert sock.recv(100) == b"hola"


@pytest.mark.parametrize("text", ["-1", "1/m", "1/", "x", "1000001", ""])
def test_a_wrong_rate(sockctl, text):
    proc = sockctl.run("echo", f"--conn-rate={text}", "0")
    assert proc.code == 2 and "--conn-rate" in proc.complaint()
