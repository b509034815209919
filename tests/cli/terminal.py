"""A terminal to run programs at: what they show is read by the test, what is typed comes from it."""
import fcntl
import os
import pty
import select
import struct
import termios
import tty

import wire


class Terminal:
    """A terminal whose keyboard and screen are ours. It changes nothing on the way: no echo, no CR added."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        mode = termios.tcgetattr(self.theirs)
        mode[tty.OFLAG] &= ~termios.OPOST
        mode[tty.LFLAG] &= ~termios.ECHO
        termios.tcsetattr(self.theirs, termios.TCSANOW, mode)
        self.seen = b""

    def take(self):
        """Makes it the controlling terminal of a child, which is the leader of its session by then."""
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.ours, keys)

    def shows(self, words):
        """Waits for these bytes on the screen; returns all up to and with them."""
        while words not in self.seen:
            assert select.select([self.ours], [], [], wire.DEADLINE)[0], f"{words!r} not seen, but {self.seen!r}"
            self.seen += os.read(self.ours, 65536)
        at = self.seen.index(words) + len(words)
        shown, self.seen = self.seen[:at], self.seen[at:]
        return shown

    def close(self):
        os.close(self.ours)
        os.close(self.theirs)
