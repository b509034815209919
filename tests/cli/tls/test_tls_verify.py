"""Servers of connect: each bad certificate, version and peer is refused in words before a byte of payload reaches either end.
Beside them stand the good ones, so that refusing every peer does not pass."""
import contextlib
import functools
import ipaddress
import re
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import certs
import relay
import tlspeer
import wire
from certs import CLIENT, HERE, SERVER, hashed, lonely, make, middle, root, stranger
from place import make_place
from program import has_tls
from tlspeer import says_why

pytestmark = pytest.mark.neighbours

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

OLD = dict(weak=True, oldest=ssl.TLSVersion.TLSv1)
WORD = b"payload"
MAIL, ODD = x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION, "1.3.6.1.4.1.55555.1"


def issued(by, **how):
    return make("leaf", by, **{**HERE, **how})


def authority(name, **how):
    return make(name, how.pop("issuer", None) or root(), ca=how.pop("ca", True), **how)


def named(*dns, issuer=None):
    return make("by name", issuer or root(), dns=dns)


def damaged(cert):
    """One bit of its signature is another."""
    der = bytearray(cert.der)
    der[-5] ^= 1
    cert.pem = certs.write(cert.alone.with_suffix(".damaged"), ssl.DER_cert_to_PEM_cert(bytes(der)).encode())
    return cert


def network(text):
    return x509.IPAddress(ipaddress.ip_network(text))


@functools.lru_cache(maxsize=None)
def rsa_root():
    return make("rsa root", ca=True, key="rsa2048")


def with_root(above):
    cert = issued(above)
    cert.pem = certs.write(cert.pem.with_suffix(".root"), cert.pem.read_bytes() + above.pem.read_bytes())
    return cert


def behind(cert, other):
    """Shown behind its own is another's."""
    cert.pem = certs.write(cert.pem.with_suffix(".more"), cert.pem.read_bytes() + other.alone.read_bytes())
    return cert


@functools.lru_cache(maxsize=None)
def self_signed():
    return make("alone", **HERE)


def both(one, two):
    return certs.write(certs.folder() / "both.pem", one.alone.read_bytes() + two.alone.read_bytes())


def renewed(cert):
    """Another certificate of the same key."""
    again = make("renewed", secret=cert.secret)
    assert again.der != cert.der
    return again


