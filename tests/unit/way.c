#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "double.h"
#include "stream/fdstream.h"
#include "sockets.h"
#include "way.h"

#include <signal.h>

static const struct stream_words words = { 0, "read stdin", "write stdout", "close stdout" };
unsigned char bytes[MUCH], got[2 * MUCH];

void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int file_of(const void *data, size_t n, int flags)
{
	char path[] = "/tmp/sockctl-splice-XXXXXX";
	int made = mkstemp(path), fd = open(path, flags);
	assert_true(made >= 0 && fd >= 0);
	assert_int_equal(write(made, data, n), n);
	close(made);
	unlink(path);
	return fd;
}

/* The source: 'p'ipe, 't'cp, 'u'nix, 'f'ile. */
static struct stream *source(char kind, int *in)
{
	int fd[2] = { -1, -1 };
	if (kind == 'p')
		assert_int_equal(sys_pipe(fd), 0);
	else if (kind == 't')
		tcp_pair(fd);
	else if (kind == 'u')
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	else
		fd[0] = file_of(bytes, MUCH, O_RDONLY);
	nonblocking(fd[0]);
	*in = fd[1];
	return kind == 't' || kind == 'u' ? fdstream_socket(fd[0], false) : stream_pair(fd[0], -1, &words);
}

/* The sink: the same, or /dev/'n'ull, or a file opened for 'a'ppending. */
static struct stream *sink(char kind, int *out)
{
	int fd[2] = { -1, -1 };
	if (kind == 'p')
		assert_int_equal(sys_pipe(fd), 0);
	else if (kind == 't')
		tcp_pair(fd);
	else if (kind == 'u')
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	else if (kind == 'n')
		fd[1] = open("/dev/null", O_WRONLY);
	else
		fd[1] = file_of("", 0, kind == 'a' ? O_RDWR | O_APPEND : O_RDWR);
	nonblocking(fd[1]);
	*out = fd[0];
	if (kind == 'f' || kind == 'a')
		*out = dup(fd[1]);
	return kind == 't' || kind == 'u' ? fdstream_socket(fd[1], false) : stream_pair(-1, fd[1], &words);
}

void way_open(struct way *w, char from, char to)
{
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = double_pattern(i);
	*w = (struct way){ .loop = loop_open(&loop_sim, NULL), .pool = pool_open(BLOCK, BLOCKS) };
	w->came.loop = w->went.loop = w->loop;
	w->from = source(from, &w->in);
	w->to = sink(to, &w->out);
	w->from->counters = &w->came;
	w->to->counters = &w->went;
	flow_open(&w->flow, w->pool, w->from, w->to);
}

void way_close(struct way *w)
{
	sys_gate = NULL;
	flow_close(&w->flow);
	assert_int_equal(w->flow.pipe[0], -1);
	assert_true(pool_is_whole(w->pool, BLOCKS));
	stream_close(w->from, CLOSE_PLAIN);
	stream_close(w->to, CLOSE_PLAIN);
	sys_close(w->in);
	sys_close(w->out);
	pool_close(w->pool);
	loop_close(w->loop);
}

size_t way_drain(struct way *w, size_t have)
{
	ssize_t n;
	if (w->out < 0)
		return have;
	nonblocking(w->out);
	while ((n = read(w->out, got + have, sizeof got - have)) > 0)
		have += (size_t)n;
	return have;
}

static enum sys_call fails;
static int fault, first, last; /* the calls that fail */
size_t splice_most;

static int gate(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	if (call == SYS_SPLICE && splice_most != 0 && *most > splice_most)
		*most = splice_most;
	if (call != fails || fault == 0)
		return 0;
	first--;
	last--;
	return first < 0 && last >= 0 ? fault : 0;
}

void gate_open(enum sys_call call, int from_nth, int to_nth, int sys)
{
	fails = call;
	fault = sys;
	first = from_nth;
	last = to_nth;
	splice_most = 0;
	sys_gate = gate;
}
