"""The scenes of the fault sweep: each mode, transport and service, with our ends and what must come out of it.

A row is a function that fills a plan for one place. Payload looks like nothing and repeats exactly. A flow says what must have
arrived where: a part of it from its beginning in any case, all of it if the exit status is 0.
"""
import hashlib
import socket

import certs
import relay
from ends import Door, End, Mail

SERVERS = ("serve", "echo", "chat")
STREAMS = ("tcp", "unix", "tls")
PLACES = (*STREAMS, "udp", "unix-dgram")
SIZE = 100_000
SMALL = 5_000  # where each byte is a call
LETTER = 900
LETTERS = 5


def payload(size, seed):
    return hashlib.shake_128(b"torture %d" % seed).digest(size)


def letters(seed):
    return [payload(LETTER, seed + n) for n in range(LETTERS)]


def lines(count, seed):
    return b"".join(payload(20 + n % 30, seed + n).hex().encode() + b"\n" for n in range(count))


class Flow:
    """What is to arrive at an end, or on stdout (None). pick: what of that counts."""

    def __init__(self, to, want, pick=bytes, whole=False):
        self.to, self.want, self.pick, self.whole = to, want, pick, whole

    def wrong(self, program, good):
        got = self.pick(bytes(program.out if self.to is None else self.to.got))
        name = "stdout" if self.to is None else self.to.name
        if not self.want.startswith(got):
            return f"{name}: what came ({len(got)} bytes) is no beginning of what was sent"
        if good and len(got) < len(self.want):
            return f"exit {program.code}, and {name} got {len(got)} of {len(self.want)} bytes"
        return ""


class Letters:
    """Datagrams: none is changed, none comes twice, and all of them come if the exit status is 0. On stdout they stand one after another.
    cut: they were made of reads of a stream, whose lengths are not promised."""

    def __init__(self, to, want, cut=False):
        self.to, self.want, self.cut = to, want, cut

    def wrong(self, program, good):
        if self.cut:
            want, got = b"".join(self.want), b"".join(self.to.got)
            return "" if want == got or not good and len(got) < len(want) else f"{self.to.name} got {len(got)} bytes of {len(want)}"
        if self.to is None:
            got = [bytes(program.out[at:at + LETTER]) for at in range(0, len(program.out), LETTER)]
        else:
            got = self.to.got
        name = "stdout" if self.to is None else self.to.name
        coming = iter(self.want)
        if not all(any(each == sent for sent in coming) for each in got):
            return f"{name}: a datagram that was not sent so"
        if good and len(got) < len(self.want):
            return f"exit {program.code}, and {name} got {len(got)} of {len(self.want)} datagrams"
        return ""


