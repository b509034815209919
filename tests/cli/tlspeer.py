"""Ends of TLS in Python, one connection each, for tests that look at the handshake: how far it came, and what was heard."""
import json
import re
import ssl

import wire


class Meeting:
    """What one end saw of a connection. refused: in its words, why the handshake (or, in TLS 1.3, what follows) failed."""

    def __init__(self):
        self.shaken = False
        self.refused = ""
        self.heard = b""
        self.version = self.alpn = self.sni = self.peer = None

    def __repr__(self):
        return f"<shaken {self.shaken}, refused {self.refused!r}, heard {self.heard!r}>"


def shake(tls, meeting):
    """ssl.SSLError or ConnectionError, as they come."""
    tls.do_handshake()
    meeting.shaken = True
    meeting.version, meeting.alpn = tls.version(), tls.selected_alpn_protocol()
    meeting.peer = tls.getpeercert(True)


def wrap(sock, context, **how):
    return wire.keep(context.wrap_socket(wire.give(sock), do_handshake_on_connect=False, **how))


def one_client(listener, context, says=b"answer", hears=7):
    """Our server for a client of sockctl's: hears so many bytes, answers, ends as one should. A task whose value is a Meeting."""

    def work():
        meeting = Meeting()
        context.sni_callback = lambda tls, name, _: setattr(meeting, "sni", name)
        try:
            tls = wrap(wire.accept(listener), context, server_side=True)
            shake(tls, meeting)
            while len(meeting.heard) < hears and (part := tls.recv(65536)):
                meeting.heard += part
            tls.sendall(says)
            tls.unwrap()
        except (ssl.SSLError, ConnectionError) as why:
            meeting.refused = str(why)
        finally:
            context.sni_callback = None
        return meeting

    return wire.Task(work)


def one_server(sock, context, says=b"hello\n", name="127.0.0.1"):
    """Our client of a sockctl server, up to the server's end."""
    meeting = Meeting()
    tls = wrap(sock, context, server_hostname=name)
    try:
        shake(tls, meeting)
        tls.sendall(says)
        while part := tls.recv(65536):
            meeting.heard += part
        tls.unwrap()
    except (ssl.SSLError, ConnectionError) as why:
        meeting.refused = str(why)
    wire.close(tls)
    return meeting


def events(path, kind=None):
    """Of an --events file, as far as it is written."""
    lines = path.read_bytes().rpartition(b"\n")[0].splitlines()
    return [event for event in map(json.loads, lines) if kind in (None, event["ev"])]


def says_why(proc, says, code=6):
    """Nothing on stdout, the exit code, the reason in one line."""
    assert proc.ends(code) == b""
    line = proc.complaint()
    assert re.search(says, line), f"{line!r} does not say {says!r}"
    return line
