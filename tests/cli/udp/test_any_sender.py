"""A question to all is answered by others: datagrams of any sender are taken, and each names its sender."""
import base64
import json
import re
import socket

import pytest

import wire
from place import Place, has_ipv6

LOOPS = pytest.mark.usefixtures("loop")
ASKED = "127.0.0.1"
ALL = "127.255.255.255"  # what lo broadcasts to
GROUP = "239.88.0.1"
ANY = {"broadcast": (["-o", "broadcast"], ALL), "multicast": (["-o", f"multicast={GROUP}@lo"], GROUP), "from-any": (["--from-any"], ASKED)}
each_way = pytest.mark.parametrize("way", ANY)


def bound(host):
    sock = wire.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind((host, 0))
    return sock


def asked(way):
    """The socket that is asked, and the words that ask it."""
    words, host = ANY[way]
    sock = bound(GROUP if way == "multicast" else "0.0.0.0")
    if way == "multicast":
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(ASKED))
    return sock, [*words, f"udp://{host}:{sock.getsockname()[1]}"]


def question(sock, proc):
    data, asker = sock.recvfrom(100)
    assert data == b"who", proc
    return asker[1]


def shown(sock):
    return "%s:%d" % sock.getsockname()


@LOOPS
@each_way
def test_others_answer(sockctl, way):
    sock, words = asked(way)
    proc = sockctl.start("connect", "--reply-wait", "1h", "--replies", "3", *words, stdin=b"who")
    port = question(sock, proc)
    for n in range(2, 5):
        bound(f"127.0.0.{n}").sendto(b"%d\n" % n, (ASKED, port))
    assert proc.ends(0) == b"2\n3\n4\n"


@LOOPS
def test_otherwise_only_the_peer_is_heard(sockctl):
    sock = bound(ASKED)
    proc = sockctl.start("connect", "--reply-wait", "1h", "--replies", "1", f"udp://{shown(sock)}", stdin=b"who")
    port = question(sock, proc)
    bound("127.0.0.2").sendto(b"other", (ASKED, port))
    sock.sendto(b"peer", (ASKED, port))
    assert proc.ends(0) == b"peer"


@each_way
@LOOPS
def test_verbose_names_each_sender(sockctl, way):
    sock, words = asked(way)
    proc = sockctl.start("connect", "-v", "--reply-wait", "1h", "--replies", "2", *words, stdin=b"who")
    port = question(sock, proc)
    others = [bound(f"127.0.0.{n}") for n in (2, 3)]
    for other, text in zip(others, (b"12345", b"")):
        other.sendto(text, (ASKED, port))
    assert proc.ends(0) == b"12345"
    assert re.findall(r"\[1\] (\d+) bytes from (.*)", proc.err.decode()) == [("5", shown(others[0])), ("0", shown(others[1]))]


@LOOPS
@each_way
def test_label(sockctl, way):
    """Each line has its sender; an unfinished one is ended, because the next belongs to another sender."""
    sock, words = asked(way)
    proc = sockctl.start("connect", "--label", "addr", "--reply-wait", "1h", "--replies", "4", *words, stdin=b"who")
    port = question(sock, proc)
    one, other = bound("127.0.0.2"), bound("127.0.0.3")
    for sender, text in ((one, b"a\nb"), (other, b"c\n"), (one, b""), (other, b"\n")):
        sender.sendto(text, (ASKED, port))
    want = f"[{shown(one)}] a\n[{shown(one)}] b\n[{shown(other)}] c\n[{shown(one)}] \n[{shown(other)}] \n"
    assert proc.ends(0).decode() == want


@LOOPS
def test_label_of_a_connected_peer(sockctl, dgram):
    server = dgram.listen()
    proc = sockctl.connect(dgram, "--label", "addr", "--reply-wait", "1h", "--replies", "1", stdin=b"who")
    server.sendto(b"me\n", server.recvfrom(100)[1])
    assert re.fullmatch(rb"\[(unix|127\.0\.0\.1:\d+|\[::1\]:\d+)\] me\n", proc.ends(0)), proc


@LOOPS
@pytest.mark.parametrize("datagram", [b"\n" * 65507, b"x" * 65507, b"ab\n" * 21835], ids=["lines", "one", "short"])
def test_labels_of_the_longest_datagram(sockctl, datagram):
    """More text than any block holds: it is one reply all the same, and stdout is read late."""
    sock, words = asked("from-any")
    proc = sockctl.start("connect", "--label", "addr", "--reply-wait", "1h", "--replies", "2", *words, stdin=b"who")
    port = question(sock, proc)
    sock.sendto(datagram, (ASKED, port))
    sock.sendto(b"end", (ASKED, port))
    label = f"[{ASKED}:{sock.getsockname()[1]}] ".encode()
    lines = datagram.split(b"\n")
    wire.same(proc.ends(0), b"".join(label + line + b"\n" for line in lines[:-1] + [line for line in lines[-1:] if line] + [b"end"]))