class Plan:
    """What one run needs."""

    def __init__(self, scene, folder, size):
        self.scene, self.folder, self.place, self.size = scene, folder, scene.place, size
        self.dgram = self.place in ("udp", "unix-dgram")
        self.words, self.stdin = [], None
        self.doors, self.dial, self.parties, self.flows, self.ours = [], None, [], [], []
        self.serves = scene.mode != "connect"
        self.term = False
        self.rude = False  # an end hangs up in the middle
        self.acts = []  # what is done in the middle: each is called with the program at every turn, and says when it is to be called again
        self.told = False  # one of them has told the program to end
        self.fails = False  # it ends with a failure in any case: only undisturbed all of it arrives
        self.began = lambda: True  # else the program may have ended before a peer came
        self.code = 0

    def expected_line(self, line):
        return "listening on " in line or "] " in line and " turned away: " in line or line.endswith("lines for a slow client lost")

    def warns(self, said):
        return all("warning: " in line or ": paused: " in line for line in said)

    # places

    def _address(self, port=0, name="s"):
        if self.place in ("unix", "unix-dgram"):
            return f"{self.place}:{self.folder}/{name}"
        return f"{self.place}://{self.scene.host}:{port}"

    def _beside(self, dials):
        if self.place != "tls":
            return []
        if not dials:
            return ["--cert", str(certs.good().pem), "--key", str(certs.good().key)]
        return ["--ca", str(certs.root().pem), *(["--half-close", "yes"] if self.scene.service in ("stdio", "forward") else [])]

    def _family(self):
        return socket.AF_UNIX if self.place.startswith("unix") else socket.AF_INET

    def door(self, end, name="s"):
        """Listens for the program: its address, and the words that belong beside it."""
        sock = socket.socket(self._family(), socket.SOCK_DGRAM if self.dgram else socket.SOCK_STREAM)
        if self.place.startswith("unix"):
            sock.bind(f"{self.folder}/{name}")
            self.ours.append(name)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, not self.dgram)
            sock.bind(("127.0.0.1", 0))
        port = 0 if self.place.startswith("unix") else sock.getsockname()[1]
        if self.dgram:
            end.take(sock)
            self.doors.append(end)
        else:
            sock.listen(4)
            sock.setblocking(False)
            self.doors.append(Door(sock, end))
        self.parties.append(end)
        return self._address(port, name)

    def clients(self, *ends):
        """Clients that come when the server is ready."""
        self.parties += ends

        def dial(port):
            self.port = port
            for number, end in enumerate(ends):
                where = f"{self.folder}/s" if self.place.startswith("unix") else ("127.0.0.1", port)
                if not self.dgram:
                    end.dial(self._family(), where)
                    continue
                sock = socket.socket(self._family(), socket.SOCK_DGRAM)
                if self.place == "unix-dgram":
                    sock.bind(f"{self.folder}/client{number}")
                    self.ours.append(f"client{number}")
                end.dial(sock, where)
            return [end for end in ends if not end.over]

        self.dial = dial

    def bring(self, end):
        """One more client, in the middle of it all."""
        self.parties.append(end)
        end.dial(self._family(), f"{self.folder}/s" if self.place == "unix" else ("127.0.0.1", self.port))
        return [end]

    def end(self, name, says=b"", hears=0, **how):
        """One of ours: a stream, or datagrams where says is a list."""
        if self.dgram:
            return Mail(name, says, hears or 0, **how)
        server = self.scene.mode == "connect" or name == "target"
        context = None if self.place != "tls" else relay_context(server)
        return End(name, says, context=context, server=server, **how)


_contexts = {}


def relay_context(server):
    """Made once: they are only read."""
    if server not in _contexts:
        _contexts[server] = relay.server_context() if server else relay.client_context()
    return _contexts[server]


class Scene:
    def __init__(self, mode, place, service, fill, words=(), host="127.0.0.1", tag=""):
        self.mode, self.place, self.service, self.fill, self.more, self.host = mode, place, service, fill, list(words), host
        self.name = ".".join(filter(None, (mode, place, service, tag)))

    def plan(self, folder, size=SIZE):
        """A fresh plan; sockets of ours are made for it."""
        plan = Plan(self, folder, size)
        words = self.fill(plan) or []
        dials = self.mode == "connect"
        if dials:
            address = plan.target
        else:
            address = plan._address()
            words = ["--ready-fd", "3", *(["--strict", "--drain", "2s"] if self.mode in SERVERS else []), *words]
        plan.words = [self.mode, *self.more, *plan._beside(dials), *words, *([address] if "--" not in words else [])]
        if "--" in words:
            at = plan.words.index("--")
            plan.words[at:at] = [address]
        return plan


def meets(plan, end):
    """The one peer of connect or listen, or the one client of a server."""
    if plan.scene.mode == "connect":
        plan.target = plan.door(end)
    else:
        plan.clients(end)


def count(plan, number=1):
    """A server that ends after so many clients; one of datagrams is told to."""
    if plan.scene.mode not in SERVERS:
        return []
    plan.term = plan.dgram
    return [] if plan.dgram else ["--count", str(number)]


