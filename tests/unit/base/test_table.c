/* The table against a plain array, with memory and without. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "base/table.h"

#include <string.h>

enum { THINGS = 500, OPERATIONS = 200000 };

static struct thing {
	struct table_node node; /* first */
	uint32_t key;
	bool in;
	unsigned visits;
} things[THINGS];

static bool same(const struct table_node *n, const void *key)
{
	return ((const struct thing *)(const void *)n)->key == *(const uint32_t *)key;
}

static struct table_node *find(const struct table *t, uint32_t key)
{
	return table_find(t, table_hash(t, &key, sizeof key), same, &key);
}

static int add(struct table *t, struct thing *x)
{
	return table_add(t, &x->node, table_hash(t, &x->key, sizeof x->key));
}

static void reset(void)
{
	memset(things, 0, sizeof things);
	for (uint32_t i = 0; i < THINGS; i++)
		things[i].key = i;
}

static void visit(struct table_node *n, void *arg)
{
	(void)arg;
	((struct thing *)(void *)n)->visits++;
}

static void remove_odd(struct table_node *n, void *arg)
{
	struct thing *x = (struct thing *)(void *)n;
	x->visits++;
	if (x->key % 2 == 1) {
		table_remove(arg, n);
		x->in = false;
	}
}

static void check_all(struct table *t)
{
	size_t n = 0;
	for (int i = 0; i < THINGS; i++)
		things[i].visits = 0;
	table_each(t, visit, NULL);
	for (uint32_t i = 0; i < THINGS; i++) {
		n += things[i].in;
		assert_int_equal(things[i].visits, things[i].in);
		assert_ptr_equal(find(t, i), things[i].in ? (void *)&things[i] : NULL);
	}
	assert_int_equal(t->n, n);
}

/* gate: no memory for more slots after the first, so that chains grow long. */
static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void random_operations(struct table *t)
{
	uint32_t dice = 7;
	for (int i = 0; i < OPERATIONS; i++) {
		dice = dice * 1664525 + 1013904223;
		struct thing *x = &things[(dice >> 8) % THINGS];
		if (x->in)
			table_remove(t, &x->node);
		else
			assert_int_equal(add(t, x), 0);
		x->in = !x->in;
		if (i % 10000 == 0)
			check_all(t);
	}
	check_all(t);
}

static void test_many_operations(void **state)
{
	(void)state;
	struct table t;
	reset();
	table_init(&t, 42);
	assert_null(find(&t, 1));
	table_remove(&t, &things[0].node); /* is not there */
	random_operations(&t);
	assert_true(t.cap >= t.n);
	table_free(&t);
	assert_null(find(&t, 1));
}

static void test_with_few_slots(void **state)
{
	(void)state;
	struct table t;
	reset();
	table_init(&t, 42);
	sys_gate = no_memory;
	assert_int_equal(add(&t, &things[0]), -1);
	assert_int_equal(t.n, 0);
	sys_gate = NULL;
	assert_int_equal(add(&t, &things[0]), 0);
	things[0].in = true;
	sys_gate = no_memory;
	random_operations(&t);
	sys_gate = NULL;
	assert_true(t.cap < 64);
	table_free(&t);
}

static void test_removed_while_visited(void **state)
{
	(void)state;
	struct table t;
	reset();
	table_init(&t, 1);
	for (int i = 0; i < THINGS; i++) {
		assert_int_equal(add(&t, &things[i]), 0);
		things[i].in = true;
	}
	table_each(&t, remove_odd, &t);
	for (int i = 0; i < THINGS; i++)
		assert_int_equal(things[i].visits, 1);
	check_all(&t);
	assert_int_equal(t.n, THINGS / 2);
	table_free(&t);
}

static bool never_same(const struct table_node *n, const void *key)
{
	(void)n;
	(void)key;
	return false;
}

/* One hash is not one key. */
static void test_equal_hashes(void **state)
{
	(void)state;
	struct table t;
	uint32_t key = 1;
	reset();
	table_init(&t, 1);
	table_add(&t, &things[0].node, 5);
	table_add(&t, &things[1].node, 5);
	assert_ptr_equal(table_find(&t, 5, same, &key), &things[1]);
	assert_null(table_find(&t, 5, never_same, &key));
	assert_null(table_find(&t, 5 + (uint32_t)t.cap, same, &key)); /* same slot, another hash */
	table_free(&t);
}

static void test_hash(void **state)
{
	(void)state;
	struct table a, b;
	table_init(&a, 1);
	table_init(&b, 2);
	static const unsigned char key[40] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	unsigned slots[16] = { 0 };
	for (size_t len = 0; len < sizeof key; len++) {
		assert_int_equal(table_hash(&a, key, len), table_hash(&a, key, len));
		assert_int_not_equal(table_hash(&a, key, len), table_hash(&b, key, len));     /* the seed counts */
		assert_int_not_equal(table_hash(&a, key, len), table_hash(&a, key, len + 1)); /* and the length */
		assert_int_equal(table_hash(&a, memcpy((char[48]){ 0 } + 1, key, len), len), table_hash(&a, key, len));
	}
	for (uint32_t i = 0; i < 16000; i++)
		slots[table_hash(&a, &i, sizeof i) & 15]++;
	for (int i = 0; i < 16; i++)
		assert_in_range(slots[i], 800, 1200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_operations),
		cmocka_unit_test(test_with_few_slots),
		cmocka_unit_test(test_removed_while_visited),
		cmocka_unit_test(test_equal_hashes),
		cmocka_unit_test(test_hash),
	};
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
