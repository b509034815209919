"""The drop-in: the same command lines run with Debian's nc and with sockctl called as nc, as clients, as servers and mixed.

Compared are what comes to stdout, the exit status, the lines on stderr and what the peer saw. Lines are compared without the
program's name and without numbers that the system chose; nc asks for names of addresses, ours does not.
"""
import errno
import os
import re
import signal
import socket

import pytest

import wire
from conftest import BINARY
from place import Place, make_place
from proc import NULL
from program import words_of
from test_proxy import http, socks  # noqa: F401 - fixtures

BOTH = ("theirs", "ours")
DATA = wire.payload(1 << 20, seed=11)
LINES = b"uno\ndos\r\ntres\n"


@pytest.fixture
def nc(sockctl, need, tmp_path):
    """nc(which, words…): the program, started as nc."""
    (tmp_path / "bin").mkdir()
    ours = tmp_path / "bin" / "nc"
    ours.symlink_to(BINARY)

    def start(which, *words, **how):
        return sockctl.program([need("nc.openbsd") if which == "theirs" else ours, *words], **how)

    return start


def told(proc, *ports):
    """The lines on stderr, as far as two programs can agree on them."""
    text = bytes(proc.err).decode()
    text = re.sub(r"^nc(\.openbsd)?: ", "nc: ", text, flags=re.M)
    for port in ports:
        text = re.sub(rf"\b{port}\b", "PORT", text)
    text = re.sub(r" 0$", " PORT", text, flags=re.M)  # what nc was asked for, not what it got
    text = re.sub(r"(received on \S+) \d+", r"\1 N", text)
    return text.replace("on localhost", "on 127.0.0.1").replace("localhost (127.0.0.1)", "localhost")


def bound(proc, proto="tcp"):
    """The port at which some program waits; proto udp has no listening state."""
    if proto == "tcp":
        return proc.listens_at()

    def ask():
        inodes = set()
        for number in os.listdir(f"/proc/{proc.pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{proc.pid}/fd/{number}"))
            except FileNotFoundError:
                continue
        for line in open("/proc/net/udp").readlines()[1:] + open("/proc/net/udp6").readlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes:
                return int(fields[1].rpartition(":")[2], 16)
        assert proc.alive(), proc
        return 0

    return wire.until(ask, "a bound socket")


# what a server may do with a client of nc; each returns what it saw


def echo(sock):
    got = wire.read_eof(sock)
    sock.sendall(got)
    wire.close(sock)
    return got


def answer(sock):
    got = wire.read_until(sock)
    sock.sendall(b"pues " + got)
    wire.close(sock)
    return got


def banner(sock):
    sock.sendall(b"hola\n")
    wire.close(sock)


def banner_and_listen(sock):
    sock.sendall(b"hola\n")
    wire.half_close(sock)
    return wire.read_any(sock)


def listen(sock):
    return wire.read_any(sock)


def after_the_end(sock):
    """An answer that is given when the client has said that it sends no more."""
    got = wire.read_eof(sock)
    sock.sendall(LINES)
    wire.close(sock)
    return got


def at_once(sock):
    wire.close(sock)


OPEN = None  # stdin stays open

CLIENTS = [
    ("-N {host} {port}", LINES, echo),
    ("-N {host} {port}", DATA, echo),
    ("-Nn4 {host} {port}", b"", echo),
    ("-N localhost {port}", LINES, echo),
    ("-C -N {host} {port}", LINES, echo),
    ("-CN {host} {port} -v", LINES, echo),
    ("{host} {port}", b"que tal\n", answer),
    ("-v {host} {port}", b"que tal\n", answer),
    ("-vn {host} {port}", b"que tal\n", answer),
    ("-v localhost {port}", b"que tal\n", answer),
    ("-w 5 {host} {port}", b"que tal\n", answer),
    ("-w5 -q 1 {host} {port}", b"que tal\n", answer),
    ("-q 1 {host} {port}", b"que tal\n", answer),
    ("-q 0 {host} {port}", b"que tal\n", after_the_end),
    ("-Nq0 {host} {port}", DATA, after_the_end),
    ("-q2 {host} {port}", b"", banner),
    ("-q -1 {host} {port}", b"que tal\n", answer),
    ("{host} {port}", b"", banner),
    ("-d {host} {port}", OPEN, banner),
    ("-d -v {host} {port}", LINES, banner),
    ("-N {host} {port}", LINES, banner_and_listen),
    ("-w 1 {host} {port}", OPEN, listen),
    ("-w1 {host} {port}", b"algo\n", listen),
    ("-vw1 {host} {port}", b"", banner_and_listen),
    ("-N -s 127.0.0.1 {host} {port}", LINES, echo),
    ("-N -s 127.0.0.1 -p 0 {host} {port}", LINES, echo),
    ("-N -T lowdelay {host} {port}", LINES, echo),
    ("-N -T inetcontrol {host} {port}", LINES, echo),
    ("-N -T 0x10 {host} {port}", LINES, echo),
    ("-N -T af21 -M 9 {host} {port}", LINES, echo),
    ("-N -I 65536 -O 65536 {host} {port}", LINES, echo),
    ("-N -i 1 {host} {port}", b"uno\ndos\n", echo),
    ("-z {host} {port}", b"", at_once),
    ("-zv {host} {port}", b"", at_once),
    ("-vz {host} {port}", OPEN, at_once),
    ("-z -v -n -w 2 {host} {port}", b"", at_once),
    ("-zv {host} {port}-{port}", b"", at_once),
    ("-zvw1 localhost {port}", b"", at_once),
    ("{host} {port} -z", b"", at_once),
]


