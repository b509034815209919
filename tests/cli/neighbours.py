"""Bad neighbours: connections that stand beside an honest client at a TLS server and come to nothing.

One says nothing, one stops within a record's head, one in the middle of its first message, one after it, one drips, one speaks no
TLS, one is gone already. Whatever an honest client is promised holds beside them.
"""
import contextlib
import select
import socket

import relay
import wire

DRIP_MS = 50
QUIET = ("mute", "head", "half", "stalled", "drip", "gone", "reset")  # people are not told of these, while they last


def hello():
    """The first message of a client."""
    tls = relay.Tls(relay.client_context(names=False), server=False)
    tls.shake()
    return bytes(tls.out)


def _drip(sock, data):
    """A byte now and then, until all are out or the server has had enough."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    with contextlib.suppress(OSError, ValueError):
        for byte in data:
            if poll.poll(DRIP_MS):
                return
            sock.send(bytes([byte]))


def kinds():
    """name: what it does with its connection."""
    first = hello()
    return {
        "mute": lambda sock: None,
        "head": lambda sock: sock.sendall(first[:3]),
        "half": lambda sock: sock.sendall(first[:len(first) // 2]),
        "stalled": lambda sock: sock.sendall(first),
        "drip": lambda sock: wire.Task(_drip, sock, first),
        "plain": lambda sock: sock.sendall(b"GET / HTTP/1.0\r\n\r\n"),
        "gone": wire.close,
        "reset": wire.reset,
    }


def surround(host, port, only=None):
    """One of each kind, or of those: their sockets, which are closed at the end of the test."""
    socks = []
    for name, act in kinds().items():
        if only is None or name == only or (name in only and not isinstance(only, str)):
            sock = wire.keep(socket.create_connection((host, port), wire.DEADLINE))
            with contextlib.suppress(OSError):  # the server may have seen enough already
                act(sock)
            socks.append(sock)
    return socks
