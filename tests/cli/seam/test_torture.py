"""A sample of the fault sweep, and the row of sockctl of the one from outside. All of it: make torture, make torture-compare."""
import os
import subprocess
import sys

import pytest

from program import BINARY, TOP, has_tls, is_sanitized

SEAM = os.environ.get("SOCKCTL_SEAM_BIN", "")
RUNS = 200 if os.environ.get("SOCKCTL_LONG") else 24

pytestmark = [pytest.mark.skipif(not os.access(SEAM, os.X_OK), reason="no seam build"),
              pytest.mark.skipif(not has_tls(), reason="built without TLS"),
              pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts through /proc")]


def sweep(*words):
    env = {**os.environ, "SOCKCTL": BINARY, "SOCKCTL_SEAM_BIN": SEAM, "TORTURE_STALL_S": "4"}
    done = subprocess.run([sys.executable, TOP / "tests" / "torture" / "torture.py", *map(str, words)], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def total(text):
    """The table's last row, by its columns."""
    lines = [line for line in text.splitlines() if line.strip()]
    last = next(n for n, line in enumerate(lines) if line.startswith("all "))
    head = next(line for line in lines if line.lstrip().startswith("runs "))
    return dict(zip(head.split(), map(int, lines[last].split()[1:])))


@pytest.mark.timeout(600)
def test_a_sample_of_faults():
    more = ["--without", "crypto"] if is_sanitized() else []  # OpenSSL itself leaks where it gets no memory
    code, text = sweep("--runs", RUNS, "--jobs", 2, *more)
    assert code == 0, text
    assert total(text)["runs"] == RUNS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", ["listen.tls.stdio.mute", "listen.tls.stdio.half", "echo.tcp.echo.three", "echo.tls.echo.queue",
                                   "serve.tcp.receive.term", "serve.tls.exec.term", "serve.tcp.forward.run", "serve.tcp.exec.life"])
def test_nothing_is_taken_from_a_client(scene):
    """Four times the order in which things happen beside strangers, in a crowd and at an end from outside, with failing calls."""
    more = ["--without", "crypto"] if is_sanitized() else ["--without", "memory"]
    code, text = sweep("--only", scene, "--runs", 4, "--jobs", 2, *more)
    assert code == 0, text


def test_the_sweep_sees_what_is_wrong(tmp_path):
    """A program that loses a byte and says nothing."""
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\ncase $SOCKCTL_SEAM in *short*) shift; echo lost; exit 0;; esac\nexec {SEAM} \"$@\"\n")
    liar.chmod(0o755)
    os.environ["SOCKCTL_SEAM_BIN"], before = str(liar), os.environ["SOCKCTL_SEAM_BIN"]
    try:
        env = {**os.environ, "SOCKCTL": BINARY}
        done = subprocess.run([sys.executable, TOP / "tests" / "torture" / "torture.py", "--only", "connect.tcp.stdio.copy", "--fault", "short=1"],
                              env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:
        os.environ["SOCKCTL_SEAM_BIN"] = before
    assert done.returncode == 1
    assert total(done.stdout.decode())["lost"] == 1


@pytest.mark.skipif(is_sanitized(), reason="leaks cannot be looked for under strace")
def test_from_outside(need):
    need("strace")
    done = subprocess.run([sys.executable, TOP / "tests" / "torture" / "compare.py", "--only", "sockctl", "--quick"],
                          env={**os.environ, "SOCKCTL": BINARY}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode()
    assert done.returncode == 0, text
    rows = {row[0]: int(row[2]) for row in map(str.split, text.splitlines()) if row[1:2] == ["sockctl"]}
    assert set(rows) == {"dial", "mute", "many", "echo", "term", "killed"}
    assert rows["dial"] > 50 and all(runs > 10 for runs in rows.values()), text
