/* splice and sendfile: bytes go from one descriptor to the other inside the kernel.
 *
 * Nothing may block: a pipe by the flags of the call, a socket by its own flags, which is why stream_rawfd returns no blocking
 * one. splice leaves three things open. EAGAIN: at which end; both are asked, and if neither says so, as with urgent data in TCP,
 * splice cannot be used any more. A failure: at which end; but one of the two is always a pipe, whose failures are known. The
 * end: it may be urgent data again, with bytes after it; so a read decides.
 *
 * Bytes that no part of the program sees, dropped or on their way to /dev/null, are not even fetched: TCP discards them on
 * request (tcp(7), MSG_TRUNC).
 *
 * The relay borrows its pipe while there are bytes in it, and copies where the pool has none, until it has one again. While the
 * bytes in the pipe wait for a sink that takes nothing, the pool may ask for the pipe: the bytes then go through the ring, before
 * any others. The relay limits how many bytes are in it itself, because a pipe counts pieces, and one of TCP's can be eight pages
 * long. A sink that does not support splice says EINVAL when the pipe has been filled already; these bytes then go through the
 * ring, before any others. */
#include "pump/splice.h"

#ifdef __linux__

#include "base/sys.h"
#include "stream/fdstream.h"

#include <sys/socket.h>
#include <sys/stat.h>

enum { TRIES = 3 /* before a splice that fails without a reason is given up */, SENDFILE_MOST = 1024 * 1024 };

static size_t copy_from_now_on(struct flow *f, size_t budget)
{
	f->mover = &mover_copy;
	return mover_copy.step(f, budget);
}

/* Both ends, if bytes may pass unseen. A small echo is copied, which is cheaper than these checks. */
static bool splice_ends(const struct flow *f, int *from, int *to)
{
	if (f->drop || (f->from == f->to && !f->bulk) || pool_copies_only(f->pool))
		return false;
	*from = stream_rawfd(f->from, false);
	*to = stream_rawfd(f->to, true);
	return *from >= 0 && *to >= 0;
}

static mode_t kind_of(int fd, off_t *size)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return 0;
	*size = st.st_size;
	return st.st_mode & S_IFMT;
}

static bool splice_fits(const struct flow *f)
{
	int from, to;
	off_t size;
	return splice_ends(f, &from, &to) && (kind_of(from, &size) == S_IFIFO || kind_of(to, &size) == S_IFIFO);
}

static bool splice_pipe_fits(const struct flow *f)
{
	int from, to;
	off_t size;
	return splice_ends(f, &from, &to) && kind_of(from, &size) != S_IFREG;
}

/* A file without a size may be one of the kernel's, whose bytes can be read once: sendfile drops bytes that the socket did not
 * take, and reads them again. */
static bool sendfile_fits(const struct flow *f)
{
	int from, to;
	off_t size = 0, unused;
	return splice_ends(f, &from, &to) && kind_of(from, &size) == S_IFREG && size > 0 && kind_of(to, &unused) == S_IFSOCK;
}

/* Is the data seen by no part of the program? The only device that a stream names is /dev/null. */
static bool splice_forgets(const struct flow *f, int *from)
{
	off_t unused;
	if (pool_copies_only(f->pool) || (!f->drop && f->from == f->to) || (*from = stream_rawfd(f->from, false)) < 0)
		return false;
	int to = f->drop ? -1 : stream_rawfd(f->to, true);
	return f->drop || (to >= 0 && kind_of(to, &unused) == S_IFCHR);
}

static bool discard_fits(const struct flow *f)
{
	int from;
	return splice_forgets(f, &from) && fdstream_tcp(f->from);
}

static size_t splice_came(struct flow *f, size_t n)
{
	f->in += n;
	stream_passed_in(f->from, n);
	return n;
}

static size_t splice_went(struct flow *f, size_t n)
{
	f->out += n;
	stream_passed_out(f->to, n);
	return n;
}

static size_t from_failed(struct flow *f, int sys)
{
	return flow_from_said(f, fdstream_failed(f->from, false, sys));
}

static size_t to_failed(struct flow *f, int sys)
{
	return flow_to_said(f, fdstream_failed(f->to, true, sys));
}

/* Fewer bytes came than requested: there are no more for now. */
static void note_dry(struct flow *f, size_t n, size_t asked)
{
	if (n < asked && !f->last)
		from_failed(f, EAGAIN);
}

enum blame { NEITHER, SOURCE, SINK };

static enum blame who_blocks(int from, int to)
{
	struct pollfd p[2] = { { .fd = from, .events = POLLIN }, { .fd = to, .events = POLLOUT } };
	if (sys_poll(p, 2, 0) < 0)
		return NEITHER;
	return p[0].revents == 0 ? SOURCE : p[1].revents == 0 ? SINK : NEITHER;
}

