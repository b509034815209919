/* Messages shared by count, and the queue of them: nothing is copied, nothing leaks, a bound holds, sending goes on where it
 * stopped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "double.h"
#include "stream/outq.h"

#include <stdio.h>
#include <string.h>

static struct loop *loop;

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

static void push(struct outq *q, const char *text)
{
	struct msg *m = msg_new(text, strlen(text));
	assert_non_null(m);
	assert_int_equal(outq_push(q, m, 1 << 20), 0);
	msg_drop(m);
}

static void assert_got(const struct double_stream *d, const char *text)
{
	assert_int_equal(d->got_n, strlen(text));
	assert_memory_equal(d->got, text, d->got_n);
}

static void assert_absent(const struct outq *q)
{
	assert_null(q->v);
	assert_int_equal(q->n, 0);
	assert_int_equal(q->bytes, 0);
	assert_int_equal(q->sent, 0);
}

static void a_message_is_shared(void **state)
{
	struct outq a = { 0 }, b = { 0 };
	struct msg *m = msg_new("hello", 5);
	(void)state;
	assert_int_equal(outq_push(&a, m, 1000), 0);
	assert_int_equal(outq_push(&b, m, 1000), 0);
	assert_int_equal(m->refs, 3);
	outq_free(&a);
	assert_int_equal(m->refs, 2);
	msg_drop(m);
	assert_ptr_equal(b.v[b.at], m);
	outq_free(&b);
	assert_absent(&a);
	assert_absent(&b);
	msg_drop(NULL);
}

static void a_message_made_too_long_is_shortened(void **state)
{
	struct msg *m = msg_new(NULL, 100);
	(void)state;
	memcpy(m->bytes, "abc", 3);
	m = msg_shorten(m, 3);
	assert_int_equal(m->len, 3);
	assert_memory_equal(m->bytes, "abc", 3);
	msg_drop(m);
}

static void all_goes_out_in_one_write(void **state)
{
	struct double_stream d;
	struct outq q = { 0 };
	(void)state;
	double_open(&d, loop, 0, NULL, NULL);
	for (int i = 0; i < 100; i++)
		push(&q, "0123456789");
	assert_int_equal(outq_send(&q, &d.s), 0);
	assert_int_equal(d.got_n, 1000);
	assert_int_equal(d.writes, 1);
	assert_absent(&q);
	double_close(&d);
}

static void a_short_write_is_gone_on_with(void **state)
{
	static const struct act takes[] = { TAKE(2), TAKE(4), TAKE(1), { 0 } };
	struct double_stream d;
	struct outq q = { 0 };
	(void)state;
	double_open(&d, loop, 0, NULL, takes);
	push(&q, "abc");
	push(&q, "def");
	push(&q, "gh");
	assert_int_equal(outq_send(&q, &d.s), OUTQ_MORE);
	assert_int_equal(q.sent, 2);
	assert_int_equal(outq_send(&q, &d.s), OUTQ_MORE); /* ends with a message */
	assert_int_equal(q.sent, 0);
	assert_int_equal(outq_send(&q, &d.s), OUTQ_MORE);
	assert_int_equal(q.bytes, 1 + OUTQ_OVERHEAD);
	assert_int_equal(outq_send(&q, &d.s), 0);
	assert_got(&d, "abcdefgh");
	assert_absent(&q);
	double_close(&d);
}

static void a_sink_that_blocks_or_fails_says_so(void **state)
{
	static const struct act takes[] = { WAIT(10), FAIL(ERR_LOST), { 0 } };
	struct double_stream d;
	struct outq q = { 0 };
	(void)state;
	double_open(&d, loop, 0, NULL, takes);
	push(&q, "abc");
	assert_int_equal(outq_send(&q, &d.s), ST_AGAIN);
	assert_int_equal(q.n, 1);
	outq_free(&q);
	double_close(&d);

	double_open(&d, loop, 0, NULL, takes + 1);
	push(&q, "abc");
	assert_int_equal(outq_send(&q, &d.s), ST_FAIL);
	assert_int_equal(d.s.why.cls, ERR_LOST);
	outq_free(&q);
	double_close(&d);
}

