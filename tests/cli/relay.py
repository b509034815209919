"""TLS for test bodies that know plain sockets only: a thread stands between our plain socket and the TLS of sockctl.

One end of a loopback connection is the test's, the other is the relay's, which speaks TLS to the program. Both directions are
independent and what one end does happens at the other: our half-close becomes a close_notify, theirs our end of data, a reset a
reset, and a TLS stream that is cut without a close_notify is a reset, too. Nothing is held that could not be passed on: at most
one record and what the kernel has, so a reader that stops is felt on the other side.
"""
import collections
import select
import socket
import ssl
import struct
import threading
import warnings

import certs
import wire

CHUNK = 16384
HELD = 2 * CHUNK  # of ciphertext that came and is not decrypted
WAIT = object()
PLAIN_BUFFER = 128 << 10  # of the kernel, each way, between the test and the relay


def server_context(cert=None, **how):
    """Of a server of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, cert or certs.good(), **how)
    return context


def client_context(cert=None, ca=None, names=True, **how):
    """Of a client of ours, that looks as closely as ours does; names=False: it takes any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if names:
        context.load_verify_locations((ca or certs.root()).pem)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    load(context, cert, **how)
    return context


def load(context, cert=None, weak=False, oldest=None, newest=None, ciphers=None, alpn=(), client_ca=None, curves=None):
    """weak: whatever this library can still do. oldest, newest: ssl.TLSVersion."""
    if weak or ciphers:
        context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are old
        context.minimum_version = oldest or context.minimum_version
        context.maximum_version = newest or context.maximum_version
    if cert:
        context.load_cert_chain(cert.pem, cert.key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client_ca:
        context.load_verify_locations(client_ca.pem)
        context.verify_mode = ssl.CERT_REQUIRED
    if curves:
        context.set_ecdh_curve(curves)


class Tls:
    """One end of TLS without a socket. Bytes from the wire are put in with take(), what belongs on the wire stands in `out`."""

    def __init__(self, context, server=False, name=None):
        self.coming, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self._going, server_side=server, server_hostname=name)
        self.raw = bytearray()  # came, whole records only go on from here
        self.out = bytearray()
        self.shaken = self.ended = False

    def _try(self, call, *args):
        """What it gives, or WAIT for more from the wire. What it has to say goes out, an alert too."""
        try:
            return call(*args)
        except ssl.SSLWantReadError:
            return WAIT
        finally:
            self.out += self._going.read()

    def take(self, data):
        self.raw += data

    def _record(self):
        """One record from the raw bytes to the library, so that it never holds more than it was asked for."""
        if len(self.raw) < 5:
            return False
        size = 5 + int.from_bytes(self.raw[3:5], "big")
        if len(self.raw) < size:
            return False
        self.coming.write(self.raw[:size])
        del self.raw[:size]
        return True

    def shake(self):
        """As far as it goes; True when it is done. ssl.SSLError: refused, by us or by them."""
        while not self.shaken:
            if self._try(self.tls.do_handshake) is not WAIT:
                self.shaken = True
            elif not self._record():
                return False
        return True

    def read(self):
        """Plain bytes of one record; b"" when there is none yet, or the end has come (`ended`)."""
        while not self.ended:
            try:
                data = self._try(self.tls.read, CHUNK * 2)
            except ssl.SSLZeroReturnError:  # so it says when we have ended, too
                data = b""
            if data is WAIT:
                if not self._record():
                    break
                continue
            self.ended = not data
            return data
        return b""

    def write(self, data):
        self._try(self.tls.write, data)

    def end(self):
        """Our close_notify. Reading goes on: the library holds nothing it would have to throw away."""
        self._try(self.tls.unwrap)


class Gone(Exception):
    """One of the two ends is no more: the other learns it by a reset."""