ASK = ["--server-name", "www.example.org"]
# name: (certificate of the server, what the client has besides --ca, the words)
BAD = {
    "expired": (lambda: issued(root(), days=(-10, -1)), [], "certificate has expired .*subject CN=leaf, issuer CN=test root"),
    "not-yet-valid": (lambda: issued(root(), days=(1, 10)), [], "not yet valid"),
    "middle-expired": (lambda: issued(authority("old", days=(-10, -1))), [], r"has expired \(subject CN=old"),
    "middle-not-yet-valid": (lambda: issued(authority("new", days=(1, 10))), [], r"not yet valid \(subject CN=new"),
    "other-name": (lambda: named("www.example.com"), ASK, r'not for "www\.example\.org" but for DNS:www\.example\.com'),
    "no-name-at-all": (lambda: named(), ASK, r'not for "www\.example\.org" but for no name'),
    "cn-only": (lambda: make("www.example.org", root()), ASK, 'not for "www'),
    "cn-right-san-wrong": (lambda: make("www.example.org", root(), dns=["mail.example.org"]), ASK, 'not for "www'),
    "part-of-the-name": (lambda: named("example.org", "org", "ww.example.org", "xwww.example.org"), ASK, 'not for "www'),
    "longer-name": (lambda: named("www.example.org.evil.example"), ASK, 'not for "www'),
    "nul-in-the-name": (lambda: named("www.example.org\0.evil.example"), ASK, "not for|malformed|invalid"),
    "nul-in-the-cn": (lambda: make("www.example.org\0.evil.example", root()), ASK, "not for"),
    "wildcard-two-labels": (lambda: named("*.example.org"), ["--server-name", "a.b.example.org"], r'not for "a\.b'),
    "wildcard-no-label": (lambda: named("*.example.org"), ["--server-name", "example.org"], r'not for "example\.org"'),
    "wildcard-top-level": (lambda: named("*.org"), ["--server-name", "example.org"], r'not for "example\.org"'),
    "wildcard-part-before": (lambda: named("w*.example.org"), ASK, 'not for "www'),
    "wildcard-part-behind": (lambda: named("*w.example.org"), ASK, 'not for "www'),
    "wildcard-not-first": (lambda: named("www.*.org"), ASK, 'not for "www'),
    "wildcard-twice": (lambda: named("*.*.org"), ASK, 'not for "www'),
    "wildcard-alone": (lambda: named("*"), ["--server-name", "localhost"], 'not for "localhost"'),
    "ip-not-in-san": (lambda: make("leaf", root(), dns=["localhost"]), [], r'not for "127\.0\.0\.1" but for DNS:localhost'),
    "ip-other": (lambda: make("leaf", root(), ips=["127.0.0.2", "::1"]), [], r'not for "127\.0\.0\.1"'),
    "ip-as-dns-name": (lambda: make("leaf", root(), dns=["127.0.0.1"]), [], r'not for "127\.0\.0\.1"'),
    "ip-as-cn": (lambda: make("127.0.0.1", root()), [], r'not for "127\.0\.0\.1"'),
    "ip-wildcard": (lambda: make("leaf", root(), dns=["*.0.0.1"]), [], r'not for "127\.0\.0\.1"'),
    "ip6-other": (lambda: make("leaf", root(), ips=["127.0.0.1", "::2"]), ["--server-name", "::1"], 'not for "::1"'),
    "name-against-ip": (lambda: make("leaf", root(), ips=["127.0.0.1"]), ["--server-name", "localhost"], 'not for "localhost"'),
    "self-signed": (lambda: issued(None), [], "self-signed certificate "),
    "unknown-authority": (lambda: issued(stranger()), [], "unable to get local issuer.*issuer CN=stranger root"),
    "unknown-root-shown": (lambda: with_root(stranger()), [], "self-signed certificate in certificate chain"),
    "same-name-other-key": (lambda: issued(make("test root", ca=True)), [], "signature failure|unable to get local issuer"),
    "forged": (lambda: issued(root(), forged=True), [], "signature failure"),
    "damaged": (lambda: damaged(issued(root())), [], "signature failure"),
    "middle-missing": (lambda: lonely(issued(middle())), [], "unable to get local issuer.*issuer CN=middle"),
    "no-authority": (lambda: issued(authority("plain", ca=False, constraints=False)), [], "invalid CA certificate"),
    "authority-that-may-not-sign": (lambda: issued(authority("mute", signs=False)), [], "invalid CA|key usage"),
    "leaf-as-authority": (lambda: issued(issued(root())), [], "invalid CA certificate"),
    "too-deep": (lambda: issued(authority("below", issuer=authority("last", pathlen=0))), [], "path length constraint exceeded"),
    "name-not-permitted": (lambda: issued(authority("narrow", permitted=[x509.DNSName("example.org")]), ips=()),
                           ["--server-name", "localhost"], "permitted subtree violation"),
    "name-excluded": (lambda: issued(authority("narrow", excluded=[x509.DNSName("localhost")])), [], "excluded subtree"),
    "ip-not-permitted": (lambda: issued(authority("narrow", permitted=[network("10.0.0.0/8")])), [], "permitted subtree"),
    "weak-key": (lambda: issued(root(), key="rsa1024"), [], "key too weak"),
    "weak-key-above": (lambda: issued(authority("weak", key="rsa1024")), [], "CA certificate key too weak"),
    "sha1": (lambda: issued(root(), digest=hashes.SHA1()), [], "digest algorithm too weak"),
    "sha1-above": (lambda: issued(authority("old", digest=hashes.SHA1())), [], "digest algorithm too weak"),
    "md5": (lambda: issued(rsa_root(), digest=hashes.MD5()), ["--ca", lambda: rsa_root().pem], "digest algorithm too weak"),
    "client-only": (lambda: issued(root(), eku=(CLIENT,)), [], "unsuitable certificate purpose"),
    "mail-only": (lambda: issued(root(), eku=(MAIL,)), [], "unsuitable certificate purpose"),
    "critical-extension": (lambda: issued(root(), critical=ODD), [], "unhandled critical extension"),
    "critical-extension-above": (lambda: issued(authority("odd", critical=ODD)), [], "unhandled critical extension"),
    "wrong-pin": (lambda: issued(root()), ["--pin", lambda: certs.user().pin, "--ca", None], "sha256//.* not the pinned one"),
    "pin-of-the-authority": (lambda: issued(root()), ["--pin", lambda: root().pin, "--ca", None], "not the pinned one"),
    "pin-of-one-behind": (lambda: behind(issued(root()), certs.good()), ["--pin", lambda: certs.good().pin, "--ca", None],
                          "not the pinned one"),
    "pin-right-authority-wrong": (lambda: certs.good(), ["--pin", lambda: certs.good().pin, "--ca", lambda: stranger().pem],
                                  "unable to get local issuer"),
    "pin-right-name-wrong": (lambda: certs.good(), ["--pin", lambda: certs.good().pin, *ASK], 'not for "www'),
    "pin-wrong-authority-right": (lambda: certs.good(), ["--pin", lambda: certs.user().pin], "not the pinned one"),
    "system-does-not-know-it": (lambda: certs.good(), ["--ca", None], "unable to get local issuer"),
}


