#!/usr/bin/env python3
"""The fault sweep from outside, over sockctl and the tools that people use today: strace fails one call at a time.

    tests/torture/compare.py [--only TOOL] [--scene SCENE] [--quick] [--jobs N] [-v]

The scenes, 64 KiB each way or each client:

    dial    a client: its stdin to our server, and what that sends to its stdout
    mute    a receiver of one client that listens; when half has come a second client connects, and says nothing
    many    a server that prints what two clients send at once
    echo    a server that sends two clients at once what they sent
    term    a server that prints; SIGTERM when half has come, and the client sends the rest after it
    killed  a client, with SIGTERM when our server has half of its stdin; the rest of stdin comes after it

Undisturbed runs tell which calls there are, then each of those that come after the dialing or listening has begun fails once (once in each
process of a tool that forks) with each error that it may meet. What is counted:

    clean     everything arrived at both ends, exit 0
    reported  not everything did or could, and the exit status, a line on stderr or, of a server, a reset says so
    lost      something did not arrive, exit 0 and not a word
    mute      the exit status says so, but no word does
    hung      nothing moves any more, although our ends have sent all and ended
    crashed   ended by a signal that is none of ours

A server of many that does not end by itself gets SIGTERM when its clients have gone; an end by that is its exit 0.
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
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
SOCKCTL = os.path.abspath(os.environ.get("SOCKCTL") or TOP / "sockctl")
SIZE = 64 << 10
THERE, BACK = (hashlib.shake_128(word).digest(SIZE) for word in (b"there", b"back"))
HALF = SIZE // 2
# Lines of two clients that can be told from each other in what a server prints.
LINES = [b"".join(bytes(first + byte % 16 for byte in THERE[at:at + 63]) + b"\n" for at in range(0, SIZE, 64)) for first in b"aA"]
QUIET_S = 5  # nothing has moved for so long, on any descriptor of ours: nc and ncat have no clock of their own here

SERVER = ["127.0.0.1:0", "--ready-fd", "{fd}", "--sandbox", "off"]
PRINTS = [SOCKCTL, "serve", *SERVER, "--recv-only", "--label", "none"]
CLIENTS = {
    "sockctl": [SOCKCTL, "connect", "--sandbox", "off", "127.0.0.1", "{port}"],
    "nc.openbsd": ["nc.openbsd", "-N", "127.0.0.1", "{port}"],
    "nc.traditional": ["nc.traditional", "-q", "-1", "127.0.0.1", "{port}"],
    "ncat": ["ncat", "127.0.0.1", "{port}"],
    "socat": ["socat", "-", "TCP4:127.0.0.1:{port}"],
}
TOOLS = {
    "dial": CLIENTS,
    "mute": {
        "sockctl": [SOCKCTL, "listen", *SERVER],
        "nc.openbsd": ["nc.openbsd", "-N", "-l", "127.0.0.1", "{port}"],
        "nc.traditional": ["nc.traditional", "-q", "-1", "-l", "-s", "127.0.0.1", "-p", "{port}"],
        "ncat": ["ncat", "-l", "127.0.0.1", "{port}"],
        "socat": ["socat", "-", "TCP4-LISTEN:{port},bind=127.0.0.1"],
    },
    "many": {
        "sockctl": [*PRINTS, "--count", "2"],
        "ncat": ["ncat", "-l", "-k", "--recv-only", "127.0.0.1", "{port}"],
        "socat": ["socat", "-u", "TCP4-LISTEN:{port},bind=127.0.0.1,fork", "-"],
    },
    "echo": {
        "sockctl": [SOCKCTL, "echo", *SERVER, "--count", "2"],
        "socat": ["socat", "TCP4-LISTEN:{port},bind=127.0.0.1,fork", "PIPE"],
    },
    "term": {
        "sockctl": PRINTS,
        "nc.openbsd": ["nc.openbsd", "-d", "-k", "-l", "127.0.0.1", "{port}"],
        "nc.traditional": ["nc.traditional", "-q", "-1", "-l", "-s", "127.0.0.1", "-p", "{port}"],
        "ncat": ["ncat", "-l", "-k", "--recv-only", "127.0.0.1", "{port}"],
        "socat": ["socat", "-u", "TCP4-LISTEN:{port},bind=127.0.0.1,fork", "-"],
    },
    "killed": CLIENTS,
}
READS, WRITES = ("read", "readv", "recvfrom", "recvmsg"), ("write", "writev", "sendto", "sendmsg")
MOVES, WAITS = ("splice", "sendfile"), ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait")
ERRORS = {
    **dict.fromkeys(READS, ("EIO", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "EINTR", "EAGAIN")),
    **dict.fromkeys(WRITES, ("EPIPE", "ECONNRESET", "ETIMEDOUT", "ENOSPC", "EIO", "ENOBUFS", "EINTR", "EAGAIN")),
    **dict.fromkeys(MOVES, ("EINVAL", "EIO", "ENOMEM", "ECONNRESET", "EPIPE", "ENOSPC", "EINTR", "EAGAIN")),
    **dict.fromkeys(WAITS, ("EINTR", "ENOMEM")),
    "listen": (),  # it only tells where to begin
    **dict.fromkeys(("accept", "accept4"), ("ECONNABORTED", "EMFILE", "ENOBUFS", "EINTR", "EAGAIN")),
    "connect": ("ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT"),
    "shutdown": ("ENOTCONN", "ENOBUFS"),
    "setsockopt": ("ENOPROTOOPT", "ENOMEM"),
    "getsockopt": ("ENOPROTOOPT", "ENOBUFS"),
}
KINDS = ("clean", "reported", "lost", "mute", "hung", "crashed")
BAD = KINDS[2:]


class Peer:
    """An end of ours. It says what it has to say up to `until`, and ends its side when all is said; it reads until the other's end."""

    def __init__(self, sock, says, until=SIZE):
        self.sock, self.says, self.until, self.at = sock, memoryview(says), until, 0
        self.got, self.ended, self.reset = bytearray(), False, False
        sock.setblocking(False)

    def wants(self):
        return (0 if self.ended else select.POLLIN) | (select.POLLOUT if self.at < self.until and not self.reset else 0)

    def turn(self, what):
        try:
            if self.at < self.until and what & select.POLLOUT:
                self.at += self.sock.send(self.says[self.at:self.until])
                if self.at == len(self.says):
                    self.sock.shutdown(socket.SHUT_WR)
            if not self.ended and what & (select.POLLIN | select.POLLHUP | select.POLLERR):
                part = self.sock.recv(1 << 16)
                self.got += part
                self.ended = not part
        except BlockingIOError:
            pass
        except OSError:
            self.ended = self.reset = True

    def was_reset(self):
        """Behind an end only the socket's error tells."""
        self.reset = self.reset or self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        return self.reset