/* As splice, but -1 says in *blame which end blocks (errno EAGAIN). Neither: splice cannot be used for these two. */
static ssize_t splice_or_blame(int from, int to, size_t n, enum blame *blame)
{
	*blame = NEITHER;
	for (int tries = 0; tries < TRIES && *blame == NEITHER; tries++) {
		ssize_t moved = sys_splice(from, to, n);
		if (moved >= 0 || (errno != EAGAIN && errno != EINTR))
			return moved;
		*blame = who_blocks(from, to);
	}
	errno = EAGAIN;
	return -1;
}

/* The call is refused, not the bytes: reading and writing may work, or give a better reason. */
static bool splice_refused(int sys)
{
	return sys == EINVAL || sys == ENOSYS || sys == EPERM || sys == EOPNOTSUPP;
}

static bool splice_unfit(enum blame blame, int sys)
{
	return splice_refused(sys) || (sys == EAGAIN && blame == NEITHER);
}

static size_t splice_step(struct flow *f, size_t budget)
{
	int from, to;
	enum blame blame;
	if (f->state != FLOW_OPEN || f->wait_from || f->wait_to)
		return 0;
	if (!splice_ends(f, &from, &to))
		return copy_from_now_on(f, budget);
	ssize_t n = splice_or_blame(from, to, budget, &blame);
	if (n > 0) {
		splice_came(f, (size_t)n);
		note_dry(f, (size_t)n, budget);
		return splice_went(f, (size_t)n);
	}
	int sys = errno;
	bool to_pipe = f->to->caps & ST_PIPE;
	if (n == 0 || splice_unfit(blame, sys) || (to_pipe && sys == EPIPE)) /* reported even if there is nothing to write */
		return copy_from_now_on(f, budget);
	if (sys != EAGAIN) /* other failures are not the pipe's */
		blame = to_pipe ? SOURCE : SINK;
	return blame == SOURCE ? from_failed(f, sys) : to_failed(f, sys);
}

static void splice_pipe_close(struct flow *f)
{
	pool_pipe_give(f->pool, f->pipe, f->held == 0);
}

/* When splice cannot be used, the bytes in our pipe go through the ring, and after them the rest. */

static size_t emptying_in(struct flow *f)
{
	struct iovec v[2];
	int n = ring_wpeek(&f->ring, f->pool, v);
	if (n <= 0) {
		f->wait_pool = n < 0;
		return 0;
	}
	ssize_t got = sys_readv(f->pipe[0], v, n);
	int sys = got < 0 ? errno : EPIPE;
	ring_fill(&f->ring, f->pool, got > 0 ? (size_t)got : 0);
	if (got > 0) {
		f->held -= (uint64_t)got;
		return (size_t)got;
	}
	if (sys == EINTR || sys == EAGAIN) {
		f->wait_pool = true; /* the bytes are still in our pipe: tried again a moment later */
		return 0;
	}
	splice_pipe_close(f);
	f->held = 0;
	return flow_from_said(f, stream_fail(f->from, ERR_LOCAL, OF_PEER, sys, "read what was on its way from"));
}

static size_t emptying_step(struct flow *f, size_t budget)
{
	if (f->held == 0) {
		splice_pipe_close(f);
		return copy_from_now_on(f, budget);
	}
	size_t in = emptying_in(f), out = copy_give_out(f);
	return in > out ? in : out;
}

static const struct mover mover_emptying = { .name = "emptying", .step = emptying_step, .close = splice_pipe_close };

static size_t splice_pipe_in(struct flow *f, int from, size_t budget)
{
	enum blame blame;
	if (f->state != FLOW_OPEN || f->wait_from)
		return 0;
	size_t most = pool_pipe_bytes(f->pool, f->pipe);
	if (f->held >= most)
		return 0;
	if (budget > most - f->held)
		budget = most - f->held;
	ssize_t n = splice_or_blame(from, f->pipe[1], budget, &blame);
	if (n > 0) {
		f->held += (uint64_t)n;
		note_dry(f, (size_t)n, budget);
		return splice_came(f, (size_t)n);
	}
	int sys = errno;
	if (n == 0 || splice_unfit(blame, sys))
		f->mover = &mover_emptying;
	else if (sys != EAGAIN || blame == SOURCE)
		return from_failed(f, sys);
	return 0;
}

static size_t splice_pipe_out(struct flow *f, int to)
{
	ssize_t n;
	if (f->held == 0 || f->wait_to)
		return 0;
	do
		n = sys_splice(f->pipe[0], to, f->held);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		f->held -= (uint64_t)n;
		return splice_went(f, (size_t)n);
	}
	if (n < 0 && !splice_refused(errno))
		return to_failed(f, errno); /* EAGAIN: the sink's, because our pipe has bytes */
	f->mover = &mover_emptying;
	return 0;
}

