"""Scenes of the fault sweep with several clients, and with an end from outside in the middle: what one client does, or a signal, takes
nothing from another. The oracles are those of all scenes."""
import os
import select
import signal
import time

import certs
from ends import End
from scenes import EPOLL, STREAMS, Flow, Scene, lines, payload, relay_context

PAUSE_S = 0.35  # longer than any silence that was ever taken for an end
LONG_S = 0.75
LIFE_S = 0.6
LOOK_S, LOOKS = 0.02, 100


class Stranger(End):
    """A neighbour without a promise: it says something that is no beginning, or nothing, and stays; or it resets at once."""

    loose = True

    def __init__(self, name, says=b"", resets=False):
        super().__init__(name, says, shuts=False)
        self.resets = resets

    def dial(self, family, where):
        super().dial(family, where)
        if self.resets and not self.over:
            self.over = True
            self.close(reset=True)


class Bringer(End):
    """Brings another when it is served, and goes on when that one has been turned away."""

    brings = None

    def turn(self, what):
        super().turn(what)
        new = self.brings() if self.got and self.brings else []
        self.brings = None if new else self.brings
        return new


class Pauser(End):
    """Says a part. When that has arrived something happens, and it is silent for a while; then it says the rest."""

    def __init__(self, name, says, at, pause_s, **how):
        super().__init__(name, says[:at], **how)
        self.rest, self.pause_s, self.until_s = says[at:], pause_s, None
        self.holds = True

    def pauses(self, arrived, happens):
        """What the plan does at every turn (Plan.acts). arrived, happens: of the program; the second says whether it has been done."""

        looks = iter(range(LOOKS))

        def act(program):
            if self.until_s is None and not self.out and arrived(program) and happens(program):
                self.until_s = time.monotonic() + self.pause_s
            if not self.holds:
                return None
            if self.until_s is None:  # a file, or a program that has to come so far, tells no end
                return None if self.out or next(looks, None) is None else time.monotonic() + LOOK_S
            if time.monotonic() < self.until_s:
                return self.until_s
            self.holds = False
            self.out += self.rest
            return None

        return act

    def turn(self, what):
        if self.eof and what & (select.POLLHUP | select.POLLERR):
            self._lost()
        new = [] if self.over else super().turn(what)
        if self.eof and self.until_s is None:
            self.holds = False  # it will not be heard any more
        return new

    def _lost(self):
        super()._lost()
        self.cut |= self.holds or bool(self.out)


def context(plan):
    return relay_context(False) if plan.place == "tls" else None


def client(plan, name, says=b"", **how):
    return End(name, says, context=context(plan), **how)


def said_by(name):
    """Of the lines on a console's stdout those of this client, without its number."""

    def pick(got):
        return b"".join(line.partition(b" ")[2] for line in got.splitlines(True) if line.endswith(b"\n") and b"] " + name + b" " in line)

    return pick


def words_of(name, count, seed):
    return b"".join(name + b" " + line for line in lines(count, seed).splitlines(True))


# several clients


def consoles(plan):
    """Two clients that talk at the same time to a console that says something, too."""
    ends = [client(plan, name, words_of(name.encode(), 30, 7 * n)) for n, name in enumerate(("one", "two"))]
    plan.flows = [Flow(None, end.says, pick=said_by(end.name.encode())) for end in ends]
    plan.clients(*ends)
    return ["--recv-only", "--count", "2"]


