/* Transcripts: lines as text2pcap reads them, file names, and what a file does that cannot take more. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hexdump.h"
#include "base/mem.h"
#include "base/sys.h"
#include "stream/observer.h"
#include "capture/transcript.h"
#include "tests/unit/double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct loop *loop;
static char folder[64], file[96];
static char text[1 << 20];

static void lines(void **state)
{
	char out[HEXDUMP_LINE];
	(void)state;
	size_t n = hexdump_line(out, 0, (const unsigned char *)"ab\n", 3);
	assert_int_equal(n, strlen(out));
	assert_string_equal(out, "000000 61 62 0a  |ab.|\n");
	hexdump_line(out, 0x7ff0, (const unsigned char *)"0123456789abcd\xff\x7f", 16);
	assert_string_equal(out, "007ff0 30 31 32 33 34 35 36 37 38 39 61 62 63 64 ff 7f  |0123456789abcd..|\n");
	n = hexdump_line(out, (size_t)-1, (const unsigned char *)"0123456789abcdef", 16);
	assert_int_equal(n, strlen(out));
	hexdump_head(out, true, 1795230040123456);
	assert_string_equal(out, "I 2026-11-21T03:00:40.123456Z\n");
	hexdump_head(out, false, 7);
	assert_string_equal(out, "O 1970-01-01T00:00:00.000007Z\n");
}

static void names(void **state)
{
	static const struct {
		const char *file, *path;
		bool apart;
	} all[] = { { "t", "t", false }, { "t%c.txt", "t4294967295.txt", true }, { "%c/%c", "4294967295/4294967295", true },
		{ "100%%c", "100%c", false }, { "%", "%", false }, { "%d%", "%d%", false }, { "%%%c", "%4294967295", true },
		{ "", "", false } };
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		char *path = transcript_path(all[i].file, UINT32_MAX);
		assert_string_equal(path, all[i].path);
		assert_int_equal(transcript_apart(all[i].file), all[i].apart);
		mem_free(path);
	}
}

static struct err told;
static int tellings;

static void remember(void *arg, const struct err *e)
{
	(void)arg;
	told = *e;
	tellings++;
}

static struct transcript *transcript_at(const char *path)
{
	struct transcript *t = mem_new(sizeof *t);
	assert_int_equal(output_file_open(&t->file, path, remember, NULL, NULL), 0);
	tellings = 0;
	return t;
}

/* The file's text with every time as T. */
static const char *read_file(void)
{
	FILE *f = fopen(file, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f), len = 0;
	fclose(f);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (strncmp(text + i, "20", 2) == 0 && text[i + 4] == '-' && text[i + 10] == 'T') {
			i += strlen("2026-11-21T03:00:40.123456Z") - 1;
			text[len++] = 'T';
		} else {
			text[len++] = text[i];
		}
	}
	text[len] = '\0';
	return text;
}

static void both_ways_and_both_ends(void **state)
{
	static const struct act says[] = { SAY("hola, esto es largo\n"), WAIT(5), END, { 0 } };
	static const struct act takes[] = { TAKE(3), { 0 } };
	struct double_stream d;
	char buf[64];
	struct iovec v[3] = { { "ad", 2 }, { "", 0 }, { "ios", 3 } };
	(void)state;
	double_open(&d, loop, 0, says, takes);
	struct stream *s = &d.s;
	assert_int_equal(transcript_push(&s, transcript_at(file), true, 3, "[::1]:7"), 0);
	assert_int_equal(stream_read(s, buf, sizeof buf), 20);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_AGAIN);
	assert_true(s->rd.wake);
	assert_int_equal(stream_writev(s, v, 3), 3); /* only what was taken has passed */
	assert_int_equal(stream_shut(s), 0);
	assert_int_equal(stream_shut(s), 0);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
	assert_string_equal(read_file(), "# 3 [::1]:7\nI T\n"
					 "000000 68 6f 6c 61 2c 20 65 73 74 6f 20 65 73 20 6c 61  |hola, esto es la|\n"
					 "000010 72 67 6f 0a  |rgo.|\n"
					 "O T\n000000 61 64 69  |adi|\n# O T end of data\n");
	assert_int_equal(tellings, 0);
}

static void connections_take_turns_in_one_file(void **state)
{
	static const struct act says[] = { SAY("a"), EMPTY, SAY("b"), { 0 } };
	struct double_stream d[2];
	struct stream *s[2];
	struct transcript *t = transcript_at(file);
	char buf[64];
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		double_open(&d[i], loop, ST_DGRAM, says, NULL);
		s[i] = &d[i].s;
		assert_int_equal(transcript_push(&s[i], t, false, i + 1, i == 0 ? "eins" : "zwei"), 0);
	}
	assert_int_equal(stream_read(s[0], buf, sizeof buf), 1);
	assert_int_equal(stream_read(s[0], buf, sizeof buf), ST_EMPTY);
	assert_int_equal(stream_read(s[1], buf, sizeof buf), 1);
	assert_int_equal(stream_write(s[1], "", 0), 0);
	assert_int_equal(stream_shut(s[1]), 0);
	assert_int_equal(stream_read(s[0], buf, sizeof buf), 1);
	for (unsigned i = 0; i < 2; i++) {
		stream_close(s[i], CLOSE_PLAIN);
		double_close(&d[i]);
	}
	output_file_close(&t->file);
	mem_free(t);
	assert_string_equal(read_file(), "# 1 eins\nI T\n000000 61  |a|\n# I T empty datagram\n# 2 zwei\nI T\n000000 61  |a|\n"
					 "# O T empty datagram\n# 1 eins\nI T\n000000 62  |b|\n");
}

