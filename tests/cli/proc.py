"""One running program with its three descriptors, waited for through poll and a pidfd: no sleeps, no guessed moments.

What is to be written (`feed`) goes out whenever anything is waited for, and stderr is always collected, so neither can
stop the program behind our back; stdout is read only by the calls that say so, since leaving it full is a test of its own.
"""
import os
import re
import resource
import select
import signal
import subprocess
import time

from wire import DEADLINE, until

PIPE = subprocess.PIPE
NULL = subprocess.DEVNULL
SANITIZER = re.compile(rb"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:")


class Proc:
    def __init__(self, argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=None, closed=(), ignored=(), nofile=None, pass_fds=(),
                 before_exec=None, session=True):
        """stdin may be bytes: they are fed, then the pipe is closed. closed: descriptors the program finds closed at its start;
        ignored: signals it finds ignored; nofile: its (soft, hard) limit of descriptors."""
        self.argv = [os.fspath(a) for a in map(str, argv)]
        self.feed = bytearray()
        self.ending = isinstance(stdin, (bytes, bytearray))
        if self.ending:
            self.feed += stdin
            stdin = PIPE
        self.buf = bytearray()
        self.err = bytearray()
        self.code = None
        self.empty = False  # its group has ended, and its number may be another's by now

        def child():
            for signo in ignored:
                signal.signal(signo, signal.SIG_IGN)
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
            if before_exec:
                before_exec()
            for fd in closed:
                os.close(fd)

        environ = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "NOTIFY_", "PYTEST_"))}
        environ.update(LC_ALL="C.UTF-8", **(env or {}))
        self.popen = subprocess.Popen(self.argv, bufsize=0, stdin=stdin, stdout=stdout, stderr=stderr, env=environ,
                                      pass_fds=pass_fds, start_new_session=session,
                                      preexec_fn=child if ignored or nofile or before_exec or closed else None)  # vfork is quicker
        self.pid = self.popen.pid
        self.stdin, self.stdout, self.stderr = self.popen.stdin, self.popen.stdout, self.popen.stderr
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe:
                os.set_blocking(pipe.fileno(), False)  # our end only; the program's is another description
        self.pidfd = os.pidfd_open(self.pid)
        self._start_feeding()

    def __repr__(self):
        return f"<{' '.join(self.argv)}: code {self.code}, stderr {bytes(self.err[-600:])!r}>"

    # waiting

    def _drop(self, name):
        pipe = getattr(self, name)
        if pipe:
            pipe.close()
            setattr(self, name, None)

    def _turn(self, end, out):
        """One wait: moves what can be moved, notices the end of the program."""
        poll = select.poll()
        if self.ending and not self.feed:
            self._drop("stdin")
        if self.stdin and self.feed:
            poll.register(self.stdin, select.POLLOUT)
        if self.stdout and out:
            poll.register(self.stdout, select.POLLIN)
        if self.stderr:
            poll.register(self.stderr, select.POLLIN)
        if self.pidfd is not None:
            poll.register(self.pidfd, select.POLLIN)
        left = end - time.monotonic()
        happened = poll.poll(max(0, left * 1000))
        assert happened, f"nothing happened for {DEADLINE:g} s: {self}"
        for fd, _ in happened:
            if fd == self.pidfd:
                self.code = self.popen.wait()
                os.close(self.pidfd)
                self.pidfd = None
                self.group_left()
            elif self.stdin and fd == self.stdin.fileno():
                self._write()
            elif self.stdout and fd == self.stdout.fileno():
                self._take("stdout", self.buf)
            else:
                self._take("stderr", self.err)

    def _start_feeding(self):
        """What a pipe holds goes in at once, also when the test then waits for something else."""
        try:
            if self.stdin and self.feed:
                self._write()
        except BlockingIOError:
            pass
        if self.ending and not self.feed:
            self._drop("stdin")

    def _write(self):
        try:
            with memoryview(self.feed)[: 1 << 18] as part:
                sent = os.write(self.stdin.fileno(), part)
            del self.feed[:sent]
        except BrokenPipeError:  # the program reads no more: its exit code will say why
            self.feed.clear()
            self._drop("stdin")

    def _take(self, name, into):
        part = os.read(getattr(self, name).fileno(), 1 << 20)
        if part:
            into += part
        else:
            self._drop(name)

    def _until(self, done, out=True):
        end = time.monotonic() + DEADLINE
        while not done():
            self._turn(end, out)

    # stdin

    def send(self, data):
        """Into the program's stdin, until its pipe has taken all."""
        self.feed += data
        self._until(lambda: not self.feed, out=False)
        assert self.stdin, f"stdin is gone: {self}"

    def eof(self):
        self.ending = True
        self._start_feeding()

    # stdout and stderr

    def read(self, size):
        self._until(lambda: len(self.buf) >= size or not self.stdout)
        assert len(self.buf) >= size, f"only {bytes(self.buf)!r} came: {self}"
        got = bytes(self.buf[:size])
        del self.buf[:size]
        return got

    def read_until(self, end=b"\n"):
        self._until(lambda: end in self.buf or not self.stdout)
        assert end in self.buf, f"{end!r} did not come, but {bytes(self.buf)!r}: {self}"
        return self.read(self.buf.index(end) + len(end))

    def read_eof(self):
        """What is left of stdout up to its end; the program may go on."""
        self._until(lambda: not self.stdout)
        got = bytes(self.buf)
        self.buf.clear()
        return got

    def says(self, words):
        """Waits until stderr has a line with these words (a regular expression); returns the match."""
        words = re.compile(words)
        self._until(lambda: words.search(self.err) or not self.stderr, out=False)
        found = words.search(bytes(self.err))
        assert found, f"stderr never said {words.pattern!r}: {self}"
        return found

    # the end

    def signal(self, signo):
        os.kill(self.pid, signo)

    def alive(self):
        return self.pidfd is not None and not select.select([self.pidfd], [], [], 0)[0]

    def stopped(self):
        """By a signal, and not by a tracer."""
        with open(f"/proc/{self.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"

    def wait(self):
        """To the end of the program, reading what it says; stdin stays as it is. Returns the exit code (-n: signal n)."""
        self._until(lambda: self.code is not None and not self.stdout and not self.stderr)
        self._drop("stdin")
        self.feed.clear()
        return self.code

    def ends(self, code=0):
        """The program's end with this code; returns what was left on its stdout."""
        self.wait()
        assert self.code == code, f"expected exit code {code}: {self}"
        return self.read_eof()

    def finish(self, code=0):
        """Closes stdin when all is written, then as ends()."""
        self.eof()
        return self.ends(code)

    def lines(self):
        """Lines on stderr, but for the report of port 0."""
        text = self.err.decode("utf-8", "replace")
        return [line for line in text.splitlines() if not re.search(r"\blistening on ", line)]

    def complaint(self):
        """The one line that a failure prints."""
        lines = self.lines()
        assert len(lines) == 1, f"expected exactly one line on stderr: {self}"
        assert lines[0].startswith("sockctl: "), lines[0]
        return lines[0]

    def listens_at(self):
        """The TCP port that some program has chosen for itself."""

        def ask():
            inodes = set()
            for number in os.listdir(f"/proc/{self.pid}/fd"):
                try:
                    found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{self.pid}/fd/{number}"))
                except FileNotFoundError:
                    continue
                if found:
                    inodes.add(found[1])
            for family in ("tcp", "tcp6"):
                for line in open(f"/proc/{self.pid}/net/{family}").readlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and fields[9] in inodes:
                        return int(fields[1].rpartition(":")[2], 16)
            assert self.alive(), self
            return 0

        return until(ask, "a listening socket")

    def kill(self):
        """For what a failed test leaves behind: the whole group, which is ours alone."""
        try:
            if self.group_left():
                os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self.pidfd is not None:
            self.code = self.popen.wait()
            os.close(self.pidfd)
            self.pidfd = None
        for name in ("stdin", "stdout", "stderr"):
            self._drop(name)

    def group_left(self):
        """Has a child outlived the program?"""
        if not self.empty:
            try:
                os.killpg(self.pid, 0)
            except (ProcessLookupError, PermissionError):
                self.empty = True
        return not self.empty
