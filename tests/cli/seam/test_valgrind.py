"""A sample under valgrind: no value that was never set decides anything, no memory is left, and no descriptor but those we came with."""
import re

import pytest

import wire
from place import Place
from program import BINARY, is_sanitized

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the sanitizers look already")


@pytest.fixture
def under(sockctl, need, tmp_path):
    """under(name, mode, words...): the program under valgrind, and what is to be said of it at its end."""
    logs = []

    def start(name, *words, **how):
        logs.append(tmp_path / name)
        return sockctl.program([need("valgrind"), f"--log-file={logs[-1]}", "--error-exitcode=99", "--leak-check=full",
                                "--show-leak-kinds=definite,indirect,possible", "--track-fds=yes", "--child-silent-after-fork=yes", BINARY,
                                *words, "--sandbox", "off"], **how)

    yield start
    for log in logs:
        text = log.read_text()
        assert "ERROR SUMMARY: 0 errors" in text, text
        opened = re.findall(r"Open [^\n]*\n((?:==\d+==    [^\n]*\n)*)", text)
        assert all("inherited from parent" in where for where in opened), text


@pytest.mark.parametrize("kind", ["tcp4", "unix", "udp4"])
def test_to_an_echo_and_back(under, tmp_path, kind):
    place = Place(kind, tmp_path)
    data = b"hola" if place.dgram else wire.payload(100_000)
    server = under("server", "echo", "-v", *place.words())
    at = server.says(rb"listening on \S*?(\d*)\n")
    place.port = int(at[1] or 0)
    client = under("client", "connect", *place.words(), stdin=data)
    wire.same(client.ends(0), data)
    server.signal(15)
    server.ends(0)


def test_a_conversation_a_room_and_a_program(under, tcp):
    for n, words in enumerate((["serve", "--talk", 'on "hola" send "que"'], ["chat"], ["serve", "-e", "cat"])):
        tcp.port = 0
        server = under(f"server{n}", *words, *tcp.words())
        tcp.port = int(server.says(rb"listening on \S*:(\d+)")[1])
        sock = tcp.dial()
        sock.sendall(b"hola\n")
        assert sock.recv(1)
        wire.half_close(sock)
        wire.read_eof(sock)
        wire.close(sock)
        server.signal(15)
        server.ends(0)
