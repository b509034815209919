"""starttls in scripts of --talk: TLS comes into a connection, at either end, and the conversation goes on inside it."""
import re
import smtplib
import ssl

import pytest

import certs
import wire
from conftest import TOP
from place import Place
from program import has_tls
from test_talk import script
from test_talk_peers import events_of

pytestmark = pytest.mark.neighbours

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

MAIL = TOP / "tests/talk/starttls.talk"
CA = ["--ca", certs.root().pem]
CERT = ["--cert", certs.good().both]
SERVER = ['send "plain"', 'on "TLS" send "go" starttls', 'on ~"^say (.*)$" send "$1"', 'must "quit" send "bye" close']
CLIENT = ['expect "plain" send "TLS" expect "go" starttls send "say hola" expect "hola" send "quit" expect "bye"']


def context():
    return ssl.create_default_context(cafile=certs.root().pem)


def send_mail(port, tls=None):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="here", timeout=wire.DEADLINE) as smtp:
        smtp.starttls(context=tls or context())
        return smtp.sendmail("a@example.org", ["b@example.org"], "Subject: hola\r\n\r\nque tal\r\n"), smtp.sock.version()


@pytest.mark.usefixtures("loop")
def test_mail(sockctl, tcp):
    server = sockctl.serve("serve", tcp, "--talk", f"@{MAIL}", *CERT, "--count", 2, "--strict")
    for _ in range(2):
        assert send_mail(tcp.port) == ({}, "TLSv1.3")
    server.ends(0)
    assert server.lines() == []


def test_a_peer_with_the_last_word_may_leave(sockctl, tcp):
    """The goodbye of TLS, which comes after it, is answered with a reset then, and nothing is lost."""
    server = sockctl.serve("listen", tcp, "--talk", f"@{MAIL}", *CERT, "-v")
    assert send_mail(tcp.port)[0] == {}
    server.ends(0)
    assert any("closed by script" in line for line in server.lines())


@pytest.mark.whole("TLS takes too long byte by byte")
@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("beside", [[], ["--transcript", "/dev/null"], ["--fault", "chunk=1..7"]], ids=lambda w: w[0] if w else "alone")
@pytest.mark.parametrize("kind", ["tcp4", "unix"])
@pytest.mark.parametrize("mode", ["listen", "serve"])
def test_both_ends_are_scripts(sockctl, tmp_path, mode, kind, beside):
    """Whether something stands above TLS, below it, or nothing does."""
    place = Place(kind, tmp_path)
    server = sockctl.serve(mode, place, *script(*SERVER), *CERT, *beside, *(["--count", 1] if mode == "serve" else []))
    client = sockctl.connect(place, *script(*CLIENT), *CA, "--server-name", "localhost", *beside)
    client.ends(0)
    server.ends(0)
    assert client.lines() == server.lines() == []


def test_a_certificate_made_for_the_run(sockctl, tcp):
    """Its pin is told as under --tls."""
    server = sockctl.serve("serve", tcp, *script(*SERVER), "--count", 1, "--run",
                           f"{sockctl.binary} connect --pin $SOCKCTL_PIN --talk '{CLIENT[0]}' $SOCKCTL_HOST $SOCKCTL_PORT")
    server.ends(0)


@pytest.mark.whole("TLS takes too long byte by byte")
def test_events(sockctl, tcp, tmp_path):
    log = tmp_path / "log"
    server = sockctl.serve("listen", tcp, *script(*SERVER), *CERT, "--events", log, "--events-data", "b64")
    sockctl.connect(tcp, *script(*CLIENT), *CA).ends(0)
    server.ends(0)
    tls, = events_of(log, "tls")
    assert (tls["conn"], tls["version"]) == (1, "TLSv1.3")
    heard = [e["len"] for e in events_of(log, "data") if e["dir"] == "in"]
    assert heard == [len("TLS\n"), len("say hola\n"), len("quit\n")]
    assert [e["by"] for e in events_of(log, "close")] == ["script"]


def shake(tls, sock, ahead):
    """A client whose first message of TLS goes out behind these bytes, in one piece."""
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    pipe = tls.wrap_bio(come, go, server_hostname="localhost")
    while True:
        try:
            pipe.do_handshake()
            sock.sendall(go.read())
            return pipe, come, go
        except ssl.SSLWantReadError:
            sock.sendall(ahead + go.read())
        while ahead:  # what is not TLS yet
            ahead = b"" if wire.read_until(sock) == b"go\n" else ahead
        come.write(sock.recv(1 << 16))


