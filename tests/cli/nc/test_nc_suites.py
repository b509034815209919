"""What the suites of OpenBSD's nc and of toybox's netcat ask, asked of Debian's nc and of ours: each as a server and as a client of
either. And the words that scripts look for."""
import re
import signal

import book
import pytest

import wire
from place import has_ipv6, make_place
from proc import NULL
from test_nc import BOTH, bound, listens_unix, nc, told  # noqa: F401 - fixture

v6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
PAIRS = [(server, client) for server in BOTH for client in BOTH]

# where the server is, its options, the client's, and what each says; AT is the place, PORT and N stand for numbers
TALKS = {
    "tcp": ("tcp4", "-n -v", "-n -v", ["Listening on AT PORT", "Connection received on AT N"],
            ["Connection to AT PORT port [tcp/*] succeeded!"]),
    "tcp6": ("tcp6", "-n -v", "-n -v", ["Listening on AT PORT", "Connection received on AT N"],
             ["Connection to AT PORT port [tcp/*] succeeded!"]),
    "tcp by name": ("tcp4", "-n -v", "-4 -v", ["Listening on AT PORT", "Connection received on AT N"],
                    ["Connection to localhost (127.0.0.1) PORT port [tcp/*] succeeded!"]),
    "udp": ("udp4", "-u -n -v", "-u -n", ["Bound on AT PORT", "Connection received on AT N"], []),
    "udp6": ("udp6", "-u -n -v", "-u -n", ["Bound on AT PORT", "Connection received on AT N"], []),
    "unix": ("unix", "-U -n -v", "-U -n -v", ["Bound on AT", "Listening on AT", "Connection received on AT"], []),
    "unix asking names": ("unix", "-U -v", "-U -v", ["Bound on AT", "Listening on AT", "Connection received on AT"], []),
    "unix datagrams": ("unix-dgram", "-U -u -n -v", "-U -u -n -v", ["Bound on AT", "Connection received on AT"], []),
    "unix datagrams, named": ("unix-dgram", "-U -u -n -v", "-U -u -n -v -s {own}", ["Bound on AT", "Connection received on AT"], []),
}


def lines(proc, place, own):
    text = re.sub(r"^nc(\.openbsd)?: ", "nc: ", bytes(proc.err).decode(), flags=re.M)
    text = text.replace(str(own), "OWN")
    if place.unix:
        return text.replace(str(place.path), "AT").splitlines()
    text = re.sub(rf"\b{place.port}\b", "PORT", text.replace(place.host, "AT") if "localhost" not in text else text)
    text = re.sub(r" 0$", " PORT", text, flags=re.M)
    return re.sub(r"(received on \S+) \d+", r"\1 N", text).splitlines()


def binds(place):
    with open("/proc/net/unix") as file:
        return any(line.split()[-1] == str(place.path) for line in file)


@pytest.mark.whole("what one read of a stream gives is a datagram")
@pytest.mark.parametrize("server, client", PAIRS)
@pytest.mark.parametrize("case", TALKS)
def test_a_greeting_and_a_command(nc, tmp_path, case, server, client):  # noqa: F811
    """Each end says one line at once and hears the other's; neither ends the conversation by the end of its stdin."""
    kind, options, client_options, server_says, client_says = TALKS[case]
    if kind.endswith("6") and not has_ipv6():
        pytest.skip("no IPv6 here")
    place, own = make_place(kind, tmp_path), tmp_path / "client.sock"
    there = nc(server, *options.split(), "-l", *([place.path] if place.unix else [place.host, 0]), stdin=b"greeting\n")
    if place.unix:
        wire.until(lambda: listens_unix(place.path) if kind == "unix" else binds(place), "the socket is there")
        if server == "theirs":
            wire.keep_file(place.path)
    else:
        place.port = bound(there, "udp" if "udp" in kind else "tcp")
    host = "localhost" if "name" in case and not place.unix else place.host
    here = nc(client, *client_options.format(own=own).split(), *([place.path] if place.unix else [host, place.port]),
              stdin=b"command\n")
    assert there.read_until() == b"command\n"
    assert here.read_until() == b"greeting\n"
    there.says(rb"received")
    if "{own}" in client_options:
        assert own.exists()
    for proc in (here, there):
        if proc.alive():
            proc.signal(signal.SIGTERM)
            proc.wait()
    assert lines(there, place, own) == server_says
    said = [line for line in lines(here, place, own) if place.unix is False or not line.startswith("Bound on")]  # to its own path
    assert said == client_says
    if "{own}" in client_options and client == "ours":
        assert not own.exists()
    own.unlink(missing_ok=True)


