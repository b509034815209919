"""The words of TLS: what makes no sense is refused before anything is opened, and what is told (notes, events, environment, key
log) is told right. A run that has no use for TLS does not even load it."""
import json
import os
import re
import socket
import stat
from select import select

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import certs
import relay
import shark
import tlspeer
import wire
from certs import good, root, user
from conftest import BINARY
from place import Place
from program import has_tls

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

PIN = "sha256//" + "A" * 43 + "="
NOTE = rb"sockctl: .*--pin (sha256//[A-Za-z0-9+/]{43}=)\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """By name: what a user may give by mistake."""
    folder = tmp_path_factory.mktemp("files")
    made = {"none": folder / "none" / "x", "folder": folder, "good": good().pem, "key": good().key, "other-key": user().key,
            "both": good().both, "locked": good().encrypted(), "root": root().pem}
    made["empty"] = certs.write(folder / "empty", b"")
    made["words"] = certs.write(folder / "words", b"these are just words\n")
    made["der"] = certs.write(folder / "der", good().der)
    made["torn"] = certs.write(folder / "torn", good().alone.read_bytes()[:-60])
    made["wrong-inside"] = certs.write(folder / "inside", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    made["both-other"] = certs.write(folder / "both-other", good().pem.read_bytes() + user().key.read_bytes())
    made["both-locked"] = certs.write(folder / "both-locked", good().pem.read_bytes() + good().encrypted().read_bytes())
    (folder / "link").symlink_to(folder / "target")
    made["link"] = folder / "link"
    return made


TWO = ("connect", "echo")
# (modes, words: {name} is a file, what the line says)
BAD = {
    "cert-without-key": (TWO, ["--tls", "--cert", "{good}"], "{good}: .*--key"),
    "key-without-cert": (TWO, ["--tls", "--key", "{key}"], "{key} requires --cert"),
    "key-of-another": (TWO, ["--tls", "--cert", "{good}", "--key", "{other-key}"], "{other-key}: .*does not belong"),
    "key-of-another-beside": (TWO, ["--tls", "--cert", "{both-other}"], "{both-other}: .*does not belong"),
    "cert-not-there": (TWO, ["--tls", "--cert", "{none}", "--key", "{key}"], "--cert {none}: No such file"),
    "key-not-there": (TWO, ["--tls", "--cert", "{good}", "--key", "{none}"], "--key {none}: No such file"),
    "cert-a-folder": (TWO, ["--tls", "--cert", "{folder}", "--key", "{key}"], "--cert {folder}: Is a directory"),
    "key-a-folder": (TWO, ["--tls", "--cert", "{good}", "--key", "{folder}"], "--key {folder}: Is a directory"),
    "cert-empty": (TWO, ["--tls", "--cert", "{empty}", "--key", "{key}"], "--cert {empty}: .*empty"),
    "key-empty": (TWO, ["--tls", "--cert", "{good}", "--key", "{empty}"], "--key {empty}: .*empty"),
    "cert-words": (TWO, ["--tls", "--cert", "{words}", "--key", "{key}"], "--cert {words}: no certificate"),
    "cert-a-key": (TWO, ["--tls", "--cert", "{key}", "--key", "{key}"], "--cert {key}: no certificate"),
    "cert-der": (TWO, ["--tls", "--cert", "{der}", "--key", "{key}"], "--cert {der}: no certificate"),
    "cert-torn": (TWO, ["--tls", "--cert", "{torn}", "--key", "{key}"], "--cert {torn}: "),
    "cert-wrong-inside": (TWO, ["--tls", "--cert", "{wrong-inside}", "--key", "{key}"], "--cert {wrong-inside}: cannot be used"),
    "key-words": (TWO, ["--tls", "--cert", "{good}", "--key", "{words}"], "--key {words}: no private key"),
    "key-a-cert": (TWO, ["--tls", "--cert", "{good}", "--key", "{good}"], "--key {good}: no private key"),
    "key-locked": (TWO, ["--tls", "--cert", "{good}", "--key", "{locked}"], "--key {locked}: .*encrypted"),
    "key-locked-beside": (TWO, ["--tls", "--cert", "{both-locked}"], "--cert {both-locked}: .*encrypted"),
    "ca-not-there": (["connect"], ["--tls", "--ca", "{none}"], "--ca {none}: No such file"),
    "ca-words": (["connect"], ["--tls", "--ca", "{words}"], "--ca {words}: no certificate"),
    "ca-empty": (["connect"], ["--tls", "--ca", "{empty}"], "--ca {empty}: no certificate"),
    "ca-of-a-server": (["echo"], ["--tls", "--ca", "{root}"], "--ca; connect, listen and serve have it"),
    "client-ca-words": (["echo"], ["--tls", "--client-ca", "{words}"], "--client-ca {words}: no certificate"),
    "client-ca-not-there": (["echo"], ["--tls", "--client-ca", "{none}"], "--client-ca {none}: No such file"),
    "client-ca-of-a-client": (["connect"], ["--tls", "--client-ca", "{root}"], "--client-ca; listen, serve, echo and chat"),
    "pin-of-a-server": (["echo"], ["--tls", "--pin", PIN], "--pin; connect, listen and serve have it"),
    "insecure-server": (["echo"], ["--tls", "--insecure"], "--insecure; connect, listen and serve have it"),
    "pin-word": (["connect"], ["--tls", "--pin", "none"], "--pin: expected sha256//"),
    "pin-empty": (["connect"], ["--tls", "--pin", ""], "--pin: expected sha256//"),
    "pin-other-hash": (["connect"], ["--tls", "--pin", "sha1//" + "A" * 27 + "="], "--pin: expected sha256//"),
    "pin-short": (["connect"], ["--tls", "--pin", "sha256//" + "A" * 42 + "="], "--pin: expected sha256//"),
    "pin-long": (["connect"], ["--tls", "--pin", PIN + "="], "--pin: expected sha256//"),
    "pin-other-digits": (["connect"], ["--tls", "--pin", PIN.replace("AA", "-_")], "--pin: expected sha256//"),
    "pin-last-bits": (["connect"], ["--tls", "--pin", PIN.replace("A=", "B=")], "--pin: expected sha256//"),
    "pin-of-pins": (["connect"], ["--tls", "--pin", f"{PIN};{PIN}"], "--pin: expected sha256//"),
    "insecure-and-ca": (["connect"], ["--tls", "--insecure", "--ca", "{root}"], "--insecure and --ca cannot"),
    "insecure-and-pin": (["connect"], ["--tls", "--insecure", "--pin", PIN], "--insecure and --pin cannot"),
    "version-old": (TWO, ["--tls", "--tls-min", "1.1"], '--tls-min: got "1.1", expected 1.2 or 1.3'),
    "version-new": (TWO, ["--tls", "--tls-min", "1.4"], "--tls-min: .*expected 1.2 or 1.3"),
    "version-word": (TWO, ["--tls", "--tls-min", "TLSv1.3"], "--tls-min: .*expected 1.2 or 1.3"),
    "alpn-empty": (TWO, ["--tls", "--alpn", ""], "--alpn: expected names"),
    "alpn-gap": (TWO, ["--tls", "--alpn", "h2,,http/1.1"], "--alpn: expected names"),
    "alpn-end": (TWO, ["--tls", "--alpn", "h2,"], "--alpn: expected names"),
    "alpn-long": (TWO, ["--tls", "--alpn", "x" * 256], "--alpn: longer than"),
    "name-empty": (["connect"], ["--tls", "--server-name", ""], "--server-name: expected a host name"),
    "name-with-a-dot": (["connect"], ["--tls", "--server-name", ".example.org"], "--server-name: expected a host name"),
    "name-long": (["connect"], ["--tls", "--server-name", "x" * 254], "--server-name: expected a host name"),
    "keylog-nowhere": (TWO, ["--tls", "--keylog", "{none}"], "--keylog {none}: No such file"),
    "keylog-folder": (TWO, ["--tls", "--keylog", "{folder}"], "--keylog {folder}: Is a directory"),
    "keylog-link": (TWO, ["--tls", "--keylog", "{link}"], "--keylog {link}: .*symbolic links"),
    "udp": (TWO, ["--tls", "-u"], "--tls"),
    "idle-probe": (["connect"], ["--probe", "--pin", PIN], "--pin: the connection has no TLS; add --tls"),
    "probe-udp": (["connect"], ["--probe", "--tls", "-u"], "--tls"),
    **{f"idle{option}": (modes, [option, *value], f"{option}: the connection has no TLS; add --tls") for modes, option, value in [
        (TWO, "--cert", ["{both}"]), (TWO, "--alpn", ["h2"]), (TWO, "--tls-min", ["1.3"]), (TWO, "--tls-allow-truncation", []),
        (TWO, "--keylog", ["{none}"]), (["connect"], "--ca", ["{root}"]), (["connect"], "--pin", [PIN]),
        (["connect"], "--insecure", []), (["connect"], "--server-name", ["localhost"]), (["echo"], "--client-ca", ["{root}"])]},
}


@pytest.mark.parametrize("mode, case", [(mode, case) for case, (modes, _, _) in BAD.items() for mode in modes])
def test_refused_before_anything_is_opened(sockctl, tcp, files, mode, case):
    _, words, says = BAD[case]
    listener = tcp.listen()
    for name, path in files.items():
        words = [word.replace("{%s}" % name, str(path)) for word in words]
        says = says.replace("{%s}" % name, re.escape(str(path)))
    proc = sockctl.run(mode, *words, *([tcp.host, tcp.port] if mode == "connect" else [tcp.host, "0"]), stdin=b"payload")
    tlspeer.says_why(proc, says, code=2)
    assert wire.silent(listener) and b"listening" not in proc.err
    assert not files["none"].exists() and not (files["folder"] / "target").exists()


@pytest.mark.parametrize("mode, option", [(mode, option) for mode, own in (("connect", "--ca"), ("echo", "--client-ca"))
                                          for option in ("--cert", "--key", "--keylog", own)])
def test_files_that_we_may_not_read(sockctl, tmp_path, need, mode, option):
    """No user may, not even root, which is made to give up its power over other people's files."""
    locked = certs.write(tmp_path / "locked", good().both.read_bytes())
    locked.chmod(0)
    words = [*(["--cert", good().pem] if option == "--key" else []), option, locked]
    mine = ["--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    proc = sockctl.program([need("setpriv"), *mine, BINARY, mode, "--tls", *words, "127.0.0.1:0" if mode == "echo" else "127.0.0.1:1"],
                           stdin=b"payload")
    tlspeer.says_why(proc, f"{option} {re.escape(str(locked))}: Permission denied", code=2)


