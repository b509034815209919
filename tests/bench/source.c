/* Gives the stream away as fast as the reader takes it, for seconds= or up to bytes=.
 *
 *   to=pipe    into stdout by vmsplice: pages are lent, not copied, so that what is measured is the reader
 *   to=write   into stdout by write; with size=, that many bytes a call, which a packet pipe keeps together
 *   to=tcp     connects to port= and sends by sendfile, then waits until the peer has closed
 *   to=accept  the same for a peer that connects to us
 *
 * Time begins at the first read: when the connection stands, or when more has gone into the pipe than it held at first. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CALL_BYTES = 512 * 1024 };

static long give_pipe(uint64_t at, size_t most)
{
	size_t from = (size_t)(at % BLOCK_BYTES);
	struct iovec v = { .iov_base = (void *)(uintptr_t)(load_block() + from), .iov_len = BLOCK_BYTES - from };
	if (v.iov_len > most)
		v.iov_len = most;
	return vmsplice(STDOUT_FILENO, &v, 1, 0);
}

static long give_write(uint64_t at, size_t most)
{
	size_t from = (size_t)(at % BLOCK_BYTES), n = BLOCK_BYTES - from, size = (size_t)load_number("size", 0);
	if (size > 0)
		from = 0, n = size;
	return write(STDOUT_FILENO, load_block() + from, n < most ? n : most);
}

static int peer;

static long give_tcp(uint64_t at, size_t most)
{
	off_t from = (off_t)(at % BLOCK_BYTES);
	size_t n = (size_t)(BLOCK_BYTES - from);
	if (n > CALL_BYTES)
		n = CALL_BYTES;
	return sendfile(peer, load_block_fd(), &from, n < most ? n : most);
}

/* A reset says that bytes were thrown away. */
static void await_end(void)
{
	char trash[4096];
	long n;
	load_ok(shutdown(peer, SHUT_WR), "shutdown");
	struct timeval none = { 0 };
	setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	while ((n = read(peer, trash, sizeof(trash))) > 0)
		;
	load_ok(n, "the peer's end");
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	const char *to = load_word("to", "pipe");
	bool dials = strcmp(to, "tcp") == 0, accepts = strcmp(to, "accept") == 0;
	long (*give)(uint64_t, size_t) = dials || accepts ? give_tcp : strcmp(to, "write") == 0 ? give_write : give_pipe;
	uint64_t bytes = (uint64_t)load_number("bytes", INT64_MAX), at = 0;
	load_block();
	if (dials)
		peer = load_dial(SOCK_STREAM, 0);
	else if (accepts)
		peer = (int)load_ok(accept(load_bind(SOCK_STREAM), NULL, NULL), "accept");
	long holds = give == give_tcp ? 0 : fcntl(STDOUT_FILENO, F_GETPIPE_SZ);
	int64_t first = load_now_ns(), lasts = (int64_t)(load_real("seconds", 3600) * 1e9);
	bool taken = holds <= 0;
	while (at < bytes && (!taken || load_now_ns() < first + lasts)) {
		long n = give(at, (size_t)(bytes - at < CALL_BYTES ? bytes - at : CALL_BYTES));
		if (n < 0 && errno == EINTR)
			continue;
		at += (uint64_t)load_ok(n, "the reader takes nothing");
		if (!taken && at > (uint64_t)holds) {
			taken = true;
			first = load_now_ns();
		}
	}
	if (give == give_tcp)
		await_end();
	load_report("\"bytes\": %" PRIu64 ", \"first_ns\": %" PRId64 ", \"last_ns\": %" PRId64, at, first, load_now_ns());
	return 0;
}
