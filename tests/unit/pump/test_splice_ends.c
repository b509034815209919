/* How it ends with bytes that pass unseen: nothing is lost when splice turns out in the middle to be no good, and a failure has
 * the words and the class that it has with reads and writes. And the pool of pipes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sockets.h"
#include "way.h"

/* Splice is no good, found out late */

static void test_refused_after_our_pipe_was_filled(void **state)
{
	(void)state;
	for (int ended = 0; ended < 2; ended++) {
		struct way w;
		way_open(&w, 't', 'u');
		assert_int_equal(write(w.in, bytes, PIPE_MOST), PIPE_MOST);
		if (ended)
			shutdown(w.in, SHUT_WR);
		gate_open(SYS_SPLICE, 1, PLENTY, EINVAL); /* in it went */
		flow_run(&w.flow, 1);
		assert_true(w.flow.held > 0);
		assert_string_equal(w.flow.mover->name, "emptying");
		for (int i = 0; i < 2 * PIPE_MOST / BLOCK; i++)
			flow_run(&w.flow, PLENTY);
		assert_int_equal(w.flow.held, 0);
		assert_string_equal(w.flow.mover->name, "copy");
		assert_int_equal(w.flow.state, ended ? FLOW_HELD : FLOW_OPEN);
		assert_int_equal(way_drain(&w, 0), PIPE_MOST);
		assert_memory_equal(got, bytes, PIPE_MOST);
		assert_int_equal(w.went.out, PIPE_MOST);
		way_close(&w);
	}
}

static void test_emptied_when_there_is_a_block(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'u');
	void *block[2] = { pool_take(w.pool), pool_take(w.pool) };
	assert_int_equal(write(w.in, "abc", 3), 3);
	gate_open(SYS_SPLICE, 1, PLENTY, EINVAL);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
	assert_true(w.flow.wait_pool && flow_holds(&w.flow));
	pool_give(w.pool, block[0]);
	pool_give(w.pool, block[1]);
	gate_open(SYS_READ, 0, 1, EAGAIN);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
	assert_true(w.flow.wait_pool && flow_holds(&w.flow)); /* tried again, and not given up */
	sys_gate = NULL;
	flow_run(&w.flow, PLENTY);
	assert_int_equal(way_drain(&w, 0), 3);
	way_close(&w);
}

static void test_our_pipe_cannot_be_read(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'u');
	assert_int_equal(write(w.in, "abc", 3), 3);
	gate_open(SYS_SPLICE, 1, PLENTY, EINVAL);
	void *block[2] = { pool_take(w.pool), pool_take(w.pool) }; /* so that it stops before it reads */
	flow_run(&w.flow, PLENTY);
	pool_give(w.pool, block[0]);
	pool_give(w.pool, block[1]);
	gate_open(SYS_READ, 0, PLENTY, EIO);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_true(w.flow.failed_from);
	assert_int_equal(w.flow.why.cls, ERR_LOCAL);
	assert_false(flow_holds(&w.flow));
	assert_int_equal(w.flow.pipe[0], -1);
	way_close(&w);
}

/* Failures */

static void check_why(const struct flow *f, enum err_class cls, int sys, const char *text)
{
	assert_int_equal(f->why.cls, cls);
	assert_int_equal(f->why.sys, sys);
	assert_string_equal(f->why.text, text);
}

static void test_reader_of_stdout_left(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'p');
	close(w.out);
	w.out = -1;
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS); /* there was nothing to write yet */
	assert_int_equal(write(w.in, "x", 1), 1);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(w.flow.state, FLOW_FAIL);
	assert_true(w.flow.failed_to);
	check_why(&w.flow, ERR_PIPE, EPIPE, "write stdout");
	way_close(&w);
}

static void test_peer_was_reset(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'p');
	assert_int_equal(write(w.in, "abc", 3), 3);
	reset_close(w.in);
	w.in = -1;
	assert_int_equal(
		flow_run(&w.flow, PLENTY), FLOW_WAITS); /* less came than would have been taken: it is asked when it is ready */
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_true(w.flow.failed_from && !w.flow.eof);
	check_why(&w.flow, ERR_LOST, ECONNRESET, "receive from");
	assert_int_equal(way_drain(&w, 0), 3); /* what had come before it */
	assert_false(w.came.in_ended);
	way_close(&w);

	static const char *const all[] = { "pt", "ft" };
	for (size_t i = 0; i < 2; i++) {
		way_open(&w, all[i][0], 't');
		reset_close(w.out);
		w.out = -1;
		if (w.in >= 0)
			assert_int_equal(write(w.in, "abc", 3), 3);
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
		assert_true(w.flow.failed_to);
		check_why(&w.flow, ERR_LOST, ECONNRESET, "send to");
		way_close(&w);
	}

	way_open(&w, 't', 'u'); /* by way of our pipe */
	close(w.out);
	w.out = -1;
	assert_int_equal(write(w.in, "abc", 3), 3);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_true(w.flow.failed_to);
	check_why(&w.flow, ERR_LOST, EPIPE, "send to");
	assert_false(flow_holds(&w.flow));
	int pipe[2], left = -1;
	assert_int_equal(pool_pipe_take(w.pool, pipe), 0);
	assert_int_equal(ioctl(pipe[0], FIONREAD, &left), 0);
	assert_int_equal(left, 0); /* what was on its way is in no other pipe */
	pool_pipe_give(w.pool, pipe, true);
	way_close(&w);
}

