/* Children: what they are born with, how they end, and that every one of them is reaped. Real processes, real signals. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "loop/child.h"
#include "children.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static int ignores_term(void *arg)
{
	signal(SIGTERM, SIG_IGN);
	ssize_t n = write(1, "r", 1);
	(void)n;
	return sleeps(arg);
}

/* Word by word what a child should find; the number of the first that is wrong. */
static int looks(void *arg)
{
	(void)arg;
	sigset_t mask, none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int fd = 3; fd < 200; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 1;
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) != 0)
			return 2;
	for (int s = 1; s < 32; s++) {
		struct sigaction now;
		if (sigismember(&mask, s) != 0)
			return 3;
		if (s != SIGKILL && s != SIGSTOP && (sigaction(s, NULL, &now) != 0 || now.sa_handler != SIG_DFL))
			return 4;
	}
	if (getpgrp() != getpid())
		return 5;
	char c;
	if (read(0, &c, 1) != 1 || c != 'x')
		return 6;
	if (write(1, "out", 3) != 3 || write(2, "err", 3) != 3)
		return 7;
	return 0;
}

static void the_value_is_the_status(void **state)
{
	(void)state;
	int value = 42;
	struct seen seen = { .most = 1 };
	struct child *c = child_start(loop, returns, &value, nothing, done, &seen, NULL);
	assert_non_null(c);
	assert_true(child_pid(c) > 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(seen.count, 1);
	assert_true(WIFEXITED(seen.status));
	assert_int_equal(WEXITSTATUS(seen.status), 42);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* The descriptors are given crosswise, so that each place is wanted while another still holds it. */
static void a_child_has_three_descriptors_and_no_past(void **state)
{
	(void)state;
	int in[2], out[2], spare[2];
	assert_int_equal(sys_pipe(in), 0);
	assert_int_equal(sys_pipe(out), 0);
	assert_int_equal(pipe(spare), 0); /* inheritable */
	assert_int_equal(write(in[1], "x", 1), 1);
	sighandler_t before = signal(SIGUSR1, SIG_IGN);
	struct seen seen = { .most = 1 };
	const int fd[3] = { in[0], out[1], out[1] };
	assert_non_null(child_start(loop, looks, NULL, fd, done, &seen, NULL));
	assert_int_equal(loop_run(loop, NULL), 0);
	signal(SIGUSR1, before);
	assert_true(WIFEXITED(seen.status));
	assert_int_equal(WEXITSTATUS(seen.status), 0);
	char got[8] = "";
	assert_int_equal(read(out[0], got, sizeof got), 6);
	assert_memory_equal(got, "outerr", 6);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
		close(spare[i]);
	}
}

static int swapped(void *arg)
{
	char c = 0;
	(void)arg;
	return read(1, &c, 1) == 1 && c == 'x' && write(0, "y", 1) == 1 ? 0 : 1;
}

static void places_may_be_swapped(void **state)
{
	(void)state;
	int in[2], out[2], keep[2] = { dup(0), dup(1) };
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(write(in[1], "x", 1), 1);
	fflush(NULL);
	dup2(in[0], 0);
	dup2(out[1], 1);
	struct seen seen = { .most = 1 };
	const int fd[3] = { 1, 0, 2 };
	struct child *c = child_start(loop, swapped, NULL, fd, done, &seen, NULL);
	dup2(keep[0], 0);
	dup2(keep[1], 1);
	assert_non_null(c);
	assert_int_equal(loop_run(loop, NULL), 0);
	char got;
	assert_int_equal(seen.status, 0);
	assert_int_equal(read(out[0], &got, 1), 1);
	assert_int_equal(got, 'y');
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
		close(keep[i]);
	}
}

static void ending_is_a_term(void **state)
{
	(void)state;
	struct seen seen = { .most = 1 };
	struct child *c = child_start(loop, sleeps, NULL, nothing, done, &seen, NULL);
	assert_non_null(c);
	child_end(c);
	child_end(c);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_true(WIFSIGNALED(seen.status));
	assert_int_equal(WTERMSIG(seen.status), SIGTERM);
}

