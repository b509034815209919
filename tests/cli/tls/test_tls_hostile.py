"""TLS peers that mean no good, and unintended ends: each ends with its own reason, and the others notice nothing."""
import ctypes
import os
import re
import signal
import socket
import ssl
import subprocess

import pytest

import wire
from conftest import BINARY

said = subprocess.run([BINARY, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10).stdout
if b"tls" not in said.partition(b"features:")[2].split():
    pytest.skip("built without TLS", allow_module_level=True)

NONSENSE = [b"GET / HTTP/1.0\r\n\r\n", bytes(300), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 600,
            b"\x16\x03\x01\x40\x01" + b"x" * 600, b"\x15\x03\x01\x00\x02\x02\x28", b"\x14\x03\x03\x00\x01\x01" * 50]


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def dial(port, context=None, rcvbuf=None):
    sock = socket.socket()
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.settimeout(wire.DEADLINE)
    sock.connect(("127.0.0.1", port))
    return wire.keep((context or trusting()).wrap_socket(sock)) if context is not False else wire.keep(sock)


def served(sockctl, mode, *words, **how):
    return sockctl.serve(mode, ["tls://127.0.0.1:0"], *words, **how)


def pin_of(proc):
    return proc.says(rb"--pin (\S+)")[1].decode()


# unintended ends


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_client_that_is_ended_says_no_goodbye(sockctl, signo):
    """What it had not sent yet is missed: the receiver is told of a cut, not of an end."""
    server = served(sockctl, "listen", stdin=b"")
    client = sockctl.start("connect", "--pin", pin_of(server), f"tls://127.0.0.1:{server.port}")
    client.send(b"the first half")
    assert server.read(14) == b"the first half"
    client.signal(signo)
    client.ends(-signo)
    server.ends(7)
    assert server.says(rb"TLS stream cut off")


def test_a_server_that_is_ended_says_no_goodbye(sockctl):
    server = served(sockctl, "listen")
    client = sockctl.start("connect", "--pin", pin_of(server), f"tls://127.0.0.1:{server.port}", stdin=b"")
    server.send(b"the first half")
    assert client.read(14) == b"the first half"
    server.signal(signal.SIGTERM)
    server.ends(-signal.SIGTERM)
    client.ends(7)
    assert "TLS stream cut off" in client.complaint()


# bytes inside the library, of which no descriptor tells


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["serve", "chat"])
def test_lines_of_one_record_all_come(sockctl, mode):
    """A room reads a bounded piece of a turn; what was decrypted with it needs no other packet to be read."""
    lines = b"".join(b"line %d\n" % i for i in range(1500))
    proc = served(sockctl, mode)
    hears = dial(proc.port)
    if mode == "chat":
        wire.read_until(hears)
    speaks = dial(proc.port)
    speaks.sendall(lines)
    if mode == "serve":
        assert proc.read_until(b" line 1499\n").count(b"\n") == 1500
        return
    got = b""
    while not got.endswith(b"> line 1499\n"):
        got += wire.read_until(hears)
    assert len(re.findall(rb"^<\d+> line ", got, re.M)) == 1500


# peers that mean no good


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("mode", ["echo", "chat", "listen"])
def test_nonsense_is_turned_away_and_the_next_is_welcome(sockctl, mode):
    proc = served(sockctl, mode, "-v", stdin=b"" if mode == "listen" else subprocess.PIPE)
    for words in NONSENSE:
        sock = dial(proc.port, False)
        sock.sendall(words)
        if words[:2] in (b"\x16\x03", b"\x15\x03"):
            wire.half_close(sock)
            answer = wire.read_eof(sock)
            assert not answer or answer[0] in (21, 22), "not a byte of plain text"
        else:  # it would take an alert for data, and an end for an answer
            assert wire.read_reset(sock) == b""
        wire.close(sock)
    pin, port = pin_of(proc), proc.port
    client = sockctl.start("connect", "--pin", pin, f"tls://127.0.0.1:{port}", stdin=b"a good word\n")
    if mode == "listen":
        assert proc.ends() == b"a good word\n"
    elif mode == "echo":
        assert client.read(12) == b"a good word\n"
    else:
        assert client.read_until(b"here")
    assert client.finish() is not None
    assert len(re.findall(rb"turned away: (tls|setup)", bytes(proc.err))) == len(NONSENSE)