class Run:
    """One run of a tool under strace, our ends beside it. All in one poll; what waits for something waits for bytes."""

    def __init__(self, scene, tool, fault):
        self.scene, self.door, port = scene, None, 0
        if scene in ("dial", "killed"):
            self.door = socket.create_server(("127.0.0.1", 0))
            port = self.door.getsockname()[1]
        elif tool != "sockctl":
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        (tell, told), (see, seen) = os.pipe(), os.pipe()
        words = [word.format(port=port, fd=told) for word in TOOLS[scene][tool]]
        how = ["-e", f"inject={fault}"] if fault else []
        trace = ["-e", "trace=" + ",".join(ERRORS)]
        self.proc = subprocess.Popen(["strace", "-f", "-qq", "-o", f"/dev/fd/{seen}", *trace, *how, *words], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(told, seen),
                                     env={**os.environ, "LC_ALL": "C"}, start_new_session=True)
        os.close(told)
        os.close(seen)
        self.port, self.tell, self.see = port, tell, see
        self.out, self.err, self.log, self.ready = bytearray(), bytearray(), bytearray(), bytearray()
        self.says = THERE if scene in ("dial", "mute", "killed") else None  # a server's stdin stays open
        self.feed, self.feeds_to = 0, {"dial": SIZE, "mute": SIZE, "killed": HALF}.get(scene, 0)
        self.peers, self.mute, self.termed, self.gone, self.hung = [], None, False, False, False
        self.pidfd = os.pidfd_open(self.proc.pid)
        try:
            self._drive()
        finally:
            self._end()

    def _drive(self):
        for end in (self.proc.stdin, self.proc.stdout, self.proc.stderr):
            os.set_blocking(end.fileno(), False)
        reads = {self.proc.stdout.fileno(): self.out, self.proc.stderr.fileno(): self.err, self.see: self.log, self.tell: self.ready}
        moved_s = time.monotonic()
        while not self.gone or reads or not all(peer.ended for peer in self.peers):
            poll, peers = select.poll(), {}
            for fd in reads:
                poll.register(fd, select.POLLIN)
            if not self.gone:
                poll.register(self.pidfd, select.POLLIN)
                if self.proc.stdin and self.feed < self.feeds_to:
                    poll.register(self.proc.stdin, select.POLLOUT)
                if self.door and not self.peers:
                    poll.register(self.door, select.POLLIN)
            for peer in self.peers:
                if peer.wants():
                    poll.register(peer.sock, peer.wants())
                    peers[peer.sock.fileno()] = peer
            happened = poll.poll(QUIET_S * 1000)
            if any(fd != self.see for fd, _ in happened):
                moved_s = time.monotonic()
            elif time.monotonic() - moved_s >= QUIET_S:  # a loop that only wakes and looks moves nothing
                self.hung = not self.gone
                return
            for fd, what in happened:
                if fd in reads:
                    part = os.read(fd, 1 << 16)
                    reads[fd] += part
                    if not part:
                        del reads[fd]
                elif fd in peers:
                    peers[fd].turn(what)
                elif fd == self.pidfd:
                    self.proc.wait()
                    self.gone = True
                elif self.door and fd == self.door.fileno():
                    self.peers.append(Peer(self.door.accept()[0], BACK))
                else:
                    self._feed(self.says[self.feed:self.feeds_to])
            self._act()

    def _feed(self, part):
        try:
            self.feed += os.write(self.proc.stdin.fileno(), part) if part else 0
        except BrokenPipeError:
            self.feed = self.feeds_to = SIZE
        if self.feed == SIZE:
            self.proc.stdin.close()
            self.proc.stdin = None

    def _act(self):
        """What the scene does when so much has arrived."""
        if self.scene in ("dial", "killed"):
            if self.scene == "killed" and not self.termed and self.peers and (len(self.peers[0].got) >= HALF or self.peers[0].ended):
                self._term()
                self.feeds_to = SIZE
            return
        if not self.peers:
            if not self.gone and self._is_ready():
                for says in {"mute": [BACK], "term": LINES[:1]}.get(self.scene, LINES):
                    self._dial(says)
            return
        if self.peers[0].until == HALF and all(peer.ended or self._arrived(peer) for peer in self.peers):
            if self.scene == "mute":
                self.mute = socket.socket()
                self.mute.setblocking(False)
                self.mute.connect_ex(("127.0.0.1", self.port))  # refused is right, too
            if self.scene == "term":
                self._term()
            for peer in self.peers:
                peer.until = SIZE
        if self.scene in ("many", "echo") and not self.termed and all(peer.ended for peer in self.peers):
            if SOCKCTL not in self.proc.args:  # which has --count
                self._term()

    def _is_ready(self):
        if not self.port and self.ready.endswith(b"\n"):
            self.port = int(self.ready)
        return self.port and re.search(rb"listen\(.*= 0", self.log)

    def _dial(self, says):
        sock = socket.socket()
        sock.settimeout(QUIET_S)
        try:
            sock.connect(("127.0.0.1", self.port))
            self.peers.append(Peer(sock, says, HALF))
        except OSError:  # it has ended meanwhile
            self.peers.append(Peer(sock, says, HALF))
            self.peers[-1].ended = self.peers[-1].reset = True

    def _arrived(self, peer):
        """Half of what it says has."""
        if self.scene == "many":
            return len(printed(self.out, peer.says)) >= len(printed(peer.says[:HALF], peer.says))
        return len(peer.got if self.scene == "echo" else self.out) >= HALF

    def _term(self):
        self.termed = True
        pid = re.match(rb"\d+", self.log)
        try:
            os.kill(int(pid[0]), signal.SIGTERM)
        except ProcessLookupError:
            pass

    def _end(self):
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait()
        for peer in self.peers:
            peer.was_reset()
        for fd in (self.pidfd, self.tell, self.see):
            os.close(fd)
        for each in (self.proc.stdin, self.proc.stdout, self.proc.stderr, self.door, self.mute, *(peer.sock for peer in self.peers)):
            if each:
                each.close()

    def whole(self):
        if self.scene in ("dial", "mute", "killed"):
            return bool(self.peers) and bytes(self.peers[0].got) == THERE and bytes(self.out) == BACK
        if self.scene == "echo":
            return len(self.peers) == 2 and all(peer.got == peer.says for peer in self.peers)
        if self.scene == "term":
            return bytes(self.out) == LINES[0]
        return all(printed(self.out, says) == printed(says, says) for says in LINES)

    def kind(self):
        code, whole = self.proc.returncode, self.whole()
        by_us = self.termed and code in (-signal.SIGTERM, 128 + signal.SIGTERM)
        if self.scene in ("many", "echo") and by_us:
            code = 0
        err = re.sub(rb"^sockctl: listening on .*\n", b"", self.err)
        told = err or self.scene not in ("dial", "killed") and any(peer.reset for peer in self.peers)
        if self.hung:
            return "hung"
        if code < 0 and code != -signal.SIGPIPE and not by_us:
            return "crashed"
        if code == 0 and not told:
            return "clean" if whole else "lost"
        if code != 0 and not told and not by_us and code not in (141, -signal.SIGPIPE):  # which says it, as of any program in a pipe
            return "mute"
        return "clean" if whole and code == 0 else "reported"


