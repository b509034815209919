"""--pty: a program on a terminal of its own, as interactive programs want it."""
import os
import signal
import sys

import pytest

import wire
from test_exec import gone, start

pytestmark = pytest.mark.usefixtures("loop")


@pytest.mark.parametrize("mode", ["listen", "serve"])
def test_a_terminal_of_its_own(sockctl, place, mode):
    code = ("import os\n"
            "print([os.isatty(n) for n in (0, 1, 2)], os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpgrp(),"
            " os.get_terminal_size(0), sorted(int(n) for n in os.listdir('/proc/self/fd')))")
    start(sockctl, mode, place, "--pty", command=[sys.executable, "-S", "-c", code])
    assert wire.read_eof(place.dial()) == \
        b"[True, True, True] True True os.terminal_size(columns=80, lines=24) [0, 1, 2, 3]\r\n"


def test_a_shell_is_typed_to(sockctl, place):
    start(sockctl, "serve", place, "--pty", "-e", "PS1='> ' ENV= exec sh -i")
    sock = place.dial()
    assert wire.read_until(sock, b"> ") == b"> "  # a prompt, which goes to standard error
    sock.sendall(b"echo $((6*7))\n")
    assert wire.read_until(sock, b"> ") == b"echo $((6*7))\r\n42\r\n> "
    wire.half_close(sock)  # types the end-of-file character
    wire.read_eof(sock)


@pytest.mark.parametrize("sent,seen", [(b"", b""), (b"whole\n", b"whole\n"), (b"half", b"half"), (b"whole\nhalf", b"whole\nhalf")])
def test_the_end_is_typed(sockctl, tcp, sent, seen):
    """Also behind half a line."""
    start(sockctl, "serve", tcp, "--pty", "-e", "stty -echo -opost; echo ready; exec od -An -c")
    sock = tcp.dial()
    assert wire.read_until(sock) == b"ready\n"
    sock.sendall(sent)
    wire.half_close(sock)
    said = {"\\n": b"\n"}
    got = b"".join(said.get(word, word.encode()) for word in wire.read_eof(sock).decode().split())
    assert got == seen


def test_a_raw_terminal_passes_everything(sockctl, tcp):
    start(sockctl, "serve", tcp, "--pty", "-e", "stty raw -echo; echo ready; exec head -c %d" % wire.much(200_000))
    sock = tcp.dial()
    wire.read_until(sock)
    data = wire.payload(200_000)
    sender = wire.sending(sock, data, end=lambda sock: None)
    wire.same(wire.read_eof(sock), data)
    sender.result()


def test_what_was_shown_before_the_exit_arrives(sockctl, place):
    start(sockctl, "serve", place, "--pty", "-e", "stty -opost; head -c 300000 /dev/zero; exit 1")
    assert wire.read_eof(place.dial()) == bytes(300_000)


def test_a_peer_that_leaves_hangs_up(sockctl, tcp):
    """A shell at a terminal does not care for SIGTERM."""
    start(sockctl, "serve", tcp, "--pty", "-e", "trap '' TERM; echo $$; while :; do sleep 1; done")
    sock = tcp.dial()
    pid = int(wire.read_until(sock))
    wire.reset(sock)
    wire.until(lambda: gone(pid), "the program is ended")


def test_listen_passes_the_status_on(sockctl, tcp):
    proc = start(sockctl, "listen", tcp, "--pty", "-e", "exit 3")
    assert wire.read_eof(tcp.dial()) == b""
    proc.ends(3)


def test_connect_too(sockctl, tcp):
    listener = tcp.listen()
    proc = sockctl.start("connect", "--pty", *tcp.words(), "-e", "tty >/dev/null && echo yes")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == b"yes\r\n"
    wire.close(sock)
    proc.ends(0)


def test_nothing_is_left(sockctl, tcp):
    proc = start(sockctl, "serve", tcp, "--pty", "--max", "100", "-e", "true")
    fds = lambda: len(os.listdir(f"/proc/{proc.pid}/fd"))
    for round in range(6):
        for sock in [tcp.dial() for _ in range(5)]:
            assert wire.read_eof(sock) == b""
            wire.close(sock)
        if round == 0:
            wire.until(lambda: not left(proc.pid), "the first ones are gone")
            before = fds()
    wire.until(lambda: not left(proc.pid), "no child is left, not even as a zombie")
    wire.until(lambda: fds() <= before, "no descriptor is left")
    proc.signal(signal.SIGTERM)
    proc.ends(0)


def left(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


def test_bad_input(sockctl):
    proc = sockctl.run("serve", "--pty", "--exec-socket", "-e", "cat", "0")
    assert proc.code == 2 and proc.complaint() == "sockctl: --pty and --exec-socket cannot be used together"


@pytest.mark.parametrize("option", ["--pty", "--exec-socket"])
@pytest.mark.parametrize("mode", ["connect", "listen", "serve"])
def test_without_a_program_it_makes_no_sense(sockctl, tcp, mode, option):
    listener = tcp.listen()
    proc = sockctl.run(mode, option, *(tcp.words() if mode == "connect" else ["127.0.0.1", 0]))
    assert proc.code == 2 and proc.complaint() == f"sockctl: {option}: there is no program to run; add -e CMD or -- PROGRAM"
    assert wire.silent(listener)
