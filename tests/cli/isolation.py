"""What may use fixed ports, mounts and names of hosts runs in namespaces of its own: a network, a view of the file system, and
processes of which none is left when it has ended. Where the system gives none of these, such a test is skipped, with a line at the
end of the run that says so; it never runs in the open.
"""
import functools
import os
import subprocess

import pytest

import netns

OWN = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--"]
PROBE = ["sh", "-c", "ip link set lo up && mount -t tmpfs none /mnt"]
WANTED = "no isolation"  # how the reason of each such skip begins


@functools.cache
def _found():
    """(the words that give a command namespaces of its own, or None; why not)"""
    ways = [["unshare", *OWN]] if os.geteuid() == 0 else []  # root needs no user namespace, which may be refused
    ways.append(["unshare", "--map-root-user", *OWN])
    why = ""
    for words in ways:
        try:
            done = subprocess.run([*words, *PROBE], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except FileNotFoundError:
            return None, "unshare is not installed"
        if done.returncode == 0:
            return words, ""
        why = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}"
    return None, why


def words():
    """What is put before a command. Skips the test where the system allows none."""
    found, why = _found()
    if found is None:
        skip(why)
    return found


def skip(why):
    pytest.skip(f"{WANTED}: {why}")


@functools.cache
def networks():
    """A mark for tests over networks of their own (tests/tools/netns.py)."""
    why = netns.refusal()
    return pytest.mark.skipif(bool(why), reason=f"{WANTED}: {why}")


def summary(skipped):
    """The loud line, or nothing: of the reasons of all skipped tests."""
    missed = [reason for reason in skipped if WANTED in reason]
    if not missed:
        return ""
    first = missed[0].split(f"{WANTED}: ")[1]
    tests = "1 test wants namespaces of its own" if len(missed) == 1 else f"{len(missed)} tests want namespaces of their own"
    return (f"NOT RUN: {tests}, which this system refuses ({first}). To run them: as root with CAP_SYS_ADMIN (docker run --privileged), "
            "or sysctl user.max_user_namespaces above 0 (Debian also: kernel.unprivileged_userns_clone=1)")
