/* The frame layer between scripted streams: the same lines and frames however the bytes are cut into calls, however little the
 * stream below takes, and whenever it says AGAIN. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec/frame_internal.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct framer framer;

#define BYTES(text) (text), sizeof(text) - 1

static struct stream *framed(struct double_stream *d, const char *spec, bool whole)
{
	struct stream *top = &d->s;
	assert_int_equal(framer_parse(&framer, spec, NULL), 0);
	assert_int_equal(frame_push(&top, &framer, NULL, whole), 0);
	assert_ptr_not_equal(top, &d->s);
	return top;
}

/* The double below is on the stack and has its own close. */
static void unframe(struct stream *top, struct double_stream *d)
{
	struct frame *f = (struct frame *)top;
	f->s.below = NULL;
	stream_close(top, CLOSE_PLAIN);
	assert_null(d->misused);
	double_close(d);
}

static const struct frame *inside(const struct stream *top)
{
	return (const struct frame *)top;
}

/* Frames on the wire, and the lines that they are. */
static const struct row {
	const char *spec, *wire;
	size_t wire_n;
	const char *lines;
	size_t lines_n;
	bool one_way; /* the lines do not make the same wire again */
} rows[] = {
	{ "line", BYTES("hola\n\nque tal\n"), BYTES("hola\n\nque tal\n"), false },
	{ "line", BYTES("hola\r\nque tal"), BYTES("hola\nque tal\n"), true },
	{ "crlf", BYTES("a\rb\r\n\r\nc\r\n"), BYTES("a\rb\n\nc\n"), false },
	{ "crlf", BYTES("a\nb"), BYTES("a\nb\n"), true },
	{ "nul", BYTES("uno\0\0tres\0"), BYTES("uno\n\ntres\n"), false },
	{ "netstring", BYTES("4:hola,0:,12:hola que tal,"), BYTES("hola\n\nhola que tal\n"), false },
	{ "netstring", BYTES("3:a\nb,"), BYTES("a\nb\n"), true },
	{ "fixed=3", BYTES("abc\0\1\2"), BYTES("abc\n\0\1\2\n"), false },
	{ "u8", BYTES("\0\4hola"), BYTES("\nhola\n"), false },
	{ "u8,incl", BYTES("\5hola\1"), BYTES("hola\n\n"), false },
	{ "u16be", BYTES("\0\4hola\0\0"), BYTES("hola\n\n"), false },
	{ "u16le,incl", BYTES("\6\0hola"), BYTES("hola\n"), false },
	{ "u32be", BYTES("\0\0\0\4hola"), BYTES("hola\n"), false },
	{ "u32le", BYTES("\4\0\0\0hola\1\0\0\0x"), BYTES("hola\nx\n"), false },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* Reads to the end, `most` bytes a call in two pieces, one of them empty now and then. */
static size_t read_all(struct stream *s, char *got, size_t cap, size_t most)
{
	size_t n = 0;
	for (;;) {
		const struct iovec v[3] = { { got + n, 0 }, { got + n, most / 2 }, { got + n + most / 2, most - most / 2 } };
		assert_true(n + most <= cap);
		ssize_t put = stream_readv(s, v, 3);
		if (put == 0)
			return n;
		assert_true(put > 0);
		n += (size_t)put;
	}
}

static void frames_are_read_as_lines(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 64 };
	(void)state;
	for (size_t i = 0; i < ROWS * 16; i++) {
		const struct row *r = &rows[i / 16];
		const struct act says[] = { { .kind = ACT_SAY, .text = r->wire, .n = r->wire_n }, END, { 0 } };
		struct double_stream d;
		char got[256];
		double_open(&d, loop, 0, says, NULL);
		d.most = pieces[i % 4] < 64 ? pieces[i % 4] : 0;
		struct stream *s = framed(&d, r->spec, false);
		size_t n = read_all(s, got, sizeof got, pieces[i / 4 % 4]);
		if (n != r->lines_n || memcmp(got, r->lines, n) != 0)
			fail_msg("row %zu: got %zu bytes: %.*s", i / 16, n, (int)n, got);
		assert_null(inside(s)->in.mem);
		unframe(s, &d);
	}
}

