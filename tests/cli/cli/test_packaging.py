"""What packages install beside the program: the systemd units, as they stand."""
import configparser
import os
import re
import shlex
import subprocess

import pytest

import wire
from conftest import BINARY, make_place
from program import TOP
from proc import NULL

UNITS = TOP / "docs" / "packaging" / "systemd"
SERVICE, SOCKET = UNITS / "sockctl-echo.service", UNITS / "sockctl-echo.socket"


class Unit(configparser.ConfigParser):
    """Keys as they are written; one that stands again is not ours to read."""

    def __init__(self, path):
        super().__init__(strict=False, interpolation=None)
        self.optionxform = str
        self.read(path)


def test_the_units_are_well_formed(need, tmp_path):
    """systemd-analyze knows every key and value. The program is looked for where packages put it."""
    analyze = need("systemd-analyze")
    for unit in (SERVICE, SOCKET):
        text = unit.read_text().replace("/usr/bin/sockctl", BINARY)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run([analyze, "verify", "--man=no", *(str(tmp_path / unit.name) for unit in (SERVICE, SOCKET))],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    ours = [line for line in done.stdout.splitlines() if "sockctl" in line]
    assert not ours, done.stdout


def test_the_service_is_hardened(need):
    """2.0 and below is what systemd calls OK; an echo service has no reason to be above 1.5."""
    done = subprocess.run([need("systemd-analyze"), "security", "--offline=yes", "--threshold=15", str(SERVICE)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "SYSTEMD_PAGER": "cat"})
    if "Unknown" in done.stdout or "unrecognized" in done.stdout:
        pytest.skip("this systemd-analyze does not look at files")
    assert done.returncode == 0 and "Overall exposure level" in done.stdout, done.stdout[-2000:]


def test_what_the_service_starts(sockctl, need, tmp_path):
    """ExecStart, with the socket and the name that the socket unit gives it, told READY as Type=notify wants it."""
    activate = need("systemd-socket-activate")
    service, sock = Unit(SERVICE)["Service"], Unit(SOCKET)["Socket"]
    program, *words = shlex.split(service["ExecStart"])
    assert program == "/usr/bin/sockctl" and service["Type"] == "notify"
    place = make_place("unix", tmp_path)
    proc = sockctl.program([activate, "-l", place.path, "--fdname", sock["FileDescriptorName"], BINARY, *words, "-v"], stdin=NULL)
    proc.says(rb"Listening on")
    wire.keep_file(place.path)
    client = place.dial()
    client.sendall(b"hola\n")
    assert wire.read_until(client) == b"hola\n"
    proc.says(rb"sockctl: listening on")
    assert re.fullmatch(r"\d+", sock["ListenStream"])


@pytest.mark.parametrize("path", ["docs/packaging/alpine/APKBUILD", "docs/packaging/homebrew/sockctl.rb", "debian/changelog"])
def test_versions_agree(path):
    assert (TOP / "VERSION").read_text().strip() in (TOP / path).read_text()


def test_scripts_of_packages_are_shell(need):
    for path in ("docs/packaging/alpine/APKBUILD", "debian/sockctl.postinst", "debian/sockctl.prerm", "debian/tests/echo",
                 "tests/tools/check-deb", "tests/tools/check-dist"):
        assert subprocess.run([need("sh"), "-n", str(TOP / path)]).returncode == 0, path