static void an_empty_queue_still_flushes(void **state)
{
	static const struct act waits[] = { WAIT(10), { 0 } };
	struct double_stream d;
	struct outq q = { 0 };
	(void)state;
	double_open(&d, loop, 0, NULL, NULL);
	d.fl.at = waits;
	assert_int_equal(outq_send(&q, &d.s), ST_AGAIN);
	double_close(&d);
}

static void each_message_is_one_datagram(void **state)
{
	struct double_stream d;
	struct outq q = { 0 };
	(void)state;
	double_open(&d, loop, ST_DGRAM, NULL, NULL);
	push(&q, "one");
	push(&q, "twotwo");
	assert_int_equal(outq_send(&q, &d.s), OUTQ_MORE);
	assert_int_equal(outq_send(&q, &d.s), 0);
	assert_int_equal(d.writes, 2);
	assert_int_equal(d.sizes[0], 3);
	assert_int_equal(d.sizes[1], 6);
	double_close(&d);
}

static void the_bound_holds_for_tiny_messages(void **state)
{
	struct outq q = { 0 };
	struct msg *m = msg_new("x", 1);
	unsigned n = 0;
	(void)state;
	while (outq_push(&q, m, 64 * 1024) == 0)
		n++;
	assert_in_range(n, 900, 64 * 1024 / OUTQ_OVERHEAD);
	assert_int_equal(m->refs, n + 1);
	outq_free(&q);
	struct msg *big = msg_new(NULL, 70000);
	assert_int_equal(outq_push(&q, big, 64 * 1024), -1);
	assert_int_equal(big->refs, 1);
	msg_drop(big);
	msg_drop(m);
	assert_absent(&q);
}

static void a_message_of_no_bytes_is_not_queued(void **state)
{
	struct outq q = { 0 };
	struct msg *m = msg_new("", 0);
	(void)state;
	assert_int_equal(outq_push(&q, m, 1000), 0);
	assert_absent(&q);
	assert_int_equal(m->refs, 1);
	msg_drop(m);
}

/* Many rounds with the ring wrapped and grown at every place. */
static void order_survives_growing_and_wrapping(void **state)
{
	static struct act takes[2000];
	struct double_stream d;
	struct outq q = { 0 };
	char text[16];
	int pushed = 0;
	(void)state;
	for (size_t i = 0; i + 1 < 2000; i++)
		takes[i] = (struct act)TAKE(i % 11 + 1);
	double_open(&d, loop, 0, NULL, takes);
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < round % 13; i++) {
			snprintf(text, sizeof text, "%04d", pushed++);
			push(&q, text);
		}
		for (int i = 0; i < 3 && q.n > 0; i++)
			assert_true(outq_send(&q, &d.s) >= 0);
	}
	while (q.n > 0)
		assert_true(outq_send(&q, &d.s) >= 0);
	assert_int_equal(d.got_n, pushed * 4);
	for (int i = 0; i < pushed; i++) {
		snprintf(text, sizeof text, "%04d", i);
		assert_memory_equal(d.got + i * 4, text, 4);
	}
	double_close(&d);
}

#ifdef SYS_SEAM
static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void without_memory_nothing_changes(void **state)
{
	struct outq q = { 0 };
	struct msg *m = msg_new("abc", 3);
	(void)state;
	sys_gate = no_memory;
	assert_null(msg_new("abc", 3));
	assert_int_equal(outq_push(&q, m, 1000), -1);
	sys_gate = NULL;
	assert_absent(&q);
	assert_int_equal(m->refs, 1);
	msg_drop(m);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_shared),
		cmocka_unit_test(a_message_made_too_long_is_shortened),
		cmocka_unit_test(all_goes_out_in_one_write),
		cmocka_unit_test(a_short_write_is_gone_on_with),
		cmocka_unit_test(a_sink_that_blocks_or_fails_says_so),
		cmocka_unit_test(an_empty_queue_still_flushes),
		cmocka_unit_test(each_message_is_one_datagram),
		cmocka_unit_test(the_bound_holds_for_tiny_messages),
		cmocka_unit_test(a_message_of_no_bytes_is_not_queued),
		cmocka_unit_test(order_survives_growing_and_wrapping),
#ifdef SYS_SEAM
		cmocka_unit_test(without_memory_nothing_changes),
#endif
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