# And beside them what is right: (certificate, what the client has besides --ca).
GOOD = {
    "by-address": (certs.good, []),
    "by-name": (certs.good, ["--server-name", "localhost"]),
    "by-ip6": (certs.good, ["--server-name", "::1"]),
    "by-name-with-a-dot": (certs.good, ["--server-name", "localhost."]),
    "name-in-capitals": (lambda: named("www.example.org"), ["--server-name", "WWW.Example.ORG"]),
    "one-of-many-names": (lambda: named("a.example", "b.example", "www.example.org", "c.example"), ASK),
    "wildcard": (lambda: named("*.example.org"), ASK),
    "middle": (lambda: issued(middle()), []),
    "deep-enough": (lambda: issued(authority("below", issuer=authority("last", pathlen=1), pathlen=0)), []),
    "name-permitted": (lambda: named("www.example.org", issuer=authority("narrow", permitted=[x509.DNSName("example.org")])),
                       ASK),
    "ip-permitted": (lambda: issued(authority("narrow", permitted=[network("127.0.0.0/8"), network("::1/128")])), []),
    "server-only": (lambda: issued(root(), eku=(SERVER,)), []),
    "any-use": (lambda: issued(root(), eku=()), []),
    "rsa": (lambda: issued(rsa_root(), secret=rsa_root().secret), ["--ca", lambda: rsa_root().pem]),
    "itself-trusted": (self_signed, ["--ca", lambda: self_signed().pem]),
    "middle-trusted": (lambda: issued(middle()), ["--ca", lambda: middle().alone]),
    "authorities-in-a-folder": (certs.good, ["--ca", lambda: hashed(root())]),
    "one-of-many-authorities": (certs.good, ["--ca", lambda: both(stranger(), root())]),
    "pin-alone": (self_signed, ["--pin", lambda: self_signed().pin, "--ca", None]),
    "pin-alone-whatever-its-name": (lambda: certs.user(), ["--pin", lambda: certs.user().pin, "--ca", None]),
    "pin-and-authority": (certs.good, ["--pin", lambda: certs.good().pin]),
    "second-pin": (certs.good, ["--pin", lambda: certs.user().pin, "--pin", lambda: certs.good().pin, "--ca", None]),
    "same-key-new-certificate": (lambda: renewed(certs.good()), ["--pin", lambda: certs.good().pin, "--ca", None]),
}


def words_of(words):
    """With the authority that tests trust unless the words name another; None: none at all."""
    made = [word() if callable(word) else word for word in words]
    if "--ca" not in made:
        return ["--ca", root().pem, *made]
    at = made.index("--ca")
    return made if made[at + 1] else made[:at] + made[at + 2:]


def url(place):
    return f"tls://{place.shown()}"


def meet(sockctl, tcp, context, *words, **how):
    """sockctl connect and our server: (the program, what our server saw)."""
    tcp.port = 0
    task = tlspeer.one_client(tcp.listen(), context)
    return sockctl.start("connect", *words, url(tcp), stdin=WORD, **how), task


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("case", BAD)
def test_a_server_that_is_not_the_one(sockctl, tcp, case, version):
    shown, words, says = BAD[case]
    proc, task = meet(sockctl, tcp, relay.server_context(shown(), weak=True, newest=version), *words_of(words))
    says_why(proc, f"^sockctl: connect {re.escape(tcp.shown())}: .*({says})")
    met = task.result()
    assert not met.shaken and met.heard == b"", met


