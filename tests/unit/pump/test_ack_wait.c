/* Waiting for acknowledgements: how often the queue is asked, when the time is over, and what is told of a reset. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "loop/loop.h"
#include "pump/ack_wait.h"
#include "sockets.h"
#include "stream/fdstream.h"

#include <errno.h>
#include <sys/socket.h>

struct line {
	struct stream *s;
	int peer;
};

static void line_open(struct line *l, bool tcp)
{
	int fd[2];
	if (tcp)
		tcp_pair(fd);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	*l = (struct line){ fdstream_socket(fd[0], false), fd[1] };
}

static void line_close(struct line *l)
{
	stream_close(l->s, CLOSE_PLAIN);
	close(l->peer);
}

/* The pauses between questions, each asked when it is due. */
static void pauses_are(bool tcp, const int *pauses, size_t n)
{
	struct line l;
	int64_t since_ms = 0, now_ms = 5000;
	line_open(&l, tcp);
	for (size_t i = 0; i < n; i++) {
		int64_t at_ms = ack_next(&since_ms, l.s, now_ms, NEVER);
		assert_int_equal(at_ms - now_ms, pauses[i]);
		now_ms = at_ms;
	}
	assert_int_equal(since_ms, 5000);
	assert_int_equal(ack_next(&since_ms, l.s, 5000 + 60 * 1000, NEVER), 5000 + 61 * 1000);
	line_close(&l);
}

static void test_asked_less_and_less_often(void **state)
{
	static const int tcp[] = { 1, 2, 4, 8, 16, 32, 50, 50, 50, 50, 50, 50, 50, 51 };
	static const int local[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000 };
	(void)state;
	pauses_are(true, tcp, sizeof tcp / sizeof *tcp);
	pauses_are(false, local, sizeof local / sizeof *local);
}

static void test_time_is_over(void **state)
{
	struct line l;
	int64_t since_ms = 0;
	(void)state;
	line_open(&l, true);
	assert_int_equal(ack_next(&since_ms, l.s, 5000, 0), 0);
	assert_int_equal(ack_next(&since_ms, l.s, 5100, 120), 5120); /* not behind the end */
	assert_int_equal(ack_next(&since_ms, l.s, 5120, 120), 0);
	line_close(&l);
}

static void test_what_is_held_and_what_has_failed(void **state)
{
	struct line l;
	int sys = -1;
	(void)state;
	line_open(&l, false);
	assert_false(ack_waits(l.s, &sys));
	assert_int_equal(sys, 0);
	assert_int_equal(stream_write(l.s, "x", 1), 1);
	assert_true(ack_waits(l.s, &sys)); /* a Unix peer has not read it */
	assert_int_equal(sys, 0);
	line_close(&l);
	line_open(&l, true);
	assert_int_equal(setsockopt(l.peer, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)), 0);
	assert_int_equal(close(l.peer), 0);
	l.peer = -1;
	assert_false(ack_waits(l.s, &sys));
	assert_int_equal(sys, ECONNRESET);
	line_close(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_less_and_less_often),
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_what_is_held_and_what_has_failed),
	};
	return cmocka_run_group_tests_name("ack_wait", tests, NULL, NULL);
}
