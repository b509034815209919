/* The lowest streams. Two kinds share one struct: a connected socket, or a pair of descriptors for reading and writing.
 *
 * A socket is never made nonblocking: MSG_DONTWAIT does it per call, also for a stdin that is a socket and shares its
 * description. Failures are classified here, by errno and kind, so that layers above need not know what EPIPE means where. */
#include "stream/fdstream.h"
#include "base/mem.h"
#include "base/sys.h"
#include "stream/dgram_batch.h"
#include "stream/iov.h"
#include "stream/stdfd.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#if defined(__linux__) && !defined(SIOCOUTQ)
#define SIOCOUTQ TIOCOUTQ /* <linux/sockios.h> says the same, and a musl toolchain may not have it */
#endif

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: the program ignores SIGPIPE anyway */
#endif

struct fdstream {
	struct stream s;
	const struct stream_words *words; /* NULL: a connected socket */
	bool rsock, wsock, shut;
	bool heard;		    /* a socket of a stream: bytes have been read */
	uint8_t pass[2];	    /* enum pass: may bytes be read or written directly? */
	struct dgram_batch_cut cut; /* UDP */
};

enum pass { PASS_UNASKED, PASS_YES, PASS_NO };

static struct fdstream *fd_self(struct stream *s)
{
	return (struct fdstream *)s;
}

static bool would_block(int sys)
{
	return sys == EAGAIN || sys == EWOULDBLOCK;
}

static int fail_socket(struct stream *s, int sys, const char *text)
{
	enum err_class cls = ERR_LOST;
	if (s->caps & ST_DGRAM)
		cls = sys == ECONNREFUSED || sys == EHOSTUNREACH || sys == ENETUNREACH ? ERR_CONNECT : ERR_NETWORK;
	else if (sys == ENOMEM || sys == ENOBUFS)
		cls = ERR_NETWORK;
	return stream_fail(s, cls, OF_PEER, sys, text);
}

static int fail_read(struct stream *s, int sys)
{
	const struct stream_words *words = fd_self(s)->words;
	return words == NULL ? fail_socket(s, sys, "receive from") : stream_fail(s, ERR_LOCAL, words->flags, sys, words->read);
}

static int fail_write(struct stream *s, int sys)
{
	const struct stream_words *words = fd_self(s)->words;
	if (words == NULL)
		return fail_socket(s, sys, "send to");
	bool gone = sys == EPIPE || (sys == ECONNRESET && fd_self(s)->wsock);
	return stream_fail(s, gone ? ERR_PIPE : ERR_LOCAL, words->flags, sys, words->write);
}

/* A background process that reads its terminal gets EIO while SIGTTIN is ignored: it pauses until SIGCONT. */
static bool in_background(const struct stream *s)
{
	if (!(s->caps & ST_TTY))
		return false;
	pid_t front = tcgetpgrp(s->rfd);
	return front > 0 && front != getpgrp();
}

static int read_failed(struct stream *s, int sys)
{
	bool background = sys == EIO && in_background(s);
	if (!would_block(sys) && !background)
		return fail_read(s, sys);
	return stream_again_rd(s, &(struct need){ .in = !background, .wake = background });
}

static int write_failed(struct stream *s, int sys)
{
	return would_block(sys) ? stream_again_wr(s, &(struct need){ .out = true }) : fail_write(s, sys);
}

int fdstream_failed(struct stream *top, bool write, int sys)
{
	struct stream *bottom = top;
	while (bottom->below != NULL)
		bottom = bottom->below;
	int rc = write ? write_failed(bottom, sys) : read_failed(bottom, sys);
	for (struct stream *s = top; s != bottom; s = s->below) {
		s->why = bottom->why;
		if (write)
			s->wr = bottom->wr;
		else
			s->rd = bottom->rd;
	}
	return rc;
}

/* A stream socket returns less than requested only when it has no more. */
static void note_dry(struct stream *s, const struct iovec *v, int n, size_t got)
{
	fd_self(s)->heard = true;
	s->dry = got < iov_total(v, n);
	if (s->dry)
		s->rd = (struct need){ .in = true };
}

