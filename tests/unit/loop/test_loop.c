/* The loop on each of its backends: watches, hang-ups, reused descriptors, tasks, and that waiting is waiting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "loop/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct seen {
	struct loop *loop;
	struct watch watch, *other;
	unsigned calls, ready;
	int then; /* in the callback: 0 stop, 1 go on, 2 stop wanting, 3 take the other out, 4 replace the other's file */
};

static unsigned waits;

static int count_waits(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	waits += call == SYS_WAIT;
	return 0;
}

static void replace(struct seen *s)
{
	int p[2], fd = s->other->fd;
	loop_watch(s->loop, s->other, 0);
	assert_int_equal(sys_pipe(p), 0);
	assert_int_equal(dup2(p[0], fd), fd); /* the old file is gone, the number is new */
	close(p[0]);
	assert_int_equal(loop_watch(s->loop, s->other, LOOP_IN), 0);
	/* p[1] stays open: the new pipe is empty and has a writer */
}

static void seen(void *arg, unsigned ready)
{
	struct seen *s = arg;
	s->calls++;
	s->ready = ready;
	if (s->then == 0)
		loop_stop(s->loop);
	if (s->then == 2)
		loop_watch(s->loop, &s->watch, 0);
	if (s->then == 3) {
		loop_watch(s->loop, s->other, 0);
		s->other->want = LOOP_OUT; /* what freed memory may hold */
	}
	if (s->then == 4)
		replace(s);
}

static struct seen watching(struct loop *loop, int fd, int then)
{
	return (struct seen){ .loop = loop, .watch = { .fd = fd, .fn = seen }, .then = then };
}

static void want(struct seen *s, unsigned bits)
{
	s->watch.arg = s;
	assert_int_equal(loop_watch(s->loop, &s->watch, bits), 0);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Runs for so long, and says how often it waited. */
static unsigned run_for(struct loop *loop, int64_t ms)
{
	struct timer t = { .fn = stop, .arg = loop };
	loop_timer(loop, &t, loop_now(loop) + ms);
	waits = 0;
	sys_gate = count_waits;
	assert_int_equal(loop_run(loop, NULL), 0);
	sys_gate = NULL;
	loop_timer(loop, &t, NEVER);
	return waits;
}

static struct loop *open_loop(void **state)
{
	struct loop *loop = loop_open(*state, NULL);
	assert_non_null(loop);
	return loop;
}

static void open_pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
}

