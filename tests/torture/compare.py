#!/usr/bin/env python3
"""The fault sweep from outside, over sockctl and the tools that people use today: strace fails one call of a client at a time.

    tests/torture/compare.py [--only TOOL] [--jobs N] [-v]

Each tool dials a server of ours, sends what its stdin has and writes what it gets to its stdout, 64 KiB each way. Undisturbed runs tell
which calls there are, then each of those that come after the dialing has begun fails once with each error that it may meet. What is counted:

    clean     everything arrived at both ends, exit 0
    reported  not everything did or could, and the exit status or a line on stderr says so
    lost      something did not arrive, exit 0 and not a word
    mute      the exit status says so, but no word does
    hung      nothing moves any more, although the server has sent all and ended
    crashed   ended by a signal that is none of ours

The exit status is 0 only if sockctl has none of the last four.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
SOCKCTL = os.path.abspath(os.environ.get("SOCKCTL") or TOP / "sockctl")
SIZE = 64 << 10
THERE, BACK = (hashlib.shake_128(word).digest(SIZE) for word in (b"there", b"back"))
QUIET_S = 5  # nothing has moved for so long, on any descriptor of ours: nc and ncat have no clock of their own here

TOOLS = {
    "sockctl": [SOCKCTL, "connect", "--sandbox", "off", "127.0.0.1"],
    "nc.openbsd": ["nc.openbsd", "-N", "127.0.0.1"],
    "nc.traditional": ["nc.traditional", "-q", "-1", "127.0.0.1"],
    "ncat": ["ncat", "127.0.0.1"],
    "socat": ["socat", "-", "TCP4:127.0.0.1:"],
}
READS, WRITES = ("read", "readv", "recvfrom", "recvmsg"), ("write", "writev", "sendto", "sendmsg")
MOVES, WAITS = ("splice", "sendfile"), ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait")
ERRORS = {
    **dict.fromkeys(READS, ("EIO", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "EINTR", "EAGAIN")),
    **dict.fromkeys(WRITES, ("EPIPE", "ECONNRESET", "ETIMEDOUT", "ENOSPC", "EIO", "ENOBUFS", "EINTR", "EAGAIN")),
    **dict.fromkeys(MOVES, ("EINVAL", "EIO", "ENOMEM", "ECONNRESET", "EPIPE", "ENOSPC", "EINTR", "EAGAIN")),
    **dict.fromkeys(WAITS, ("EINTR", "ENOMEM")),
    "connect": ("ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT"),
    "shutdown": ("ENOTCONN", "ENOBUFS"),
    "setsockopt": ("ENOPROTOOPT", "ENOMEM"),
    "getsockopt": ("ENOPROTOOPT", "ENOBUFS"),
}
KINDS = ("clean", "reported", "lost", "mute", "hung", "crashed")
BAD = KINDS[2:]


class Run:
    """One run of a tool under strace, our server at the other end. All in one poll."""

    def __init__(self, tool, fault, log=None):
        door = socket.create_server(("127.0.0.1", 0))
        port = str(door.getsockname()[1])
        words = [*TOOLS[tool][:-1], TOOLS[tool][-1] + port] if tool == "socat" else [*TOOLS[tool], port]
        how = ["-e", f"inject={fault}"] if fault else []
        trace = ["-e", "trace=" + ",".join(name for name in ERRORS)]
        self.proc = subprocess.Popen(["strace", "-f", "-qq", "-o", log or "/dev/null", *trace, *how, *words], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}, start_new_session=True)
        self.got, self.out, self.err = bytearray(), bytearray(), bytearray()
        self.door, self.sock = door, None
        self.hung = False
        self.pidfd = os.pidfd_open(self.proc.pid)
        try:
            self._drive()
        finally:
            self._end()

    def _drive(self):
        feed, back = memoryview(THERE), memoryview(BACK)
        ends = [self.proc.stdin, self.proc.stdout, self.proc.stderr]
        for end in ends:
            os.set_blocking(end.fileno(), False)
        reads = {self.proc.stdout.fileno(): self.out, self.proc.stderr.fileno(): self.err}
        gone, sock_ended = False, False
        while not gone or reads:
            poll = select.poll()
            for fd in reads:
                poll.register(fd, select.POLLIN)
            if not gone:
                poll.register(self.pidfd, select.POLLIN)
                if self.proc.stdin:
                    poll.register(self.proc.stdin, select.POLLOUT)
                if self.sock is None:
                    poll.register(self.door, select.POLLIN)
            if self.sock and (not sock_ended or back):
                poll.register(self.sock, (0 if sock_ended else select.POLLIN) | (select.POLLOUT if back else 0))
            happened = poll.poll(QUIET_S * 1000)
            if not happened:
                self.hung = not gone
                return
            for fd, what in happened:
                if fd in reads:
                    part = os.read(fd, 1 << 16)
                    reads[fd] += part
                    if not part:
                        del reads[fd]
                elif fd == self.pidfd:
                    self.proc.wait()
                    gone = True
                elif self.proc.stdin and fd == self.proc.stdin.fileno():
                    try:
                        feed = feed[os.write(fd, feed[:1 << 16]):]
                    except BrokenPipeError:
                        feed = feed[:0]
                    if not feed:
                        self.proc.stdin.close()
                        self.proc.stdin = None
                elif fd == self.door.fileno():
                    self.sock, _ = self.door.accept()
                    self.sock.setblocking(False)
                else:
                    back, sock_ended = self._serve(what, back, sock_ended)

    def _serve(self, what, back, ended):
        """Reads what comes to its end; sends all, and then our end."""
        try:
            if back and what & select.POLLOUT:
                back = back[self.sock.send(back[:1 << 16]):]
                if not back:
                    self.sock.shutdown(socket.SHUT_WR)
            if not ended and what & (select.POLLIN | select.POLLHUP | select.POLLERR):
                part = self.sock.recv(1 << 16)
                self.got += part
                ended = not part
        except BlockingIOError:
            pass
        except OSError:
            return back[:0], True
        return back, ended

    def _end(self):
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait()
        os.close(self.pidfd)
        for each in (self.proc.stdin, self.proc.stdout, self.proc.stderr, self.door, self.sock):
            if each:
                each.close()

    def kind(self):
        code, whole = self.proc.returncode, bytes(self.got) == THERE and bytes(self.out) == BACK
        if self.hung:
            return "hung"
        if code < 0 and code != -signal.SIGPIPE:
            return "crashed"
        if code == 0 and not self.err:
            return "clean" if whole else "lost"
        if code != 0 and not self.err and code not in (141, -signal.SIGPIPE):  # which says it, as of any program in a pipe
            return "mute"
        return "clean" if whole and code == 0 else "reported"


def calls(tool):
    """[(name, number)] of the calls since it has begun to dial, as strace counts them."""
    with tempfile.NamedTemporaryFile() as log:
        run = Run(tool, None, log.name)
        if run.kind() != "clean":
            sys.exit(f"{tool}: does not work undisturbed: {run.kind()}, exit {run.proc.returncode}, {bytes(run.err)!r}")
        counts, found, dials = collections.Counter(), [], False
        for line in pathlib.Path(log.name).read_text(errors="replace").splitlines():
            match = re.match(r"\d+\s+(\w+)\(", line)
            if not match:
                continue
            counts[match[1]] += 1
            dials |= match[1] == "connect" and "AF_INET" in line
            if dials:
                found.append((match[1], counts[match[1]]))
    return found


def work(task):
    tool, fault = task
    run = Run(tool, fault)
    return tool, fault, run.kind(), run.proc.returncode, bytes(run.err[-100:])


def main():
    options = argparse.ArgumentParser(description="The fault sweep from outside, over sockctl and its peers.")
    options.add_argument("--only", help="this tool alone")
    options.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    options.add_argument("-v", action="store_true", help="tell each bad run, not only those of sockctl")
    args = options.parse_args()
    if not shutil.which("strace"):
        sys.exit("strace is needed")
    tools = [name for name, words in TOOLS.items() if shutil.which(words[0]) and args.only in (None, name)]
    tasks = [(tool, f"{name}:error={error}:when={n}") for tool in tools for name, n in calls(tool) for error in ERRORS[name]]
    began, table = time.monotonic(), {tool: collections.Counter() for tool in tools}
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for tool, fault, kind, code, err in pool.map(work, tasks, chunksize=4):
            table[tool][kind] += 1
            if kind in BAD and (args.v or tool == "sockctl"):
                print(f"{kind}: {tool} {fault}: exit {code}, {err!r}", flush=True)
    print(f"{'':16}{'runs':>8}" + "".join(f"{kind:>10}" for kind in KINDS))
    for tool, row in table.items():
        print(f"{tool:16}{sum(row.values()):8}" + "".join(f"{row[kind]:10}" for kind in KINDS))
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if any(table.get("sockctl", {}).get(kind) for kind in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
