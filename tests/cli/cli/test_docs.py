"""The examples of the README and of docs/, run as they stand."""

import re
import shutil

import pytest

import book
from program import has_tls

FOUND = {"README.md": 10, "docs/tutorial.md": 21, "docs/scale-out.md": 4}
CASES = [(path, number) for path, count in FOUND.items() for number in range(count)]


@pytest.mark.parametrize("path", FOUND)
def test_all_are_found(path):
    """None is shown without being run."""
    text = (book.ROOT / path).read_text()
    assert len(book.examples(path)) == FOUND[path]
    shown = [block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if "tests/tools/need" not in block]
    assert len(shown) == FOUND[path]


@pytest.mark.whole("they show datagrams and dumps")
@pytest.mark.parametrize("path, number", CASES)
def test_example(path, number, tmp_path):
    code, expected = book.examples(path)[number]
    (tmp_path / "hello.txt").write_text("hello\n")
    if "haproxy" in code and not shutil.which("haproxy", path="/usr/sbin:/usr/bin"):
        pytest.skip("haproxy is not installed")
    if "--tls" in code and not has_tls():
        pytest.skip("built without TLS")
    out, err, _ = book.run(code, tmp_path)
    assert out == expected, err


def test_the_tutorial_is_the_same_in_spanish():
    """Its commands, and what they print."""
    assert book.examples("docs/tutorial.es.md") == book.examples("docs/tutorial.md")