static void write_all(struct stream *s, const char *bytes, size_t n, size_t most)
{
	while (n > 0) {
		ssize_t put = stream_write(s, bytes, n < most ? n : most);
		assert_true(put > 0);
		bytes += put;
		n -= (size_t)put;
	}
}

static void lines_are_written_as_frames(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 64 };
	(void)state;
	for (size_t i = 0; i < ROWS * 16; i++) {
		const struct row *r = &rows[i / 16];
		struct double_stream d;
		if (r->one_way)
			continue;
		double_open(&d, loop, 0, NULL, NULL);
		d.most = pieces[i % 4] < 64 ? pieces[i % 4] : 0;
		struct stream *s = framed(&d, r->spec, false);
		write_all(s, r->lines, r->lines_n, pieces[i / 4 % 4]);
		assert_int_equal(stream_flush(s), 0);
		if (d.got_n != r->wire_n || memcmp(d.got, r->wire, d.got_n) != 0)
			fail_msg("row %zu: %zu bytes of %zu", i / 16, d.got_n, r->wire_n);
		assert_null(inside(s)->out.mem);
		assert_null(inside(s)->line.mem);
		assert_int_equal(stream_shut(s), 0);
		assert_true(d.was_shut);
		assert_int_equal(d.got_n, r->wire_n);
		unframe(s, &d);
	}
}

static void whole_frames_come_exactly_as_they_were(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS * 2; i++) {
		const struct row *r = &rows[i / 2];
		const struct act says[] = { { .kind = ACT_SAY, .text = r->wire, .n = r->wire_n }, END, { 0 } };
		struct double_stream d;
		char got[256];
		double_open(&d, loop, 0, says, NULL);
		d.most = i % 2;
		struct stream *s = framed(&d, r->spec, true);
		size_t n = read_all(s, got, sizeof got, 3);
		assert_int_equal(n, r->wire_n);
		assert_memory_equal(got, r->wire, n);
		write_all(s, "no frame", 8, 8);
		assert_int_equal(d.got_n, 8);
		unframe(s, &d);
	}
}

static void half_a_frame_waits_for_its_rest(void **state)
{
	static const struct act says[] = { SAY("\4\0\0\0ho"), WAIT(1000000), { 0 } };
	struct double_stream d;
	char got[16];
	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		double_open(&d, loop, 0, says, NULL);
		struct stream *s = framed(&d, "u32le", whole);
		assert_int_equal(stream_read(s, got, sizeof got), ST_AGAIN);
		assert_true(s->rd.wake);
		unframe(s, &d);
	}
}

/* A peer may promise what it likes. */
static void what_is_kept_is_what_has_come(void **state)
{
	static const struct act says[] = { SAY("\0\0\17\0abc"), WAIT(1000000), { 0 } };
	struct double_stream d;
	char got[16];
	(void)state;
	double_open(&d, loop, 0, says, NULL);
	d.most = 1;
	struct stream *s = framed(&d, "u32le", false);
	assert_int_equal(stream_read(s, got, sizeof got), ST_AGAIN);
	assert_int_equal(inside(s)->in.len, 7);
	assert_int_equal(inside(s)->in.cap, 7);
	unframe(s, &d);
}

/* And no more than a part of it is read in one turn. */
static void the_longest_frame_bounds_what_is_kept(void **state)
{
	static const struct act says[] = { SAY_N(800000), WAIT(1000000), { 0 } };
	struct double_stream d;
	size_t turns = 0;
	char got[16];
	(void)state;
	double_open(&d, loop, 0, says, NULL);
	struct stream *s = framed(&d, "fixed=800001", false);
	for (; stream_read(s, got, sizeof got) == ST_AGAIN && s->rd.timed; turns++)
		assert_true(inside(s)->in.cap <= 800001 + 64 * 1024 + 2 * FRAMER_EDGE);
	assert_int_equal(turns, 3);
	assert_int_equal(inside(s)->in.cap, 800000);
	unframe(s, &d);
}

