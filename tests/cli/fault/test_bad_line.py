"""TCP and UDP over a line that delays, loses, doubles and swaps packets and is cut, all from a seed (tests/tools/link.py):
everything arrives and both ends say so, or an end that missed something does not say 0. make torture-net has a thousand seeds."""
import pytest

import badline
import isolation
from program import BINARY

pytestmark = [isolation.networks(), pytest.mark.whole("a packet for each byte takes too long there")]

AT_ONCE = 10
CHUNKS = range(1, 51, AT_ONCE)
CUT = 11  # a seed whose line is cut for good after 52 packets, long before all is sent


@pytest.mark.parametrize("first", CHUNKS)
def test_seeds(first):
    results = list(badline.play_all(range(first, first + AT_ONCE), str(BINARY), AT_ONCE))
    assert len(results) == 2 * AT_ONCE
    bad = [f"{run} {verdict}: {words}" for _, run, verdict, words in results if verdict not in ("exact", "reported")]
    assert not bad, "\n".join(bad)
    assert {"exact"} <= {verdict for _, _, verdict, _ in results}


def test_a_cut_is_reported():
    """The whole verdict: the line was cut, both ends failed with a status of their own."""
    results = {run: (verdict, words) for run, verdict, words in badline.play(CUT, str(BINARY))}
    assert results["tcp"][0] == "reported", results
    assert results["tcp"][1].endswith("listen 5 connect 5"), results


def test_a_silent_peer_is_detected(tmp_path):
    """The judge is judged: programs that call every failure a success."""
    liar = tmp_path / "liar"
    liar.write_text(f'#!/bin/sh\n"{BINARY}" "$@" 2>/dev/null\nexit 0\n')
    liar.chmod(0o755)
    line, programs = badline.Line(CUT), []
    try:
        with pytest.raises(badline.Bad, match="^lost"):
            badline.tcp(line, str(liar), programs)
    finally:
        for program in programs:
            program.wait(badline.deadline())
            program.close()
        line.close()