static void close_pair(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static void test_readable_and_writable(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen in = watching(loop, fd[0], 1), out = watching(loop, fd[1], 2);
	want(&in, LOOP_IN);
	want(&out, LOOP_OUT);
	run_for(loop, 5);
	assert_int_equal(in.calls, 0);
	assert_int_equal(out.calls, 1);
	assert_int_equal(out.ready, LOOP_OUT);
	assert_int_equal(write(fd[1], "x", 1), 1);
	in.then = 0;
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(in.calls, 1);
	assert_int_equal(in.ready, LOOP_IN);
	want(&in, 0);
	loop_close(loop);
	close_pair(fd);
}

static void test_two_watches_of_one_descriptor(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen in = watching(loop, fd[0], 2), out = watching(loop, fd[0], 2);
	want(&in, LOOP_IN);
	want(&out, LOOP_OUT);
	run_for(loop, 5);
	assert_int_equal(in.calls, 0);
	assert_int_equal(out.calls, 1);
	assert_int_equal(out.ready, LOOP_OUT);
	want(&out, LOOP_OUT);
	assert_int_equal(write(fd[1], "x", 1), 1);
	run_for(loop, 5);
	assert_int_equal(in.calls, 1);
	assert_int_equal(in.ready, LOOP_IN);
	assert_int_equal(out.calls, 2);
	loop_close(loop);
	close_pair(fd);
}

static void test_twin_that_is_taken_out_by_the_other(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen a = watching(loop, fd[0], 3), b = watching(loop, fd[0], 3);
	a.other = &b.watch;
	b.other = &a.watch;
	want(&a, LOOP_OUT);
	want(&b, LOOP_OUT);
	struct timer now = { .fn = stop, .arg = loop };
	loop_timer(loop, &now, loop_now(loop));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(a.calls + b.calls, 1);
	*(a.calls == 1 ? &b : &a) = watching(loop, fd[0], 0);
	want(&a, 0);
	want(&b, 0);
	loop_close(loop);
	close_pair(fd);
}

static void test_neighbour_that_is_taken_out(void **state)
{
	struct loop *loop = open_loop(state);
	int x[2], y[2];
	open_pair(x);
	open_pair(y);
	struct seen a = watching(loop, x[0], 3), b = watching(loop, y[0], 3);
	a.other = &b.watch;
	b.other = &a.watch;
	want(&a, LOOP_OUT);
	want(&b, LOOP_OUT);
	struct timer now = { .fn = stop, .arg = loop };
	loop_timer(loop, &now, loop_now(loop));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(a.calls + b.calls, 1);
	*(a.calls == 1 ? &b : &a) = watching(loop, x[0], 0);
	want(&a, 0);
	want(&b, 0);
	loop_close(loop);
	close_pair(x);
	close_pair(y);
}

/* Both are ready in the same turn; the first called gives the other's number to a file that is not. */
static void test_number_used_again_within_a_turn(void **state)
{
	struct loop *loop = open_loop(state);
	int x[2], y[2];
	assert_int_equal(sys_pipe(x), 0);
	assert_int_equal(sys_pipe(y), 0);
	struct seen a = watching(loop, x[0], 4), b = watching(loop, y[0], 4);
	a.other = &b.watch;
	b.other = &a.watch;
	assert_int_equal(write(x[1], "x", 1), 1);
	assert_int_equal(write(y[1], "y", 1), 1);
	want(&a, LOOP_IN);
	want(&b, LOOP_IN);
	struct timer now = { .fn = stop, .arg = loop };
	loop_timer(loop, &now, loop_now(loop));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(a.calls + b.calls, 1);
	want(&a, 0);
	want(&b, 0);
	loop_close(loop);
	close_pair(x);
	close_pair(y);
}

/* epoll refuses them with EPERM, select does not. */
static void check_always_ready(void **state, int fd)
{
	struct loop *loop = open_loop(state);
	struct seen a = watching(loop, fd, 2);
	want(&a, LOOP_IN);
	run_for(loop, 5);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.ready, LOOP_IN);
	want(&a, LOOP_OUT);
	run_for(loop, 5);
	assert_int_equal(a.calls, 2);
	assert_int_equal(a.ready, LOOP_OUT);
	assert_in_range(run_for(loop, 20), 1, 10); /* no watcher: no spin */
	a.then = 1;
	want(&a, LOOP_IN);
	run_for(loop, 5); /* the timer is not starved by what is always ready */
	assert_true(a.calls > 3);
	want(&a, LOOP_HUP); /* it never hangs up */
	a.calls = 0;
	assert_in_range(run_for(loop, 20), 1, 10);
	assert_int_equal(a.calls, 0);
	want(&a, 0);
	loop_close(loop);
	close(fd);
}

static void test_regular_file_is_always_ready(void **state)
{
	char path[] = "/tmp/test_loop.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	check_always_ready(state, fd);
}

static void test_dev_null_is_always_ready(void **state)
{
	check_always_ready(state, open("/dev/null", O_RDWR));
}

/* Two watches of an always-ready file, one of them for hang-ups alone, which must not be told of any. */
static void test_always_ready_does_not_hang_up(void **state)
{
	struct loop *loop = open_loop(state);
	int fd = open("/dev/null", O_RDWR);
	struct seen in = watching(loop, fd, 1), hup = watching(loop, fd, 1);
	want(&in, LOOP_IN);
	want(&hup, LOOP_HUP);
	run_for(loop, 5);
	assert_true(in.calls > 0);
	assert_int_equal(in.ready, LOOP_IN);
	assert_int_equal(hup.calls, 0);
	want(&in, 0);
	want(&hup, 0);
	loop_close(loop);
	close(fd);
}