static void a_frame_that_is_cut_off_fails_behind_those_that_are_whole(void **state)
{
	static const struct act says[] = { SAY("1:a,2:b"), END, { 0 } };
	struct double_stream d;
	char got[16];
	(void)state;
	double_open(&d, loop, 0, says, NULL);
	struct stream *s = framed(&d, "netstring", false);
	assert_int_equal(stream_read(s, got, sizeof got), 2);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(stream_read(s, got, sizeof got), ST_FAIL);
		assert_int_equal(s->why.cls, ERR_LOST);
		assert_string_equal(s->why.text, "frame cut off after 3 bytes from");
	}
	unframe(s, &d);
}

static void a_bad_frame_fails_behind_those_that_are_good(void **state)
{
	static const struct act says[] = { SAY("\0\1a\0\11aaaaaaaaa"), { 0 } };
	struct double_stream d;
	char got[16];
	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		double_open(&d, loop, 0, says, NULL);
		struct stream *s = framed(&d, "u16be,max=8", whole);
		assert_int_equal(stream_read(s, got, sizeof got), whole ? 3 : 2);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(stream_read(s, got, sizeof got), ST_FAIL);
			assert_int_equal(s->why.cls, ERR_LOST);
			assert_string_equal(s->why.text, "frame of 9 bytes is over max 8 from");
		}
		unframe(s, &d);
	}
}

static void failures_below_keep_their_words(void **state)
{
	static const struct act says[] = { SAY("\1"), FAIL(ERR_NETWORK), { 0 } };
	static const struct act takes[] = { FAIL(ERR_LOST), { 0 } };
	struct double_stream d;
	char got[16];
	(void)state;
	double_open(&d, loop, 0, says, takes);
	struct stream *s = framed(&d, "u8", false);
	assert_int_equal(stream_read(s, got, sizeof got), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_NETWORK);
	assert_int_equal(stream_write(s, "x\n", 2), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_LOST);
	assert_string_equal(s->why.text, "double write");
	unframe(s, &d);
}

/* A line that can be no frame: those before it go out, nothing behind it is taken, and the end can still be told. */
static void a_line_that_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *spec, *lines;
		size_t n;
		const char *words;
	} bad[] = {
		{ "fixed=3", BYTES("abc\nabcd\n"), "line of 4 bytes does not fit into a frame to" },
		{ "fixed=3", BYTES("abc\nab\n"), "line of 2 bytes does not fit into a frame to" },
		{ "netstring,max=3", BYTES("abc\nabcd\n"), "line of 4 bytes does not fit into a frame to" },
		{ "crlf,max=3", BYTES("abc\nabcdef"), "line of 6 bytes does not fit into a frame to" },
		{ "nul", BYTES("abc\na\0c\n"), "line with a zero byte does not fit into a frame to" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0] * 2; i++) {
		struct double_stream d;
		ssize_t put = 1;
		double_open(&d, loop, 0, NULL, NULL);
		struct stream *s = framed(&d, bad[i / 2].spec, false);
		size_t step = i % 2 ? 1 : bad[i / 2].n;
		for (size_t at = 0; at < bad[i / 2].n && put > 0; at += (size_t)put)
			put = stream_write(s, bad[i / 2].lines + at, step);
		assert_int_equal(put, ST_FAIL);
		assert_int_equal(s->why.cls, ERR_LOCAL);
		if (i % 2 == 0 || strstr(bad[i / 2].words, "of 6") == NULL) /* in pieces it is known earlier */
			assert_string_equal(s->why.text, bad[i / 2].words);
		assert_int_equal(stream_write(s, "abc\n", 4), ST_FAIL);
		size_t before = d.got_n;
		assert_in_range(before, 3, 6);
		assert_int_equal(stream_shut(s), 0);
		assert_int_equal(d.got_n, before);
		unframe(s, &d);
	}
}

