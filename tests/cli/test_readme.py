"""The examples of the README, run as they stand: same commands, same ports, same output.

They use ports 7000, 8000 and 6379, so each runs in a network namespace of its own, where those are free.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SOCKCTL", ROOT / "sockctl")).resolve()
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```\n```text\n(.*?)```", README, re.S)


def namespace():
    """The words that give a command a loopback of its own; nothing where the system allows no namespaces."""
    words = ["unshare", "--map-root-user", "--net", "--"]
    if subprocess.run([*words, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
        return words
    return []


def test_all_are_found():
    """Five worth stealing, five for a test suite."""
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(number, tmp_path):
    code, expected = EXAMPLES[number]
    (tmp_path / "hello.txt").write_text("hello\n")
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "sockctl").symlink_to(BINARY)
    env = dict(os.environ, PATH=f"{bin_dir}:{os.environ['PATH']}")
    words = namespace()
    script = ("ip link set lo up\n" if words else "") + code
    run = subprocess.Popen(
        [*words, shutil.which("bash"), "-c", script], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = communicate(run)
    finally:
        try:
            os.killpg(run.pid, signal.SIGTERM)  # the servers that an example leaves in the background
        except ProcessLookupError:
            pass
    assert out == expected, err


def communicate(run):
    """Output up to the end of the shell, not of the servers that it leaves running with our pipes."""
    import selectors
    import time

    deadline = time.monotonic() + 60
    got = {run.stdout: "", run.stderr: ""}
    with selectors.DefaultSelector() as sel:
        for pipe in got:
            os.set_blocking(pipe.fileno(), False)
            sel.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ended = run.poll() is not None
            for key, _ in sel.select(0 if ended else 0.1):
                part = key.fileobj.read()
                if part:
                    got[key.fileobj] += part
                else:
                    sel.unregister(key.fileobj)
            if ended or not sel.get_map():
                break
    run.wait(5)
    return got[run.stdout], got[run.stderr]