def stdio(plan):
    if plan.dgram:
        there, back = letters(1), letters(100)
        end = plan.end("peer", back, hears=1)
        plan.stdin = there[0]
        meets(plan, end)
        if plan.scene.mode == "listen":
            plan.flows = [Letters(None, back)]  # its answer goes to the first that came, whose letters stop when it reads none
            return ["--recv-only", "--replies", str(LETTERS)]
        plan.flows = [Letters(end, there[:1], cut=True), Letters(None, back)]
        return ["--replies", str(LETTERS)]
    there, back = payload(plan.size, 1), payload(plan.size + 77, 2)
    end = plan.end("peer", back)
    plan.stdin = there
    meets(plan, end)
    plan.flows = [Flow(end, there), Flow(None, back)]
    return []


def echoes(plan):
    """What comes goes back: echo, or a program that does so."""
    if plan.dgram:
        there = letters(1)
        end = plan.end("peer", there, hears=LETTERS, paced=1)
        plan.flows = [Letters(end, there, cut=plan.scene.service == "exec")]
    else:
        there = payload(plan.size, 1)
        end = plan.end("peer", there)
        plan.flows = [Flow(end, there)]
    meets(plan, end)
    return count(plan)


def program(plan):
    words = echoes(plan)
    if plan.dgram and plan.scene.mode != "serve":
        plan.term = True
    return [*words, "--", "/bin/cat"]


def console(plan):
    said = lines(40, 1)
    if plan.dgram:
        each = said.splitlines(True)
        end = plan.end("peer", each, hears=0)
        end.hears = 1
        plan.stdin = b"hello\n"
        plan.flows = [Flow(None, b"".join(b"[1] " + line for line in each))]
    else:
        end = plan.end("peer", said)
        plan.stdin = lines(50, 500)
        plan.flows = [Flow(None, b"".join(b"[1] " + line for line in said.splitlines(True))), Flow(end, plan.stdin)]
    meets(plan, end)
    return count(plan)


def relayed(number):
    """The lines of this member, without what the room says."""
    mark = b"<%d> " % number

    def pick(got):
        return b"".join(line[len(mark):] for line in got.splitlines(True) if line.startswith(mark) and line.endswith(b"\n"))

    return pick


class Speaker(End):
    """When it is in itself it brings another, and speaks when that one has come."""

    def __init__(self, name, says, brings, **how):
        super().__init__(name, shuts=False, **how)
        self.words, self.brings = says, brings

    def turn(self, what):
        super().turn(what)
        if b" joined" in self.got and not self.shuts:
            self.out += self.words
            self.shuts = True
        new = self.brings() if self.got and self.brings else []
        if new:
            self.brings = None
        return new


class Hearer(End):
    """Leaves when another has left."""

    def wants(self):
        self.shuts = b" left" in self.got
        return super().wants()


def chat(plan):
    said = lines(30, 1)
    if plan.dgram:
        one = plan.end("one", [b"hi\n"], hears=2)
        plan.clients(one)
        plan.stdin = None
        return count(plan)
    context = None if plan.place != "tls" else relay_context(False)
    two = Hearer("two", shuts=False, context=context)
    one = Speaker("one", said, lambda: plan.bring(two), context=context)
    plan.clients(one)
    plan.stdin = None
    plan.flows = [Flow(two, said, pick=relayed(1))]
    return count(plan, 2)


def forward(plan):
    if plan.dgram:
        there = letters(1)
        one = plan.end("peer", there, hears=LETTERS, paced=1)
        two = Mail("target", letters(1), LETTERS)  # sends the same back, one for each that comes
        two.paced = 1
        two.may_say = lambda: two.peer is not None and two.at < len(two.got)
        plan.flows = [Letters(one, there), Letters(two, there)]
    else:
        there, back = payload(plan.size, 1), payload(plan.size + 33, 2)
        one, two = plan.end("peer", there), plan.end("target", back)
        plan.flows = [Flow(two, there), Flow(one, back)]
    target = plan.door(two, "t")
    meets(plan, one)
    beside = []
    if plan.place == "tls" and plan.scene.mode != "connect":
        beside = ["--ca", str(certs.root().pem)]
    plan.term = plan.dgram
    return [*count(plan), *beside, "--forward", target]


