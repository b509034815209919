"""One fault run: the program under test, our ends of its connections, and the verdict.

Everything is driven by one poll in this process, and no time decides anything: an end that has not moved for a while is first
left by its peers, then told to end, and is called hung only if it does not. What was started is ours to the last grandchild
(PR_SET_CHILD_SUBREAPER), so that one that is left can be seen.
"""
import ctypes
import os
import resource
import select
import signal
import socket
import stat
import time

import scenes

STALL_S = float(os.environ.get("TORTURE_STALL_S", "2"))  # so long nothing at all happens before its peers give up
BUSY_MS = 50  # a program that worked, or wanted to, for longer is not stalled; one that only looks now and then is
END_S = 15  # after it was told to end
SPIN_S = float(os.environ.get("TORTURE_SPIN_S", "1.5"))  # of processor time: a hundred times of what any run here needs
CHUNK = 1 << 16
READY = 3
PR_SET_CHILD_SUBREAPER = 36

CLEAN, REPORTED, WAITED, LOST, SILENT, HUNG, LEAKED, CRASHED = "clean reported waited lost silent hung leaked crashed".split()
BAD = (LOST, SILENT, HUNG, LEAKED, CRASHED)


def adopt():
    """Orphans of what we start become our children."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def keep_low():
    """The numbers that a child is given are not to be in use here."""
    while (fd := os.open("/dev/null", os.O_RDWR)) < 12:
        pass
    os.close(fd)


class Outcome:
    def __init__(self, verdict, why="", code=None, err=b"", counts=None):
        self.verdict, self.why, self.code, self.err, self.counts = verdict, why, code, err, counts or {}


class Program:
    """A child with pipes at its descriptors 0 to 3; fed, read and waited for by turns of the poll."""

    def __init__(self, argv, env, stdin, folder):
        self.feed = bytearray(stdin or b"")
        self.out, self.err, self.said = bytearray(), bytearray(), bytearray()
        self.stdin = self.stdout = self.stderr = self.ready = -1
        self.code = self.usage = None
        theirs = []
        actions = []

        def pipe(number, reads):
            ends = os.pipe()
            theirs.append(ends[reads])
            actions.append((os.POSIX_SPAWN_DUP2, ends[reads], number))
            os.set_blocking(ends[1 - reads], False)
            return ends[1 - reads]

        if stdin is None:
            actions.append((os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0))
        else:
            self.stdin = pipe(0, 0)
        self.stdout, self.stderr, self.ready = pipe(1, 1), pipe(2, 1), pipe(READY, 1)
        self.pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
        for fd in theirs:
            os.close(fd)
        self.pidfd = os.pidfd_open(self.pid)

    def register(self, poll, where):
        for fd, mask in ((self.stdin, select.POLLOUT if self.feed else 0), (self.stdout, select.POLLIN), (self.stderr, select.POLLIN),
                         (self.ready, select.POLLIN), (self.pidfd, select.POLLIN)):
            if fd >= 0:
                poll.register(fd, mask)
                where[fd] = self

    def _drop(self, name):
        fd = getattr(self, name)
        if fd >= 0:
            os.close(fd)
            setattr(self, name, -1)

    def happened(self, fd):
        if fd == self.pidfd:
            _, status, self.usage = os.wait4(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
            self._drop("pidfd")
            self._drop("stdin")
        elif fd == self.stdin:
            self.write()
        else:
            name, into = {self.stdout: ("stdout", self.out), self.stderr: ("stderr", self.err), self.ready: ("ready", self.said)}[fd]
            part = os.read(fd, CHUNK)
            into += part
            if not part:
                self._drop(name)

    def write(self):
        try:
            if self.feed:
                with memoryview(self.feed)[:CHUNK] as part:
                    sent = os.write(self.stdin, part)
                del self.feed[:sent]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.feed.clear()
        if not self.feed:
            self._drop("stdin")

    def over(self):
        return self.code is not None and self.stdout < 0 and self.stderr < 0

    def signal(self, signo):
        if self.pidfd >= 0:
            os.kill(self.pid, signo)

    def close(self):
        """Whatever is still there of it."""
        if self.pidfd >= 0:
            os.kill(self.pid, signal.SIGKILL)
            os.wait4(self.pid, 0)
        for name in ("stdin", "stdout", "stderr", "ready", "pidfd"):
            self._drop(name)


def left_behind():
    """Children of the program that outlive it: how many, after a moment to die in. They are ended."""
    end = time.monotonic() + 1
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == 0:
            if time.monotonic() > end:
                break
            select.poll().poll(5)
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        pids = [int(word) for word in file.read().split()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(pids)


def counts_of(path):
    """The report of the seam (sys.c)."""
    try:
        with open(path) as file:
            return {word: int(n) for word, n in (line.split() for line in file)}
    except OSError:
        return {}


def spent(pid):
    """Milliseconds that it has run, or wanted to: on a busy machine the second is the longer."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            runs, waits, _ = file.read().split()
        return int(runs) // 1_000_000, int(waits) // 1_000_000
    except OSError:
        return 0, 0


