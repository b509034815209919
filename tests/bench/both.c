/* Both ways at once: sends the stream to an echo server for seconds= and reads it back meanwhile, comparing; then half-closes and
 * reads to the end. A server in which one direction waits for the other stops after a while: 1.5 s without a byte is a stall. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_BYTES = 256 * 1024, STALL_MS = 1500 };

int main(int argc, char **argv)
{
	load_start(argc, argv);
	int fd = load_dial(SOCK_STREAM, 0);
	unsigned char *in = malloc(CALL_BYTES);
	uint64_t sent = 0, got = 0;
	bool open = true;
	load_block();
	load_nonblocking(fd);
	load_ready();
	int64_t first = load_now_ns(), end = first + (int64_t)(load_real("seconds", 1) * 1e9);
	while (open || got < sent) {
		struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (open ? POLLOUT : 0)) };
		if (load_ok(poll(&p, 1, STALL_MS), "poll") == 0)
			load_die("stalled: %" PRIu64 " bytes sent, %" PRIu64 " came back", sent, got);
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			long n = recv(fd, in, CALL_BYTES, 0);
			if (n < 0 && errno == EAGAIN)
				n = 0;
			else if (load_ok(n, "recv") == 0)
				load_die("cut: %" PRIu64 " bytes sent, %" PRIu64 " came back", sent, got);
			if (!load_is_stream(in, (size_t)n, got))
				load_die("not what was sent, after byte %" PRIu64, got);
			got += (uint64_t)n;
		}
		if (open && load_now_ns() >= end) {
			load_ok(shutdown(fd, SHUT_WR), "shutdown");
			open = false;
		}
		if (open && p.revents & POLLOUT) {
			size_t at = (size_t)(sent % BLOCK_BYTES), n = BLOCK_BYTES - at;
			long m = send(fd, load_block() + at, n < CALL_BYTES ? n : CALL_BYTES, 0);
			sent += m < 0 && errno == EAGAIN ? 0 : (uint64_t)load_ok(m, "send");
		}
	}
	load_report("\"ops\": %" PRIu64 ", \"ns\": %" PRId64, got, load_now_ns() - first);
	load_stay();
	return 0;
}
