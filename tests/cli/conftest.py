"""What every test has at hand: `sockctl` starts the program and looks after it, `place` says where, `pair` joins it to a peer.

SOCKCTL names the program (default: the one at the top of the tree), SOCKCTL_SEAM_BIN the build with the fault seam, and
SOCKCTL_TEST_FLAGS options that every run of a mode gets (see make check-copy). A test that asks for the loops gets one of them at
each place, in turn; with SOCKCTL_TEST_LOOPS=other the other one, with both it gets both. SOCKCTL_TEST_SAMPLE=N runs at most N cases
of each test.

A server is always asked for port 0 and waited for through --ready-fd. After each test everything that was started must end by
itself when asked to, and no child, descriptor, thread or socket file may be left.
"""
import gc
import os
import re
import resource
import select
import shutil
import signal
import stat
import sys
import zlib

import pytest

from program import BINARY, TOP, has_tls

sys.path.insert(0, str(TOP / "tests" / "tools"))
sys.path += [str(folder) for folder in (TOP / "tests" / "cli").iterdir() if folder.is_dir()]  # fixtures of other topics

import isolation  # noqa: E402
import neighbours  # noqa: E402
import wire  # noqa: E402
from place import DATAGRAMS, STREAMS, Address, Place, make_place  # noqa: E402
from proc import SANITIZER, Proc  # noqa: E402

LOOPS = ("select", "epoll")
MANY = ("serve", "echo", "chat")
BOTH_LOOPS, OTHER_LOOP = (os.environ.get("SOCKCTL_TEST_LOOPS") == word for word in ("both", "other"))
SAMPLE = int(os.environ.get("SOCKCTL_TEST_SAMPLE") or 0)
FLAGS = os.environ.get("SOCKCTL_TEST_FLAGS", "").split()


def pytest_configure(config):
    config.addinivalue_line("markers", "whole(why): not where each byte is moved by a call of its own (make check-short)")
    config.addinivalue_line("markers", "neighbours: bad ones stand beside its clients at each TLS server (neighbours.py)")
    config.addinivalue_line("markers", "tls: not with a program that was built without it")
    config.addinivalue_line("markers", "no_tls(why): a test of all places but the one with TLS, where it makes no sense")
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is not there: run make first, or name the program in SOCKCTL", returncode=2)
    # A script's background job and nohup ignore these, and programs that are started here would inherit that. nohup still holds for us.
    for number in (signal.SIGINT, signal.SIGQUIT, *([signal.SIGHUP] if hasattr(config, "workerinput") else [])):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 8192:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 8192), hard))


def pytest_generate_tests(metafunc):
    """The places of a test, each under a loop where it asks for one (SOCKCTL_TEST_LOOPS: the other one, or both). TLS is above the
    loop, and IPv6 differs from IPv4 in its addresses only: one of them will do there."""
    names = [name for name in ("loop", "place") if name in metafunc.fixturenames]
    loops = LOOPS if "loop" in names else [""]
    kinds = [kind for kind in STREAMS if kind != "tls" or not metafunc.definition.get_closest_marker("no_tls")]
    turn = zlib.crc32(metafunc.definition.name.encode()) + OTHER_LOOP
    its_loop = loops[turn % len(loops)]
    if BOTH_LOOPS:
        both = [(loop, kind) for loop in loops for kind in kinds if kind not in ("tls", "tcp6") or loop == its_loop]
    else:
        both = [(loops[(turn + i) % len(loops)], kind) for i, kind in enumerate(kinds)]
        loops = [its_loop]
    if names == ["loop", "place"]:
        metafunc.parametrize(names, both, indirect=True)
    elif names:
        metafunc.parametrize(names[0], loops if names == ["loop"] else kinds, indirect=True)


def sample_cases(config, items):
    """At most SAMPLE cases of each test stay, the same ones in every run."""
    cases = {}
    for item in items:
        cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    chosen = {item for every in cases.values() for item in sorted(every, key=lambda item: zlib.crc32(item.nodeid.encode()))[:SAMPLE]}
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


def pytest_collection_modifyitems(config, items):
    if SAMPLE:
        sample_cases(config, items)
    for item in items:
        if wire.LESS > 1 and item.path.stem.startswith(("test_tls_", "test_torture", "test_valgrind")):
            item.add_marker(pytest.mark.skip(reason="it takes too long byte by byte"))
        if item.get_closest_marker("tls") and not has_tls():
            item.add_marker(pytest.mark.skip(reason="built without TLS"))
        for mark in item.iter_markers("whole"):
            if wire.LESS > 1:
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))


def pytest_terminal_summary(terminalreporter):
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)]
    if line := isolation.summary(reasons):
        terminalreporter.write_line(line, red=True, bold=True)


def pytest_collection_finish():
    """The thousands of tests themselves are no garbage: left out, looking for it twice a test takes no time."""
    gc.collect()
    gc.freeze()


def flags_of(words):
    """SOCKCTL_TEST_FLAGS; but --sandbox strict refuses where programs are started or names are asked for again and again, and a
    test that is about the sandbox says itself what it wants."""
    words = [str(word) for word in words]
    own = any(word in ("-e", "--exec", "--") or word.startswith(("--exec=", "--sandbox")) for word in words)
    asks = any(option == "--forward" and ("--proxy" in words or re.match(r"(?!unix)(\w+://)?[a-z]+[.:](?!//)", where))
               for option, where in zip(words, words[1:]))
    return [] if "--sandbox" in FLAGS and (own or asks) else FLAGS