def feed(stdin):
    return {} if stdin is OPEN else {"stdin": stdin}


@pytest.mark.parametrize("words, stdin, server", CLIENTS, ids=[f"{n}: {case[0]}" for n, case in enumerate(CLIENTS)])
def test_clients(nc, tcp, words, stdin, server):
    def play(which):
        tcp.port = 0
        listener = tcp.listen()
        proc = nc(which, *words.format(host=tcp.host, port=tcp.port).split(), **feed(stdin))
        seen = wire.Task(lambda: server(wire.accept(listener)))
        code = proc.wait()
        return code, proc.read_eof(), told(proc, tcp.port), seen.result()

    theirs = play("theirs")
    assert theirs[0] == 0
    assert play("ours") == theirs


@pytest.mark.parametrize("which", ["theirs", "ours"])
def test_telnet(nc, tcp, which):
    """Both refuse; only ours leaves the negotiation out of what it prints."""
    listener = tcp.listen()
    proc = nc(which, "-t", "-d", tcp.host, str(tcp.port))
    sock = wire.accept(listener)
    sock.sendall(b"\xff\xfd\x18hola\n")
    assert wire.read(sock, 3) == b"\xff\xfc\x18"
    wire.close(sock)
    assert proc.wait() == 0
    assert proc.read_eof() == (b"hola\n" if which == "ours" else b"\xff\xfd\x18hola\n")


REFUSED = ["{host} {port}", "-N {host} {port}", "-z {host} {port}", "-zn {host} {port}", "-v {host} {port}", "-zv {host} {port}",
           "-w 3 -v {host} {port}", "-v localhost {port}", "-zv {host} {port}-{port}"]


@pytest.mark.parametrize("words", REFUSED)
def test_no_server_there(nc, tcp, words):
    """Nothing is said without -v: loops wait like this for a server."""
    tcp.bind()

    def play(which):
        proc = nc(which, *words.format(host=tcp.host, port=tcp.port).split(), stdin=NULL)
        return proc.wait(), proc.read_eof(), told(proc, tcp.port)

    theirs = play("theirs")
    assert theirs[0] == 1
    assert play("ours") == theirs


def ports_in_a_row(tmp_path, wanted):
    """So many neighbours, of which those with True listen; all are ours."""

    def ask():
        places = [Place("tcp4", tmp_path) for _ in wanted]
        places[0].bind().close()
        first = places[0].port
        kept = []
        for n, (place, listens) in enumerate(zip(places, wanted)):
            place.port = first + n
            try:
                kept.append(place.listen() if listens else place.bind())
            except (OSError, OverflowError):
                for sock in kept:
                    wire.close(sock)
                return None
        return first

    return wire.until(ask, "neighbouring ports")


@pytest.mark.parametrize("options", ["-z", "-zv", "-nzvw2", "-v -z"])
@pytest.mark.parametrize("wanted", [[False, True, False], [True, True], [False, False]])
@pytest.mark.parametrize("form", ["range", "backwards", "list"])
def test_ranges(nc, tmp_path, options, wanted, form):
    first = ports_in_a_row(tmp_path, wanted)
    last = first + len(wanted) - 1
    ports = {"range": [f"{first}-{last}"], "backwards": [f"{last}-{first}"], "list": range(first, last + 1)}[form]

    def play(which):
        proc = nc(which, *options.split(), "127.0.0.1", *ports, stdin=NULL)
        return proc.wait(), proc.read_eof(), told(proc)

    theirs = play("theirs")
    assert theirs[0] == (0 if any(wanted) else 1)
    assert play("ours") == theirs


