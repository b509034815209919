/* Counts datagrams of size= bytes on a port of its own until its stdin is closed and nothing more has come for 20 ms; what was
 * longer or shorter counts as bad. 64 a call and a big buffer, so that what is measured is the sender. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH = 64, BUFFER_BYTES = 8 * 1024 * 1024, QUIET_MS = 20 };

int main(int argc, char **argv)
{
	load_start(argc, argv);
	int fd = load_bind(SOCK_DGRAM), bytes = BUFFER_BYTES;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	size_t size = (size_t)load_number("size", 512);
	static unsigned char mem[64]; /* the rest of each is cut off: its length is told all the same */
	struct iovec v = { .iov_base = mem, .iov_len = sizeof(mem) };
	struct mmsghdr m[BATCH];
	memset(m, 0, sizeof(m));
	for (int i = 0; i < BATCH; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1 };
	uint64_t got = 0, bad = 0;
	int64_t first = 0, last = 0;
	bool going = true;
	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = going ? STDIN_FILENO : -1, .events = POLLIN } };
		if (load_ok(poll(p, 2, going ? -1 : QUIET_MS), "poll") == 0)
			break;
		if (p[1].revents)
			going = false;
		if (!p[0].revents)
			continue;
		long n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
		if (n < 0 && errno == EAGAIN)
			continue;
		load_ok(n, "recvmmsg");
		last = load_now_ns();
		if (got == 0)
			first = last;
		for (long i = 0; i < n; i++)
			bad += m[i].msg_len != size;
		got += (uint64_t)n;
	}
	load_report("\"datagrams\": %" PRIu64 ", \"bad\": %" PRIu64 ", \"first_ns\": %" PRId64 ", \"last_ns\": %" PRId64, got,
		bad, first, last);
	return 0;
}
