/* The pool and the ring that borrows from it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "double.h"
#include "pump/ring.h"

enum { BLOCK = 64, BLOCKS = 3 };

static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void test_pool_lends_so_many(void **state)
{
	(void)state;
	struct pool *pool = pool_open(BLOCK, BLOCKS);
	void *b[BLOCKS];
	for (int i = 0; i < BLOCKS; i++)
		assert_non_null(b[i] = pool_take(pool));
	assert_null(pool_take(pool));
	pool_give(pool, NULL);
	assert_null(pool_take(pool));
	pool_give(pool, b[1]);
	assert_ptr_equal(pool_take(pool), b[1]);
	for (int i = 0; i < BLOCKS; i++)
		pool_give(pool, b[i]);
	assert_true(pool_is_whole(pool, BLOCKS));
	pool_close(pool);
}

/* A burst does not stay in memory, and what is kept serves when there is no more. */
static void test_pool_keeps_a_few(void **state)
{
	(void)state;
	enum { MANY = 100 };
	struct pool *pool = pool_open(BLOCK, MANY);
	void *b[MANY];
	for (int i = 0; i < MANY; i++)
		assert_non_null(b[i] = pool_take(pool));
	for (int i = 0; i < MANY; i++)
		pool_give(pool, b[i]);
	sys_gate = no_memory;
	int kept = 0;
	while (kept < MANY && (b[kept] = pool_take(pool)) != NULL)
		kept++;
	sys_gate = NULL;
	assert_in_range(kept, 1, 32);
	while (kept > 0)
		pool_give(pool, b[--kept]);
	assert_true(pool_is_whole(pool, MANY)); /* a failed allocation was not counted as lent */
	pool_close(pool);
}

static void test_pool_without_memory(void **state)
{
	(void)state;
	sys_gate = no_memory;
	assert_null(pool_open(BLOCK, BLOCKS));
	sys_gate = NULL;
	pool_close(NULL);
}

static void test_ring_borrows_while_it_holds(void **state)
{
	(void)state;
	struct pool *pool = pool_open(BLOCK, 1);
	struct ring a = { 0 }, b = { 0 };
	struct iovec v[2];
	assert_int_equal(ring_room(&a, pool), BLOCK);
	assert_int_equal(ring_rpeek(&a, v), 0);
	assert_int_equal(ring_wpeek(&a, pool, v), 1);
	assert_int_equal(v[0].iov_len, BLOCK);
	ring_fill(&a, pool, 0); /* nothing came */
	assert_null(a.mem);
	assert_int_equal(ring_wpeek(&b, pool, v), 1);
	ring_fill(&b, pool, 3);
	assert_int_equal(ring_wpeek(&a, pool, v), -1); /* the only block is lent */
	assert_int_equal(ring_room(&b, pool), BLOCK - 3);
	ring_drop(&b, pool, 3);
	assert_null(b.mem);
	assert_int_equal(ring_wpeek(&a, pool, v), 1);
	ring_fill(&a, pool, BLOCK);
	assert_int_equal(ring_wpeek(&a, pool, v), 0); /* full */
	assert_int_equal(ring_room(&a, pool), 0);
	ring_drop(&a, pool, BLOCK);
	assert_true(pool_is_whole(pool, 1));
	pool_close(pool);
}

static size_t put(struct ring *r, struct pool *pool, size_t at, size_t most)
{
	struct iovec v[2];
	int n = ring_wpeek(r, pool, v);
	size_t done = 0;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].iov_len && done < most; k++, done++)
			((unsigned char *)v[i].iov_base)[k] = double_pattern(at + done);
	ring_fill(r, pool, done);
	return done;
}

static size_t take(struct ring *r, struct pool *pool, size_t at, size_t most)
{
	struct iovec v[2];
	int n = ring_rpeek(r, v);
	size_t done = 0;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].iov_len && done < most; k++, done++)
			assert_int_equal(((unsigned char *)v[i].iov_base)[k], double_pattern(at + done));
	ring_drop(r, pool, done);
	return done;
}

/* Bytes by their place go in and come out in all lengths, around the end of the block and back. */
static void test_ring_goes_round(void **state)
{
	(void)state;
	struct pool *pool = pool_open(BLOCK, 1);
	struct ring r = { 0 };
	size_t in = 0, out = 0;
	uint32_t dice = 1, wraps = 0;
	for (int i = 0; i < 200000; i++) {
		dice = dice * 1664525 + 1013904223;
		size_t n = dice >> 16 & 63, room = BLOCK - (in - out);
		assert_int_equal(ring_room(&r, pool), room);
		if (dice >> 31) {
			size_t done = put(&r, pool, in, n);
			assert_int_equal(done, n < room ? n : room);
			in += done;
		} else {
			out += take(&r, pool, out, n);
		}
		assert_int_equal(r.len, in - out);
		assert_int_equal(r.mem == NULL, r.len == 0);
		wraps += r.at + r.len > r.cap;
	}
	assert_true(wraps > 1000);
	ring_drop(&r, pool, r.len);
	pool_close(pool);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_lends_so_many),
		cmocka_unit_test(test_pool_keeps_a_few),
		cmocka_unit_test(test_pool_without_memory),
		cmocka_unit_test(test_ring_borrows_while_it_holds),
		cmocka_unit_test(test_ring_goes_round),
	};
	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
