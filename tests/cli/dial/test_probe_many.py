"""connect --probe of several addresses: one line for each port, in their order; one that is open is enough, without --all."""
import json
import socket

import pytest

import certs
import wire
from place import Place, make_place

pytestmark = pytest.mark.usefixtures("loop")
PROBE = ("connect", "--probe")


def at(place):
    return place.words()[0]


def shown(place, answer):
    name = f"unix:{place.path}" if place.unix else place.shown()
    return f"{name} {answer}\n".encode()


@pytest.fixture
def made(tmp_path):
    count = iter(range(99))

    def make(kind, listens=True):
        folder = tmp_path / str(next(count))
        folder.mkdir()
        place = make_place(kind, folder)
        place.listener = place.listen() if listens else None if place.unix else place.bind()
        return place

    return make


@pytest.mark.no_tls("listeners that shake no hands")
def test_each_has_its_line(sockctl, made):
    places = [made("tcp4"), made("tcp4", False), made("unix"), made("unix", False), made("tcp6", False)]
    proc = sockctl.run(*PROBE, *map(at, places))
    lines = b"".join(shown(place, "open" if place.listener and n in (0, 2) else "refused") for n, place in enumerate(places))
    assert proc.ends(0) == lines and proc.err == b""


def test_none_is_open(sockctl, made):
    """The error is of the last one, in the order of the lines."""
    one, two = made("tcp4", False), made("tcp4", False)
    proc = sockctl.run(*PROBE, at(one), at(two))
    assert proc.ends(4) == shown(one, "refused") + shown(two, "refused")
    assert proc.complaint() == f"sockctl: connect {two.shown()}: Connection refused"


@pytest.mark.parametrize("order", [0, 1])
def test_all_must_be_open(sockctl, made, order):
    places = [made("tcp4"), made("tcp4", False)][::1 if order == 0 else -1]
    proc = sockctl.run(*PROBE, "--all", *map(at, places))
    lines = {place: shown(place, "open" if place.listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) else "refused") for place in places}
    assert proc.ends(4) == b"".join(lines.values()) and b"Connection refused" in proc.err
    assert sockctl.run(*PROBE, "--all", at(places[order])).ends(0) == lines[places[order]]


def test_all_ports_of_one(sockctl, made):
    one, two = made("tcp4"), made("tcp4", False)
    ports = ",".join(sorted((str(one.port), str(two.port)), key=int))
    assert sockctl.run(*PROBE, "127.0.0.1", ports).wait() == 0
    assert sockctl.run(*PROBE, "--all", "127.0.0.1", ports).wait() == 4


def test_words_and_pairs(sockctl, made):
    """Two words of which the second is a port are one address, also among others."""
    one, two, three = made("tcp4"), made("tcp4"), made("tcp4", False)
    proc = sockctl.run(*PROBE, at(one), "127.0.0.1", f"{two.port}", f"127.0.0.1:{three.port}")
    assert proc.ends(0) == shown(one, "open") + shown(two, "open") + shown(three, "refused")


def test_wait_ends_with_the_first(sockctl, made):
    one, two = made("tcp4", False), made("tcp4", False)
    proc = sockctl.start(*PROBE, "--wait", "1h", "-v", at(one), at(two), stdin=b"")
    proc.says(rb"next try")
    one.listener.listen()
    assert proc.ends(0) == shown(one, "open") + shown(two, "refused")


def test_wait_for_all(sockctl, made):
    one, two = made("tcp4", False), made("unix", False)
    proc = sockctl.start(*PROBE, "--all", "--wait", "1h", "-v", at(one), at(two), "--", "echo", "up", stdin=b"")
    proc.says(rb"next try")
    one.listener.listen()
    proc.says(rb"/s: [^\n]*next try")
    listener = two.listen()
    assert proc.ends(0) == b"up\n"
    listener.close()


def test_wait_for_all_ends(sockctl, made):
    one, two = made("tcp4"), made("tcp4", False)
    proc = sockctl.run(*PROBE, "--all", "--wait", "100ms", at(one), at(two))
    assert proc.ends(4) == shown(one, "open") + shown(two, "refused")


def test_until_all_are_closed(sockctl, made):
    one, two = made("tcp4"), made("tcp4")
    proc = sockctl.start(*PROBE, "--until", "closed", "--wait", "1h", "-v", at(one), at(two), stdin=b"")
    proc.says(rb"still open[^\n]*next try")
    two.listener.close()
    proc.says(f"{one.shown()}: probe {one.shown()}: it is still open".encode())
    one.listener.close()
    assert proc.ends(0) == shown(one, "refused") + shown(two, "refused")


def test_a_name_without_an_address(sockctl, made):
    one = made("tcp4")
    proc = sockctl.run(*PROBE, "nowhere.invalid:1-2", at(one))
    assert proc.ends(0) == b"nowhere.invalid:1 not found\nnowhere.invalid:2 not found\n" + shown(one, "open")
    assert sockctl.run(*PROBE, "--all", "nowhere.invalid:1", at(one)).wait() == 3


def test_each_transport(sockctl, made):
    """Of a UDP port that is closed a refusal comes; each is asked as its scheme says."""
    one, two = made("tcp4"), made("udp4", False)
    two.listener.close()
    proc = sockctl.run(*PROBE, at(one), at(two))
    assert proc.ends(0) == shown(one, "open") + shown(two, "refused")


def test_many_ports_of_many(sockctl, made):
    """More than there are sockets: answers stay in order."""
    one = made("tcp4")
    proc = sockctl.run(*PROBE, "127.0.0.1:1-60", "127.0.0.1:1-60", "127.0.0.1:1-60", at(one))
    lines = proc.ends(0).splitlines()
    assert [line.rsplit(b" ", 1)[0] for line in lines[:180]] == 3 * [b"127.0.0.1:%d" % n for n in range(1, 61)]
    assert lines[180] + b"\n" == shown(one, "open")


def test_events(sockctl, made, tmp_path):
    one, two = made("tcp4"), made("tcp4", False)
    assert sockctl.run(*PROBE, at(one), at(two), "--events", tmp_path / "log").wait() == 0
    events = [event for event in map(json.loads, (tmp_path / "log").read_text().splitlines()) if event["ev"] == "probe"]
    assert [(event["port"], event["answer"]) for event in events] == [(one.port, "open"), (two.port, "refused")]


@pytest.mark.parametrize("words, says", [
    (["127.0.0.1:1", "127.0.0.1"], "127.0.0.1"), (["127.0.0.1:1", "fd:0"], "--probe: fd:0 is a connection already"),
    (["--all", "--until", "closed", "127.0.0.1:1"], "--all and --until closed cannot be used together"),
    ([f"127.0.0.1:{n}" for n in range(1, 66)], "--probe: more than 64 addresses")], ids=["half", "fd", "closed", "many"])
def test_refused(sockctl, words, says):
    proc = sockctl.run(*PROBE, *words)
    assert proc.ends(2) == b"" and says in proc.complaint()


def test_only_a_probe_has_several(sockctl):
    proc = sockctl.run("connect", "127.0.0.1:1", "127.0.0.1:2")
    assert proc.ends(2) == b"" and "unexpected word" in proc.complaint()
    proc = sockctl.run("connect", "--all", "127.0.0.1:1")
    assert proc.ends(2) == b"" and proc.complaint() == "sockctl: --all requires --probe"
