/* Takes everything and counts it: how much, and when the first and the last byte came.
 *
 *   from=pipe   stdin, moved to /dev/null by splice: next to no work, so that what is measured is the writer
 *   from=tcp    a connection to a port of ours, its bytes thrown away by the kernel
 *   check=1     reads them instead and compares each with the stream
 *   from=file   as from=pipe check=1, for a file */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALL_BYTES = 1024 * 1024 };
static unsigned char *mem;
static int from, null;

static long take_splice(void)
{
	return splice(from, NULL, null, NULL, CALL_BYTES, SPLICE_F_MOVE);
}

static long take_trunc(void)
{
	return recv(from, NULL, CALL_BYTES, MSG_TRUNC);
}

static long take_read(void)
{
	return read(from, mem, CALL_BYTES);
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	bool tcp = strcmp(load_word("from", "pipe"), "tcp") == 0;
	bool file = strcmp(load_word("from", "pipe"), "file") == 0, check = load_number("check", 0) != 0 || file;
	long (*take)(void) = check ? take_read : tcp ? take_trunc : take_splice;
	mem = malloc(CALL_BYTES);
	null = (int)load_ok(open("/dev/null", O_WRONLY), "/dev/null");
	if (tcp)
		from = (int)load_ok(accept(load_bind(SOCK_STREAM), NULL, NULL), "accept");
	if (check)
		load_block();
	uint64_t at = 0;
	int64_t first = 0, last = 0;
	for (;;) {
		long n = take();
		if (n < 0 && errno == EINTR)
			continue;
		if (load_ok(n, "taking") == 0)
			break;
		last = load_now_ns();
		if (at == 0)
			first = last;
		if (check && !load_is_stream(mem, (size_t)n, at))
			load_die("not what was sent, after byte %" PRIu64, at);
		at += (uint64_t)n;
	}
	load_report("\"bytes\": %" PRIu64 ", \"first_ns\": %" PRId64 ", \"last_ns\": %" PRId64, at, first, last);
	return 0;
}