@pytest.mark.parametrize("which", BOTH)
@pytest.mark.parametrize("words", ["-4 -v -l ::1 0", "-6 -v -l 127.0.0.0 0", "-4 -v ::1 {port}", "-6 -v 127.0.0.1 {port}"])
def test_an_address_of_the_other_family(nc, tcp, which, words):  # noqa: F811
    tcp.listen()
    proc = nc(which, *words.format(port=tcp.port).split(), stdin=NULL)
    assert proc.ends(1) == b""
    assert proc.err.count(b"\n") == 1


@pytest.mark.parametrize("server, client", PAIRS)
@pytest.mark.parametrize("size", [1, 4096, 4098, 16383, 16384, 16385, 65537])
def test_more_than_a_buffer(nc, tcp, tmp_path, size, server, client):  # noqa: F811
    """No byte is left at the end."""
    data = b"a" * (size - 1) + b"b"
    with open(tmp_path / "got", "wb") as got:
        there = nc(server, "-lp", 0, stdin=NULL, stdout=got)
    here = nc(client, "-N", tcp.host, there.listens_at(), stdin=data)
    assert here.ends(0) == b""
    assert there.wait() == 0
    wire.same((tmp_path / "got").read_bytes(), data)


# words that scripts look for


@pytest.mark.parametrize("words, line", [
    ("-q", "option requires an argument -- 'q'"), ("-w", "option requires an argument -- 'w'"), ("-lp", "option requires an argument -- 'p'"),
    ("127.0.0.1 1 -W", "option requires an argument -- 'W'"), ("-Nx", "option requires an argument -- 'x'"),
    ("-Y", "invalid option -- 'Y'"), ("-vY 127.0.0.1 1", "invalid option -- 'Y'")])
def test_getopt_words(nc, words, line):  # noqa: F811
    """libvirt asks so whether there is a -q; nc's usage follows there, ours is one line."""
    for which in BOTH:
        proc = nc(which, *words.split(), stdin=NULL)
        assert proc.ends(1) == b""
        assert re.match(rf"\S*nc(\.openbsd)?: {line}", proc.err.decode()), proc
    assert proc.err.count(b"\n") == 1


