"""What tests of faults share: what a run said of its faults."""
import json


def words(path, *faults, seed=None):
    """The options for these faults, with the events to this file."""
    out = ["--events", path]
    for fault in faults:
        out += ["--fault", fault]
    return [*out, "--seed", seed] if seed is not None else out


def events(path, kind=None):
    every = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [e for e in every if kind in (None, e["ev"])]


def told(path, way=None):
    """The faults of a run, of one way or of all, in their order: (conn, kind, dir, off, value)."""
    return [(e.get("conn"), e["kind"], e.get("dir"), e.get("off"), e.get("value"))
            for e in events(path, "fault") if way in (None, e.get("dir"))]


def closed(path, conn=1):
    """The one close event of this connection."""
    found = [e for e in events(path, "close") if e["conn"] == conn]
    assert len(found) == 1, found
    return found[0]
