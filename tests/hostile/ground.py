"""What the situations stand on: servers, crowds, what a server has and has used, and how fast an honest pair is beside a crowd.

Two servers with the same words are measured at the same moment, each by an honest pair of its own: one without a crowd, and the one that
has the crowd. The figure is how many bytes a pair moves for each second of processor time that it and its server use together, which is
its speed on a processor that both share. A server that works for the crowd, moves the pair's bytes in a dearer way, or looks at every client
to find one, needs more processor time for a byte. Bytes for each second of real time depend on what else the machine does, and on the
processor that the crowd itself needs: two servers without any crowd differed by 30 % and more.

A crowd with a rate has that rate for each second of processor time, too: it is lowered before it starts, where the pair and its server
get less than one processor.

A situation holds where the pair has FLOOR of what the other pair has, in processor time or in real time at the same moment: a pair that is
served sooner, in smaller pieces, needs more processor time of its own for a byte, and is not slower. It must have STALL of it in both,
because a server that sleeps while its client waits uses no processor time.

What counts is the median of the rounds' ratios. Which of the two pairs begins first changes from round to round.
"""
import os
import select
import statistics
import sys
import time

from cage import LIMIT_S, Trouble

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CROWD = os.path.join(TOP, "build", "hostile", "crowd")
HONEST = os.path.join(HERE, "honest.py")
LASTS_S = 240  # a crowd's alarm: longer than any situation
ROUND_S, ROUNDS, MORE_ROUNDS = 0.3, 7, 14
FLOOR, STALL = 0.80, 0.50
RSS_KIB = 1024


def settled(fn, seconds=LIMIT_S):
    """For facts that the system offers no descriptor for: asks until the answer is true, or the time is over. The last answer."""
    end, never = time.monotonic() + seconds, select.poll()
    while not (got := fn()) and time.monotonic() < end:
        never.poll(20)
    return got


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0])


class Server:
    """sockctl with these words on a port of its own; max: what it takes of clients at once."""

    def __init__(self, cage, words, most=800):
        self.proc, self.port = cage.serve(f"sockctl {words.replace(' ', f' --ready-fd {{ready}} --max {most} ', 1)}")
        self.pid = self.proc.pid

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _status(self, name):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(name))

    def rss_kib(self):
        return self._status("VmRSS:")

    def sleeps(self):
        """How often it has gone to sleep, which is how often it has been woken."""
        return self._status("voluntary_ctxt_switches:")

    def cpu_ns(self):
        return cpu_ns(self.pid)

    def used(self, seconds):
        """Part of a processor, and wake-ups, over the next seconds in which we do nothing."""
        cpu, sleeps, began = self.cpu_ns(), self.sleeps(), time.monotonic_ns()
        if select.select([self.proc.pidfd], [], [], seconds)[0]:
            raise Trouble("the server has ended")
        return (self.cpu_ns() - cpu) / (time.monotonic_ns() - began), self.sleeps() - sleeps


class Crowd:
    def __init__(self, cage, port, words):
        self.proc = cage.load(f"{CROWD} {words}", port=port, seconds=LASTS_S)
        if self.proc.says(60) != "ready":
            raise Trouble("the crowd is not in place")

    def report(self):
        """They leave: all of them close, or have already."""
        self.proc.let_go()
        got = self.proc.report(60)
        self.proc.wait()
        return got


class Honest:
    """An honest pair that is connected and waits. words: a generator of the bench, or the words of honest.py."""

    def __init__(self, cage, words, server, seconds=ROUND_S):
        self.server = server
        if words.split()[0] in ("fetch", "chat", "tls"):
            kind, *rest = words.split()
            argv = [sys.executable, HONEST, kind, str(server.port), str(seconds), *rest]
            self.proc = cage.start(argv, stdin=-1, stdout=-1, reports=True)
        else:
            self.proc = cage.load(words, port=server.port, seconds=seconds)
        if self.proc.says() != "ready":
            raise Trouble("the honest pair is not ready")

    def used_ns(self):
        """Of it and its server."""
        return cpu_ns(self.proc.pid) + self.server.cpu_ns()

    def go(self):
        self.before_ns = self.used_ns()
        self.proc.go()

    def done(self):
        """Bytes for each second of processor time, bytes a second, and how much of a processor that was."""
        got = self.proc.report()
        used = self.used_ns() - self.before_ns
        self.proc.let_go()
        self.proc.wait()
        return got["ops"] * 1e9 / used, got["ops"] * 1e9 / got["ns"], used / got["ns"]


def honest(cage, words, server, seconds=ROUND_S):
    pair = Honest(cage, words, server, seconds)
    pair.go()
    return pair.done()


class Duel:
    """The honest pair at two servers, of which one has a crowd. rate: how much that does for a second of processor time; None: it is
    not that kind of crowd."""

    def __init__(self, cage, words, pair, crowd, most, rate=None):
        self.cage, self.pair, self.pairs = cage, pair, []
        self.calm, self.loud = Server(cage, words, most), Server(cage, words, most)
        share = min(honest(cage, pair, server)[2] for server in (self.calm, self.loud))  # what is made once is there from now on
        self.rate = rate and max(1, int(rate * min(1, share)))
        self.before = self.loud.fds(), self.loud.rss_kib()
        self.crowd = Crowd(cage, self.loud.port, crowd + (f" rate={self.rate}" if rate else ""))

    def rounds(self, number):
        for _ in range(number):
            both = [Honest(self.cage, self.pair, server) for server in (self.calm, self.loud)]
            order = both if len(self.pairs) % 2 else both[::-1]
            for pair in order:
                pair.go()
            self.pairs.append([pair.done() for pair in both])
        ratios = self.ratio(), self.ratio(1)
        return max(ratios) >= FLOOR and min(ratios) >= STALL

    def ratio(self, which=0):
        return statistics.median(attacked[which] / alone[which] for alone, attacked in self.pairs)

    def judged(self):
        """More rounds before a verdict against it."""
        holds = self.rounds(ROUNDS) or self.rounds(MORE_ROUNDS)
        alone, attacked = (statistics.median(side[0] for side in sides) for sides in zip(*self.pairs))
        return {"holds": holds, "alone": alone, "attacked": attacked, "ratio": self.ratio(), "time": self.ratio(1), "rounds": len(self.pairs)}

    def after(self):
        """Descriptors and memory when the crowd has left, against what was there before it came."""
        fds, rss = self.before
        settled(lambda: self.loud.fds() <= fds, 10)
        return self.loud.fds() - fds, self.loud.rss_kib() - rss