class Link:
    """One connection: `net` speaks TLS with the program, `plain` with the test, which may come only after the handshake."""

    def __init__(self, net, tls, plain=None, meet=None):
        self.net, self.tls, self.plain, self.meet = net, tls, plain, meet
        self.masks = {}  # of each descriptor in epoll: what it is watched for, None when it is out
        self.held = bytearray()  # decrypted, not yet taken by plain
        self.net_ended = self.plain_ended = self.told = self.shut = self.over = self.cut = False
        for sock in (net, plain):
            if sock:
                sock.setblocking(False)

    def socks(self):
        """The sockets watched. Before the handshake the test's is not: the program would only see a failed handshake."""
        if self.cut:
            return [self.plain]
        return [self.net, self.plain] if self.tls.shaken else [self.net]

    def turn(self):
        """Everything that can be done now."""
        if self.cut:
            if sent_out(self.plain):
                close_rudely(self.plain)
                self.over = True
            return
        try:
            while self._read_net() | self._pass_in() | self._pass_out() | self._flush():
                pass
            if self.told and self.shut and not self.tls.out:
                self.close(False)
        except (Gone, OSError) as why:  # ssl.SSLError is one
            if isinstance(why, ssl.SSLError):
                print(f"relay: {why}")  # pytest shows it where the test fails
                try:
                    self._flush()  # the alert
                except OSError:
                    pass
            self.close(True, alert=isinstance(why, ssl.SSLError))

    def _recv(self, sock, size):
        try:
            return sock.recv(size)
        except BlockingIOError:
            return None

    def _send(self, sock, data):
        """Moves what goes from the buffer to the socket."""
        was = len(data)
        try:
            while data:
                with memoryview(data)[:65536] as part:
                    sent = sock.send(part)
                del data[:sent]
        except BlockingIOError:
            pass
        return len(data) < was

    def _read_net(self):
        if self.net_ended or len(self.tls.raw) >= HELD:
            return False
        data = self._recv(self.net, CHUNK)
        if data is None:
            return False
        if not data:
            self.net_ended = True
            return True
        self.tls.take(data)
        return True

    def _pass_in(self):
        """From the program to the test."""
        if not self.tls.shaken:
            if not self.tls.shake():
                if self.net_ended:
                    raise Gone
                return False
            if self.meet:
                self.plain = self.meet()
                self.plain.setblocking(False)
        moved = self._send(self.plain, self.held)
        if not self.held and not self.tls.ended:
            self.held += self.tls.read()
            if self.held:
                return True
            if self.net_ended and not self.tls.ended:
                raise Gone  # cut
        if self.tls.ended and not self.held and not self.shut:
            self.plain.shutdown(socket.SHUT_WR)
            self.shut = True
            return True
        return moved

    def _pass_out(self):
        """From the test to the program."""
        if not self.tls.shaken or self.plain_ended or self.tls.out:
            return False
        data = self._recv(self.plain, CHUNK)
        if data is None:
            return False
        if data:
            self.tls.write(data)
        else:
            self.plain_ended = True
            self.tls.end()
            self.told = True
        return True

    def _flush(self):
        return self._send(self.net, self.tls.out)

    def wants(self, sock):
        """Which readiness brings us further."""
        want = 0
        if self.cut:
            return select.EPOLLOUT
        if sock is self.net:
            want |= select.EPOLLIN * (not self.net_ended and len(self.tls.raw) < HELD)
            want |= select.EPOLLOUT * bool(self.tls.out)
        else:
            want |= select.EPOLLIN * (not self.plain_ended and not self.tls.out)
            want |= select.EPOLLOUT * bool(self.held)
        return want

    def close(self, rudely, alert=False):
        """alert: what we have said is not to be lost by a reset. What the program has sent reaches the test before the reset."""
        (close_rudely if rudely and not alert else socket.socket.close)(self.net)
        if self.plain and rudely and not sent_out(self.plain):
            self.cut = True
            return
        if self.plain:
            (close_rudely if rudely else socket.socket.close)(self.plain)
        self.over = True


def close_rudely(sock):
    """Once, or again."""
    if sock.fileno() < 0:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


TCP_NOTSENT_LOWAT = 25