@pytest.mark.usefixtures("loop")
def test_a_handshake_may_come_ahead(sockctl, tcp):
    """A client that does not wait for our word: its message was read with the line before, and is TLS's all the same."""
    server = sockctl.serve("serve", tcp, *script(*SERVER), *CERT, "--count", 1, "--strict")
    sock = tcp.dial()
    assert wire.read_until(sock) == b"plain\n"
    pipe, come, go = shake(context(), sock, b"TLS\n")
    pipe.write(b"quit\n")
    sock.sendall(go.read())
    while True:
        try:
            assert pipe.read(100) == b"bye\n"
            break
        except ssl.SSLWantReadError:
            come.write(sock.recv(1 << 16))
    wire.close(sock)
    server.ends(0)


@pytest.mark.parametrize("pieces", [[b"TLS\nquit\n"], [b"TLS\n", b"quit\n"]], ids=["one", "two"])
def test_clear_text_that_comes_ahead_is_never_heard(sockctl, tcp, pieces):
    server = sockctl.serve("serve", tcp, *script(*SERVER), *CERT, "--count", 1)
    sock = tcp.dial()
    assert wire.read_until(sock) == b"plain\n"
    for piece in pieces:
        sock.sendall(piece)
    assert wire.read_until(sock) == b"go\n"
    assert b"bye" not in wire.read_eof(sock)
    wire.close(sock)
    server.ends(8)
    assert server.complaint() == 'sockctl: client 1: --talk:2: starttls: the peer does not speak TLS: it sent "quit\\n"'


def test_an_unverified_peer(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script(*SERVER), *CERT, "--count", 1)
    client = sockctl.connect(tcp, *script(*CLIENT), "--ca", certs.stranger().pem)
    client.ends(8)
    assert client.complaint().startswith("sockctl: connection 1: --talk:1: starttls: ")
    server.ends(8)
    assert server.complaint().startswith("sockctl: client 1: --talk:2: starttls: the peer does not know who issued our certificate")


def test_twice_is_too_much(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('on "TLS" send "go" starttls'), *CERT, "--count", 1)
    client = sockctl.connect(tcp, *script('send "TLS" expect "go" starttls send "TLS" skip "x"'), *CA)
    client.ends(8)
    server.ends(8)
    assert server.complaint() == "sockctl: client 1: --talk:1: starttls: there is TLS already"


def test_a_peer_that_leaves_instead(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script("starttls"), *CERT, "--count", 1)
    wire.close(tcp.dial())
    server.ends(8)
    assert server.complaint().startswith("sockctl: client 1: --talk:1: starttls: the peer closed the connection during the handshake")


def test_a_signal_during_the_handshake(sockctl, tcp):
    server = sockctl.serve("serve", tcp, *script('send "go" starttls'), *CERT, "--drain", "50ms")
    sock = tcp.dial()
    assert wire.read_until(sock) == b"go\n"
    server.signal(15)
    server.ends(7)


@pytest.mark.whole("TLS takes too long byte by byte")
def test_a_record_has_it(sockctl, tcp, tmp_path):
    file = tmp_path / "record.talk"
    server = sockctl.serve("listen", tcp, "--talk", f"@{MAIL}", *CERT, "--record", file)
    first = send_mail(tcp.port)
    server.ends(0)
    said = re.sub(r"(?m)^wait .*\n", "", file.read_text())  # pauses, on a busy machine
    assert 'send   "220 go ahead\\r\\n"\nstarttls\nexpect "ehlo here' in said
    server = sockctl.serve("listen", tcp, "--talk", f"@{file}", *CERT)
    assert send_mail(tcp.port) == first
    server.ends(0)
    server = sockctl.serve("serve", tcp, "--talk", f"@{file}", *CERT, "--count", 1)
    sockctl.connect(tcp, "--talk", f"@{file}", "--swap", *CA).ends(0)
    server.ends(0)


@pytest.mark.parametrize("mode, words, why", [
    ("connect", ["--tls", *script("starttls"), "localhost", 1], "--tls and the script's starttls cannot be used together"),
    ("listen", ["--tls", *script("starttls"), "127.0.0.1:0"], "--tls and the script's starttls cannot be used together"),
    ("connect", [*CERT, *script('send "a"'), "localhost", 1], "--cert: the connection has no TLS; add --tls"),
    ("listen", ["--cert", "/no/such", *script("starttls"), "127.0.0.1:0"], "--cert /no/such: "),
    ("serve", ["-u", *script("starttls"), "127.0.0.1:0"], "--talk:1:1: TLS needs a stream, not datagrams"),
    ("serve", [*script("starttls starttls"), "127.0.0.1:0"], '--talk:1:10: there is a "starttls" in line 1 already'),
    ("serve", [*script("shut starttls"), "127.0.0.1:0"], '--talk:1:6: nothing can be sent after the "shut" in line 1'),
    ("connect", [*script("starttls"), "unix:/no/such"], "--tls: unix:/no/such has no host name to verify"),
])
def test_usage(sockctl, mode, words, why):
    proc = sockctl.run(mode, *words)
    proc.ends(2)
    assert proc.complaint().startswith(f"sockctl: {why}")