static void an_unfinished_line_goes_when_nothing_follows(void **state)
{
	struct double_stream d;
	(void)state;
	double_open(&d, loop, 0, NULL, NULL);
	struct stream *s = framed(&d, "u8", false);
	write_all(s, "a\nbc", 4, 64);
	assert_int_equal(stream_flush(s), 0);
	assert_int_equal(d.got_n, 2);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(stream_last(s), 0);
		assert_int_equal(d.got_n, 5);
	}
	assert_memory_equal(d.got, "\1a\2bc", 5);
	write_all(s, "d", 1, 64);
	assert_int_equal(stream_shut(s), 0);
	assert_memory_equal(d.got, "\1a\2bc\1d", 7);
	unframe(s, &d);
}

static void a_bounded_amount_is_held(void **state)
{
	static const struct act never[] = { WAIT(1000000), { 0 } };
	static char lines[300000];
	struct double_stream d;
	(void)state;
	memset(lines, '\n', sizeof lines);
	double_open(&d, loop, 0, NULL, never);
	struct stream *s = framed(&d, "u8", false);
	assert_int_equal(stream_write(s, lines, sizeof lines), 64 * 1024);
	assert_int_equal(stream_write(s, lines, sizeof lines), ST_AGAIN);
	assert_true(s->wr.wake);
	assert_int_equal(stream_flush(s), ST_AGAIN);
	assert_int_equal(stream_last(s), ST_AGAIN);
	assert_int_equal(stream_shut(s), ST_AGAIN);
	unframe(s, &d);
}

/* Datagrams */

static void a_datagram_is_a_frame(void **state)
{
	static const struct act says[] = { SAY("hola"), EMPTY, SAY("dos\n"), SAY("tres\r\n"), SAY("a\nb"), { 0 } };
	static const char *const want[] = { "hola\n", "\n", "dos\n", "tres\n", "a\nb\n" };
	struct double_stream d;
	char got[16];
	(void)state;
	double_open(&d, loop, ST_DGRAM, says, NULL);
	struct stream *s = framed(&d, "line", false);
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		assert_int_equal(stream_read(s, got, sizeof got), (ssize_t)strlen(want[i]));
		assert_memory_equal(got, want[i], strlen(want[i]));
	}
	assert_int_equal(stream_read(s, got, sizeof got), ST_AGAIN);
	assert_null(inside(s)->in.mem);
	unframe(s, &d);
}

static void a_line_is_a_datagram(void **state)
{
	static const struct act takes[] = { TAKE(100), TAKE(100), WAIT(1000000), { 0 } };
	struct double_stream d;
	(void)state;
	double_open(&d, loop, ST_DGRAM, NULL, takes);
	struct stream *s = framed(&d, "u32le", false);
	assert_int_equal(stream_write(s, "ho", 2), 2);
	assert_int_equal(d.writes, 0);
	assert_int_equal(stream_write(s, "la\n\nwait\n", 9), 4); /* the third is not accepted */
	assert_int_equal(stream_write(s, "wait\n", 5), ST_AGAIN);
	assert_int_equal(d.writes, 2);
	assert_int_equal(d.sizes[0], 4);
	assert_int_equal(d.sizes[1], 0);
	assert_memory_equal(d.got, "hola", 4);
	unframe(s, &d);
}

static void the_last_datagram_goes_when_nothing_follows(void **state)
{
	struct double_stream d;
	(void)state;
	double_open(&d, loop, ST_DGRAM, NULL, NULL);
	struct stream *s = framed(&d, "netstring", false);
	assert_int_equal(stream_write(s, "uno\ndos", 7), 7);
	assert_int_equal(d.writes, 1);
	assert_int_equal(stream_last(s), 0);
	assert_int_equal(d.writes, 2);
	assert_memory_equal(d.got, "unodos", 6);
	unframe(s, &d);
}

/* Under a pump: with short writes, AGAIN before every call, and half-closes of every kind nothing differs. */

static const char *pumped(struct world *w, const struct pump_opts *opts)
{
	struct stream *top = framed(&w->far, "u16be", false);
	w->far_top = top;
	const char *wrong = world_run(w, opts);
	((struct frame *)top)->s.below = NULL;
	stream_close(top, CLOSE_PLAIN);
	return wrong;
}

