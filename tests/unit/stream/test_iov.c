/* Pieces of memory as one row of bytes: sums, copies from any byte on, and what is left, with empty pieces anywhere. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream/iov.h"

#include <string.h>

enum { PIECES = 6, BYTES = 6 };

/* "ab", "c", "def" and three pieces of no bytes, the first without a base. */
static char text[PIECES][3];

static void make_pieces(struct iovec v[PIECES])
{
	static const char *const words[PIECES] = { "", "ab", "", "c", "def", "" };
	for (int i = 0; i < PIECES; i++) {
		memcpy(text[i], words[i], strlen(words[i]));
		v[i] = (struct iovec){ i == 0 ? NULL : text[i], strlen(words[i]) };
	}
}

static void test_total(void **state)
{
	struct iovec v[PIECES];
	(void)state;
	make_pieces(v);
	assert_int_equal(iov_total(v, PIECES), BYTES);
	assert_int_equal(iov_total(v, 2), 2);
	assert_int_equal(iov_total(v, 0), 0);
	assert_int_equal(iov_total(NULL, 0), 0);
}

static void test_gather_from_each_byte(void **state)
{
	struct iovec v[PIECES];
	(void)state;
	make_pieces(v);
	for (size_t at = 0; at <= BYTES + 1; at++)
		for (size_t len = 0; len <= BYTES + 1; len++) {
			char got[BYTES + 2] = "";
			size_t left = at < BYTES ? BYTES - at : 0, want = len < left ? len : left;
			assert_int_equal(iov_gather(v, PIECES, at, got, len), want);
			assert_memory_equal(got, &"abcdef"[at < BYTES ? at : 0], want);
			assert_int_equal(got[want], '\0');
		}
	assert_int_equal(iov_gather(NULL, 0, 0, NULL, 0), 0);
}

static void test_scatter_from_each_byte(void **state)
{
	struct iovec v[PIECES];
	(void)state;
	for (size_t at = 0; at <= BYTES + 1; at++)
		for (size_t len = 0; len <= BYTES + 1; len++) {
			char got[BYTES + 1] = "", want[BYTES + 1] = "abcdef";
			size_t left = at < BYTES ? BYTES - at : 0, part = len < left ? len : left;
			make_pieces(v);
			assert_int_equal(iov_scatter(v, PIECES, at, "1234567", len), part);
			memcpy(want + (at < BYTES ? at : 0), "1234567", part);
			assert_int_equal(iov_gather(v, PIECES, 0, got, BYTES), BYTES);
			assert_string_equal(got, want);
		}
}

static void test_skip_each_number(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes <= BYTES; bytes++) {
		struct iovec v[PIECES], *rest = v;
		int n = PIECES;
		char got[BYTES + 1] = "";
		make_pieces(v);
		iov_skip(&rest, &n, bytes);
		assert_int_equal(iov_total(rest, n), BYTES - bytes);
		assert_true(n == 0 || rest->iov_len > 0); /* an empty piece would look like the end of a file that is written */
		iov_gather(rest, n, 0, got, BYTES);
		assert_string_equal(got, &"abcdef"[bytes]);
		assert_int_equal(n == 0, bytes == BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_gather_from_each_byte),
		cmocka_unit_test(test_scatter_from_each_byte),
		cmocka_unit_test(test_skip_each_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