static ssize_t fd_readv(struct stream *s, const struct iovec *v, int n)
{
	struct fdstream *f = fd_self(s);
	bool whole = s->caps & ST_DGRAM;
	if (s->rfd < 0)
		return 0;
	for (;;) {
		struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
		ssize_t got = f->rsock ? sys_recvmsg(s->rfd, &m, MSG_DONTWAIT, whole) : sys_readv(s->rfd, v, n);
		if (got > 0 && (m.msg_flags & MSG_TRUNC) && whole)
			return fail_read(s, EMSGSIZE);
		if (got > 0 && f->rsock && !whole)
			note_dry(s, v, n, (size_t)got);
		if (got > 0)
			return got;
		if (got == 0)
			return whole ? ST_EMPTY : 0;
		if (errno != EINTR)
			return read_failed(s, errno);
	}
}

static ssize_t fd_writev(struct stream *s, const struct iovec *v, int n)
{
	struct fdstream *f = fd_self(s);
	for (;;) {
		const struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
		ssize_t put = f->wsock ? sys_sendmsg(s->wfd, &m, MSG_DONTWAIT | MSG_NOSIGNAL, s->caps & ST_DGRAM)
				       : sys_writev(s->wfd, v, n);
		if (put >= 0)
			return put;
		if (errno != EINTR)
			return write_failed(s, errno);
	}
}

/* Closing may report a full disk (NFS, quotas). The numbers 0-2 are filled again at once, so that no socket gets one of them. */
static int shut_pair(struct stream *s)
{
	const struct stream_words *words = fd_self(s)->words;
	int fd = s->wfd;
	s->wfd = -1;
	if (fd < 0)
		return 0;
	if (fd_self(s)->wsock)
		sys_shutdown(fd, SHUT_WR);
	int rc = close(fd);
	int sys = errno;
	if (fd <= 2)
		stdfd_fill(fd);
	return rc == 0 || sys == EINTR ? 0 : stream_fail(s, ERR_LOCAL, words->flags, sys, words->close);
}

static int fd_shut(struct stream *s)
{
	if (fd_self(s)->shut || (s->caps & ST_DGRAM))
		return 0;
	fd_self(s)->shut = true;
	if (fd_self(s)->words != NULL)
		return shut_pair(s);
	if (sys_shutdown(s->wfd, SHUT_WR) == 0)
		return 0;
	int sys = errno;
	int pending = stream_error(s);
	if (pending == 0 && sys == ENOTCONN)
		return 0; /* the peer has closed both directions already, and no bytes of ours were on their way */
	return fail_socket(s, pending != 0 ? pending : sys, "send to");
}

static void fd_close(struct stream *s, enum close_how how)
{
	if (how == CLOSE_RST && (s->caps & ST_SOCK)) {
		const struct linger reset = { .l_onoff = 1 };
		sys_setsockopt(s->rfd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	}
	int rfd = s->rfd, wfd = s->wfd;
	if (wfd != rfd && wfd > 2)
		sys_close(wfd);
	if (rfd > 2)
		sys_close(rfd);
	mem_free(s);
}

static bool is_null_device(const struct stat *st)
{
#ifdef __linux__
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
#else
	(void)st;
	return false;
#endif
}

/* A spliced pipe does not block, whatever its flags; for a socket the flags decide, and an inherited stdin or stdout shares them.
 * A terminal and other devices are excluded; a descriptor opened for the other direction is left to reading and writing, which
 * report it. */
static bool may_pass(const struct fdstream *f, int fd, bool write)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) != 0 || (flags & O_ACCMODE) == (write ? O_RDONLY : O_WRONLY))
		return false;
	if (S_ISSOCK(st.st_mode))
		return f->words == NULL && (flags & O_NONBLOCK) && !(f->s.caps & ST_DGRAM);
	return S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode) || (write && is_null_device(&st));
}

static int fd_rawfd(struct stream *s, bool write)
{
	struct fdstream *f = fd_self(s);
	int fd = write ? s->wfd : s->rfd;
	if (fd < 0)
		return -1;
	if (f->pass[write] == PASS_UNASKED)
		f->pass[write] = may_pass(f, fd, write) ? PASS_YES : PASS_NO;
	return f->pass[write] == PASS_YES ? fd : -1;
}

static int udp_recvm(struct stream *s, struct msgs *m)
{
	int got;
	do
		got = dgram_batch_recv(s->rfd, m);
	while (got < 0 && errno == EINTR);
	return got >= 0 ? got : read_failed(s, errno);
}

static int udp_sendm(struct stream *s, const struct msgs *m)
{
	static const struct msghdr connected;
	int sent;
	do
		sent = dgram_batch_send(s->wfd, &fd_self(s)->cut, &connected, m);
	while (sent < 0 && errno == EINTR);
	return sent >= 0 ? sent : write_failed(s, errno);
}