WRONG = ["", "{host}", "-l", "-lz 7000", "-k {host} 7000", "-Y {host} 7000", "-w {host}", "-w x {host} 7000", "-q x {host} 7000",
         "{host} 70000", "{host} nosuchservice", "nonexistent.invalid 80", "-zv nonexistent.invalid 80", "-n localhost 80",
         "-x {host}:1 -l 7000", "-X 6 -x {host}:1 {host} 80", "-T nosuch {host} 7000", "-l -p 7000 7000", "-e cat {host} 7000",
         "-U /nonexistent/socket", "-lU /nonexistent/socket"]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_lines(nc, tcp, words):
    """The words are each program's own, ours in one line; both know that it is wrong before anything is sent."""
    words = words.format(host=tcp.host).split()
    assert nc("theirs", *words, stdin=NULL).wait() == 1
    ours = nc("ours", *words, stdin=NULL)
    assert ours.ends(1) == b""
    assert len(ours.err.splitlines()) == 1 and ours.err.startswith(b"nc: "), ours


@pytest.mark.parametrize("letter", "FrSVZec")
def test_what_is_not_supported(nc, tcp, letter):
    tcp.listen()
    proc = nc("ours", f"-v{letter}", "x", tcp.host, tcp.port, stdin=NULL)
    assert proc.ends(1) == b""
    assert re.fullmatch(rf"nc: -{letter}: [^\n]+\n", proc.err.decode()), proc


@pytest.mark.parametrize("which", BOTH)
def test_help(nc, which):
    proc = nc(which, "-h", stdin=NULL)
    said = proc.ends(0) + bytes(proc.err)
    assert b"OpenBSD" in said and b"usage: nc" in said
    for letter in b"46CdhklNnuUvzbDIiOpqsTwXx":
        assert re.search(rb"^\s+-%c\b" % letter, said, re.M), chr(letter)


# as a server


def send_all(sock):
    sock.sendall(LINES)
    wire.half_close(sock)
    return wire.read_any(sock)


def send_and_go(sock):
    sock.sendall(DATA)
    wire.close(sock)


def read_some(sock):
    got = wire.read(sock, len(LINES))
    wire.close(sock)
    return got


def read_end(sock):
    got = wire.read_eof(sock)
    sock.sendall(b"adios\n")
    wire.close(sock)
    return got


SERVERS = [
    ("-l {host} 0", OPEN, send_all),
    ("-l {host} 0", OPEN, send_and_go),
    ("-l {host} 0", b"", send_all),
    ("-l 0", OPEN, send_all),
    ("-lvn 0", OPEN, send_all),
    ("-lv {host} 0", OPEN, send_all),
    ("-lp 0", OPEN, send_all),
    ("-lvnp 0", OPEN, send_all),
    ("-l -p 0 -s {host}", OPEN, send_all),
    ("-4l {host} 0", LINES, read_some),
    ("-Nl {host} 0", LINES, read_end),
    ("-N -l {host} 0", b"", read_end),
    ("-lN {host} 0", DATA[:30000], read_end),
    ("-ldN {host} 0", OPEN, send_all),
    ("-l -w 1 {host} 0", OPEN, listen),
    ("-l -q 1 {host} 0", LINES, listen),
    ("-lC -N {host} 0", LINES, read_end),
]


@pytest.mark.parametrize("words, stdin, client", SERVERS, ids=[f"{n}: {case[0]}" for n, case in enumerate(SERVERS)])
def test_servers(nc, tcp, words, stdin, client):
    """Each ends with its one client."""

    def play(which):
        proc = nc(which, *words.format(host=tcp.host).split(), **feed(stdin))
        tcp.port = bound(proc)
        seen = client(tcp.dial())
        code = proc.wait()
        return code, proc.read_eof(), told(proc, tcp.port), seen

    theirs = play("theirs")
    assert theirs[0] == 0
    assert play("ours") == theirs


