"""connect --probe and names of services, among numbers and ranges: they are read before the sandbox takes /etc/services away."""
import pathlib
import re

import pytest

SERVICES = pathlib.Path("/etc/services")


@pytest.mark.parametrize("sandbox", ["auto", "off"])
@pytest.mark.parametrize("form", [["127.0.0.1", "{}"], ["127.0.0.1:{}"]], ids=["words", "joined"])
def test_mixed(sockctl, form, sandbox):
    known = re.search(r"^https\s+443/tcp", SERVICES.read_text(), re.M) if SERVICES.exists() else None
    if not known:
        pytest.skip("/etc/services has no https")
    words = [word.format("1-2,https,9") for word in form]
    proc = sockctl.start("connect", "--probe", "--sandbox", sandbox, *words, stdin=b"")
    proc.wait()
    assert re.findall(r"127\.0\.0\.1:(\d+) ", proc.read_eof().decode()) == ["1", "2", "9", "443"], proc