static void test_hang_up_is_told_once(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen a = watching(loop, fd[0], 0);
	want(&a, LOOP_HUP);
	assert_in_range(run_for(loop, 20), 1, 10);
	assert_int_equal(a.calls, 0);
	close(fd[1]);
	assert_int_equal(loop_run(loop, NULL), 0); /* select asks once a second */
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.ready, LOOP_HUP);
	assert_int_equal(a.watch.want, 0);
	assert_in_range(run_for(loop, 20), 1, 10);
	assert_int_equal(a.calls, 1);
	loop_close(loop);
	close(fd[0]);
}

/* The end of the peer's side, beside a hang-up and without reading: that first, once, and then the other. */
static void test_end_is_told_before_the_hang_up(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen a = watching(loop, fd[0], 0);
	assert_int_equal(write(fd[1], "unread", 6), 6);
	want(&a, LOOP_HUP | LOOP_END);
	assert_in_range(run_for(loop, 20), 1, 10);
	assert_int_equal(a.calls, 0);
	assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
	assert_int_equal(loop_run(loop, NULL), 0); /* select asks once a second */
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.ready, LOOP_END);
	assert_int_equal(a.watch.want, 0);
	want(&a, LOOP_HUP);
	assert_in_range(run_for(loop, 20), 1, 10);
	assert_int_equal(a.calls, 1);
	close(fd[1]);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(a.calls, 2);
	assert_int_equal(a.ready, LOOP_HUP);
	loop_close(loop);
	close(fd[0]);
}

/* A flow that is paused at its end of input: 34,000 wake-ups in a tenth of a second, if it stayed in epoll's set. */
static void test_hang_up_that_no_watch_wants(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen a = watching(loop, fd[0], 1);
	want(&a, LOOP_IN);
	want(&a, 0);
	close(fd[1]);
	assert_in_range(run_for(loop, 20), 1, 10);
	assert_int_equal(a.calls, 0);
	loop_close(loop);
	close(fd[0]);
}

static void test_end_of_a_pipe_is_readable(void **state)
{
	struct loop *loop = open_loop(state);
	int fd[2];
	assert_int_equal(sys_pipe(fd), 0);
	struct seen a = watching(loop, fd[0], 0);
	want(&a, LOOP_IN);
	close(fd[1]);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_true(a.ready & LOOP_IN);
	want(&a, 0);
	loop_close(loop);
	close(fd[0]);
}

static void test_descriptor_beyond_select(void **state)
{
	struct loop *loop = open_loop(state);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	int fd[2];
	open_pair(fd);
	int high = fcntl(fd[0], F_DUPFD, FD_SETSIZE);
	if (high < 0)
		skip();
	struct seen a = watching(loop, high, 0);
	a.watch.arg = &a;
	if (*state == &loop_select) {
		errno = 0;
		assert_int_equal(loop_watch(loop, &a.watch, LOOP_OUT), -1);
		assert_int_equal(errno, EMFILE);
		assert_int_equal(a.watch.want, 0);
		assert_int_equal(loop_run(loop, NULL), -1); /* and nothing is watched */
	} else {
		want(&a, LOOP_OUT);
		assert_int_equal(loop_run(loop, NULL), 0);
		assert_int_equal(a.calls, 1);
		want(&a, 0);
	}
	loop_close(loop);
	close(high);
	close_pair(fd);
}