class Runner:
    """Starts sockctl in all the ways tests need, and ends what a test leaves running."""

    def __init__(self, folder, loop):
        self.binary = BINARY
        self.folder = folder
        self.loop = ["--loop", loop] if loop else []
        self.procs = []
        self.neighbours = False

    def start(self, mode, *words, **how):
        flags = flags_of(words) if mode in MANY + ("connect", "listen") else []
        beside = [more for word in words if isinstance(word, Address) for more in word.beside(mode, words)]
        return self.program([self.binary, mode, *flags, *self.loop, *beside, *words], **how)

    def program(self, argv, **how):
        """Any program, looked after like our own."""
        proc = Proc(argv, **how)
        self.procs.append(proc)
        return proc

    def run(self, mode, *words, stdin=b"", **how):
        """Start to end: the finished process. stdin is closed after the given bytes."""
        proc = self.start(mode, *words, stdin=stdin, **how)
        proc.wait()
        return proc

    def serve(self, mode, place, *words, pass_fds=(), **how):
        """A server at port 0 of the place (or the words given instead of one), returned when it is ready, its port known."""
        address = place.words() if isinstance(place, Place) else list(place)
        reads, writes = os.pipe()
        try:
            proc = self.start(mode, "--ready-fd", writes, *words, *address, pass_fds=(*pass_fds, writes), **how)
        finally:
            os.close(writes)
        try:
            said = b""
            while not said or not said.endswith(b"\n"):
                assert select.select([reads], [], [], wire.DEADLINE)[0], f"not ready: {proc}"
                part = os.read(reads, 64)
                if not part:
                    break
                said += part
            if not said:  # it closed the descriptor by ending
                proc.wait()
                raise AssertionError(f"never ready: {proc}")
        finally:
            os.close(reads)
        number = said.strip().decode()
        proc.port = int(number) if number.isdigit() else 0
        if isinstance(place, Place):
            place.port = proc.port
        if self.neighbours and any("tls://127.0.0.1:" in word for word in address):
            neighbours.surround("127.0.0.1", proc.port, neighbours.QUIET)
        return proc

    def connect(self, place, *words, **how):
        return self.start("connect", *words, *place.words(), **how)

    def clean_up(self):
        """Peers go first, then every program must end when told to."""
        wire.close_all()
        wrong = []
        for proc in self.procs:
            try:
                if proc.code is None and proc.alive():
                    ours = proc.argv[0] == self.binary
                    if proc.stopped():  # by a test that failed; SIGCONT in vain makes a sanitizer's look for leaks hang
                        proc.signal(signal.SIGCONT)
                    proc.signal(signal.SIGTERM)
                    proc.wait()
                    # connect and listen may end by themselves, now that their peer is gone; and a peer that has just gone
                    # may have left something that a server can no longer answer
                    good = (0, 7) if proc.argv[1] in MANY else (-signal.SIGTERM, 0, 7)
                    if ours and proc.code not in good:
                        wrong.append(f"after SIGTERM: {proc}")
                else:
                    proc.wait()
                if SANITIZER.search(proc.err):
                    wrong.append(f"sanitizer: {proc.argv}\n{proc.err.decode('utf-8', 'replace')}")
                if proc.group_left():
                    wrong.append(f"a child is left: {proc}")
            except AssertionError as e:
                wrong.append(str(e))
            finally:
                proc.kill()
        return wrong


def socket_files(folder):
    return [str(p) for p in folder.rglob("*") if stat.S_ISSOCK(p.lstat().st_mode)]


def descriptors():
    gc.collect()
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()


@pytest.fixture
def sockctl(request, tmp_path):
    loop = request.getfixturevalue("loop") if "loop" in request.fixturenames else None
    before = descriptors()
    runner = Runner(tmp_path, loop)
    runner.neighbours = request.node.get_closest_marker("neighbours") is not None
    yield runner
    wrong = runner.clean_up()
    wrong += [f"socket file left: {path}" for path in socket_files(tmp_path)]
    left = descriptors() - before
    wrong += [f"our descriptor left: {os.readlink('/proc/self/fd/' + n)}" for n in left if os.path.exists("/proc/self/fd/" + n)]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def loop(request):
    """Ask for it (usefixtures) where the loop's backend can matter."""
    if request.param == "epoll" and not sys.platform.startswith("linux"):
        pytest.skip("epoll is Linux's")
    return request.param


@pytest.fixture
def place(request, tmp_path):
    return make_place(request.param, tmp_path)


@pytest.fixture(params=DATAGRAMS)
def dgram(request, tmp_path):
    return make_place(request.param, tmp_path)


@pytest.fixture
def tcp(tmp_path):
    """The one place for what does not depend on the transport."""
    return Place("tcp4", tmp_path)


@pytest.fixture
def pair(sockctl):
    """pair(role, place, words…): sockctl in that role, joined to a socket of ours: (program, socket)."""

    def make(role, place, *words, rcvbuf=None, **how):
        if role == "connect":
            listener = place.listen(rcvbuf=rcvbuf)
            proc = sockctl.connect(place, *words, **how)
            return proc, wire.accept(listener)
        proc = sockctl.serve(role, place, *words, **how)
        return proc, place.dial(rcvbuf=rcvbuf)

    return make


@pytest.fixture
def need():
    """need("ncat"): the path of a peer program, or the test is skipped by its name."""

    def find(name):
        path = shutil.which(name)
        if not path:
            pytest.skip(f"{name} is not installed")
        return path

    return find

