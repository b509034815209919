"""Client certificates: clients without the right certificate, or that speak something else, are refused in words and cost it
nothing. Not a byte of payload goes either way before; the next client, which is welcome, gets all of it."""
import contextlib
import re
import ssl

import pytest
from cryptography.hazmat.primitives import hashes

import certs
import relay
import tlspeer
import wire
from certs import CLIENT, SERVER, hashed, lonely, make, middle, root, stranger
from program import has_tls
from tlspeer import says_why

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)


TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def url(place):
    return f"tls://{place.shown()}"


def client(version=None, **how):
    return relay.client_context(**({"newest": version, "oldest": version} if version else {}), **how)


USER_BAD = {
    "none": (lambda: None, "showed no certificate"),
    "of-a-stranger": (lambda: make("user", stranger(), eku=(CLIENT,)), "unable to get local issuer.*issuer CN=stranger root"),
    "self-signed": (lambda: make("user", eku=(CLIENT,)), r"self-signed certificate \(subject CN=user"),
    "expired": (lambda: make("user", root(), eku=(CLIENT,), days=(-9, -1)), r"certificate has expired \(subject CN=user"),
    "not-yet-valid": (lambda: make("user", root(), eku=(CLIENT,), days=(1, 9)), "not yet valid"),
    "server-only": (lambda: make("user", root(), eku=(SERVER,)), "unsuitable certificate purpose"),
    "weak-key": (lambda: make("user", root(), eku=(CLIENT,), key="rsa1024"), "key too weak"),
    "sha1": (lambda: make("user", root(), eku=(CLIENT,), digest=hashes.SHA1()), "digest algorithm too weak"),
    "forged": (lambda: make("user", root(), eku=(CLIENT,), forged=True), "signature failure"),
    "middle-missing": (lambda: lonely(make("user", middle(), eku=(CLIENT,))), "unable to get local issuer"),
    "leaf-as-authority": (lambda: make("user", certs.user(), eku=(CLIENT,)), "invalid CA certificate"),
    "critical-extension": (lambda: make("user", root(), eku=(CLIENT,), critical="1.3.6.1.4.1.55555.1"), "unhandled critical"),
}
SECRET = wire.payload(5000, seed=9)


@pytest.fixture
def guarded(sockctl, tcp, tmp_path):
    """guarded(words…): a server with a file for an allowed client; then rejected(words) and comes_in()."""
    (tmp_path / "file").write_bytes(SECRET)

    class Guarded:
        def __init__(self, *words, mode="serve"):
            self.proc = sockctl.serve(mode, [url(tcp)], "--cert", certs.good().pem, "--key", certs.good().key, *words,
                                      "--file", tmp_path / "file", "--events", tmp_path / "events")
            tcp.port = self.proc.port

        def rejected(self, says):
            """The event of the one that was; no client has come in."""
            (event,) = wire.until(lambda: tlspeer.events(tmp_path / "events", "reject"), "a reject event")
            assert event["reason"] == "tls" and re.search(says, event["error"]), event
            assert not tlspeer.events(tmp_path / "events", "open") and self.proc.alive()

        def comes_in(self, context):
            met = tlspeer.one_server(tcp.dial(), context, says=b"")
            assert met.heard == SECRET, met
            (event,) = tlspeer.events(tmp_path / "events", "tls")
            return event

    return Guarded


@pytest.mark.parametrize("mode", ["serve", "listen"])
@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("case", USER_BAD)
def test_a_client_that_is_not_known(guarded, tcp, case, version, mode):
    shown, says = USER_BAD[case]
    server = guarded("--client-ca", root().pem, mode=mode)
    met = tlspeer.one_server(tcp.dial(), client(version, cert=shown(), weak=True))
    assert met.heard == b"" and met.refused, met
    server.rejected(says)
    event = server.comes_in(client(version, cert=certs.user()))
    assert event["verify"] == "ok" and event["pin"] == certs.user().pin
    if mode == "listen":
        server.proc.ends(0)


def test_client_certificates_are_not_asked_for_unasked(guarded):
    event = guarded().comes_in(client(cert=certs.user()))
    assert event["verify"] == "none" and "pin" not in event


@pytest.mark.parametrize("trusted", ["folder", "middle"])
def test_the_clients_that_client_ca_knows(guarded, tcp, trusted):
    server = guarded("--client-ca", hashed(root()) if trusted == "folder" else middle().alone)
    known = certs.user() if trusted == "folder" else make("user", middle(), eku=(CLIENT,))
    unknown = make("user", stranger() if trusted == "folder" else root(), eku=(CLIENT,))
    assert tlspeer.one_server(tcp.dial(), client(cert=unknown)).heard == b""
    server.rejected("unable to get local issuer|self-signed certificate in")
    server.comes_in(client(cert=known))


def plain(sends):
    def attack(sock):
        sock.sendall(sends)
        with contextlib.suppress(OSError):  # it may be reset already
            wire.half_close(sock)
        got = wire.read_any(sock)
        assert SECRET[:16] not in got
        return got

    return attack


