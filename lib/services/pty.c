/* A pseudoterminal (pty.h), 24 lines of 80 characters, otherwise with the system's defaults: lines are edited and echoed.
 *
 * When no process has the other end open any more Linux returns EIO, which counts as the end; other systems return the end. A
 * write then fails as on a pipe whose reader has left. */
#include "services/pty.h"

#include "base/mem.h"
#include "base/sys.h"
#include "stream/buf.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { LINES = 24, COLUMNS = 80 };

struct pty {
	struct stream s;
	struct buf out; /* end-of-file characters */
	bool in_line;	/* an unfinished line was typed */
	bool shut;
	unsigned char bytes[2];
};

static struct pty *pty_self(struct stream *s)
{
	return (struct pty *)s;
}

static ssize_t pty_readv(struct stream *s, const struct iovec *v, int n)
{
	ssize_t got = stream_pass_readv(s, v, n);
	return got == ST_FAIL && s->why.sys == EIO ? 0 : got;
}

static ssize_t pty_writev(struct stream *s, const struct iovec *v, int n)
{
	ssize_t put = stream_pass_writev(s, v, n), left = put;
	if (put == ST_FAIL && s->why.sys == EIO)
		return stream_fail(s, ERR_PIPE, s->why.flags, EPIPE, s->why.text);
	for (int i = 0; left > 0; left -= (ssize_t)v[i].iov_len, i++) {
		size_t last = (size_t)left < v[i].iov_len ? (size_t)left : v[i].iov_len;
		if (last > 0)
			pty_self(s)->in_line = ((const char *)v[i].iov_base)[last - 1] != '\n';
	}
	return put;
}

/* After half a line the first one only passes that line on. */
static void type_end(struct pty *p)
{
	struct termios mode;
	if (tcgetattr(p->s.rfd, &mode) != 0 || (mode.c_lflag & ICANON) == 0 || mode.c_cc[VEOF] == _POSIX_VDISABLE)
		return;
	p->bytes[0] = p->bytes[1] = mode.c_cc[VEOF];
	p->out = (struct buf){ .fixed = true, .mem = p->bytes, .len = p->in_line ? 2 : 1 };
}

static int pty_shut(struct stream *s)
{
	struct pty *p = pty_self(s);
	if (!p->shut)
		type_end(p);
	p->shut = true;
	int rc = buf_send(&p->out, s);
	return rc == ST_FAIL ? 0 : rc; /* a reader that has left needs no end */
}

static int pty_flush(struct stream *s)
{
	return buf_flush(&pty_self(s)->out, s);
}

static void pty_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops ops = {
	.name = "pty",
	.readv = pty_readv,
	.writev = pty_writev,
	.flush = pty_flush,
	.shut = pty_shut,
	.close = pty_close,
};

static int open_ends(int *tty)
{
	const struct winsize size = { .ws_row = LINES, .ws_col = COLUMNS };
	int ours = posix_openpt(O_RDWR | O_NOCTTY);
	if (ours < 0)
		return -1;
	const char *name = grantpt(ours) == 0 && unlockpt(ours) == 0 ? ptsname(ours) : NULL;
	*tty = name != NULL ? sys_open(name, O_RDWR | O_NOCTTY, 0) : -1;
	if (*tty >= 0 && fcntl(ours, F_SETFD, FD_CLOEXEC) == 0 && fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK) == 0) {
		ioctl(*tty, TIOCSWINSZ, &size); /* best effort */
		return ours;
	}
	int sys = errno;
	sys_close(ours);
	sys_close(*tty);
	errno = sys;
	return -1;
}

struct stream *pty_open(int *tty, struct err *e)
{
	static const struct stream_words words = { OF_PEER, "read the terminal of the program for",
		"write to the terminal of the program for", "close the terminal of the program for" };
	int ours = open_ends(tty);
	if (ours < 0) {
		err_set(e, ERR_LOCAL, errno, "open a terminal for the program");
		return NULL;
	}
	struct stream *below = stream_pair(ours, ours, &words);
	struct pty *p = below != NULL ? mem_new(sizeof *p) : NULL;
	if (p == NULL) {
		stream_close(below, CLOSE_PLAIN);
		sys_close(*tty);
		err_set(e, ERR_LOCAL, ENOMEM, "open a terminal for the program");
		return NULL;
	}
	below->caps &= ~(unsigned)ST_TTY; /* not the terminal that we are in the background of */
	stream_push(&p->s, &ops, below);
	return &p->s;
}
