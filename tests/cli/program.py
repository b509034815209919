"""The program that is tested: which, and what it was built with."""
import functools
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(os.environ.get("SOCKCTL") or TOP / "sockctl")


@functools.lru_cache(maxsize=None)
def has_tls():
    """Whether it was built with it: --version names the features."""
    try:
        said = subprocess.run([BINARY, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"tls" in said.partition(b"features:")[2].split()


@functools.lru_cache(maxsize=None)
def is_sanitized():
    with open(BINARY, "rb") as file:
        return b"__asan_init" in file.read()
