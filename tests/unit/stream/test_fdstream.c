/* The lowest streams over real descriptors: what each errno becomes, datagrams, half-closes, the send queue. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "stream/fdstream.h"
#include "loop/loop.h"
#include "sockets.h"

#include <signal.h>
#include <string.h>

static const struct stream_words words = { 0, "read stdin", "write stdout", "close stdout" };

static struct stream *socket_stream(int fd)
{
	struct stream *s = fdstream_socket(fd, false);
	assert_non_null(s);
	return s;
}

static void check_why(const struct stream *s, enum err_class cls, int sys, const char *text)
{
	assert_int_equal(s->why.cls, cls);
	assert_int_equal(s->why.sys, sys);
	assert_string_equal(s->why.text, text);
}

static void test_socket_moves_bytes(void **state)
{
	(void)state;
	int fd[2];
	char buf[8];
	tcp_pair(fd);
	struct stream *s = socket_stream(fd[0]);
	assert_int_equal(s->caps, ST_SOCK);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_AGAIN);
	assert_true(s->rd.in && !s->rd.out && !s->rd.timed && !s->rd.wake);
	assert_int_equal(fcntl(fd[0], F_GETFL) & O_NONBLOCK, 0); /* the description keeps its flags */
	assert_int_equal(write(fd[1], "abc", 3), 3);
	s->rd = (struct need){ 0 };
	assert_int_equal(stream_read(s, buf, 2), 2);
	assert_false(s->dry);
	assert_int_equal(stream_read(s, buf, 2), 1);
	assert_true(s->dry && s->rd.in); /* what a second read would have said */
	assert_int_equal(stream_write(s, "de", 2), 2);
	assert_int_equal(stream_flush(s), 0);
	assert_int_equal(stream_shut(s), 0);
	assert_int_equal(stream_shut(s), 0);
	assert_int_equal(read(fd[1], buf, sizeof buf), 2);
	assert_int_equal(read(fd[1], buf, sizeof buf), 0);
	close(fd[1]);
	assert_int_equal(stream_read(s, buf, sizeof buf), 0);
	stream_close(s, CLOSE_PLAIN);
	assert_int_equal(fcntl(fd[0], F_GETFD), -1);
}

static void test_full_socket(void **state)
{
	(void)state;
	static char much[1 << 20];
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	struct stream *s = socket_stream(fd[0]);
	ssize_t n;
	do
		n = stream_write(s, much, sizeof much);
	while (n > 0);
	assert_int_equal(n, ST_AGAIN);
	assert_true(s->wr.out && !s->wr.in);
	assert_true(stream_unsent(s) > 0);
	stream_close(s, CLOSE_PLAIN);
	close(fd[1]);
}

static void test_reset_is_a_loss(void **state)
{
	(void)state;
	int fd[2];
	char c;
	tcp_pair(fd);
	struct stream *s = socket_stream(fd[0]);
	reset_close(fd[1]);
	assert_int_equal(stream_read(s, &c, 1), ST_FAIL);
	check_why(s, ERR_LOST, ECONNRESET, "receive from");
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL); /* and no SIGPIPE */
	check_why(s, ERR_LOST, EPIPE, "send to");
	stream_close(s, CLOSE_PLAIN);
}

/* The reset came before the half-close: shutdown says only ENOTCONN, SO_ERROR knows why. */
static void test_reset_before_the_half_close(void **state)
{
	(void)state;
	int fd[2];
	tcp_pair(fd);
	struct stream *s = socket_stream(fd[0]);
	reset_close(fd[1]);
	assert_int_equal(stream_shut(s), ST_FAIL);
	check_why(s, ERR_LOST, ECONNRESET, "send to");
	assert_int_equal(stream_error(s), 0); /* asking takes it away */
	stream_close(s, CLOSE_PLAIN);
}

static void test_send_queue(void **state)
{
	(void)state;
	int fd[2];
	char buf[8];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	struct stream *s = socket_stream(fd[0]);
	assert_int_equal(stream_unsent(s), 0);
	assert_int_equal(stream_write(s, "abc", 3), 3);
	assert_true(stream_unsent(s) > 0);
	assert_int_equal(read(fd[1], buf, sizeof buf), 3);
	assert_int_equal(stream_unsent(s), 0);
	assert_int_equal(stream_write(s, "de", 2), 2);
	close(fd[1]); /* unread */
	assert_int_equal(stream_unsent(s), 0);
	assert_int_equal(stream_error(s), ECONNRESET);
	stream_close(s, CLOSE_PLAIN);
}

