#!/usr/bin/env python3
"""What the sandbox costs a run: `sockctl connect` to an echo and back, from start to end, with --sandbox auto and off by turns.

usage: tests/bench/sandbox.py [ROUNDS]      make bench-sandbox

Each round is RUNS runs of either; what is printed is the middle one of the rounds, for they share the machine with whatever runs
beside them. Instructions are those outside the kernel, counted by callgrind, under which the filter is made but not put in place.
"""
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SOCKCTL", str(TOP / "sockctl"))
SPAWN = TOP / "build" / "bench" / "spawn"
RUNS = 100


def words_of(how, port):
    return [PROGRAM, "connect", "--sandbox", how, "127.0.0.1", port]


def spawned(how, port):
    """ms of processor, and of time in the middle, for one run."""
    done = subprocess.run([SPAWN, f"runs={RUNS}", "code=0", "--", *words_of(how, port)], check=True, stderr=subprocess.PIPE)
    said = json.loads(done.stderr)
    return said["cpu_us"] / said["ops"] / 1000, said["p50"] / 1000


def instructions(how, port):
    if not shutil.which("valgrind"):
        return None
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *words_of(how, port)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    return int(found[1]) if found else None


def measure(rounds, port):
    costs = {"off": [], "auto": []}
    for _ in range(rounds):
        for how, seen in costs.items():
            seen.append(spawned(how, port))
    for how, seen in costs.items():
        cpu, p50 = (statistics.median(figures) for figures in zip(*seen))
        print(f"{how:5} {cpu:.3f} ms of processor, {p50:.3f} ms from start to end, instructions: {instructions(how, port)}")
    more = [[auto - off for auto, off in zip(*pair)] for pair in zip(costs["auto"], costs["off"])]
    cpu, p50 = (statistics.median(figures) for figures in zip(*more))
    print(f"more  {cpu:.3f} ms of processor, {p50:.3f} ms from start to end ({rounds} rounds of {RUNS} runs each)")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    echo = subprocess.Popen([PROGRAM, "echo", "--print-port", "127.0.0.1", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    try:
        measure(rounds, echo.stdout.readline().strip())
    finally:
        echo.terminate()
        echo.wait()


main()
