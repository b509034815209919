"""A small certificate authority: good certificates, and bad ones of every kind that a test asks for by what is wrong with them.

`make` is the factory. What most tests share is made once per process, in a folder that goes with it: `root()`, the one
authority that tests trust, and `good()`, its certificate for this machine. Keys are P-256, for speed.
"""
import atexit
import base64
import datetime
import functools
import hashlib
import ipaddress
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from program import has_tls

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
HERE = dict(dns=("localhost",), ips=("127.0.0.1", "::1"))
PEM = serialization.Encoding.PEM


class Cert:
    """A certificate, its key, and the files that programs want. `above` is presented behind it: its issuers, nearest first,
    without the root."""

    def __init__(self, folder, name, cert, secret, above):
        self.name, self.cert, self.secret, self.above = name, cert, secret, above
        self.der = cert.public_bytes(serialization.Encoding.DER)
        own = cert.public_bytes(PEM)
        chain = own + b"".join(each.cert.public_bytes(PEM) for each in above)
        hidden = secret.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.alone = write(folder / f"{name}.alone.pem", own)
        self.pem = write(folder / f"{name}.pem", chain)
        self.key = write(folder / f"{name}.key", hidden)
        self.both = write(folder / f"{name}.both.pem", chain + hidden)

    def __repr__(self):
        return f"<certificate {self.name}>"

    @property
    def pin(self):
        spki = self.cert.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return "sha256//" + base64.b64encode(hashlib.sha256(spki).digest()).decode()

    def encrypted(self, password=b"secret"):
        """A copy of the key that cannot be read without the password."""
        return write(self.key.with_suffix(".secret"), self.secret.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password)))


def write(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    return path


@functools.lru_cache(maxsize=None)
def folder():
    path = tempfile.mkdtemp(prefix="sockctl-certs-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return pathlib.Path(path)


def new_key(kind):
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))


_count = iter(range(1, 1 << 30))


def make(name, issuer=None, dns=(), ips=(), days=(-1, 30), ca=False, pathlen=None, constraints=True, signs=True,
         eku=(SERVER, CLIENT), key="ec", digest=None, critical=None, permitted=None, excluded=None, forged=False, secret=None):
    """One certificate, self-signed without an issuer.

    name: of files and subject (CN). days: valid from and to, counted from now. ca: may issue others, pathlen deep;
    constraints=False and signs=False leave out what says so. critical: an unknown extension. permitted, excluded: name
    constraints. forged: its issuer's name, but not its signature. digest: of the signature. secret: a key that is there already.
    A test that asks for one needs TLS.
    """
    if not has_tls():
        raise unittest.SkipTest("built without TLS")  # which pytest understands, also while it collects
    number = next(_count)
    secret = secret or new_key(key)
    now = datetime.datetime.utcnow().replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = issuer.cert if issuer else None
    build = (x509.CertificateBuilder().subject_name(subject).issuer_name(above.subject if above else subject)
             .public_key(secret.public_key()).serial_number(number)
             .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
             .add_extension(x509.SubjectKeyIdentifier.from_public_key(secret.public_key()), critical=False))
    if above:
        build = build.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
    if constraints:
        build = build.add_extension(x509.BasicConstraints(ca=ca, path_length=pathlen), critical=True)
    build = build.add_extension(x509.KeyUsage(
        digital_signature=True, key_cert_sign=ca and signs, crl_sign=ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False), critical=True)
    if eku and not ca:
        build = build.add_extension(x509.ExtendedKeyUsage(eku), critical=False)
    names = [x509.DNSName(each) for each in dns] + [x509.IPAddress(ipaddress.ip_address(each)) for each in ips]
    if names:
        build = build.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if critical:
        build = build.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(critical), b"\5\0"), critical=True)
    if permitted or excluded:
        build = build.add_extension(x509.NameConstraints(permitted, excluded), critical=True)
    signer = new_key("ec") if forged else issuer.secret if issuer else secret
    shown = [issuer, *issuer.above] if issuer and above.issuer != above.subject else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are weak because that is what is tested
        signed = build.sign(signer, digest or hashes.SHA256())
    return Cert(folder(), f"{number}-{''.join(c if c.isalnum() or c in '.-' else '_' for c in name)}",
                signed, secret, shown)


@functools.lru_cache(maxsize=None)
def root():
    """The authority that tests trust."""
    return make("test root", ca=True)


@functools.lru_cache(maxsize=None)
def stranger():
    """An authority that no end trusts."""
    return make("stranger root", ca=True)


@functools.lru_cache(maxsize=None)
def good():
    """For this machine by every name that it has; good for servers and clients."""
    return make("good", root(), **HERE)


@functools.lru_cache(maxsize=None)
def user():
    """A client's."""
    return make("user", root(), eku=(CLIENT,))


@functools.lru_cache(maxsize=None)
def middle():
    """An authority between the root and its certificates."""
    return make("middle", root(), ca=True)


def lonely(cert):
    """Without those above it: as a server that forgot them would show it."""
    cert.pem = cert.alone
    return cert


def hashed(cert):
    """A folder of authorities as openssl rehash(1) arranges it."""
    path = folder() / f"authorities-{cert.name}"
    path.mkdir(exist_ok=True)
    said = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", cert.alone], stdout=subprocess.PIPE, check=True).stdout
    if not (link := path / f"{said.decode().strip()}.0").exists():
        link.symlink_to(cert.alone)
    return path
