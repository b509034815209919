/* The buffer of waiting bytes: it grows within its bounds, moves and gives back memory, and is sent in order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "double.h"
#include "stream/buf.h"

#include <errno.h>
#include <string.h>

enum { FIRST = 4096, KIB = 1024 };

static struct loop *loop;
static unsigned char zeros[64 * KIB];

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

static void add(struct buf *b, const void *bytes, size_t n)
{
	assert_int_equal(buf_add(b, bytes, n, SIZE_MAX), 0);
}

static void assert_holds(const struct buf *b, const char *text)
{
	assert_int_equal(b->len, strlen(text));
	assert_memory_equal(b->mem + b->at, text, b->len);
}

static void assert_absent(const struct buf *b)
{
	assert_null(b->mem);
	assert_int_equal(b->at + b->len + b->cap, 0);
}

static void it_grows_by_doubling(void **state)
{
	struct budget budget = { .most = KIB * KIB };
	struct buf b = { .budget = &budget };
	(void)state;
	add(&b, zeros, 0);
	assert_absent(&b);
	add(&b, "abc", 3);
	assert_int_equal(b.cap, FIRST);
	add(&b, zeros, FIRST - 3);
	assert_int_equal(b.cap, FIRST);
	add(&b, "d", 1);
	assert_int_equal(b.cap, 2 * FIRST);
	add(&b, zeros, 10 * FIRST);
	assert_int_equal(b.cap, 11 * FIRST + 1); /* that is more than double */
	assert_int_equal(budget.used, b.cap);
	assert_memory_equal(b.mem, "abc", 3);
	assert_int_equal(b.mem[FIRST], 'd');
	buf_free(&b);
	assert_absent(&b);
	assert_ptr_equal(b.budget, &budget);
	assert_int_equal(budget.used, 0);
}

static void it_does_not_double_beyond_the_bound(void **state)
{
	struct buf b = { 0 };
	(void)state;
	assert_int_equal(buf_room(&b, 16, 128), 0);
	assert_int_equal(b.cap, 128);
	b.len = 128;
	assert_int_equal(buf_room(&b, 1, 130), 0);
	assert_int_equal(b.cap, 130);
	assert_int_equal(buf_room(&b, 100, 130), 0); /* what is needed is there all the same */
	assert_int_equal(b.cap, 228);
	buf_free(&b);
}

static void the_budget_refuses_and_nothing_changes(void **state)
{
	struct budget budget = { .most = 40 * KIB };
	struct buf b = { .budget = &budget };
	(void)state;
	add(&b, "abc", 3);
	add(&b, zeros, 16 * KIB - 3);
	add(&b, "d", 1);
	assert_int_equal(b.cap, 20 * KIB); /* half of all is left for others, so it does not double */
	add(&b, zeros, 4 * KIB - 1);
	errno = 0;
	assert_int_equal(buf_add(&b, "e", 1, SIZE_MAX), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(b.len, 20 * KIB);
	assert_int_equal(b.cap, 20 * KIB);
	assert_int_equal(budget.used, 20 * KIB);
	assert_memory_equal(b.mem, "abc", 3);
	buf_free(&b);
	assert_int_equal(budget.used, 0);
}

static void what_is_dropped_makes_room(void **state)
{
	struct buf b = { 0 };
	(void)state;
	add(&b, zeros, FIRST - 3);
	add(&b, "abc", 3);
	unsigned char *mem = b.mem;
	buf_drop(&b, FIRST - 2);
	assert_int_equal(b.at, FIRST - 2);
	assert_holds(&b, "bc");
	add(&b, "def", 3); /* only moved */
	assert_int_equal(b.at, 0);
	assert_int_equal(b.cap, FIRST);
	assert_ptr_equal(b.mem, mem);
	assert_holds(&b, "bcdef");
	buf_drop(&b, 5);
	assert_int_equal(b.at + b.len, 0);
	assert_ptr_equal(b.mem, mem); /* for the next bytes */
	buf_fit(&b);
	assert_absent(&b);
}

static void unused_memory_is_given_back(void **state)
{
	struct budget budget = { .most = KIB * KIB };
	struct buf b = { .budget = &budget };
	(void)state;
	add(&b, "abcdef", 6);
	buf_drop(&b, 2);
	buf_fit(&b);
	assert_int_equal(b.at, 0);
	assert_int_equal(b.cap, 4);
	assert_int_equal(budget.used, 4);
	assert_holds(&b, "cdef");
	buf_free(&b);
	assert_int_equal(budget.used, 0);
}

static void an_array_is_neither_grown_nor_freed(void **state)
{
	unsigned char array[4];
	struct buf b = { .mem = array, .cap = sizeof array, .fixed = true };
	(void)state;
	add(&b, "abcd", 4);
	errno = 0;
	assert_int_equal(buf_add(&b, "e", 1, SIZE_MAX), -1);
	assert_int_equal(errno, ENOBUFS);
	buf_drop(&b, 3);
	add(&b, "ef", 2);
	buf_fit(&b);
	assert_holds(&b, "def");
	buf_free(&b);
	assert_ptr_equal(b.mem, array);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.cap, sizeof array);
}