@pytest.mark.parametrize("words", [["udp://127.0.0.1:9"], ["unix-dgram:s"]], ids=" ".join)
def test_no_tls_over_datagrams(sockctl, words):
    tlspeer.says_why(sockctl.run("connect", "--tls", *words), "--tls|datagram", code=2)


def test_the_expected_name_must_be_known(sockctl, tmp_path):
    """A Unix socket has no name of its own; a path without a listener has not been tried."""
    place = Place("unix", tmp_path)
    proc = sockctl.run("connect", "--tls", f"unix:{place.path}")
    tlspeer.says_why(proc, "no host name to verify; say --server-name, --pin", code=2)


@pytest.mark.parametrize("known", [["--pin", good().pin], ["--ca", root().pem, "--server-name", "localhost"]],
                         ids=["pin", "name"])
def test_over_a_unix_socket(sockctl, tmp_path, known):
    place = Place("unix", tmp_path)
    sockctl.serve("echo", place, "--tls", "--cert", good().both)
    assert sockctl.run("connect", "--tls", *known, f"unix:{place.path}", stdin=b"hola").ends(0) == b"hola"


@pytest.mark.parametrize("form", ["tls://127.0.0.1:{}", "--tls tcp://127.0.0.1:{}", "--tls 127.0.0.1 {}",
                                  "--tls -4 localhost {}"])
