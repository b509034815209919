#!/usr/bin/env python3
"""sockctl beside its peers: every workload of rows.py, with every tool that is installed, in turn.

The tools of a row run interleaved, A B C A B C, each round beginning with another one, and figures are medians: a machine that is
slow for a while is slow for all. Before that each tool does the work once with little, and every byte is compared; a tool that
fails is named with its reason and gets no figure. Goals are printed with met or short; the exit status does not depend on them.
"""
import argparse
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import picture
import report
from cage import BUILD, HERE, TOP, Cage, Trouble
from kinds import Scale
from rows import ROWS

FULL, QUICK = Scale(1.0, 1 << 30, 200), Scale(0.1, 64 << 20, 10)
QUICK_S = 50
SPARE_DESCRIPTORS = 100
VERSION = {  # how to ask, and what to take of the answer
    "sockctl": (["--version"], r"sockctl (\S+)"),
    "nc.openbsd": (["-h"], r"patchlevel (\S+?)\)"),
    "nc.traditional": (["-h"], r"\[(v\S+)\]"),
    "ncat": (["--version"], r"Version (\S+)"),
    "socat": (["-V"], r"socat version (\S+)"),
    "bash": (["--version"], r"version (\S+)"),
    "haproxy": (["-v"], r"version (\S+)"),
    "openssl": (["version"], r"OpenSSL (\S+)"),
    "iperf3": (["--version"], r"iperf (\S+)"),
}


def options():
    parser = argparse.ArgumentParser(prog="make bench BENCH='…'", description="sockctl beside its peers, on loopback.")
    parser.add_argument("--list", action="store_true", help="say what would be compared, and run nothing")
    parser.add_argument("--only", metavar="ROW[,ROW]", help="these rows only")
    parser.add_argument("--quick", action="store_true", help="a look at everything in less than a minute: one round, little data")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each tool runs in each row (default: 7; quick: 1)")
    parser.add_argument("--seconds", type=float, metavar="S", help="how long a stream or a load lasts (default: 1; quick: 0.1)")
    parser.add_argument("--bytes", type=int, metavar="N", help="how long a file is (default: 1 GiB; quick: 64 MiB)")
    parser.add_argument("--dir", metavar="DIR", help="where files are made (default: /dev/shm if it has room)")
    parser.add_argument("--from", dest="again", metavar="FILE", help="measure nothing: take what --json has written")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--results", action="store_true", help="write tests/bench/RESULTS.md and its picture, ratios.svg")
    parser.add_argument("--svg", metavar="FILE", help="draw the main ratios")
    opts = parser.parse_args()
    scale = QUICK if opts.quick else FULL
    opts.scale = Scale(opts.seconds or scale.seconds, opts.bytes or scale.bytes, scale.runs)
    opts.rounds = opts.rounds or (1 if opts.quick else 7)
    opts.rows = sorted(ROWS, key=lambda row: getattr(row.kind, "descriptors", 0)) if opts.quick else ROWS  # the slowest last
    if opts.only:
        wanted = opts.only.split(",")
        unknown = set(wanted) - {row.name for row in ROWS}
        if unknown:
            parser.error(f"no row {', '.join(sorted(unknown))}; --list names them")
        opts.rows = [row for row in opts.rows if row.name in wanted]
    return opts


def program_of(tool):
    """The program behind the name of a tool: "socat -b 262144" is socat. None: it needs none but ours."""
    name = re.split(r"[ ,]", tool)[0]
    return None if name in ("sockctl", "asyncio", "plain") else name