def run(binary, scene, fault, folder, extra_env=None, prefix=(), stall_s=STALL_S):
    """One run of the scene under this fault: its outcome."""
    report = f"{folder}/report"
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    everywhere = bool(fault) and ":" not in fault
    plan = scene.plan(folder, scenes.SMALL if everywhere else scenes.SIZE)
    counts = {name: os.environ[name] for name in ("LLVM_PROFILE_FILE",) if name in os.environ}  # make coverage
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **counts, **(extra_env or {})}
    if fault is not None:
        env["SOCKCTL_SEAM"] = ",".join(filter(None, (f"report={report}", fault)))
    program = Program([*prefix, binary, *plan.words], env, plan.stdin, folder)
    if not prefix:
        program.write()
    everybody = list(plan.doors)
    waited, told_s, killed, worked = False, None, False, (0, 0)
    try:
        while True:
            if program.said.endswith(b"\n") and plan.dial:
                everybody += plan.dial(int(program.said) if program.said.strip().isdigit() else 0)
                plan.dial = None
            live = [each for each in everybody if not each.over]
            if program.over() and not live:
                break
            if program.code is not None and plan.dgram:
                for each in live:
                    each.over = True
                live = []
                if program.over():
                    break
            if plan.term and told_s is None and plan.dial is None and not live and program.code is None:
                program.signal(signal.SIGTERM)
                told_s = time.monotonic()
            wake_s = None
            for act in () if waited else plan.acts:
                wake_s = act(program) or wake_s
            if plan.told and told_s is None:
                told_s = time.monotonic()
            poll, where = select.poll(), {}
            program.register(poll, where)
            for each in live:
                poll.register(each.sock, each.wants())
                where[each.sock.fileno()] = each
            # A server whose clients have all gone may rightly wait for others: a handshake that failed does not count.
            left_alone = plan.serves and not plan.dial and not live
            patience_s = stall_s / 8 if left_alone else stall_s
            events = poll.poll((patience_s if wake_s is None else max(0, min(patience_s, wake_s - time.monotonic()))) * 1000)
            if not events and wake_s is not None and time.monotonic() >= wake_s:
                continue
            if not events and told_s is None and program.code is None:
                before, worked = worked, spent(program.pid)
                if sum(worked) - sum(before) > BUSY_MS and worked[0] < 1000 * END_S:
                    continue
            if not events or (told_s is not None and time.monotonic() - told_s > END_S):
                if program.code is not None:  # our ends wait for one that is gone: its system tells them, or nothing does
                    for each in live:
                        each.over = True
                    if program.over():
                        break
                    return Outcome(LEAKED, "its stdout or stderr is held open by a process", program.code, bytes(program.err))
                if told_s is None:
                    waited, told_s = True, time.monotonic()
                    program.signal(signal.SIGTERM)
                elif time.monotonic() - told_s > END_S:
                    killed = True
                    break
            for fd, what in events:
                if where[fd] is program:
                    program.happened(fd)
                else:
                    everybody += where[fd].turn(what)
    finally:
        program.close()
        for each in everybody:
            each.close()
    children = left_behind()
    sockets = [name for name in os.listdir(folder) if stat.S_ISSOCK(os.lstat(f"{folder}/{name}").st_mode) and name not in plan.ours]
    counts = counts_of(report)
    return judge(fault or "", plan, program, waited, killed, children, sockets, counts)


def judge(fault, plan, program, waited, killed, children, sockets, counts):
    code, err = program.code, bytes(program.err)
    # Lines of a room that got lost are told as they are, and are no failure of the run.
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line and not plan.expected_line(line)]

    honest = [each for each in plan.parties if not each.loose]

    def says(verdict, why=""):
        return Outcome(verdict, why, code, err, counts)

    if killed:
        return says(HUNG, f"told to end, it goes on after {END_S} s")
    if code < 0 and not (waited and -code in (signal.SIGTERM,)):
        return says(CRASHED, f"signal {-code}")
    if (code == 70 and ":EBADF" not in fault) or b"Sanitizer" in err or b"runtime error" in err:
        return says(CRASHED, "a bug that it knows of" if code == 70 else "sanitizer")
    if children or sockets or counts.get("left"):
        return says(LEAKED, f"{children} children, sockets {sockets}, {counts.get('left', 0)} descriptors")
    spent = program.usage.ru_utime + program.usage.ru_stime
    if spent > SPIN_S:
        return says(HUNG, f"spins: {spent:.2f} s of processor time")
    good = code == plan.code and not waited and plan.began() and not (plan.fails and fault)
    # A program that reads no more, as head(1) does, is no failure of ours: what it gives back ends early then.
    deaf = plan.scene.service == "exec" and fault.startswith("write:") and fault.endswith(":EPIPE")
    # A datagram is what one read of stdin, or of a program, gave: the first, of a few bytes, may bring all the replies that end it.
    early = plan.dgram and plan.scene.service in ("stdio", "exec") and "short" in fault
    for flow in plan.flows:
        wrong = flow.wrong(program, good and not deaf and not early)
        if wrong:
            return says(LOST, wrong)
    if good and not waited:
        for each in honest:
            # An end of TLS that has ended and got all may miss our goodbye, which is sent last of all, when no end can be told any more.
            if each.cut and not plan.rude and not (fault.startswith("write:") and each.said):
                return says(LOST, f"exit 0, but {each.name} was cut off")
    if waited:
        if plan.serves and (code > 0 and len(lines) == 1 or code < 0 and honest and all(each.cut or not each.sock for each in honest)):
            return says(REPORTED)  # a server that goes on; the client itself was cut off, which tells it
        return says(WAITED, f"ended only when it was told to, exit {code}, {lines}")
    if code == plan.code == 0 and not waited:
        return says(SILENT, f"exit 0 with {lines}") if lines and not plan.warns(lines) else says(CLEAN)
    lines = [line for line in lines if not plan.warns([line])]
    if len(lines) != 1:
        return says(SILENT, f"exit {code} with {len(lines)} lines: {lines}")
    if not lines[0].startswith("sockctl: "):
        return says(SILENT, f"not one of its lines: {lines}")
    return says(CLEAN if good else REPORTED)
