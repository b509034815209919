"""What TLS costs for silent peers: memory, of many clients at once, before and after they have said something."""
import os
import resource

import pytest

import certs
import relay
import tlspeer
import wire
from program import has_tls, is_sanitized

pytestmark = pytest.mark.neighbours

if not has_tls():
    pytest.skip("built without TLS", allow_module_level=True)

CLIENTS, FIRST, EACH_KIB, WORDS = 2000, 50, 20, 20_000


def resident_kib(proc):
    with open(f"/proc/{proc.pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


@pytest.mark.timeout(600)
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's memory is not ours")
@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="memory is read from /proc")
def test_memory_of_2000_idle_clients(sockctl, tcp):
    """Idle is a client with nothing under way: from the handshake on, and again when all was said and answered."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < CLIENTS + FIRST + 100:
        pytest.skip("our own limit of descriptors is too low")
    proc = sockctl.serve("echo", [f"tls://{tcp.shown()}"], "--cert", certs.good().both, "--max", CLIENTS + FIRST)
    tcp.port = proc.port
    context = relay.client_context(names=False)

    def client():
        tls = tlspeer.wrap(tcp.dial(), context)
        tls.do_handshake()
        tls.sendall(b"x")
        assert wire.read(tls, 1) == b"x"
        return tls

    clients = [client() for _ in range(FIRST)]  # the library and what they all share are there now
    before = resident_kib(proc)
    clients += [client() for _ in range(CLIENTS)]
    each = (resident_kib(proc) - before) / CLIENTS
    assert each <= EACH_KIB, f"{each:.1f} KiB for each idle client"
    words = wire.payload(WORDS)
    for tls in clients:
        tls.sendall(words)
    for tls in clients:
        wire.same(wire.read(tls, WORDS), words)
    each = (resident_kib(proc) - before) / CLIENTS
    assert each <= EACH_KIB, f"{each:.1f} KiB for each client that is idle again"
