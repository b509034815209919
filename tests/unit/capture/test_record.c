/* Records: the script as it is written, and that the parser of talk reads out of it what passed, whatever that was. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "double.h"
#include "capture/record.h"
#include "script/talk_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECES = 40, PIECE_MOST = 1500 };

static struct loop *loop;
static char folder[64], file[96];
static char text[1 << 20];

static void broke(void *arg, const struct err *e)
{
	(void)arg;
	fail_msg("%s", e->what);
}

static void open_record(struct record *r)
{
	*r = (struct record){ 0 };
	assert_int_equal(output_file_open(&r->file, file, broke, NULL, NULL), 0);
}

static struct stream *recorded(struct double_stream *d, struct record *r, uint32_t conn)
{
	struct stream *top = &d->s;
	assert_int_equal(record_push(&top, r, false, conn, "there to here", loop), 0);
	assert_ptr_not_equal(top, &d->s);
	return top;
}

/* The double is on the stack and has its own close. */
static void unrecord(struct stream *top, struct double_stream *d, enum close_how how)
{
	stream_close(top, how);
	double_close(d);
}

/* What stands in the file, without the comments that begin with a number (they have the time). */
static const char *read_file(void)
{
	char line[4096];
	FILE *f = fopen(file, "r");
	size_t n = 0;
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "# 1: ", 5) != 0 && strncmp(line, "# 2: ", 5) != 0)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s", line);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void pass_ms(int64_t ms)
{
	struct timer t = { .fn = (void (*)(void *))loop_stop, .arg = loop };
	loop_timer(loop, &t, loop_now(loop) + ms);
	assert_int_equal(loop_run(loop, NULL), 0);
}

static void a_conversation(void **state)
{
	static const struct act says[] = { SAY("HELO\r\n"), SAY("QUIT\r\n"), END, { 0 } };
	struct double_stream d;
	struct record r;
	char buf[16];
	(void)state;
	open_record(&r);
	double_open(&d, loop, 0, says, NULL);
	struct stream *s = recorded(&d, &r, 1);
	assert_int_equal(stream_write(s, "220 \"hi\" $1\\\n", 13), 13);
	pass_ms(50);
	assert_int_equal(stream_read(s, buf, sizeof buf), 6);
	pass_ms(51);
	assert_int_equal(stream_read(s, buf, sizeof buf), 6);
	assert_int_equal(stream_write(s, "bye", 3), 3);
	assert_int_equal(stream_read(s, buf, sizeof buf), 0);
	assert_int_equal(stream_shut(s), 0);
	pass_ms(2000); /* lingering */
	unrecord(s, &d, CLOSE_PLAIN);
	assert_string_equal(read_file(), "frame raw\n"
					 "send   \"220 \\\"hi\\\" \\$1\\\\\\n\"\n"
					 "expect \"HELO\\r\\n\"\n"
					 "wait 51ms\n"
					 "expect \"QUIT\\r\\n\"\n"
					 "send   \"bye\"\n"
					 "# the peer's end\n"
					 "close\n");
	output_file_close(&r.file);
}

static void our_end_comes_first(void **state)
{
	static const struct act says[] = { SAY("last words"), END, { 0 } };
	struct double_stream d;
	struct record r;
	char buf[16];
	(void)state;
	open_record(&r);
	double_open(&d, loop, 0, says, NULL);
	struct stream *s = recorded(&d, &r, 1);
	assert_int_equal(stream_write(s, "x", 1), 1);
	assert_int_equal(stream_shut(s), 0);
	pass_ms(60);
	assert_int_equal(stream_read(s, buf, sizeof buf), 10);
	assert_int_equal(stream_read(s, buf, sizeof buf), 0);
	unrecord(s, &d, CLOSE_PLAIN);
	assert_string_equal(
		read_file(), "frame raw\nsend   \"x\"\nshut\nwait 60ms\nexpect \"last words\"\n# the peer's end\nclose\n");
	output_file_close(&r.file);
}