def talk(plan):
    if plan.dgram:
        there = [b"ola %d" % n for n in range(LETTERS)]
        end = plan.end("peer", there, hears=LETTERS, paced=1)
        plan.flows = [Letters(end, there)]
        meets(plan, end)
        plan.term = True
        return [*count(plan), "--frame", "line", "--talk", 'on any send "$0"']
    asks = lines(30, 3)
    if plan.scene.mode == "connect":
        end = plan.end("peer", b"hello\n" + asks)
        plan.flows = [Flow(end, b"who\n" + asks)]
        meets(plan, end)
        return ["--talk", 'send "who"', "--talk", 'expect "hello"', "--talk", 'on any send "$0"', "--talk", "on eof close"]
    end = plan.end("peer", asks)
    plan.flows = [Flow(end, asks)]
    meets(plan, end)
    return [*count(plan), "--talk", 'on any send "$0"', "--talk", "on eof close"]


def file(plan):
    data = payload(plan.size, 9)
    with open(f"{plan.folder}/data", "wb") as out:
        out.write(data)
    if plan.dgram:
        end = plan.end("peer", [b"x"], hears=1)
        meets(plan, end)
        plan.term = True
        return [*count(plan), "--file", f"{plan.folder}/data"]
    end = plan.end("peer", b"unasked for")
    plan.flows = [Flow(end, data)]
    meets(plan, end)
    return [*count(plan), "--file", f"{plan.folder}/data"]


def discard(plan):
    if plan.dgram:
        end = plan.end("peer", letters(1))
        plan.term = True
        end.hears = 0
    else:
        end = plan.end("peer", payload(plan.size, 4))
        plan.flows = [Flow(end, b"")]
    meets(plan, end)
    return [*count(plan), "--discard"]


def zero(plan):
    """Its peer has enough at some time: the program is told so by a reset, which is no success."""
    end = plan.end("peer", b"", enough=plan.size)
    plan.rude = True
    plan.flows = []
    meets(plan, end)
    plan.code = 7
    return [*count(plan), "--zero"]


ROWS = [
    (("connect", "listen"), "stdio", stdio, PLACES),
    (("serve",), "console", console, (*STREAMS,)),
    (("echo",), "echo", echoes, PLACES),
    (("chat",), "chat", chat, STREAMS),
    (("connect", "listen", "serve"), "exec", program, STREAMS),
    (("serve",), "exec", program, ("udp",)),
    (("connect", "listen", "serve"), "forward", forward, STREAMS),
    (("serve",), "forward", forward, ("udp",)),
    (("connect", "listen", "serve"), "talk", talk, STREAMS),
    (("serve",), "talk", talk, ("udp",)),
    (("connect", "listen", "serve"), "file", file, STREAMS),
    (("connect", "listen", "serve"), "discard", discard, STREAMS),
    (("connect", "listen", "serve"), "zero", zero, STREAMS),
]

EPOLL = ["--loop", "epoll"]
COPY = ["--no-splice"]
EXTRA = [
    Scene("connect", "tcp", "stdio", stdio, host="localhost", tag="name"),
    Scene("connect", "tcp", "stdio", stdio, EPOLL, tag="epoll"),
    Scene("connect", "tcp", "stdio", stdio, COPY, tag="copy"),
    Scene("connect", "unix", "stdio", stdio, COPY + EPOLL, tag="copy-epoll"),
    Scene("listen", "tcp", "stdio", stdio, EPOLL, tag="epoll"),
    Scene("listen", "tcp", "stdio", stdio, COPY, tag="copy"),
    Scene("echo", "tcp", "echo", echoes, EPOLL, tag="epoll"),
    Scene("echo", "udp", "echo", echoes, EPOLL, tag="epoll"),
    Scene("serve", "tcp", "console", console, EPOLL, tag="epoll"),
    Scene("chat", "tcp", "chat", chat, EPOLL, tag="epoll"),
    Scene("serve", "tcp", "forward", forward, EPOLL, tag="epoll"),
    Scene("serve", "tcp", "forward", forward, COPY, tag="copy"),
    Scene("serve", "tls", "forward", forward, EPOLL, tag="epoll"),
]


def every():
    return [Scene(mode, place, service, fill) for modes, service, fill, places in ROWS for mode in modes for place in places] + EXTRA
