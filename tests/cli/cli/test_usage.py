"""Bad input is refused before any socket is opened: exit 2, and one line that names the word, says what was expected, and
suggests what was probably meant."""
import re
import subprocess
import sys

import pytest

import book

HOST = ["127.0.0.1", "9"]

# (words, what the line must contain: each a regular expression)
BAD = {
    "mode-misspelt": (["conect", *HOST], ["conect", r"\bconnect\b"]),
    "mode-unknown": (["zzzz", *HOST], ["zzzz", "connect", "listen"]),
    "mode-nc": (["-l", "7000"], ["-l", r"\blisten\b"]),
    "mode-missing": ([], ["connect", "listen"]),
    "option-misspelt": (["connect", "--lifetmie", "2s", *HOST], ["unknown option --lifetmie", r"did you mean --lifetime\?"]),
    "option-after-address": (["connect", *HOST, "--recv-olny"], ["--recv-olny", "--recv-only"]),
    "option-unknown": (["connect", "--zzzzzz", *HOST], ["unknown option --zzzzzz"]),
    "letter-unknown": (["connect", "-Y", *HOST], ["-Y"]),
    "option-of-other-modes": (["connect", "--max", "3", *HOST], ["--max", "serve", "echo", "chat"]),
    "option-of-chat": (["echo", "--wire", "raw", "0"], ["--wire", "chat"]),
    "option-of-connect": (["serve", "--reconnect", "0"], ["--reconnect", "connect"]),
    "option-of-listen": (["serve", "-k", "0"], ["-k|--keep-open", "listen"]),
    "value-missing": (["connect", *HOST, "--max-time"], ["--max-time"]),
    "value-unwanted": (["connect", "--udp=yes", *HOST], ["--udp"]),
    "no-address": (["connect"], ["(?i)address"]),
    "no-port": (["connect", "127.0.0.1"], [r"127\.0\.0\.1", "(?i)port"]),
    "client-bare-port": (["connect", "8080"], ["8080", "(?i)host"]),
    "word-too-many": (["connect", *HOST, "10"], ["10"]),
    "port-too-large": (["connect", "127.0.0.1", "65536"], ["65536", "65535"]),
    "port-not-a-number": (["connect", "127.0.0.1", "80x"], ["80x"]),
    "port-no-service": (["connect", "127.0.0.1", "no-such-service"], ["no-such-service"]),
    "port-empty": (["connect", "127.0.0.1:"], [r"127\.0\.0\.1:"]),
    "host-empty": (["connect", "", "80"], ["(?i)host|address"]),
    "bracket-open": (["connect", "[::1", "80"], [r"\[::1"]),
    "bracket-no-colon": (["connect", "[::1]80"], [r"\[::1\]80"]),
    "bracket-bad-address": (["connect", "[::g]:80"], ["::g"]),
    "scheme-misspelt": (["connect", "tpc://127.0.0.1:80"], ["tpc", "tcp"]),
    "scheme-against-host": (["connect", "tcp4://[::1]:80"], ["::1"]),
    "scheme-against-letter": (["connect", "-u", "tcp://127.0.0.1:80"], ["tcp|udp"]),
    "letter-against-host": (["connect", "-4", "::1", "80"], ["::1"]),
    "letters-disagree": (["connect", "-4", "-6", "localhost", "80"], ["-4|--ipv4", "-6|--ipv6"]),
    "unix-empty": (["connect", "unix:"], ["unix:"]),
    "unix-too-long": (["connect", "unix:/" + "x" * 200], ["10[0-9]"]),
    "fd-not-open": (["connect", "fd:987"], ["987"]),
    "fd-no-number": (["connect", "fd:x"], ["fd:x"]),
    "duration-without-unit": (["connect", "--max-time", "5", *HOST], ["--max-time", r"\b5\b", "5s|unit"]),
    "duration-bad-unit": (["connect", "--max-time", "5x", *HOST], ["--max-time", "5x"]),
    "duration-negative": (["connect", "--max-time", "-5s", *HOST], ["--max-time", "-5s"]),
    "duration-word": (["echo", "--drain", "soon", "0"], ["--drain", "soon"]),
    "duration-huge": (["connect", "--max-time", "99999999999999999999h", *HOST], ["--max-time"]),
    "seconds-word": (["connect", "-w", "soon", *HOST], ["-w|--connect-timeout", "soon"]),
    "size-lower-m": (["connect", "-u", "--datagram-size", "1m", *HOST], ["--datagram-size", "1m", "1M|M"]),
    "size-word": (["connect", "-u", "--datagram-size", "big", *HOST], ["--datagram-size", "big"]),
    "number-word": (["echo", "--max", "many", "0"], ["--max", "many"]),
    "number-negative": (["echo", "--max", "-3", "0"], ["--max", "-3"]),
    "number-float": (["echo", "--count", "1.5", "0"], ["--count", r"1\.5"]),
    "number-too-large": (["echo", "--count", "99999999999999999999", "0"], ["--count", "99999999999999999999"]),
    "cidr-bits": (["echo", "--allow", "10.0.0.0/33", "0"], ["--allow", "10.0.0.0/33"]),
    "cidr-bits6": (["echo", "--deny", "::/129", "0"], ["--deny", "::/129"]),
    "cidr-address": (["echo", "--allow", "300.1.1.1/8", "0"], ["--allow", r"300\.1\.1\.1/8"]),
    "cidr-no-bits": (["echo", "--allow", "10.0.0.0/", "0"], ["--allow", r"10\.0\.0\.0/"]),
    "cidr-file": (["echo", "--allow", "@/no/such/file", "0"], ["/no/such/file"]),
    "choice-end": (["connect", "--end", "never", *HOST], ["--end", "never", "auto", "both", "peer"]),
    "choice-half-close": (["connect", "--half-close", "maybe", *HOST], ["--half-close", "maybe", "yes"]),
    "choice-full": (["serve", "--when-full", "maybe", "0"], ["--when-full", "maybe", "notice", "close", "queue"]),
    "choice-misspelt": (["serve", "--when-full", "notcie", "0"], ["notcie", "notice"]),
    "choice-loop": (["connect", "--loop", "kqueue", *HOST], ["--loop", "kqueue", "select"]),
    "choice-slow": (["chat", "--slow", "fast", "0"], ["--slow", "fast", "skip", "close", "wait"]),
    "choice-wire": (["chat", "--wire", "irc", "0"], ["--wire", "irc", "vbnet", "raw"]),
    "choice-label": (["serve", "--label", "x", "0"], ["--label", "id", "addr", "none"]),
    "sockopt-unknown": (["connect", "-o", "zzz=1", *HOST], ["zzz", "rcvbuf", "nodelay"]),
    "sockopt-value": (["connect", "-o", "rcvbuf=abc", *HOST], ["rcvbuf", "abc"]),
    "port-file-folder": (["echo", "--port-file", "/no/such/folder/port", "0"], ["/no/such/folder"]),
    "ready-fd-closed": (["echo", "--ready-fd", "987", "0"], ["--ready-fd|987"]),
    "ready-fd-stdout": (["listen", "--ready-fd", "1", "0"], ["--ready-fd", "stdout"]),
    "ready-fd-console": (["serve", "--ready-fd", "1", "0"], ["--ready-fd", "stdout"]),
    "unix-mode": (["echo", "--unix-mode", "0999", "unix:/tmp/x"], ["--unix-mode", "0999"]),
    "probe-range": (["connect", "--probe", "127.0.0.1", "30-20"], ["30-20"]),
    "probe-range-end": (["connect", "--probe", "127.0.0.1", "20-"], ["20-"]),
    "probe-range-large": (["connect", "--probe", "127.0.0.1", "1-70000"], ["70000"]),
    "range-without-probe": (["connect", "127.0.0.1", "20-30"], ["20-30"]),
    "source": (["connect", "-s", "not an address", *HOST], ["-s|--source", "not an address"]),
    "two-services": (["serve", "--discard", "--zero", "0"], ["--discard", "--zero"]),
    "file-missing": (["serve", "--file", "/no/such/file", "0"], ["/no/such/file"]),
    "help-mode": (["help", "conect"], ["conect", "connect"]),
    "completion-shell": (["completion", "tcsh"], ["tcsh", "bash", "zsh", "fish"]),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(sockctl, case):
    words, expected = BAD[case]
    proc = sockctl.program([sockctl.binary, *words], stdin=b"")
    assert proc.ends(2) == b""
    line = proc.complaint()
    for pattern in expected:
        assert re.search(pattern, line), f"no {pattern!r} in {line!r}"


def test_no_socket_is_opened(sockctl, need, tmp_path):
    """All of the above again, under strace: a resolver would show too."""
    strace = need("strace")
    opened = []
    procs = {}
    for number, (case, (words, _)) in enumerate(BAD.items()):
        log = tmp_path / f"{number}.strace"
        proc = sockctl.program([strace, "-f", "-qq", "-o", log, "-e", "trace=socket,bind,connect,listen", sockctl.binary, *words],
                               stdin=b"", env={"ASAN_OPTIONS": "detect_leaks=0"})  # no look for leaks under ptrace
        procs[case] = (proc, log)
        if number % 8 == 7:
            proc.wait()
    for case, (proc, log) in procs.items():
        proc.wait()
        if proc.code != 2 and "ptrace" in proc.err.decode():
            pytest.skip("strace may not trace here")
        # libc asks the name service cache daemon about service names, through a Unix socket
        calls = [c for c in log.read_text().splitlines() if "(" in c and "socket(AF_UNIX" not in c and "/nscd/" not in c]
        opened += [f"{case}: {call}" for call in calls[:1]]
    assert not opened, "\n".join(opened)


def test_hostile_words_are_shown_harmlessly(sockctl):
    proc = sockctl.program([sockctl.binary, "connect", "--\x1b[31mred\n", *HOST], stdin=b"")
    proc.ends(2)
    assert "\x1b" not in proc.complaint()
    assert r"\x1b" in proc.complaint()


@pytest.mark.parametrize("words", [["--help"], ["help"], ["help", "connect"], ["connect", "--help"], ["--version"],
                                   ["completion", "bash"], ["completion", "zsh"], ["completion", "fish"]], ids=" ".join)
def test_asked_for_words_go_to_stdout(sockctl, words):
    proc = sockctl.program([sockctl.binary, *words], stdin=b"")
    out = proc.ends(0)
    assert out.endswith(b"\n")
    assert not proc.err


def test_help_names_every_mode_and_code(sockctl):
    out = sockctl.program([sockctl.binary, "help"], stdin=b"").ends(0).decode()
    for mode in ("connect", "listen", "serve", "echo", "chat"):
        assert re.search(rf"\b{mode}\b", out)


@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
def test_help_of_a_mode_fits_a_terminal_of_100(sockctl, mode):
    out = sockctl.program([sockctl.binary, "help", mode], stdin=b"").ends(0).decode()
    assert mode in out
    assert max(map(len, out.splitlines())) <= 100


def test_the_manual_is_written_from_the_rows(sockctl):
    """What tools get is every option of every mode, and the manual follows from it."""
    rows = sockctl.program([sockctl.binary, "--dump-options"], stdin=b"").ends(0)
    written = subprocess.run([sys.executable, book.ROOT / "man/write", book.ROOT / "man/sockctl.1.in"], input=rows, stdout=subprocess.PIPE,
                             check=True)
    assert written.stdout == (book.ROOT / "man/sockctl.1").read_bytes()
    options = [row.split("\t") for row in rows.decode().splitlines() if row.startswith("option\t")]
    for mode in ("connect", "listen", "serve", "echo", "chat"):
        shown = re.findall(r"^ {2,6}(?:-\w, )?--([\w-]+)", sockctl.program([sockctl.binary, "help", mode], stdin=b"").ends(0).decode(), re.M)
        assert sorted(shown) == sorted(name for _, _, modes, _, name, *_ in options if mode in modes.split())
