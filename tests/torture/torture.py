#!/usr/bin/env python3
"""The fault sweep: every scene once undisturbed, to count its calls, then once for each call and each error that it may meet, failing once
and from then on; then with short, interrupted and delayed calls everywhere. `make torture` builds the seam and runs all of it.

    tests/torture/torture.py [--quick] [--minutes N] [--only WORD] [--fault SPEC] [--seed N] [--jobs N] [--list]

--quick takes a sample that --seed decides; --only takes the scenes whose names contain WORD; --fault with --only repeats one run. The last
lines are a table; the exit status is 0 only if nothing was lost, silent, hung, leaked or crashed.
"""
import argparse
import collections
import multiprocessing
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "cli"))

import crowds  # noqa: E402
import one  # noqa: E402
import scenes  # noqa: E402

SEAM = os.path.abspath(os.environ.get("SOCKCTL_SEAM_BIN") or TOP / "build" / "seam" / "sockctl")
QUICK = 500
MANY = 400  # calls of a kind beyond which each is failed only in a scene of THOROUGH; elsewhere so many, spread evenly
FEW = 40
THOROUGH = ("echo.tls.echo", "connect.tls.stdio")

ERRORS = {
    "memory": ["ENOMEM"],
    "crypto": ["ENOMEM"],
    "socket": ["EMFILE", "ENFILE", "ENOBUFS", "EACCES", "EAFNOSUPPORT"],
    "bind": ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "EINVAL"],
    "listen": ["EADDRINUSE", "ENOBUFS"],
    "accept": ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPERM", "EPROTO", "EINTR", "EAGAIN"],
    "connect": ["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL", "EPERM", "EINTR", "EAGAIN"],
    "shutdown": ["ENOTCONN", "ENOBUFS"],
    "setsockopt": ["ENOPROTOOPT", "EINVAL", "EPERM", "ENOMEM"],
    "read": ["EIO", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "ENOBUFS", "ECONNREFUSED", "EINTR", "EAGAIN"],
    "write": ["EPIPE", "ECONNRESET", "ETIMEDOUT", "ENOSPC", "EDQUOT", "EFBIG", "EIO", "ENOBUFS", "ENOMEM", "EMSGSIZE", "ECONNREFUSED", "EPERM",
              "EINTR", "EAGAIN"],
    "splice": ["EINVAL", "EIO", "ENOMEM", "ECONNRESET", "EPIPE", "ENOSPC", "EINTR", "EAGAIN"],
    "wait": ["EINTR", "ENOMEM", "EBADF"],
    "pipe": ["EMFILE", "ENFILE"],
    "fork": ["EAGAIN", "ENOMEM"],
    "open": ["EACCES", "EMFILE", "ENFILE", "ENOMEM", "EINTR"],
    "wake": ["EIO", "EINTR", "EAGAIN"],
}
FLEETING = ("EINTR", "EAGAIN")  # no system answers so for ever, but no memory for a process is lasting
EVERYWHERE = ["short=1", "short=3", "short=100", "eintr", "again", "eintr,again", "short=1,eintr", "short=1,again", "short=1,eintr,again",
              "short=7,eintr,again"]


