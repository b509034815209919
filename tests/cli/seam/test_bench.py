"""`make bench`, with little to do: what it says can be parsed, a tool that loses bytes gets no figure, and nothing stays behind.
How fast anything is decides nothing here."""
import fcntl
import json
import os
import signal
import subprocess
import sys
import uuid

import pytest

import wire
from conftest import BINARY, TOP

BENCH = TOP / "tests" / "bench" / "bench.py"
SMALL = ["--rounds", "1", "--seconds", "0.02", "--bytes", "1048576"]

pytestmark = [pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures through /proc"),
              pytest.mark.whole("nothing is measured so")]


@pytest.fixture(scope="session", autouse=True)
def generators(tmp_path_factory):
    """Built once, though several workers may want them."""
    with open(tmp_path_factory.getbasetemp().parent / "bench.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        subprocess.run(["make", "-s", "-C", TOP, "bench-programs"], env=environ, check=True, timeout=wire.DEADLINE * 4)


class Bench:
    """The driver in a process of its own. Everything that it starts inherits a mark, by which it can be found."""

    def __init__(self, folder, path=None):
        self.folder = folder
        self.mark = f"BENCH_TEST={uuid.uuid4()}"
        name, value = self.mark.split("=")
        self.environ = {**os.environ, name: value, "SOCKCTL": BINARY, "PATH": str(path) if path else os.environ["PATH"]}

    def start(self, *words):
        return subprocess.Popen([sys.executable, BENCH, "--dir", self.folder, *words], env=self.environ, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words):
        with self.start(*words) as proc:
            out, err = proc.communicate(timeout=wire.DEADLINE * 4)
        assert (proc.returncode, err) == (0, "")
        assert self.left() == []
        return out

    def row(self, name, *words):
        """The row's part of the JSON of a small run."""
        file = self.folder / "bench.json"
        self.run("--only", name, "--json", file, *SMALL, *words)
        (row,) = json.loads(file.read_text())["rows"]
        assert os.listdir(self.folder) == ["bench.json"]
        return row

    def left(self):
        """The command lines of what carries the mark."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if self.mark.encode() not in f.read().split(b"\0"):
                        continue
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    found.append(f.read().replace(b"\0", b" ").decode())
            except OSError:  # ended meanwhile, or not ours
                pass
        return found


@pytest.fixture
def bench(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return Bench(folder)


def test_list(bench):
    said = bench.run("--list")
    for name in ("pipe-pipe", "tls", "echo-1000", "udp-receive", "refused"):
        assert f"\n{name} " in f"\n{said}"


def test_an_unknown_row_is_refused(bench):
    with bench.start("--only", "echo-1,no-such-row") as proc:
        out, err = proc.communicate(timeout=wire.DEADLINE)
    assert proc.returncode == 2 and out == "" and "no-such-row" in err


@pytest.mark.parametrize("name", ["pipe-pipe", "file-null", "pipe-file", "recv-pipe", "unix"])
def test_a_stream(bench, name):
    row = bench.row(name)
    ours = row["tools"]["sockctl"]
    assert len(ours["runs"]) == 1 and ours["median"]["rate"] > 0 and ours["median"]["cpu"] >= 0
    assert {goal["figure"] for goal in row["goals"]} == {"rate", "cpu"}


@pytest.mark.parametrize("name, figure", [
    ("echo-64", "p99"), ("both-ways", "rate"), ("churn", "rate"), ("memory", "memory"), ("chat-10", "rate"), ("udp-send", "loss"),
    ("udp-echo", "loss"), ("udp-receive", "loss")])
def test_without_a_peer(tmp_path, name, figure):
    """A tool not installed is skipped by name."""
    folder, nothing = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    nothing.mkdir()
    row = Bench(folder, path=nothing).row(name)
    assert figure in row["tools"]["sockctl"]["median"]
    assert row["skipped"]["socat" if "socat" in row["skipped"] else "ncat"] == "not installed"


def test_a_changed_byte_gets_no_figure(tmp_path):
    folder, path = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    path.mkdir()
    fake = path / "nc.openbsd"
    fake.write_text("#!/bin/bash\nLC_ALL=C exec tr '\\201' '\\202' >/dev/tcp/$2/$3\n")
    fake.chmod(0o755)
    row = Bench(folder, path=f"{path}:{os.environ['PATH']}").row("send-pipe")
    assert "not what was sent" in row["skipped"]["nc.openbsd"]
    assert "sockctl" in row["tools"]


def test_results_and_picture(bench):
    """Not where they stand in the tree: that is for a full run."""
    bench.run("--only", "echo-1", *SMALL, "--svg", bench.folder / "ratios.svg")
    picture = (bench.folder / "ratios.svg").read_text()
    assert picture.startswith("<svg ") and "echo of 64 bytes, 1 connection" in picture


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_an_interrupted_run(bench, signo):
    with bench.start("--only", "echo-1", "--rounds", "1", "--seconds", "60") as proc:
        wire.until(lambda: any("build/bench/echo" in line for line in bench.left()), "clients at work")
        proc.send_signal(signo)
        proc.communicate(timeout=wire.DEADLINE)
        assert proc.returncode == (-signo if signo == signal.SIGKILL else 128 + signo)
    wire.until(lambda: bench.left() == [], "everything gone")
    if signo != signal.SIGKILL:
        assert os.listdir(bench.folder) == []
