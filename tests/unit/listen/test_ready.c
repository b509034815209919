/* How a script learns that we listen, and the ways in which that cannot work. */
#include "listening.h"

#include <signal.h>

static void told_in_each_way(void **state)
{
	(void)state;
	char number[8], line[16], got[16];
	int pipe_fd[2];
	struct stat st;
	assert_int_equal(pipe(pipe_fd), 0);
	snprintf(number, sizeof number, "%d", pipe_fd[1]);
	MUST(set(&ready_opts, "port-file", p.path));
	MUST(set(&ready_opts, "ready-fd", number));
	struct ready *r = ready_open(&p.run, true, &p.e);
	assert_non_null(r);
	assert_false(exists());
	struct addr a = parse("127.0.0.1:0");
	MUST(listeners_open(&p.l, &p.run, &a, 1, &p.e));
	MUST(ready_tell(r, &p.l, &a, &p.e));
	size_t len = (size_t)snprintf(line, sizeof line, "%u\n", (unsigned)p.l.port);
	assert_int_equal(read(pipe_fd[0], got, sizeof got), len);
	assert_memory_equal(got, line, len);
	assert_int_equal(read(pipe_fd[0], got, sizeof got), 0); /* closed */
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_mode & 0133, 0);
	assert_int_equal(p.told[EV_PORT], 1);
	assert_int_equal(p.told[EV_LISTEN], 0);
	assert_int_equal(p.told[EV_READY], 1);
	ready_close(r);
	assert_false(exists());
	close(pipe_fd[0]);
}

static void the_line_of_a_path(void **state)
{
	(void)state;
	char number[8], got[100] = "", line[100];
	int pipe_fd[2];
	assert_int_equal(pipe(pipe_fd), 0);
	snprintf(number, sizeof number, "%d", pipe_fd[1]);
	MUST(set(&ready_opts, "ready-fd", number));
	struct ready *r = ready_open(&p.run, true, &p.e);
	assert_non_null(r);
	struct addr a = parse(word_of("unix"));
	MUST(listeners_open(&p.l, &p.run, &a, 1, &p.e));
	MUST(ready_tell(r, &p.l, &a, &p.e));
	snprintf(line, sizeof line, "%s\n", p.path);
	assert_int_equal(read(pipe_fd[0], got, sizeof got - 1), strlen(line));
	assert_string_equal(got, line);
	assert_int_equal(p.told[EV_LISTEN], 1);
	ready_close(r);
	close(pipe_fd[0]);
}

static void refuse_file(const char *path, const char *says)
{
	MUST(set(&ready_opts, "port-file", path));
	assert_null(ready_open(&p.run, false, &p.e));
	assert_int_equal(p.e.cls, ERR_USAGE);
	if (strstr(p.e.what, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", p.e.what, says);
}

static void bad_port_files(void **state)
{
	(void)state;
	refuse_file("/nonexistent/folder/port", "--port-file /nonexistent/folder/port: No such file");
	refuse_file("", "empty");
	refuse_file(p.folder, "not a regular one");
	refuse_file("/dev/null", "not a regular one");
	assert_int_equal(symlink("/nowhere", p.path), 0);
	refuse_file(p.path, "not a regular one");
	unlink(p.path);
}

static void only_our_own_port_file_is_removed(void **state)
{
	(void)state;
	MUST(set(&ready_opts, "port-file", p.path));
	struct ready *r = ready_open(&p.run, false, &p.e);
	assert_non_null(r);
	ready_close(r); /* never told: nothing is left, as rmdir will find */
	r = ready_open(&p.run, false, &p.e);
	assert_non_null(r);
	struct addr a = parse("127.0.0.1:0");
	MUST(listeners_open(&p.l, &p.run, &a, 1, &p.e));
	MUST(ready_tell(r, &p.l, &a, &p.e));
	char other[80];
	snprintf(other, sizeof other, "%s/other", p.folder);
	FILE *f = fopen(other, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(rename(other, p.path), 0); /* a second server with the same --port-file */
	ready_close(r);
	assert_true(exists());
}

static void bad_descriptors(void **state)
{
	(void)state;
	char number[8];
	int fd = open("/dev/null", O_RDONLY), ours = open("/dev/null", O_WRONLY | O_CLOEXEC);
	static const char *const refused[] = { "0", "-1", "x", "" };
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_int_equal(set(&ready_opts, "ready-fd", refused[i]), -1);
	MUST(set(&ready_opts, "ready-fd", "1"));
	assert_null(ready_open(&p.run, true, &p.e));
	assert_non_null(strstr(p.e.what, "stdout"));
	MUST(set(&ready_opts, "ready-fd", "9999"));
	assert_null(ready_open(&p.run, false, &p.e));
	assert_int_equal(p.e.cls, ERR_USAGE);
	snprintf(number, sizeof number, "%d", fd);
	MUST(set(&ready_opts, "ready-fd", number));
	assert_null(ready_open(&p.run, false, &p.e));
	assert_non_null(strstr(p.e.what, "reading only"));
	snprintf(number, sizeof number, "%d", ours);
	MUST(set(&ready_opts, "ready-fd", number));
	assert_null(ready_open(&p.run, false, &p.e));
	assert_int_equal(p.e.sys, EBADF);
	close(fd);
	close(ours);
}

static void failures_to_tell(void **state)
{
	(void)state;
	int pipe_fd[2];
	char number[8];
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(pipe_fd), 0);
	close(pipe_fd[0]);
	snprintf(number, sizeof number, "%d", pipe_fd[1]);
	MUST(set(&ready_opts, "ready-fd", number));
	struct ready *r = ready_open(&p.run, false, &p.e);
	assert_non_null(r);
	struct addr a = parse("127.0.0.1:0");
	MUST(listeners_open(&p.l, &p.run, &a, 1, &p.e));
	assert_int_equal(ready_tell(r, &p.l, &a, &p.e), -1);
	assert_int_equal(p.e.cls, ERR_LOCAL);
	ready_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_in_each_way),
		TEST(the_line_of_a_path),
		TEST(bad_port_files),
		TEST(only_our_own_port_file_is_removed),
		TEST(bad_descriptors),
		TEST(failures_to_tell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
