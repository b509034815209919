"""A mask of signals that a parent hands down changes nothing: the program hears what ends it, and that its programs have ended."""
import os
import re
import signal

import pytest

import wire

MASKS = {
    "SIGCHLD": [signal.SIGCHLD],
    "ending": [signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
    "USR1": [signal.SIGUSR1],
    "all": [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)],
}
STATUS = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
CLEAN = b"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
OF_THE_LIBRARY = 3 << 31  # signals 32 and 33, which the C library keeps to itself: what was inherited of them stays


def without_own(status):
    return re.sub(rb"\b[0-9a-f]{16}\b", lambda mask: b"%016x" % (int(mask[0], 16) & ~OF_THE_LIBRARY), status)


@pytest.fixture(params=MASKS)
def blocked(request):
    """What before_exec is to do."""
    return lambda: signal.pthread_sigmask(signal.SIG_BLOCK, MASKS[request.param])


def state(proc, name):
    with open(f"/proc/{proc.pid}/status") as status:
        return int(re.search(rf"^{name}:\s*(\w+)$", status.read(), re.M)[1], 16)


@pytest.mark.parametrize("mode", ["serve", "echo", "chat"])
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_server_ends(sockctl, tcp, blocked, mode, signo):
    proc = sockctl.serve(mode, tcp, before_exec=blocked)
    assert state(proc, "SigBlk") == 0
    proc.signal(signo)
    proc.ends(0)


def test_connect_ends(sockctl, tcp, blocked):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, before_exec=blocked)
    sock = wire.accept(listener)
    sock.sendall(b"x")
    assert proc.read(1) == b"x"
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


def test_listen_ends(sockctl, tcp, blocked):
    proc = sockctl.serve("listen", tcp, before_exec=blocked)
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


def test_connect_that_waits_ends(sockctl, tcp, blocked):
    """In the pause between two attempts."""
    wire.close(tcp.listen())
    proc = sockctl.connect(tcp, "--wait", "1h", "-v", before_exec=blocked)
    proc.says(rb"next try in")
    proc.signal(signal.SIGTERM)
    proc.ends(-signal.SIGTERM)


@pytest.mark.parametrize("mode", ["serve", "echo", "chat", "listen"])
def test_lifetime_ends(sockctl, tcp, blocked, mode):
    proc = sockctl.serve(mode, tcp, "--lifetime", "50ms", before_exec=blocked)
    proc.wait()
    assert proc.code == 5, proc
    assert "--lifetime" in proc.complaint()


@pytest.mark.parametrize("mode", ["serve", "echo", "listen"])
@pytest.mark.parametrize("command, code", [("exit 3", 3), ("kill -9 $$", 137), ("trap 'exit 4' TERM; kill $$", 4)])
def test_the_end_of_a_command_is_heard(sockctl, tcp, blocked, mode, command, code):
    proc = sockctl.start(mode, "--run", command, *tcp.words(), before_exec=blocked)
    proc.ends(code)


def test_a_command_is_ended(sockctl, tcp, blocked):
    proc = sockctl.serve("serve", tcp, "--run", "echo there >&2; sleep 1000", "--lifetime", "50ms", before_exec=blocked)
    proc.wait()
    assert proc.code == 5, proc


@pytest.mark.parametrize("how", [["-e", "cat; exit 3"], ["--pty", "-e", "cat; exit 3"], ["--exec-socket", "-e", "cat; exit 3"],
                                 ["--", "sh", "-c", "cat; exit 3"]])
def test_the_end_of_a_program_is_heard(sockctl, tcp, blocked, how):
    address = tcp.words()
    if how[0] == "--":
        proc = sockctl.serve("listen", [*address, *how], before_exec=blocked)
        tcp.port = proc.port
    else:
        proc = sockctl.serve("listen", tcp, *how, before_exec=blocked)
    sock = tcp.dial()
    sock.sendall(b"x\n")
    assert wire.read(sock, 1) == b"x"
    wire.half_close(sock)
    wire.read_eof(sock)
    proc.ends(3)


def test_programs_of_a_server(sockctl, tcp, blocked):
    proc = sockctl.serve("serve", tcp, "-e", "cat", "-v", before_exec=blocked)
    for _ in range(2):
        sock = tcp.dial()
        sock.sendall(b"x")
        wire.half_close(sock)
        assert wire.read_eof(sock) == b"x"
        proc.says(rb"command \d+ ended: status 0")
        proc.err.clear()


def test_a_dialed_program(sockctl, tcp, blocked):
    listener = tcp.listen()
    proc = sockctl.connect(tcp, "-e", "echo hi; exit 4", before_exec=blocked)
    sock = wire.accept(listener)
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"hi\n"
    proc.ends(4)


def test_a_name_is_found(sockctl, tcp, blocked):
    """The helper that asks for it is a process, too."""
    listener = tcp.listen()
    proc = sockctl.start("connect", "-4", "localhost", listener.getsockname()[1], stdin=b"x", before_exec=blocked)
    sock = wire.accept(listener)
    assert wire.read(sock, 1) == b"x"
    wire.close(sock)
    proc.ends(0)


def test_progress_is_told(sockctl, tcp, blocked):
    proc = sockctl.serve("echo", tcp, before_exec=blocked)
    proc.signal(signal.SIGUSR1)
    proc.says(rb"sent 0B")


@pytest.mark.parametrize("how", [["-e", STATUS], ["--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]])
def test_programs_get_no_mask(sockctl, tcp, blocked, how):
    """Nor what we ignore ourselves, as SIGPIPE, nor what was ignored when we started."""
    proc = sockctl.serve("listen", [*tcp.words(), *how] if how[0] == "--" else [*how, *tcp.words()], before_exec=blocked,
                         ignored=[signal.SIGHUP, signal.SIGUSR2])
    tcp.port = proc.port
    sock = tcp.dial()
    wire.half_close(sock)
    assert without_own(wire.read_eof(sock)) == CLEAN
    proc.ends(0)


def test_a_command_gets_no_mask(sockctl, tcp, blocked, tmp_path):
    proc = sockctl.start("serve", "--run", f"{STATUS} >{tmp_path}/status", *tcp.words(), before_exec=blocked,
                         ignored=[signal.SIGHUP])
    proc.ends(0)
    assert without_own((tmp_path / "status").read_bytes()) == CLEAN


def test_ignored_stays_ignored(sockctl, tcp, blocked):
    proc = sockctl.serve("echo", tcp, before_exec=blocked, ignored=[signal.SIGHUP])
    assert state(proc, "SigIgn") & 1 << (signal.SIGHUP - 1)
    os.kill(proc.pid, signal.SIGHUP)
    sock = tcp.dial()
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    proc.signal(signal.SIGTERM)
    wire.close(sock)
    proc.ends(0)
