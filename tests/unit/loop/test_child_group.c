/* What a child leaves behind, and what becomes of it; and children that become other programs. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "loop/child.h"
#include "children.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* Says that it is there, and then heeds nothing but KILL. */
static void stay(void)
{
	signal(SIGTERM, SIG_IGN);
	ssize_t n = write(1, "r", 1);
	(void)n;
	for (;;)
		pause();
}

static int leaves_one_behind(void *arg)
{
	if (fork() == 0)
		stay();
	return *(int *)arg;
}

static int waits_with_one(void *arg)
{
	if (fork() == 0)
		stay();
	return sleeps(arg);
}

/* A child that leaves a process in its group; when it says so, its number. The pipe ends when none is left. */
static pid_t start_pair(child_body *body, void *body_arg, struct seen *seen, int out[2])
{
	char ready;
	assert_int_equal(pipe(out), 0);
	const int fd[3] = { -1, out[1], -1 };
	struct child *c = child_start(loop, body, body_arg, fd, done, seen, NULL);
	assert_non_null(c);
	pid_t pid = child_pid(c);
	assert_int_equal(read(out[0], &ready, 1), 1);
	close(out[1]);
	if (body == waits_with_one)
		child_end(c);
	return pid;
}

static void group_is_empty(int fd)
{
	char c;
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
}

static void ending_ends_the_whole_group(void **state)
{
	(void)state;
	int out[2];
	struct seen seen = { .most = 1 };
	int64_t since_ms = loop_now(loop);
	start_pair(waits_with_one, NULL, &seen, out);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(WTERMSIG(seen.status), SIGTERM);
	assert_in_range(loop_now(loop) - since_ms, 1900, 4000);
	group_is_empty(out[0]);
}

static void a_process_left_behind_can_be_ended(void **state)
{
	(void)state;
	int out[2], value = 3;
	struct seen seen = { .most = 1 };
	pid_t pid = start_pair(leaves_one_behind, &value, &seen, out);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(WEXITSTATUS(seen.status), 3); /* told at once */
	assert_true(child_left(pid));
	seen = (struct seen){ .most = 1 };
	struct child *rest = child_end_rest(loop, pid, done, &seen, NULL);
	assert_non_null(rest);
	child_kill(rest);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(seen.status, 0);
	group_is_empty(out[0]);
}

static void no_process_left_behind(void **state)
{
	(void)state;
	int value = 0;
	struct seen seen = { .most = 1 };
	struct child *c = child_start(loop, returns, &value, nothing, done, &seen, NULL);
	assert_non_null(c);
	pid_t pid = child_pid(c);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_false(child_left(pid));
	seen.count = 0;
	assert_non_null(child_end_rest(loop, pid, done, &seen, NULL));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_int_equal(seen.count, 1);
}

static void run_command(const char *script, const char *const *set, int status)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct child_command command = { .argv = argv, .set = set };
	struct seen seen = { .most = 1 };
	assert_non_null(child_start(loop, child_exec, &command, nothing, done, &seen, NULL));
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_true(WIFEXITED(seen.status));
	assert_int_equal(WEXITSTATUS(seen.status), status);
}

static void a_command_has_its_environment(void **state)
{
	(void)state;
	static const char *const set[] = { "ONE=1 and more", "TWO", NULL };
	setenv("TWO", "2", 1);
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	setenv("LISTEN_FDS", "1", 1);
	run_command("test \"$ONE\" = '1 and more' -a -z \"${TWO+x}\" -a -z \"$NOTIFY_SOCKET$LISTEN_FDS\"", set, 0);
	unsetenv("TWO");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_FDS");
}

static void a_command_has_the_limit_of_old(void **state)
{
	(void)state;
	struct rlimit now;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	struct rlimit old = { .rlim_cur = 77, .rlim_max = now.rlim_max };
	child_files_limit(&old);
	run_command("test $(ulimit -n) = 77", NULL, 0);
	child_files_limit(NULL);
	run_command("test $(ulimit -n) != 77", NULL, 0);
}

static void a_command_that_is_not_there(void **state)
{
	(void)state;
	const char *const nowhere[] = { "/nonexistent/program", NULL }, *const folder[] = { "/tmp", NULL };
	struct child_command commands[] = { { .argv = nowhere }, { .argv = folder } };
	static const int status[] = { 127, 126 };
	for (int i = 0; i < 2; i++) {
		struct seen seen = { .most = 1 };
		assert_non_null(child_start(loop, child_exec, &commands[i], nothing, done, &seen, NULL));
		assert_int_equal(loop_run(loop, NULL), 0);
		assert_int_equal(WEXITSTATUS(seen.status), status[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ending_ends_the_whole_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_left_behind_can_be_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_process_left_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_command_has_its_environment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_command_has_the_limit_of_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_command_that_is_not_there, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