/* Another flow needs the pipe of this one. Bytes that are not read into memory now stay in the pipe and follow those that were.
 */
static void on_pipe_wanted(void *arg)
{
	struct flow *f = arg;
	if (f->mover != &mover_splice_pipe || f->ring.len > 0)
		return;
	struct iovec v = { .iov_len = f->held };
	if ((v.iov_base = ring_aside(&f->ring, f->pool, v.iov_len)) == NULL)
		return;
	ssize_t n = sys_readv(f->pipe[0], &v, 1);
	ring_fill(&f->ring, f->pool, n > 0 ? (size_t)n : 0);
	f->held -= n > 0 ? (uint64_t)n : 0;
	if (f->held == 0)
		splice_pipe_close(f);
}

void splice_waits(struct flow *f, bool moved)
{
	if (f->pipe[0] >= 0)
		pool_pipe_waits(f->pool, f->pipe, moved, on_pipe_wanted, f);
}

static size_t splice_pipe_step(struct flow *f, size_t budget)
{
	int from, to;
	bool reads = f->state == FLOW_OPEN && !f->wait_from;
	if (f->ring.len > 0)
		return copy_give_out(f);
	if (!splice_ends(f, &from, &to)) {
		f->mover = &mover_emptying;
		return emptying_step(f, budget);
	}
	if (reads && f->pipe[0] < 0 && pool_pipe_take(f->pool, f->pipe) != 0)
		return pool_pipes_out(f->pool) ? mover_copy.step(f, budget) : copy_from_now_on(f, budget);
	size_t in = splice_pipe_in(f, from, budget), out = splice_pipe_out(f, to);
	if (f->held == 0)
		splice_pipe_close(f);
	else
		splice_waits(f, out > 0);
	if (in + out == 0 && f->mover == &mover_emptying)
		return emptying_step(f, budget);
	return in > out ? in : out;
}

static size_t discard_step(struct flow *f, size_t budget)
{
	int from;
	ssize_t n;
	if (f->state != FLOW_OPEN || f->wait_from)
		return 0;
	if (!splice_forgets(f, &from))
		return copy_from_now_on(f, budget);
	do {
		struct iovec v = { NULL, budget };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
		n = sys_recvmsg(from, &m, MSG_DONTWAIT | MSG_TRUNC, false);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? copy_from_now_on(f, budget) : from_failed(f, errno); /* a read detects the end */
	splice_came(f, (size_t)n);
	note_dry(f, (size_t)n, budget);
	return f->drop ? (size_t)n : splice_went(f, (size_t)n);
}

/* Is it the file that cannot be read? */
static bool file_fails(int fd, int *sys)
{
	char byte;
	if (sys_pread(fd, &byte, 1, lseek(fd, 0, SEEK_CUR)) >= 0)
		return false;
	*sys = errno;
	return true;
}

static size_t sendfile_step(struct flow *f, size_t budget)
{
	int from, to;
	ssize_t n;
	if (f->state != FLOW_OPEN || f->wait_to)
		return 0;
	if (!splice_ends(f, &from, &to))
		return copy_from_now_on(f, budget);
	do
		n = sys_sendfile(to, from, budget < SENDFILE_MOST ? budget : SENDFILE_MOST);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		splice_came(f, (size_t)n);
		return splice_went(f, (size_t)n);
	}
	int sys = errno;
	if (n == 0 || splice_refused(sys))
		return copy_from_now_on(f, budget);
	return sys != EAGAIN && file_fails(from, &sys) ? from_failed(f, sys) : to_failed(f, sys);
}

#else

static bool splice_never(const struct flow *f)
{
	(void)f;
	return false;
}

#define discard_fits never
#define sendfile_fits never
#define splice_fits never
#define splice_pipe_fits never
#define discard_step NULL
#define sendfile_step NULL
#define splice_step NULL
#define splice_pipe_step NULL
#define splice_pipe_close NULL

void splice_waits(struct flow *f, bool moved)
{
	(void)f;
	(void)moved;
}

#endif

const struct mover mover_discard = { .name = "forget", .fits = discard_fits, .step = discard_step };
const struct mover mover_sendfile = { .name = "sendfile", .fits = sendfile_fits, .step = sendfile_step };
const struct mover mover_splice = { .name = "splice", .fits = splice_fits, .step = splice_step };
const struct mover mover_splice_pipe = {
	.name = "relay", .fits = splice_pipe_fits, .step = splice_pipe_step, .close = splice_pipe_close
};