def shakes(**how):
    def attack(sock):
        met = tlspeer.one_server(sock, client(**how))
        assert met.heard == b"" and not met.shaken, met

    return attack


INTRUDERS = {
    "http": (plain(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"), [], 'does not speak TLS: it sent "GET /"'),
    "words": (plain(b"hello\n"), [], 'does not speak TLS: it sent "hello"'),
    "ssl2": (plain(b"\x80\x2e\1\0\2\0\x15\0\0\0\x10\1\0\x80" + bytes(40)), [], "does not speak TLS|handshake failed"),
    "zeros": (plain(bytes(10_000)), [], "does not speak TLS"),
    "noise": (plain(wire.payload(100_000, seed=6)), [], "does not speak TLS"),
    "nothing": (plain(b""), [], "closed the connection during the handshake"),
    "half-a-hello": (plain(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), [], "closed the connection during the handshake"),
    "huge-hello": (plain(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16380)), [], "handshake failed"),
    "alert": (plain(b"\x15\x03\x03\0\2\2\x28"), [], "handshake failure|handshake failed"),
    "application-data": (plain(b"\x17\x03\x03\0\5hello"), [], "does not speak TLS|handshake failed"),
    "tls-1.0": (shakes(weak=True, oldest=ssl.TLSVersion.TLSv1, newest=ssl.TLSVersion.TLSv1), [], "(?i)version"),
    "tls-1.1": (shakes(weak=True, oldest=ssl.TLSVersion.TLSv1_1, newest=ssl.TLSVersion.TLSv1_1), [], "(?i)version"),
    "tls-1.2": (shakes(newest=TLS12), ["--tls-min", "1.3"], "(?i)version"),
    "no-certificate-wanted": (shakes(names=False, ciphers="aNULL:@SECLEVEL=0", newest=TLS12), [], "no cipher in common"),
    "no-secrets-wanted": (shakes(ciphers="eNULL:@SECLEVEL=0", newest=TLS12), [], "no cipher in common"),
    "rsa-only": (shakes(ciphers="aRSA", newest=TLS12), [], "no cipher in common"),
    "other-protocol": (shakes(alpn=["h2"]), ["--alpn", "http/1.1,smtp"], "none of the protocols of --alpn"),
    "wants-another": (shakes(ca=stranger()), [], "(?i)does not know who issued our certificate|unknown CA"),
}


@pytest.mark.parametrize("case", INTRUDERS)
def test_a_client_that_is_not_welcome(guarded, tcp, case):
    attack, words, says = INTRUDERS[case]
    server = guarded(*words)
    attack(tcp.dial())
    server.rejected(says)
    server.comes_in(client(alpn=["smtp"]))


def test_a_client_that_resets(guarded, tcp):
    server = guarded()
    sock = tcp.dial()
    sock.sendall(b"\x16\x03\x01\x02\x00")
    wire.reset(sock)
    server.rejected("closed|broke")
    server.comes_in(client())


# both ends are ours


PINNED, TRUSTED, KNOWN = ["--pin", certs.good().pin], ["--ca", root().pem], ["--client-ca", root().pem]
# what connect says, how it ends (None: well), what the server says
OURS = {
    "no-certificate": (lambda: PINNED, r"TLS alert \(certificate required\) from", KNOWN),
    "of-a-stranger": (lambda: [*PINNED, "--cert", make("user", stranger(), eku=(CLIENT,)).both],
                      r"TLS alert \(unknown CA\) from", KNOWN),
    "expired": (lambda: [*PINNED, "--cert", make("user", root(), eku=(CLIENT,), days=(-9, -1)).both],
                r"TLS alert \(certificate expired\) from", KNOWN),
    "known": (lambda: [*PINNED, "--cert", certs.user().both], None, KNOWN),
    "known-from-two-files": (lambda: [*TRUSTED, "--cert", certs.user().pem, "--key", certs.user().key], None, KNOWN),
    "alpn-other": (lambda: [*TRUSTED, "--alpn", "h2,spdy"], "speaks none of the protocols of --alpn", ["--alpn", "http/1.1"]),
    "alpn-found": (lambda: [*TRUSTED, "--alpn", "h2,http/1.1"], None, ["--alpn", "http/1.1"]),
    "alpn-not-offered": (lambda: TRUSTED, None, ["--alpn", "http/1.1"]),
    "alpn-not-asked": (lambda: [*TRUSTED, "--alpn", "h2"], None, []),
}


@pytest.mark.parametrize("case", OURS)
def test_ours_to_ours(guarded, sockctl, tcp, case):
    words, says, serves = OURS[case]
    server = guarded(*serves)
    proc = sockctl.run("connect", *words(), url(tcp), stdin=b"")
    if says:
        says_why(proc, says)
        assert not tlspeer.events(tcp.folder / "events", "open") and server.proc.alive()
    else:
        wire.same(proc.ends(0), SECRET)
