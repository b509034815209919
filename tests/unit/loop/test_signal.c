/* Signals as loop callbacks: delivered once, never when they were ignored at start, and all put back at the end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "loop/loop.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

struct log {
	struct loop *loop;
	int signo[8];
	unsigned n;
};

static void arrived(void *arg, int signo)
{
	struct log *log = arg;
	if (log->n < 8)
		log->signo[log->n] = signo;
	log->n++;
	loop_stop(log->loop);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct loop *loop, int64_t ms)
{
	struct timer t = { .fn = stop, .arg = loop };
	loop_timer(loop, &t, loop_now(loop) + ms);
	assert_int_equal(loop_run(loop, NULL), 0);
	loop_timer(loop, &t, NEVER);
}

static void (*handler_of(int signo))(int)
{
	struct sigaction now;
	assert_int_equal(sigaction(signo, NULL, &now), 0);
	return now.sa_handler;
}

static void catch (struct log *log, int signo)
{
	assert_int_equal(loop_signal(log->loop, signo, arrived, log, NULL), 0);
}

static void test_told_in_the_loop(void **state)
{
	(void)state;
	struct log log = { .loop = loop_open(&loop_select, NULL) };
	catch (&log, SIGUSR1);
	catch (&log, SIGUSR2);
	for (int i = 0; i < 1000; i++)
		raise(SIGUSR2);
	raise(SIGUSR1);
	assert_int_equal(log.n, 0); /* not from the handler */
	run_for(log.loop, 1000);
	assert_int_equal(log.n, 2);
	assert_int_equal(log.signo[0] + log.signo[1], SIGUSR1 + SIGUSR2);
	run_for(log.loop, 5);
	assert_int_equal(log.n, 2);
	loop_close(log.loop);
}

static void test_wakes_a_wait(void **state)
{
	struct log log = { .loop = loop_open(*state, NULL) };
	catch (&log, SIGALRM);
	const struct itimerval soon = { .it_value.tv_usec = 10000 };
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(loop_run(log.loop, NULL), 0);
	assert_int_equal(log.n, 1);
	loop_close(log.loop);
}

