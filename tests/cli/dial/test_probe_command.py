"""connect --probe ADDRESS -- COMMAND: becomes the command once a port is open, and never otherwise."""
import json
import signal
import sys

import pytest

import wire
from place import Place



@pytest.mark.usefixtures("loop")
def test_the_command_takes_our_place(sockctl, place):
    """Stdout is the command's alone, the probe's line is on stderr, the process and the status are its own."""
    place.listen()
    proc = sockctl.start("connect", "--probe", *place.words(), "--", "sh", "-c", "echo $$; cat; exit 42", stdin=b"for the command\n")
    assert proc.ends(42).decode() == f"{proc.pid}\nfor the command\n"
    assert proc.err.decode().endswith(" open\n") and proc.err.count(b"\n") == 1


def test_it_waits_first(sockctl, place):
    bound = None if place.unix else place.bind()
    proc = sockctl.start("connect", "--probe", "--wait", "1h", "-v", *place.words(), "--", "echo", "up", "and", "--running")
    proc.says(rb"refused|No such file")
    if bound:
        bound.listen(5)
    else:
        place.listen()
    assert proc.ends(0) == b"up and --running\n"


@pytest.mark.parametrize("more", [[], ["--wait", "100ms"], ["--probe=quiet"]], ids=lambda more: " ".join(more) or "once")
def test_never_where_nothing_is_open(sockctl, tcp, more):
    tcp.bind()
    proc = sockctl.start("connect", "--probe", *more, *tcp.words(), "--", "echo", "run", stdin=b"")
    assert proc.ends(4) == b""
    assert ("refused\n" in proc.err.decode()) or "--probe=quiet" in more


def test_never_after_a_signal(sockctl, tcp):
    tcp.bind()
    proc = sockctl.start("connect", "--probe", "--wait", "1h", "-v", *tcp.words(), "--", "echo", "run")
    proc.says(b"refused")
    proc.signal(signal.SIGTERM)
    assert proc.ends(-signal.SIGTERM) == b""


def test_never_after_the_lifetime(sockctl, tcp):
    tcp.bind()
    proc = sockctl.start("connect", "--probe", "--wait", "1h", "--lifetime", "100ms", *tcp.words(), "--", "echo", "run")
    assert proc.ends(5) == b""


@pytest.mark.parametrize("blocked, ignored", [([], []), ([signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD], []),
                                              ([], [signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTIN]),
                                              ([signal.SIGPIPE, signal.SIGALRM], [signal.SIGALRM, signal.SIGCHLD, signal.SIGTTOU])])
def test_signals_are_as_we_found_them(sockctl, tcp, blocked, ignored):
    """The kernel's own words on them, from a program that started directly and from one that we became."""
    def before_exec():
        for signo in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(signo, signal.SIG_DFL)
        for signo in ignored:
            signal.signal(signo, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    tcp.listen()
    look = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    direct = sockctl.program(look, before_exec=before_exec)
    became = sockctl.start("connect", "--probe", *tcp.words(), "--", *look, before_exec=before_exec)
    assert became.ends(0) == direct.ends(0) != b""


def test_descriptors_are_as_we_found_them(sockctl, tcp):
    """None of ours is left, and none of the first three has learned not to block."""
    tcp.listen()
    look = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], [os.get_blocking(fd) for fd in (0, 1, 2)])"
    proc = sockctl.start("connect", "--probe", "-vv", *tcp.words(), "--", sys.executable, "-c", look, stdin=b"")
    assert proc.ends(0) == b"[0, 1, 2] [True, True, True]\n"


@pytest.mark.parametrize("command", ["no-such-program", "/no/such/program", "/etc/passwd"])
def test_a_command_that_cannot_be_run_is_found_first(sockctl, tcp, command):
    listener = tcp.listen()
    proc = sockctl.run("connect", "--probe", "--wait", "1h", *tcp.words(), "--", command)
    assert proc.code == 2 and proc.complaint().startswith(f"sockctl: -- {command}: ")
    assert wire.silent(listener)


def test_a_command_that_went_away_meanwhile(sockctl, tcp, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho run\n")
    program.chmod(0o755)
    bound = tcp.bind()
    proc = sockctl.start("connect", "--probe", "--wait", "1h", "-v", *tcp.words(), "--", program)
    proc.says(b"refused")
    program.unlink()
    bound.listen(5)
    assert proc.ends(9) == b""
    assert f"sockctl: -- {program}: No such file or directory" in proc.err.decode()


def test_no_sandbox_and_strict_says_so(sockctl, tcp):
    tcp.listen()
    proc = sockctl.run("connect", "--probe", "--sandbox", "strict", *tcp.words(), "--", "echo", "run")
    assert proc.code == 2 and proc.complaint() == "sockctl: --sandbox strict: programs are started"
    proc = sockctl.start("connect", "--probe", *tcp.words(), "--", "grep", "NoNewPrivs", "/proc/self/status")
    assert proc.ends(0).split() == [b"NoNewPrivs:", b"0"]


def test_events(sockctl, tcp):
    """--json: the answer is an event, and stderr holds events only."""
    tcp.listen()
    proc = sockctl.start("connect", "--probe", "--json", *tcp.words(), "--", "echo", "run")
    assert proc.ends(0) == b"run\n"
    events = [json.loads(line) for line in proc.err.decode().splitlines()]
    assert [event["answer"] for event in events if event["ev"] == "probe"] == ["open"]
    assert events[-1]["ev"] == "exit" and events[-1]["code"] == 0


def test_several_ports_and_udp(sockctl, tmp_path):
    places = [Place("tcp4", tmp_path) for _ in range(2)]
    places[0].bind(), places[1].listen()
    ports = ",".join(str(place.port) for place in places)
    proc = sockctl.start("connect", "--probe", "127.0.0.1", ports, "--", "true", stdin=b"")
    assert proc.ends(0) == b"" and proc.err.count(b"\n") == 2
    udp = Place("udp4", tmp_path)
    server = udp.listen()
    proc = sockctl.start("connect", "--probe", *udp.words(), "--", "echo", "run", stdin=b"")
    _, peer = server.recvfrom(100)
    server.sendto(b"yes", peer)
    assert proc.ends(0) == b"run\n"
