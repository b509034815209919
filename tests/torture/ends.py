"""Our end of a connection in a fault run: a socket that never waits, what it is to say, and what it has heard.

Over TLS the bytes pass through the memory engine of the black-box tests (relay.Tls). An end that has said everything half-closes;
it is `over` when its peer has ended, too. How its peer ended is the point of it: `eof` with a goodbye, or `cut` by a reset or,
under TLS, by an end without close_notify.
"""
import select
import socket
import ssl
import struct

import relay

CHUNK = 1 << 16


class Door:
    """Where a program under test connects to: one client, which becomes the end."""

    def __init__(self, sock, end):
        self.sock, self.end = sock, end
        self.over = False

    def wants(self):
        return select.POLLIN

    def turn(self, what):
        try:
            peer, _ = self.sock.accept()
        except OSError:
            return []
        self.close()
        self.over = True
        self.end.take(peer)
        return [self.end]

    def close(self):
        self.sock.close()


class End:
    """A stream. says: what it sends; enough: it hangs up after so many bytes; before None it half-closes when it has said all.
    holds: it has more to say, later. loose: nothing is promised to it."""

    loose = holds = False

    def __init__(self, name, says=b"", context=None, server=False, enough=None, shuts=True):
        self.name, self.says = name, bytes(says)
        self.out = bytearray(says)
        self.tls = relay.Tls(context, server=server, name=None if server else "127.0.0.1") if context else None
        self.enough, self.shuts = enough, shuts
        self.got = bytearray()
        self.sock = None
        self.eof = self.cut = self.said = self.over = self.refused = self.verified = False

    def take(self, sock):
        self.sock = sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            self._guard(self.tls.shake)

    def dial(self, family, where):
        self.take(socket.socket(family))
        try:
            self.sock.connect(where)
        except BlockingIOError:
            pass
        except OSError:
            self._lost()

    def _guard(self, call, *args):
        try:
            return call(*args)
        except ssl.SSLError:
            self.refused = True
            self._lost()
            return None

    def _lost(self):
        self.cut = not self.eof
        self.over = True
        self.close()

    def _ends(self):
        return not self.said and self.shuts and not self.holds

    def _talking(self):
        return not self.tls or self.tls.shaken

    def wants(self):
        if self.tls:
            sending = bool(self.tls.out) or (self.tls.shaken and (bool(self.out) or self._ends()))
        else:
            sending = bool(self.out) or self._ends()
        return select.POLLIN * (not self.eof) | select.POLLOUT * sending

    def turn(self, what):
        try:
            if what & (select.POLLIN | select.POLLHUP | select.POLLERR) and not self.eof:
                self._read()
            if not self.over:
                self._write()
        except BlockingIOError:
            pass
        except OSError:
            self._lost()
        if not self.over and self.eof and not self.holds and (self.said or not self.shuts) and not (self.tls and self.tls.out):
            self.over = True
            self.close()
        return []

    def _read(self):
        data = self.sock.recv(CHUNK)
        if not self.tls:
            self.got += data
            self.eof = not data
        else:
            if data:
                self.tls.take(data)
            if not self.tls.shaken and not self._guard(self.tls.shake):
                if not data:
                    self._lost()
                return
            while not self.over and (part := self._guard(self.tls.read)):
                self.got += part
            self.eof = self.tls.ended
            if not data and not self.eof:
                self._lost()
        if self.enough is not None and len(self.got) >= self.enough and not self.over:
            self.over = True
            self.close(reset=True)

    def _write(self):
        if self.tls:
            while self._talking() and not self.said and len(self.tls.out) < CHUNK:
                if self.out:
                    part = bytes(self.out[:16384])
                    del self.out[:16384]
                    self.tls.write(part)
                elif self._ends():
                    self.tls.end()
                    self.said = True
                else:
                    break
            if self.tls.out:
                del self.tls.out[:self.sock.send(self.tls.out)]
            return
        if self.out:
            with memoryview(self.out)[:CHUNK] as part:
                sent = self.sock.send(part)
            del self.out[:sent]
        if not self.out and self._ends():
            self.said = True
            self.sock.shutdown(socket.SHUT_WR)

    def close(self, reset=False):
        if self.sock:
            if reset and self.sock.family != socket.AF_UNIX:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()


class Mail:
    """Datagrams. says: what it sends, one after the other: the first at once when it knows its peer, each further one when
    `paced` datagrams have come for the one before. A server waits for its first word (peer unknown)."""

    loose = False

    def __init__(self, name, says=(), hears=0, paced=0):
        self.name, self.says, self.hears, self.paced = name, [bytes(each) for each in says], hears, paced
        self.at = 0
        self.got, self.peer = [], None
        self.sock = None
        self.eof = self.cut = self.over = self.refused = False
        self.connected = False

    def take(self, sock):
        self.sock = sock
        sock.setblocking(False)

    def dial(self, sock, where):
        self.take(sock)
        self.connected = True
        try:
            sock.connect(where)
        except OSError:
            self.cut = self.over = True
            self.close()

    def may_say(self):
        return self.at < len(self.says) and (self.connected or self.peer) and len(self.got) >= self.at * self.paced

    def wants(self):
        return select.POLLIN | select.POLLOUT * bool(self.may_say())

    def turn(self, what):
        try:
            if what & (select.POLLIN | select.POLLERR):
                data, peer = self.sock.recvfrom(1 << 17)
                self.got.append(data)
                self.peer = self.peer or peer
            elif self.may_say():
                data = self.says[self.at]
                if self.connected:
                    self.sock.send(data)
                else:
                    self.sock.sendto(data, self.peer)
                self.at += 1
        except BlockingIOError:
            pass
        except OSError:  # refused: no listener is left
            self.cut = self.over = True
            self.close()
        if not self.over and self.hears and len(self.got) >= self.hears and self.at == len(self.says):
            self.over = True
        return []

    def close(self):
        if self.sock:
            self.sock.close()