@pytest.mark.parametrize("options", ["-zv", "-zvn", "-z -v -4", "-zvw2"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("listens", [True, False])
def test_a_whole_line(nc, tcp, options, host, listens):  # noqa: F811
    """With the address of a name, as it stands."""
    if "n" in options and host == "localhost":
        pytest.skip("no names with -n")
    tcp.listen() if listens else tcp.bind()

    def play(which):
        proc = nc(which, *options.split(), host, tcp.port, stdin=NULL)
        return proc.wait(), re.sub(r"^nc\.openbsd", "nc", bytes(proc.err).decode(), flags=re.M)

    assert play("ours") == play("theirs")


@v6
@pytest.mark.parametrize("at", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
@pytest.mark.parametrize("options", ["-zv", "-zv -6", "-zv -4"])
def test_a_name_with_two_addresses(need, tmp_path, at, options):
    """A line for each address that refused, and one for that which did not."""
    need("nc.openbsd")
    out, err, code = book.run(f"""ln -s "$(command -v sockctl)" bin/nc
sockctl echo '{at}' --drain 1h --run 'for p in "$SOCKCTL_PORT" 1; do for n in nc.openbsd nc
do $n {options} localhost $p 2>&1 </dev/null; echo "$?"; done; done'
""", tmp_path)
    assert code == 0, err
    out = re.sub(r"^(.*\n)\1", r"\1", out.replace("nc.openbsd", "nc"), flags=re.M)  # with -4 hosts has 127.0.0.1 twice for the C library
    runs = re.findall(r"(.*?\n)(\d)\n", out, re.S)
    assert len(runs) == 4 and runs[0] == runs[1] and runs[2] == runs[3], out


# -W with streams


@pytest.mark.whole("one read of a stream is what has come")
@pytest.mark.parametrize("which", BOTH)
@pytest.mark.parametrize("mode", ["client", "server"])
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
@pytest.mark.parametrize("number", [1, 3])
def test_so_many_reads(nc, tmp_path, which, mode, kind, number):  # noqa: F811
    """-W N ends after N reads, with an open stdin and a peer that stays."""
    place = make_place(kind, tmp_path)
    unix = ["-U"] if place.unix else []
    if mode == "client":
        listener = place.listen()
        proc = nc(which, f"-W{number}", *unix, *([place.path] if place.unix else [place.host, place.port]))
        sock = wire.accept(listener)
    else:
        proc = nc(which, "-l", f"-W{number}", *unix, *([place.path] if place.unix else [place.host, 0]))
        if place.unix:
            wire.until(lambda: listens_unix(place.path), "the socket listens")
            if which == "theirs":
                wire.keep_file(place.path)
        else:
            place.port = proc.listens_at()
        sock = place.dial()
    for _ in range(number):
        sock.sendall(b"hola\n")
        assert proc.read_until() == b"hola\n"
    assert proc.wait() == 0 and proc.err == b"", proc


@pytest.mark.parametrize("which", BOTH)
def test_fewer_reads(nc, tcp, which):  # noqa: F811
    listener = tcp.listen()
    proc = nc(which, "-d", "-W", 3, tcp.host, tcp.port, stdin=NULL)
    sock = wire.accept(listener)
    sock.sendall(b"hola\n")
    wire.close(sock)
    assert proc.ends(0) == b"hola\n"
    assert proc.err == b""


@pytest.mark.whole("one read of a stream is what has come")
@pytest.mark.parametrize("mode", ["connect", "listen"])
def test_reads_by_our_own_word(sockctl, tcp, mode):
    """The same by our own words."""
    listener = tcp.listen() if mode == "connect" else None
    proc = sockctl.program([sockctl.binary, mode, "--reads", 2, tcp.shown() if listener else "127.0.0.1:0"])
    if listener:
        sock = wire.accept(listener)
    else:
        tcp.port = proc.listens_at()
        sock = tcp.dial()
    for _ in range(2):
        sock.sendall(b"hola\n")
        assert proc.read_until() == b"hola\n"
    assert proc.ends(0) == b""


def test_fewer_reads_than_asked_for(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.program([sockctl.binary, "connect", "--reads", 2, tcp.shown()], stdin=b"")
    sock = wire.accept(listener)
    sock.sendall(b"hola\n")
    wire.close(sock)
    assert proc.ends(5) == b"hola\n"
    assert "fewer reads than asked for came from" in proc.complaint()


@pytest.mark.parametrize("words, says", [("-U -s {own} {path}", "-s with -U requires -u"), ("-U -u -l -s {own} {path}", "-s with -U"),
                                         ("-U -u -p 1 {path}", "-p is not supported with -U")])
def test_where_no_end_has_a_name(nc, tmp_path, words, says):  # noqa: F811
    proc = nc("ours", *words.format(own=tmp_path / "own", path=tmp_path / "s").split(), stdin=NULL)
    assert proc.ends(1) == b""
    assert says in proc.err.decode() and proc.err.count(b"\n") == 1
