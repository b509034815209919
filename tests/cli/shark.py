"""What tshark reads in a capture. Bytes come back as bytes, times as whole microseconds."""
import shutil
import subprocess

import pytest

CHECKS = [word for name in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum") for word in ("-o", name + ":TRUE")]
DATA = ["-o", "tcp.desegment_tcp_streams:FALSE"]


def tool(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def run(name, *words, **how):
    done = subprocess.run([tool(name), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **how)
    assert done.returncode == 0, f"{name} {words}: {done.stderr[-600:]!r}"
    return done.stdout


def packets(file, *fields, only=""):
    """Each packet's fields as texts."""
    out = run("tshark", "-n", "-r", file, *CHECKS, *DATA, *(["-Y", only] if only else []), "-T", "fields",
              *(word for field in fields for word in ("-e", field)))
    return [line.split("\t") for line in out.decode().splitlines()]


def micros(text):
    """frame.time_epoch: 1795230040.123456000"""
    seconds, _, rest = text.partition(".")
    return int(seconds) * 1000000 + int((rest + "000000")[:6])


def joined(rows):
    """{stream: {source port: bytes}} of rows that begin with these three."""
    all = {}
    for stream, port, data, *_ in rows:
        one = all.setdefault(int(stream), {})
        one[int(port)] = one.get(int(port), b"") + bytes.fromhex(data.replace(":", ""))
    return all


def payloads(file, protocol="tcp"):
    """{stream: {source port: bytes}}"""
    return joined(packets(file, f"{protocol}.stream", f"{protocol}.srcport", f"{protocol}.payload", only=protocol))


WRONG = ("_ws.malformed", "_ws.short", "tcp.analysis.flags")  # not there where nothing is wrong
SUMS = ("ip.checksum.status", "tcp.checksum.status")


def conversations(file):
    """A capture of TCP in one reading, which costs a second each: (payloads, each packet's flags). Nothing in it is complained of."""
    rows = packets(file, "tcp.stream", "tcp.srcport", "tcp.payload", "tcp.flags", *SUMS, *WRONG)
    for row in rows:
        assert row[4] in ("1", "") and row[5] == "1" and row[6:] == [""] * len(WRONG), row
    return joined(rows), [int(row[3], 16) for row in rows]


def complaints(file):
    """What an analyser finds wrong: bad checksums, repetitions, gaps, full windows, malformed or cut packets."""
    wrong = ("_ws.malformed || _ws.short || ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 || "
             "tcp.analysis.flags || tcp.checksum.status==2 || udp.checksum.status==2")
    return packets(file, "frame.number", "_ws.col.Info", only=wrong)
