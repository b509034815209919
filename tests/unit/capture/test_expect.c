/* Expectations: for each way to say what is expected, what comes, however it is cut, and the verdict word for word. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "capture/expect.h"
#include "tests/unit/double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static char folder[64], file[96];

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

enum { TEXT = 1, IN_FILE = 2, BOTH = 3, BYTES = 4, SUM = 8 };

struct row {
	unsigned how;
	const char *want;
	size_t size;		   /* BYTES */
	const char *got, *verdict; /* NULL: as expected */
};

static const struct row rows[] = {
	{ BOTH, "", 0, "", NULL },
	{ BOTH, "abc", 0, "abc", NULL },
	{ BOTH, "hola\npues adios", 0, "hola\nbues adios", "byte 5: got 62 (\"bues…\"), want 70 (\"pues…\")" },
	{ BOTH, "abc", 0, "abd", "byte 2: got 64 (\"d\"), want 63 (\"c\")" },
	{ BOTH, "abc", 0, "ab", "ended after 2 bytes, want 3" },
	{ BOTH, "abc", 0, "a", "ended after 1 byte, want 3" },
	{ BOTH, "abc", 0, "", "ended after 0 bytes, want 3" },
	{ BOTH, "abc", 0, "abc!", "byte 3: got 21 (\"!\"), want the end" },
	{ BOTH, "", 0, "x", "byte 0: got 78 (\"x\"), want the end" },
	{ BOTH, "x\x01y", 0, "x\x1by", "byte 1: got 1b (\"\\x1by\"), want 01 (\"\\x01y\")" },
	{ BOTH, "peso", 0, "pes€tas", "byte 3: got e2 (\"€t…\"), want 6f (\"o\")" },
	{ BYTES, NULL, 3, "abc", NULL },
	{ BYTES, NULL, 0, "", NULL },
	{ BYTES, NULL, 4, "abc", "ended after 3 bytes, want 4" },
	{ BYTES, NULL, 2, "abc", "got more than 2 bytes" },
	{ SUM, ABC, 0, "abc", NULL },
	{ SUM, ABC, 0, "abd",
		"SHA-256 of 3 bytes: got a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9, want " ABC },
	{ SUM | BYTES, ABC, 3, "abc", NULL },
	{ SUM | BYTES, ABC, 4, "abc", "ended after 3 bytes, want 4" },
};

static void write_file(const char *bytes, size_t n)
{
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static struct conf *conf_of(const struct row *row, unsigned how)
{
	static const struct opt_group *const groups[] = { &expect_opts, NULL };
	static const struct command command = { .name = "test", .groups = groups };
	static const struct command *const commands[] = { &command, NULL };
	static const char *const names[] = {
		[TEXT] = "expect", [IN_FILE] = "expect-file", [BYTES] = "expect-bytes", [SUM] = "expect-sha256"
	};
	struct conf *conf = conf_new(commands, &command, NULL);
	char size[32];
	snprintf(size, sizeof size, "%zu", row->size);
	if (how == IN_FILE)
		write_file(row->want, strlen(row->want));
	for (unsigned way = TEXT; way <= SUM; way <<= 1) {
		const struct opt *opt = expect_opts.rows;
		if (!(how & way))
			continue;
		while (strcmp(opt->name, names[way]) != 0)
			opt++;
		assert_int_equal(conf_set(conf, &expect_opts, opt,
					 way == IN_FILE ? file
					 : way == BYTES ? size
							: row->want,
					 NULL),
			0);
	}
	assert_int_equal(conf_check(conf, NULL), 0);
	return conf;
}

/* Reads all that comes, at most `step` bytes a time; an end that differs is not read to its end. */
static void assert_verdict(const struct row *row, unsigned how, size_t step, unsigned caps)
{
	struct conf *conf = conf_of(row, how);
	struct expect x;
	struct double_stream d;
	struct err e = { 0 };
	const struct act says[] = {
		{ .kind = strlen(row->got) == 0 ? ACT_EMPTY : ACT_SAY, .text = row->got, .n = strlen(row->got) },
		{ .kind = ACT_END }, { 0 }
	};
	char buf[64], got[64];
	size_t len = 0;
	ssize_t n;
	assert_true(expect_wanted(conf_get(conf, &expect_opts)));
	assert_int_equal(expect_open(&x, conf_get(conf, &expect_opts), &e), 0);
	double_open(&d, loop, caps, says + (says[0].kind == ACT_EMPTY && !(caps & ST_DGRAM)), NULL);
	struct stream *s = &d.s;
	assert_int_equal(expect_push(&s, &x), 0);
	while ((n = stream_read(s, buf, caps & ST_DGRAM ? sizeof buf : step)) > 0 || n == ST_EMPTY) {
		memcpy(got + len, buf, n > 0 ? (size_t)n : 0);
		len += n > 0 ? (size_t)n : 0;
	}
	assert_memory_equal(got, row->got, len); /* all that was looked at was handed on */
	int rc = stream_verdict(s, &e);
	if (row->verdict == NULL) {
		assert_int_equal(rc, 0);
		assert_int_equal(len, strlen(row->got));
	} else {
		assert_int_equal(rc, -1);
		assert_int_equal(e.cls, ERR_MISMATCH);
		if (step > sizeof buf / 2) /* a sample shows what came in one piece */
			assert_string_equal(e.what, row->verdict);
		else
			assert_memory_equal(e.what, row->verdict, 8);
	}
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
	expect_close(&x);
	conf_free(conf);
}

static void verdicts(void **state)
{
	static const size_t steps[] = { 64, 7, 2, 1 };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++)
			for (unsigned part = rows[i].how == BOTH ? TEXT : rows[i].how; part != 0;
				part = rows[i].how == BOTH && part == TEXT ? IN_FILE : 0) {
				assert_verdict(&rows[i], part, steps[k], 0);
				assert_verdict(&rows[i], part, 64, ST_DGRAM);
			}
}

