"""The situations: each a function of a cage that returns whether it holds, and in words what was seen."""
import functools
import os
import resource
import select
import socket
import time

from ground import RSS_KIB, Crowd, Duel, Server, honest, settled
from reflections import REFLECTIONS, Skip

FILE_BYTES = 32 << 20
RESETS = {"echo": 2000, "file": 2000, "chat": 500}  # a room tells all members of each that comes and goes
DRIPS, SILENT, FILL_S, FILLS = 1000, 200, 2, 10

# What a server does, the words for it, and the honest pair that is measured.
BOUND = ("echo --loop {loop} -o sndbuf=128k 127.0.0.1:0", "both")
ECHO = ("echo --loop {loop} 127.0.0.1:0", "both")
CHAT = ("chat --loop {loop} --slow-after 1h 127.0.0.1:0", "chat")
FILE = ("serve --loop {loop} --file {{dir}}/file 127.0.0.1:0", "fetch {file}")
TLS = ("echo --loop {loop} tls://127.0.0.1:0", "tls")
SERVED = {"echo": ECHO, "chat": CHAT, "file": FILE}


def many_of(loop):
    """select is for a few: where more than 256 descriptors are possible, sockctl takes epoll by itself."""
    return 1000 if loop == "epoll" else 100


def file_of(cage):
    path = os.path.join(cage.names["dir"], "file")
    if not os.path.exists(path):
        with open(path, "wb") as f:
            f.write(os.urandom(1 << 20) * (FILE_BYTES >> 20))
    return path


def told(got):
    return (f"{got['alone'] / 1e6:,.0f} MB for a second of processor time alone, {got['attacked'] / 1e6:,.0f} MB attacked: "
            f"{got['ratio'] * 100:.0f} % (in time {got['time'] * 100:.0f} %, {got['rounds']} rounds)")


def duel(cage, served, loop, crowd, words=None, rate=None):
    own, pair = words or SERVED[served]
    return Duel(cage, own.format(loop=loop), pair.format(file=file_of(cage)), crowd, max(many_of(loop), SILENT) + 20, rate)


def left(fds, rss):
    return f"afterwards {fds:+d} descriptors, {rss:+,d} KiB"


# Whose bytes are in place


def never_read(served, loop, cage, words=None, many=None):
    """Echo: they send until no byte is taken. A file and a room fill what lies between by themselves. The buffers of a socket grow
    to 4 MiB and more, and Linux has only so much for all of them: a thousand that never read would take all of it, so a server
    of so many is given a bound for each."""
    many = many or many_of(loop)
    each = "" if served == "echo" else "bytes=0"
    ground = duel(cage, served, loop, f"kind=hold clients={many} own=4096 {each}", words)
    fill(cage, ground, served)
    got = ground.judged()
    rss = ground.loud.rss_kib() - ground.before[1]
    crowd = ground.crowd.report()
    fds, after = ground.after()
    holds = got["holds"] and fds <= 0 and crowd["here"] == many
    sent = f" after {crowd['done'] / many / 1024:,.0f} KiB each" if served == "echo" else ""
    return holds, f"{told(got)}; {many} never read{sent}, memory {rss / many:.1f} KiB each; {left(fds, after)}"


def fill(cage, ground, served):
    """A room talks until the buffers of deaf members are full: from now on lines are left out for them, and the pair gets no
    faster."""
    before = 0
    for _ in range(FILLS if served == "chat" else 0):
        got = honest(cage, ground.pair, ground.loud, FILL_S)[0]
        if got < before * 1.1:
            return
        before = got


def drip(served, loop, cage):
    many = many_of(loop)
    ground = duel(cage, served, loop, f"kind=drip clients={many} own=4096", rate=DRIPS)
    fill(cage, ground, served)
    got = ground.judged()
    crowd = ground.crowd.report()
    fds, after = ground.after()
    return got["holds"] and fds <= 0, (
        f"{told(got)}; {many} drip {ground.rate} bytes/s, {crowd['done']:,} in all; {left(fds, after)}")


def reset(served, loop, cage):
    ground = duel(cage, served, loop, "kind=reset", rate=RESETS[served])
    got = ground.judged()
    crowd = ground.crowd.report()
    fds, after = ground.after()
    return got["holds"] and fds <= 0 and after <= RSS_KIB, (
        f"{told(got)}; {ground.rate} resets/s, {crowd['done']:,} in all; {left(fds, after)}")


def handshakes(loop, cage):
    ground = duel(cage, "tls", loop, f"kind=hold clients={SILENT} bytes=0", TLS)
    settled(lambda: ground.loud.fds() - ground.before[0] >= SILENT, 2)
    inside = ground.loud.fds() - ground.before[0]
    got = ground.judged()
    ground.crowd.report()
    fds, after = ground.after()
    return got["holds"] and fds <= 0 and inside >= SILENT, (
        f"{told(got)}; {inside} handshakes stalled; {left(fds, after)}")


# Descriptors, memory, the processor


