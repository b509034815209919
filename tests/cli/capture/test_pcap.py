"""--pcap: tshark reads what passed, for every transport, and finds nothing to complain of."""
import pytest

import shark
import wire
from place import DATAGRAMS, STREAMS, Place

pytestmark = pytest.mark.whole("a packet for each byte")


@pytest.mark.parametrize("kind, size", [*((kind, 5) for kind in STREAMS), ("tcp4", 2_000_003), ("tls", 2_000_003)])
def test_both_ends_capture_the_same_conversation(sockctl, tmp_path, kind, size):
    place = Place(kind, tmp_path)
    data = wire.payload(size)
    server = sockctl.serve("echo", place, "--count", 1, "--pcap", tmp_path / "server")
    wire.same(sockctl.run("connect", "--pcap", tmp_path / "client", *place.words(), stdin=data).ends(), data)
    server.ends()
    for file in (tmp_path / "server", tmp_path / "client"):
        conversations, flags = shark.conversations(file)
        (streams,) = conversations.values()
        assert len(streams) == 2
        for part in streams.values():
            wire.same(part, data)
        flags = [each & 0x17 for each in flags]
        assert flags[:3] == [2, 0x12, 0x10] and flags.count(0x11) == 2 and 4 not in flags


@pytest.mark.parametrize("kind", ["tcp4", "tcp6"])
def test_addresses_ports_and_directions_are_the_real_ones(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve("echo", place, "--count", 1, "--pcap", tmp_path / "p")
    sock = place.dial()
    sock.sendall(b"hola")
    assert wire.read(sock, 4) == b"hola"
    us, them = place.port, sock.getsockname()[1]
    wire.close(sock)
    server.ends()
    ip = "ipv6" if kind == "tcp6" else "ip"
    rows = shark.packets(tmp_path / "p", f"{ip}.src", f"{ip}.dst", "tcp.srcport", "tcp.dstport", "frame.packet_flags_direction",
                         only="tcp.len > 0")
    assert [[*row[:4], int(row[4], 16)] for row in rows] == [
        [place.host, place.host, str(them), str(us), 1], [place.host, place.host, str(us), str(them), 2]]


def test_a_stream_can_be_followed(sockctl, tcp, tmp_path):
    server = sockctl.serve("echo", tcp, "--count", 1, "--pcap", tmp_path / "p")
    assert sockctl.run("connect", *tcp.words(), stdin=b"hola\n").ends() == b"hola\n"
    server.ends()
    out = shark.run("tshark", "-n", "-r", tmp_path / "p", "-q", "-z", "follow,tcp,raw,0").decode()
    assert "\n686f6c610a\n\t686f6c610a\n" in out


@pytest.mark.parametrize("kind", ["tcp4", "unix"])
def test_many_clients_in_one_file(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve("echo", place, "--count", 5, "--pcap", tmp_path / "p")
    socks = [place.dial() for _ in range(5)]
    for turn in (b"a", b"b"):
        for i, sock in enumerate(socks):
            sock.sendall(b"%d%s" % (i, turn))
            assert wire.read(sock, 2) == b"%d%s" % (i, turn)
    for sock in socks:
        wire.close(sock)
    server.ends()
    found = sorted(tuple(one.values()) for one in shark.conversations(tmp_path / "p")[0].values())
    assert found == [(b"%da%db" % (i, i),) * 2 for i in range(5)]


def test_unix_sockets_get_a_made_up_network(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    server = sockctl.serve("echo", place, "--count", 2, "--pcap", tmp_path / "p")
    for _ in range(2):
        sockctl.run("connect", *place.words(), "--pcap", tmp_path / "c", stdin=b"x").ends()
    server.ends()
    ends = {tuple(row) for row in shark.packets(tmp_path / "p", "ip.src", "tcp.srcport", only="tcp.flags.syn==1")}
    assert ends == {("127.0.0.1", "1"), ("127.0.0.2", "1024"), ("127.0.0.2", "1025")}
    assert shark.packets(tmp_path / "c", "ip.src", only="tcp.flags.syn==1 && tcp.flags.ack==0") == [["127.0.0.2"]]


@pytest.mark.parametrize("kind", DATAGRAMS)
def test_datagrams_stay_datagrams(sockctl, tmp_path, kind):
    place = Place(kind, tmp_path)
    server = sockctl.serve("echo", place, "--pcap", tmp_path / "p")
    socks = [place.dial(), place.dial()]
    sent = [b"one", b"", wire.payload(60001), b"\0"]
    for data in sent:
        for sock in socks:
            sock.send(data)
            assert sock.recv(65536) == data
    server.signal(15)
    server.ends()
    assert shark.complaints(tmp_path / "p") == []
    rows = shark.packets(tmp_path / "p", "udp.stream", "udp.payload", "frame.packet_flags_direction")
    for stream in ("0", "1"):
        for way in (1, 2):
            assert [bytes.fromhex(row[1]) for row in rows if row[0] == stream and int(row[2], 16) == way] == sent


@pytest.mark.parametrize("kind, most", [("udp4", 65507), ("udp6", 65527)])
def test_the_longest_datagram(sockctl, tmp_path, kind, most):
    place = Place(kind, tmp_path)
    server = sockctl.serve("serve", place, "--discard", "--pcap", tmp_path / "p")
    sock = place.dial()
    sock.send(b"first")
    sock.send(wire.payload(most))
    wire.until(lambda: (tmp_path / "p").stat().st_size > most, "the datagram in the file")
    server.signal(15)
    server.ends()
    assert shark.complaints(tmp_path / "p") == []
    rows = shark.packets(tmp_path / "p", "udp.payload")
    wire.same(bytes.fromhex(rows[1][0]), wire.payload(most))


def test_a_udp_client_is_captured(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    sock = place.listen()
    proc = sockctl.connect(place, "--replies", 1, "--pcap", tmp_path / "p", stdin=b"ping")
    data, peer = sock.recvfrom(100)
    sock.sendto(b"pong", peer)
    assert proc.ends() == b"pong"
    rows = shark.packets(tmp_path / "p", "ip.src", "udp.srcport", "udp.dstport", "udp.payload")
    assert rows == [["127.0.0.1", str(peer[1]), str(place.port), b"ping".hex()],
                    ["127.0.0.1", str(place.port), str(peer[1]), b"pong".hex()]]
    assert shark.complaints(tmp_path / "p") == []


def test_a_reset_is_one(sockctl, tcp, tmp_path):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "--pcap", tmp_path / "p")
    sock = wire.accept(listener)
    sock.sendall(b"half of")
    assert proc.read(7) == b"half of"
    wire.reset(sock)
    proc.finish(7)
    rows = shark.packets(tmp_path / "p", "tcp.srcport", only="tcp.flags.reset==1")
    assert rows == [[str(tcp.port)]]
    assert shark.complaints(tmp_path / "p") == []


def test_a_port_that_is_used_again_is_another_stream(sockctl, tcp, tmp_path):
    import socket

    server = sockctl.serve("echo", tcp, "--count", 2, "--pcap", tmp_path / "p")
    port = 0
    for data in (b"first", b"second"):
        sock = wire.keep(socket.socket())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.connect(("127.0.0.1", tcp.port))
        port = sock.getsockname()[1]
        sock.sendall(data)
        assert wire.read(sock, len(data)) == data
        wire.half_close(sock)
        assert wire.read_eof(sock) == b""
        wire.reset(sock)
    server.ends()
    assert sorted(one[port] for one in shark.payloads(tmp_path / "p").values()) == [b"first", b"second"]


def test_a_capture_can_be_read_while_it_grows(sockctl, tcp, tmp_path):
    sockctl.serve("echo", tcp, "--pcap", tmp_path / "p")
    sock = tcp.dial()
    sock.sendall(b"now")
    assert wire.read(sock, 3) == b"now"
    (streams,) = shark.payloads(tmp_path / "p").values()
    assert list(streams.values()) == [b"now", b"now"]