def test_a_silent_peer_does_not_block_accepting(sockctl):
    """Stalled handshakes fill the house; each newcomer takes the place of the oldest of them."""
    proc = served(sockctl, "echo", "--max", "3")
    silent = [dial(proc.port, False) for _ in range(5)]
    for _ in range(3):
        sock = dial(proc.port)
        sock.sendall(b"x")
        assert wire.read(sock, 1) == b"x"
        wire.close(sock.unwrap())
    proc.signal(signal.SIGTERM)  # a client that has not begun is not waited for
    proc.ends(0)
    assert len(silent) == 5


def test_strict_names_the_client(sockctl):
    proc = served(sockctl, "echo", "--strict")
    sock = dial(proc.port, False)
    sock.sendall(NONSENSE[0])
    host, port = sock.getsockname()
    assert wire.read_reset(sock) == b""
    proc.signal(signal.SIGTERM)
    proc.ends(6)
    assert proc.says(rb"client 1, %s:%d: the peer does not speak TLS" % (host.encode(), port))
    assert len(re.findall(rb"does not speak TLS", bytes(proc.err))) == 1


class Renewer:
    """A client of OpenSSL itself, which can ask for new keys."""

    def __init__(self, sock):
        self.lib = lib = ctypes.CDLL("libssl.so.3")
        lib.TLS_client_method.restype = lib.SSL_CTX_new.restype = lib.SSL_new.restype = ctypes.c_void_p
        lib.SSL_CTX_new.argtypes = lib.SSL_new.argtypes = lib.SSL_CTX_free.argtypes = [ctypes.c_void_p]
        lib.SSL_connect.argtypes = lib.SSL_do_handshake.argtypes = lib.SSL_free.argtypes = [ctypes.c_void_p]
        lib.SSL_set_fd.argtypes = lib.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self.context = lib.SSL_CTX_new(lib.TLS_client_method())
        self.ssl = lib.SSL_new(self.context)
        sock.settimeout(None)  # OpenSSL reads it itself, and it must not say EAGAIN
        assert lib.SSL_set_fd(self.ssl, sock.fileno()) == 1 and lib.SSL_connect(self.ssl) == 1

    def renew(self, times):
        for _ in range(times):
            assert self.lib.SSL_key_update(self.ssl, 1) == 1  # SSL_KEY_UPDATE_REQUESTED
            if self.lib.SSL_do_handshake(self.ssl) != 1:
                return

    def free(self):
        self.lib.SSL_free(self.ssl)
        self.lib.SSL_CTX_free(self.context)


@pytest.mark.usefixtures("loop")
def test_answers_that_cannot_be_sent(sockctl):
    """A peer that asks for new keys, reads no answer and resets ends the run, which neither waits nor turns in circles."""
    try:
        ctypes.CDLL("libssl.so.3")
    except OSError:
        pytest.skip("no libssl.so.3 to ask for new keys with")
    proc = served(sockctl, "listen", "-o", "sndbuf=8192")
    sock = dial(proc.port, False, rcvbuf=4096)
    peer = Renewer(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (1).to_bytes(8, "little") + bytes(8))
    peer.renew(16000)
    wire.reset(sock)
    peer.free()
    proc.ends(7)


def test_a_key_log_that_is_written_in_bits(sockctl, tmp_path):
    """SOCKCTL_SEAM shortens every write."""
    seam = os.environ.get("SOCKCTL_SEAM_BIN") or os.path.join(os.path.dirname(BINARY), "build", "seam", "sockctl")
    if not os.access(seam, os.X_OK):
        pytest.skip("no build with the seam")
    sockctl.binary = seam
    keys = tmp_path / "keys"
    proc = served(sockctl, "echo", "--keylog", str(keys), env={"SOCKCTL_SEAM": "short=1"})
    sock = dial(proc.port)
    sock.sendall(b"x")
    assert wire.read(sock, 1) == b"x"
    lines = keys.read_text().splitlines()
    assert len(lines) == 5 and all(re.fullmatch(r"[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{96}", line) for line in lines)
    assert keys.stat().st_mode & 0o777 == 0o600
    sock.unwrap()
    proc.signal(signal.SIGTERM)
    proc.ends(0)
