"""The examples of a text, run as they stand: same commands, same ports, same output.

They use ports of their own choice, so each runs in namespaces of its own (isolation.py), where those are free and where the names
that the texts use (example.org and its like) are this machine's.
"""

import os
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path

import isolation

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SOCKCTL", ROOT / "sockctl")).resolve()
PATIENCE_S = 60
HOSTS = "127.0.0.1 localhost server receiver host\n::1 localhost\n192.0.2.1 example.org db.example.org mail.example.org proxy db\n"
SETUP = ("ip link set lo up\nfor a in 192.0.2.1 192.0.2.53; do ip addr add $a/32 dev lo; done\n"
         'mount --bind "$HOSTS" /etc/hosts\n')


def examples(path):
    """[(commands, expected output)] of a text."""
    return re.findall(r"```sh\n(.*?)```\n```text\n(.*?)```", (ROOT / path).read_text(), re.S)


def run(code, folder, **more_env):
    """The output, the words on stderr and the exit status of a script for bash, run in a folder. No process of it is left."""
    words = isolation.words()
    bin_dir = folder / "bin"
    bin_dir.mkdir()
    (bin_dir / "sockctl").symlink_to(BINARY)
    (bin_dir / "hosts").write_text(HOSTS)
    env = dict(os.environ, PATH=f"{bin_dir}:{os.environ['PATH']}:/usr/sbin", HOSTS=str(bin_dir / "hosts"), **more_env)
    env["ASAN_OPTIONS"] = "detect_leaks=0"  # which would look for itself in the /proc of other processes
    with open(bin_dir / "out", "w+b") as out, open(bin_dir / "err", "w+b") as err:  # files: servers may go on with them
        shell = subprocess.Popen([*words, shutil.which("bash"), "-c", SETUP + code], cwd=folder, env=env,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        end = os.pidfd_open(shell.pid)
        ended = select.select([end], [], [], PATIENCE_S)[0]
        os.close(end)
        try:
            os.killpg(shell.pid, signal.SIGTERM if ended else signal.SIGKILL)  # the servers that an example leaves
        except ProcessLookupError:
            pass
        shell.wait()
        for file in (out, err):
            file.seek(0)
        return out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace"), shell.returncode
