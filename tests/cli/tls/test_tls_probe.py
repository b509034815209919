"""--probe with TLS: a server must also shake hands. Nothing else is said, and the server sees a connection that ends well."""
import re
import ssl

import pytest

import certs
import relay
import tlspeer
import wire
from certs import good, make, root, user
from place import Place
from program import has_tls

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

LOOPS = pytest.mark.usefixtures("loop")
CA = ["--ca", root().pem]
OLD = ssl.TLSVersion.TLSv1_2
HERE = certs.HERE


def visited(listener, context, then=None):
    """A server with one visitor: what it saw up to the end. then(tls): something else after the handshake."""

    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without a goodbye is an error

    def work():
        meeting = tlspeer.Meeting()
        context.sni_callback = lambda tls, name, _: setattr(meeting, "sni", name)
        tls = tlspeer.wrap(wire.accept(listener), context, server_side=True, suppress_ragged_eofs=False)
        try:
            tlspeer.shake(tls, meeting)
            if then:
                then(tls)
            while part := tls.recv(65536):
                meeting.heard += part
        except (ssl.SSLError, OSError) as why:
            meeting.refused = str(why)
        finally:
            context.sni_callback = None
            wire.close(tls)
        return meeting

    return wire.Task(work)


def probe(sockctl, *words, **how):
    return sockctl.start("connect", "--probe", *words, stdin=b"never sent", **how)


def url(place):
    return f"tls://{place.shown()}"


def tells(proc, place, words, code=6):
    """One line for stdout's reader, one for stderr's."""
    out = proc.ends(code).decode()
    found = re.fullmatch(rf"{re.escape(place.shown())} tls: (.+)\n", out)
    assert found and re.search(words, found[1]), f"{out!r} does not say {words!r}"
    assert proc.complaint() == f"sockctl: probe {place.shown()}: {found[1]}"