def test_ways_to_say_it(sockctl, tcp, form):
    sockctl.serve("echo", tcp, "--tls", "--cert", good().both)
    words = form.format(tcp.port).split()
    assert sockctl.run("connect", "--ca", root().pem, *words, stdin=b"hola").ends(0) == b"hola"


# a certificate for this run


def cert_of(server, host="127.0.0.1"):
    """What the server shows."""
    sock = wire.keep(socket.create_connection((host, server.port)))
    tls = tlspeer.wrap(sock, relay.client_context(names=False), server_hostname=host)
    tls.do_handshake()
    cert = x509.load_der_x509_certificate(tls.getpeercert(True))
    wire.close(tls)
    return cert


@pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
def test_the_certificate_of_a_run(sockctl, mode, tmp_path):
    """For seven days and this machine; its pin stands in a note and in the event, and is all a client needs."""
    server = sockctl.serve(mode, ["tls://127.0.0.2:0"], "--events", tmp_path / "events", stdin=b"")
    pin = server.says(NOTE)[1].decode()
    (ready,) = tlspeer.events(tmp_path / "events", "ready")
    assert ready["pin"] == pin and ready["url"] == f"tls://127.0.0.2:{server.port}"
    if mode != "listen":
        cert = cert_of(server, "127.0.0.2")
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["localhost"]
        assert {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1", "127.0.0.2"}
        assert 7 * 86400 <= (cert.not_valid_after - cert.not_valid_before).total_seconds() <= 7 * 86400 + 7200
        assert isinstance(cert.public_key().curve, ec.SECP256R1) and cert.issuer == cert.subject
    client = sockctl.run("connect", "--pin", pin, "--recv-only" if mode == "chat" else "--end=both", "--max-time", "300ms",
                         f"tls://127.0.0.2:{server.port}", stdin=b"")
    assert client.wait() in (0, 5) and not any("TLS" in line for line in client.lines())


def test_each_run_has_its_own(sockctl):
    one, two = (sockctl.serve("echo", ["tls://127.0.0.1:0"]) for _ in range(2))
    assert one.says(NOTE)[1] != two.says(NOTE)[1]
    assert cert_of(one).serial_number != cert_of(two).serial_number
    proc = sockctl.run("connect", "--pin", one.says(NOTE)[1].decode(), f"tls://127.0.0.1:{two.port}", stdin=b"payload")
    tlspeer.says_why(proc, "not the pinned one")


def test_a_name_to_listen_at_is_among_the_names(sockctl):
    server = sockctl.serve("echo", ["tls://localhost:0"])
    names = cert_of(server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_no_note_with_a_certificate_of_ours(sockctl, tmp_path):
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--cert", good().both, "--events", tmp_path / "events")
    (ready,) = tlspeer.events(tmp_path / "events", "ready")
    assert ready["pin"] == good().pin and server.lines() == []


# --run


@pytest.mark.parametrize("words", [[], ["--cert", str(good().both)]], ids=["made", "given"])
def test_a_command_is_told_the_pin(sockctl, tmp_path, words):
    command = (f'echo "$SOCKCTL_PIN $SOCKCTL_ADDR" >{tmp_path}/told; '
               f'echo hola | "{BINARY}" connect --pin "$SOCKCTL_PIN" "$SOCKCTL_ADDR"')
    proc = sockctl.run("echo", *words, "--run", command, "--events", tmp_path / "events", "tls://127.0.0.1:0")
    assert proc.ends(0) == b"hola\n"
    (ready,) = tlspeer.events(tmp_path / "events", "ready")
    assert (tmp_path / "told").read_text().split() == [ready["pin"], ready["url"]]


def test_without_tls_there_is_none(sockctl, tmp_path):
    proc = sockctl.run("echo", "--run", 'echo "<$SOCKCTL_PIN>"', "127.0.0.1:0", env={"SOCKCTL_PIN": "outer"})
    assert proc.ends(0) == b"<>\n"


# events


def one(path, kind):
    (event,) = tlspeer.events(path, kind)
    return event


def test_events_of_both_ends(sockctl, tmp_path):
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--cert", good().both, "--client-ca", root().pem, "--alpn", "x,echo",
                           "--events", tmp_path / "server", "--count", "1")
    client = sockctl.run("connect", "--ca", root().pem, "--cert", user().both, "--alpn", "echo,y", "--events", tmp_path / "client",
                         "--tls", "localhost", server.port, stdin=b"hola")
    assert client.ends(0) == b"hola"
    server.ends(0)
    for name, other in (("server", user()), ("client", good())):
        event = one(tmp_path / name, "tls")
        assert (event["version"], event["alpn"], event["sni"]) == ("TLSv1.3", "echo", "localhost")
        assert event["cipher"].startswith("TLS_") and event["handshake_us"] > 0
        assert (event["verify"], event["pin"]) == ("ok", other.pin)
        assert list(event)[5:] == ["conn", "version", "cipher", "alpn", "sni", "verify", "pin", "handshake_us"]
        order = [event["ev"] for event in tlspeer.events(tmp_path / name)]
        assert order.count("tls") == 1 and order.index("tls") < order.index("close")
        assert one(tmp_path / name, "close")["truncated"] is False


@pytest.mark.parametrize("words, verify", [(["--pin", good().pin], "pin"), (["--insecure"], "off"), (["--ca", root().pem], "ok"),
                                           (["--pin", good().pin, "--ca", root().pem], "ok")], ids=["pin", "off", "ok", "both"])
def test_how_it_was_verified(sockctl, tmp_path, words, verify):
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--cert", good().both, "--events", tmp_path / "server")
    proc = sockctl.run("connect", *words, "--events", tmp_path / "client", "-v", f"tls://127.0.0.1:{server.port}", stdin=b"x")
    assert proc.ends(0) == b"x"
    event = one(tmp_path / "client", "tls")
    assert event["verify"] == verify and event["pin"] == good().pin and "alpn" not in event and "sni" not in event
    words = {"ok": "certificate verified", "pin": "certificate pinned", "off": "certificate not verified"}[verify]
    assert f"sockctl: [1] TLSv1.3, {event['cipher']}, {words}" in proc.lines()
    assert one(tmp_path / "server", "tls")["verify"] == "none"


def test_events_of_a_failed_client(sockctl, tcp, tmp_path):
    task = tlspeer.one_client(tcp.listen(), relay.server_context(certs.make("x", root())))
    proc = sockctl.run("connect", "--ca", root().pem, "--events", tmp_path / "events", f"tls://{tcp.shown()}", stdin=b"payload")
    line = tlspeer.says_why(proc, "not for")
    assert not task.result().shaken
    assert not tlspeer.events(tmp_path / "events", "open") and not tlspeer.events(tmp_path / "events", "tls")
    last = one(tmp_path / "events", "exit")
    assert (last["code"], last["class"], last["error"]) == (6, "tls", line.removeprefix("sockctl: "))


def test_json_on_stderr(sockctl, tcp):
    """All of it is JSON, the note and the warning, too."""
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--json")
    client = sockctl.run("connect", "--json", "--insecure", f"tls://127.0.0.1:{server.port}", stdin=b"x")
    assert client.ends(0) == b"x"
    assert [event["ev"] for event in map(json.loads, client.err.splitlines())].count("warn") == 1
    server.says(rb'"ev":"close"')
    assert {"ready", "note", "tls"} <= {event["ev"] for event in map(json.loads, server.err.splitlines())}


# the key log

SECRET = re.compile(r"[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,128}")


def test_keylog(sockctl, tmp_path):
    """Both ends write the same secrets; a later run appends; no other user may read."""
    log = {name: tmp_path / name for name in ("server", "client")}
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--cert", good().both, "--keylog", log["server"], "--count", "2",
                           before_exec=lambda: os.umask(0))
    for number in (1, 2):
        proc = sockctl.run("connect", "--ca", root().pem, "--keylog", log["client"], f"tls://127.0.0.1:{server.port}", stdin=b"x",
                           before_exec=lambda: os.umask(0))
        assert proc.ends(0) == b"x"
        lines = log["client"].read_text().splitlines()
        assert all(SECRET.fullmatch(line) for line in lines) and len({line.split()[1] for line in lines}) == number
        names = [line.split()[0] for line in lines]
        assert names.count("CLIENT_TRAFFIC_SECRET_0") == names.count("SERVER_HANDSHAKE_TRAFFIC_SECRET") == number
    server.ends(0)
    assert sorted(log["server"].read_text().splitlines()) == sorted(lines)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in log.values())