@pytest.mark.parametrize("case", GOOD)
def test_a_server_that_is(sockctl, tcp, case):
    shown, words = GOOD[case]
    proc, task = meet(sockctl, tcp, relay.server_context(shown()), *words_of(words))
    assert proc.ends(0) == b"answer"
    assert proc.lines() == [] and task.result().heard == WORD


def test_the_name_of_the_address_is_the_one(sockctl, tcp):
    proc, task = meet(sockctl, tcp, relay.server_context(), "--ca", root().pem)
    assert proc.ends(0) == b"answer" and task.result().sni is None  # an address is no name
    tcp.port = 0
    task = tlspeer.one_client(tcp.listen(), relay.server_context())
    proc = sockctl.run("connect", "--ca", root().pem, f"tls://localhost:{tcp.port}", stdin=WORD)
    assert proc.ends(0) == b"answer" and task.result().sni == "localhost"
    tcp.port = 0
    task = tlspeer.one_client(tcp.listen(), relay.server_context(make("leaf", root(), ips=["127.0.0.1"])))
    proc = sockctl.run("connect", "--ca", root().pem, "--tls", "localhost", tcp.port, stdin=WORD)
    says_why(proc, 'not for "localhost"')
    assert not task.result().shaken


def test_ipv6(sockctl, tmp_path):
    place = make_place("tcp6", tmp_path)
    proc, task = meet(sockctl, place, relay.server_context(), "--ca", root().pem)
    assert proc.ends(0) == b"answer" and task.result().heard == WORD
    proc, task = meet(sockctl, place, relay.server_context(make("leaf", root(), ips=["127.0.0.1"])), "--ca", root().pem)
    says_why(proc, 'not for "::1"')


@pytest.mark.parametrize("known", [True, False])
def test_the_systems_authorities(sockctl, tcp, known, tmp_path):
    """Without --ca. SSL_CERT_FILE and SSL_CERT_DIR say where the system's are, as to every program of OpenSSL."""
    env = {"SSL_CERT_FILE": str((root() if known else stranger()).pem), "SSL_CERT_DIR": str(tmp_path)}
    proc, task = meet(sockctl, tcp, relay.server_context(), env=env)
    if known:
        assert proc.ends(0) == b"answer"
    else:
        says_why(proc, "unable to get local issuer")
    assert task.result().shaken == known


def test_authorities_of_ours_replace_the_systems(sockctl, tcp):
    proc, task = meet(sockctl, tcp, relay.server_context(), "--ca", stranger().pem, env={"SSL_CERT_FILE": str(root().pem)})
    says_why(proc, "unable to get local issuer")
    assert not task.result().shaken


def test_insecure_takes_everybody_and_warns(sockctl, tcp):
    for cert in (self_signed(), make("leaf", stranger(), days=(-9, -1)), certs.good()):
        proc, task = meet(sockctl, tcp, relay.server_context(cert), "--insecure")
        assert proc.ends(0) == b"answer" and task.result().heard == WORD
        assert re.match(r"sockctl: warning: .*not verified", proc.complaint())

@pytest.mark.parametrize("quiet", [["-q"], [], ["-v", "-q"]])
def test_insecure_warns_also_when_quiet(sockctl, tcp, tmp_path, quiet):
    """On every run: the server is not known, however quiet the run is to be."""
    proc, task = meet(sockctl, tcp, relay.server_context(certs.good()), "--insecure", *quiet)
    proc.wait()
    assert proc.code == 0, proc
    assert [line for line in proc.lines() if "--insecure" in line] == [
        "sockctl: warning: --insecure: the peer's certificate is not verified, an impostor is not noticed"]
    assert "-q" not in quiet or len(proc.lines()) == 1


def test_insecure_of_a_forwarder_warns_also_when_quiet(sockctl, tcp):
    proc = sockctl.serve("serve", tcp, "-q", "--insecure", "--forward", "tls://127.0.0.1:1")
    proc.says(rb"warning: --insecure")


# versions and ciphers


