/* SHA-256 against the vectors of FIPS 180-4 and its companion examples, and against itself in other pieces. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sha256.h"

#include <string.h>

static const struct {
	const char *text, *sum;
} rows[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		"cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

static void assert_sum(const struct sha256 *s, const char *want)
{
	unsigned char sum[SHA256_BYTES];
	char text[SHA256_TEXT];
	sha256_end(s, sum);
	assert_string_equal(sha256_text(sum, text), want);
}

static void known_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sha256 s;
		sha256_init(&s);
		sha256_add(&s, rows[i].text, strlen(rows[i].text));
		assert_sum(&s, rows[i].sum);
	}
}

static void a_million_times_a(void **state)
{
	(void)state;
	char a[1000];
	struct sha256 s;
	memset(a, 'a', sizeof a);
	sha256_init(&s);
	for (int i = 0; i < 1000; i++)
		sha256_add(&s, a, sizeof a);
	assert_sum(&s, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Every length around the block's and the padding's edges, in one piece, byte by byte, and in two uneven ones; asking in
 * between changes nothing. */
static void pieces_make_no_difference(void **state)
{
	(void)state;
	unsigned char bytes[200];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 7 + 3);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		struct sha256 whole, single, two;
		unsigned char sum[SHA256_BYTES];
		char want[SHA256_TEXT];
		sha256_init(&whole);
		sha256_init(&single);
		sha256_init(&two);
		sha256_add(&whole, bytes, n);
		sha256_end(&whole, sum);
		sha256_text(sum, want);
		for (size_t i = 0; i < n; i++)
			sha256_add(&single, bytes + i, 1);
		assert_sum(&single, want);
		sha256_add(&two, bytes, n / 3);
		sha256_end(&two, sum);
		sha256_add(&two, bytes + n / 3, n - n / 3);
		assert_sum(&two, want);
	}
}

static void sums_are_read_whole_or_not_at_all(void **state)
{
	(void)state;
	unsigned char sum[SHA256_BYTES];
	char text[SHA256_TEXT];
	char upper[] = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
	assert_int_equal(sha256_parse(sum, upper), 0);
	assert_string_equal(sha256_text(sum, text), rows[1].sum);
	assert_int_equal(sha256_parse(sum, ""), -1);
	assert_int_equal(sha256_parse(sum, "ba78"), -1);
	assert_int_equal(sha256_parse(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0"), -1);
	assert_int_equal(sha256_parse(sum, "ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), -1);
	assert_int_equal(sha256_parse(sum, " a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts),
		cmocka_unit_test(a_million_times_a),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(sums_are_read_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
