"""Two other wires of the chat: the protocol of the classic .NET chat tutorial, to the byte, and raw relaying."""
import pytest

import wire

pytestmark = [pytest.mark.usefixtures("loop"), pytest.mark.whole("what one read gives is a message")]


def roster(*numbers):
    return b"".join(b"U.[ID] - %d\r\n" % n for n in numbers)


@pytest.fixture
def vbnet(sockctl, tcp):
    sockctl.serve("chat", tcp, "--wire", "vbnet")
    return tcp


def joined(place, n):
    """n members that have read each roster that their joining has caused."""
    socks = []
    for number in range(1, n + 1):
        socks.append(place.dial())
        want = roster(*range(1, number + 1))
        for sock in socks:
            assert wire.read(sock, len(want)) == want
    return socks


def test_roster_on_each_join(vbnet):
    joined(vbnet, 4)


def test_roster_on_leaving(vbnet):
    one, two, three = joined(vbnet, 3)
    wire.close(two)
    for sock in (one, three):
        assert wire.read(sock, len(roster(1, 3))) == roster(1, 3)


@pytest.mark.parametrize("text", [b"hola", b"hola\r\n", b"two\nlines", b"caf\xe9"])
def test_a_message_goes_to_all_and_back(vbnet, text):
    """One chunk as it was received, with or without newline at its end."""
    socks = joined(vbnet, 3)
    socks[1].sendall(text)
    want = b"\r\n2  DICE :" + text.rstrip(b"\r\n") + b"\r\n"
    for sock in socks:
        assert wire.read(sock, len(want)) == want


def test_messages_in_turn(vbnet):
    one, two = joined(vbnet, 2)
    for turn in range(20):
        number, speaker = ((1, one), (2, two))[turn % 2]
        speaker.sendall(b"turn %d" % turn)
        want = b"\r\n%d  DICE :turn %d\r\n" % (number, turn)
        for sock in (one, two):
            assert wire.read(sock, len(want)) == want


def test_ten_members_and_no_more(vbnet):
    socks = joined(vbnet, 10)
    late = vbnet.dial()
    late.sendall(b"let me in")
    assert wire.read_eof(late) == b"Servidor Saturado\r\n"
    assert all(wire.silent(sock) for sock in socks)


def test_max(sockctl, tcp):
    sockctl.serve("chat", tcp, "--wire", "vbnet", "--max", "2")
    joined(tcp, 2)
    assert wire.read_eof(tcp.dial()) == b"Servidor Saturado\r\n"


def test_no_commands_on_this_wire(vbnet):
    one, two = joined(vbnet, 2)
    one.sendall(b"/who")
    want = b"\r\n1  DICE :/who\r\n"
    for sock in (one, two):
        assert wire.read(sock, len(want)) == want


@pytest.fixture
def raw(sockctl, place):
    proc = sockctl.serve("chat", place, "--wire", "raw", "-v", "--max", "5")
    socks = []
    for number in range(1, 4):
        socks.append(place.dial())
        proc.says(rb"(?s)(connected.*){%d}" % number)
    return socks


def test_raw_relays_bytes_to_all_others(raw):
    one, two, three = raw
    every = bytes(range(256)) * 64
    one.sendall(every)
    assert wire.read(two, len(every)) == every
    assert wire.read(three, len(every)) == every
    two.sendall(b"no newline")
    assert wire.read(one, 10) == b"no newline"
    assert wire.read(three, 10) == b"no newline"
    assert wire.silent(two)


def test_raw_knows_no_commands_and_no_notices(raw):
    one, two, three = raw
    one.sendall(b"/nick x\n")
    for sock in (two, three):
        assert wire.read(sock, 8) == b"/nick x\n"
    wire.close(one)
    two.sendall(b"only we")
    assert wire.read(three, 7) == b"only we"
    assert wire.silent(two)


def test_raw_carries_much(raw):
    """Among members that read nothing is lost."""
    one, two, three = raw
    data = wire.payload(8 << 20)
    hearing = [wire.Task(wire.read, sock, len(data)) for sock in (two, three)]
    one.sendall(data)
    for task in hearing:
        wire.same(task.result(), data)