def printed(out, says):
    """Of what a server of two has printed the letters of this one."""
    others = bytes(range(256)).translate(None, bytes(range(says[0] & ~31 | 1, (says[0] & ~31) + 17)))
    return bytes(out).translate(None, others)


def calls(scene, tool):
    """[(name, number)] of the calls since it has begun to dial or listen, as strace counts them: each process by itself."""
    run = Run(scene, tool, None)
    if run.kind() != ("reported" if run.termed and run.proc.returncode else "clean") and not (scene in ("many", "echo") and run.whole()):
        sys.exit(f"{scene} {tool}: does not work undisturbed: {run.kind()}, exit {run.proc.returncode}, {bytes(run.err)!r}")
    counts, found, begun = collections.Counter(), {}, False
    for line in run.log.decode("utf-8", "replace").splitlines():
        match = re.match(r"(\d+)\s+(\w+)\(", line)
        if not match:
            continue
        counts[match[1], match[2]] += 1
        begun |= match[2] == ("connect" if run.door else "listen") and (not run.door or "AF_INET" in line)
        if begun:
            found[match[2], counts[match[1], match[2]]] = True
    return list(found)


def work(task):
    scene, tool, fault = task
    run = Run(scene, tool, fault)
    return scene, tool, fault, run.kind(), run.proc.returncode, bytes(run.err[-100:])


