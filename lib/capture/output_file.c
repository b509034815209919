/* Writing beside the payload (output_file.h). A write to a regular file is taken as immediate, as everywhere; a FIFO whose reader
 * is too slow fails like a full disk, because the traffic must not wait for its observers. */
#include "capture/output_file.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "stream/iov.h"

#include <string.h>

enum { SHOWN = 256 };

static const char *output_file_shown(const struct output_file *f, char out[SHOWN])
{
	text_show(out, SHOWN, f->path, strlen(f->path));
	return out;
}

int output_file_open(struct output_file *f, const char *path, output_file_broke *broke, void *arg, struct err *e)
{
	char name[SHOWN];
	*f = (struct output_file){ .fd = -1, .path = mem_text(path), .broke = broke, .arg = arg };
	if (f->path == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "open a file");
	f->fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (f->fd >= 0)
		return 0;
	bool is_link = errno == ELOOP;
	err_set(e, ERR_USAGE, is_link ? 0 : errno, "%s%s", output_file_shown(f, name), is_link ? ": it is a symbolic link" : "");
	mem_free(f->path);
	f->path = NULL;
	return -1;
}

static void output_file_broken(struct output_file *f, int sys)
{
	struct err e = { 0 };
	char name[SHOWN];
	if (ftruncate(f->fd, f->written) != 0) {
		/* no regular file, or truncate fails: it stays as it is */
	}
	sys_close(f->fd);
	f->fd = -1;
	err_set(&e, ERR_LOCAL, sys, "write %s", output_file_shown(f, name));
	f->broke(f->arg, &e);
}

void output_file_write(struct output_file *f, struct iovec *v, int n, bool more)
{
	iov_skip(&v, &n, 0);
	while (f->fd >= 0 && n > 0) {
		ssize_t put = sys_writev(f->fd, v, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			output_file_broken(f, put < 0 ? errno : ENOSPC);
			return;
		}
		iov_skip(&v, &n, (size_t)put);
		f->begun += put;
	}
	if (more)
		return;
	f->written += f->begun;
	f->begun = 0;
}

void output_file_close(struct output_file *f)
{
	int fd = f->fd;
	f->fd = -1;
	if (fd >= 0 && close(fd) != 0 && errno != EINTR) {
		struct err e = { 0 };
		char name[SHOWN];
		err_set(&e, ERR_LOCAL, errno, "close %s", output_file_shown(f, name));
		f->broke(f->arg, &e);
	}
	mem_free(f->path);
	f->path = NULL;
}