def knows(sockctl, mode, option):
    said = subprocess.run([sockctl, "help", mode], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    return option in said.split()


def why_not(row, sockctl):
    """Why a row cannot be run at all, or None."""
    if row.needs and not knows(sockctl, *row.needs):
        return f"sockctl {row.needs[0]} has no {row.needs[1]} yet"
    need = getattr(row.kind, "descriptors", 0)
    if need and resource.getrlimit(resource.RLIMIT_NOFILE)[0] < need + SPARE_DESCRIPTORS:
        return f"{need} descriptors are more than the limit"
    if "handshake" == getattr(row.kind, "load", None) and not os.path.exists(os.path.join(BUILD, "handshake")):
        return "built without the headers of libssl"
    return None


def versions(tools, sockctl):
    found = {"asyncio": f"Python {platform.python_version()}"} if "asyncio" in tools else {}
    for name in sorted({program_of(tool) or tool for tool in tools} | {"sockctl"}):
        if name in VERSION:
            words, pattern = VERSION[name]
            done = subprocess.run([sockctl if name == "sockctl" else name, *words], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            match = re.search(pattern, done.stdout + done.stderr)
            found[name] = match[1] if match else "?"
        elif name == "tcpserver":
            found[name] = "ucspi-tcp"
    return found


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def congestion():
    """How TCP finds its rate without any choice: what is paced (bbr) is slow on loopback."""
    try:
        with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
            return f.read().strip()
    except OSError:
        return None


def work_folder(asked, bytes_):
    """Where files are made: in memory when there is room, so that no disk is measured."""
    if asked is None and os.path.isdir("/dev/shm"):
        room = os.statvfs("/dev/shm")
        if room.f_bavail * room.f_frsize > 4 * bytes_ and os.access("/dev/shm", os.W_OK):
            asked = "/dev/shm"
    return tempfile.mkdtemp(prefix="sockctl-bench-", dir=asked)


def certificate(cage):
    """For a day, on the curve that all peers support."""
    folder = cage.names["dir"]
    cage.names.update(cert=os.path.join(folder, "cert.pem"), key=os.path.join(folder, "key.pem"))
    if shutil.which("openssl"):
        cage.start("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost "
                   "-addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}").wait()
        cage.sweep()


def attempt(cage, kind, words, scale, **check):
    try:
        return kind.run(cage, words, scale, **check)
    except (OSError, ValueError) as e:  # it died under our hands, or said something else than a number
        raise Trouble(str(e)) from e
    finally:
        cage.sweep()


def measure(row, cage, opts):
    """One row: {tool: {"runs": [...], "failed": [reasons]}}, and which tools were left out and why."""
    tools, skipped = {}, {}
    for tool, words in row.kind.tools.items():
        program = program_of(tool)
        if program and not shutil.which(program):
            skipped[tool] = "not installed"
            continue
        try:
            if row.kind.checks and tool not in getattr(row.kind, "unchecked", ()):
                attempt(cage, row.kind, words, opts.scale, check=True)
            tools[tool] = {"runs": [], "failed": []}
        except Trouble as trouble:
            skipped[tool] = str(trouble)
    for number in range(opts.rounds):
        names = list(tools)
        turn = number % len(names) if names else 0
        for tool in names[turn:] + names[:turn]:
            try:
                tools[tool]["runs"].append(attempt(cage, row.kind, row.kind.tools[tool], opts.scale))
            except Trouble as trouble:
                tools[tool]["failed"].append(str(trouble))
    for tool in list(tools):
        if 2 * len(tools[tool]["runs"]) <= opts.rounds:
            skipped[tool] = tools.pop(tool)["failed"][-1]
        else:
            runs = tools[tool]["runs"]
            tools[tool]["median"] = {figure: statistics.median(run[figure] for run in runs) for figure in runs[0]}
    return tools, skipped


def run_all(cage, opts, sockctl):
    rows, began, load = [], time.monotonic(), os.getloadavg()[0]
    for row in opts.rows:
        start = time.monotonic()
        why = why_not(row, sockctl) or (opts.quick and start - began > QUICK_S and "a quick run has no time left") or None
        result = {"name": row.name, "title": row.title, "per": row.kind.per, "rounds": opts.rounds, "not_run": why, "tools": {},
                  "skipped": {}, "goals": []}
        if not why:
            result["tools"], result["skipped"] = measure(row, cage, opts)
            result["goals"] = report.judge(row.goals, result["tools"])
        result["took_s"] = round(time.monotonic() - start, 2)
        rows.append(result)
        print(report.text(result), flush=True)
    names = {tool for result in rows for tool in result["tools"]}
    return {"date": time.strftime("%Y-%m-%d"), "kernel": platform.release(), "cpu": processor(), "cpus": os.cpu_count(),
            "congestion": congestion(), "load": load, "rounds": opts.rounds, "scale": opts.scale._asdict(),
            "took_s": round(time.monotonic() - began),
            "files": "memory" if cage.names["dir"].startswith("/dev/shm") else "disk", "counter": cage.names.get("counter"),
            "versions": versions(names, sockctl), "rows": rows}


def listing(opts, sockctl):
    for row in opts.rows:
        why = why_not(row, sockctl)
        there = [tool for tool in row.kind.tools if not program_of(tool) or shutil.which(program_of(tool))]
        missing = [tool for tool in row.kind.tools if tool not in there]
        print(f"{row.name:15} {row.title}{f' ({why})' if why else ''}")
        print(f"{'':15} {', '.join(there)}{'; not installed: ' + ', '.join(missing) if missing else ''}")
        print(f"{'':15} {report.goals_text(row.goals)}")


def measured(opts, sockctl):
    """A run, from a folder of its own that is gone afterwards."""
    for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signo, interrupted)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = work_folder(opts.dir, opts.scale.bytes)
    cage = Cage({"sockctl": sockctl, "here": HERE, "build": BUILD, "dir": folder})
    try:
        certificate(cage)
        return run_all(cage, opts, sockctl)
    finally:
        cage.sweep()
        shutil.rmtree(folder, ignore_errors=True)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def by_hand(path):
    """What stands at the end of the last results, of single measurements: it stays."""
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        _, head, tail = f.read().partition(report.BY_HAND)
    return "\n" + head + tail if head else ""


def interrupted(signo, _frame):
    raise SystemExit(128 + signo)


def main():
    opts = options()
    sockctl = os.path.abspath(os.environ.get("SOCKCTL") or os.path.join(TOP, "sockctl"))
    if opts.list:
        listing(opts, sockctl)
        return 0
    if opts.again:
        with open(opts.again) as f:
            results = json.load(f)
        print("\n".join(report.text(result) for result in results["rows"]))
    else:
        results = measured(opts, sockctl)
    print(report.closing(results))
    if opts.json:
        write(opts.json, json.dumps(results, indent=1) + "\n")
    if opts.results:
        path = os.path.join(HERE, "RESULTS.md")
        write(path, report.markdown(results) + by_hand(path))
        write(os.path.join(HERE, "ratios.svg"), picture.draw(results))
    if opts.svg:
        write(opts.svg, picture.draw(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