def echoes(plan):
    ends = [client(plan, name, payload(plan.size // 2, n)) for n, name in enumerate(("one", "two", "three"))]
    plan.flows = [Flow(end, end.says) for end in ends]
    plan.clients(*ends)
    return ["--count", "3"]


def queue(plan):
    """There is one place; the second waits for it, and is served like the first."""
    return ["--max", "1", "--when-full", "queue", *echoes(plan)]


def full(plan):
    """There is one place, and a client that comes when it is taken is turned away: that takes nothing from the first."""
    one, two = Bringer("one", payload(plan.size, 1), context=context(plan)), client(plan, "two", shuts=False)
    one.brings, two.loose = lambda: plan.bring(two), True
    plan.flows = [Flow(one, one.says)]
    plan.clients(one)
    return ["--max", "1", "--when-full", "close", "--count", "1"]


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20)  # the beginning of a ClientHello
STRANGERS = {"mute": {}, "half": {"says": HELLO}, "noise": {"says": b"GET / HTTP/1.0\r\n\r\n"}, "gone": {"resets": True}}


def beside(service, *kinds):
    """The service, with neighbours that never get through the handshake and were there before."""

    def fill(plan):
        words = service(plan)
        honest, plan.parties = plan.parties, []
        plan.clients(*(Stranger(kind, **STRANGERS[kind]) for kind in kinds), *honest)
        return words

    return fill


def listens(plan):
    there, back = payload(plan.size, 1), payload(plan.size + 77, 2)
    end = client(plan, "peer", back)
    plan.stdin = there
    plan.flows = [Flow(end, there), Flow(None, back)]
    plan.clients(end)
    return []


def counts(plan):
    end = client(plan, "peer", payload(plan.size, 1))
    plan.flows = [Flow(end, end.says)]
    plan.clients(end)
    return ["--count", "1"]


# an end from outside


def by_signal(plan):
    """SIGTERM."""

    def happens(program):
        program.signal(signal.SIGTERM)
        plan.told = True
        return True

    return [], happens, PAUSE_S


def by_run(plan):
    """The program of --run ends: it reads a line from us."""
    os.mkfifo(f"{plan.folder}/fifo")

    def happens(program):
        try:
            fifo = os.open(f"{plan.folder}/fifo", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False  # it has not come so far
        os.write(fifo, b"\n")
        os.close(fifo)
        return True

    return ["--run", f"read x <{plan.folder}/fifo"], happens, LONG_S


def by_lifetime(plan):
    plan.code, plan.fails = 5, True
    return ["--lifetime", f"{LIFE_S:.1f}s"], lambda program: True, LONG_S


def ends(how, service):
    """A client pauses while the run is told to end, and says the rest then, within --drain."""

    def fill(plan):
        more, happens, pause_s = how(plan)
        said = words_of(b"one", 30, 3)
        one = Pauser("one", said, said.index(b"\n", len(said) // 2) + 1, pause_s, context=context(plan))
        plan.clients(one)
        words, arrived = service(plan, one, said)
        plan.acts = [one.pauses(arrived, happens)]
        plan.began = lambda: one.until_s is not None
        return [*more, *words]

    return fill


def receives(plan, one, said):
    plan.flows = [Flow(None, said, pick=said_by(b"one"))]
    return ["--recv-only"], lambda program: b"] one " in program.out


def forwards(plan, one, said):
    server = relay_context(True) if plan.place == "tls" else None
    target = Listener("target", context=server, server=True, shuts=False)
    target.enough_for = len(said)
    plan.flows = [Flow(target, said)]
    address = plan.door(target, "t")
    more = ["--ca", str(certs.root().pem)] if plan.place == "tls" else []
    return [*more, "--forward", address], lambda program: bool(target.got)


class Listener(End):
    """Ends its side when it has heard all, or its peer has ended."""

    def wants(self):
        self.shuts = self.eof or len(self.got) >= self.enough_for
        return super().wants()


class Into(End):
    """A file that a program of the run writes, as an end that has heard what stands there."""

    def __init__(self, name, path):
        super().__init__(name)
        self.path, self.over, self.loose = path, True, True

    @property
    def got(self):
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError:
            return b""

    @got.setter
    def got(self, value):
        pass


def executes(plan, one, said):
    heard = Into("the program", f"{plan.folder}/heard")
    plan.flows = [Flow(heard, said)]
    return ["--", "/bin/sh", "-c", f"cat >{heard.path}"], lambda program: bool(heard.got)


ENDS = {"term": by_signal, "run": by_run, "life": by_lifetime}


def every():
    rows = [Scene("serve", place, "console", consoles, tag="two") for place in STREAMS]
    rows += [Scene("echo", place, "echo", echoes, tag="three") for place in STREAMS]
    rows += [Scene("echo", place, "echo", queue, tag="queue") for place in STREAMS]
    rows += [Scene("echo", place, "echo", full, tag="full") for place in STREAMS]
    rows += [Scene("listen", "tls", "stdio", beside(listens, kind), tag=kind) for kind in STRANGERS]
    rows += [Scene("listen", "tls", "stdio", beside(listens, "mute", "noise"), tag="mute-noise"),
             Scene("listen", "tls", "stdio", beside(listens, "mute"), EPOLL, tag="mute-epoll"),
             Scene("echo", "tls", "echo", beside(counts, "mute", "half"), tag="mute-half"),
             Scene("echo", "tcp", "echo", echoes, EPOLL, tag="three-epoll"),
             Scene("echo", "tls", "echo", queue, EPOLL, tag="queue-epoll")]
    for name, how in ENDS.items():
        places = STREAMS if name == "term" else ("tcp",)
        rows += [Scene("serve", place, "receive", ends(how, receives), tag=name) for place in places]
        rows += [Scene("serve", place, "forward", ends(how, forwards), tag=name) for place in places if place != "unix"]
        rows += [Scene("serve", place, "exec", ends(how, executes), tag=name) for place in places if place != "unix"]
    rows += [Scene("serve", "tcp", "receive", ends(by_signal, receives), EPOLL, tag="term-epoll")]
    return rows