def test_what_was_recorded_can_be_read_with_it(sockctl, tcp, tmp_path, need):
    """tshark decrypts what passed on the wire."""
    need("text2pcap")
    log, passed = tmp_path / "log", []
    server = sockctl.serve("echo", ["tls://127.0.0.1:0"], "--cert", good().both, "--keylog", log, "--count", "1")
    task = wire.Task(recorded, tcp.listen(), server.port, passed)
    secret = b"nobody else knows this"
    assert sockctl.run("connect", "--ca", root().pem, f"tls://{tcp.shown()}", stdin=secret).ends(0) == secret
    task.result()
    server.ends(0)
    assert all(secret not in data for _, data in passed)
    with open(tmp_path / "dump", "w") as dump:
        for way, data in passed:
            print(way, *(f"{at:06x} {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16)), sep="\n", file=dump)
    shark.run("text2pcap", "-q", "-D", "-T", "443,40000", tmp_path / "dump", tmp_path / "pcap")
    out = shark.run("tshark", "-n", "-r", tmp_path / "pcap", "-o", f"tls.keylog_file:{log}", "-q", "-z", "follow,tls,raw,0")
    assert out.decode().count(secret.hex()) == 2


def recorded(listener, port, passed):
    """One client of a port, passed on by hand, each piece noted with its direction."""
    client = wire.accept(listener)
    server = wire.keep(socket.create_connection(("127.0.0.1", port)))
    other = {client: server, server: client}
    open_ = [client, server]
    while open_:
        for sock in select(open_, [], [], wire.DEADLINE)[0]:
            data = sock.recv(1400)
            if data:
                passed.append(("I" if sock is client else "O", data))
                other[sock].sendall(data)
            else:
                open_.remove(sock)
                wire.half_close(other[sock])


# the library is loaded only for options that need it


def maps(proc):
    with open(f"/proc/{proc.pid}/maps") as file:
        return file.read()


def test_it_is_loaded_by_no_other_run(sockctl, tcp):
    plain = sockctl.serve("echo", tcp)
    client = sockctl.connect(tcp)
    client.send(b"x")
    assert client.read(1) == b"x"
    for proc in (plain, client):
        assert "libssl" not in maps(proc) and "libcrypto" not in maps(proc)
    shared = ".so" in maps(plain)
    client.finish(0)
    assert ("libssl" in maps(sockctl.serve("echo", ["tls://127.0.0.1:0"]))) == shared


@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
def test_where_there_is_no_library(sockctl, tcp, tmp_path, mode):
    """As on a machine without OpenSSL 3: one sentence, and everything else works."""
    (tmp_path / "libssl.so.3").touch()
    (tmp_path / "libcrypto.so.3").touch()
    env = {"LD_LIBRARY_PATH": str(tmp_path)}
    listener = tcp.listen()
    words = ["--tls", *tcp.words()] if mode == "connect" else ["tls://127.0.0.1:0"]
    proc = sockctl.run(mode, *words, env=env, stdin=b"payload")
    tlspeer.says_why(proc, "TLS needs libssl 3", code=2)
    assert wire.silent(listener)
    place = Place("tcp4", tmp_path)
    sockctl.serve("echo", place, env=env)
    assert sockctl.connect(place, stdin=b"plain", env=env).ends(0) == b"plain"