static void escapes_are_bytes(void **state)
{
	static const struct row row = { TEXT, "a\\x00\\n\\\\", 0, "a", "ended after 1 byte, want 4" };
	(void)state;
	assert_verdict(&row, TEXT, 64, 0);
}

static void a_difference_ends_reading(void **state)
{
	static const struct row row = { TEXT, "ab", 0, "", NULL };
	static const struct act says[] = { SAY("aX"), SAY("more"), END, { 0 } };
	struct conf *conf = conf_of(&row, TEXT);
	struct expect x;
	struct double_stream d;
	struct err e = { 0 };
	char buf[8];
	(void)state;
	assert_int_equal(expect_open(&x, conf_get(conf, &expect_opts), &e), 0);
	double_open(&d, loop, 0, says, NULL);
	struct stream *s = &d.s;
	assert_int_equal(expect_push(&s, &x), 0);
	assert_int_equal(stream_read(s, buf, sizeof buf), 2);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_MISMATCH);
	assert_int_equal(stream_write(s, "x", 1), 1); /* what we send is not compared */
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
	expect_close(&x);
	conf_free(conf);
}

static int no_reading;
static int fail_reads(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_READ ? no_reading : 0;
}

static void a_file_that_cannot_be_read_proves_nothing(void **state)
{
	static const struct row row = { IN_FILE, "abc", 0, "", NULL };
	static const struct act says[] = { SAY("abc"), END, { 0 } };
	struct conf *conf = conf_of(&row, IN_FILE);
	struct expect x;
	struct double_stream d;
	struct err e = { 0 };
	char buf[8];
	(void)state;
	assert_int_equal(expect_open(&x, conf_get(conf, &expect_opts), &e), 0);
	double_open(&d, loop, 0, says, NULL);
	struct stream *s = &d.s;
	assert_int_equal(expect_push(&s, &x), 0);
	no_reading = EIO;
	sys_gate = fail_reads;
	assert_int_equal(stream_read(s, buf, sizeof buf), 3);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_FAIL);
	sys_gate = NULL;
	assert_int_equal(s->why.cls, ERR_LOCAL);
	assert_int_equal(stream_verdict(s, &e), -1);
	assert_int_equal(e.cls, ERR_LOCAL);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
	expect_close(&x);
	conf_free(conf);
}

/* Two pieces of 16 KiB, and what follows them: the place is right across pieces. */
static void long_files_are_compared_piece_by_piece(void **state)
{
	enum { N = 40000, AT = 33000 };
	static char bytes[N];
	static const struct row row = { IN_FILE, "", 0, "", NULL };
	static const struct act says[] = { SAY_N(N), END, { 0 } };
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		struct conf *conf = conf_of(&row, IN_FILE);
		struct expect x;
		struct double_stream d;
		struct err e = { 0 };
		static char buf[N];
		for (size_t i = 0; i < N; i++)
			bytes[i] = (char)double_pattern(i);
		bytes[AT] = (char)(bytes[AT] ^ turn);
		write_file(bytes, N);
		assert_int_equal(expect_open(&x, conf_get(conf, &expect_opts), &e), 0);
		double_open(&d, loop, 0, says, NULL);
		struct stream *s = &d.s;
		assert_int_equal(expect_push(&s, &x), 0);
		while (stream_read(s, buf, sizeof buf) > 0)
			;
		assert_int_equal(stream_verdict(s, &e), -turn);
		if (turn == 1)
			assert_memory_equal(e.what, "byte 33000: got ", 16);
		stream_close(s, CLOSE_PLAIN);
		double_close(&d);
		expect_close(&x);
		conf_free(conf);
	}
}

static int set_up(void **state)
{
	struct err e;
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_expect.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(file, sizeof file, "%s/want", folder);
	loop = loop_open(&loop_sim, &e);
	return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_close(loop);
	unlink(file);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(escapes_are_bytes),
		cmocka_unit_test(a_difference_ends_reading),
		cmocka_unit_test(a_file_that_cannot_be_read_proves_nothing),
		cmocka_unit_test(long_files_are_compared_piece_by_piece),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