static void resets(void **state)
{
	static const struct act says[] = { SAY("x"), FAIL(ERR_LOST), { 0 } };
	char buf[16];
	(void)state;
	for (int ours = 0; ours < 2; ours++) {
		struct double_stream d;
		struct record r;
		open_record(&r);
		double_open(&d, loop, 0, says, NULL);
		struct stream *s = recorded(&d, &r, 1);
		assert_int_equal(stream_read(s, buf, sizeof buf), 1);
		if (!ours)
			assert_int_equal(stream_read(s, buf, sizeof buf), ST_FAIL);
		unrecord(s, &d, CLOSE_RST);
		assert_string_equal(read_file(), ours ? "frame raw\nexpect \"x\"\nrst\n"
						      : "frame raw\nexpect \"x\"\n# broken: double read: Input/output error\n");
		output_file_close(&r.file);
	}
}

static void connections_have_sections_of_their_own(void **state)
{
	struct double_stream one, two;
	struct record r;
	(void)state;
	open_record(&r);
	double_open(&one, loop, 0, NULL, NULL);
	double_open(&two, loop, 0, NULL, NULL);
	struct stream *a = recorded(&one, &r, 1), *b = recorded(&two, &r, 2);
	assert_int_equal(stream_write(a, "a", 1), 1);
	assert_int_equal(stream_write(b, "b", 1), 1);
	assert_int_equal(stream_write(b, "c", 1), 1);
	unrecord(a, &one, CLOSE_PLAIN);
	unrecord(b, &two, CLOSE_PLAIN);
	assert_string_equal(read_file(), "frame raw\nconn 2\nconn *\nsend   \"a\"\nconn 2\nsend   \"b\"\nsend   \"c\"\n"
					 "conn *\nclose\nconn 2\nclose\n");
	output_file_close(&r.file);
}

static void datagrams_stay_apart(void **state)
{
	static const struct act says[] = { EMPTY, SAY("one"), { 0 } };
	struct double_stream d;
	struct record r;
	char buf[16];
	(void)state;
	open_record(&r);
	double_open(&d, loop, ST_DGRAM, says, NULL);
	struct stream *s = recorded(&d, &r, 1);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_EMPTY);
	assert_int_equal(stream_read(s, buf, sizeof buf), 3);
	assert_int_equal(stream_write(s, "", 0), 0);
	unrecord(s, &d, CLOSE_PLAIN);
	assert_string_equal(read_file(), "frame raw\nexpect \"\"\nexpect \"one\"\nsend   \"\"\nclose\n");
	output_file_close(&r.file);
}

static void lines_are_of_readable_length(void **state)
{
	struct double_stream d;
	struct record r;
	char data[3000];
	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i < 1000 ? 'a' + i % 26 : i < 2000 ? i % 256 : i % 2 ? 0xc3 : 0xb1);
	open_record(&r);
	double_open(&d, loop, 0, NULL, NULL);
	struct stream *s = recorded(&d, &r, 1);
	assert_int_equal(stream_write(s, data, sizeof data), sizeof data);
	unrecord(s, &d, CLOSE_PLAIN);
	size_t lines = 0;
	for (const char *p = read_file(), *lf; *p != '\0'; p = lf + 1, lines++) {
		lf = strchr(p, '\n');
		assert_non_null(lf);
		if (lf - p > 310)
			fail_msg("line %zu has %d bytes", lines, (int)(lf - p));
	}
	assert_in_range(lines, 60, 140);
	output_file_close(&r.file);
}

/* --- there and back --- */

struct piece {
	bool in;
	size_t n;
	unsigned char bytes[PIECE_MOST];
};

static uint64_t dice = 88172645463325252U;

static uint64_t roll(uint64_t sides)
{
	dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
	return (dice >> 11) % sides;
}