static void test_ignored_stays_ignored(void **state)
{
	(void)state;
	struct log log = { .loop = loop_open(&loop_select, NULL) };
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	catch (&log, SIGHUP);
	catch (&log, SIGCHLD); /* the exception: children are waited for */
	assert_true(handler_of(SIGHUP) == SIG_IGN);
	raise(SIGHUP);
	run_for(log.loop, 5);
	assert_int_equal(log.n, 0);
	raise(SIGCHLD);
	run_for(log.loop, 1000);
	assert_int_equal(log.n, 1);
	loop_close(log.loop);
	assert_true(handler_of(SIGHUP) == SIG_IGN);
	assert_true(handler_of(SIGCHLD) == SIG_IGN);
	signal(SIGHUP, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
}

static void test_put_back(void **state)
{
	(void)state;
	struct log log = { .loop = loop_open(&loop_select, NULL) };
	catch (&log, SIGTERM);
	catch (&log, SIGINT);
	assert_true(handler_of(SIGTERM) != SIG_DFL);
	assert_int_equal(loop_signal(log.loop, SIGTERM, NULL, NULL, NULL), 0);
	assert_true(handler_of(SIGTERM) != SIG_DFL); /* a late one finds no handler, and kills nothing */
	raise(SIGTERM);
	run_for(log.loop, 1000);
	assert_int_equal(log.n, 0);
	catch (&log, SIGTERM); /* and caught again */
	raise(SIGTERM);
	run_for(log.loop, 1000);
	assert_int_equal(log.n, 1);
	loop_close(log.loop);
	assert_true(handler_of(SIGTERM) == SIG_DFL);
	assert_true(handler_of(SIGINT) == SIG_DFL);
}

static int no_pipe(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_PIPE ? EMFILE : 0;
}

static void test_refusals(void **state)
{
	(void)state;
	struct loop *loop = loop_open(&loop_select, NULL), *other = loop_open(&loop_select, NULL);
	struct log log = { .loop = loop };
	struct err e = { 0 };
	sys_gate = no_pipe;
	assert_int_equal(loop_signal(loop, SIGUSR1, arrived, &log, &e), -1);
	assert_int_equal(e.sys, EMFILE);
	sys_gate = NULL;
	assert_int_equal(loop_signal(loop, 0, arrived, &log, &e), -1);
	assert_int_equal(loop_signal(loop, 64, arrived, &log, &e), -1);
	assert_int_equal(loop_signal(loop, SIGKILL, arrived, &log, &e), -1);
	catch (&log, SIGUSR1);
	assert_int_equal(loop_signal(other, SIGUSR1, arrived, &log, &e), -1); /* one loop at a time */
	loop_close(other);
	raise(SIGUSR1);
	run_for(loop, 1000);
	assert_int_equal(log.n, 1);
	loop_close(loop);
}

static int wakes_failed, wakes_to_fail, wake_error, pipes_to_fail;

static int no_wake(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	if (call == SYS_PIPE && pipes_to_fail > 0) {
		pipes_to_fail--;
		return EMFILE;
	}
	if (call != SYS_WAKE || wakes_failed == wakes_to_fail)
		return 0;
	wakes_failed++;
	return wake_error;
}

/* The handler's write fails: the signal is heard all the same, and so is the next one. */
static void heard_without_a_byte(const struct loop_backend *backend, int error, int wakes, int pipes)
{
	struct log log = { .loop = loop_open(backend, NULL) };
	catch (&log, SIGUSR1);
	catch (&log, SIGUSR2);
	wake_error = error;
	wakes_failed = 0;
	wakes_to_fail = wakes;
	pipes_to_fail = pipes;
	sys_gate = no_wake;
	for (unsigned n = 0; n < 4; n++) {
		raise(n % 2 == 0 ? SIGUSR1 : SIGUSR2);
		assert_int_equal(log.n, n);
		run_for(log.loop, 1000);
		assert_int_equal(log.n, n + 1);
		assert_int_equal(log.signo[n], n % 2 == 0 ? SIGUSR1 : SIGUSR2);
	}
	assert_int_equal(wakes_failed, wakes);
	raise(SIGUSR1); /* two at once */
	raise(SIGUSR2);
	run_for(log.loop, 1000);
	assert_int_equal(log.n, 6);
	sys_gate = NULL;
	loop_close(log.loop);
}

static void test_a_byte_that_cannot_be_written(void **state)
{
	static const int errors[] = { EIO, EINTR, ENOMEM, EAGAIN, EPIPE };
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		heard_without_a_byte(*state, errors[i], 1, 0);
		heard_without_a_byte(*state, errors[i], 4, 0);
		heard_without_a_byte(*state, errors[i], 2, 1); /* and then there is no other pipe at once */
	}
}

static void test_a_failing_byte_wakes_a_wait(void **state)
{
	struct log log = { .loop = loop_open(*state, NULL) };
	catch (&log, SIGALRM);
	wake_error = EIO;
	wakes_failed = 0;
	wakes_to_fail = 1;
	sys_gate = no_wake;
	const struct itimerval soon = { .it_value.tv_usec = 10000 };
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(loop_run(log.loop, NULL), 0);
	assert_int_equal(log.n, 1);
	assert_int_equal(wakes_failed, 1);
	sys_gate = NULL;
	loop_close(log.loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_in_the_loop),
		cmocka_unit_test_prestate(test_wakes_a_wait, (void *)(uintptr_t)&loop_select),
#ifdef __linux__
		cmocka_unit_test_prestate(test_wakes_a_wait, (void *)(uintptr_t)&loop_epoll),
#endif
		cmocka_unit_test_prestate(test_a_byte_that_cannot_be_written, (void *)(uintptr_t)&loop_select),
		cmocka_unit_test_prestate(test_a_failing_byte_wakes_a_wait, (void *)(uintptr_t)&loop_select),
#ifdef __linux__
		cmocka_unit_test_prestate(test_a_byte_that_cannot_be_written, (void *)(uintptr_t)&loop_epoll),
		cmocka_unit_test_prestate(test_a_failing_byte_wakes_a_wait, (void *)(uintptr_t)&loop_epoll),
#endif
		cmocka_unit_test(test_ignored_stays_ignored),
		cmocka_unit_test(test_put_back),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests_name("signal", tests, NULL, NULL);
}
