/* Offers datagrams of size= bytes to port= at rate= a second for seconds=, BATCH at a time, evenly: what is measured is the
 * receiver. A batch that is late is sent at once, so the rate holds over the whole time.
 *
 * A batch is one buffer that the system cuts (UDP_SEGMENT), which leaves the receiver more of the processor than as many sends
 * would; it gets single datagrams all the same. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

enum { BATCH = 30 };

int main(int argc, char **argv)
{
	load_start(argc, argv);
	int fd = load_dial(SOCK_DGRAM, 0), size = (int)load_number("size", 64), cut = size;
	double rate = load_real("rate", 300000);
	load_ok(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &cut, sizeof(cut)), "UDP_SEGMENT");
	prctl(PR_SET_TIMERSLACK, 1UL); /* a wait of 100 us is no wait of 150 */
	uint64_t sent = 0;
	int64_t first = load_now_ns(), end = first + (int64_t)(load_real("seconds", 1) * 1e9), now;
	while ((now = load_now_ns()) < end) {
		int64_t early = first + (int64_t)((double)sent * 1e9 / rate) - now;
		if (early > 0) {
			ppoll(NULL, 0, &(struct timespec){ .tv_nsec = early }, NULL);
			continue;
		}
		long n = send(fd, load_block(), (size_t)(BATCH * size), 0);
		if (n != BATCH * size)
			load_die("send");
		sent += BATCH;
	}
	load_report("\"datagrams\": %" PRIu64 ", \"first_ns\": %" PRId64 ", \"last_ns\": %" PRId64, sent, first, now);
	return 0;
}
