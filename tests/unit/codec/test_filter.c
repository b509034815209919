/* The layer that converts what is written, and its two converters: the same result however the bytes are cut into calls, and
 * however little the stream below takes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "double.h"
#include "guard.h"
#include "codec/filter.h"

#include <stdio.h>
#include <string.h>

static struct guard guard;
static struct loop *loop;

struct row {
	const char *in, *out;
	size_t n; /* of in, where it holds zeros */
};

static const struct row crlf_rows[] = {
	{ "", "", 0 },
	{ "a\n", "a\r\n", 0 },
	{ "\n\n", "\r\n\r\n", 0 },
	{ "a\r\n", "a\r\n", 0 },
	{ "a\r\r\n", "a\r\r\n", 0 },
	{ "a\rb\n", "a\rb\r\n", 0 },
	{ "no newline", "no newline", 0 },
	{ "\r", "\r", 0 },
};

static const struct row clean_rows[] = {
	{ "", "", 0 },
	{ "plain\ttext\n", "plain\ttext\n", 0 },
	{ "dos\r\n", "dos\n", 0 },
	{ "cr\rmiddle", "cr\\x0dmiddle", 0 },
	{ "cr\r\r\n", "cr\\x0d\n", 0 },
	{ "end\r", "end\\x0d", 0 },
	{ "\x1b[31mred", "\\x1b[31mred", 0 },
	{ "\x07\x08\x7f", "\\x07\\x08\\x7f", 0 },
	{ "a\0b", "a\\x00b", 3 },
	{ "ñ € 😀", "ñ € 😀", 0 },
	{ "\xc3", "\\xc3", 0 },			  /* cut */
	{ "\xe2\x82", "\\xe2\\x82", 0 },	  /* cut */
	{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98", 0 }, /* cut */
	{ "\xf0\x9f\x98x", "\\xf0\\x9f\\x98x", 0 },
	{ "\xe2\x82\xc3\xb1", "\\xe2\\x82ñ", 0 },
	{ "\xc3\r\n", "\\xc3\n", 0 },
	{ "\xc0\xaf\xff", "\\xc0\\xaf\\xff", 0 }, /* overlong, never */
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", 0 }, /* surrogate */
	{ "\xc2\x9b"
	  "31m",
		"\\xc2\\x9b31m", 0 },		  /* C1: another escape */
	{ "\xe2\x80\xae", "\\xe2\\x80\\xae", 0 }, /* turns the writing direction */
	{ "prompt: ", "prompt: ", 0 },
};

/* In pieces of `step` bytes, with `cap` bytes of room a time. */
static void assert_converts(filter_fn *fn, const struct row *row, size_t step, size_t cap)
{
	size_t n = row->n != 0 ? row->n : strlen(row->in), done = 0, len = 0;
	unsigned char out[512];
	uint64_t state = 0;
	bool last;
	do {
		size_t piece = n - done < step ? n - done : step, used = 0;
		const unsigned char *in = guard_bytes(&guard, row->in + done, piece);
		last = done + piece == n;
		size_t put = fn(&state, in, piece, &used, out + len, cap, last);
		assert_true(put <= cap && used <= piece);
		len += put;
		done += used;
		if (used < piece)
			assert_true(cap - put < FILTER_SPARE);
	} while (!last || done < n);
	for (size_t put = 1, used; put > 0; len += put) /* what there was no room for */
		put = fn(&state, (const unsigned char *)"", 0, &used, out + len, cap, true);
	if (len != strlen(row->out) || memcmp(out, row->out, len) != 0)
		fail_msg("%.*s: got %.*s, want %s", (int)n, row->in, (int)len, out, row->out);
}

static void assert_rows(filter_fn *fn, const struct row *rows, size_t n)
{
	static const size_t caps[] = { FILTER_SPARE, FILTER_SPARE + 1, 200 };
	for (size_t i = 0; i < n; i++)
		for (size_t step = 1; step <= 5; step++)
			for (size_t c = 0; c < 3; c++)
				assert_converts(fn, &rows[i], step < 5 ? step : 100, caps[c]);
}

static void crlf_says_what_the_table_says(void **state)
{
	(void)state;
	assert_rows(crlf_convert, crlf_rows, sizeof crlf_rows / sizeof crlf_rows[0]);
}

static void clean_says_what_the_table_says(void **state)
{
	(void)state;
	assert_rows(sanitize_convert, clean_rows, sizeof clean_rows / sizeof clean_rows[0]);
}

/* Nothing but what a terminal may be shown comes out, whatever goes in, and growth keeps its promise. */
static void clean_lets_nothing_through(void **state)
{
	uint64_t dice = 88172645463325252U;
	(void)state;
	for (int round = 0; round < 20000; round++) {
		unsigned char in[24], out[sizeof in * FILTER_GROWTH + FILTER_SPARE];
		uint64_t bits = 0;
		size_t used = 0;
		for (size_t i = 0; i < sizeof in; i++) {
			dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
			in[i] = (unsigned char)(dice >> 32);
		}
		size_t len = sanitize_convert(&bits, in, sizeof in, &used, out, sizeof out, true);
		assert_int_equal(used, sizeof in);
		assert_int_equal(bits, 0);
		for (size_t i = 0; i < len; i++)
			assert_true((out[i] >= ' ' && out[i] != 0x7f) || out[i] == '\n' || out[i] == '\t');
	}
}

/* Through the layer */

static struct stream *filtered(struct double_stream *d, filter_fn *fn)
{
	struct stream *top = &d->s;
	assert_int_equal(filter_push(&top, "test", fn), 0);
	assert_ptr_not_equal(top, &d->s);
	return top;
}

/* The double below is not closed with the layer: it is on the stack and has its own close. */
static void write_all(struct stream *s, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t put = stream_write(s, bytes, n);
		if (put == ST_AGAIN) {
			assert_true(s->wr.wake || s->wr.timed);
			return;
		}
		assert_true(put > 0);
		bytes += put;
		n -= (size_t)put;
	}
}