static void test_close_with_a_reset(void **state)
{
	(void)state;
	int fd[2];
	char c;
	tcp_pair(fd);
	stream_close(socket_stream(fd[0]), CLOSE_RST);
	assert_int_equal(read(fd[1], &c, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd[1]);
}

static void test_datagrams(void **state)
{
	(void)state;
	int fd[2];
	char buf[8];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	struct stream *s = fdstream_socket(fd[0], true);
	assert_int_equal(s->caps, ST_DGRAM);
	assert_int_equal(stream_write(s, "abc", 3), 3);
	assert_int_equal(stream_write(s, NULL, 0), 0);
	assert_int_equal(recv(fd[1], buf, sizeof buf, 0), 3);
	assert_int_equal(recv(fd[1], buf, sizeof buf, 0), 0);
	assert_int_equal(send(fd[1], "", 0, 0), 0);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_EMPTY);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_AGAIN);
	assert_int_equal(send(fd[1], "four", 4, 0), 4);
	assert_int_equal(stream_read(s, buf, 4), 4);
	assert_int_equal(send(fd[1], "five!", 5, 0), 5);
	assert_int_equal(stream_read(s, buf, 4), ST_FAIL); /* cut: never silently */
	check_why(s, ERR_NETWORK, EMSGSIZE, "receive from");
	assert_int_equal(stream_shut(s), 0); /* a no-op */
	assert_int_equal(stream_write(s, "x", 1), 1);
	assert_int_equal(stream_unsent(s), 0);
	stream_close(s, CLOSE_RST);
	close(fd[1]);
}

static void test_refused_datagram(void **state)
{
	(void)state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int gone = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(gone, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(gone, (struct sockaddr *)&at, &len), 0);
	close(gone);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
	struct stream *s = fdstream_socket(fd, true);
	char c;
	assert_int_equal(stream_write(s, "x", 1), 1);
	assert_int_equal(stream_read(s, &c, 1), ST_FAIL);
	check_why(s, ERR_CONNECT, ECONNREFUSED, "receive from");
	stream_close(s, CLOSE_PLAIN);
}

static void test_pair_whose_reader_left(void **state)
{
	(void)state;
	int fd[2];
	signal(SIGPIPE, SIG_IGN); /* as the program does, for pipes; sockets above needed it not */
	assert_int_equal(sys_pipe(fd), 0);
	struct stream *s = stream_pair(-1, fd[1], &words);
	char c;
	assert_int_equal(s->caps, ST_PIPE);
	assert_int_equal(stream_read(s, &c, 1), 0); /* no reading end: its end at once */
	assert_int_equal(stream_write(s, "x", 1), 1);
	close(fd[0]);
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL);
	check_why(s, ERR_PIPE, EPIPE, "write stdout");
	assert_int_equal(stream_unsent(s), 1); /* what its reader left behind */
	assert_int_equal(stream_error(s), 0);
	stream_close(s, CLOSE_PLAIN);
	assert_int_equal(fcntl(fd[1], F_GETFD), -1);
}

static void test_pair_that_is_a_socket(void **state)
{
	(void)state;
	int fd[2];
	char c;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	struct stream *s = stream_pair(fd[0], dup(fd[0]), &words);
	assert_int_equal(stream_read(s, &c, 1), ST_AGAIN); /* though it would block */
	assert_int_equal(stream_write(s, "x", 1), 1);
	assert_int_equal(stream_shut(s), 0);
	assert_int_equal(s->wfd, -1);
	assert_int_equal(read(fd[1], &c, 1), 1);
	assert_int_equal(read(fd[1], &c, 1), 0); /* the reading end is still open, and yet */
	assert_int_equal(write(fd[1], "y", 1), 1);
	assert_int_equal(stream_read(s, &c, 1), 1);
	stream_close(s, CLOSE_PLAIN);
	close(fd[1]);
}

static void test_pair_failures(void **state)
{
	(void)state;
	char c;
	struct stream *s = stream_pair(open("/", O_RDONLY), open("/dev/full", O_WRONLY), &words);
	assert_int_equal(stream_read(s, &c, 1), ST_FAIL);
	check_why(s, ERR_LOCAL, EISDIR, "read stdin");
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL);
	check_why(s, ERR_LOCAL, ENOSPC, "write stdout");
	stream_close(s, CLOSE_PLAIN);
	s = stream_pair(-1, -1, &words);
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL);
	check_why(s, ERR_LOCAL, EBADF, "write stdout");
	assert_int_equal(stream_shut(s), 0);
	stream_close(s, CLOSE_PLAIN);
}

static int fault, faults;

static int fail_some(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return (call == SYS_READ || call == SYS_WRITE) && faults-- > 0 ? fault : 0;
}