def faults_of(scene, counts):
    """All that is to be tried on this scene."""
    yield from EVERYWHERE
    for kind, errors in ERRORS.items():
        n = counts.get(kind, 0)
        numbers = range(1, n + 1)
        thorough = n <= MANY or scene.name in THOROUGH
        if not thorough:
            numbers = [1 + i * n // FEW for i in range(FEW)]
        for k in numbers:
            for error in errors:
                yield f"{kind}:{k}:{error}"
                if (error not in FLEETING or kind == "fork") and (n <= MANY or not thorough or k % (n // FEW) == 0):
                    yield f"{kind}:{k}+:{error}"


def excused(scene, fault):
    """Where nothing moves until the test tells the program to end, as it must be."""
    kind, k, error = fault.split(":") if ":" in fault else ("", "", "")
    if kind == "accept" and k.endswith("+"):
        return True  # no client comes in, and the server waits for better times
    if kind == "memory" and (scene.mode == "chat" or k.endswith("+")):
        return True  # the notice was lost that our clients wait for; a stream without a block asks again until there is memory
    return scene.place in ("udp", "unix-dgram")  # a datagram was lost, and no end asks for it again


_folder = None


def enter(home):
    """A worker begins."""
    global _folder
    one.adopt()
    one.keep_low()
    _folder = tempfile.mkdtemp(dir=home)


def work(task):
    name, fault = task
    scene = BY_NAME[name]
    try:
        outcome = one.run(SEAM, scene, fault, _folder)
        if outcome.verdict == one.WAITED and not excused(scene, fault):
            outcome = one.run(SEAM, scene, fault, _folder, stall_s=8)
            if outcome.verdict == one.WAITED:
                outcome.verdict = one.HUNG
    except Exception as e:  # noqa: B902 - ours, not the program's; it must not be lost either
        return name, fault, one.CRASHED, f"the harness: {type(e).__name__}: {e}", None, b"", {}
    return name, fault, outcome.verdict, outcome.why, outcome.code, outcome.err, outcome.counts


BY_NAME = {scene.name: scene for scene in scenes.every() + crowds.every()}


def spread(pool, tasks, minutes):
    """All tasks, told as they end; those that are not done when the time is over are left out."""
    results = []
    done, began = 0, time.monotonic()
    for result in pool.imap_unordered(work, tasks, chunksize=4):
        results.append(result)
        done += 1
        if result[2] in one.BAD:
            tell(result)
        took = time.monotonic() - began
        if done % 1000 == 0:
            print(f"{done} of {len(tasks)} runs, {done / took:.0f} a second", flush=True)
        if minutes and took > 60 * minutes:
            break
    return results


def tell(result):
    name, fault, verdict, why, code, err, _ = result
    print(f"{verdict}: --only {name} --fault {fault}: {why} (exit {code}; {err[-300:].decode('utf-8', 'replace')!r})", flush=True)


COLUMNS = [one.CLEAN, one.REPORTED, one.WAITED, *one.BAD]


def table(results):
    rows = collections.defaultdict(collections.Counter)
    for name, _, verdict, *_ in results:
        mode, place = name.split(".")[:2]
        for row in (f"{mode} {place}", "all"):
            rows[row][verdict] += 1
            rows[row]["runs"] += 1
    head = ["runs", *COLUMNS]
    print(f"\n{'':22}" + "".join(f"{word:>10}" for word in head))
    for row in sorted(rows, key=lambda row: (row == "all", row)):
        print(f"{row:22}" + "".join(f"{rows[row][word]:>10}" for word in head))
    return rows["all"]


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help=f"a sample of {QUICK} runs")
    words.add_argument("--runs", type=int, help="a sample of so many runs")
    words.add_argument("--minutes", type=float, default=0, help="as many runs as can be done in so many minutes")
    words.add_argument("--only", default="", help="scenes whose names contain this")
    words.add_argument("--kind", default="", help="faults of this kind of call only")
    words.add_argument("--without", default="-", help="no faults of this kind of call")
    words.add_argument("--fault", help="only this fault, as SOCKCTL_SEAM takes it")
    words.add_argument("--seed", type=int, default=1, help="decides the sample")
    words.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    words.add_argument("--list", action="store_true", help="name the scenes")
    asked = words.parse_args()
    chosen = [scene for scene in BY_NAME.values() if asked.only in scene.name]
    if asked.list:
        print("\n".join(scene.name for scene in chosen))
        return 0
    scenes.certs.good()
    for server in (True, False):
        scenes.relay_context(server)
    home = tempfile.mkdtemp(prefix="torture-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    began = time.monotonic()
    try:
        with multiprocessing.get_context("fork").Pool(asked.jobs, enter, (home,)) as pool:
            first = pool.map(work, [(scene.name, "") for scene in chosen], chunksize=1)
            wrong = [result for result in first if result[2] != one.CLEAN]
            for result in wrong:
                print("undisturbed, ", end="")
                tell(result)
            if wrong:
                return 1
            counts = {result[0]: result[6] for result in first}
            tasks = [(scene.name, fault) for scene in chosen
                     for fault in ([asked.fault] if asked.fault else faults_of(scene, counts[scene.name])) if asked.kind in fault and asked.without not in fault]
            most = asked.runs or (QUICK if asked.quick else 0)
            dice = random.Random(asked.seed)
            if most and most < len(tasks):
                tasks = dice.sample(tasks, most)
            else:
                dice.shuffle(tasks)
            print(f"{len(chosen)} scenes, {len(tasks)} runs, {asked.jobs} at a time, seed {asked.seed}", flush=True)
            results = spread(pool, tasks, asked.minutes)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    total = table(results)
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if any(total[verdict] for verdict in one.BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