@LOOPS
def test_the_port_stays_the_one_that_is_told(sockctl, tmp_path):
    """What was answered to the address of the event `open` arrives."""
    sock, words = asked("from-any")
    proc = sockctl.start("connect", "--reply-wait", "1h", "--replies", "1", "--events", str(tmp_path / "log"), *words, stdin=b"who")
    port = question(sock, proc)
    sock.sendto(b"x", (ASKED, port))
    proc.ends(0)
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["local"] for event in told if event["ev"] == "open"] == [f"{ASKED}:{port}"]


@LOOPS
def test_a_source_of_our_own(sockctl):
    sock, words = asked("broadcast")
    free = bound(ASKED)
    source = free.getsockname()
    free.close()
    proc = sockctl.start("connect", "-s", "%s:%d" % source, "--reply-wait", "1h", "--replies", "1", *words, stdin=b"who")
    assert question(sock, proc) == source[1]
    bound("127.0.0.2").sendto(b"x", source)
    assert proc.ends(0) == b"x"


@LOOPS
def test_a_refusal_is_still_one(sockctl):
    gone = bound(ASKED)
    port = gone.getsockname()[1]
    gone.close()
    proc = sockctl.start("connect", "--from-any", "--reply-wait", "1h", f"udp://{ASKED}:{port}", stdin=b"who")
    proc.ends(4)
    assert f"{ASKED}:{port}: Connection refused" in proc.complaint()


@LOOPS
def test_ipv6(sockctl):
    if not has_ipv6():
        pytest.skip("no IPv6 here")
    sock = wire.keep(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    sock.bind(("::1", 0))
    proc = sockctl.start("connect", "--from-any", "--label", "addr", "--reply-wait", "1h", "--replies", "1", f"udp://[::1]:{sock.getsockname()[1]}", stdin=b"who")
    asker = sock.recvfrom(100)[1]
    other = wire.keep(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    other.bind(("::1", 0))
    other.sendto(b"me", asker)
    assert proc.ends(0) == f"[[::1]:{other.getsockname()[1]}] me\n".encode()


@LOOPS
def test_late_datagrams_keep_their_sender(sockctl):
    """What a fault holds back passes after others were read."""
    sock, words = asked("from-any")
    proc = sockctl.start("connect", "--fault", "latency=300ms:in", "--label", "addr", "--reply-wait", "1h", "--replies", "2", *words, stdin=b"who")
    port = question(sock, proc)
    one, other = bound("127.0.0.2"), bound("127.0.0.3")
    one.sendto(b"one", (ASKED, port))
    other.sendto(b"other", (ASKED, port))
    assert proc.ends(0).decode() == f"[{shown(one)}] one\n[{shown(other)}] other\n"


@LOOPS
def test_events_name_the_sender_of_data(sockctl, tmp_path):
    sock, words = asked("from-any")
    proc = sockctl.start("connect", "--events", str(tmp_path / "log"), "--events-data", "b64", "--reply-wait", "1h", "--replies", "1", *words, stdin=b"who")
    port = question(sock, proc)
    other = bound("127.0.0.2")
    other.sendto(b"me", (ASKED, port))
    proc.ends(0)
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    came = [event for event in told if event["ev"] == "data" and event["dir"] == "in"]
    assert [(event["from"], base64.b64decode(event["b64"])) for event in came] == [(shown(other), b"me")]


@LOOPS
def test_a_forwarder_takes_answers_of_others(sockctl):
    sock = bound(ASKED)
    proc = sockctl.serve("serve", Place("udp4", None), "--from-any", "--forward", f"udp://{shown(sock)}")
    client = bound(ASKED)
    client.sendto(b"who", (ASKED, proc.port))
    port = question(sock, proc)
    bound("127.0.0.2").sendto(b"me", (ASKED, port))
    assert client.recv(100) == b"me"


@pytest.mark.parametrize("words, says", [(["--from-any", "tcp://127.0.0.1:1"], "requires UDP"),
                                         (["--from-any", "unix-dgram:nowhere"], "requires UDP"),
                                         (["--label", "addr", "tcp://127.0.0.1:1"], "requires datagrams"),
                                         (["--label", "addr", "--send-only", "udp://127.0.0.1:1"], "--send-only and --label"),
                                         (["--probe", "--from-any", "udp://127.0.0.1:1"], "--probe and --from-any"),
                                         (["--probe", "--label", "addr", "udp://127.0.0.1:1"], "--probe and --label")])
def test_refused(sockctl, words, says):
    proc = sockctl.run("connect", *words)
    assert proc.code == 2
    assert says in proc.complaint()
