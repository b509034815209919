#!/usr/bin/env python3
"""Hostile load: one situation after the other, and whether an honest client, or the server, notices. `make hostile` builds all of it.

    tests/hostile/hostile.py [--only WORD] [--times N] [--list]

--only takes the situations whose names contain WORD. --times repeats each. The last lines are a table, the exit status is 0 only if every
situation holds. SOCKCTL names the program. What an honest pair's figures are, and why, stands at the top of ground.py.
"""
import argparse
import os
import resource
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[1:1] = [os.path.join(TOP, "tests", folder) for folder in ("bench", "tools")]

from cage import Cage, Trouble  # noqa: E402
from situations import SITUATIONS, Skip  # noqa: E402


def run(name, fn, sockctl):
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        cage = Cage({"sockctl": sockctl, "dir": folder})
        try:
            return fn(cage)
        except Skip as e:
            return None, str(e)
        except (Trouble, OSError, AssertionError) as e:
            return False, f"{type(e).__name__}: {e}"
        finally:
            cage.sweep()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    parser.add_argument("--only", default="")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    chosen = {name: fn for name, fn in SITUATIONS.items() if args.only in name}
    if args.list or not chosen:
        print(*SITUATIONS, sep="\n")
        return 0 if chosen else 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockctl = os.path.abspath(os.environ.get("SOCKCTL") or os.path.join(TOP, "sockctl"))
    began, failed = time.monotonic(), 0
    print("| situation | holds | what was seen |\n|---|---|---|", flush=True)
    for name, fn in chosen.items():
        for _ in range(args.times):
            holds, seen = run(name, fn, sockctl)
            failed += holds is False
            print(f"| {name} | {'-' if holds is None else 'yes' if holds else 'NO'} | {seen} |", flush=True)
    print(f"\n{len(chosen)} situations in {time.monotonic() - began:.0f} s, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
