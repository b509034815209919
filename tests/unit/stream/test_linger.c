/* The polite close over real sockets: our last bytes arrive although we have not read what the peer sent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "stream/fdstream.h"
#include "stream/linger.h"
#include "sockets.h"

#include <string.h>

struct stage {
	struct loop *loop;
	struct lingers *linger;
	unsigned emptied;
};

static void stop(void *arg)
{
	loop_stop(arg);
}

static void emptied(void *arg)
{
	struct stage *st = arg;
	st->emptied++;
	loop_stop(st->loop);
}

static void stage_open(struct stage *st)
{
	*st = (struct stage){ .loop = loop_open(&loop_select, NULL) };
	st->linger = linger_open(st->loop);
}

static void stage_close(struct stage *st)
{
	linger_close(st->linger);
	assert_int_equal(loop_run(st->loop, NULL), -1); /* nothing is left */
	loop_close(st->loop);
}

static void run_for(struct stage *st, int64_t ms)
{
	struct timer t = { .fn = stop, .arg = st->loop };
	loop_timer(st->loop, &t, loop_now(st->loop) + ms);
	assert_int_equal(loop_run(st->loop, NULL), 0);
	loop_timer(st->loop, &t, NEVER);
}

static void take(struct stage *st, int fd, int64_t in_ms)
{
	struct stream *s = fdstream_socket(fd, false);
	assert_non_null(s);
	linger_take(st->linger, s, loop_now(st->loop) + in_ms);
}

static void test_last_words_arrive(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	int fd[2];
	char unread[100000], got[64];
	tcp_pair(fd);
	memset(unread, 'x', sizeof unread);
	assert_int_equal(write(fd[0], unread, sizeof unread), sizeof unread);
	assert_int_equal(write(fd[1], "server full\n", 12), 12);
	take(&st, fd[1], 5000);
	assert_int_equal(linger_count(st.linger), 1);
	linger_when_empty(st.linger, emptied, &st);
	run_for(&st, 5);
	assert_int_equal(read(fd[0], got, sizeof got), 12);
	assert_int_equal(read(fd[0], got, sizeof got), 0); /* its end, no reset */
	assert_int_equal(st.emptied, 0);		   /* it waits for ours */
	assert_int_equal(write(fd[0], "more", 4), 4);
	close(fd[0]);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(st.emptied, 1);
	assert_int_equal(linger_count(st.linger), 0);
	stage_close(&st);
}

static void test_not_for_ever(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	int fd[2];
	tcp_pair(fd);
	take(&st, fd[1], 10);
	linger_when_empty(st.linger, emptied, &st);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(st.emptied, 1);
	stage_close(&st);
	close(fd[0]);
}

static void test_reset_is_an_end(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	int fd[2];
	tcp_pair(fd);
	reset_close(fd[0]);
	take(&st, fd[1], 5000);
	linger_when_empty(st.linger, emptied, &st);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(linger_count(st.linger), 0);
	stage_close(&st);
}

/* A peer that floods us on its way out must not hold up the others. */
static void test_flood_leaves_others_their_turn(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	int zero = open("/dev/zero", O_RDWR);
	take(&st, fd[1], 5000);
	static const struct stream_words words = { 0, "read", "write", "close" };
	linger_take(st.linger, stream_pair(zero, -1, &words), loop_now(st.loop) + 60000); /* never ends */
	close(fd[0]);
	run_for(&st, 5);
	assert_int_equal(linger_count(st.linger), 1);
	linger_cut(st.linger);
	assert_int_equal(linger_count(st.linger), 0);
	stage_close(&st);
}

static void test_empty_is_told(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	linger_when_empty(st.linger, emptied, &st);
	assert_int_equal(st.emptied, 0); /* from the loop */
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(st.emptied, 1);
	linger_when_empty(st.linger, emptied, &st);
	int fd[2];
	tcp_pair(fd);
	take(&st, fd[1], 500); /* comes after the question and before the answer */
	run_for(&st, 1);
	assert_int_equal(st.emptied, 1);
	assert_int_equal(loop_run(st.loop, NULL), 0);
	assert_int_equal(st.emptied, 2);
	stage_close(&st);
	close(fd[0]);
}

static void test_so_many_and_no_more(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	int fd[LINGER_MOST + 1][2];
	for (int i = 0; i <= LINGER_MOST; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd[i]), 0);
		take(&st, fd[i][1], 5000);
	}
	assert_int_equal(linger_count(st.linger), LINGER_MOST);
	assert_int_equal(fcntl(fd[LINGER_MOST][1], F_GETFD), -1); /* closed at once */
	stage_close(&st);
	for (int i = 0; i <= LINGER_MOST; i++) {
		assert_int_equal(fcntl(fd[i][1], F_GETFD), -1);
		close(fd[i][0]);
	}
}

static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void test_without_memory(void **state)
{
	(void)state;
	struct stage st;
	stage_open(&st);
	int fd[2];
	char c;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	struct stream *s = fdstream_socket(fd[1], false);
	sys_gate = no_memory;
	assert_null(linger_open(st.loop));
	linger_take(st.linger, s, loop_now(st.loop) + 5000);
	sys_gate = NULL;
	assert_int_equal(linger_count(st.linger), 0);
	assert_int_equal(read(fd[0], &c, 1), 0);
	linger_close(NULL);
	stage_close(&st);
	close(fd[0]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_words_arrive),
		cmocka_unit_test(test_not_for_ever),
		cmocka_unit_test(test_reset_is_an_end),
		cmocka_unit_test(test_flood_leaves_others_their_turn),
		cmocka_unit_test(test_empty_is_told),
		cmocka_unit_test(test_so_many_and_no_more),
		cmocka_unit_test(test_without_memory),
	};
	return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