static void a_pump_gets_all_across(void **state)
{
	static const struct act near[] = { SAY("uno\nd"), WAIT(5), SAY("os\n\ntre"), SAY("s"), END, { 0 } };
	static const struct act far[] = { SAY("\0\3un"), WAIT(7), SAY("o\0"), SAY("\0\0\1x"), END, { 0 } };
	static const char sent[] = "\0\3uno\0\3dos\0\0\0\4tres";
	static const uint8_t halves[] = { HALF_YES, HALF_NO, HALF_LATE };
	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		struct world w;
		world_open(&w, 64, 0, 0);
		w.near.rd.at = near;
		w.far.rd.at = far;
		w.far.most = w.near.most = i / 3 % 2;
		w.far.stutter_ms = i / 6 % 2 * 3;
		w.far.timed = i / 12;
		const struct pump_opts opts = { .half = halves[i % 3], .reply_wait_ms = NEVER };
		const char *wrong = pumped(&w, &opts);
		if (wrong != NULL || w.why.cls != ERR_OK)
			fail_msg("run %u: %s", i, wrong != NULL ? wrong : w.why.text);
		assert_int_equal(w.far.got_n, sizeof sent - 1);
		assert_memory_equal(w.far.got, sent, sizeof sent - 1);
		assert_int_equal(w.near.got_n, 7);
		assert_memory_equal(w.near.got, "uno\n\nx\n", 7);
		assert_int_equal(w.far.was_shut, i % 3 != 1);
		world_close(&w);
	}
}

/* One that takes many turns of the loop to read, and is written in more pieces than there is room for. */
static void a_long_frame_gets_across(void **state)
{
	enum { LONG = 1 << 20 };
	static const struct act near[] = { END, { 0 } };
	static const struct act far[] = { SAY("\0\0\20\0"), SAY_N(LONG), END, { 0 } };
	struct world w;
	(void)state;
	world_open(&w, 4096, 0, 0);
	w.near.rd.at = near;
	w.far.rd.at = far;
	w.far_top = framed(&w.far, "u32le", false);
	const struct pump_opts opts = { .half = HALF_YES, .reply_wait_ms = NEVER };
	assert_null(world_run(&w, &opts));
	assert_int_equal(w.why.cls, ERR_OK);
	assert_int_equal(w.near.got_n, LONG + 1);
	for (size_t i = 0; i < LONG; i++)
		if (w.near.got[i] != double_pattern(i + 4))
			fail_msg("byte %zu", i);
	assert_int_equal(w.near.got[LONG], '\n');
	((struct frame *)w.far_top)->s.below = NULL;
	stream_close(w.far_top, CLOSE_PLAIN);
	world_close(&w);
}

static int set_up(void **state)
{
	struct err e;
	(void)state;
	loop = loop_open(&loop_sim, &e);
	return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_close(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_read_as_lines),
		cmocka_unit_test(lines_are_written_as_frames),
		cmocka_unit_test(whole_frames_come_exactly_as_they_were),
		cmocka_unit_test(half_a_frame_waits_for_its_rest),
		cmocka_unit_test(what_is_kept_is_what_has_come),
		cmocka_unit_test(the_longest_frame_bounds_what_is_kept),
		cmocka_unit_test(a_frame_that_is_cut_off_fails_behind_those_that_are_whole),
		cmocka_unit_test(a_bad_frame_fails_behind_those_that_are_good),
		cmocka_unit_test(failures_below_keep_their_words),
		cmocka_unit_test(a_line_that_does_not_fit_is_refused),
		cmocka_unit_test(an_unfinished_line_goes_when_nothing_follows),
		cmocka_unit_test(a_bounded_amount_is_held),
		cmocka_unit_test(a_datagram_is_a_frame),
		cmocka_unit_test(a_line_is_a_datagram),
		cmocka_unit_test(the_last_datagram_goes_when_nothing_follows),
		cmocka_unit_test(a_pump_gets_all_across),
		cmocka_unit_test(a_long_frame_gets_across),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
