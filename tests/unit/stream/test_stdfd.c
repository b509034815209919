/* stdin and stdout as others see them: a program that shares their descriptions finds the flags as they were, and a reader of
 * our stdout sees its end when we close it. Everything happens in child processes, whose descriptors 0-2 are ours. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "stream/stdfd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* In a child: which line found it wrong is its exit status. */
#define CHECK(holds)                                                                                                             \
	do                                                                                                                       \
		if (!(holds))                                                                                                    \
			_exit(__LINE__ % 199 + 1);                                                                               \
	while (0)

static int shared[2]; /* a pipe that the child shares with us; ours to look at */

static pid_t start(void (*child)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		child();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static int finish(pid_t pid)
{
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void run_child(void (*child)(void))
{
	int status = finish(start(child));
	if (status != 0)
		fail_msg("the child ended with status %#x, line %% 199 is %d", (unsigned)status, WEXITSTATUS(status) - 1);
}

static bool nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void put_at(int fd, int at)
{
	CHECK(dup2(fd, at) == at);
}

/* A pipe */

static void use_shared_pipe(void)
{
	char c;
	put_at(shared[0], 0);
	put_at(shared[1], 1);
	struct stream *s = stdfd_stream(true, true, NULL);
	CHECK(s != NULL && s->rfd == 0 && s->wfd == 1 && !(s->caps & ST_TTY));
	CHECK(nonblocking(0) && nonblocking(1));
	CHECK(!nonblocking(shared[0]) && !nonblocking(shared[1]));
	CHECK(stream_read(s, &c, 1) == ST_AGAIN);
	CHECK(stream_write(s, "x", 1) == 1);
	CHECK(stream_read(s, &c, 1) == 1 && c == 'x');
	CHECK(stdfd_ready(0, NULL) == 0); /* twice is once */
	stream_close(s, CLOSE_PLAIN);
	CHECK(fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0); /* 0-2 are never given away */
}

static void test_shared_pipe_keeps_its_flags(void **state)
{
	(void)state;
	assert_int_equal(pipe(shared), 0);
	int before[2] = { fcntl(shared[0], F_GETFL), fcntl(shared[1], F_GETFL) };
	run_child(use_shared_pipe);
	assert_int_equal(fcntl(shared[0], F_GETFL), before[0]);
	assert_int_equal(fcntl(shared[1], F_GETFL), before[1]);
	close(shared[0]);
	close(shared[1]);
}

/* What the child does after that is to live on: the end must come all the same. */
static void close_stdout_and_stay(void)
{
	put_at(shared[1], 1);
	close(shared[1]);
	struct stream *s = stdfd_stream(false, true, NULL);
	CHECK(s != NULL && stream_write(s, "x", 1) == 1);
	CHECK(stream_shut(s) == 0 && s->wfd == -1);
	CHECK(fcntl(1, F_GETFD) >= 0 && write(1, "y", 1) < 0 && errno == EBADF);
	pause();
}

static void test_closing_stdout_is_its_readers_end(void **state)
{
	(void)state;
	char buf[4];
	assert_int_equal(pipe(shared), 0);
	pid_t pid = start(close_stdout_and_stay);
	close(shared[1]);
	assert_int_equal(read(shared[0], buf, sizeof buf), 1);
	assert_int_equal(read(shared[0], buf, sizeof buf), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	finish(pid);
	close(shared[0]);
}

static void lose_the_reader(void)
{
	signal(SIGPIPE, SIG_IGN);
	CHECK(pipe(shared) == 0);
	put_at(shared[1], 1);
	close(shared[1]);
	close(shared[0]); /* before we begin: the pipe cannot even be opened again */
	struct stream *s = stdfd_stream(false, true, NULL);
	CHECK(s != NULL && stream_write(s, "x", 1) == ST_FAIL);
	CHECK(s->why.cls == ERR_PIPE && s->why.sys == EPIPE && strcmp(s->why.text, "write stdout") == 0);
}

static void test_reader_that_left(void **state)
{
	(void)state;
	run_child(lose_the_reader);
}

/* What a child gets is the same pipe, and blocks; ours goes on as it was. */
static void lend_pipe(void)
{
	char c;
	put_at(shared[1], 1);
	CHECK(stdfd_ready(1, NULL) == 0);
	int fd = stdfd_lend(1);
	CHECK(fd > 2 && !nonblocking(fd) && nonblocking(1) && !nonblocking(shared[1]));
	CHECK(write(fd, "x", 1) == 1 && read(shared[0], &c, 1) == 1 && c == 'x');
	close(shared[0]);
	fd = stdfd_lend(1);
	CHECK(fd > 2);
	CHECK(stdfd_lend(0) > 2); /* never made ready: as it is */
}

static void test_lending(void **state)
{
	(void)state;
	assert_int_equal(pipe(shared), 0);
	run_child(lend_pipe);
	close(shared[0]);
	close(shared[1]);
}

/* Other kinds */

static void use_terminal(void)
{
	char buf[8];
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	put_at(slave, 0);
	put_at(slave, 1);
	struct stream *s = stdfd_stream(true, true, NULL);
	CHECK(s != NULL && (s->caps & ST_TTY));
	CHECK(!nonblocking(slave) && !nonblocking(master));
	CHECK(stream_read(s, buf, sizeof buf) == ST_AGAIN);
	CHECK(write(master, "line\n", 5) == 5);
	CHECK(stream_read(s, buf, sizeof buf) == 5 && memcmp(buf, "line\n", 5) == 0);
	CHECK(write(master, "\4", 1) == 1 && stream_read(s, buf, sizeof buf) == 0); /* ^D */
	CHECK(isatty(0) && isatty(1));
}

static void test_terminal(void **state)
{
	(void)state;
	run_child(use_terminal);
}

static void use_regular_file(void)
{
	char path[] = "/tmp/test_stdfd.XXXXXX", buf[8];
	int fd = mkstemp(path);
	CHECK(fd >= 0 && unlink(path) == 0 && write(fd, "abc", 3) == 3 && lseek(fd, 1, SEEK_SET) == 1);
	put_at(fd, 0);
	put_at(fd, 1);
	struct stream *s = stdfd_stream(true, true, NULL);
	CHECK(s != NULL && !nonblocking(0) && !nonblocking(fd));
	CHECK(stream_read(s, buf, sizeof buf) == 2 && buf[0] == 'b'); /* from where the shell had left it */
	CHECK(stream_write(s, "d", 1) == 1);
	CHECK(lseek(fd, 0, SEEK_CUR) == 4); /* and the shell goes on from where we leave it */
}

static void test_regular_file(void **state)
{
	(void)state;
	run_child(use_regular_file);
}

static void use_socket(void)
{
	int fd[2];
	char c;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	put_at(fd[0], 0);
	put_at(fd[0], 1);
	struct stream *s = stdfd_stream(true, true, NULL);
	CHECK(s != NULL && !nonblocking(0));
	CHECK(stream_read(s, &c, 1) == ST_AGAIN);
	CHECK(stream_shut(s) == 0);
	CHECK(read(fd[1], &c, 1) == 0); /* though others hold the same socket */
	CHECK(write(fd[1], "x", 1) == 1 && stream_read(s, &c, 1) == 1);
}

static void test_socket(void **state)
{
	(void)state;
	run_child(use_socket);
}

static void use_named_pipe(void)
{
	char path[] = "/tmp/test_stdfd.XXXXXX", buf[8];
	int fd = mkstemp(path);
	CHECK(fd >= 0 && unlink(path) == 0 && mkfifo(path, 0600) == 0);
	int r = open(path, O_RDONLY | O_NONBLOCK), w = open(path, O_WRONLY | O_APPEND);
	CHECK(unlink(path) == 0 && r >= 0 && w >= 0);
	put_at(w, 1);
	struct stream *s = stdfd_stream(false, true, NULL);
	CHECK(s != NULL && nonblocking(1) && (fcntl(1, F_GETFL) & O_APPEND) && !nonblocking(w));
	CHECK(stream_write(s, "x", 1) == 1 && read(r, buf, sizeof buf) == 1);
}

static void test_named_pipe_without_its_name(void **state)
{
	(void)state;
	run_child(use_named_pipe);
}

static void use_one_side(void)
{
	char c;
	struct err e = { 0 };
	CHECK(pipe(shared) == 0);
	put_at(shared[0], 0);
	put_at(shared[1], 1);
	int flags = fcntl(1, F_GETFL);
	struct stream *s = stdfd_stream(true, false, NULL);
	CHECK(s != NULL && stream_write(s, "x", 1) == ST_FAIL && s->why.sys == EBADF);
	CHECK(stream_shut(s) == 0 && fcntl(1, F_GETFL) == flags); /* the other side is left alone */
	s = stdfd_stream(false, true, NULL);
	CHECK(s != NULL && stream_read(s, &c, 1) == 0);
	close(2);
	CHECK(stdfd_ready(2, &e) == -1 && e.cls == ERR_LOCAL && e.sys == EBADF);
}

static void test_one_side(void **state)
{
	(void)state;
	run_child(use_one_side);
}

/* Closed when we begin */

static void guard_closed(void)
{
	char c;
	close(0);
	close(1);
	close(2);
	stdfd_guard();
	CHECK(open("/dev/null", O_RDONLY) == 3);
	CHECK(read(0, &c, 1) == 0);
	CHECK(write(2, "x", 1) == 1);
	struct stream *s = stdfd_stream(true, true, NULL);
	CHECK(s != NULL && stream_read(s, &c, 1) == 0);
	CHECK(stream_write(s, "x", 1) == ST_FAIL && s->why.cls == ERR_LOCAL && s->why.sys == EBADF);
}

static void guard_open(void)
{
	CHECK(pipe(shared) == 0);
	put_at(shared[0], 0);
	close(1);
	stdfd_guard();
	CHECK(write(shared[1], "x", 1) == 1);
	char c;
	CHECK(read(0, &c, 1) == 1); /* what was open is left as it is */
	CHECK(write(1, "x", 1) < 0);
}

static void test_closed_at_start(void **state)
{
	(void)state;
	run_child(guard_closed);
	run_child(guard_open);
}

/* Where opening again is refused, the flag is borrowed, and given back at every way out. */

static int no_open(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_OPEN ? EACCES : 0;
}

static void borrow(void)
{
	setpgid(0, 0); /* a group with a parent outside can be stopped */
	put_at(shared[0], 0);
	sys_gate = no_open;
	CHECK(stdfd_ready(0, NULL) == 0);
	CHECK(nonblocking(shared[0]));
}

static void borrow_and_restore(void)
{
	borrow();
	stdfd_restore();
	CHECK(!nonblocking(shared[0]));
	stdfd_restore();
	CHECK(!nonblocking(shared[0]));
}

static void borrow_and_stop(void)
{
	borrow();
	raise(SIGTSTP);
	CHECK(nonblocking(shared[0])); /* taken again when we go on */
	raise(SIGTSTP);		       /* and again */
	CHECK(nonblocking(shared[0]));
	abort();
}

static void test_borrowed_flag(void **state)
{
	(void)state;
	int status;
	assert_int_equal(pipe(shared), 0);
	run_child(borrow_and_restore);
	assert_false(nonblocking(shared[0]));
	pid_t pid = start(borrow_and_stop);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		assert_true(WIFSTOPPED(status));
		assert_int_equal(WSTOPSIG(status), SIGTSTP);
		assert_false(nonblocking(shared[0])); /* the shell has its terminal as it was */
		kill(pid, SIGCONT);
	}
	status = finish(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(nonblocking(shared[0]));
	close(shared[0]);
	close(shared[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_pipe_keeps_its_flags),
		cmocka_unit_test(test_closing_stdout_is_its_readers_end),
		cmocka_unit_test(test_reader_that_left),
		cmocka_unit_test(test_lending),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_regular_file),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_named_pipe_without_its_name),
		cmocka_unit_test(test_one_side),
		cmocka_unit_test(test_closed_at_start),
		cmocka_unit_test(test_borrowed_flag),
	};
	return cmocka_run_group_tests_name("stdfd", tests, NULL, NULL);
}
