"""What wants namespaces of its own: root gets them without a user namespace; where there are none, such a test is skipped, loudly,
and leaves nothing outside."""
import os
import re
import subprocess
import sys

import pytest

from program import TOP

NO_MORE_USERS = "echo 0 >/proc/sys/user/max_user_namespaces || exit 99\n"
EXAMPLE = "tests/cli/cli/test_docs.py::test_example[README.md-0]"


def run(words, before=""):
    """One example of README, as an own pytest; before it, in a user namespace of its own, these words of shell."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    pytest_words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE]
    return subprocess.run([*words, "sh", "-c", before + 'exec "$@"', "sh", *pytest_words], cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)


def mounts():
    with open("/proc/self/mountinfo") as f:
        return f.read()


def in_user_namespace(*words):
    """The words for a user namespace in which further ones can be forbidden."""
    words = [*words, "unshare", "--user", *(["--map-current-user", "--keep-caps"] if words else ["--map-root-user"]), "--"]
    probe = NO_MORE_USERS + f"exec test -r '{TOP}/tests/cli/conftest.py'"
    if subprocess.run([*words, "sh", "-c", probe], capture_output=True).returncode != 0:
        pytest.skip("no user namespace here in which to refuse others")
    return words


def test_root_needs_no_user_namespace():
    done = run(in_user_namespace(), NO_MORE_USERS)
    assert done.returncode == 0 and re.search(r"^1 passed", done.stdout, re.M), done.stdout


@pytest.mark.parametrize("user", [[], ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]], ids=["root", "user"])
def test_none_at_all(user):
    if user and os.geteuid() != 0:
        pytest.skip("only root can be another user")
    before = mounts()
    no_rights = NO_MORE_USERS + 'set -- setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"\n'
    done = run(in_user_namespace(*user), no_rights)
    assert done.returncode == 0 and re.search(r"^1 skipped", done.stdout, re.M), done.stdout
    assert "NOT RUN: 1 test wants namespaces of its own" in done.stdout
    assert mounts() == before
