"""The scripts of the manual, and those in tests/talk beside them, as they stand there, with the programs they were written for."""
import re
import smtplib

import pytest

import wire
from conftest import TOP
from test_talk_peers import call


def in_manual():
    """{name: text} of the blocks in which a line "# NAME.talk" stands first."""
    found, name = {}, None
    for line in (TOP / "man/sockctl.1").read_text().splitlines():
        if head := re.fullmatch(r"# (\w+)\.talk", line):
            name = head[1]
            found[name] = ""
        elif line.startswith("."):
            name = None
        elif name:
            found[name] += line.replace(r"\(dq", '"').replace(r"\&", "").replace(r"\-", "-").replace(r"\e", "\\") + "\n"
    return found


MANUAL = in_manual()


@pytest.fixture(params=["manual", "tests"])
def talk(request, tmp_path):
    """talk(name): the words for sockctl."""

    def words(name):
        file = TOP / f"tests/talk/{name}.talk"
        if request.param == "manual":
            file = tmp_path / f"{name}.talk"
            file.write_text(MANUAL[name])
        return ["--talk", f"@{file}"]

    return words


def test_none_is_forgotten():
    assert sorted(MANUAL) == ["frames", "ldap", "redis", "smtp"]


def test_mail(sockctl, tcp, talk):
    """A failure that passes: a client that tries again is served."""
    server = sockctl.serve("serve", tcp, *talk("smtp"), "--count", 2)
    codes = []
    for _ in range(2):
        with smtplib.SMTP(tcp.host, tcp.port, timeout=wire.DEADLINE) as smtp:
            try:
                assert smtp.sendmail("ana@example.org", ["bea@example.org"], "Subject: hola\r\n\r\nque tal\r\n") == {}
                codes.append(250)
            except smtplib.SMTPSenderRefused as e:
                codes.append(e.smtp_code)
    assert codes == [451, 250]
    server.ends(0)


def test_reset_truncated_served(sockctl, tcp, talk):
    server = sockctl.serve("serve", tcp, *talk("frames"), "--count", 3)
    assert [call(tcp, text) for text in (b"one", b"two", b"three")] == ["reset", "cut after 18 of 100", b"you said: three"]
    wire.close_all()
    server.ends(0)


def test_redis(sockctl, tcp, talk, need):
    server = sockctl.serve("serve", tcp, *talk("redis"), "--count", 2)
    client = [need("redis-cli"), "-h", tcp.host, "-p", str(tcp.port)]
    for words, answer in ((["PING"], b"PONG\n"), (["GET", "hola"], b"pues\n")):
        assert sockctl.program([*client, *words], stdin=b"").ends(0) == answer
    server.ends(0)


BIND = bytes.fromhex("300c020101600702010304008000")
BOUND = bytes.fromhex("300c02010161070a010004000400")
UNBIND = bytes.fromhex("30050201024200")


@pytest.mark.parametrize("cut", [1, 2, 5, 100])
def test_ldap(sockctl, tcp, talk, cut):
    server = sockctl.serve("listen", tcp, *talk("ldap"), "--lifetime", "30s")
    sock = tcp.dial()
    for at in range(0, len(BIND), cut):
        sock.sendall(BIND[at:at + cut])
    assert wire.read(sock, len(BOUND)) == BOUND
    sock.sendall(UNBIND)
    assert wire.read_eof(sock) == b""
    server.ends(0)
