"""Each way to write an address, for clients and for servers, comes to the same socket."""
import os
import socket

import pytest

import book
import wire
from place import Place, has_ipv6

v6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def say_hello(proc, sock):
    """Both ways and to the end: it is a connection."""
    proc.send(b"hello\n")
    assert wire.read(sock, 6) == b"hello\n"
    sock.sendall(b"hi\n")
    assert proc.read(3) == b"hi\n"
    sock.close()
    proc.finish(0)


CLIENT = {
    "two-words": ["127.0.0.1", "{port}"],
    "colon": ["127.0.0.1:{port}"],
    "name": ["localhost", "{port}"],
    "name-colon": ["localhost:{port}"],
    "numeric": ["-n", "127.0.0.1", "{port}"],
    "url": ["tcp://127.0.0.1:{port}"],
    "url4": ["tcp4://127.0.0.1:{port}"],
    "url4-name": ["tcp4://localhost:{port}"],
    "letter4": ["-4", "localhost", "{port}"],
    "options-after": ["127.0.0.1", "{port}", "-v", "--numeric"],
    "options-between": ["127.0.0.1", "-4", "{port}"],
    "leading-zero": ["127.0.0.1", "0{port}"],
}
CLIENT6 = {
    "two-words": ["::1", "{port}"],
    "brackets": ["[::1]:{port}"],
    "url": ["tcp://[::1]:{port}"],
    "url6": ["tcp6://[::1]:{port}"],
    "url-zone": ["tcp://[::1%25lo]:{port}"],
    "url6-zone-plain": ["tcp6://[::1%lo]:{port}"],
    "letter6": ["-6", "::1", "{port}"],
    "long-option": ["--ipv6", "::1", "{port}"],
}


@pytest.mark.parametrize("form", CLIENT)
def test_client(sockctl, tmp_path, form):
    place = Place("tcp4", tmp_path)
    listener = place.listen()
    proc = sockctl.start("connect", *[w.format(port=place.port) for w in CLIENT[form]])
    say_hello(proc, wire.accept(listener))


@v6
@pytest.mark.parametrize("form", CLIENT6)
def test_client6(sockctl, tmp_path, form):
    place = Place("tcp6", tmp_path)
    listener = place.listen()
    proc = sockctl.start("connect", *[w.format(port=place.port) for w in CLIENT6[form]])
    say_hello(proc, wire.accept(listener))


SERVER = {
    "bare-port": (["0"], ["127.0.0.1", "::1"], []),
    "local": (["--local", "0"], ["127.0.0.1", "::1"], []),
    "two-words": (["127.0.0.1", "0"], ["127.0.0.1"], ["::1"]),
    "colon": (["127.0.0.1:0"], ["127.0.0.1"], ["::1"]),
    "letter4": (["-4", "0"], ["127.0.0.1"], ["::1"]),
    "letter6": (["-6", "0"], ["::1"], ["127.0.0.1"]),
    "brackets": (["[::1]:0"], ["::1"], ["127.0.0.1"]),
    "two-words6": (["::1", "0"], ["::1"], ["127.0.0.1"]),
    "url": (["tcp://127.0.0.1:0"], ["127.0.0.1"], []),
    "url6": (["tcp6://[::1]:0"], ["::1"], []),
    "url-name": (["tcp4://localhost:0"], ["127.0.0.1"], []),
}


@v6
@pytest.mark.parametrize("form", SERVER)
def test_server(sockctl, form):
    words, open_at, shut_at = SERVER[form]
    proc = sockctl.serve("echo", words)
    for host in open_at:
        sock = wire.keep(socket.create_connection((host, proc.port)))
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"
    for host in shut_at:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, proc.port))


@v6
def test_local_is_loopback_only(sockctl, need):
    ss = need("ss")
    proc = sockctl.serve("echo", ["--local", "0"])
    table = sockctl.program([ss, "-Hltn", f"sport = :{proc.port}"]).ends(0).decode()
    heard = sorted(line.split()[3] for line in table.splitlines())
    assert heard == sorted([f"127.0.0.1:{proc.port}", f"[::1]:{proc.port}"])


UNIX = {"url": ["unix:{path}"], "letter": ["-U", "{path}"], "word": ["--unix", "{path}"], "relative": ["unix:{name}"]}