static void test_whose_failure(void **state)
{
	(void)state;
	static const struct {
		const char *ends;
		int nth, sys;
		bool source;
		enum err_class cls;
		const char *text;
	} rows[] = {
		{ "tp", 0, ETIMEDOUT, true, ERR_LOST, "receive from" },
		{ "pt", 0, ETIMEDOUT, false, ERR_LOST, "send to" },
		{ "pf", 0, ENOSPC, false, ERR_LOCAL, "write stdout" },
		{ "fp", 0, EIO, true, ERR_LOCAL, "read stdin" },
		{ "ft", 0, ETIMEDOUT, false, ERR_LOST, "send to" },
		{ "tu", 0, ETIMEDOUT, true, ERR_LOST, "receive from" },
		{ "tu", 1, ENOBUFS, false, ERR_NETWORK, "send to" },
		{ "tf", 1, EIO, false, ERR_LOCAL, "write stdout" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct way w;
		way_open(&w, rows[i].ends[0], rows[i].ends[1]);
		if (w.in >= 0)
			assert_int_equal(write(w.in, "abc", 3), 3);
		gate_open(SYS_SPLICE, rows[i].nth, PLENTY, rows[i].sys);
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
		assert_int_equal(w.flow.failed_from, rows[i].source);
		assert_int_equal(w.flow.failed_to, !rows[i].source);
		check_why(&w.flow, rows[i].cls, rows[i].sys, rows[i].text);
		way_close(&w);
	}
}

static int bad_disk(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_SPLICE || call == SYS_READ ? EIO : 0;
}

static void test_file_that_cannot_be_read(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 'f', 't');
	sys_gate = bad_disk;
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_true(w.flow.failed_from);
	check_why(&w.flow, ERR_LOCAL, EIO, "read stdin");
	way_close(&w);
}

/* The pool */

static void test_file_offset_goes_along(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 'f', 't');
	lseek(w.from->rfd, MUCH - 10, SEEK_SET); /* as the shell, or a reader before us, left it */
	flow_run(&w.flow, 4);
	assert_int_equal(lseek(w.from->rfd, 0, SEEK_CUR), MUCH - 6);
	flow_run(&w.flow, PLENTY);
	assert_int_equal(way_drain(&w, 0), 10);
	assert_memory_equal(got, bytes + MUCH - 10, 10);
	assert_true(w.flow.eof);
	way_close(&w);
}

static int open_descriptors(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_pool_lends_empty_pipes(void **state)
{
	(void)state;
	struct pool *pool = pool_open(BLOCK, 1);
	int one[2], all[POOL_PIPES_MOST][2], before = open_descriptors();
	assert_int_equal(pool_pipe_take(pool, one), 0);
	assert_true(fcntl(one[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(one[0], F_GETPIPE_SZ) >= PIPE_MOST);
	int kept = one[0];
	pool_pipe_give(pool, one, true);
	assert_int_equal(one[0] + one[1], -2);
	pool_pipe_give(pool, one, true); /* nothing to give */
	assert_int_equal(pool_pipe_take(pool, one), 0);
	assert_int_equal(one[0], kept);
	assert_int_equal(write(one[1], "left", 4), 4);
	pool_pipe_give(pool, one, false);
	assert_int_equal(open_descriptors(), before);
	for (int i = 0; i < POOL_PIPES_MOST; i++)
		assert_int_equal(pool_pipe_take(pool, all[i]), 0);
	assert_int_equal(pool_pipe_take(pool, one), -1);
	for (int i = 0; i < POOL_PIPES_MOST; i++)
		pool_pipe_give(pool, all[i], true);
	assert_in_range(open_descriptors() - before, 2, 16); /* a burst does not stay */
	gate_open(SYS_PIPE, 0, 1, EMFILE);
	while (pool_pipe_take(pool, one) == 0)
		pool_pipe_give(pool, one, false);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(pool_pipe_take(pool, one), 0); /* the one that could not be made was not counted as lent */
	pool_pipe_give(pool, one, true);
	sys_gate = NULL;
	pool_close(pool);
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_after_our_pipe_was_filled),
		cmocka_unit_test(test_emptied_when_there_is_a_block),
		cmocka_unit_test(test_our_pipe_cannot_be_read),
		cmocka_unit_test(test_reader_of_stdout_left),
		cmocka_unit_test(test_peer_was_reset),
		cmocka_unit_test(test_whose_failure),
		cmocka_unit_test(test_file_that_cannot_be_read),
		cmocka_unit_test(test_file_offset_goes_along),
		cmocka_unit_test(test_pool_lends_empty_pipes),
	};
	return cmocka_run_group_tests_name("splice_ends", tests, NULL, NULL);
}
