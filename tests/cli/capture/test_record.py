"""--record: what passed, as a script that --talk plays again, against the very same client; --swap plays the client."""
import http.server
import re
import smtplib
import subprocess
import threading

import pytest

import wire
from place import Place

pytestmark = pytest.mark.whole("a script has what each read gave")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "record.talk"


def script(path):
    """Without what has a time: that of the day, and pauses."""
    return re.sub(r"^(# \d+: |wait ).*\n", "", path.read_text(), flags=re.M)


def new_place(tmp_path, name, kind="tcp4"):
    folder = tmp_path / name
    folder.mkdir()
    return Place(kind, folder)


def answer(argv):
    """What another program's client says to it all."""
    done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, timeout=wire.DEADLINE)
    return done.returncode, done.stdout


@pytest.fixture
def replayed(sockctl, tmp_path, file):
    """replayed(target, client): client(port) through a recording forwarder to target, then against the record alone, then the
    record's client against target. All three must go the same way."""

    def check(target, client):
        middle, stage = new_place(tmp_path, "middle"), new_place(tmp_path, "stage")
        proc = sockctl.serve("listen", middle, "--forward", *target.words(), "--record", file)
        first = client(middle.port)
        proc.ends(0)
        proc = sockctl.serve("serve", stage, "--talk", f"@{file}", "--count", "1")
        again = client(stage.port)
        proc.ends(0)
        assert again == first
        return first

    return check


def swap_side(sockctl, place, file):
    """The server must answer as it did; its exit status says so."""
    sockctl.connect(place, "--talk", f"@{file}", "--swap").ends(0)


# conversations of others

def test_redis(sockctl, tmp_path, need, replayed, file):
    server, cli = need("redis-server"), need("redis-cli")
    place = new_place(tmp_path, "redis", "unix")
    redis = sockctl.program([server, "--port", "0", "--unixsocket", place.path, "--save", "", "--dir", tmp_path])
    sockctl.connect(place, "--wait", "10s", "--talk", 'send "PING\\r" expect "+PONG" close').ends(0)

    def client(port):
        return answer([cli, "-p", port, "EVAL", "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], redis.call('GET', KEYS[1])}",
                       1, "saludo", "hola\n\"$1\"\\ ñandú"])

    code, out = replayed(place, client)
    assert code == 0 and "ñandú".encode() in out
    assert "expect \"*" in script(file) and "send   \"*2\\r\\n\"" in script(file)
    swap_side(sockctl, place, file)
    redis.signal(15)
    redis.wait()


def test_smtp(sockctl, tmp_path, replayed, file):
    place = new_place(tmp_path, "smtp")
    lines = ["frame crlf", 'send "220 test"', 'on ~i"^EHLO " send "250-test" send "250 8BITMIME"', 'on ~i"^MAIL FROM:" send "250 ok"',
             'on ~i"^RCPT TO:" send "250 ok"', 'on i"DATA" send "354 go on" skip "." send "250 taken"',
             'on i"QUIT" send "221 bye" close']
    sockctl.serve("serve", place, *[word for line in lines for word in ("--talk", line)])

    def client(port):
        with smtplib.SMTP("127.0.0.1", port, local_hostname="here", timeout=wire.DEADLINE) as smtp:
            refused = smtp.sendmail("a@example.org", ["b@example.org"], "Subject: hola\r\n\r\n$1 \"quoted\"\r\n..\r\n")
            return refused, smtp.ehlo_resp

    refused, said = replayed(place, client)
    assert refused == {} and said == b"test\n8BITMIME"
    assert 'send   "354 go on\\r\\n"' in script(file)
    swap_side(sockctl, place, file)


BODY = bytes(range(256)) * 300


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


def test_http(tmp_path, need, replayed, file):
    """76,800 bytes of every kind behind a header."""
    curl = need("curl")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        place = new_place(tmp_path, "http")
        place.port = server.server_port
        # the port is in the request, and each time another; what curl calls its host is not
        code, out = replayed(place, lambda port: answer([curl, "-s", "-i", "-H", "Host: test", f"http://127.0.0.1:{port}/x"]))
    finally:
        server.shutdown()
        server.server_close()
        thread.join(wire.DEADLINE)
    assert code == 0
    wire.same(out[-len(BODY):], BODY)
    assert 'expect "GET /x HTTP/1.1\\r\\n" \\\n' in script(file)


# every mode

def test_echo(sockctl, place, file):
    proc = sockctl.serve("echo", place, "--record", file)
    sock = place.dial()
    sock.sendall(b"hola $1\n\0\n")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"hola $1\n\0\n"
    wire.close(sock)
    proc.signal(15)
    proc.ends(0)
    assert script(file) == ('frame raw\nexpect "hola \\$1\\n" \\\n       x"00 0a"\nsend   "hola \\$1\\n" \\\n       x"00 0a"\n'
                            "# the peer's end\nclose\n")


@pytest.mark.parametrize("role", ["connect", "listen"])
def test_stdio(pair, tcp, role, file):
    proc, sock = pair(role, tcp, "--record", file, stdin=b"from stdin")
    assert wire.read_eof(sock) == b"from stdin"
    sock.sendall(b"to stdout")
    wire.half_close(sock)
    assert proc.ends(0) == b"to stdout"
    assert script(file) == 'frame raw\nsend   "from stdin"\nshut\nexpect "to stdout"\n# the peer\'s end\nclose\n'


