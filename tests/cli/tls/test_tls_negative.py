"""The list of what is refused, itself: that nothing which must be in it has been lost, and that it is long enough.

Each case is a test of its own, in both versions of TLS, where it stands: servers in test_tls_verify.py, clients in
test_tls_clients.py. There it is seen that the peer is turned away in words before a byte of payload."""
import pytest

from program import has_tls

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

import test_tls_clients as clients  # noqa: E402
import test_tls_verify as servers  # noqa: E402

ENOUGH = 40
SERVERS = {
    "expired": ["expired", "middle-expired"],
    "not yet valid": ["not-yet-valid", "middle-not-yet-valid"],
    "another host": ["other-name", "no-name-at-all", "part-of-the-name", "longer-name", "cn-only", "cn-right-san-wrong"],
    "edges of wildcards": ["wildcard-two-labels", "wildcard-no-label", "wildcard-top-level", "wildcard-part-before",
                           "wildcard-part-behind", "wildcard-not-first", "wildcard-twice", "wildcard-alone"],
    "an address that is not among the names": ["ip-not-in-san", "ip-other", "ip-as-dns-name", "ip-as-cn", "ip6-other"],
    "self-signed": ["self-signed", "unknown-root-shown"],
    "an unknown authority": ["unknown-authority", "same-name-other-key", "system-does-not-know-it"],
    "an authority between is missing": ["middle-missing"],
    "a weak key": ["weak-key", "weak-key-above"],
    "SHA-1": ["sha1", "sha1-above"],
    "NUL in a name": ["nul-in-the-name", "nul-in-the-cn"],
    "forged": ["forged", "damaged", "leaf-as-authority", "no-authority"],
    "another purpose": ["client-only", "mail-only"],
    "the wrong pin": ["wrong-pin", "pin-of-the-authority", "pin-of-one-behind", "pin-wrong-authority-right"],
    "the right pin of the wrong authority": ["pin-right-authority-wrong"],
}
CLIENTS = {
    "without a certificate": ["none"],
    "of another authority": ["of-a-stranger", "middle-missing", "forged"],
    "out of its time": ["expired", "not-yet-valid"],
    "weak": ["weak-key", "sha1"],
}
STRANGERS = {
    "plain words to a server": (clients.INTRUDERS, ["http", "words"]),
    "garbage to a server": (clients.INTRUDERS, ["zeros", "noise", "huge-hello", "half-a-hello"]),
    "an old version to a server": (clients.INTRUDERS, ["tls-1.0", "tls-1.1", "tls-1.2"]),
    "another protocol to a server": (clients.INTRUDERS, ["other-protocol"]),
    "plain words to a client": (servers.STRANGE, ["http", "ssh", "smtp"]),
    "garbage to a client": (servers.STRANGE, ["zeros", "noise", "huge-record", "half-a-record"]),
}


@pytest.mark.parametrize("kind", [*SERVERS, *CLIENTS, *STRANGERS])
def test_of_each_kind_there_is_one(kind):
    cases, names = STRANGERS.get(kind) or ((servers.BAD, SERVERS[kind]) if kind in SERVERS else (clients.USER_BAD, CLIENTS[kind]))
    assert not set(names) - set(cases)


def test_there_are_enough():
    """Kinds of certificates that a client refuses, each of them another; what servers refuse comes on top."""
    makes = {name: case[0] for name, case in servers.BAD.items()}
    assert len(makes) >= ENOUGH and len({*map(id, makes.values())}) >= ENOUGH
    assert len(clients.USER_BAD) + len(clients.INTRUDERS) + len(servers.STRANGE) >= ENOUGH
