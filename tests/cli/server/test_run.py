"""--run: a command that is told where we listen, and whose end is ours; no process and nothing else is left."""
import os
import pathlib
import re
import select
import signal
import socket
import time

import pytest

import wire
from conftest import BINARY
from place import has_ipv6
from proc import NULL

MANY = pytest.mark.parametrize("mode", ["serve", "echo", "chat"])
SERVERS = pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])
CONNECT = f"'{BINARY}' connect"
HERE = ("127.0.0.1:0",)


def run(sockctl, mode, command, *words, address=HERE, **how):
    """From start to end, with a stdin that would never end."""
    proc = sockctl.start(mode, *words, "--run", command, *address, **how)
    proc.wait()
    return proc


def gone(pid):
    """Within the deadline: reaped, or a zombie that some other parent has yet to reap."""
    end = time.monotonic() + wire.DEADLINE
    while time.monotonic() < end:
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        select.select([], [], [], 0.01)
    return False


# what the command is told, and what it has


@pytest.mark.usefixtures("loop")
@SERVERS
def test_the_command_is_told_where(sockctl, mode, tmp_path):
    command = f'echo "$SOCKCTL_HOST $SOCKCTL_PORT $SOCKCTL_ADDR" >{tmp_path}/told; {CONNECT} --probe "$SOCKCTL_ADDR"'
    proc = run(sockctl, mode, command)
    assert proc.code == 0, proc
    host, port, url = (tmp_path / "told").read_text().split()
    assert (host, url) == ("127.0.0.1", f"tcp://127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in proc.err.decode()


@pytest.mark.parametrize("address, url", [
    (["0"], r"tcp://127\.0\.0\.1:\d+"),
    (["--local", "0"], r"tcp://127\.0\.0\.1:\d+"),
    (["-6", "0"], r"tcp://\[::1\]:\d+"),
    (["[::1]:0"], r"tcp://\[::1\]:\d+"),
    (["-u", "0"], r"udp://127\.0\.0\.1:\d+"),
    (["unix-dgram:s"], r"unix-dgram:s"),
    (["unix:s"], r"unix:s"),
    (["unix:@run-test-{}"], r"unix:@run-test-\d+"),
])
def test_a_client_of_this_host_can_use_it(sockctl, tmp_path, monkeypatch, address, url):
    """Loopback in place of a wildcard; a Unix socket has neither host nor port."""
    if "6" in "".join(address) and not has_ipv6():
        pytest.skip("no IPv6 here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCKCTL_PORT", "outer")
    command = 'echo "$SOCKCTL_ADDR" >told; env | grep -cE "^SOCKCTL_(HOST|PORT)=" >count;' + f'echo hola | {CONNECT} $SOCKCTL_ADDR >got'
    proc = run(sockctl, "echo", command, address=[word.format(os.getpid()) for word in address])
    assert proc.code == 0, proc
    assert re.fullmatch(url, (tmp_path / "told").read_text().strip())
    assert (tmp_path / "got").read_text() == "hola\n"
    assert int((tmp_path / "count").read_text()) == (0 if "unix" in url else 2)


def test_the_command_has_three_descriptors_and_the_limits_of_old(sockctl, tmp_path):
    """No socket of ours, and stdout and stderr that block, as programs expect."""
    script = ("import fcntl, os, resource, signal; "
              "fds = [n for n in range(3, 256) if os.path.exists(f'/proc/{os.getpid()}/fd/{n}')]; "
              "flags = [fcntl.fcntl(n, fcntl.F_GETFL) & os.O_NONBLOCK for n in (0, 1, 2)]; "
              "print(fds, flags, os.read(0, 1), resource.getrlimit(resource.RLIMIT_NOFILE)[0], "
              "signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, os.getpgrp() != os.getsid(0))")
    proc = run(sockctl, "echo", f'exec python3 -c "{script}" 2>&1', "--max", "500", nofile=(99, 4096))
    assert proc.ends(0) == b"[] [0, 0, 0] b'' 99 True True\n"


@pytest.mark.parametrize("mode, on_stdout", [("listen", False), ("serve", False), ("echo", True), ("chat", True)])
def test_where_its_output_goes(sockctl, mode, on_stdout):
    """Nothing but payload on stdout where there is payload."""
    command = f"echo words; {CONNECT} --probe $SOCKCTL_ADDR; echo more >&2"
    proc = run(sockctl, mode, command)
    assert (b"words\n" in proc.err) != on_stdout
    assert proc.ends(0).startswith(b"words\n" if on_stdout else b"")
    assert b"more\n" in proc.err


@pytest.mark.parametrize("mode", ["listen", "serve"])
def test_stdin_is_not_read(sockctl, mode):
    """It would have gone to the client; it is not even waited for."""
    proc = run(sockctl, mode, f"{CONNECT} --half-close yes $SOCKCTL_ADDR | grep . && exit 3; exit 0", stdin=b"a line\n")
    assert proc.code == 0, proc


# its end is ours


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("size", [0, 1, 1 << 20, 30 << 20])
def test_what_it_has_sent_arrives(sockctl, place, tmp_path, size):
    """The client has gone, and so has the command, before we have read all of it."""
    (tmp_path / "data").write_bytes(wire.payload(size))
    command = f"{CONNECT} --half-close yes {'--pin $SOCKCTL_PIN' if place.tls else ''} $SOCKCTL_ADDR <{tmp_path}/data"
    proc = run(sockctl, "listen", command, address=place.words())
    wire.same(proc.ends(0), wire.payload(size))


def test_a_client_in_the_backlog_is_accepted(sockctl, tcp):
    """Its client has come and gone before we could even accept it: the command stops us meanwhile."""
    script = ("import os, signal, socket; os.kill(os.getppid(), signal.SIGSTOP); "
              "s = socket.create_connection((os.environ['SOCKCTL_HOST'], int(os.environ['SOCKCTL_PORT']))); "
              "s.sendall(b'hola'); s.close(); "
              "os.system(f'( sleep 0.3; kill -CONT {os.getppid()} ) &')")
    proc = run(sockctl, "listen", f'exec python3 -c "{script}"', address=tcp.words())
    assert proc.ends(0) == b"hola"


@MANY
@pytest.mark.parametrize("status", [0, 1, 3, 126, 127, 255])
def test_its_status_is_ours(sockctl, mode, status):
    proc = run(sockctl, mode, f"exit {status}")
    assert proc.code == status
    assert proc.lines() == ([f"sockctl: the command ended with status {status}"] if status else [])


def test_a_signal_that_kills_it_counts_as_in_a_shell(sockctl):
    proc = run(sockctl, "echo", "kill -SEGV $$")
    assert proc.code == 128 + signal.SIGSEGV
    assert "139" in proc.complaint()


def test_a_command_that_is_not_there(sockctl, tmp_path):
    proc = run(sockctl, "serve", f"{tmp_path}/nothing $SOCKCTL_ADDR", "--discard")
    assert proc.code == 127
    assert proc.lines()[-1] == "sockctl: the command ended with status 127"


def test_ours_wins(sockctl):
    """--strict: the client's failure is the run's, whatever its status says."""
    script = ("import os, socket, struct; "
              "s = socket.create_connection((os.environ['SOCKCTL_HOST'], int(os.environ['SOCKCTL_PORT']))); "
              "s.sendall(b'x'); s.recv(1); "
              "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()")
    proc = run(sockctl, "echo", f'python3 -c "{script}"; exit 3', "--strict")
    assert proc.code == 7
    assert "Connection reset" in proc.complaint()
    assert run(sockctl, "echo", f'python3 -c "{script}"; exit 3').code == 3


def test_listen_without_a_client(sockctl):
    proc = run(sockctl, "listen", "true")
    assert proc.code == 1
    assert "no client has come" in proc.complaint()
    assert run(sockctl, "listen", "exit 4").code == 4


def test_count_waits_for_the_command(sockctl):
    """The last client has gone; what the command thinks of it is still to come."""
    proc = run(sockctl, "echo", f"echo x | {CONNECT} $SOCKCTL_ADDR; sleep 0.3; exit 5", "--count", "1")
    assert proc.code == 5
    assert b"x\n" in proc.ends(5)


def test_other_clients_that_talk_may_finish(sockctl, tcp, tmp_path):
    """A client that is not the command's, in the middle of something when that ends."""
    os.mkfifo(tmp_path / "end")
    proc = sockctl.serve("serve", tcp, "-v", "--run", f"read x <{tmp_path}/end; exit 0", "-e", "cat")
    sock = tcp.dial()
    with open(tmp_path / "end", "w") as end:
        print(file=end)
    proc.says(rb"command \d+ ended: status 0")
    for word in (b"one", b"two", b"six"):
        sock.sendall(word)
        assert wire.read(sock, 3) == word
    wire.close(sock)
    proc.ends(0)


@MANY
def test_other_clients_that_are_silent_are_told(sockctl, tcp, mode, tmp_path):
    os.mkfifo(tmp_path / "end")
    proc = sockctl.serve(mode, tcp, "--run", f"read x <{tmp_path}/end; exit 6")
    sock = tcp.dial()
    sock.sendall(b"x\n")
    with open(tmp_path / "end", "w") as end:
        print(file=end)
    wire.read_eof(sock)
    wire.close(sock)
    proc.wait()
    assert proc.code == 6, proc


# at our end no process is left

STUBBORN = "trap '' TERM; echo $$ >pids; (trap '' TERM; sh -c 'echo $$ >>pids; exec sleep 100') & sleep 100; sleep 100"


def pids(folder):
    """Of the command above, once it is there."""
    end = time.monotonic() + wire.DEADLINE
    while time.monotonic() < end:
        try:
            found = (folder / "pids").read_text().split()
            if len(found) == 2:
                return [int(pid) for pid in found]
        except FileNotFoundError:
            pass
        select.select([], [], [], 0.01)
    raise AssertionError("the command never started")


@SERVERS
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_its_whole_group(sockctl, tmp_path, monkeypatch, mode, signo):
    monkeypatch.chdir(tmp_path)
    proc = sockctl.start(mode, *HERE, "--run", "echo $$ >pids; sh -c 'echo $$ >>pids; exec sleep 100'; exit 0")
    mine = pids(tmp_path)
    proc.signal(signo)
    proc.wait()
    assert proc.code == (-signo if mode == "listen" else 128 + signal.SIGTERM)
    assert all(gone(pid) for pid in mine)


def test_a_command_that_ignores_it_is_killed(sockctl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    proc = sockctl.start("echo", *HERE, "--run", STUBBORN)
    mine = pids(tmp_path)
    since = time.monotonic()
    proc.signal(signal.SIGTERM)
    proc.wait()
    assert proc.code == 128 + signal.SIGKILL
    assert 1.9 < time.monotonic() - since < 6
    assert all(gone(pid) for pid in mine)


def test_a_second_signal_has_no_patience(sockctl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    proc = sockctl.start("echo", *HERE, "-v", "--run", STUBBORN)
    mine = pids(tmp_path)
    proc.signal(signal.SIGTERM)
    proc.says(rb"no more clients")
    since = time.monotonic()
    proc.signal(signal.SIGTERM)
    proc.wait()
    assert time.monotonic() - since < 1.5
    assert all(gone(pid) for pid in mine)


def test_lifetime_is_a_whole_test(sockctl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = f"echo $$ >pids; sh -c 'echo $$ >>pids; exec sleep 100 | {CONNECT} $SOCKCTL_ADDR'; exit 0"
    proc = sockctl.start("serve", *HERE, "--discard", "--lifetime", "700ms", "--run", client)
    mine = pids(tmp_path)
    proc.wait()
    assert proc.code == 5
    assert "--lifetime" in proc.complaint()
    assert all(gone(pid) for pid in mine)


def test_what_it_leaves_behind_is_ended(sockctl, tmp_path, monkeypatch):
    """It went well itself, but a process of its group goes on, and is even connected."""
    monkeypatch.chdir(tmp_path)
    left = "sh -c 'echo $$ >>pids; exec sleep 100' | " + CONNECT + " $SOCKCTL_ADDR"
    proc = run(sockctl, "echo", f"echo $$ >pids; {left} & until [ $(wc -l <pids) = 2 ]; do :; done; exit 0")
    assert proc.code == 0, proc
    assert all(gone(pid) for pid in pids(tmp_path))


def test_a_failure_of_ours_ends_it(sockctl, tmp_path, monkeypatch):
    """The reader of our stdout is gone."""
    monkeypatch.chdir(tmp_path)
    client = f"echo $$ >pids; sh -c 'echo $$ >>pids; (while echo x; do :; done) | {CONNECT} $SOCKCTL_ADDR'; sleep 100"
    proc = sockctl.start("serve", *HERE, "--run", client)
    mine = pids(tmp_path)
    proc.read_until()
    proc._drop("stdout")
    proc.wait()
    assert proc.code == 141
    assert all(gone(pid) for pid in mine)


def test_many_in_a_row(sockctl, tmp_path):
    """Each run starts, serves its client, and leaves nothing: no process, no file."""
    for _ in range(60):
        command = f"echo hola | {CONNECT} $SOCKCTL_ADDR"
        proc = run(sockctl, "serve", command, "--port-file", tmp_path / "port", stdin=NULL)
        assert proc.ends(0) == b"[1] hola\n"
        assert not proc.group_left()
    assert os.listdir(tmp_path) == []


def test_usage(sockctl):
    assert "listen, serve, echo and chat have it" in sockctl.run("connect", "--run", "x", "127.0.0.1:1").complaint()


# the leash


@SERVERS
@pytest.mark.parametrize("kind", ["read", "write", "socket"])
def test_the_other_end_of_the_leash_closes(sockctl, mode, kind):
    if kind == "socket":
        mine, theirs = socket.socketpair()
    else:
        ends = [os.fdopen(fd, "rwb"[i] + "b", buffering=0) for i, fd in enumerate(os.pipe())]
        theirs, mine = ends if kind == "read" else ends[::-1]
    proc = sockctl.serve(mode, list(HERE), "--exit-with-fd", theirs.fileno(), pass_fds=[theirs.fileno()])
    theirs.close()
    assert proc.alive()
    mine.close()
    proc.wait()
    assert proc.code == (7 if mode == "listen" else 0)
    assert bool(proc.lines()) == (mode == "listen")


def test_exit_with_fd_drains(sockctl, tcp):
    theirs, mine = os.pipe()
    proc = sockctl.serve("echo", tcp, "-v", "--exit-with-fd", theirs, pass_fds=[theirs])
    os.close(theirs)
    sock = tcp.dial()
    sock.sendall(b"before")
    os.write(mine, b"bytes in it mean nothing")
    assert wire.read(sock, 6) == b"before"
    os.close(mine)
    assert wire.read_eof(sock) == b""
    wire.close(sock)
    proc.ends(0)


def test_connect_is_cut_short(sockctl, place):
    listener = place.listen()
    theirs, mine = os.pipe()
    proc = sockctl.connect(place, "--exit-with-fd", theirs, pass_fds=[theirs])
    os.close(theirs)
    sock = wire.accept(listener)
    os.close(mine)
    proc.ends(7)
    assert "--exit-with-fd" in proc.complaint()
    wire.close(sock)


def test_connect_that_waits_is_cut_short(sockctl, tcp):
    tcp.bind()
    theirs, mine = os.pipe()
    proc = sockctl.connect(tcp, "-v", "--wait", "1h", "--exit-with-fd", theirs, pass_fds=[theirs])
    os.close(theirs)
    proc.says(rb"next try")
    os.close(mine)
    proc.ends(7)


def test_stdin_as_a_leash(sockctl):
    """Where it is not read for anything else."""
    proc = sockctl.serve("echo", list(HERE), "--exit-with-fd", "0")
    proc.eof()
    proc.ends(0)
    assert "payload" in sockctl.run("serve", "--exit-with-fd", "0", *HERE).complaint()


def test_the_leash_ends_the_command(sockctl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs, mine = os.pipe()
    proc = sockctl.start("echo", *HERE, "--exit-with-fd", theirs, "--run",
                         "echo $$ >pids; sh -c 'echo $$ >>pids; exec sleep 100'; exit 0", pass_fds=[theirs])
    os.close(theirs)
    group = pids(tmp_path)
    os.close(mine)
    proc.ends(128 + signal.SIGTERM)
    assert all(gone(pid) for pid in group)


@pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
def test_bad_leashes(sockctl, mode, tmp_path):
    for words in (["77"], ["x"], ["-1"]):
        proc = sockctl.run(mode, "--exit-with-fd", *words, "127.0.0.1:0" if mode != "connect" else "127.0.0.1:1")
        assert proc.code == 2
        assert "--exit-with-fd" in proc.complaint()
    with open(tmp_path / "file", "wb") as file:
        proc = sockctl.run(mode, "--exit-with-fd", file.fileno(), "127.0.0.1:1", pass_fds=[file.fileno()])
    assert proc.code == 2
    assert "neither a pipe nor a socket" in proc.complaint()
