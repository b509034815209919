"""The sandbox: what an intruder would try is refused in every mode, what options need goes on working, and root's way back is
closed. The attempts are made by the seam build itself, once it is sealed (SOCKCTL_ESCAPE)."""
import ctypes
import errno
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import subprocess

import pytest

import wire
from program import TOP

SEAM = os.environ.get("SOCKCTL_SEAM_BIN", str(TOP / "build" / "seam" / "sockctl"))
SERVERS = ("listen", "serve", "echo", "chat")
REFUSED = ("open", "create", "unlink", "socket", "socketpair", "fork", "mprotect", "mmap", "kill", "type", "owner")
EPERM = {os.strerror(errno.EPERM)}
MMAP = EPERM | {"Out of memory"}  # which is what musl's mmap makes of it
KILLED = ("exec", "ptrace", "memory", "chroot")
ROOT = os.geteuid() == 0
STRICT = ["--sandbox", "strict"]
asked = pytest.mark.parametrize("asked", ([], STRICT), ids=("default", "strict"))


def sandbox_of(program):
    """The event that says what is in force here."""
    run = subprocess.run([program, "connect", "--sandbox", "auto", "--probe", "--json", "127.0.0.1", "1"], capture_output=True)
    found = [json.loads(line) for line in run.stderr.splitlines() if b'"sandbox"' in line]
    return found[0] if found else {}


@pytest.fixture(scope="module", autouse=True)
def whole():
    """Where the system or the build has no sandbox there is nothing to see."""
    if sandbox_of(SEAM).get("state") != "on":
        pytest.skip(f"no whole sandbox here: {sandbox_of(SEAM)}")


def attempt(sockctl, tmp_path, mode, name, *words, asked=STRICT):
    """The seam build in that mode tries to get out once it is sealed; what it says of it, or the signal it died of."""
    (tmp_path / "precious").write_text("mine")
    return sockctl.program([SEAM, mode, *asked, *words], env={"SOCKCTL_ESCAPE": name},
                           before_exec=lambda: os.chdir(tmp_path))


def verdict(proc):
    """errno's words, or the number of the signal."""
    end = re.compile(rb"escape by \w+: ([^\n]+)\n")
    proc._until(lambda: end.search(proc.err) or proc.code is not None, out=False)
    found = end.search(bytes(proc.err))
    return found[1].decode() if found else proc.code


def words_of(mode, tcp):
    if mode != "connect":
        return ["127.0.0.1", "0"]
    tcp.listen()
    return tcp.words()


@asked
@pytest.mark.parametrize("mode", ("connect", *SERVERS))
@pytest.mark.parametrize("name", REFUSED)
def test_refused(sockctl, tcp, tmp_path, mode, name, asked):
    proc = attempt(sockctl, tmp_path, mode, name, *words_of(mode, tcp), asked=asked)
    assert verdict(proc) in (MMAP if name == "mmap" else EPERM), proc
    assert (tmp_path / "precious").exists() and not (tmp_path / "escaped").exists()


@asked
@pytest.mark.parametrize("mode", ("connect", *SERVERS))
@pytest.mark.parametrize("name", KILLED)
def test_killed(sockctl, tcp, tmp_path, mode, name, asked):
    """What no library does by itself ends the process at once."""
    proc = attempt(sockctl, tmp_path, mode, name, *words_of(mode, tcp), asked=asked)
    assert verdict(proc) == -signal.SIGSYS, proc


def test_newer_calls(sockctl, tcp, tmp_path):
    """What the table does not know is not there, as on an older kernel."""
    assert verdict(attempt(sockctl, tmp_path, "echo", "newest", *words_of("echo", tcp))) == os.strerror(errno.ENOSYS)


def test_off(sockctl, tcp, tmp_path):
    """The attempts do succeed without it."""
    for name in ("open", "socket", "fork", "mprotect"):
        proc = sockctl.program([SEAM, "echo", "--sandbox", "off", "127.0.0.1", "0"], env={"SOCKCTL_ESCAPE": name})
        assert verdict(proc) == "done", proc


