"""What -v says of a peer's certificate, and the secrets that SSLKEYLOGFILE asks for."""
import datetime
import json
import re
import stat

import pytest
from cryptography import x509

import certs
from place import Place
from program import has_tls

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

LOOPS = pytest.mark.usefixtures("loop")
SECRET = re.compile(r"(CLIENT|SERVER|EXPORTER)[A-Z0-9_]* [0-9a-f]{64} [0-9a-f]+")


@pytest.fixture
def tls(tmp_path):
    return Place("tls", tmp_path)


def facts(cert):
    """Subject, issuer and end of a certificate, as its maker tells them."""
    it = x509.load_der_x509_certificate(cert.der)
    until = getattr(it, "not_valid_after_utc", None) or it.not_valid_after.replace(tzinfo=datetime.timezone.utc)
    return it.subject.rfc4514_string(), it.issuer.rfc4514_string(), until.strftime("%Y-%m-%dT%H:%M:%SZ")


def told(proc):
    return re.findall(r"\[1\] certificate of (.*), issued by (.*), valid until (.*), (sha256//\S+)", proc.err.decode())


@LOOPS
@pytest.mark.parametrize("trust", ["ca", "pin", "insecure"])
def test_a_client_names_the_servers(sockctl, tls, trust):
    good = certs.good()
    sockctl.serve("echo", tls)
    words = {"ca": ["--ca", certs.root().pem], "pin": ["--pin", good.pin], "insecure": ["--insecure"]}[trust]
    proc = sockctl.run("connect", "-v", "--tls", *words, "localhost", str(tls.port), stdin=b"x")
    assert (proc.code, proc.buf) == (0, b"x")
    assert told(proc) == [(*facts(good), good.pin)]


@LOOPS
def test_a_server_names_the_clients(sockctl, tls, tmp_path):
    user = certs.user()
    server = sockctl.serve("echo", tls, "-v", "--client-ca", certs.root().pem, "--events", str(tmp_path / "log"), "--count", "1")
    proc = sockctl.run("connect", "--tls", "--ca", certs.root().pem, "--cert", user.pem, "--key", user.key, "localhost",
                       str(tls.port), stdin=b"x")
    assert proc.code == 0, proc
    server.ends(0)
    assert told(server) == [(*facts(user), user.pin)]
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    subject, issuer, until = facts(user)
    assert [(e["subject"], e["issuer"], e["until"], e["pin"]) for e in events if e["ev"] == "certificate"] == [
        (subject, issuer, until, user.pin)]


@LOOPS
def test_without_a_certificate_nothing_is_said(sockctl, tls):
    server = sockctl.serve("echo", tls, "-v", "--count", "1")
    sockctl.run("connect", "--tls", "--ca", certs.root().pem, "localhost", str(tls.port), stdin=b"x").ends(0)
    server.ends(0)
    assert told(server) == []
    assert "[1] TLSv1.3" in server.err.decode()


def test_quiet_says_nothing(sockctl, tls):
    sockctl.serve("echo", tls)
    proc = sockctl.run("connect", "--tls", "--ca", certs.root().pem, "localhost", str(tls.port), stdin=b"x")
    assert (proc.code, bytes(proc.err)) == (0, b"")


# SSLKEYLOGFILE


@LOOPS
@pytest.mark.parametrize("who", ["client", "server"])
def test_the_variable_is_the_option(sockctl, tls, tmp_path, who):
    keys = tmp_path / "keys"
    env = {"SSLKEYLOGFILE": str(keys)}
    server = sockctl.serve("echo", tls, "--count", "1", env=env if who == "server" else {})
    proc = sockctl.run("connect", "--tls", "--ca", certs.root().pem, "localhost", str(tls.port), stdin=b"x",
                       env=env if who == "client" else {})
    assert proc.code == 0
    server.ends(0)
    lines = keys.read_text().splitlines()
    assert lines and all(SECRET.fullmatch(line) for line in lines)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_the_option_wins(sockctl, tls, tmp_path):
    sockctl.serve("echo", tls)
    proc = sockctl.run("connect", "--tls", "--ca", certs.root().pem, "--keylog", str(tmp_path / "option"), "localhost", str(tls.port),
                       stdin=b"x", env={"SSLKEYLOGFILE": str(tmp_path / "variable")})
    assert proc.code == 0
    assert (tmp_path / "option").exists() and not (tmp_path / "variable").exists()


def test_an_empty_variable_is_none(sockctl, tls):
    sockctl.serve("echo", tls)
    proc = sockctl.run("connect", "--tls", "--ca", certs.root().pem, "localhost", str(tls.port), stdin=b"x", env={"SSLKEYLOGFILE": ""})
    assert proc.code == 0


@pytest.mark.parametrize("mode", ["connect", "echo"])
def test_a_file_that_cannot_be_made(sockctl, tmp_path, mode):
    words = ["--tls", *(["--cert", certs.good().pem, "--key", certs.good().key] if mode == "echo" else [])]
    proc = sockctl.run(mode, *words, "localhost:0" if mode == "echo" else "localhost:1", env={"SSLKEYLOGFILE": str(tmp_path / "no" / "keys")})
    assert proc.code == 2
    assert f"SSLKEYLOGFILE {tmp_path}/no/keys: No such file" in proc.complaint()


def test_without_tls_nothing_is_made(sockctl, tcp, tmp_path):
    sockctl.serve("echo", tcp)
    sockctl.run("connect", *tcp.words(), stdin=b"x", env={"SSLKEYLOGFILE": str(tmp_path / "keys")}).ends(0)
    assert not (tmp_path / "keys").exists()
