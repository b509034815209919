"""What the bench starts, and that nothing of it outlives the bench.

Every program runs in a session of its own. A `Cage` knows them all: `sweep` kills whole sessions after each run, the bench also
when it is interrupted; the kernel kills what we started ourselves when the bench is killed. Orphans of theirs come to us
(subreaper), and the last sweep finds those too. Waiting is always for a descriptor, with a limit.
"""
import ctypes
import itertools
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import time

LIMIT_S = 30  # for whatever is waited for, beyond the time it is meant to take
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "bench")
NULL = subprocess.DEVNULL
PIPE = subprocess.PIPE
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")

libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class Trouble(Exception):
    """One run gave no figure; the words say why."""


def die_with_us():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def argv_of(words, names):
    """The words of a tool with its {names} filled in; the tool itself is the one under test, or found in PATH."""
    argv = shlex.split(words.format_map(names))
    argv[0] = {"sockctl": names["sockctl"], "python": sys.executable}.get(argv[0], argv[0])
    return argv


class Proc:
    """One program. Its stderr is a pipe when we read reports from it, else a file from which the reason of a failure is told."""

    def __init__(self, argv, stdin=NULL, stdout=NULL, reports=False, pass_fds=()):
        self.argv = argv
        self.errors = None if reports else os.memfd_create("stderr")
        self.popen = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=PIPE if reports else self.errors, bufsize=0,
                                      start_new_session=True, preexec_fn=die_with_us, pass_fds=pass_fds)
        self.pid = self.popen.pid
        self.pidfd = os.pidfd_open(self.pid)
        self.buffers = {}
        self.code = self.usage = self.ended_ns = None
        self.read_chars = 0

    def __str__(self):
        return shlex.join(self.argv)[:90]

    def why(self):
        """The last thing it said on stderr."""
        if self.errors is None:
            text = self.buffers.get(self.popen.stderr.fileno(), b"") if self.popen.stderr else b""
            text += self.popen.stderr.read() or b"" if self.code is not None and self.popen.stderr else b""
        else:
            text = os.pread(self.errors, 1 << 16, 0)
        lines = text.decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def line(self, pipe, limit_s):
        """The next line of one of its pipes; Trouble when it ends or says nothing for that long."""
        fd, end = pipe.fileno(), time.monotonic() + limit_s
        buffer = self.buffers.get(fd, b"")
        while b"\n" not in buffer:
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                raise Trouble(f"said nothing for {limit_s:g} s: {self}")
            part = os.read(fd, 1 << 16)
            if not part:
                self.wait(limit_s)
                raise Trouble(f"{os.path.basename(self.argv[0])} ended{self.why()}")
            buffer += part
        line, self.buffers[fd] = buffer.split(b"\n", 1)
        return line.decode()

    def says(self, limit_s=LIMIT_S):
        return self.line(self.popen.stdout, limit_s)

    def port(self):
        """From the generator's "port N", or the bare number of a server."""
        return int(self.says().split()[-1])

    def report(self, limit_s=LIMIT_S):
        said = self.line(self.popen.stderr, limit_s)
        if not said.startswith("{"):
            raise Trouble(f"{os.path.basename(self.argv[0])}: {said}")
        return json.loads(said)

    def go(self):
        """Tells a generator that is ready to begin."""
        os.write(self.popen.stdin.fileno(), b"go\n")

    def let_go(self):
        self.popen.stdin.close()

    def wait(self, limit_s=LIMIT_S):
        """To its end: its exit code. What it used is in usage, when it ended in ended_ns."""
        if self.code is None:
            if not select.select([self.pidfd], [], [], limit_s)[0]:
                raise Trouble(f"did not end in {limit_s:g} s: {self}")
            self.ended_ns = time.monotonic_ns()
            self.reap()
        return self.code

    def reap(self):
        try:
            with open(f"/proc/{self.pid}/io") as f:
                self.read_chars = int(f.readline().split()[1])
        except OSError:
            pass
        _, status, self.usage = os.wait4(self.pid, 0)
        self.code = self.popen.returncode = os.waitstatus_to_exitcode(status)

    def cpu_s(self):
        return self.usage.ru_utime + self.usage.ru_stime

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self.code is None:
            self.reap()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                pipe.close()
        for fd in (self.errors, self.pidfd):
            if fd is not None:
                os.close(fd)


def processes():
    """(pid, ppid, session, CPU of its dead children in ns) of everything there is."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as f:
                    part = f.read().rsplit(b")", 1)[1].split()
            except OSError:
                continue
            yield int(name), int(part[1]), int(part[3]), (int(part[13]) + int(part[14])) * TICK_NS


def cpu_scan(sid):
    """The CPU of a session in ns, and its processes; None if one ended meanwhile."""
    total, pids = 0, []
    for pid, _, session, dead in processes():
        if session == sid:
            total += dead
            pids.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                        total += int(f.read().split()[0])
            except OSError:
                return 0, None
    return total, pids


def session_cpu_ns(sid):
    """What a server and all its children have used, alive or reaped: schedstat is exact where stat counts ticks. A child that
    ends goes from its own account to its parent's: the scan is repeated until none moved."""
    before = None
    for _ in range(100):
        total, pids = cpu_scan(sid)
        if pids is not None and pids == before:
            break
        before = pids
    return total