static void a_child_that_ignores_term_is_killed_after_two_seconds(void **state)
{
	(void)state;
	int out[2];
	char ready;
	assert_int_equal(pipe(out), 0);
	struct seen seen = { .most = 1 };
	const int fd[3] = { -1, out[1], -1 };
	struct child *c = child_start(loop, ignores_term, NULL, fd, done, &seen, NULL);
	assert_non_null(c);
	assert_int_equal(read(out[0], &ready, 1), 1);
	int64_t since_ms = loop_now(loop);
	child_end(c);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_true(WIFSIGNALED(seen.status));
	assert_int_equal(WTERMSIG(seen.status), SIGKILL);
	assert_in_range(loop_now(loop) - since_ms, 1900, 4000);
	close(out[0]);
	close(out[1]);
}

static void look_for_the_rest(void *arg)
{
	struct timer *t = arg;
	siginfo_t left;
	if (waitid(P_ALL, 0, &left, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
		loop_stop(loop);
	else
		loop_timer(loop, t, loop_now(loop) + 5);
}

static void the_forgotten_are_reaped_in_silence(void **state)
{
	(void)state;
	struct seen seen = { 0 };
	struct timer look = { .fn = look_for_the_rest, .arg = &look };
	for (int i = 0; i < 5; i++) {
		struct child *c = child_start(loop, sleeps, NULL, nothing, done, &seen, NULL);
		assert_non_null(c);
		child_forget(c);
	}
	loop_timer(loop, &look, loop_now(loop) + 50);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(seen.count, 0);
}

static struct seen chain = { .most = 20 };

static void another(void *arg, int status)
{
	static int value;
	done(arg, status);
	assert_int_equal(WEXITSTATUS(status), value);
	value++;
	if (chain.count < chain.most)
		assert_non_null(child_start(loop, returns, &value, nothing, another, arg, NULL));
}

static void done_may_start_the_next(void **state)
{
	(void)state;
	int first = 0;
	assert_non_null(child_start(loop, returns, &first, nothing, another, &chain, NULL));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(chain.count, chain.most);
}

static void many_at_once(void **state)
{
	(void)state;
	int value = 7;
	struct seen seen = { .most = 30 };
	for (int i = 0; i < seen.most; i++)
		assert_non_null(child_start(loop, returns, &value, nothing, done, &seen, NULL));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(seen.count, seen.most);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Processes that are none of ours stay where they are. */
static void the_children_of_others_are_left_alone(void **state)
{
	(void)state;
	pid_t other = fork();
	if (other == 0)
		_exit(3);
	int value = 0, status = 0;
	struct seen seen = { .most = 1 };
	assert_non_null(child_start(loop, returns, &value, nothing, done, &seen, NULL));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(WEXITSTATUS(status), 3);
}

#ifdef SYS_SEAM
static int no_fork(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_FORK ? EAGAIN : 0;
}

static void a_fork_that_fails_is_told(void **state)
{
	(void)state;
	struct err e = { 0 };
	int value = 0;
	sys_gate = no_fork;
	assert_null(child_start(loop, returns, &value, nothing, done, NULL, &e));
	sys_gate = NULL;
	assert_int_equal(e.cls, ERR_LOCAL);
	assert_int_equal(e.sys, EAGAIN);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_value_is_the_status, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_child_has_three_descriptors_and_no_past, set_up, tear_down),
		cmocka_unit_test_setup_teardown(places_may_be_swapped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ending_is_a_term, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_child_that_ignores_term_is_killed_after_two_seconds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_forgotten_are_reaped_in_silence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(done_may_start_the_next, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_children_of_others_are_left_alone, set_up, tear_down),
#ifdef SYS_SEAM
		cmocka_unit_test_setup_teardown(a_fork_that_fails_is_told, set_up, tear_down),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
