/* A pipe's bytes in memory (kept_file.h), and streams that read them; they are always ready, so they never wait. */
#include "services/kept_file.h"

#include "base/mem.h"
#include "base/sys.h"
#include "stream/iov.h"

#include <string.h>

enum { FIRST_BYTES = 64 * 1024, MOST_BYTES = 64 * 1024 * 1024 };

struct kept_stream {
	struct stream s;
	const struct kept_file *k;
	size_t at;
};

/* One byte more than may be kept, so that a longer pipe is noticed. */
static int make_room(struct kept_file *k, size_t *room)
{
	if (k->len < *room)
		return 0;
	size_t more = *room == 0 ? FIRST_BYTES : *room < MOST_BYTES / 2 ? 2 * *room : (size_t)MOST_BYTES + 1;
	char *bytes = mem_grow(k->bytes, more);
	if (bytes == NULL)
		return -1;
	k->bytes = bytes;
	*room = more;
	return 0;
}

static bool reads_on(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (errno == EAGAIN)
		return sys_poll(&p, 1, -1) >= 0 || sys_again();
	return sys_again();
}

int kept_file_read(struct kept_file *k, int fd, const char *name, struct err *e)
{
	size_t room = 0;
	for (;;) {
		if (make_room(k, &room) != 0)
			return err_set(e, ERR_LOCAL, ENOMEM, "--file %s", name);
		struct iovec v = { k->bytes + k->len, room - k->len };
		ssize_t n = sys_readv(fd, &v, 1);
		if (n == 0)
			return 0;
		if (n < 0 && !reads_on(fd))
			return err_set(e, ERR_LOCAL, errno, "--file %s", name);
		k->len += n > 0 ? (size_t)n : 0;
		if (k->len > MOST_BYTES)
			return err_set(e, ERR_USAGE, 0,
				"--file %s: a pipe is kept for every client, and 64 MiB of it at most; use a regular file", name);
	}
}

void kept_file_free(struct kept_file *k)
{
	mem_free(k->bytes);
	*k = (struct kept_file){ 0 };
}

static ssize_t kept_readv(struct stream *s, const struct iovec *v, int n)
{
	struct kept_stream *kept = (struct kept_stream *)s;
	size_t got = iov_scatter(v, n, 0, kept->k->bytes + kept->at, kept->k->len - kept->at);
	kept->at += got;
	return (ssize_t)got;
}

static ssize_t kept_writev(struct stream *s, const struct iovec *v, int n)
{
	(void)v;
	(void)n;
	return stream_fail(s, ERR_BUG, 0, EBADF, "write the file");
}

static int kept_shut(struct stream *s)
{
	(void)s;
	return 0;
}

static void kept_close(struct stream *s, enum close_how how)
{
	(void)how;
	mem_free(s);
}

struct stream *kept_file_stream(const struct kept_file *k)
{
	static const struct stream_ops ops = {
		.name = "kept", .readv = kept_readv, .writev = kept_writev, .shut = kept_shut, .close = kept_close
	};
	struct kept_stream *kept = mem_new(sizeof *kept);
	if (kept == NULL)
		return NULL;
	*kept = (struct kept_stream){ .s = { .ops = &ops, .rfd = -1, .wfd = -1 }, .k = k };
	return &kept->s;
}
