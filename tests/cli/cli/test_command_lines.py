"""Every command line of ours that the manual and docs/coming-from.md show, run on a stage that has what it needs."""

import re
import subprocess

import pytest

import book
import stage

MANUAL = re.sub(r".\x08", "", subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", str(book.ROOT / "man/sockctl.1")],
                                             stdout=subprocess.PIPE, text=True, check=True).stdout)
SHOWN = {"manual": stage.behind_prompts(MANUAL), "coming-from": stage.in_table((book.ROOT / "docs/coming-from.md").read_text())}

# What a line is meant to end with, where that is not 0: what it asks for is a failure.
ENDS = {
    "--fault": (0, 5, 7),
    "--talk": (0, 8),
    "--expect": (0, 8),
    "rst-after": (0, 7),
    "socks5h": (0, 7),  # these proxies know no half-close, and may hang up before they have read all
    "--proxy http:": (0, 7),
    "listen --frame netstring": (0, 7),  # what comes here is none
    "--count 1 --lifetime": (0, 5),
    "--client-ca": (0, 6),
    "stall-after": (5, 28),
    " fd:0": (0, 2),  # here stdin is no socket, as it is of inetd (tests/cli/listen has those)
}


def allowed(line):
    found = [codes for words, codes in ENDS.items() if words in line]
    return {code for codes in found for code in codes} or {0}


@pytest.mark.parametrize("text", SHOWN)
def test_all_are_found(text):
    assert len(SHOWN[text]) > 40


@pytest.mark.whole("they show datagrams and dumps")
@pytest.mark.parametrize("text, number", [(text, n) for text, lines in SHOWN.items() for n in range(len(lines))])
def test_line(text, number, tmp_path):
    line = stage.Line(SHOWN[text][number])
    script = stage.rehearsal(line, tmp_path)
    root = str(stage.certs.root().pem)
    out, err, code = book.run(script, tmp_path, SSL_CERT_FILE=root, COMMAND=line.text)
    assert code in allowed(line.text), (script, out, err)