def test_what_is_left(sockctl, tcp, tmp_path):
    """Options that need something later keep just that."""
    inside = tmp_path / "in"
    inside.mkdir()
    each = ["--transcript", str(inside / "%c.txt")]
    assert verdict(attempt(sockctl, tmp_path, "echo", "create", *each, *words_of("echo", tcp))) == os.strerror(errno.EACCES)
    assert verdict(attempt(sockctl, tmp_path, "echo", "open", *each, *words_of("echo", tcp))) == os.strerror(errno.EACCES)
    assert verdict(attempt(sockctl, tmp_path, "echo", "socket", *each, *words_of("echo", tcp))) == os.strerror(errno.EPERM)
    (inside / "page").write_text("x")
    file = ["--file", str(inside / "page")]
    assert verdict(attempt(sockctl, tmp_path, "serve", "open", *file, *words_of("serve", tcp))) == os.strerror(errno.EACCES)
    assert verdict(attempt(sockctl, tmp_path, "serve", "create", *file, *words_of("serve", tcp))) == os.strerror(errno.EPERM)
    to = ["--forward", "127.0.0.1:1"]
    assert verdict(attempt(sockctl, tmp_path, "serve", "socket", *to, *words_of("serve", tcp))) == "done"
    assert verdict(attempt(sockctl, tmp_path, "serve", "open", *to, *words_of("serve", tcp))) == os.strerror(errno.EPERM)
    assert verdict(attempt(sockctl, tmp_path, "serve", "exec", *to, *words_of("serve", tcp))) == -signal.SIGSYS
    run = ["--run", "cat"]
    assert verdict(attempt(sockctl, tmp_path, "serve", "fork", *run, *words_of("serve", tcp))) == os.strerror(errno.EPERM)


@pytest.mark.parametrize("words, why", (
    (["serve", "-e", "cat"], "programs are started"),
    (["serve", "127.0.0.1:0", "--", "cat"], "programs are started"),
    (["serve", "--forward", "localhost:1"], "names are asked for with each connection"),
    (["connect", "--reconnect", "localhost", "1"], "names are asked for with each connection"),
))
def test_strict_refuses(sockctl, words, why):
    where = [] if "127.0.0.1:0" in words or words[0] == "connect" else ["127.0.0.1", "0"]
    run = sockctl.run(words[0], "--sandbox", "strict", *words[1:], *where)
    assert run.code == 2 and run.complaint() == f"sockctl: --sandbox strict: {why}"


def test_it_is_said(sockctl, tcp):
    """-v and the event tell what is in force, and what is not."""
    for words in ([], ["--sandbox", "auto"]):
        proc = sockctl.serve("echo", tcp, "-v", *words)
        proc.says(rb"sandbox: calls are filtered, files are restricted\n")
        tcp.port = 0
    proc = sockctl.serve("echo", tcp, "-v", "--sandbox", "off")
    proc.says(rb"no sandbox: --sandbox off\n")
    tcp.port = 0
    proc = sockctl.serve("serve", tcp, "-v", "--sandbox", "auto", "-e", "cat")
    proc.says(rb"no sandbox: programs are started\n")
    tcp.port = 0
    proc = sockctl.serve("serve", tcp, "-v", "--sandbox", "auto", "--forward", "127.0.0.1:1")
    proc.says(rb"sandbox: calls are filtered, files are restricted; left: connections\n")
    assert sandbox_of(SEAM)["seccomp"] is True and sandbox_of(SEAM)["landlock"] >= 1


@pytest.mark.whole("a transcript shows each read")
def test_files_of_each_connection(sockctl, tcp, tmp_path):
    """A file for each client is made while the sandbox is shut, and one that was replaced is read anew."""
    page = tmp_path / "page"
    page.write_bytes(b"old")
    proc = sockctl.serve("serve", tcp, "--sandbox", "strict", "--file", page, "--transcript", tmp_path / "%c.txt")
    for text in (b"old", b"new"):
        other = tmp_path / "other"
        other.write_bytes(text)
        other.replace(page)
        sock = tcp.dial()
        sock.shutdown(wire.socket.SHUT_WR)
        assert wire.read_eof(sock) == text
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert b"old" in (tmp_path / "1.txt").read_bytes() and b"new" in (tmp_path / "2.txt").read_bytes()


