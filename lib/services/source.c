/* A peer without input of ours: a file, nothing, or zeros without end.
 *
 * Each is a pump whose near end is a small stream made for the connection; the peer's bytes are read and dropped, so that no
 * reset destroys what it was sent. After the file comes the half-close, then the peer is read to its own end. */
#include "services/kept_file.h"
#include "services/service.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "pump/pump.h"
#include "stream/iov.h"

#include <string.h>
#include <sys/stat.h>

struct source_conf {
	const char *file;
	bool discard, zero;
};

static const struct opt rows[] = {
	{ .name = "file",
		.kind = OPT_TEXT,
		.needs = NEEDS_READ,
		.off = offsetof(struct source_conf, file),
		.arg = "PATH",
		.help = "send a file to each peer",
		.man = "Sends the file PATH over each connection, then half-closes and waits until the peer has "
		       "finished. What the peer sends is dropped. A pipe is opened once, and waited for; where more than one client may "
		       "come it is read to its end first, and kept for all of them: up to 64 MiB, more is exit status 2. A UDP server of many sends it only to peers on the "
		       "same host: an address can be forged." },
	{ .name = "discard",
		.kind = OPT_FLAG,
		.off = offsetof(struct source_conf, discard),
		.help = "read and drop everything",
		.man = "Reads and drops everything the peer sends, to its end." },
	{ .name = "zero",
		.kind = OPT_FLAG,
		.off = offsetof(struct source_conf, zero),
		.help = "send zeros without end",
		.man = "Sends zero bytes until the peer goes away, and drops what it sends. A datagram server does so "
		       "only for peers on the same host: it would flood the host that a forged address names." },
	{ 0 },
};
const struct opt_group source_opts = {
	.title = "Sources and sinks", .size = sizeof(struct source_conf), .rows = rows, .with = WITH_PAYLOAD
};

struct source {
	struct pump pump;
	struct stream *near;
};

static const struct source_conf *conf_of(const struct conf *conf)
{
	return conf_get(conf, &source_opts);
}

static bool file_wanted(const struct run *run)
{
	return conf_of(run->conf)->file != NULL;
}

static bool discard_wanted(const struct run *run)
{
	return conf_of(run->conf)->discard;
}

static bool zero_wanted(const struct run *run)
{
	return conf_of(run->conf)->zero;
}

/* A stream of zeros. It is always ready, so it never waits. */

static ssize_t zero_readv(struct stream *s, const struct iovec *v, int n)
{
	(void)s;
	for (int i = 0; i < n; i++)
		memset(v[i].iov_base, 0, v[i].iov_len);
	return (ssize_t)iov_total(v, n);
}

static ssize_t zero_writev(struct stream *s, const struct iovec *v, int n)
{
	(void)v;
	(void)n;
	return stream_fail(s, ERR_BUG, 0, EBADF, "write zeros");
}

static int zero_shut(struct stream *s)
{
	(void)s;
	return 0;
}

static void zero_close(struct stream *s, enum close_how how)
{
	(void)how;
	mem_free(s);
}

static struct stream *zero_stream(void)
{
	static const struct stream_ops ops = {
		.name = "zero", .readv = zero_readv, .writev = zero_writev, .shut = zero_shut, .close = zero_close
	};
	struct stream *s = mem_new(sizeof *s);
	if (s != NULL)
		*s = (struct stream){ .ops = &ops, .rfd = -1, .wfd = -1 };
	return s;
}

struct source_run { /* of --file */
	bool told;
	int pipe; /* of a pipe for one connection; -1: none */
	bool keeps;
	struct kept_file kept; /* of a pipe for many */
};

static int refuse_path(const char *path, int sys, struct err *e)
{
	char shown[256];
	text_show(shown, sizeof shown, path, strlen(path));
	return err_set(e, ERR_USAGE, sys, "--file %s", shown);
}

