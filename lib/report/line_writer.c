/* A queue of lines in front of a descriptor (line_writer.h).
 *
 * A line goes out in one write, so that lines of several processes on one terminal or pipe stay whole. No write blocks: files do
 * not block, a socket is written with MSG_DONTWAIT, a pipe or terminal is opened again as nonblocking, which leaves the flags of
 * a shared description alone. Where that is refused, poll is asked first, which promises PIPE_BUF bytes: a line.
 *
 * The queue lies between `from` and `to`; of a line whose first part is written, the rest stands there. */
#include "report/line_writer.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "base/text.h"
#include "stream/stdfd.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
	QUEUE_BYTES = 256 * 1024,
	LAST_BYTES = 2 * LINE_WRITER_MOST,			      /* kept for the last lines */
	MANY_BYTES = QUEUE_BYTES - LAST_BYTES - 2 * LINE_WRITER_MOST, /* above this, further lines are missed */
	FIRST_OTHER = 3						      /* 0 to 2 are stdin, stdout and stderr */
};

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

struct line_writer {
	int fd;
	bool owned, socket, sure; /* sure: a write does not block */
	bool missing;		  /* the queue was full and is not yet half empty */
	int error;
	unsigned long missed;
	struct loop *loop;
	struct watch room;
	size_t from, to, begun; /* begun: bytes written of an unfinished line */
	char queue[QUEUE_BYTES];
};

int64_t line_writer_clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Writing */

static bool line_writer_room(const struct line_writer *s, int64_t until_ms)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	int64_t wait_ms = until_ms == 0 ? 0 : until_ms - line_writer_clock_ms();
	return poll(&p, 1, wait_ms > 0 ? (int)wait_ms : 0) > 0;
}