# --- older kernels ---

NUMBERS = {"seccomp": {"x86_64": 317, "aarch64": 277}.get(os.uname().machine), "Landlock": 444}


def kernel_without(part):
    """For before_exec: a filter that makes the system one that does not know the call."""
    class Instruction(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]

    class Filter(ctypes.Structure):
        _fields_ = [("n", ctypes.c_uint16), ("code", ctypes.POINTER(Instruction))]

    code = (Instruction * 4)((0x20, 0, 0, 0), (0x15, 0, 1, NUMBERS[part]), (0x06, 0, 0, 0x50000 | errno.ENOSYS),
                             (0x06, 0, 0, 0x7fff0000))
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def install():
        assert prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        assert prctl(22, 2, ctypes.byref(Filter(4, code)), 0, 0) == 0  # PR_SET_SECCOMP

    return install


@pytest.mark.parametrize("part, left, lacks", (
    ("Landlock", "calls are filtered, files are not", "this system cannot restrict files (Landlock)"),
    ("seccomp", "files are restricted", "this system cannot filter calls (seccomp)"),
))
def test_an_older_kernel(sockctl, tcp, tmp_path, part, left, lacks):
    """By default what can be had is; strict does without nothing, and no root gets a root folder to climb out of."""
    older = kernel_without(part)
    proc = sockctl.serve("echo", tcp, "-v", "--sandbox", "auto", before_exec=older)
    proc.says(rf"sandbox: {left}\n".encode())
    sock = tcp.dial()
    sock.sendall(b"all the same")
    assert wire.read(sock, 12) == b"all the same"
    run = sockctl.run("echo", "--sandbox", "strict", "127.0.0.1", "0", before_exec=older)
    assert run.code == 2 and run.complaint() == f"sockctl: --sandbox strict: {lacks}"
    if ROOT:
        run = sockctl.run("echo", "--sandbox", "auto", "--chroot", tmp_path, "127.0.0.1", "0", before_exec=older)
        assert run.code == 2 and f"({lacks}) the process could leave it" in run.complaint()


@pytest.mark.parametrize("mode", SERVERS)
def test_nothing_is_opened_once_it_is_ready(sockctl, mode):
    """A count of descriptors from then on sees those of peers: a full pipe holds the run up while it tells its port."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writes, bytes(4096))
    try:
        proc = sockctl.start(mode, "-v", "--ready-fd", writes, "127.0.0.1", "0", pass_fds=(writes,))
        proc.says(rb"listening|http|127\.0\.0\.1")
        before = descriptors_of(proc)
        assert len(os.read(reads, 4096)) == 4096
        proc.says(rb"sandbox: ")
        assert descriptors_of(proc) == {n: what for n, what in before.items() if n != str(writes)}
    finally:
        os.close(reads)
        os.close(writes)


def descriptors_of(proc):
    return {n: os.readlink(f"/proc/{proc.pid}/fd/{n}") for n in os.listdir(f"/proc/{proc.pid}/fd")}


def test_own_files_go(sockctl, tmp_path):
    """The socket and the port file are removed from within, also when their folder was renamed meanwhile."""
    folder = tmp_path / "f"
    folder.mkdir()
    proc = sockctl.start("echo", "--sandbox", "strict", "-v", "--port-file", folder / "port", "-U", folder / "s")
    proc.says(rb"sandbox: ")
    assert sorted(os.listdir(folder)) == ["port", "s"]
    folder.rename(tmp_path / "g")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert os.listdir(tmp_path / "g") == []


def test_a_file_of_another_user_stays(sockctl, tmp_path):
    proc = sockctl.start("echo", "-v", "--port-file", tmp_path / "port", "127.0.0.1", "0")
    proc.says(rb"sandbox: ")
    (tmp_path / "other").write_text("theirs")  # made while ours is there, so that it is another inode
    (tmp_path / "other").replace(tmp_path / "port")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert (tmp_path / "port").read_text() == "theirs"


# --- root's rights ---

needs_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")


def status(pid):
    return dict(line.rstrip("\n").split(":\t", 1) for line in open(f"/proc/{pid}/status") if ":\t" in line)


@needs_root
@pytest.mark.parametrize("how", ("strict", "off"))
def test_user(sockctl, tcp, how):
    """Another user with that user's groups, no capability left, and the socket still serves."""
    nobody = pwd.getpwnam("nobody")
    proc = sockctl.serve("echo", tcp, "--user", "nobody", "--sandbox", how, "-v")
    proc.says(rb"sandbox: |no sandbox")
    now = status(proc.pid)
    assert set(now["Uid"].split()) == {str(nobody.pw_uid)} and set(now["Gid"].split()) == {str(nobody.pw_gid)}
    assert set(now["Groups"].split()) <= {str(g) for g in os.getgrouplist("nobody", nobody.pw_gid)}
    assert int(now["CapEff"], 16) == 0 and int(now["CapPrm"], 16) == 0
    sock = tcp.dial()
    sock.sendall(b"still here")
    assert wire.read(sock, 10) == b"still here"