static void put_layer(struct stream *layer, struct double_stream *d, const struct act *takes)
{
	static const struct stream_ops ops = { .name = "test" };
	double_open(d, loop, 0, NULL, takes);
	stream_push(layer, &ops, &d->s);
}

static void it_is_sent_in_order_and_then_gone(void **state)
{
	static const struct act takes[] = { TAKE(2), WAIT(10), { 0 } };
	struct double_stream d;
	struct stream layer = { 0 };
	struct buf b = { 0 };
	(void)state;
	put_layer(&layer, &d, takes);
	assert_int_equal(buf_send(&b, &layer), 0);
	assert_int_equal(d.wr.calls, 0);
	add(&b, "abcdef", 6);
	assert_int_equal(buf_flush(&b, &layer), ST_AGAIN);
	assert_memory_equal(&layer.wr, &d.s.wr, sizeof layer.wr);
	assert_int_equal(d.fl.calls, 0);
	assert_holds(&b, "cdef");
	assert_int_equal(loop_run(loop, NULL), -1); /* the time has passed, nothing else is left */
	add(&b, "gh", 2);
	assert_int_equal(buf_flush(&b, &layer), 0);
	assert_int_equal(d.fl.calls, 1);
	assert_int_equal(d.got_n, 8);
	assert_memory_equal(d.got, "abcdefgh", 8);
	assert_absent(&b);
	double_close(&d);
}

static void a_failure_below_is_the_layers(void **state)
{
	static const struct act takes[] = { FAIL(ERR_LOST), { 0 } };
	unsigned char array[] = "abc";
	struct double_stream d;
	struct stream layer = { 0 };
	struct buf b = { .mem = array, .len = 3, .fixed = true };
	(void)state;
	put_layer(&layer, &d, takes);
	assert_int_equal(buf_send(&b, &layer), ST_FAIL);
	assert_int_equal(layer.why.cls, ERR_LOST);
	assert_holds(&b, "abc");
	double_close(&d);
}

#ifdef SYS_SEAM
static int no_memory(enum sys_call call, int fd, size_t *len)
{
	(void)fd;
	(void)len;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void without_memory_nothing_changes(void **state)
{
	struct budget budget = { .most = KIB * KIB };
	struct buf b = { .budget = &budget }, none = { .budget = &budget };
	(void)state;
	add(&b, zeros, FIRST - 3);
	add(&b, "abc", 3);
	buf_drop(&b, FIRST - 3);
	sys_gate = no_memory;
	errno = 0;
	assert_int_equal(buf_add(&none, "abc", 3, SIZE_MAX), -1);
	assert_int_equal(errno, ENOMEM);
	assert_absent(&none);
	assert_int_equal(buf_add(&b, zeros, FIRST, SIZE_MAX), -1);
	buf_fit(&b); /* moves, but cannot shorten */
	sys_gate = NULL;
	assert_int_equal(b.cap, FIRST);
	assert_int_equal(budget.used, FIRST);
	assert_holds(&b, "abc");
	buf_free(&b);
	assert_int_equal(budget.used, 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_by_doubling),
		cmocka_unit_test(it_does_not_double_beyond_the_bound),
		cmocka_unit_test(the_budget_refuses_and_nothing_changes),
		cmocka_unit_test(what_is_dropped_makes_room),
		cmocka_unit_test(unused_memory_is_given_back),
		cmocka_unit_test(an_array_is_neither_grown_nor_freed),
		cmocka_unit_test(it_is_sent_in_order_and_then_gone),
		cmocka_unit_test(a_failure_below_is_the_layers),
#ifdef SYS_SEAM
		cmocka_unit_test(without_memory_nothing_changes),
#endif
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