/* Writes one line, or the rest of it: returns the bytes written, 0 when there is no room, -1. */
static ssize_t put_line(const struct line_writer *s, const char *line, size_t n)
{
	for (;;) {
		if (!s->sure && !line_writer_room(s, 0))
			return 0;
		ssize_t put = s->socket ? send(s->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->fd, line, n);
		if (put >= 0)
			return put;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

/* A full disk has taken a part of a line: cut it off, so that a reader of the file finds only whole lines. Not if another process
 * has written after it. */
static void take_back(const struct line_writer *s)
{
	struct stat st;
	off_t end = s->begun > 0 ? lseek(s->fd, 0, SEEK_CUR) : -1;
	if (end < 0 || fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != end)
		return;
	end -= (off_t)s->begun;
	if (ftruncate(s->fd, end) == 0) /* else the part stays */
		lseek(s->fd, end, SEEK_SET);
}

/* Writes as much as possible at once. */
static void write_some(struct line_writer *s)
{
	while (s->from < s->to && s->error == 0) {
		const char *line = s->queue + s->from;
		const char *end = memchr(line, '\n', s->to - s->from);
		ssize_t put = put_line(s, line, end == NULL ? s->to - s->from : (size_t)(end - line) + 1);
		if (put < 0) {
			s->error = errno;
			take_back(s);
		}
		if (put <= 0)
			return;
		s->from += (size_t)put;
		s->begun = line[put - 1] == '\n' ? 0 : s->begun + (size_t)put;
	}
	s->from = s->to = 0;
}

static void line_writer_look(struct line_writer *s)
{
	write_some(s);
	if (s->loop != NULL) /* a descriptor that cannot be watched is tried with each line */
		loop_watch(s->loop, &s->room, s->to > 0 && s->error == 0 ? LOOP_OUT : 0);
}

static void on_line_writer_room(void *arg, unsigned ready)
{
	(void)ready;
	line_writer_look(arg);
}

void line_writer_flush(struct line_writer *s, int64_t until_ms)
{
	do
		line_writer_look(s);
	while (s->to > 0 && s->error == 0 && until_ms != 0 && line_writer_room(s, until_ms));
}

/* Queueing */

static size_t line_writer_waiting(const struct line_writer *s)
{
	return s->to - s->from;
}

bool line_writer_takes(struct line_writer *s)
{
	if (line_writer_waiting(s) > 0 && s->room.want == 0)
		line_writer_look(s);
	if (line_writer_waiting(s) > MANY_BYTES)
		s->missing = true;
	else if (line_writer_waiting(s) <= QUEUE_BYTES / 2)
		s->missing = false;
	if (s->error == 0 && !s->missing)
		return true;
	s->missed++;
	return false;
}

bool line_writer_idle(const struct line_writer *s)
{
	return line_writer_waiting(s) == 0 && s->error == 0;
}

unsigned long line_writer_missed(struct line_writer *s)
{
	unsigned long n = s->missed;
	s->missed = 0;
	return n;
}

void line_writer_put(struct line_writer *s, const char *line, size_t len)
{
	if (s->error != 0 || len > QUEUE_BYTES - line_writer_waiting(s))
		return;
	if (len > QUEUE_BYTES - s->to) {
		s->to -= s->from;
		memmove(s->queue, s->queue + s->from, s->to);
		s->from = 0;
	}
	memcpy(s->queue + s->to, line, len);
	s->to += len;
	if (s->room.want == 0)
		line_writer_look(s);
}

int line_writer_error(const struct line_writer *s)
{
	return s->error;
}

void line_writer_watch(struct line_writer *s, struct loop *loop)
{
	if (s->loop != NULL)
		loop_watch(s->loop, &s->room, 0);
	s->loop = loop;
	if (loop != NULL)
		line_writer_look(s);
}

bool line_writer_is_stdout(const struct line_writer *s)
{
	return s->fd == STDOUT_FILENO;
}

/* Opening */

struct line_writer *line_writer_open(int fd, struct err *e)
{
	struct stat st;
	struct line_writer *s = mem_new(sizeof *s);
	if (s == NULL || fstat(fd, &st) != 0) {
		err_set(e, ERR_LOCAL, s == NULL ? ENOMEM : errno, "open the report");
		mem_free(s);
		return NULL;
	}
	if (fd < FIRST_OTHER && !S_ISREG(st.st_mode))
		stdfd_ready(fd, NULL); /* if that fails, only poll protects us */
	s->fd = fd;
	s->socket = S_ISSOCK(st.st_mode);
	s->sure = s->socket || S_ISREG(st.st_mode) || (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
	s->room = (struct watch){ .fd = fd, .fn = on_line_writer_room, .arg = s };
	return s;
}

static struct line_writer *open_own(int fd, struct err *e)
{
	struct line_writer *s = line_writer_open(fd, e);
	if (s != NULL)
		s->owned = fd >= FIRST_OTHER;
	else if (fd >= FIRST_OTHER)
		sys_close(fd);
	return s;
}

static struct line_writer *line_writer_refuse(const char *name, int sys, const char *why, struct err *e)
{
	char shown[300];
	text_show(shown, sizeof shown, name, strlen(name));
	err_set(e, ERR_USAGE, sys, "--events %s%s", shown, why);
	return NULL;
}

/* A FIFO is opened as a shell does, waiting for its reader, and made nonblocking afterwards. The description is ours alone. */
static struct line_writer *open_file(const char *path, struct err *e)
{
	int fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0600);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		line_writer_refuse(path, errno, "", e);
		sys_close(fd);
		return NULL;
	}
	return open_own(fd, e);
}

/* A pipe or terminal may be shared: a description of our own takes its place if the system gives one. */
static int own_description(int fd, int flags)
{
	char path[32];
	struct stat st;
	bool may_block = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) && !(flags & O_NONBLOCK);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int own = may_block ? sys_open(path, (flags & O_APPEND) | O_WRONLY | O_NONBLOCK, 0) : -1;
	if (own < 0)
		return fd;
	sys_close(fd);
	return own;
}

static struct line_writer *open_fd(const char *name, int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return line_writer_refuse(name, errno, "", e);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return line_writer_refuse(name, 0, ": it is open for reading only", e);
	if (fd < FIRST_OTHER)
		return open_own(fd, e);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return line_writer_refuse(name, errno, "", e);
	return open_own(own_description(fd, flags), e);
}

/* The shell's >(COMMAND) is such a path and a link; a FILE must not be a link. */
static const char *number_of(const char *name)
{
	static const char *const before[] = { "fd:", "/dev/fd/" };
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
		if (strncmp(name, before[i], strlen(before[i])) == 0)
			return name + strlen(before[i]);
	return NULL;
}

struct line_writer *line_writer_named(const char *name, struct err *e)
{
	int64_t fd = STDOUT_FILENO;
	const char *number = number_of(name);
	if (number != NULL && num_int(number, 1, INT_MAX, &fd, NULL) != 0)
		return line_writer_refuse(name, 0, ": expected the number of an open descriptor, 1 or more", e);
	if (number != NULL || strcmp(name, "-") == 0)
		return open_fd(name, (int)fd, e);
	return open_file(name, e);
}

void line_writer_close(struct line_writer *takes)
{
	if (takes == NULL)
		return;
	if (takes->owned)
		sys_close(takes->fd);
	mem_free(takes);
}
