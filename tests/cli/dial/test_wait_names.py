"""--wait and a name that does not exist yet: it is waited for, and said with -v. Each test has an /etc/hosts of its own."""
import ctypes
import os
import subprocess

import pytest

import isolation
import wire
from place import Place

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x00020000, 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def own_files(hosts, order):
    """In the child: /etc/hosts is this file, and nothing but it is asked."""
    def call(name, *args):
        if getattr(_libc, name)(*args) != 0:
            raise OSError(ctypes.get_errno(), name)

    def before_exec():
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        call("mount", os.fsencode(hosts), b"/etc/hosts", None, MS_BIND, None)
        call("mount", os.fsencode(order), b"/etc/nsswitch.conf", None, MS_BIND, None)
    return before_exec


@pytest.fixture
def names(tmp_path):
    """(the hosts file, what a child does first)"""
    hosts, order = tmp_path / "hosts", tmp_path / "order"
    hosts.write_text("127.0.0.1 localhost\n")
    order.write_text("hosts: files\n")
    first = own_files(hosts, order)
    try:
        subprocess.run(["true"], preexec_fn=first, check=True)
    except (subprocess.SubprocessError, OSError):
        isolation.skip("unshare: mount namespaces are not permitted")
    return hosts, first


@pytest.mark.parametrize("more", [[], ["--probe"], ["-4"]], ids=lambda more: "".join(more) or "dial")
@pytest.mark.usefixtures("loop")
def test_a_name_that_comes_later(sockctl, names, tmp_path, more):
    hosts, first = names
    place = Place("tcp4", tmp_path)
    listener = place.listen()
    proc = sockctl.start("connect", "-v", "--wait", "1h", *more, "db.test", place.port, stdin=b"hola", before_exec=first)
    line = proc.says(rb"db\.test[^\n]*next try")[0]
    assert b"Name or service not known" in line and b"unavailable" not in line
    hosts.write_text("127.0.0.1 localhost\n127.0.0.1 db.test\n")
    sock = wire.accept(listener)
    assert wire.read_eof(sock) == (b"" if more == ["--probe"] else b"hola")
    sock.close()
    assert (b"open" in proc.ends(0)) == (more == ["--probe"])


@pytest.mark.parametrize("more", [[], ["--probe"]], ids=["dial", "probe"])
def test_a_name_that_never_comes(sockctl, names, more):
    """Status 3, once the time is over; without --wait at once."""
    proc = sockctl.start("connect", *more, "--wait", "2s", "db.test", "80", stdin=b"", before_exec=names[1])
    assert proc.ends(3) == b""
    assert "db.test" in proc.complaint() and ("tries" in proc.complaint()) == (not more)
    proc = sockctl.start("connect", *more, "db.test", "80", stdin=b"", before_exec=names[1])
    assert proc.ends(3) == b"" and "tries" not in proc.complaint()