def test_the_next_client(nc, tcp):
    """-k: one after the other, and stdin is for the present one."""

    def play(which):
        proc = nc(which, "-lkv", tcp.host, 0)
        tcp.port = bound(proc)
        for line in (b"uno\n", b"dos\n", b"tres\n"):
            sock = tcp.dial()
            sock.sendall(line)
            assert proc.read_until() == line
            proc.send(line)
            assert wire.read_until(sock) == line
            wire.close(sock)
        proc.says(rb"(?s)(received.*){3}")
        proc.signal(signal.SIGTERM)
        return proc.wait(), proc.read_eof(), told(proc, tcp.port)

    assert play("ours") == play("theirs")


@pytest.mark.parametrize("words", ["-l {host} {port}", "-lv {host} {port}", "-lk {host} {port}"])
def test_a_taken_port(nc, tcp, words):
    tcp.listen()
    words = words.format(host=tcp.host, port=tcp.port).split()
    for which in BOTH:
        proc = nc(which, *words, stdin=NULL)
        assert proc.ends(1) == b""
        why = words_of(errno.EADDRINUSE) if which == "ours" else os.strerror(errno.EADDRINUSE)
        assert re.fullmatch(rb"nc[^\n]*%s\n" % why.encode(), proc.err), proc


# datagrams


@pytest.fixture
def udp(tmp_path):
    return make_place("udp4", tmp_path)


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("words, stdin", [("-u -q 0 {host} {port}", b"hola"), ("-uw1 {host} {port}", b"hola"), ("-u -w1 {host} {port}", OPEN),
                                          ("-u -W1 {host} {port}", OPEN), ("-4unW 1 {host} {port}", b"hola")])
def test_datagram_clients(nc, udp, words, stdin):
    def play(which):
        udp.port = 0
        sock = udp.bind()
        proc = nc(which, *words.format(host=udp.host, port=udp.port).split(), **feed(stdin))
        if stdin is OPEN:
            proc.send(b"hola")
        got, peer = sock.recvfrom(100)
        sock.sendto(b"pues", peer)
        code = proc.wait()
        return code, b"" if "-q" in words else proc.read_eof(), told(proc), got

    theirs = play("theirs")
    assert theirs[0] == 0
    assert play("ours") == theirs


@pytest.mark.parametrize("which", BOTH)
def test_datagram_scan(nc, udp, which):
    """A port that does not refuse is open, as far as can be told. -v names it."""
    udp.bind()
    deaf = Place("udp4", udp.folder)
    deaf.deaf()
    assert nc(which, "-zuw1", udp.host, udp.port, stdin=NULL).ends(0) == b""
    proc = nc(which, "-zuvw1", udp.host, udp.port, stdin=NULL)
    assert proc.ends(0) == b""
    assert told(proc, udp.port) == "Connection to 127.0.0.1 PORT port [udp/*] succeeded!\n"
    assert nc(which, "-zuv", deaf.host, deaf.port, stdin=NULL).ends(1) == b""


@pytest.mark.whole("what one read of a stream gives is a datagram")
def test_datagram_server(nc, udp):
    """-lu answers its first sender; -w ends it."""

    def play(which):
        proc = nc(which, "-luvw1", udp.host, 0)
        udp.port = bound(proc, "udp")
        sock = udp.dial()
        sock.send(b"uno\n")
        assert proc.read_until() == b"uno\n"
        proc.send(b"dos\n")
        assert sock.recv(100) == b"dos\n"
        return proc.wait(), proc.read_eof(), told(proc, udp.port)

    theirs = play("theirs")
    assert theirs[0] == 0
    assert play("ours") == theirs


def test_datagrams_of_everybody(nc, udp):
    """-luk, as for syslog or statsd: byte for byte, with newlines or without."""

    def play(which):
        proc = nc(which, "-luk", udp.host, 0, stdin=NULL)
        udp.port = bound(proc, "udp")
        for data in (b"uno\n", b"dos", b"tres\ncuatro"):
            udp.dial().send(data)
            assert proc.read(len(data)) == data
        proc.signal(signal.SIGTERM)
        proc.wait()
        return proc.read_eof()

    assert play("ours") == play("theirs")


# Unix sockets


@pytest.mark.parametrize("options", ["-NU", "-vNU", "-U -N"])
def test_unix_client(nc, tmp_path, options):
    def play(which):
        place = Place("unix", tmp_path)
        place.path = str(tmp_path / which)
        listener = place.listen()
        proc = nc(which, *options.split(), place.path, stdin=LINES)
        seen = echo(wire.accept(listener))
        return proc.wait(), proc.read_eof(), told(proc), seen

    assert play("ours") == play("theirs")