def session_memory_kib(sid):
    """Resident memory; a page that n processes share counts as 1/n in each."""
    total = 0
    for pid, _, session, _ in processes():
        if session == sid:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
            except (OSError, StopIteration):
                pass
    return total


def free_port(udp):
    """For programs that cannot choose themselves. Another process may take it: `serve` then tries another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(udp, port, path):
    """Asks the system, not the server: a server for one client would take us for it."""
    if path:
        with open("/proc/net/unix") as f:
            return any(line.split()[3:4] == ["00010000"] and line.rstrip().endswith(path) for line in f)
    with open("/proc/net/udp" if udp else "/proc/net/tcp") as f:
        next(f)
        for line in f:
            _, local, _, state = line.split()[:4]
            if not udp and state != "0A":
                return False  # those that listen stand first
            if local.endswith(f":{port:04X}"):
                return True
    return False


class Cage:
    def __init__(self, names):
        self.names = names  # what may stand in {braces} in any tool's words
        self.procs = []
        self.fds = []
        self.numbers = itertools.count()
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)

    def start(self, words, names=(), **how):
        """A program from its words, or from a list as it stands."""
        argv = words if isinstance(words, list) else argv_of(words, {**self.names, **dict(names)})
        proc = Proc(argv, **how)
        self.procs.append(proc)
        return proc

    def load(self, words, stdin=PIPE, stdout=PIPE, program=None, **more):
        """A load generator of ours, which reports on stderr."""
        argv = shlex.split(words) + [f"{name}={value}" for name, value in more.items()] + (["--", *program] if program else [])
        argv[0] = os.path.join(BUILD, argv[0])
        return self.start(argv, stdin=stdin, stdout=stdout, reports=True)

    def pipe(self, flags=0):
        fds = os.pipe2(flags | os.O_CLOEXEC)
        self.fds += fds
        return fds

    def open(self, path, flags):
        self.fds.append(os.open(path, flags | os.O_CLOEXEC, 0o600))
        return self.fds[-1]

    def close(self, *fds):
        for fd in fds:
            self.fds.remove(fd)
            os.close(fd)

    def serve(self, words, udp=False, **how):
        """A server that is ready, and its port. {ready}: it writes its port to that descriptor; {stdout}: to the first line of
        its stdout; {port}, {path}: it is told where, and the system says when it listens. {held}: its stdin stays open."""
        names = {"path": os.path.join(self.names["dir"], f"s{next(self.numbers)}"), **how.pop("names", {})}
        if "{held}" in words:
            words, how["stdin"] = words.replace("{held}", ""), self.pipe()[0]
        for last in (False, False, True):
            if "{ready}" in words:
                return self._serve_ready(words, names, how)
            if "{stdout}" in words:
                proc = self.start(words.replace("{stdout}", ""), names, **{**how, "stdout": PIPE})
                return proc, proc.port()
            port = free_port(udp)
            proc = self.start(words, {**names, "port": port}, **how)
            if self._listening(proc, udp, port, names["path"] if "{path}" in words else None):
                return proc, names["path"] if "{path}" in words else port
            if last:
                raise Trouble(f"did not listen{proc.why()}")

    def _serve_ready(self, words, names, how):
        reads, writes = self.pipe()
        proc = self.start(words, {**names, "ready": writes}, pass_fds=(writes,), **how)
        self.close(writes)
        if not select.select([reads], [], [], LIMIT_S)[0]:
            raise Trouble(f"not ready: {proc}")
        said = os.read(reads, 64)
        if not said:
            proc.wait()
            raise Trouble(f"never ready{proc.why()}")
        return proc, int(said) if said.strip().isdigit() else names["path"]

    @staticmethod
    def _listening(proc, udp, port, path):
        end = time.monotonic() + LIMIT_S
        while not listens(udp, port, path):
            if select.select([proc.pidfd], [], [], 0.002)[0] or time.monotonic() > end:
                return False
        return True

    def sweep(self):
        """The end of a run, however it came."""
        for proc in reversed(self.procs):
            proc.kill()
        self.procs.clear()
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()
        self.adopted()

    @staticmethod
    def adopted():
        """Kills and buries whatever has become our child, until nothing is left."""
        while True:
            mine = [pid for pid, ppid, _, _ in processes() if ppid == os.getpid()]
            for pid in mine:
                os.kill(pid, signal.SIGKILL)
            for pid in mine:
                os.waitpid(pid, 0)
            if not mine:
                return