static const struct stream_ops udp_ops = {
	.name = "fd",
	.readv = fd_readv,
	.writev = fd_writev,
	.recvm = udp_recvm,
	.sendm = udp_sendm,
	.shut = fd_shut,
	.close = fd_close,
};

static bool fd_holds(const struct stream *s)
{
	return !(s->caps & ST_DGRAM) && fdstream_unread(s) > 0;
}

static const struct stream_ops fd_ops = {
	.name = "fd",
	.readv = fd_readv,
	.writev = fd_writev,
	.shut = fd_shut,
	.holds = fd_holds,
	.close = fd_close,
	.rawfd = fd_rawfd,
};

static bool is_inet(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss;
	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 && (ss.ss_family == AF_INET || ss.ss_family == AF_INET6);
}

struct stream *fdstream_socket(int fd, bool dgram)
{
	struct fdstream *f = mem_new(sizeof *f);
	if (f == NULL) {
		sys_close(fd);
		return NULL;
	}
	f->s.ops = dgram && is_inet(fd) ? &udp_ops : &fd_ops;
	f->s.rfd = f->s.wfd = fd;
	f->s.caps = dgram ? ST_DGRAM : ST_SOCK;
	f->rsock = f->wsock = true;
	return &f->s;
}

static bool is_of(int fd, mode_t kind)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

struct stream *stream_pair(int rfd, int wfd, const struct stream_words *words)
{
	struct fdstream *f = mem_new(sizeof *f);
	if (f == NULL) {
		if (rfd > 2)
			sys_close(rfd);
		if (wfd > 2 && wfd != rfd)
			sys_close(wfd);
		return NULL;
	}
	f->s.ops = &fd_ops;
	f->s.rfd = rfd;
	f->s.wfd = wfd;
	f->s.caps = (rfd >= 0 && isatty(rfd) ? ST_TTY : 0u) | (is_of(wfd, S_IFIFO) ? ST_PIPE : 0u);
	f->words = words;
	f->rsock = is_of(rfd, S_IFSOCK);
	f->wsock = is_of(wfd, S_IFSOCK);
	return &f->s;
}

bool fdstream_tcp(const struct stream *s)
{
#ifdef SO_PROTOCOL
	int protocol = 0;
	socklen_t len = sizeof protocol;
	if (!(s->caps & ST_SOCK) || getsockopt(s->rfd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) != 0)
		return false;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
#else
	(void)s;
	return false;
#endif
}

int stream_unsent(const struct stream *s)
{
	int n = 0;
	s = stream_bottom(s);
	if (s->caps & ST_PIPE)
		return ioctl(s->wfd, FIONREAD, &n) == 0 ? n : 0;
	if (!(s->caps & ST_SOCK))
		return 0;
#if defined(SIOCOUTQ)
	if (ioctl(s->wfd, SIOCOUTQ, &n) != 0)
		return 0;
#elif defined(SO_NWRITE) /* macOS */
	socklen_t len = sizeof n;
	if (getsockopt(s->wfd, SOL_SOCKET, SO_NWRITE, &n, &len) != 0)
		return 0;
#elif defined(FIONWRITE) /* FreeBSD */
	if (ioctl(s->wfd, FIONWRITE, &n) != 0)
		return 0;
#endif
	return n;
}

bool fdstream_heard(const struct stream *s)
{
	return (s->caps & ST_SOCK) && ((const struct fdstream *)(const void *)s)->heard;
}

int fdstream_unread(const struct stream *s)
{
	int n = 0;
	return s->rfd >= 0 && ioctl(s->rfd, FIONREAD, &n) == 0 ? n : 0;
}

void fdstream_deafen(const struct stream *s)
{
	if (s->caps & ST_SOCK)
		sys_shutdown(s->rfd, SHUT_RD);
}

bool stream_unacked(const struct stream *s)
{
	return fdstream_tcp(stream_bottom(s)) && stream_unsent(s) > 0;
}

int stream_error(const struct stream *s)
{
	int sys = 0;
	socklen_t len = sizeof sys;
	s = stream_bottom(s);
	if (!(s->caps & ST_SOCK) || getsockopt(s->rfd, SOL_SOCKET, SO_ERROR, &sys, &len) != 0)
		return 0;
	return sys;
}
