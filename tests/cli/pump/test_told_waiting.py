"""With -v a program that only waits says what for, and one whose half-close may have cost an answer names the word that helps."""
import os
import re
import socket

import pytest

import wire
from proc import NULL

pytestmark = pytest.mark.usefixtures("loop")

BOTH = pytest.mark.parametrize("role", ["connect", "listen"])
AUTO = ["--half-close", "auto"]
FOR_PEER = rb"waiting for the peer to finish \(--half-close yes does not\)"
FOR_STDIN = rb"the peer has finished: waiting for stdin to end \(--end peer does not\)"
HANG_UP = rb"closed without a byte after our half-close: .*--half-close no"


def told(proc, words):
    return len(re.findall(words, bytes(proc.err)))


@BOTH
def test_empty_stdin(pair, place, role):
    proc, sock = pair(role, place, "-v", *AUTO, stdin=NULL)
    proc.says(rb"stdin is empty: " + FOR_PEER)
    sock.sendall(b"some")
    assert proc.read(4) == b"some"
    wire.sending(sock, b" more")
    assert proc.ends(0) == b" more"
    assert told(proc, FOR_PEER) == 1 and told(proc, HANG_UP) == told(proc, FOR_STDIN) == 0


@BOTH
def test_quiet_stdin(pair, place, role):
    proc, sock = pair(role, place, "-v", *AUTO)
    wire.sending(sock, b"bye")
    proc.says(FOR_STDIN)
    assert proc.read(3) == b"bye"
    proc.send(b"a")
    proc.send(b"b")
    proc.eof()
    assert wire.read_eof(sock) == b"ab"
    proc.ends(0)
    assert told(proc, FOR_STDIN) == 1 and told(proc, HANG_UP) == told(proc, FOR_PEER) == 0


@BOTH
def test_nothing_without_v(pair, place, role):
    proc, sock = pair(role, place, stdin=b"question")
    assert wire.read_eof(sock) == b"question"
    wire.close(sock)
    proc.ends(0)
    assert proc.lines() == []


@BOTH
@pytest.mark.parametrize("size", [0, 8, 65536])
def test_no_answer_after_our_half_close(pair, place, role, size):
    if role == "listen" and size == 0:
        pytest.skip("listen holds it back")
    proc, sock = pair(role, place, "-v", stdin=wire.payload(size))
    wire.same(wire.read_eof(sock), wire.payload(size))
    proc.says(rb"connected")
    wire.close(sock)
    assert proc.ends(0) == b""
    assert told(proc, HANG_UP) == 1


@BOTH
@pytest.mark.parametrize("what", ["answered", "much", "peer first", "half-close no", "send-only"])
def test_no_such_line(pair, place, role, what):
    """An answer came, or none is to be expected, or it was not our end that the peer has seen."""
    words = {"half-close no": ["--half-close", "no"], "send-only": ["--send-only"]}.get(what, [])
    data = wire.payload(65537 if what == "much" else 8)
    proc, sock = pair(role, place, "-v", *words)
    if what == "peer first":
        wire.half_close(sock)
        assert proc.read_eof() == b""
    task = wire.Task(wire.read, sock, len(data))
    proc.send(data)
    wire.same(task.result(), data)
    proc.eof()
    if what != "half-close no":
        assert wire.read_eof(sock) == b""
    if what == "answered":
        sock.sendall(b"!")
    wire.close(sock)
    assert proc.ends(0) == (b"!" if what == "answered" else b"")
    assert told(proc, HANG_UP) == 0


NGINX = """
daemon off; {0} pid {1}/pid; error_log {1}/error; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {1}/t; proxy_temp_path {1}/t; fastcgi_temp_path {1}/t; uwsgi_temp_path {1}/t; scgi_temp_path {1}/t;
  server {{ listen 127.0.0.1:{2}; location / {{ proxy_pass http://127.0.0.1:{3}; }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  option abortonclose
frontend f
  bind fd@{0}
  default_backend b
backend b
  server s 127.0.0.1:{1}
"""
GET = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture(params=["nginx", "haproxy"])
def slow(request, sockctl, tcp, tmp_path, need):
    """A web server that waits for its backend; the backend's listening socket."""
    program, backend, front = need(request.param), wire.keep(socket.create_server(("127.0.0.1", 0))), tcp.listen()
    backend.settimeout(wire.DEADLINE)
    os.set_inheritable(front.fileno(), True)
    behind, fd = backend.getsockname()[1], front.fileno()
    conf = tmp_path / "conf"
    if request.param == "nginx":
        conf.write_text(NGINX.format("" if os.geteuid() else "user root;", tmp_path, tcp.port, behind))
        words, env = [program, "-p", tmp_path, "-c", conf], {"NGINX": f"{fd};"}
    else:
        conf.write_text(HAPROXY.format(fd, behind))
        words, env = [program, "-db", "-q", "-f", conf], {}
    sockctl.program(words, stdin=None, stdout=None, env=env, pass_fds=[fd])
    wire.close(front)
    return backend


def test_a_server_that_takes_a_half_close_for_a_hang_up(sockctl, tcp, slow):
    proc = sockctl.connect(tcp, "-v", stdin=GET)
    wire.accept(slow)
    out = proc.ends(0)
    if out == b"":  # haproxy may say "400 Bad request" before it closes
        assert told(proc, HANG_UP) == 1


def test_and_answers_when_there_is_none(sockctl, tcp, slow):
    proc = sockctl.connect(tcp, "-v", "--half-close", "no", stdin=GET)
    sock = wire.accept(slow)
    assert wire.read_until(sock, b"\r\n\r\n").startswith(b"GET / ")
    sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nhola")
    wire.close(sock)
    assert proc.ends(0).endswith(b"\r\n\r\nhola")
    assert told(proc, HANG_UP) == 0
