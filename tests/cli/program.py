"""The program that is tested: which, and what it was built with."""
import errno
import functools
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(os.environ.get("SOCKCTL") or TOP / "sockctl")


@functools.lru_cache(maxsize=None)
def version():
    try:
        return subprocess.run([BINARY, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""


def has_tls():
    """Whether it was built with it: --version names the features."""
    return b"tls" in version().partition(b"features:")[2].split()


MUSL = {errno.EADDRINUSE: "Address in use", errno.EHOSTUNREACH: "Host is unreachable", errno.ENETUNREACH: "Network unreachable",
        errno.EMSGSIZE: "Message too large"}


def words_of(number):
    """What the C library that it was built with says of this errno."""
    return MUSL.get(number, os.strerror(number)) if b"musl" in version() else os.strerror(number)


@functools.lru_cache(maxsize=None)
def is_sanitized():
    with open(BINARY, "rb") as file:
        return b"__asan_init" in file.read()