@needs_root
def test_user_of_the_command(sockctl, tcp):
    """The command runs as that user, too."""
    proc = sockctl.start("serve", "--user", "nobody", "--run", "id -un >&2", "127.0.0.1", "0")
    proc.wait()
    assert proc.code == 0 and b"nobody\n" in proc.err


@needs_root
def test_chroot(sockctl, tmp_path):
    """Nothing is to be seen outside, and there is no way out again: not by the user's rights, not by what is open."""
    outside = os.stat("/")
    proc = sockctl.start("echo", "--chroot", tmp_path, "--user", "nobody", "--sandbox", "strict", "-v", "127.0.0.1", "0")
    proc.says(rb"sandbox: ")
    inside = os.stat(f"/proc/{proc.pid}/root")
    assert (inside.st_dev, inside.st_ino) == (tmp_path.stat().st_dev, tmp_path.stat().st_ino)
    assert (inside.st_dev, inside.st_ino) != (outside.st_dev, outside.st_ino)
    assert os.readlink(f"/proc/{proc.pid}/cwd") == str(tmp_path)
    folders = [fd for fd in os.listdir(f"/proc/{proc.pid}/fd") if os.path.isdir(f"/proc/{proc.pid}/fd/{fd}")]
    assert folders == []
    assert "/dev/null" in descriptors_of(proc).values()  # which is not found in there


@needs_root
@pytest.mark.parametrize("words, why", (
    (["--user", "no-such-user"], "no such user"),
    (["--chroot", "/no/such/folder"], "No such file"),
    (["--chroot", "/tmp", "--sandbox", "off"], "--sandbox off"),
    (["--chroot", "/tmp", "--user", "nobody", "--sandbox", "off", "--port-file", "/tmp/sockctl-never"], "--sandbox off"),
    (["--chroot", "/tmp", "--transcript", "/tmp/%c"], "by name later"),
))
def test_refused_to_root(sockctl, words, why):
    run = sockctl.run("echo", *words, "127.0.0.1", "0")
    assert run.code == 2 and why in run.complaint()


@needs_root
def test_not_for_others(sockctl, tmp_path):
    """A user that is not root is told so before anything is opened."""
    program = tmp_path / "sockctl"
    shutil.copy(sockctl.binary, program)
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    nobody = pwd.getpwnam("nobody")

    def become():
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    proc = sockctl.program([program, "echo", "--user", "nobody", "127.0.0.1", "0"], before_exec=become)
    assert proc.wait() == 2 and "only root" in proc.complaint()
