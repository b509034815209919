#!/usr/bin/env python3
"""sockctl over a bad line (link.py): `connect` to `listen` over TCP, both ways at once, and to `echo` over UDP.

usage: tests/tools/badline.py [--seed S] [--first S] [--number N] [--jobs N] [--show]

One seed is one line and two runs. A run is good in two ways: byte-exact with exit status 0 at both ends; or, where a cut or loss
allows it, an honest failure. It is bad
  lost       a program ended with 0 although its bytes did not arrive, or those of its peer
  wrong      bytes that were not sent, or an exit status that such a failure does not have
  failed     on a line that is never cut, TCP has to arrive, and so have datagrams where none is lost
  hung       not ended within the deadline
SOCKCTL names the program. The exit status is 0 if no run was bad.
"""
import argparse
import collections
import concurrent.futures
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

from link import Link, Weather
from netns import Net, refusal

DEADLINE_S = float(os.environ.get("SOCKCTL_TEST_DEADLINE", "20")) * 3
PATIENT = ("--idle-timeout", "30s", "--lifetime", "45s")  # nothing to be late for
BRIEF = ("--idle-timeout", "400ms", "--lifetime", "2s")
LESS = int(os.environ.get("SOCKCTL_TEST_LESS", "1"))  # payloads are shorter by this factor where each byte has a call of its own
HONEST = (1, 4, 5, 7)  # network, connect, timeout, lost
DATAGRAMS = 60
PORT = "7000"
starting = threading.Lock()  # descriptors that one thread's program is to inherit are none of another's


def deadline():
    return time.monotonic() + DEADLINE_S


class Bad(Exception):
    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")
        self.what = what


class Program:
    """One end: stdin from a file, stdout to one, and an end that one can wait for."""

    def __init__(self, net, argv, stdin=b"", ready=False):
        self.argv = argv
        self.code = None
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        reads, writes = os.pipe() if ready else (-1, -1)
        if ready:
            argv = [*argv[:2], "--ready-fd", str(writes), *argv[2:]]
        with tempfile.TemporaryFile() as data:
            data.write(stdin)
            data.seek(0)
            with net:
                self.popen = subprocess.Popen(argv, stdin=data, stdout=self.out, stderr=self.err, start_new_session=True,
                                              pass_fds=(writes,) if ready else ())
        self.pidfd = os.pidfd_open(self.popen.pid)
        if ready:
            os.close(writes)
            with os.fdopen(reads, "rb") as f:
                if not select.select([f], [], [], DEADLINE_S)[0] or not f.readline():
                    raise Bad("wrong", f"never ready: {self}")

    def __repr__(self):
        return f"{' '.join(map(str, self.argv[1:]))}: code {self.code}, {self.said(self.err)!r}"

    @staticmethod
    def said(file):
        file.seek(0)
        return file.read()

    def wait(self, end):
        if not select.select([self.pidfd], [], [], max(0.0, end - time.monotonic()))[0]:
            raise Bad("hung", self)
        self.code = self.popen.wait()
        return self.code

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        os.close(self.pidfd)
        self.out.close()
        self.err.close()


class Line:
    """Two networks, 10.n.0.1 and 10.n.0.2, and the link of a seed between them."""

    def __init__(self, seed):
        self.weather = Weather(seed)
        self.nets = [Net(), Net()]
        net = f"10.{1 + seed % 250}.0"
        self.hosts = [f"{net}.1", f"{net}.2"]
        fds = [n.tun("line") for n in self.nets]
        for own, other, n in ((0, 1, self.nets[0]), (1, 0, self.nets[1])):
            # rto_min: a lost packet is sent again after 10 ms of silence instead of 200
            n.ip(f"addr add {self.hosts[own]}/32 dev line", "link set line up",
                 f"route add {self.hosts[other]}/32 dev line rto_min 10ms")
        self.link = Link(self.weather, fds)

    def close(self):
        try:
            self.link.close()
        finally:
            for n in self.nets:
                n.close()