static void test_descriptor_that_is_none(void **state)
{
	struct loop *loop = open_loop(state);
	struct seen a = watching(loop, -1, 0);
	assert_int_equal(loop_watch(loop, &a.watch, LOOP_IN), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(loop_watch(loop, &a.watch, 0), 0);
	loop_close(loop);
}

static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void test_without_memory(void **state)
{
	sys_gate = no_memory;
	struct err e = { 0 };
	assert_null(loop_open(*state, &e));
	assert_int_equal(e.cls, ERR_LOCAL);
	sys_gate = NULL;
	struct loop *loop = open_loop(state);
	int fd[2];
	open_pair(fd);
	struct seen a = watching(loop, fd[0], 0);
	a.watch.arg = &a;
	sys_gate = no_memory;
	assert_int_equal(loop_watch(loop, &a.watch, LOOP_OUT), -1);
	sys_gate = NULL;
	assert_int_equal(a.watch.want, 0);
	want(&a, LOOP_OUT);
	assert_int_equal(loop_run(loop, NULL), 0);
	want(&a, 0);
	loop_close(loop);
	close_pair(fd);
}

static int wait_error;

static int fail_wait(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	int error = wait_error;
	if (call == SYS_WAIT)
		wait_error = 0;
	return call == SYS_WAIT ? error : 0;
}

static void test_wait_that_fails(void **state)
{
	struct loop *loop = open_loop(state);
	struct timer t = { .fn = stop, .arg = loop };
	struct err e = { 0 };
	sys_gate = fail_wait;
	wait_error = EINTR;
	loop_timer(loop, &t, loop_now(loop) + 2);
	assert_int_equal(loop_run(loop, &e), 0);
	wait_error = EBADF;
	loop_timer(loop, &t, loop_now(loop) + 2);
	assert_int_equal(loop_run(loop, &e), -1);
	assert_int_equal(e.cls, ERR_BUG);
	assert_int_equal(e.sys, EBADF);
	sys_gate = NULL;
	loop_timer(loop, &t, NEVER);
	loop_close(loop);
}

static void test_nothing_left(void **state)
{
	struct loop *loop = open_loop(state);
	struct err e = { 0 };
	assert_int_equal(loop_run(loop, &e), -1);
	assert_int_equal(e.cls, ERR_BUG);
	loop_close(loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readable_and_writable),
		cmocka_unit_test(test_two_watches_of_one_descriptor),
		cmocka_unit_test(test_twin_that_is_taken_out_by_the_other),
		cmocka_unit_test(test_neighbour_that_is_taken_out),
		cmocka_unit_test(test_number_used_again_within_a_turn),
		cmocka_unit_test(test_regular_file_is_always_ready),
		cmocka_unit_test(test_dev_null_is_always_ready),
		cmocka_unit_test(test_always_ready_does_not_hang_up),
		cmocka_unit_test(test_hang_up_is_told_once),
		cmocka_unit_test(test_end_is_told_before_the_hang_up),
		cmocka_unit_test(test_hang_up_that_no_watch_wants),
		cmocka_unit_test(test_end_of_a_pipe_is_readable),
		cmocka_unit_test(test_descriptor_beyond_select),
		cmocka_unit_test(test_descriptor_that_is_none),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_wait_that_fails),
		cmocka_unit_test(test_nothing_left),
	};
	static const struct loop_backend *const backends[] = {
		&loop_select,
#ifdef __linux__
		&loop_epoll,
#endif
	};
	enum { TESTS = sizeof tests / sizeof tests[0], BACKENDS = sizeof backends / sizeof backends[0] };
	static struct CMUnitTest all[TESTS * BACKENDS];
	static char names[TESTS * BACKENDS][80];
	for (size_t i = 0; i < TESTS * BACKENDS; i++) {
		const struct loop_backend *backend = backends[i / TESTS];
		snprintf(names[i], sizeof names[i], "%s: %s", backend->name, tests[i % TESTS].name);
		all[i] = (struct CMUnitTest){
			.name = names[i], .test_func = tests[i % TESTS].test_func, .initial_state = (void *)(uintptr_t)backend
		};
	}
	return cmocka_run_group_tests_name("loop", all, NULL, NULL);
}
