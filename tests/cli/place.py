"""Where a server listens. Hides what differs among transports, so that one test body serves all of them."""
import socket

import pytest

import certs
import relay
from program import has_tls
from wire import LESS, keep, keep_file, read_eof, read_reset

PLAIN = ("tcp4", "tcp6", "unix")
# Of TLS each byte makes a record, all of whose bytes would go one by one: test_seam.py does that with little.
STREAMS = (*PLAIN, *(["tls"] if has_tls() and LESS == 1 else []))
DATAGRAMS = ("udp4", "udp6", "unix-dgram")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def make_place(kind, folder):
    if kind.endswith("6") and not has_ipv6():
        pytest.skip("no IPv6 here")
    return Place(kind, folder)


class Address(str):
    """An address of TLS. What must stand beside it depends on the mode."""

    def beside(self, mode, words):
        if mode != "connect":
            return ["--cert", certs.good().pem, "--key", certs.good().key]
        others = {"--half-close", "--recv-only", "--probe", "--file", "--discard", "--zero", "-e", "--exec", "--exec-socket", "--pty", "--talk", "--"}
        ends = [] if others & set(words) else ["--half-close", "yes"]  # only standard input's end is passed on as it says
        return ["--ca", certs.root().pem, *ends]


class Place:
    def __init__(self, kind, folder):
        self.kind = kind
        self.tls = kind == "tls"
        self.folder = folder
        self.dgram = kind in DATAGRAMS
        self.unix = kind.startswith("unix")
        self.path = str(folder / "s") if self.unix else None
        self.port = 0
        self.family = socket.AF_UNIX if self.unix else socket.AF_INET6 if kind.endswith("6") else socket.AF_INET
        self.type = socket.SOCK_DGRAM if self.dgram else socket.SOCK_STREAM
        self.host = None if self.unix else "::1" if kind.endswith("6") else "127.0.0.1"
        self._clients = 0

    def words(self):
        """The address for sockctl: with port 0 as long as none listens."""
        if self.unix:
            return [f"{self.kind}:{self.path}"]
        if self.tls:
            return [Address(f"tls://{self.host}:{self.port}")]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return [f"{self.kind[:3]}://{host}:{self.port}"]

    def shown(self):
        """As error messages name it."""
        if self.unix:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _at(self):
        return self.path if self.unix else (self.host, self.port)

    def bind(self, rcvbuf=None):
        """A bound socket that does not listen yet: the port is ours, and connecting to it is refused."""
        sock = keep(socket.socket(self.family, self.type))
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.bind(self._at())
        if self.unix:
            keep_file(self.path)
        else:
            self.port = sock.getsockname()[1]
        return keep(relay.Behind(sock)) if self.tls else sock

    def listen(self, backlog=16, rcvbuf=None):
        """Our own server (bound only, for datagrams)."""
        sock = self.bind(rcvbuf)
        if not self.dgram:
            sock.listen(backlog)
        return sock

    def dial(self, rcvbuf=None, source=None, raw=False):
        """Our own client of a sockctl server. raw: one that speaks no TLS."""
        sock = keep(socket.socket(self.family, self.type))
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if self.kind == "unix-dgram":  # without a name of its own it gets no answer
            self._clients += 1
            own = str(self.folder / f"c{self._clients}")
            sock.bind(own)
            keep_file(own)
        if source:
            sock.bind((source, 0))
        sock.connect(self._at())
        return relay.dial(sock) if self.tls and not raw else sock

    def settle(self):
        """What our sockets were given is in the hands of the program's system."""
        if self.tls:
            relay.relay().settle()

    def read_cut(self, sock):
        """Up to the end of a connection that was not brought to its end: TLS lets the peer know."""
        if not self.tls:
            return read_eof(sock)
        return read_reset(sock)

    def deaf(self):
        """A UDP port that is surely taken and surely refuses us: its socket is connected to itself alone."""
        sock = self.bind()
        sock.connect(sock.getsockname())
        return sock