def faults(scene, tool, quick):
    """Each call with each of its errors. Quick: with one of them, except in the scene of one client."""
    for index, (name, n) in enumerate(calls(scene, tool)):
        errors = ERRORS[name]
        if quick and scene != "dial" and errors:
            errors = (errors[index % len(errors)],)
        for error in errors:
            yield scene, tool, f"{name}:error={error}:when={n}"


def main():
    options = argparse.ArgumentParser(description="The fault sweep from outside, over sockctl and its peers.")
    options.add_argument("--only", help="this tool alone")
    options.add_argument("--scene", choices=TOOLS, help="this scene alone")
    options.add_argument("--quick", action="store_true", help="one error a call, except in the scene dial")
    options.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    options.add_argument("-v", action="store_true", help="tell each bad run, not only those of sockctl")
    args = options.parse_args()
    if not shutil.which("strace"):
        sys.exit("strace is needed")
    rows = [(scene, tool) for scene, tools in TOOLS.items() for tool, words in tools.items()
            if shutil.which(words[0]) and args.only in (None, tool) and args.scene in (None, scene)]
    began, table = time.monotonic(), {row: collections.Counter() for row in rows}
    tasks = [task for row in rows for task in faults(*row, args.quick)]
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for scene, tool, fault, kind, code, err in pool.map(work, tasks, chunksize=4):
            table[scene, tool][kind] += 1
            if kind in BAD and (args.v or tool == "sockctl"):
                print(f"{kind}: {scene} {tool} {fault}: exit {code}, {err!r}", flush=True)
    print(f"{'scene':8}{'tool':16}{'runs':>8}" + "".join(f"{kind:>10}" for kind in KINDS))
    for (scene, tool), row in table.items():
        print(f"{scene:8}{tool:16}{sum(row.values()):8}" + "".join(f"{row[kind]:10}" for kind in KINDS))
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if any(row[kind] for (_, tool), row in table.items() if tool == "sockctl" for kind in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