static int open_file(const char *path, struct err *e)
{
	struct stat st;
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
	int sys = fd < 0 ? errno : fstat(fd, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
	if (sys == 0)
		return fd;
	sys_close(fd);
	return refuse_path(path, sys, e);
}

/* A pipe gives its bytes once: opened once, which waits for its writer, and read to its end if more than one client may come. */
static int keep_pipe(struct source_run *mine, bool many, const char *path, struct err *e)
{
	char shown[256];
	int fd = sys_open(path, O_RDONLY, 0), flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	if (flags < 0 || (!many && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
		int sys = errno;
		sys_close(fd);
		return refuse_path(path, sys, e);
	}
	mine->keeps = many;
	if (!many) {
		mine->pipe = fd;
		return 0;
	}
	text_show(shown, sizeof shown, path, strlen(path));
	int rc = kept_file_read(&mine->kept, fd, shown, e);
	sys_close(fd);
	if (rc != 0)
		kept_file_free(&mine->kept);
	return rc;
}

/* A wrong name is found before anything listens; each connection opens the file for itself, with its own offset. */
static int file_start(struct service_run *service_run, struct err *e)
{
	struct source_run *mine = service_run->mem;
	const char *path = conf_of(service_run->run->conf)->file;
	struct stat st;
	mine->pipe = -1;
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return keep_pipe(mine, service_run->many, path, e);
	int fd = open_file(path, e);
	sys_close(fd);
	return fd < 0 ? -1 : 0;
}

static void file_stop(struct service_run *service_run)
{
	struct source_run *mine = service_run->mem;
	sys_close(mine->pipe);
	kept_file_free(&mine->kept);
}

/* The pump is over; everything it waited for has come. */
static void on_source_pump_over(void *arg, const struct why *why)
{
	struct session *s = arg;
	const struct source *src = s->mem;
	bool done = src->pump.down.state != FLOW_OPEN;
	if (why->cls != ERR_OK)
		session_end(s, END_ERROR, CLOSE_PLAIN, why);
	else
		session_end(s,
			s->drained ? service_run_ends_by(s->service_run)
			: done	   ? END_PEER
				   : END_LOCAL,
			done ? CLOSE_DONE : CLOSE_PLAIN, NULL);
}

static int start_pump(struct session *s, struct stream *takes_near, struct pump_opts opts, struct err *e)
{
	const struct run *run = s->service_run->run;
	struct source *src = s->mem;
	if (takes_near == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "open a connection");
	src->near = takes_near;
	opts.drop_down = true;
	opts.settle_ms = session_settle_ms(s);
	opts.events = run->events;
	opts.conn = s->id;
	pump_start(&src->pump, run->loop, run->pool, src->near, s->stream, &opts, on_source_pump_over, s);
	return 0;
}

/* One small datagram with a forged address must not send a file, or endless zeros, to the host with that address. */
static bool would_flood(const struct session *s, struct err *e)
{
	bool near_by = s->peer.family == AF_UNIX || sa_loopback(&s->peer);
	if (near_by || !(s->stream->caps & ST_DGRAM))
		return false;
	err_set(e, ERR_USAGE, 0, "--%s over UDP serves only this host: the address of another can be forged",
		s->service_run->service->name);
	return true;
}

/* Over datagrams the peer's end never comes: the end of the file is the end, and a peer that sends again gets it again. */
static int file_open(struct session *s, struct err *e)
{
	static const struct stream_words words = { 0, "read the file", "write the file", "close the file" };
	const struct pump_opts opts = { .half = HALF_YES, .reply_wait_ms = 0 };
	struct source_run *mine = s->service_run->mem;
	bool refused = s->service_run->server && would_flood(s, e);
	if (!refused && mine->keeps)
		return start_pump(s, kept_file_stream(&mine->kept), opts, e);
	int fd = refused ? -1 : mine->pipe;
	if (!refused && fd < 0)
		fd = open_file(conf_of(s->service_run->run->conf)->file, e);
	mine->pipe = refused ? mine->pipe : -1;
	if (fd < 0 && !mine->told) /* each client meets the same error: it is reported once, until it is over */
		event(s->service_run->run->events, EV_WARN, s->id, EV_TEXT("text", e->what));
	mine->told = fd < 0;
	if (fd < 0)
		return -1;
	return start_pump(s, stream_pair(fd, -1, &words), opts, e);
}

static int discard_open(struct session *s, struct err *e)
{
	return start_pump(s, zero_stream(), (struct pump_opts){ .no_up = true, .drop_down = true, .reply_wait_ms = NEVER }, e);
}

static int zero_open(struct session *s, struct err *e)
{
	if (!s->dialed && would_flood(s, e))
		return -1;
	return start_pump(s, zero_stream(), (struct pump_opts){ .half = HALF_YES, .reply_wait_ms = NEVER }, e);
}

/* A file that is being sent ends by itself. */
static void file_drain(struct session *s)
{
	(void)s;
}

static bool file_holds(struct session *s)
{
	const struct source *src = s->mem;
	return src->pump.up.state < FLOW_HELD || pump_holds(&src->pump);
}

/* Zeros may end at any time. The peer's bytes are read and dropped, to its end. */
static void endless_drain(struct session *s)
{
	struct source *src = s->mem;
	if (s->stream->caps & ST_DGRAM)
		session_end(s, service_run_ends_by(s->service_run), CLOSE_PLAIN, NULL);
	else
		pump_bye(&src->pump);
}

static bool endless_holds(struct session *s)
{
	const struct source *src = s->mem;
	return pump_holds(&src->pump);
}

static void source_close(struct session *s)
{
	struct source *src = s->mem;
	pump_stop(&src->pump);
	stream_close(src->near, CLOSE_PLAIN);
}

const struct service service_file = {
	.name = "file",
	.is = WITH_FILE,
	.run_bytes = sizeof(struct source_run),
	.session_bytes = sizeof(struct source),
	.descriptors = 1,
	.wanted = file_wanted,
	.start = file_start,
	.open = file_open,
	.drain = file_drain,
	.holds = file_holds,
	.close = source_close,
	.stop = file_stop,
};

const struct service service_discard = {
	.name = "discard",
	.is = WITH_DISCARD,
	.session_bytes = sizeof(struct source),
	.wanted = discard_wanted,
	.open = discard_open,
	.drain = endless_drain,
	.holds = endless_holds,
	.close = source_close,
};

const struct service service_zero = {
	.name = "zero",
	.is = WITH_ZERO,
	.session_bytes = sizeof(struct source),
	.wanted = zero_wanted,
	.open = zero_open,
	.drain = endless_drain,
	.holds = endless_holds,
	.close = source_close,
};
