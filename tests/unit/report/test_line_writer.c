/* Lines before a reader that is slow, late or gone; passwords and arguments as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/url.h"
#include "base/sys.h"
#include "cli/args.h"
#include "report/line_writer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char got[1 << 20];

static size_t read_some(int fd)
{
	size_t n = 0;
	ssize_t part;
	while (n < sizeof got - 1 && (part = read(fd, got + n, sizeof got - 1 - n)) > 0)
		n += (size_t)part;
	got[n] = '\0';
	return n;
}

static unsigned long put(struct line_writer *s, unsigned long from, unsigned long n)
{
	unsigned long taken = 0;
	for (unsigned long i = from; i < from + n; i++) {
		char line[1024];
		int len = snprintf(line, sizeof line, "%lu %900s\n", i, "");
		if (!line_writer_takes(s))
			continue;
		line_writer_put(s, line, (size_t)len);
		taken++;
	}
	return taken;
}

static void pipes(int fd[2])
{
	assert_int_equal(pipe(fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
}

/* Whole lines, in order, then counted, and room for the last one in spite of all. */
static void nobody_reads(void **state)
{
	(void)state;
	int fd[2];
	pipes(fd);
	struct line_writer *s = line_writer_open(fd[1], NULL);
	unsigned long taken = put(s, 0, 2000), missed = line_writer_missed(s);
	assert_in_range(taken, 270, 1000);
	assert_int_equal(taken + missed, 2000);
	assert_int_equal(line_writer_missed(s), 0);
	assert_false(line_writer_takes(s));
	line_writer_put(s, "last\n", 5);
	int64_t begun_ms = line_writer_clock_ms();
	line_writer_flush(s, begun_ms + 50); /* no reader comes */
	assert_in_range(line_writer_clock_ms() - begun_ms, 45, 5000);
	unsigned long lines = 0;
	bool last = false;
	while (read_some(fd[0]) > 0) {
		for (char *line = strtok(got, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			assert_false(last);
			last = strcmp(line, "last") == 0;
			if (!last)
				assert_int_equal(strtoul(line, NULL, 10), lines++);
		}
		line_writer_flush(s, 0);
	}
	assert_true(last);
	assert_int_equal(lines, taken);
	line_writer_close(s);
	close(fd[0]);
	close(fd[1]);
}

/* One that reads again is waited for by the loop alone. */
static int reader;
static struct loop *loop;

static void read_late(void *arg)
{
	struct timer *t = arg;
	if (read_some(reader) > 0 && strstr(got, "the end") != NULL)
		loop_stop(loop);
	else
		loop_timer(loop, t, loop_now(loop) + 1);
}

static void the_loop_goes_on(void **state)
{
	(void)state;
	int fd[2];
	pipes(fd);
	reader = fd[0];
	loop = loop_open(&loop_select, NULL);
	struct line_writer *s = line_writer_open(fd[1], NULL);
	struct timer t = { .fn = read_late, .arg = &t };
	line_writer_watch(s, loop);
	assert_int_equal(put(s, 0, 200), 200);
	line_writer_put(s, "the end\n", 8);
	loop_timer(loop, &t, loop_now(loop) + 1);
	assert_int_equal(loop_run(loop, NULL), 0);
	line_writer_watch(s, NULL);
	loop_close(loop);
	line_writer_close(s);
	close(fd[0]);
	close(fd[1]);
}

static void the_reader_leaves(void **state)
{
	(void)state;
	int fd[2];
	signal(SIGPIPE, SIG_IGN);
	pipes(fd);
	struct line_writer *s = line_writer_open(fd[1], NULL);
	close(fd[0]);
	assert_int_equal(line_writer_error(s), 0);
	line_writer_put(s, "x\n", 2);
	assert_int_equal(line_writer_error(s), EPIPE);
	assert_false(line_writer_takes(s));
	line_writer_flush(s, line_writer_clock_ms() + 10000); /* not waited for */
	line_writer_close(s);
	close(fd[1]);
}

static void files(void **state)
{
	(void)state;
	char folder[] = "/tmp/sinkXXXXXX", path[64], other[64];
	struct err e = { 0 };
	struct stat st;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/events", folder);
	snprintf(other, sizeof other, "%s/link", folder);
	for (int i = 0; i < 2; i++) { /* the second time it is emptied */
		struct line_writer *s = line_writer_named(path, &e);
		assert_non_null(s);
		line_writer_put(s, "one\n", 4);
		line_writer_put(s, "two\n", 4);
		line_writer_close(s);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, 8);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(symlink(path, other), 0);
	const char *const bad[] = { other, folder, "/nonexistent/events", "", "fd:", "fd:0", "fd:x", "fd:-1", "fd:9999",
		"/dev/fd/9999" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		e.cls = ERR_OK;
		assert_null(line_writer_named(bad[i], &e));
		assert_int_equal(e.cls, ERR_USAGE);
		assert_non_null(strstr(e.what, "--events"));
	}
	unlink(path);
	unlink(other);
	rmdir(folder);
}

static void descriptors(void **state)
{
	(void)state;
	int fd[2];
	char name[32];
	struct err e = { 0 };
	pipes(fd);
	snprintf(name, sizeof name, "fd:%d", fd[0]);
	assert_null(line_writer_named(name, &e));
	assert_non_null(strstr(e.what, "reading only"));
	snprintf(name, sizeof name, "fd:%d", fd[1]);
	struct line_writer *s = line_writer_named(name, &e);
	assert_non_null(s);
	assert_false(line_writer_is_stdout(s));
	line_writer_put(s, "x\n", 2);
	assert_int_equal(read_some(fd[0]), 2);
	line_writer_close(s);
	assert_int_equal(read(fd[0], got, 1), 0); /* it was ours alone */
	close(fd[0]);
}

static void hidden(const char *text, const char *want)
{
	char out[128];
	assert_int_equal(redact_text(out, sizeof out, text, strlen(text)), strlen(want));
	assert_string_equal(out, want);
}

static void passwords(void **state)
{
	(void)state;
	char out[12];
	hidden("tcp://h:80", "tcp://h:80");
	hidden("http://u@h", "http://u@h");
	hidden("http://u:p@h", "http://u:***@h");
	hidden("http://u:@h", "http://u:***@h");
	hidden("http://u:a@b:c/d@h:1/x y@z", "http://u:***@h:1/x y@z");
	hidden("\"http://u:p@h\" and 'ftp://a:b@c'", "\"http://u:***@h\" and 'ftp://a:***@c'");
	hidden("address \"x://u:p q@h\": no, ask me@y", "address \"x://u:***@h\": no, ask me@y");
	hidden("'x://u:it\"s@h' x://u:a b@h", "'x://u:***@h' x://u:a b@h");
	hidden("://", "://");
	hidden("://:@", "://:***@");
	hidden("a://b://c:d@e", "a://b:***@e");
	hidden("", "");
	assert_int_equal(redact_text(out, sizeof out, "http://u:p@host", 15), 11);
	assert_string_equal(out, "http://u:**");
	assert_int_equal(redact_word(out, sizeof out, "x://u:p q@h"), 11);
	assert_string_equal(out, "x://u:***@h");
}

static void arguments(void **state)
{
	(void)state;
	char *argv[] = { "-v", "", "it's", "a b", "--x=http://u:p 1@h", "[::1]:80" }, out[128];
	args_text(out, sizeof out, 6, argv);
	assert_string_equal(out, "-v '' 'it'\\''s' 'a b' '--x=http://u:***@h' '[::1]:80'");
	args_text(out, 6, 6, argv);
	assert_string_equal(out, "-v ''");
	args_text(out, sizeof out, 0, argv);
	assert_string_equal(out, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(the_loop_goes_on),
		cmocka_unit_test(the_reader_leaves),
		cmocka_unit_test(files),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(passwords),
		cmocka_unit_test(arguments),
	};
	return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
