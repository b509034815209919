/* Patience with a fast TCP stream: when it begins, what it asks of the kernel, and that it ends by itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "stream/fdstream.h"
#include "loop/loop.h"
#include "pump/rcvlowat.h"
#include "sockets.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { PIECE = 64 * 1024, MIB = 1024 * 1024 };

struct line {
	struct stream *s;
	int peer;
	struct rcvlowat p;
	uint64_t in;
	int64_t now_ms;
};

static void line_open(struct line *l, bool tcp)
{
	int fd[2];
	*l = (struct line){ .now_ms = 1000 };
	if (tcp)
		tcp_pair(fd);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	l->s = fdstream_socket(fd[0], false);
	l->peer = fd[1];
}

static void line_close(struct line *l)
{
	stream_close(l->s, CLOSE_PLAIN);
	close(l->peer);
}

static int64_t more(struct line *l, uint64_t n)
{
	l->in += n;
	return rcvlowat_wait(&l->p, l->s, l->in, l->now_ms);
}

static int64_t comes(struct line *l, uint64_t n, uint64_t piece)
{
	int64_t until_ms = NEVER;
	for (; n > 0; n -= piece)
		until_ms = more(l, piece);
	return until_ms;
}

static int lowat(const struct line *l)
{
	int n = 0;
	socklen_t len = sizeof n;
	assert_int_equal(getsockopt(l->s->rfd, SOL_SOCKET, SO_RCVLOWAT, &n, &len), 0);
	return n;
}

#ifdef __linux__
static bool readable(const struct line *l)
{
	struct pollfd p = { .fd = l->s->rfd, .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static void test_begins_after_much(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true);
	assert_true(comes(&l, 16 * MIB - PIECE, PIECE) == NEVER);
	assert_int_equal(lowat(&l), 1);
	assert_int_equal(more(&l, PIECE), 1000 + RCVLOWAT_MS);
	assert_int_equal(lowat(&l), RCVLOWAT_BYTES);
	assert_int_equal(write(l.peer, "word", 4), 4);
	assert_false(readable(&l));
	assert_int_equal(shutdown(l.peer, SHUT_WR), 0);
	assert_true(readable(&l));
	rcvlowat_end(&l.p, l.s);
	assert_int_equal(lowat(&l), 1);
	assert_false(l.p.on);
	line_close(&l);
}

static void test_small_pieces_do_not_count(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true);
	assert_true(comes(&l, 64 * MIB, 8192) == NEVER);
	assert_int_equal(lowat(&l), 1);
	line_close(&l);
}

static void test_goes_on_while_it_is_fast(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true);
	comes(&l, 16 * MIB, PIECE);
	l.now_ms++;
	assert_int_equal(more(&l, 0), 1000 + RCVLOWAT_MS); /* woken for something else */
	assert_int_equal(more(&l, 1), 1001 + RCVLOWAT_MS);
	l.now_ms += 50; /* we were late, not the peer */
	assert_int_equal(more(&l, RCVLOWAT_BYTES), 1051 + RCVLOWAT_MS);
	rcvlowat_rest(&l.p);
	l.now_ms += 50; /* the sink had to be waited for */
	assert_int_equal(more(&l, 1), 1101 + RCVLOWAT_MS);
	assert_int_equal(lowat(&l), RCVLOWAT_BYTES);
	line_close(&l);
}

static void test_ends_when_little_comes(void **state)
{
	(void)state;
	struct line l;
	uint64_t most = 16 * MIB;
	line_open(&l, true);
	for (int i = 0; i < 8; i++) {
		assert_true(comes(&l, most - PIECE, PIECE) == NEVER);
		assert_false(more(&l, PIECE) == NEVER);
		l.now_ms += RCVLOWAT_MS;
		assert_true(more(&l, RCVLOWAT_BYTES - 1) == NEVER);
		assert_int_equal(lowat(&l), 1);
		most = most < 1024 * MIB ? most * 2 : most;
	}
	line_close(&l);
}

static int no_setsockopt(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_SETSOCKOPT ? ENOBUFS : 0;
}

static void test_refused_by_the_system(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, true);
	sys_gate = no_setsockopt;
	assert_true(comes(&l, 64 * MIB, PIECE) == NEVER);
	sys_gate = NULL;
	assert_true(comes(&l, 64 * MIB, PIECE) == NEVER); /* it is not asked again */
	line_close(&l);

	line_open(&l, true);
	comes(&l, 16 * MIB, PIECE);
	l.now_ms += RCVLOWAT_MS;
	sys_gate = no_setsockopt;
	assert_int_equal(more(&l, 0), l.now_ms + RCVLOWAT_MS); /* so the timer stays */
	sys_gate = NULL;
	l.now_ms += RCVLOWAT_MS;
	assert_true(more(&l, 0) == NEVER);
	assert_int_equal(lowat(&l), 1);
	line_close(&l);
}
#endif

static void test_not_with_a_unix_socket(void **state)
{
	(void)state;
	struct line l;
	line_open(&l, false);
	assert_true(comes(&l, 64 * MIB, PIECE) == NEVER);
	assert_int_equal(lowat(&l), 1);
	rcvlowat_end(&l.p, l.s);
	line_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __linux__
		cmocka_unit_test(test_begins_after_much),
		cmocka_unit_test(test_small_pieces_do_not_count),
		cmocka_unit_test(test_goes_on_while_it_is_fast),
		cmocka_unit_test(test_ends_when_little_comes),
		cmocka_unit_test(test_refused_by_the_system),
#endif
		cmocka_unit_test(test_not_with_a_unix_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