static void what_is_accepted_is_counted_in_input(void **state)
{
	struct double_stream d;
	(void)state;
	double_open(&d, loop, 0, NULL, NULL);
	struct stream *s = filtered(&d, crlf_convert);
	const struct iovec v[2] = { { (void *)(uintptr_t) "a\n", 2 }, { (void *)(uintptr_t) "b\nc", 3 } };
	assert_int_equal(stream_writev(s, v, 2), 5);
	assert_int_equal(stream_flush(s), 0);
	assert_int_equal(d.got_n, 7);
	assert_memory_equal(d.got, "a\r\nb\r\nc", 7);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
}

static void a_bounded_amount_is_held(void **state)
{
	static const struct act never[] = { WAIT(1000000), { 0 } };
	static char lines[65536];
	struct double_stream d;
	(void)state;
	memset(lines, '\n', sizeof lines);
	double_open(&d, loop, 0, NULL, never);
	struct stream *s = filtered(&d, crlf_convert);
	ssize_t put = stream_write(s, lines, sizeof lines);
	assert_in_range(put, 1000, 4096);
	assert_int_equal(stream_write(s, lines, sizeof lines), ST_AGAIN);
	assert_int_equal(stream_flush(s), ST_AGAIN);
	assert_int_equal(stream_shut(s), ST_AGAIN);
	assert_true(s->wr.wake || s->wr.timed);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
}

static void one_byte_at_a_time_gives_the_same(void **state)
{
	static const char text[] = "one\ntwo\r\nthree\n\x1b[m\xe2\x82\xac\n";
	struct double_stream d;
	(void)state;
	double_open(&d, loop, 0, NULL, NULL);
	d.most = 1;
	struct stream *s = filtered(&d, sanitize_convert);
	write_all(s, text, sizeof text - 1);
	assert_int_equal(stream_shut(s), 0);
	assert_true(d.was_shut);
	assert_int_equal(d.got_n, strlen("one\ntwo\nthree\n\\x1b[m\xe2\x82\xac\n"));
	assert_memory_equal(d.got, "one\ntwo\nthree\n\\x1b[m\xe2\x82\xac\n", d.got_n);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
}

static void a_prompt_is_shown_and_half_a_character_at_the_end(void **state)
{
	struct double_stream d;
	(void)state;
	double_open(&d, loop, 0, NULL, NULL);
	struct stream *s = filtered(&d, sanitize_convert);
	write_all(s, "login: \xe2\x82", 9);
	assert_int_equal(d.got_n, 7);
	assert_int_equal(stream_shut(s), 0);
	assert_int_equal(stream_shut(s), 0); /* asked again, nothing is said twice */
	assert_int_equal(d.got_n, 15);
	assert_memory_equal(d.got, "login: \\xe2\\x82", 15);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
}

static void a_datagram_is_converted_whole(void **state)
{
	static char big[60000];
	struct double_stream d;
	(void)state;
	memset(big, '\n', sizeof big);
	double_open(&d, loop, ST_DGRAM, NULL, NULL);
	struct stream *s = filtered(&d, crlf_convert);
	assert_int_equal(stream_write(s, "a\r", 2), 2);
	assert_int_equal(stream_write(s, "\n", 1), 1); /* its own: no CR was before it */
	assert_int_equal(stream_write(s, "", 0), 0);
	assert_int_equal(stream_write(s, big, sizeof big), sizeof big);
	assert_int_equal(d.writes, 4);
	assert_int_equal(d.sizes[0], 2);
	assert_int_equal(d.sizes[1], 2);
	assert_int_equal(d.sizes[2], 0);
	assert_int_equal(d.sizes[3], 2 * sizeof big);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
}

static void failures_keep_the_words_of_below(void **state)
{
	static const struct act says[] = { SAY("in"), FAIL(ERR_LOST), { 0 } };
	static const struct act takes[] = { FAIL(ERR_NETWORK), { 0 } };
	struct double_stream d;
	char buf[8];
	(void)state;
	double_open(&d, loop, 0, says, takes);
	struct stream *s = filtered(&d, crlf_convert);
	assert_int_equal(stream_read(s, buf, sizeof buf), 2);
	assert_int_equal(stream_read(s, buf, sizeof buf), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_LOST);
	assert_int_equal(stream_write(s, "x", 1), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_NETWORK);
	stream_close(s, CLOSE_PLAIN);
	double_close(&d);
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
	guard_free(&guard);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crlf_says_what_the_table_says),
		cmocka_unit_test(clean_says_what_the_table_says),
		cmocka_unit_test(clean_lets_nothing_through),
		cmocka_unit_test(what_is_accepted_is_counted_in_input),
		cmocka_unit_test(a_bounded_amount_is_held),
		cmocka_unit_test(one_byte_at_a_time_gives_the_same),
		cmocka_unit_test(a_prompt_is_shown_and_half_a_character_at_the_end),
		cmocka_unit_test(a_datagram_is_converted_whole),
		cmocka_unit_test(failures_keep_the_words_of_below),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
