"""What the situations stand on: servers, crowds, what a server has and has used, and how fast an honest pair is beside a crowd.

Two servers with the same words are measured in turn by the same honest pair: one that nobody disturbs, while the crowd is stopped, and
the one that has the crowd. What counts is the median of the rounds' ratios: whatever else the machine does meets both of a round.
"""
import os
import select
import signal
import statistics
import sys
import time

from cage import LIMIT_S, Trouble

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CROWD = os.path.join(TOP, "build", "hostile", "crowd")
HONEST = os.path.join(HERE, "honest.py")
LASTS_S = 240  # a crowd's alarm: longer than any situation
ROUND_S, ROUNDS, MORE_ROUNDS = 0.3, 5, 8
FLOOR = 0.80
RSS_KIB = 1024


def settled(fn, seconds=LIMIT_S):
    """For facts that the system offers no descriptor for: asks until the answer is true, or the time is over. The last answer."""
    end, never = time.monotonic() + seconds, select.poll()
    while not (got := fn()) and time.monotonic() < end:
        never.poll(20)
    return got


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
        with open(f"/proc/{self.pid}/schedstat") as f:
            return int(f.read().split()[0])

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

    def rest(self, rests):
        os.kill(self.proc.pid, signal.SIGSTOP if rests else signal.SIGCONT)

    def report(self):
        """They leave: all of them close, or have already."""
        self.rest(False)
        self.proc.let_go()
        got = self.proc.report(60)
        self.proc.wait()
        return got


def honest(cage, words, port, seconds=ROUND_S):
    """Bytes a second of one honest pair. words: a generator of the bench, or the words of honest.py."""
    if words.split()[0] in ("fetch", "chat", "tls"):
        kind, *rest = words.split()
        argv = [sys.executable, HONEST, kind, str(port), str(seconds), *rest]
        proc = cage.start(argv, stdin=-1, stdout=-1, reports=True)
    else:
        proc = cage.load(words, port=port, seconds=seconds)
    if proc.says() != "ready":
        raise Trouble("the honest pair is not ready")
    proc.go()
    got = proc.report()
    proc.let_go()
    proc.wait()
    return got["ops"] * 1e9 / got["ns"]


class Duel:
    """The honest pair at two servers, of which one has a crowd."""

    def __init__(self, cage, words, pair, crowd, most):
        self.cage, self.pair, self.pairs = cage, pair, []
        self.calm, self.loud = Server(cage, words, most), Server(cage, words, most)
        for server in (self.calm, self.loud):
            honest(cage, pair, server.port)  # what is made once is there now
        self.before = self.loud.fds(), self.loud.rss_kib()
        self.crowd = Crowd(cage, self.loud.port, crowd)

    def _one(self, attacked):
        self.crowd.rest(not attacked)
        return honest(self.cage, self.pair, (self.loud if attacked else self.calm).port)

    def rounds(self, number):
        for turn in range(number):
            first = self._one(turn % 2 == 1)
            second = self._one(turn % 2 == 0)
            self.pairs.append((second, first) if turn % 2 else (first, second))
        return self.ratio()

    def ratio(self):
        return statistics.median(attacked / alone for alone, attacked in self.pairs)

    def judged(self, rounds=ROUNDS):
        """More rounds before a verdict that the machine's other work may have made."""
        if self.rounds(rounds) < FLOOR:
            self.rounds(MORE_ROUNDS)
        alone, attacked = (statistics.median(side) for side in zip(*self.pairs))
        return {"alone": alone, "attacked": attacked, "ratio": self.ratio(), "rounds": len(self.pairs)}

    def after(self):
        """Descriptors and memory when the crowd has left, against what was there before it came."""
        fds, rss = self.before
        settled(lambda: self.loud.fds() <= fds, 10)
        return self.loud.fds() - fds, self.loud.rss_kib() - rss