/* Text, text with odd signs, bytes of any kind, UTF-8 that is cut anywhere. */
static void make_up(struct piece *p)
{
	static const unsigned char odd[] = "\"\\$\n\r\t\0\x1b\x7f\xc3\xb1\xe2\x82\xac\xf0\x9f\x98\x80\xff$1\\x41#";
	unsigned kind = (unsigned)roll(4);
	p->in = roll(2);
	p->n = 1 + (size_t)roll(roll(4) == 0 ? PIECE_MOST : 90);
	for (size_t i = 0; i < p->n; i++)
		p->bytes[i] = (unsigned char)(kind == 0 || (kind == 1 && roll(8) > 0) ? ' ' + roll(95)
					      : kind == 3			      ? roll(256)
										      : odd[roll(sizeof odd - 1)]);
}

/* In two halves, to be put together again. */
static void pass_piece(struct stream *s, struct double_stream *d, const struct piece *p)
{
	static unsigned char buf[PIECE_MOST + 1];
	size_t half = p->n / 2;
	if (p->in) {
		const struct act says[] = { { .kind = ACT_SAY, .text = (const char *)p->bytes, .n = p->n }, { 0 } };
		const struct iovec v[2] = { { buf, half }, { buf + half, p->n - half } };
		d->rd = (struct script){ .at = says };
		assert_int_equal(stream_readv(s, v, 2), (ssize_t)p->n);
		return;
	}
	memcpy(buf, p->bytes, p->n);
	const struct iovec v[2] = { { buf, half }, { buf + half, p->n - half } };
	assert_int_equal(stream_writev(s, v, 2), (ssize_t)p->n);
}

static void check_step(const struct talk_step *step, const struct piece *p)
{
	static unsigned char got[PIECE_MOST + 1];
	assert_non_null(step);
	assert_int_equal(step->verb, p->in ? TALK_EXPECT : TALK_SEND);
	size_t n = p->in ? step->pattern->text.n : (size_t)talk_data_size(&step->data, NULL);
	assert_int_equal(n, p->n);
	if (!p->in)
		talk_data_copy(&step->data, NULL, 0, got, sizeof got);
	assert_memory_equal(p->in ? step->pattern->text.p : got, p->bytes, n);
}

static void whatever_passed_is_read_again(void **state)
{
	static struct piece pieces[PIECES];
	char at_file[sizeof file + 1];
	const char *const source[] = { at_file };
	(void)state;
	snprintf(at_file, sizeof at_file, "@%s", file);
	for (int round = 0; round < 100; round++) {
		struct double_stream d;
		struct record r;
		struct err e = { 0 };
		open_record(&r);
		double_open(&d, loop, 0, NULL, NULL);
		struct stream *s = recorded(&d, &r, 1);
		for (size_t i = 0; i < PIECES; i++) {
			make_up(&pieces[i]);
			pass_piece(s, &d, &pieces[i]);
		}
		unrecord(s, &d, CLOSE_PLAIN);
		output_file_close(&r.file);
		for (int swap = 0; swap < 2; swap++) {
			const struct talk_options options = { .framer = framer_line, .swap = swap };
			struct talk_script *script = talk_parse(source, 1, &options, &e);
			if (script == NULL)
				fail_msg("round %d: %s", round, e.what);
			const struct talk_section *section = talk_section(script, 7);
			assert_int_equal(section->framer.kind, FRAME_RAW);
			const struct talk_step *step = section->steps;
			for (size_t i = 0; i < PIECES; i++, step = step->next) {
				pieces[i].in ^= swap;
				check_step(step, &pieces[i]);
			}
			assert_int_equal(step->verb, TALK_CLOSE);
			assert_null(step->next);
			talk_free(script);
		}
	}
}

static int set_up(void **state)
{
	struct err e;
	(void)state;
	strcpy(folder, "/tmp/sockctl-record-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(file, sizeof file, "%s/r", folder);
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
		cmocka_unit_test(a_conversation),
		cmocka_unit_test(our_end_comes_first),
		cmocka_unit_test(resets),
		cmocka_unit_test(connections_have_sections_of_their_own),
		cmocka_unit_test(datagrams_stay_apart),
		cmocka_unit_test(lines_are_of_readable_length),
		cmocka_unit_test(whatever_passed_is_read_again),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
