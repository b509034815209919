"""A bad line between two networks, made of two TUN devices and of one seed: delay, loss, duplication, reordering, and a cut.

What becomes of the nth packet of a direction is drawn from (seed, direction, n) and from nothing else. Which packets there are, and
when, is up to the two systems' TCP, so one seed repeats the line's behaviour and not each packet. Nothing sleeps: packets that are
on their way make a heap, and its first is poll's timeout.

The weather that a seed means is one of three kinds in turn: one only delays, doubles and swaps; the next loses, too; the third
loses and is cut after some packets or bytes, in one direction or in both, for good.
"""
import heapq
import os
import random
import select
import threading
import time

KINDS = ("rough", "lossy", "cut")


class Weather:
    def __init__(self, seed):
        draw = random.Random(f"weather {seed}")
        self.seed = seed
        self.kind = KINDS[seed % 3]
        self.delay_ms = draw.choice((0, 0, 1, 3))
        self.jitter_ms = draw.choice((0, 1, 4))
        self.twice = draw.choice((0, 0.01, 0.05, 0.2))
        self.swap = draw.choice((0, 0.01, 0.05, 0.2))
        self.loss = draw.choice((0.005, 0.01, 0.03, 0.06)) if self.kind != "rough" else 0.0
        self.cut_ways = (0, 1)
        self.cut_packets = self.cut_bytes = None
        if self.kind == "cut":
            self.cut_ways = draw.choice(((0, 1), (0, 1), (0,), (1,)))
            if draw.random() < 0.5:
                self.cut_packets = draw.randrange(1, 400)
            else:
                self.cut_bytes = draw.randrange(100, 500_000)

    def __str__(self):
        words = [f"seed {self.seed}: {self.kind}, delay {self.delay_ms}+{self.jitter_ms} ms, twice {self.twice:.0%}, "
                 f"swapped {self.swap:.0%}, lost {self.loss:.1%}"]
        if self.kind == "cut":
            after = f"{self.cut_packets} packets" if self.cut_packets else f"{self.cut_bytes} bytes"
            words.append(f"cut after {after}, ways {self.cut_ways}")
        return ", ".join(words)


class Link:
    """Carries packets between two TUN descriptors in a thread of its own, until close()."""

    def __init__(self, weather, fds):
        self.weather = weather
        self.fds = fds
        self.packets = self.bytes = self.lost = self.doubled = self.swapped = 0
        self.cut = False
        self.on_the_way = []
        self.draws = [random.Random(f"{weather.seed} way {way}") for way in (0, 1)]
        self.error = None
        self.reads, self.writes = os.pipe()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            poll = select.poll()
            for fd in (*self.fds, self.reads):
                poll.register(fd, select.POLLIN)
            while True:
                left = max(0.0, self.on_the_way[0][0] - time.monotonic()) * 1000 if self.on_the_way else None
                for fd, _ in poll.poll(left):
                    if fd == self.reads:
                        return
                    self._take(self.fds.index(fd))
                self._deliver()
        except Exception as e:  # handed on by close()
            self.error = e

    def _take(self, way):
        for _ in range(64):
            try:
                packet = os.read(self.fds[way], 1 << 16)
            except BlockingIOError:
                return
            self._weigh(way, packet)

    def _weigh(self, way, packet):
        w, now = self.weather, time.monotonic()
        lose, twice, swap, when, again = (self.draws[way].random() for _ in range(5))
        self.packets += 1
        self.bytes += len(packet)
        if (w.cut_packets and self.packets > w.cut_packets) or (w.cut_bytes and self.bytes > w.cut_bytes):
            self.cut = True
        if lose < w.loss or (self.cut and way in w.cut_ways):
            self.lost += 1
            return
        ms = w.delay_ms + when * w.jitter_ms
        if swap < w.swap:
            ms += 1 + 4 * when
            self.swapped += 1
        heapq.heappush(self.on_the_way, (now + ms / 1000, self.packets, 0, way, packet))
        if twice < w.twice:
            heapq.heappush(self.on_the_way, (now + (ms + 3 * again) / 1000, self.packets, 1, way, packet))
            self.doubled += 1

    def _deliver(self):
        now = time.monotonic()
        while self.on_the_way and self.on_the_way[0][0] <= now:
            *_, way, packet = heapq.heappop(self.on_the_way)
            try:
                os.write(self.fds[1 - way], packet)
            except OSError:  # the other end is down or full: lost, as on a real line
                self.lost += 1

    def close(self):
        """Raises what went wrong in the thread."""
        os.write(self.writes, b"x")
        self.thread.join()
        for fd in (self.reads, self.writes, *self.fds):
            os.close(fd)
        if self.error:
            raise self.error