@pytest.mark.parametrize("options", ["-lU", "-lvU"])
def test_unix_server(nc, tmp_path, options):
    """What nc leaves behind, ours removes."""

    def play(which):
        place = Place("unix", tmp_path)
        place.path = str(tmp_path / which)
        proc = nc(which, *options.split(), place.path)
        wire.until(lambda: os.path.exists(place.path), "the socket")

        def dial():
            try:
                return place.dial()
            except ConnectionRefusedError:
                return None  # it is bound and does not listen yet

        if which == "theirs":
            wire.keep_file(place.path)
        seen = send_all(wire.until(dial, "a listener"))
        return proc.wait(), proc.read_eof(), told(proc).replace(which, "PATH"), seen

    theirs = play("theirs")
    assert play("ours") == theirs
    assert not os.path.exists(tmp_path / "ours")


# through proxies


@pytest.mark.whole("microsocks wants each message of the handshake in one read")
@pytest.mark.parametrize("words", ["-N -x 127.0.0.1:{socks} {host} {port}", "-N -X 5 -x 127.0.0.1:{socks} localhost {port}",
                                   "-vNX5 -x127.0.0.1:{socks} {host} {port}", "-N -X connect -x 127.0.0.1:{http} {host} {port}"])
def test_proxies(nc, tcp, socks, http, words):  # noqa: F811
    ports = {"socks": socks() if "socks" in words else 0, "http": http() if "http" in words else 0}

    def play(which):
        tcp.port = 0
        listener = tcp.listen()
        proc = nc(which, *words.format(host=tcp.host, port=tcp.port, **ports).split(), stdin=LINES)
        seen = wire.Task(lambda: echo(wire.accept(listener)))
        return proc.wait(), proc.read_eof(), told(proc, tcp.port), seen.result()

    theirs = play("theirs")
    assert theirs[0] == 0
    assert play("ours") == theirs


def test_a_proxy_user_is_asked_for_no_password(nc, tcp):
    proc = nc("ours", "-x", "127.0.0.1:1", "-X", "connect", "-P", "ana", tcp.host, 80, stdin=NULL)
    assert proc.ends(1) == b""
    assert proc.err.count(b"\n") == 1 and b"SOCKCTL_PROXY_AUTH" in proc.err


# with each other


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize("server", BOTH)
@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix"])
def test_a_file_goes_over(nc, tmp_path, kind, server, client):
    """nc -l > file, nc -N < file: the line of every manual, in every mixture."""
    place = make_place(kind, tmp_path)
    with open(tmp_path / "got", "wb") as got:
        there = nc(server, *(["-lU", place.path] if place.unix else ["-l", place.host, 0]), stdin=NULL, stdout=got)
    if place.unix:
        wire.until(lambda: listens_unix(place.path), "the socket listens")
        if server == "theirs":
            wire.keep_file(place.path)
    else:
        place.port = there.listens_at()
    here = nc(client, "-N", *(["-U", place.path] if place.unix else [place.host, place.port]), stdin=DATA)
    assert here.ends(0) == b""
    assert there.wait() == 0
    wire.same((tmp_path / "got").read_bytes(), DATA)


def listens_unix(path):
    """A connection that is asked for nothing would be the one client of the server: the kernel's list is asked instead."""
    with open("/proc/net/unix") as f:
        return any(line.split()[-1] == path and line.split()[3] == "00010000" for line in f)


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize("server", BOTH)
def test_a_file_is_fetched(nc, tcp, tmp_path, server, client):
    """nc -lN < file, nc > file."""
    (tmp_path / "data").write_bytes(DATA)
    with open(tmp_path / "data", "rb") as data:
        there = nc(server, "-lN", tcp.host, 0, stdin=data)
    here = nc(client, "-d", tcp.host, there.listens_at(), stdin=NULL)
    wire.same(here.ends(0), DATA)
    assert there.ends(0) == b""


