"""The kinds of workloads: what is started, in which order, and what is counted. rows.py says which tools with which words.

`run` is one measurement of one tool and returns its figures:

    rate    bytes or operations a second          cpu     CPU seconds of the tool's own processes per byte or operation
    p50 p99 seconds                               memory  bytes per connection
    loss    part of what was offered              instr   instructions of one run, in user space
    offered how much that was, a second               took    seconds until all clients had been served once

A run in which something was lost, changed or never came raises Trouble: no tool gets a figure for it. Streams are counted, which
costs nothing (what went into /dev/null is gone, there both ends must say that they ended well); kinds that `checks` do the same
once with check=True, with little, and compare every byte. The clients of servers always compare. Datagrams may be lost: that is
counted, and only those that arrived make the rate.
"""
import os
import re
import select
import shutil
import signal
import socket
import time
from collections import namedtuple

from cage import LIMIT_S, NULL, Trouble, argv_of, session_cpu_ns, session_memory_kib

# How much: seconds of a stream or load, bytes of a file, runs of a program.
Scale = namedtuple("Scale", "seconds bytes runs")
CHECK_BYTES = 8 << 20
COUNTED_US = 20000  # a longer run is not counted: counting takes a hundred times that


class Dials(str):
    """The words of a receiver that connects instead of listening."""


def same(sent, got):
    if sent != got:
        raise Trouble(f"{sent} bytes were sent, {got} arrived")


def rate(number, first_ns, last_ns):
    """A second. Everything may have come at once where there was next to nothing to do."""
    return number * 1e9 / max(1, last_ns - first_ns)


class Bulk:
    """One stream, one way: feed → sender → receiver → drain. tools: {name: (receiver's words, sender's words)}; None is a load
    generator in that place, so that one end is measured alone.

    unchecked: those whose bytes cannot be compared, which must say themselves that all went well.

    feed    pipe (lent pages), head (`head -c N /dev/zero`), file          drain   pipe (to /dev/null by splice), cat, null, file
    """

    per, checks = "byte", True

    def __init__(self, tools, feed="pipe", drain="pipe", unchecked=()):
        self.tools, self.feed, self.drain, self.unchecked = tools, feed, drain, unchecked

    def run(self, cage, words, scale, check=False):
        receiver_words, sender_words = words
        much = {"bytes": CHECK_BYTES} if check else {"seconds": scale.seconds}
        total = CHECK_BYTES if check else scale.bytes
        run = _BulkRun(cage, check, LIMIT_S + scale.seconds)
        if isinstance(receiver_words, Dials):
            run.source = cage.load("source to=accept", **much)
            run.receive(receiver_words, self.drain, port=run.source.port())
        else:
            port = run.receive(receiver_words, self.drain)
            if sender_words is None:
                run.source = cage.load("source to=tcp", port=port, **much)
            else:
                run.send(sender_words, port, self.feed, much, total)
        return run.figures()