static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void test_interrupted(void **state)
{
	(void)state;
	int fd[2];
	char c;
	tcp_pair(fd);
	struct stream *s = socket_stream(fd[0]);
	sys_gate = fail_some;
	fault = EINTR;
	faults = 3;
	assert_int_equal(stream_write(s, "x", 1), 1);
	assert_int_equal(write(fd[1], "y", 1), 1);
	faults = 3;
	assert_int_equal(stream_read(s, &c, 1), 1);
	fault = ENOBUFS;
	faults = 1;
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL);
	check_why(s, ERR_NETWORK, ENOBUFS, "send to");
	sys_gate = NULL;
	stream_close(s, CLOSE_PLAIN);
	close(fd[1]);
}

static void test_without_memory(void **state)
{
	(void)state;
	int fd[2], p[2];
	assert_int_equal(sys_pipe(p), 0);
	tcp_pair(fd);
	sys_gate = no_memory;
	assert_null(fdstream_socket(fd[0], false));
	assert_null(stream_pair(p[0], p[1], &words));
	sys_gate = NULL;
	assert_int_equal(fcntl(fd[0], F_GETFD), -1); /* taken is taken */
	assert_int_equal(fcntl(p[0], F_GETFD), -1);
	assert_int_equal(fcntl(p[1], F_GETFD), -1);
	close(fd[1]);
}

/* A layer that has nothing of its own: everything passes, needs and failures are handed up. */

static ssize_t pass_readv(struct stream *s, const struct iovec *v, int n)
{
	ssize_t got = stream_readv(s->below, v, n);
	return got == ST_AGAIN ? stream_again_rd(s, &s->below->rd) : got == ST_FAIL ? stream_fail_below(s) : got;
}

static ssize_t pass_writev(struct stream *s, const struct iovec *v, int n)
{
	ssize_t put = stream_writev(s->below, v, n);
	return put == ST_AGAIN ? stream_again_wr(s, &s->below->wr) : put == ST_FAIL ? stream_fail_below(s) : put;
}

static void pass_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
}

static void test_layer_and_tally(void **state)
{
	(void)state;
	static const struct stream_ops ops = { .name = "pass", .readv = pass_readv, .writev = pass_writev, .close = pass_close };
	struct loop *loop = loop_open(&loop_select, NULL);
	struct counters counters = { .loop = loop };
	struct stream layer;
	int fd[2];
	char buf[8];
	tcp_pair(fd);
	struct stream *bottom = socket_stream(fd[0]);
	stream_push(&layer, &ops, bottom);
	layer.counters = &counters;
	assert_ptr_equal(stream_bottom(&layer), bottom);
	assert_int_equal(layer.rfd, fd[0]);
	assert_int_equal(layer.caps, ST_SOCK);
	assert_int_equal(stream_setup(&layer), 0);
	assert_int_equal(stream_read(&layer, buf, sizeof buf), ST_AGAIN);
	assert_true(layer.rd.in);
	assert_int_equal(write(fd[1], "abcde", 5), 5);
	assert_int_equal(stream_read(&layer, buf, 3), 3);
	assert_int_equal(stream_read(&layer, buf, 3), 2);
	assert_int_equal(stream_write(&layer, "xyz", 3), 3);
	assert_int_equal(stream_flush(&layer), 0);
	assert_int_equal(counters.in, 5);
	assert_int_equal(counters.reads, 2);
	assert_int_equal(counters.out, 3);
	assert_int_equal(counters.used_ms, loop_now(loop));
	assert_int_equal(stream_shut(&layer), 0);
	assert_int_equal(read(fd[1], buf, sizeof buf), 3);
	assert_int_equal(read(fd[1], buf, sizeof buf), 0);
	reset_close(fd[1]);
	assert_int_equal(stream_read(&layer, buf, 1), ST_FAIL);
	check_why(&layer, ERR_LOST, ECONNRESET, "receive from");
	assert_int_equal(counters.reads, 2);
	stream_close(&layer, CLOSE_PLAIN);
	stream_close(NULL, CLOSE_PLAIN);
	loop_close(loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socket_moves_bytes),
		cmocka_unit_test(test_full_socket),
		cmocka_unit_test(test_reset_is_a_loss),
		cmocka_unit_test(test_reset_before_the_half_close),
		cmocka_unit_test(test_send_queue),
		cmocka_unit_test(test_close_with_a_reset),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_refused_datagram),
		cmocka_unit_test(test_pair_whose_reader_left),
		cmocka_unit_test(test_pair_that_is_a_socket),
		cmocka_unit_test(test_pair_failures),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_layer_and_tally),
	};
	return cmocka_run_group_tests_name("fdstream", tests, NULL, NULL);
}