def sent_out(sock):
    """Has the test's end got all, or is no more? Otherwise epoll tells when (EPOLLOUT)."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))


class Relay:
    """All relayed connections of a test, in one thread. Ends with the test (wire.close_all)."""

    def __init__(self):
        self.poll = select.epoll()
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.poll.register(self.near, select.EPOLLIN)
        self.inner = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.todo = collections.deque()
        self.links, self.doors = {}, {}
        self.lock = threading.Lock()
        self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _do(self, fn):
        self.todo.append(fn)
        self.far.send(b"x")

    def pair(self):
        """(the relay's end, the test's end) of a plain connection."""
        mine = wire.keep(small_steps(socket.socket(), plain=True))
        with self.lock:
            mine.connect(self.inner.getsockname())
            theirs, _ = self.inner.accept()
        return small_steps(theirs, plain=True), mine

    def dial(self, net, context, name):
        """net is connected to a server of sockctl's: the test's end of it."""
        plain, mine = self.pair()
        self._do(lambda: self._turn(Link(small_steps(net), Tls(context, name=name), plain)))
        return mine

    def door(self, front, inner, context):
        """A client at front speaks TLS, and is then to be accepted at inner."""
        front.setblocking(False)
        self._do(lambda: self._open(front, inner, context))

    def _open(self, front, inner, context):
        self.doors[front.fileno()] = (front, inner, context)
        self.poll.register(front, select.EPOLLIN)

    def _accept(self, front, inner, context):
        try:
            net, _ = front.accept()
        except OSError:  # no client, or the test has closed it
            return

        def meet():
            plain = small_steps(socket.socket(), plain=True)
            try:
                plain.connect(inner.getsockname())
            except OSError:
                plain.close()
                raise Gone from None
            return plain

        self._turn(Link(small_steps(net), Tls(context, server=True), meet=meet))

    def _turn(self, link):
        link.turn()
        self._watch(link)

    def _watch(self, link):
        socks = link.socks()
        for number in set(link.masks) - {each.fileno() for each in socks}:  # closing took it out of epoll
            self.links.pop(number, None)
            del link.masks[number]
        if link.over:
            self._forget(link)
            return
        for sock in socks:
            number, want = sock.fileno(), link.wants(sock)
            if number not in link.masks:
                self.doors.pop(number, None)  # closed by the test meanwhile
                self.links[number] = link
                self.poll.register(number, want)
            elif link.masks[number] is not None and link.masks[number] != want:
                self.poll.modify(number, want)
            else:
                continue
            link.masks[number] = want

    def _forget(self, link):
        for number in link.masks:
            self.links.pop(number, None)

    def _happened(self, link, number, what):
        """Errors and hang-ups are told although not asked for: a reset counts, an end both ways would be told for ever."""
        sock = next(each for each in link.socks() if each.fileno() == number)
        reading = (link.masks[number] or 0) & select.EPOLLIN  # then what came before the reset comes first
        if what & select.EPOLLERR and not reading and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            link.close(True)
            self._watch(link)
        elif what & select.EPOLLHUP and not link.masks[number]:
            self.poll.unregister(number)
            link.masks[number] = None
        else:
            self._turn(link)

    def _run(self):
        try:
            while True:
                for number, what in self.poll.poll():
                    if number == self.near.fileno():
                        self.near.recv(4096)
                        while self.todo:
                            fn = self.todo.popleft()
                            if not fn:
                                return
                            fn()
                    elif number in self.doors:
                        self._accept(*self.doors[number])
                    elif number in self.links:
                        self._happened(self.links[number], number, what)
        except BaseException as e:  # noqa: B902 - the test's, when it ends
            self.error = e

    def settle(self):
        """Returns when everything that can be passed on has been."""
        done = threading.Event()
        self._do(lambda: [self._turn(link) for link in set(self.links.values())] and None or done.set())
        assert done.wait(wire.DEADLINE)

    def close(self):
        self.todo.append(None)
        self.far.send(b"x")
        self.thread.join(wire.DEADLINE)
        for link in set(self.links.values()):
            link.close(False)  # twice does no harm
        for front, _, _ in self.doors.values():
            front.close()
        for each in (self.poll, self.near, self.far, self.inner):
            each.close()
        if self.error:
            raise self.error


def small_steps(sock, plain=False):
    """No byte waits for the next. On the plain side nothing is held beyond a measure."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if plain:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PLAIN_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PLAIN_BUFFER)
    return sock


_relay = []


def relay():
    """The one of this test."""
    if not _relay:
        _relay.append(Relay())
        wire.at_end(lambda: _relay.pop().close())
    return _relay[0]


class Behind(socket.socket):
    """Where a test listens: a client has come to `front` and spoken TLS there."""

    def __init__(self, front):
        super().__init__()
        self.front = front
        small_steps(self, plain=True)
        self.bind(("127.0.0.1", 0))

    def listen(self, backlog=16):
        super().listen(backlog)
        self.front.listen(backlog)
        relay().door(self.front, self, server_context())

    def close(self):
        wire.close(self.front)
        super().close()


def dial(net):
    """The test's end of a connection to a server of sockctl's, which must prove its name."""
    return relay().dial(wire.give(net), client_context(), net.getpeername()[0])