def emfile(loop, cage):
    """20 descriptors, 60 clients: accepted ones are served, the rest when there is room; meanwhile it sleeps."""
    server = Server(cage, f"echo --loop {loop} 127.0.0.1:0")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (20, 20))
    waiting = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(60)]
    try:
        for sock in waiting:
            sock.sendall(b"x")
        settled(lambda: server.fds() == 20, 5)
        inside = len(select.select(waiting, [], [], 1)[0])
        part, sleeps = server.used(2)
        served = 0
        while waiting and (ready := select.select(waiting, [], [], 10)[0]):
            for sock in ready:
                served += sock.recv(1) == b"x"
                waiting.remove(sock)
                sock.close()
    finally:
        for sock in waiting:
            sock.close()
    return part < 0.01 and served == 60, (
        f"{inside} of 60 served at once, {served} in the end; while full {part * 100:.2f} % of a processor, {sleeps} wake-ups in 2 s")


def endless(words, loop, cage):
    """Lines without an end: what is kept of each is bounded, and others are served."""
    many, each = 100, 4 << 20
    server = Server(cage, words.format(loop=loop))
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(b"x\n")
    settled(lambda: not connections(server.port), 5)
    fds, rss = server.fds(), server.rss_kib()
    crowd = Crowd(cage, server.port, f"kind=hold clients={many} bytes={each} line=0 word=aaaaaaaaaaaaaaaa")
    grown = server.rss_kib() - rss
    report = crowd.report()
    served = not words.startswith("chat") or chatted(server.port)
    settled(lambda: server.fds() <= fds, 10)
    return grown <= many * 4096 // 1024 + RSS_KIB and served and server.fds() <= fds, (
        f"{report['done'] / 2**20:,.0f} MiB of endless lines from {many}, {report['here']} not hung up on, memory {grown:+,d} KiB; "
        f"{left(server.fds() - fds, server.rss_kib() - rss)}")


def connections(port):
    """Of this port, those that are open at the server's end."""
    with open("/proc/net/tcp") as f:
        return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] in ("01", "08") for line in list(f)[1:])


def chatted(port):
    """Two newcomers hear each other."""
    with socket.create_connection(("127.0.0.1", port), 10) as one, socket.create_connection(("127.0.0.1", port), 10) as two:
        two.recv(100)
        one.sendall(b"a good word\n")
        got = b""
        while b"a good word" not in got and (part := two.recv(4096)):
            got += part
    return b"a good word" in got


def churn(loop, cage):
    times = 100_000
    server = Server(cage, f"echo --loop {loop} 127.0.0.1:0")
    run = lambda n: cage.load("churn at_once=64", port=server.port, times=n, seconds=120)  # noqa: E731
    for turn in (2000, times):
        if turn == times:
            settled(lambda: server.fds() < 20, 5)
            fds, rss = server.fds(), server.rss_kib()
        load = run(turn)
        load.says()
        load.go()
        got = load.report(150)
        load.let_go()
        load.wait()
    settled(lambda: server.fds() <= fds, 10)
    more, grown = server.fds() - fds, server.rss_kib() - rss
    return got["ops"] >= times and more <= 0 and abs(grown) <= RSS_KIB, (
        f"{got['ops']:,} connections, 64 bytes to and fro, {got['ops'] * 1e9 / got['ns']:,.0f} a second; {left(more, grown)}")


def idle(cage):
    many = 10_000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < many + 100:
        raise Skip(f"needs {many + 100} descriptors")
    server = Server(cage, "echo 127.0.0.1:0", most=0)
    rss, began = server.rss_kib(), time.monotonic()
    crowd = Crowd(cage, server.port, f"kind=hear clients={many}")
    took = time.monotonic() - began
    each = (server.rss_kib() - rss) / many
    part, sleeps = server.used(5)
    report = crowd.report()
    return part < 0.001 and sleeps == 0 and report["here"] == many and each <= 2, (
        f"{many:,} clients served once in {took:.1f} s, {each:.2f} KiB each; idle for 5 s: {part * 100:.4f} % of a processor, "
        f"{sleeps} wake-ups")


SITUATIONS = {}
for _loop in ("epoll", "select"):
    for _what in (never_read, drip, reset):
        for _served in SERVED:
            SITUATIONS[f"{_what.__name__.replace('_', '-')} {_served} {_loop}"] = functools.partial(_what, _served, _loop)
    SITUATIONS[f"never-read echo {_loop}"] = functools.partial(never_read, "echo", _loop, words=BOUND)
    SITUATIONS[f"never-read echo {_loop} 100"] = functools.partial(never_read, "echo", _loop, many=100)
    SITUATIONS[f"handshakes tls {_loop}"] = functools.partial(handshakes, _loop)
    SITUATIONS[f"emfile echo {_loop}"] = functools.partial(emfile, _loop)
    for _name, _words in {"chat": "chat --loop {loop} 127.0.0.1:0", "serve": "serve --loop {loop} 127.0.0.1:0",
                          "frames": "serve --loop {loop} --frame nul,max=4096 127.0.0.1:0"}.items():
        SITUATIONS[f"endless {_name} {_loop}"] = functools.partial(endless, _words, _loop)
    SITUATIONS[f"churn echo {_loop}"] = functools.partial(churn, _loop)
SITUATIONS["idle echo epoll"] = idle
SITUATIONS.update(REFLECTIONS)