class _BulkRun:
    def __init__(self, cage, check, limit_s):
        self.cage, self.check, self.limit_s = cage, check, limit_s
        self.tools = []  # whose CPU counts
        self.sink = self.source = self.cat = self.out = self.started_ns = self.sent = None

    def receive(self, words, drain, port=None):
        cage, check = self.cage, int(self.check)
        if words is None:
            self.sink = cage.load("sink from=tcp", check=check)
            return self.sink.port()
        reads, writes, stdout = None, None, NULL
        if drain == "file":
            self.out = os.path.join(cage.names["dir"], "out")
            stdout = cage.open(self.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        elif drain != "null" or check:
            reads, writes = cage.pipe()
            stdout = writes
            if drain == "cat" and not check:
                self.cat = cage.start(["cat"], stdin=reads)
            else:
                self.sink = cage.load("sink", stdin=reads, check=check)
        if port is None:
            proc, port = cage.serve(words, stdout=stdout)
        else:
            proc = cage.start(words, {"port": port}, stdout=stdout)
        self.tools.append(proc)
        if writes is not None:
            cage.close(reads, writes)
        return port

    def send(self, words, port, feed, much, total):
        cage = self.cage
        names = {"path" if isinstance(port, str) else "port": port}
        if feed == "file":
            names["file"] = stream_file(cage, total)
            self.started_ns, self.sent = time.monotonic_ns(), total
            self.tools.append(cage.start(words, names, stdin=cage.open(names["file"], os.O_RDONLY)))
            return
        reads, writes = cage.pipe()
        self.tools.append(cage.start(words, names, stdin=reads))
        if feed == "head" and not self.check:
            self.started_ns, self.sent = time.monotonic_ns(), total
            cage.start(["head", "-c", str(total), "/dev/zero"], stdout=writes)
        else:
            self.source = cage.load("source", stdout=writes, **much)
        cage.close(reads, writes)

    def figures(self):
        if self.sink:
            self.sink.figures = self.sink.report(self.limit_s)
        try:
            if self.source:
                self.source.figures = self.source.report(self.limit_s)
        except Trouble:
            self.well_ended(proc for proc in self.tools if select.select([proc.pidfd], [], [], 0)[0])  # the tool knows more
            raise
        self.well_ended([*self.tools, *filter(None, (self.sink, self.source, self.cat))])
        first, last = self.started_ns, max(proc.ended_ns for proc in self.tools)
        if self.source:
            first, self.sent = self.source.figures["first_ns"], self.source.figures["bytes"]
        if self.sink:
            first, last = self.sink.figures["first_ns"], self.sink.figures["last_ns"]
            same(self.sent, self.sink.figures["bytes"])
        elif self.cat:
            last = self.cat.ended_ns
            if not self.sent <= self.cat.read_chars < self.sent + 65536:  # it has also read its libraries' heads
                same(self.sent, self.cat.read_chars)
        elif self.out:
            same(self.sent, os.stat(self.out).st_size)
            if self.check:
                self.cage.load("sink from=file", stdin=self.cage.open(self.out, os.O_RDONLY)).report()
            os.unlink(self.out)
        return {"rate": rate(self.sent, first, last), "cpu": sum(proc.cpu_s() for proc in self.tools) / self.sent}

    @staticmethod
    def well_ended(procs):
        for proc in procs:
            if proc.wait() != 0:
                raise Trouble(f"{os.path.basename(proc.argv[0])} ended with {proc.code}{proc.why()}")


def stream_file(cage, total):
    """A file of that many bytes of the stream, made once."""
    path = os.path.join(cage.names["dir"], f"stream-{total}")
    if not os.path.exists(path):
        fd = cage.open(path, os.O_WRONLY | os.O_CREAT)
        cage.load("source to=write", stdout=fd, bytes=total).report()
    return path


class Server:
    """A server and a load generator that says when its connections stand, measures, and holds them until it is told.
    tools: {name: server's words}, or (words, load) where one is to have another load."""

    checks = False

    def __init__(self, tools, load, per="operation", udp=False, memory=False, descriptors=0):
        self.tools, self.load, self.per = tools, load, per
        self.udp, self.memory, self.descriptors = udp, memory, descriptors

    def run(self, cage, words, scale):
        words, load = words if isinstance(words, tuple) else (words, self.load)
        server, port = cage.serve(words, udp=self.udp)
        before_kib, start = session_memory_kib(server.pid) if self.memory else 0, time.monotonic()
        clients = cage.load(load, port=port, seconds=scale.seconds)
        if clients.says() != "ready":
            raise Trouble("the clients are not ready")
        if self.memory:
            took, number = time.monotonic() - start, int(re.search(r"clients=(\d+)", load)[1])
            return {"memory": (session_memory_kib(server.pid) - before_kib) * 1024 / number, "took": took}
        before_ns = session_cpu_ns(server.pid)
        clients.go()
        figures = clients.report(LIMIT_S + scale.seconds)
        used_s = (session_cpu_ns(server.pid) - before_ns) / 1e9
        clients.let_go()
        if clients.wait() != 0 or figures["ops"] == 0:
            raise Trouble("not one operation")
        result = {"rate": figures["ops"] * 1e9 / figures["ns"], "cpu": used_s / figures["ops"]}
        result.update((name, figures[name] / 1e6) for name in ("p50", "p99") if name in figures)
        if self.udp:
            result["loss"] = figures["lost"] / (figures["lost"] + figures["ops"])
        return result


class Forward:
    """A stream through a tool that accepts and connects. tools: {name: words with {port} (or {ready}) and {target}}."""

    per, checks = "byte", True

    def __init__(self, tools):
        self.tools = tools

    def run(self, cage, words, scale, check=False):
        much = {"bytes": CHECK_BYTES} if check else {"seconds": scale.seconds}
        sink = cage.load("sink from=tcp", check=int(check))
        target = sink.port()
        server, port = cage.serve(words, names={"target": target})
        before_ns = session_cpu_ns(server.pid)
        source = cage.load("source to=tcp", port=port, **much)
        sent, got = source.report(LIMIT_S + scale.seconds)["bytes"], sink.report()
        used_s = (session_cpu_ns(server.pid) - before_ns) / 1e9
        same(sent, got["bytes"])
        return {"rate": rate(sent, got["first_ns"], got["last_ns"]), "cpu": used_s / sent}


class UdpSend:
    """A pipe into datagrams of 512 bytes. tools: {name: words}; a tool whose words end with {packets} has no option for the size:
    it is fed from a pipe that keeps 512 bytes together."""

    per, checks, size = "datagram", False, 512

    def __init__(self, tools):
        self.tools = tools

    def run(self, cage, words, scale):
        sink = cage.load("udp_sink", size=self.size)
        packets = "{packets}" in words
        reads, writes = cage.pipe(os.O_DIRECT if packets else 0)
        tool = cage.start(words.replace("{packets}", ""), {"port": sink.port(), "size": self.size}, stdin=reads)
        feed = f"source to=write size={self.size}" if packets else f"source to=write size={128 * self.size}"
        source = cage.load(feed, stdout=writes, seconds=scale.seconds)
        cage.close(reads, writes)
        sent = source.report(LIMIT_S + scale.seconds)["bytes"] // self.size
        tool.wait()
        sink.let_go()
        got = sink.report()
        if got["bad"] or got["datagrams"] == 0 or got["datagrams"] > sent:
            raise Trouble(f"of {got['datagrams']} datagrams {got['bad']} had another size than {self.size} bytes")
        return {"rate": rate(got["datagrams"], got["first_ns"], got["last_ns"]), "cpu": tool.cpu_s() / got["datagrams"],
                "loss": 1 - got["datagrams"] / sent}


class UdpReceive:
    """A tool that takes datagrams, offered at a steady rate, into a pipe. tools: {name: words}."""

    per, checks, size = "datagram", False, 64

    def __init__(self, tools, rate):
        self.tools, self.rate = tools, rate

    def run(self, cage, words, scale):
        reads, writes = cage.pipe()
        sink = cage.load("sink", stdin=reads)
        tool, port = cage.serve(words, udp=True, stdout=writes)
        cage.close(reads, writes)
        source = cage.load("udp_source", port=port, rate=self.rate, size=self.size, seconds=scale.seconds)
        offered = source.report(LIMIT_S + scale.seconds)
        sent = offered["datagrams"]  # fewer than were meant where the machine has no time for us
        self.settle(tool, port)
        os.kill(tool.pid, signal.SIGTERM)
        tool.wait()
        got = sink.report()
        datagrams = got["bytes"] / self.size
        if datagrams == 0 or datagrams > sent or got["bytes"] % self.size:
            raise Trouble(f"{sent} datagrams were sent, {datagrams:g} came out")
        return {"rate": rate(datagrams, offered["first_ns"], got["last_ns"]), "cpu": tool.cpu_s() / datagrams,
                "loss": 1 - datagrams / sent, "offered": sent / scale.seconds}

    @staticmethod
    def settle(tool, port):
        """Until its socket is empty and it sleeps, twice in a row."""
        quiet, end = 0, time.monotonic() + LIMIT_S
        while quiet < 2:
            with open("/proc/net/udp") as f:
                waits = any(line.split()[1].endswith(f":{port:04X}") and int(line.split()[4].split(":")[1], 16) for line in f
                            if ":" in line.split()[1])
            with open(f"/proc/{tool.pid}/stat") as f:
                sleeps = f.read().rsplit(")", 1)[1].split()[0] == "S"
            quiet = quiet + 1 if sleeps and not waits else 0
            if select.select([tool.pidfd], [], [], 0.005)[0] or time.monotonic() > end:
                raise Trouble(f"ended, or never finished{tool.why()}")


class Startup:
    """A program from start to end, many times. tools: {name: (words, exit code)}; {closed} is a port without a listener."""

    per, checks = "run", False
    counted = {}  # instructions of one run by its words: they hardly differ from run to run

    def __init__(self, tools):
        self.tools = tools

    def run(self, cage, words, scale):
        words, code = words
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # bound and not listening: ours, and surely closed
            program = argv_of(words, {**cage.names, "closed": s.getsockname()[1]})
            got = cage.load(f"spawn runs={scale.runs} code={code}", program=program).report()
            if (words, code) not in self.counted and got["p50"] < COUNTED_US:
                self.counted[words, code] = instructions(cage, program)
        result = {"rate": got["ops"] * 1e9 / got["ns"], "cpu": got["cpu_us"] / 1e6 / got["ops"], "p50": got["p50"] / 1e6,
                  "p99": got["p99"] / 1e6}
        if self.counted.get((words, code)):
            result["instr"] = self.counted[words, code]
        return result


def instructions(cage, program):
    """From the processor's counter where the system lets us, else counted by callgrind; None without either."""
    for tool, argv, found in (("perf", ["perf", "stat", "-x,", "-e", "instructions:u", "-o", "{out}", "--"], r"^(\d+),"),
                              ("valgrind", ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file={out}"],
                               r"Collected : (\d+)")):
        if shutil.which(tool):
            out = os.path.join(cage.names["dir"], "instructions")
            cage.start([word.format(out=out) for word in argv] + program).wait()
            with open(out) as f:
                match = re.search(found, f.read(), re.M)
            os.unlink(out)
            if match:
                cage.names["counter"] = tool
                return int(match[1])
    return None