@pytest.mark.parametrize("form", UNIX)
def test_unix(sockctl, tmp_path, form, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Place("unix", tmp_path)
    words = [w.format(path=place.path, name=os.path.basename(place.path)) for w in UNIX[form]]
    proc = sockctl.serve("listen", words)
    say_hello(proc, place.dial())
    listener = place.listen()
    client = sockctl.start("connect", *words)
    say_hello(client, wire.accept(listener))


@pytest.mark.skipif(not os.path.exists("/proc/net/unix"), reason="abstract names are Linux's")
def test_unix_abstract(sockctl):
    name = f"@sockctl-test-{os.getpid()}"
    server = sockctl.serve("echo", [f"unix:{name}"])
    client = sockctl.start("connect", f"unix:{name}", stdin=b"abstract")
    assert client.ends(0) == b"abstract"
    assert server.alive()


DATAGRAM = {
    "letter": ["-u", "127.0.0.1", "{port}"],
    "word": ["--udp", "127.0.0.1:{port}"],
    "url": ["udp://127.0.0.1:{port}"],
    "url4": ["udp4://localhost:{port}"],
    "letters": ["-u4", "localhost", "{port}"],
    "url6": ["udp6://[::1]:{port}"],
    "letter6": ["-u", "::1", "{port}"],
}


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("form", DATAGRAM)
def test_udp(sockctl, form):
    if ":1" in " ".join(DATAGRAM[form]).replace(".1:", "") and not has_ipv6():
        pytest.skip("no IPv6 here")
    server = sockctl.serve("echo", [w.format(port=0) for w in DATAGRAM[form]])
    client = sockctl.start("connect", *[w.format(port=server.port) for w in DATAGRAM[form]], "--replies", "1", stdin=b"hello")
    assert client.ends(0) == b"hello"


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_unix_dgram(sockctl, tmp_path):
    words = [f"unix-dgram:{tmp_path}/s"]
    sockctl.serve("echo", words)
    client = sockctl.start("connect", *words, "--replies", "1", stdin=b"hello")
    assert client.ends(0) == b"hello"


def test_inherited_connection(sockctl):
    ours, theirs = socket.socketpair()
    wire.keep(ours)
    proc = sockctl.start("connect", f"fd:{theirs.fileno()}", pass_fds=[theirs.fileno()])
    theirs.close()
    say_hello(proc, ours)


@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
def test_inherited_listener(sockctl, tcp, mode):
    listener = tcp.listen()
    proc = sockctl.serve(mode, [f"fd:{listener.fileno()}"], pass_fds=[listener.fileno()])
    wire.close(listener)
    sock = tcp.dial()
    if mode == "listen":
        say_hello(proc, sock)
    elif mode == "echo":
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"


def test_systemd(sockctl, tcp):
    """LISTEN_PID, LISTEN_FDS: the first descriptor is 3."""
    listener = tcp.listen()
    shell = f'LISTEN_PID=$$ LISTEN_FDS=1 exec {sockctl.binary} echo systemd 3<&{listener.fileno()}'
    sockctl.program(["bash", "-c", shell], pass_fds=[listener.fileno()])
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"


def test_service_name(sockctl):
    try:
        port = socket.getservbyname("discard", "tcp")
    except OSError:
        pytest.skip("no /etc/services here")
    proc = sockctl.run("connect", "127.0.0.1", "discard")
    if proc.code == 0:
        pytest.skip("the discard port has a listener")
    assert proc.code == 4
    assert f"127.0.0.1:{port}" in proc.complaint() or "discard" in proc.complaint()


def test_verbose_server_says_every_interface(sockctl):
    proc = sockctl.serve("echo", ["-v", "0"])
    proc.says(rb"listening on .*:%d" % proc.port)


def test_habit_of_options_before_and_after(sockctl, tcp):
    sockctl.serve("echo", tcp)
    client = sockctl.start("connect", "-4", "127.0.0.1", "-n", str(tcp.port), "-q", stdin=b"around")
    assert client.ends(0) == b"around"


@v6
@pytest.mark.parametrize("server", ["tcp://[fe80::7%25lo]:0", "tcp6://[fe80::7%lo]:0", "[fe80::7%lo]:0"])
@pytest.mark.parametrize("client", ['"$SOCKCTL_ADDR"', '"tcp://[fe80::7%25lo]:$SOCKCTL_PORT"', '"fe80::7%lo" "$SOCKCTL_PORT"'])
def test_a_link_local_address(tmp_path, server, client):
    """With the interface behind %25, as URLs have it, and as sockctl writes its own."""
    out, err, code = book.run(f"""ip addr add fe80::7/64 dev lo nodad
sockctl echo '{server}' --drain 1h --run 'echo "$SOCKCTL_ADDR" >&2; printf hola | sockctl connect {client}'
""", tmp_path)
    assert (out, code) == ("hola", 0), err
    assert "tcp://[fe80::7%25lo]:" in err