@pytest.mark.parametrize("which", BOTH)
def test_a_server_that_says_q0_ends_with_stdin(nc, tcp, which):
    """As Debian's nc does; with it a client hears its server out."""
    there = nc(which, "-l", "-q", "0", tcp.host, 0, stdin=LINES)
    tcp.port = there.listens_at()
    sock = tcp.dial()
    assert wire.read_eof(sock) == LINES
    assert there.ends(0) == b""


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize("server", BOTH)
def test_a_datagram_goes_over(nc, udp, server, client):
    there = nc(server, "-luw1", udp.host, 0)
    port = bound(there, "udp")
    assert nc(client, "-u", "-q0", udp.host, port, stdin=b"hola\n").ends(0) == b""
    assert there.ends(0) == b"hola\n"


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize("server", BOTH)
def test_a_relay_of_two(sockctl, nc, tcp, tmp_path, server, client):
    """The fifo trick: mkfifo f; nc -l 0 < f | server > f. Bytes go round as long as the client wants."""
    os.mkfifo(tmp_path / "f")
    program = "nc.openbsd" if server == "theirs" else tmp_path / "bin" / "nc"
    there = sockctl.program(["sh", "-c", f"exec 3<>{tmp_path}/f; {program} -v -l 127.0.0.1 0 <&3 | sed -u s/hola/pues/ >&3"], stdin=NULL)

    def port():
        """Of the shell's child."""
        for pid in os.listdir("/proc"):
            try:
                if pid.isdigit() and int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[2]) == there.pid:
                    cmd = open(f"/proc/{pid}/cmdline").read()
                    if "-l\0" in cmd and "sh\0-c" not in cmd:
                        return listening_port(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return 0

    here = nc(client, tcp.host, wire.until(port, "the relay listens"))
    for _ in range(3):
        here.send(b"hola\n")
        assert here.read_until() == b"pues\n"
    here.signal(signal.SIGTERM)
    here.wait()
    assert there.ends(0) == b""


def listening_port(pid):
    inodes = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    for line in open("/proc/net/tcp").readlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].rpartition(":")[2], 16)
    return 0


# where ours is stricter, or kinder


def test_quit_after_the_end_of_stdin(nc, tcp):
    """-q N means what nc's manual says, also where the peer stays; Debian 12's nc then stays for ever."""
    listener = tcp.listen()
    proc = nc("ours", "-q", "1", tcp.host, tcp.port, stdin=LINES)
    sock = wire.accept(listener)
    assert wire.read_any(sock) == LINES
    assert proc.ends(0) == b""


def test_a_reset_is_told(nc, tcp):
    """nc would end with 0 and without a word, whatever was lost."""
    listener = tcp.listen()
    proc = nc("ours", tcp.host, tcp.port)
    sock = wire.accept(listener)
    sock.sendall(b"x")
    assert proc.read(1) == b"x"  # before that, it could be a connection that failed
    wire.reset(sock)
    assert proc.ends(1) == b""
    assert re.fullmatch(rb"nc: [^\n]*reset by peer\n", proc.err), proc


def test_a_full_disk_is_told(nc, tcp):
    with open("/dev/full", "wb") as full:
        proc = nc("ours", "-l", tcp.host, 0, stdin=NULL, stdout=full)
    tcp.port = proc.listens_at()
    sock = tcp.dial()
    sock.sendall(b"hola\n")
    assert wire.read_any(sock) == b""
    assert proc.wait() == 1
    assert re.fullmatch(rb"nc: [^\n]*No space left on device\n", proc.err), proc


def test_a_reader_that_has_enough(nc, tcp):
    """nc -l | head -1 is no failure."""
    proc = nc("ours", "-l", tcp.host, 0, stdin=NULL)
    tcp.port = proc.listens_at()
    sock = tcp.dial()
    sock.sendall(b"uno\n")
    assert proc.read(4) == b"uno\n"
    proc.stdout.close()
    proc.stdout = None
    assert wire.read_any(sock) == b""
    assert proc.wait() == 0 and proc.err == b"", proc


@pytest.mark.parametrize("name", ["nc", "netcat", "nc.sockctl"])
def test_names(sockctl, tcp, tmp_path, name):
    """What is at the end of the path counts, wherever the link stands."""
    tcp.listen()
    (tmp_path / name).symlink_to(BINARY)
    assert sockctl.program([tmp_path / name, "-z", tcp.host, tcp.port], stdin=NULL).ends(0) == b""


def test_no_other_name(sockctl, tcp, tmp_path):
    tcp.listen()
    (tmp_path / "ncat").symlink_to(BINARY)
    proc = sockctl.program([tmp_path / "ncat", "-z", tcp.host, tcp.port], stdin=NULL)
    assert proc.ends(2) == b""
    assert b"sockctl connect" in proc.err