def tcp(line, binary, programs):
    """'exact' or 'reported', or Bad."""
    w = line.weather
    draw = random.Random(f"payload {w.seed}")
    sent = [draw.randbytes((draw.randrange(64, 257) << 10) // LESS) for _ in range(2)]
    clocks = BRIEF if w.kind == "cut" else PATIENT
    with starting:
        programs.append(Program(line.nets[0], [binary, "listen", *clocks, f"tcp://{line.hosts[0]}:{PORT}"], sent[0], ready=True))
        programs.append(Program(line.nets[1], [binary, "connect", *clocks, f"tcp://{line.hosts[0]}:{PORT}"], sent[1]))
    end = deadline()
    codes = [p.wait(end) for p in programs]
    got = [p.said(p.out) for p in programs]
    arrived = [got[1] == sent[0], got[0] == sent[1]]  # of what end 0 sent, of what end 1 sent
    for n, p in enumerate(programs):
        if not sent[1 - n].startswith(got[n]):
            raise Bad("wrong", f"other bytes than were sent: {p}")
        if p.code == 0 and not all(arrived):
            raise Bad("lost", f"{[len(g) for g in got]} of {[len(s) for s in reversed(sent)]} bytes arrived: {programs}")
        if p.code not in (0, *HONEST):
            raise Bad("wrong", p)
        if p.code != 0 and len(p.said(p.err).splitlines()) != (2 if b"listening on" in p.said(p.err) else 1):
            raise Bad("wrong", f"not one line: {p}")
    if w.kind != "cut" and codes != [0, 0]:
        raise Bad("failed", programs)
    return "exact" if codes == [0, 0] else "reported"


def udp(line, binary, programs):
    w = line.weather
    draw = random.Random(f"datagrams {w.seed}")
    sent = [b"%d %s\n" % (n, draw.randbytes(draw.randrange(1, 500)).hex().encode()) for n in range(DATAGRAMS)]
    clocks = PATIENT if w.kind == "rough" else BRIEF
    with starting:
        echo = Program(line.nets[0], [binary, "echo", f"udp://{line.hosts[0]}:{PORT}"], ready=True)
        programs.append(echo)
        ours = Program(line.nets[1], [binary, "connect", "--frame", "line", "--replies", str(DATAGRAMS), *clocks,
                                      f"udp://{line.hosts[0]}:{PORT}"], b"".join(sent))
        programs.append(ours)
    end = deadline()
    ours.wait(end)
    echo.popen.send_signal(signal.SIGTERM)
    if echo.wait(end) != 0:
        raise Bad("wrong", echo)
    got = ours.said(ours.out).splitlines(keepends=True)
    if not set(got) <= set(sent):
        raise Bad("wrong", f"lines that no end sent: {ours}")
    if w.twice == 0 and len(set(got)) != len(got):
        raise Bad("wrong", f"a datagram twice: {ours}")
    if ours.code == 0 and len(got) < DATAGRAMS:
        raise Bad("lost", f"{len(got)} replies of {DATAGRAMS}: {ours}")
    if ours.code not in (0, *HONEST) or (ours.code != 0 and len(got) >= DATAGRAMS):
        raise Bad("wrong", f"{len(got)} replies of {DATAGRAMS}: {ours}")
    if w.kind == "rough" and ours.code != 0:
        raise Bad("failed", f"{len(got)} replies of {DATAGRAMS}: {ours}")
    return "exact" if ours.code == 0 else "reported"


def play(seed, binary):
    """[(run, verdict, words)] of a seed."""
    results = []
    for run in (tcp, udp):
        line, programs = Line(seed), []
        try:
            verdict, words = run(line, binary, programs), " ".join(f"{p.argv[1]} {p.code}" for p in programs)
        except Bad as e:
            verdict, words = e.what, str(e)
        finally:
            for p in programs:
                p.close()
            line.close()
        link = line.link
        results.append((run.__name__, verdict, f"{line.weather}; {link.packets} packets, {link.lost} lost, {link.doubled} twice, "
                        f"{link.swapped} swapped: {words}"))
    return results


def play_all(seeds, binary, jobs):
    """Most of a run is waiting: several at once, each with networks and a thread of its own."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for seed, results in zip(seeds, pool.map(lambda s: play(s, binary), seeds)):
            for result in results:
                yield seed, *result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, help="this one, and show what became of it")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=4 * (os.cpu_count() or 1))
    parser.add_argument("--show", action="store_true", help="each run")
    args = parser.parse_args()
    binary = os.environ.get("SOCKCTL") or os.path.join(os.path.dirname(__file__), "..", "..", "sockctl")
    if why := refusal():
        sys.exit(f"badline: {why}")
    seeds = range(args.first, args.first + args.number) if args.seed is None else [args.seed]
    counts, bad = collections.defaultdict(collections.Counter), 0
    for seed, run, verdict, words in play_all(seeds, binary, args.jobs):
        counts[run][verdict] += 1
        good = verdict in ("exact", "reported")
        bad += not good
        if args.show or args.seed is not None or not good:
            print(f"{run} {verdict}: {words}", flush=True)
    verdicts = ("exact", "reported", "lost", "wrong", "failed", "hung")
    print("| run | seeds | " + " | ".join(verdicts) + " |\n" + "|---" * (len(verdicts) + 2) + "|")
    for run, c in counts.items():
        print(f"| {run} | {sum(c.values())} | " + " | ".join(str(c[v]) for v in verdicts) + " |")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
