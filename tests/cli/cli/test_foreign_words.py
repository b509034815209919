"""Words of other tools are answered with ours, before anything is opened; a long option with one dash is no heap of letters."""
import re

import pytest

import wire

HOST = ["127.0.0.1", "9"]
MODES = ("connect", "listen", "serve", "echo", "chat")

# words, and what the one line must contain
ANSWERS = [
    (["connect", "--ssl", *HOST], [r"--ssl\b", "use --tls", "--insecure"]),
    (["--ssl", *HOST], [r"--ssl\b", "use --tls"]),
    (["connect", "-v", "--ssl-verify", *HOST], ["--ssl-verify", "use --tls", "verifies"]),
    (["listen", "--ssl-cert=x.pem", "0"], ["--ssl-cert is", "--cert"]),
    (["connect", "--port", "9", "127.0.0.1"], ["--port", "the port is a word of its own"]),
    (["listen", "--port=9"], ["--port is", "the port is a word of its own"]),
    (["--port", "9"], ["--port", "the port is a word of its own"]),
    (["serve", "-p", "9"], ["-p", "the port is a word of its own"]),
    (["connect", "-c", "true", *HOST], ["-c", "--exec"]),
    (["serve", "-c", "true", "0"], ["-c", "--exec"]),
    (["connect", "-q", "1", *HOST], ["-q 1", "--quit-after 1s", "--quiet"]),
    (["connect", "-q1", *HOST], ["-q 1", "--quit-after 1s", "--quiet"]),
    (["connect", *HOST, "-q", "1"], ["-q 1", "--quit-after 1s"]),
    (["connect", "127.0.0.1:9", "-vq", "3"], ["-q 3", "--quit-after 3s"]),
    (["listen", "-q", "1", "0"], ["-q 1", "--quit-after 1s"]),
    (["listen", "0", "-q", "1"], ["-q 1", "--quit-after 1s"]),
    (["connect", "-s", "lo", *HOST], ["-s", '"lo"', "-o device="]),
    (["connect", "--starttls", "smtp", *HOST], ["--starttls", "--talk"]),
    (["connect", "http://user:secret@example.org/"], [r"user:\*\*\*@", "write tcp://example.org:80$"]),
    (["connect", "https://example.org:8443/x?y"], ["write tls://example.org:8443$"]),
    (["connect", "http://[::1]/"], [r"write tcp://\[::1\]:80$"]),
    (["serve", "--forward", "http://127.0.0.1", "0"], ["--forward", "write tcp://127.0.0.1:80$"]),
    (["http://example.org"], ["sockctl connect tcp://example.org:80"]),
    (["example.org:80"], ["sockctl connect example.org:80"]),
    (["-v"], ["-v", "sockctl --version", "sockctl connect -v HOST PORT"]),
    (["-l"], ["sockctl listen PORT"]),
    (["-verbose"], ["-verbose", r"did you mean --verbose\?"]),
    (["-verbose", *HOST], ["-verbose", r"did you mean --verbose\?"]),
    (["listen", "-help"], [r"did you mean --help\?"]),
    (["connect", "-ssl", *HOST], ["-ssl", "use --tls"]),
]


@pytest.mark.parametrize("words, expected", ANSWERS, ids=[" ".join(case[0]) for case in ANSWERS])
def test_the_right_word(sockctl, words, expected):
    proc = sockctl.program([sockctl.binary, *words], stdin=b"")
    assert proc.ends(2) == b""
    for pattern in expected:
        assert re.search(pattern, proc.complaint()), (pattern, proc)


@pytest.mark.parametrize("words", [["-q", "127.0.0.1", "9"], ["127.0.0.1", "-q", "9"], ["127.0.0.1:9", "-q"], ["[::ffff:127.0.0.1]", "-q", "9"]],
                         ids=" ".join)
def test_a_port_after_quiet(sockctl, tcp, words):
    """What can be an address is one."""
    tcp.listen()
    words = [str(tcp.port) if word == "9" else word.replace(":9", f":{tcp.port}") for word in words]
    sockctl.program([sockctl.binary, "connect", "--probe", *words], stdin=b"").ends(0)


@pytest.mark.parametrize("mode", MODES)
def test_one_dash_is_never_a_long_option(sockctl, mode):
    """-verbose as letters is -v -e rbose: a shell."""
    rows = [row.split("\t") for row in sockctl.program([sockctl.binary, "--dump-options"], stdin=b"").ends(0).decode().splitlines()]
    names = {row[4] for row in rows if row[0] == "option"} | {"help", "version"}
    procs = [(name, sockctl.program([sockctl.binary, mode, f"-{name}", *HOST], stdin=b"")) for name in sorted(names)]
    for name, proc in procs:
        assert proc.ends(2) == b"", name
        assert proc.complaint() == f"sockctl: unknown option -{name}; did you mean --{name}?"


@pytest.mark.parametrize("word", ["-verb", "-verbos", "-verbsoe", "-exce", "-execute", "-keep-opne", "-vetrue", "-eexec"])
def test_a_joined_command_is_not_run(sockctl, word):
    proc = sockctl.program([sockctl.binary, "listen", word, "0"], stdin=b"")
    assert proc.ends(2) == b""
    assert f"unknown option {word};" in proc.complaint()


@pytest.mark.parametrize("words", [["-etouch {}"], ["-ve", "touch {}"], ["-v", "-e", "touch {}"]], ids=" ".join)
def test_a_command_is_run(sockctl, tcp, tmp_path, words):
    listener = tcp.listen()
    proc = sockctl.program([sockctl.binary, "connect", *(word.format(tmp_path / "ran") for word in words), tcp.host, tcp.port], stdin=b"")
    wire.close(wire.accept(listener))
    proc.ends(0)
    assert (tmp_path / "ran").exists()