/* What text2pcap would not take in one is cut, however the pieces lie. */
static void long_pieces_are_cut_at_32_kib(void **state)
{
	enum { N = 70001 };
	static unsigned char bytes[N];
	struct double_stream d;
	struct iovec v[3] = { { bytes, 5 }, { bytes + 5, 32768 }, { bytes + 32773, N - 32773 } };
	(void)state;
	for (size_t i = 0; i < N; i++)
		bytes[i] = double_pattern(i);
	double_open(&d, loop, 0, NULL, NULL);
	struct stream *s = &d.s;
	assert_int_equal(transcript_push(&s, transcript_at(file), true, 1, "x"), 0);
	assert_int_equal(stream_writev(s, v, 3), N);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
	size_t at = 0, heads = 0, off = 0;
	for (const char *p = read_file(); *p != '\0'; p = strchr(p, '\n') + 1) {
		if (p[0] == 'O') {
			assert_true(heads == 0 || off == 32768);
			heads++;
			off = 0;
		} else if (p[0] != '#') {
			assert_int_equal(strtoul(p, NULL, 16), off);
			for (const char *byte = p + 7; byte[0] != ' '; byte += 3, at++, off++)
				assert_int_equal(strtoul(byte, NULL, 16), bytes[at]);
		}
	}
	assert_int_equal(heads, 3);
	assert_int_equal(at, N);
}

static void the_file_is_ours_alone_and_no_link(void **state)
{
	struct output_file f;
	struct stat st;
	struct err e = { 0 };
	char link[128];
	(void)state;
	unlink(file);
	mode_t mask = umask(0);
	assert_int_equal(output_file_open(&f, file, remember, NULL, &e), 0);
	umask(mask);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	output_file_close(&f);
	snprintf(link, sizeof link, "%s.link", file);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(output_file_open(&f, link, remember, NULL, &e), -1);
	assert_int_equal(e.cls, ERR_USAGE);
	assert_non_null(strstr(e.what, "symbolic link"));
	unlink(link);
}

static int writes_left;
static int full_later(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	if (call != SYS_WRITE)
		return 0;
	*most = 7; /* and short */
	return writes_left-- > 0 ? 0 : ENOSPC;
}

static void a_full_disk_is_told_once_and_cuts_back(void **state)
{
	struct output_file f;
	char first[] = "first\n", begun[] = "begun, \n", second[] = "second is longer\n";
	(void)state;
	tellings = 0;
	assert_int_equal(output_file_open(&f, file, remember, NULL, NULL), 0);
	output_file_write(&f, &(struct iovec){ first, 6 }, 1, false);
	output_file_write(&f, &(struct iovec){ begun, 8 }, 1, true); /* of an entry that never becomes whole */
	sys_gate = full_later;
	writes_left = 2;
	struct iovec v[3] = { { "", 0 }, { second, 10 }, { second + 10, 7 } };
	output_file_write(&f, v, 3, false);
	sys_gate = NULL;
	assert_int_equal(tellings, 1);
	assert_int_equal(told.cls, ERR_LOCAL);
	assert_non_null(strstr(told.what, "No space left"));
	output_file_write(&f, &(struct iovec){ first, 6 }, 1, false);
	output_file_close(&f);
	assert_int_equal(tellings, 1);
	assert_string_equal(read_file(), "first\n");
}

static void failures_pass_through(void **state)
{
	static const struct act says[] = { FAIL(ERR_LOST), { 0 } };
	struct double_stream d;
	char buf[8];
	(void)state;
	double_open(&d, loop, 0, says, says);
	struct stream *s = &d.s;
	assert_int_equal(transcript_push(&s, transcript_at(file), true, 1, "x"), 0);
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_LOST);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_LOST);
	stream_close(s, CLOSE_RST);
	double_close(&d);
	assert_string_equal(read_file(), "");
}

static int set_up(void **state)
{
	struct err e;
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_transcript.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(file, sizeof file, "%s/t", folder);
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
		cmocka_unit_test(lines),
		cmocka_unit_test(names),
		cmocka_unit_test(both_ways_and_both_ends),
		cmocka_unit_test(connections_take_turns_in_one_file),
		cmocka_unit_test(long_pieces_are_cut_at_32_kib),
		cmocka_unit_test(the_file_is_ours_alone_and_no_link),
		cmocka_unit_test(a_full_disk_is_told_once_and_cuts_back),
		cmocka_unit_test(failures_pass_through),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