@LOOPS
@pytest.mark.parametrize("newest", [OLD, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_open(sockctl, tcp, newest):
    task = visited(tcp.listen(), relay.server_context(newest=newest))
    proc = probe(sockctl, *CA, url(tcp))
    assert proc.ends(0).decode() == f"{tcp.shown()} open\n" and proc.lines() == []
    met = task.result()
    assert met.shaken and met.heard == b"" and met.refused == ""  # a goodbye, no reset


@pytest.mark.parametrize("words, facts", [
    (["--pin", good().pin], {}),
    (["--insecure"], {}),
    ([*CA, "--server-name", "localhost"], {"sni": "localhost"}),
    ([*CA, "--alpn", "x,h2"], {"alpn": "h2"}),
    ([*CA, "--tls-min", "1.3"], {"version": "TLSv1.3"}),
    ([*CA, "--cert", user().both], {}),
], ids=lambda each: each[-2].strip("-") if isinstance(each, list) and len(each) > 1 else None)
def test_what_was_asked_of_tls_holds(sockctl, tcp, words, facts):
    task = visited(tcp.listen(), relay.server_context(alpn=["h2"]))
    assert b" open\n" in probe(sockctl, *words, "--tls", "127.0.0.1", tcp.port).ends(0)
    met = task.result()
    assert met.shaken and {name: getattr(met, name) for name in facts} == facts


@LOOPS
@pytest.mark.parametrize("case", ["self-signed", "other-name", "expired", "other-key", "too-old", "unknown"])
def test_not_the_one(sockctl, tcp, case):
    cert, words, says = {
        "self-signed": (lambda: make("alone", **HERE), CA, r"^self-signed certificate .*CN=alone"),
        "other-name": (good, [*CA, "--server-name", "example.org"], r'not for "example\.org" but for DNS:localhost'),
        "expired": (lambda: make("old", root(), days=(-9, -1), **HERE), CA, "has expired"),
        "other-key": (good, ["--pin", user().pin], "not the pinned one"),
        "too-old": (good, [*CA, "--tls-min", "1.3"], "(?i)version"),
        "unknown": (lambda: make("leaf", certs.stranger(), **HERE), CA, "unable to get local issuer"),
    }[case]
    task = visited(tcp.listen(), relay.server_context(cert(), newest=OLD if case == "too-old" else None))
    tells(probe(sockctl, *words, url(tcp)), tcp, says)
    assert not task.result().shaken or case == "other-key"


def test_a_name_that_would_be_a_line_of_its_own(sockctl, tcp):
    task = visited(tcp.listen(), relay.server_context(make("x\n127.0.0.1:22 open", **HERE)))
    tells(probe(sockctl, *CA, url(tcp)), tcp, r"CN=x\\0A127\.0\.0\.1:22 open")
    task.result()


@LOOPS
@pytest.mark.parametrize("sends, end, says", [
    (b"SSH-2.0-OpenSSH_9.2\r\n", wire.half_close, '^the peer does not speak TLS: it sent "SSH-2"$'),
    (b"\x15\x03\x03\0\2\2\x28", wire.half_close, "nothing in common .*handshake failure"),
    (b"", wire.half_close, "the peer closed the connection during the handshake; perhaps it does not speak TLS"),
    (b"", wire.reset, "the connection broke during the handshake"),
], ids=["plain", "alert", "closed", "reset"])
def test_something_else(sockctl, tcp, sends, end, says):
    listener = tcp.listen()
    proc = probe(sockctl, *CA, url(tcp))
    sock = wire.accept(listener)
    wire.read(sock, 6)
    sock.sendall(sends)
    end(sock)
    tells(proc, tcp, says)


@LOOPS
def test_silence(sockctl, tcp):
    """A deadline for the connection and the handshake together. Whether there was time for the first of them is the machine's."""
    listener = tcp.listen()
    proc = probe(sockctl, *CA, "-w", "200ms", url(tcp))
    proc.wait()
    if wire.read_any(wire.accept(listener)):
        tells(proc, tcp, "^no handshake within 200ms$", code=5)
    else:
        assert proc.ends(5).decode() == f"{tcp.shown()} no answer\n"


def test_over_a_unix_socket(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    sockctl.serve("echo", place, "--tls", "--cert", good().both)
    assert probe(sockctl, "--tls", "--pin", good().pin, f"unix:{place.path}").ends(0).decode() == f"unix:{place.path} open\n"


# several ports


def row(sockctl, *kinds):
    """Servers: {port: kind}, for kinds of "good", "bad" (a certificate of no known authority) and "shut" (refused)."""
    made = {}
    for kind in kinds:
        place = Place("tcp4", None)
        if kind == "shut":
            place.bind()
        else:
            sockctl.serve("echo", place, "--tls", *(["--cert", good().both] if kind == "good" else []))
        made[place.port] = kind
    return made


@LOOPS
@pytest.mark.parametrize("kinds", [("good", "bad", "shut", "good"), ("bad", "shut")], ids=" ".join)
def test_a_line_for_each(sockctl, tmp_path, kinds):
    """One that is open will do; else the last in the list says why."""
    made = row(sockctl, *kinds)
    ports = sorted(made)
    proc = probe(sockctl, *CA, "--events", tmp_path / "log", "--tls", "127.0.0.1", f"{ports[0]},{ports[0]}-{ports[0]}," + ",".join(map(str, ports[1:])))
    out = proc.ends(0 if "good" in kinds else 6 if made[ports[-1]] == "bad" else 4).decode().splitlines()
    says = {"good": "open", "bad": r"tls: self-signed certificate .*", "shut": "refused"}
    assert len(out) == len(ports)
    for line, port in zip(out, ports):
        assert re.fullmatch(rf"127\.0\.0\.1:{port} {says[made[port]]}", line)
    told = [(e["addr"], e["answer"], e.get("error")) for e in tlspeer.events(tmp_path / "log", "probe")]
    assert told == [(addr, *(answer.split(": ", 1) + [None])[:2]) for addr, answer in (line.split(" ", 1) for line in out)]


def test_more_than_are_asked_at_once(sockctl):
    """And more than can say goodbye at once."""
    places = [Place("tcp4", None) for _ in range(80)]
    tasks = [visited(place.listen(), relay.server_context()) for place in places]
    out = probe(sockctl, *CA, "--tls", "127.0.0.1", ",".join(str(place.port) for place in places)).ends(0).decode()
    assert out.splitlines() == [f"127.0.0.1:{port} open" for port in sorted(place.port for place in places)]
    assert all(task.result().shaken for task in tasks)


# --wait and --stable


@LOOPS
@pytest.mark.parametrize("end", [wire.close, wire.reset], ids=["closed", "reset"])
def test_a_server_that_drops_silently_is_tried_again(sockctl, tcp, end):
    """As a proxy does whose server has not come up yet."""
    listener = tcp.listen()
    proc = probe(sockctl, *CA, "--wait", "1h", url(tcp))
    for _ in range(2):
        sock = wire.accept(listener)
        wire.read(sock, 6)
        end(sock)
    task = visited(listener, relay.server_context())
    assert proc.ends(0).decode() == f"{tcp.shown()} open\n"
    assert task.result().shaken


def test_nothing_will_make_a_bad_certificate_good(sockctl):
    made = row(sockctl, "bad")
    proc = probe(sockctl, *CA, "--wait", "1h", "--tls", "127.0.0.1", *made)
    assert b" tls: self-signed" in proc.ends(6)


def test_one_of_several_may_still_come(sockctl):
    """The last port is a hopeless case, but the first is not."""
    (high,) = row(sockctl, "bad")
    low = Place("tcp4", None)
    bound = low.bind()
    while low.port > high:
        low.port = 0
        bound = low.bind()
    proc = probe(sockctl, *CA, "--wait", "1h", "-v", "--tls", "127.0.0.1", f"{low.port},{high}")
    proc.says(rb"next try")
    bound.listen()
    task = visited(bound, relay.server_context())
    first, second = proc.ends(0).decode().splitlines()
    assert first == f"{low.shown()} open" and f":{high} tls: self-signed" in second
    assert task.result().shaken


@LOOPS
def test_it_has_to_stay(sockctl, tcp):
    def talk_and_go(tls):
        tls.sendall(bytes(1 << 20))
        tls.unwrap()

    task = visited(tcp.listen(), relay.server_context(), talk_and_go)
    assert probe(sockctl, *CA, "--stable", "1h", url(tcp)).ends(4).decode() == f"{tcp.shown()} closed\n"
    assert task.result().shaken


@LOOPS
def test_it_stays_and_talks(sockctl, tcp):
    """What it says, and be it without end, is read and dropped."""

    def flood(tls):
        while True:
            tls.sendall(bytes(65536))

    task = visited(tcp.listen(), relay.server_context(), flood)
    assert probe(sockctl, *CA, "--stable", "300ms", url(tcp)).ends(0).decode() == f"{tcp.shown()} open\n"
    assert task.result().shaken


@LOOPS
def test_a_request_for_our_certificate_comes_late(sockctl, tcp):
    """In TLS 1.3 the handshake is over for us before the server has judged us."""
    context = relay.server_context(client_ca=root())
    task = visited(tcp.listen(), context)
    tells(probe(sockctl, *CA, "--stable", "1h", url(tcp)), tcp, r"^TLS alert \(certificate required\) from the peer$")
    assert not task.result().shaken
    tcp.port = 0
    task = visited(tcp.listen(), context)
    assert b" open\n" in probe(sockctl, *CA, "--stable", "10ms", "--cert", user().both, url(tcp)).ends(0)
    assert task.result().shaken


@LOOPS
@pytest.mark.parametrize("swapped", [False, True])
def test_each_of_several_by_its_own_name(sockctl, tmp_path, swapped):
    """One has a certificate for its number, one for its name, one has no TLS."""
    places = [Place("tcp4", tmp_path) for _ in range(3)]
    certificates = [make("number", root(), ips=["127.0.0.1"]), make("name", root(), dns=["localhost"])][::-1 if swapped else 1]
    tasks = [visited(place.listen(), relay.server_context(cert)) for place, cert in zip(places, certificates)]
    plain = places[2].listen()
    words = [f"tls://127.0.0.1:{places[0].port}", f"tcp://{places[2].shown()}", f"tls://localhost:{places[1].port}"]
    proc = probe(sockctl, *CA, "-4", "--all", *words)
    lines = proc.ends(6 if swapped else 0).decode().splitlines()
    if swapped:
        assert "tls: " in lines[0] and lines[1].endswith(" open") and "tls: " in lines[2]
    else:
        assert lines == [f"{places[0].shown()} open", f"{places[2].shown()} open", f"localhost:{places[1].port} open"]
    met = [task.result() for task in tasks]
    assert [one.sni for one in met] == [None, "localhost"]
    plain.close()
