"""connect --probe --until closed: waits for a server to be gone. Refused, unreachable and a missing file are closed; silence is not."""
import re
import socket

import pytest

import wire
from place import Place

LOOPS = pytest.mark.usefixtures("loop")
UNTIL = ("connect", "--probe", "--until", "closed")


@LOOPS
def test_closed_at_once(sockctl, place):
    if not place.unix:
        place.bind()
    proc = sockctl.start(*UNTIL, *place.words(), stdin=b"")
    assert proc.ends(0).endswith(b" refused\n") and proc.err == b""


@LOOPS
@pytest.mark.no_tls("a listener that shakes no hands")
def test_it_waits_until_the_server_is_gone(sockctl, place):
    """It is asked again and again, and said with -v, until nothing listens. Then a command may follow."""
    listener = place.listen()
    proc = sockctl.start(*UNTIL, "--wait", "1h", "-v", *place.words(), "--", "echo", "gone", stdin=b"")
    proc.says(rb"still open[^\n]*next try")
    listener.close()
    assert proc.ends(0) == b"gone\n"
    assert proc.err.rstrip().endswith(b" refused")


@LOOPS
@pytest.mark.parametrize("more", [[], ["--wait", "200ms"]], ids=["once", "wait"])
def test_still_open_is_5(sockctl, tcp, more):
    tcp.listen()
    proc = sockctl.start(*UNTIL, *more, *tcp.words(), stdin=b"")
    assert proc.ends(5).endswith(b" open\n")
    assert proc.complaint() == f"sockctl: probe {tcp.shown()}: it is still open"


def test_a_socket_file_that_goes(sockctl, tmp_path):
    """A file that is gone is closed, and so is one whose socket has gone."""
    path = tmp_path / "s"
    proc = sockctl.start(*UNTIL, f"unix:{path}", stdin=b"")
    assert proc.ends(0).endswith(b" refused\n")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    proc = sockctl.start(*UNTIL, f"unix:{path}", stdin=b"")
    assert proc.ends(0).endswith(b" refused\n")
    path.unlink()


def test_all_must_be_closed(sockctl, tmp_path):
    places = [Place("tcp4", tmp_path) for _ in range(3)]
    places[0].bind(), places[2].bind()
    listener = places[1].listen()
    ports = ",".join(str(place.port) for place in places)
    proc = sockctl.start(*UNTIL, "127.0.0.1", ports, stdin=b"")
    assert proc.ends(5).count(b"refused") == 2
    listener.close()
    proc = sockctl.start(*UNTIL, "127.0.0.1", ports, stdin=b"")
    assert proc.ends(0).count(b"refused") == 3


def test_silence_is_not_closed(sockctl, tmp_path):
    place = Place("udp4", tmp_path)
    server = place.listen()
    proc = sockctl.start(*UNTIL, "-w", "100ms", *place.words(), stdin=b"")
    assert proc.ends(5).endswith(b" no answer\n")
    proc = sockctl.start(*UNTIL, "-w", "100ms", "--wait", "1h", "-v", *place.words(), stdin=b"")
    proc.says(b"next try")
    server.close()
    assert proc.ends(0).endswith(b" refused\n")


def test_a_name_that_does_not_resolve_is_no_answer(sockctl):
    proc = sockctl.run(*UNTIL, "-n", "localhost", "80")
    assert proc.code == 3


@pytest.mark.parametrize("words, says", [(["--until", "closed"], "--until requires --probe"), (["--probe", "--until", "shut"], "open or closed|open, closed")])
def test_what_is_refused(sockctl, tcp, words, says):
    listener = tcp.listen()
    proc = sockctl.run("connect", *words, *tcp.words())
    assert proc.code == 2 and re.search(says, proc.complaint()), proc.complaint()
    assert wire.silent(listener)