def test_console_and_chat(sockctl, tcp, tmp_path, file):
    proc = sockctl.serve("serve", tcp, "--record", file)
    sock = tcp.dial()
    sock.sendall(b"hola\n")
    assert proc.read_until() == b"[1] hola\n"
    proc.signal(15)
    proc.wait()
    assert script(file).startswith('frame raw\nexpect "hola\\n"\n')
    chat = new_place(tmp_path, "chat")
    proc = sockctl.serve("chat", chat, "--record", file)
    assert b"you are 1" in wire.read_until(chat.dial())
    proc.signal(15)
    proc.wait()
    assert script(file).startswith('frame raw\nsend   "* you are 1; here: 1 (1 here)\\n"\n')


def test_frames_are_recorded_as_they_pass(pair, tcp, file):
    proc, sock = pair("connect", tcp, "--frame", "u16be", "--record", file, stdin=b"hola\n")
    assert wire.read_eof(sock) == b"\0\4hola"
    wire.half_close(sock)
    proc.ends(0)
    assert 'send   x"00 04 68 6f 6c 61"\n' in script(file)


def test_datagrams(sockctl, dgram, file, tmp_path):
    """Each is one, also when it is played again."""
    proc = sockctl.serve("echo", dgram, "--record", file)
    sock = dgram.dial()
    for data in (b"one", b"", b"\xff" * 40):
        sock.send(data)
        assert sock.recv(100) == data
    proc.signal(15)
    proc.ends(0)
    text = script(file)
    assert text.startswith('frame raw\nexpect "one"\nsend   "one"\nexpect ""\nsend   ""\nexpect x"ff ff')
    wire.close_all()
    dgram.port = 0
    proc = sockctl.serve("listen", dgram, "--talk", f"@{file}")
    again = dgram.dial()
    for data in (b"one", b"", b"\xff" * 40):
        again.send(data)
        assert again.recv(100) == data
    proc.ends(0)


@pytest.mark.tls
def test_through_tls(sockctl, tcp, file):
    """What is recorded is what was said."""
    proc = sockctl.serve("listen", tcp, "--tls", "--record", file, stdin=b"answer")
    pin = proc.says(rb"--pin (\S+)").group(1).decode()
    assert sockctl.run("connect", "--tls", "--pin", pin, "127.0.0.1", tcp.port, stdin=b"question").read_eof() == b"answer"
    proc.ends(0)
    assert 'expect "question"\n' in script(file) and 'send   "answer"\n' in script(file)


# time, and many

def test_a_pause_is_a_wait(pair, tcp, file):
    """Between what is sent and the end lies the idle timeout."""
    proc, sock = pair("connect", tcp, "--record", file, "-i", "300ms")
    proc.send(b"hola")
    assert wire.read(sock, 4) == b"hola"
    proc.ends(5)
    before, after = file.read_text().split('send   "hola"\n')
    waits = [int(ms) for ms in re.findall(r"^wait (\d+)ms$", after, re.M)]
    assert waits and 250 <= waits[-1] < 60000


def test_each_connection_its_section(sockctl, tcp, file, tmp_path):
    proc = sockctl.serve("echo", tcp, "--record", file)
    for text in (b"first", b"second", b"third"):
        sock = tcp.dial()
        sock.sendall(text)
        wire.half_close(sock)
        assert wire.read_eof(sock) == text
        wire.close(sock)
    proc.signal(15)
    proc.ends(0)
    stage = new_place(tmp_path, "stage")
    proc = sockctl.serve("serve", stage, "--talk", f"@{file}", "--count", "3")
    for text in (b"first", b"second", b"third"):
        sock = stage.dial()
        sock.sendall(text)
        assert wire.read(sock, len(text)) == text
        wire.close(sock)
    proc.ends(0)


def test_each_connection_its_file(sockctl, tcp, tmp_path):
    proc = sockctl.serve("echo", tcp, "--record", tmp_path / "c%c.talk")
    for text in (b"first", b"second"):
        sock = tcp.dial()
        sock.sendall(text)
        wire.half_close(sock)
        assert wire.read_eof(sock) == text
        wire.close(sock)
    proc.signal(15)
    proc.ends(0)
    for number, text in ((1, "first"), (2, "second")):
        assert script(tmp_path / f"c{number}.talk") == f'frame raw\nexpect "{text}"\nsend   "{text}"\n# the peer\'s end\nclose\n'
        assert (tmp_path / f"c{number}.talk").stat().st_mode & 0o777 == 0o600


def test_a_replay_notices_another_client(sockctl, tcp, file):
    file.write_text('frame raw\nexpect "hola"\nsend "pues hola"\nclose\n')
    proc = sockctl.serve("listen", tcp, "--talk", f"@{file}")
    tcp.dial().sendall(b"hold")
    proc.ends(8)


# files

def test_a_full_disk(sockctl, tcp):
    """The traffic goes on, and the exit status tells."""
    proc = sockctl.serve("listen", tcp, "--record", "/dev/full", stdin=b"answer")
    sock = tcp.dial()
    sock.sendall(b"question")
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"answer"
    assert proc.ends(9) == b"question"
    assert "write /dev/full: No space left on device" in proc.err.decode()


def test_files_that_cannot_be(sockctl, tmp_path):
    (tmp_path / "link").symlink_to("elsewhere")
    for name, said in (("no/folder", "No such file"), ("link", "symbolic link"), ("no/c%c", "folder")):
        proc = sockctl.run("connect", "--record", tmp_path / name, "127.0.0.1", "1")
        assert proc.code == 2
        assert "--record: " in proc.complaint() and said in proc.complaint()
