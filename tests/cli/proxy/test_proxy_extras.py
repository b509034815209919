"""What a PROXY header of version 2 says of the client beside its addresses: the event `proxy`, byte by byte and from haproxy."""
import json
import socket
import ssl
import struct

import pytest

import certs
import wire
from test_proxy_protocol import LINE, behind, binary, haproxy, listening  # noqa: F401

KEYS = ("authority", "alpn", "tls", "cipher", "cn", "verify")


def extra(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


def tls(*inner, bits=1, verify=0):
    return extra(0x20, bytes([bits]) + struct.pack(">I", verify) + b"".join(inner))


VERSION, CIPHER = extra(0x21, b"TLSv1.3"), extra(0x23, b"ECDHE-RSA-AES128-GCM-SHA256")
CASES = {
    "nothing": (b"", {}),
    "name": (extra(2, b"example.org"), {"authority": "example.org"}),
    "two of a kind": (extra(2, b"one") + extra(2, b"two"), {"authority": "one"}),
    "protocol": (extra(1, b"h2"), {"alpn": "h2"}),
    "empty": (extra(2, b"") + extra(1, b""), {}),
    "others": (extra(4, b"xx") + extra(5, b"id") + extra(0x30, b"netns"), {}),
    "tls": (tls(VERSION, CIPHER), {"tls": "TLSv1.3", "cipher": "ECDHE-RSA-AES128-GCM-SHA256", "verify": "none"}),
    "certificate": (tls(VERSION, extra(0x22, b"ana"), bits=7), {"tls": "TLSv1.3", "cn": "ana", "verify": "ok"}),
    "bad certificate": (tls(VERSION, bits=3, verify=1), {"tls": "TLSv1.3", "verify": "failed"}),
    "no words": (tls(), {"tls": "unknown", "verify": "none"}),
    "no tls": (tls(bits=0), {}),
    "outside": (VERSION + CIPHER, {}),
    "harmless": (extra(2, b"a\x1b[31m\n\"\\b\xff"), {"authority": "a\\x1b[31m\\n\"\\b\\xff"}),
    "long": (extra(2, b"n" * 255), {"authority": "n" * 255}),
    "longest": (extra(2, b"n" * 4000), {"authority": "n" * 319}),
}


def told(log):
    event = next(e for e in map(json.loads, log.read_text().splitlines()) if e["ev"] == "proxy")
    return {key: event[key] for key in KEYS if key in event}


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("case", CASES)
def test_extras(sockctl, tcp, tmp_path, case):
    more, facts = CASES[case]
    log = tmp_path / "events"
    proc = sockctl.serve("echo", tcp, "--proxy-in", "v2", "--events", log, "-v")
    sock = behind(tcp, binary(more=more) + b"hola")
    assert wire.read(sock, 4) == b"hola"
    assert told(log) == facts
    words = f" for {facts['authority']}" if "authority" in facts else ""
    proc.says(f"speaks for 192.0.2.1:51000{words}\n".replace("\\", r"\\").replace("[", r"\[").encode())


@pytest.mark.parametrize("mode", ["listen", "serve", "chat"])
def test_every_mode_and_transport(sockctl, place, tmp_path, mode):
    """Below TLS of our own, too: these are facts of the proxy's client."""
    log = tmp_path / "events"
    proc = sockctl.serve(mode, place, "--proxy-in", "any", "--events", log, "-v", stdin=b"")
    sock = behind(place, binary(more=extra(2, b"example.org") + tls(VERSION)))
    proc.says(rb"speaks for .* for example.org")
    assert told(log) == {"authority": "example.org", "tls": "TLSv1.3", "verify": "none"}
    sock.close()


def test_version_1_has_none(sockctl, tcp, tmp_path):
    log = tmp_path / "events"
    sockctl.serve("echo", tcp, "--proxy-in", "any", "--events", log)
    sock = behind(tcp, LINE + b"x")
    assert wire.read(sock, 1) == b"x"
    assert told(log) == {}


@pytest.mark.parametrize("more", [b"\x20\0\4\1\0\0\0", tls(b"\x21\0"), tls(b"\x21\0\2v")], ids=["short", "half", "lie"])
def test_tls_that_lies_about_its_length(sockctl, tcp, more):
    proc = sockctl.serve("echo", tcp, "--proxy-in", "v2", "-v")
    wire.read_any(behind(tcp, binary(more=more)))
    proc.says(rb"its PROXY header lies about its length")


@pytest.mark.tls
def test_behind_haproxy(sockctl, haproxy, tcp, tmp_path):  # noqa: F811
    log, pem = tmp_path / "events", tmp_path / "both.pem"
    good = certs.good()
    with open(good.pem) as cert, open(good.key) as key:
        pem.write_text(cert.read() + key.read())
    proc = sockctl.serve("echo", tcp, "--proxy-in", "v2", "--events", log, "-v")
    front = listening(socket.AF_INET, ("127.0.0.1", 0))
    haproxy(front, f"ssl crt {pem} alpn h2,http/1.1", f"127.0.0.1:{tcp.port} send-proxy-v2-ssl proxy-v2-options ssl,authority,crc32c")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    raw = wire.keep(socket.create_connection(front.getsockname()))
    with context.wrap_socket(wire.give(raw), server_hostname="example.org") as sock:
        sock.settimeout(wire.DEADLINE)
        sock.sendall(b"hola")
        assert sock.recv(4) == b"hola"
    facts = told(log)
    assert facts["authority"] == "example.org" and facts["tls"] == "TLSv1.3" and facts["verify"] == "none"
    assert facts.get("alpn", "http/1.1") == "http/1.1"
    proc.says(rb"speaks for 127.0.0.1:\d+ for example.org\n")
