"""Networks of our own: a network namespace each, joined by veth pairs or holding a TUN device whose other end is ours.

No namespace has a name in the file system: each lives as long as its descriptor and what was started in it, so that nothing can be
left behind, whatever happens to a test. Entering one (`with net:`) holds for the calling thread and for what it starts.
Python learned setns() only in 3.12, so libc is asked.
"""
import ctypes
import fcntl
import os
import struct
import subprocess

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
HERE = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{name}: {os.strerror(errno)}")


class Net:
    def __init__(self):
        """OSError where the system allows none."""
        self.inside = []
        before = os.open(HERE, os.O_RDONLY)
        try:
            _call("unshare", CLONE_NEWNET)
            try:
                self.fd = os.open(HERE, os.O_RDONLY)
            finally:
                _call("setns", before, CLONE_NEWNET)
        finally:
            os.close(before)
        with self:  # a network without any packet that no test asked for: no neighbour discovery, no multicast reports
            with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as f:
                f.write("1")
        self.ip("link set lo up")

    def __enter__(self):
        self.inside.append(os.open(HERE, os.O_RDONLY))
        _call("setns", self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        before = self.inside.pop()
        _call("setns", before, CLONE_NEWNET)
        os.close(before)

    def path(self):
        """As ip(8) takes it."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def ip(self, *lines):
        """Lines for ip(8), all at once."""
        with self:
            done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True)
        assert done.returncode == 0, f"ip: {lines}: {done.stderr}"

    def run(self, *argv):
        with self:
            return subprocess.run(argv, capture_output=True, text=True)

    def tun(self, name):
        """The descriptor of a TUN device: what is read was sent into it, what is written comes out of it. Whole IP packets."""
        with self:  # the device belongs to the network in which its descriptor was opened
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
            except OSError:
                os.close(fd)
                raise
        return fd

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def cable(a, b, name_a, name_b):
    """A veth pair between two networks; addresses and `link set up` are the caller's."""
    a.ip(f"link add name {name_a} type veth peer name {name_b} netns {b.path()}")


def refusal():
    """Why there can be no networks of our own here, or an empty string."""
    try:
        net = Net()
    except OSError as e:
        return f"network namespaces are not permitted: {e.strerror}"
    except (AssertionError, FileNotFoundError) as e:
        return str(e)
    try:
        os.close(net.tun("probe0"))
        cable(net, net, "probe1", "probe2")
    except (OSError, AssertionError) as e:
        return f"no TUN or veth devices: {e}"
    finally:
        net.close()
    return ""