@pytest.mark.parametrize("newest, words, says", [
    (ssl.TLSVersion.TLSv1, [], "(?i)version"),
    (ssl.TLSVersion.TLSv1_1, [], "(?i)version"),
    (ssl.TLSVersion.TLSv1_2, ["--tls-min", "1.3"], "(?i)version"),
    (ssl.TLSVersion.TLSv1_2, ["--tls-min", "1.2"], None),
    (ssl.TLSVersion.TLSv1_3, ["--tls-min", "1.3"], None),
], ids=["1.0", "1.1", "1.2-is-not-1.3", "1.2", "1.3"])
def test_an_old_server(sockctl, tcp, newest, words, says):
    proc, task = meet(sockctl, tcp, relay.server_context(**{**OLD, "newest": newest}), "--ca", root().pem, *words)
    if says:
        says_why(proc, says)
        assert not task.result().shaken
    else:
        assert proc.ends(0) == b"answer"
        assert task.result().version == newest.name.replace("_", ".")


@pytest.mark.parametrize("ciphers", ["aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0"])
def test_a_server_without_secrets(sockctl, tcp, ciphers):
    """No certificate, or no encryption: we do not offer that."""
    context = relay.server_context(**{**OLD, "newest": ssl.TLSVersion.TLSv1_2, "ciphers": ciphers})
    proc, task = meet(sockctl, tcp, context, "--ca", root().pem)
    says_why(proc, "nothing in common")
    assert not task.result().shaken


# peers that speak something else, or nothing

HELLO_ONLY = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(range(32)) + b"\x00\x13\x01\x00"
STRANGE = {
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", r'does not speak TLS: it sent "HTTP/"'),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", r'does not speak TLS: it sent "SSH-2"'),
    "smtp": (b"220 mail.example.org ESMTP\r\n", r'does not speak TLS: it sent "220 m"'),
    "one-byte": (b"x", r'does not speak TLS: it sent "x"'),
    "zeros": (bytes(2000), r"does not speak TLS"),
    "noise": (wire.payload(3000, seed=5), r"does not speak TLS"),
    "escapes": (b"\x1b[2J\x1b[H", r'does not speak TLS: it sent "[ -~]+"'),
    "nothing": (b"", "closed the connection during the handshake"),
    "half-a-record": (HELLO_ONLY[:20], "closed the connection during the handshake"),
    "hello-and-gone": (HELLO_ONLY, "handshake"),
    "alert": (b"\x15\x03\x03\0\2\2\x28", "handshake failure"),
    "unknown-alert": (b"\x15\x03\x03\0\2\2\xee", "handshake"),
    "application-data": (b"\x17\x03\x03\0\5hello", "does not speak TLS|unexpected|handshake failed"),
    "huge-record": (b"\x16\x03\x03\xff\xff" + bytes(65535), "handshake failed|does not speak"),
    "empty-records": (b"\x16\x03\x03\0\0" * 100, "handshake"),
    "hello-request": (b"\x16\x03\x03\0\4\0\0\0\0", "handshake"),
}


@pytest.mark.parametrize("end", [wire.half_close, wire.reset], ids=["fin", "reset"])
@pytest.mark.parametrize("case", STRANGE)
def test_a_server_of_something_else(sockctl, tcp, case, end):
    sends, says = STRANGE[case]
    listener = tcp.listen()
    proc = sockctl.start("connect", "--ca", root().pem, url(tcp), stdin=WORD)
    sock = wire.accept(listener)
    assert wire.read(sock, 6)[0] == 22
    sock.sendall(sends)
    with contextlib.suppress(OSError):  # it may have hung up by itself
        end(sock)
    says_why(proc, says if end is wire.half_close else f"{says}|connection broke during the handshake: Connection reset")
    if end is wire.half_close:
        assert WORD not in wire.read_any(sock)


def test_a_plain_server_of_ours(sockctl, tcp):
    """An echo sends our own hello back."""
    sockctl.serve("echo", tcp)
    proc = sockctl.run("connect", "--ca", root().pem, url(tcp), stdin=WORD)
    says_why(proc, "handshake failed|does not speak")


@pytest.mark.parametrize("words", [["-w", "300ms"], ["--max-time", "300ms"]], ids=lambda w: w[0])
def test_a_silent_server(sockctl, tcp, words):
    listener = tcp.listen()
    proc = sockctl.start("connect", "--ca", root().pem, *words, url(tcp), stdin=WORD)
    if words[0] == "-w":
        says_why(proc, "no handshake within 300ms", code=5)
        assert WORD not in wire.read_any(wire.accept(listener))
    else:  # that limit is of connections, and there is none yet
        wire.close(wire.accept(listener))
        says_why(proc, "closed|broke")
