/* The words of errors, and which of several failures a run reports. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"

#include <errno.h>
#include <string.h>

static void test_words(void **state)
{
	(void)state;
	struct err e = { 0 };
	assert_int_equal(err_set(&e, ERR_CONNECT, ECONNREFUSED, "connect to %s:%d", "::1", 80), -1);
	assert_int_equal(e.cls, ERR_CONNECT);
	assert_int_equal(e.sys, ECONNREFUSED);
	assert_string_equal(e.what, "connect to ::1:80: Connection refused");
	err_set(&e, ERR_USAGE, 0, "no errno");
	assert_string_equal(e.what, "no errno");
	assert_int_equal(e.sys, 0);
	assert_int_equal(err_set(NULL, ERR_USAGE, 0, "nobody asks"), -1);
	assert_int_equal(err_prefix(NULL, "nobody asks"), -1);
}

static void test_own_words_as_arguments(void **state)
{
	(void)state;
	struct err e = { 0 };
	err_set(&e, ERR_USAGE, 0, "inner");
	err_set(&e, ERR_USAGE, 0, "outer: %s", e.what);
	assert_string_equal(e.what, "outer: inner");
	assert_int_equal(err_prefix(&e, "[%s]", e.what), -1);
	assert_string_equal(e.what, "[outer: inner]: outer: inner");
}

static void test_too_long(void **state)
{
	(void)state;
	struct err e = { 0 };
	char long_text[2000];
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	err_set(&e, ERR_LOCAL, EIO, "%s", long_text);
	assert_int_equal(strlen(e.what), sizeof e.what - 1);
	err_set(&e, ERR_LOCAL, EIO, "%.505s", long_text);
	assert_string_equal(e.what + 505, ": Inpu");
	for (int n = 0; n < 520; n++) { /* every way in which a prefix can be too long */
		err_set(&e, ERR_LOCAL, 0, "tail");
		err_prefix(&e, "%.*s", n, long_text);
		assert_true(strlen(e.what) < sizeof e.what);
		assert_memory_equal(e.what, long_text, n < 511 ? (size_t)n : 511);
		if (n < 500)
			assert_string_equal(e.what + n, ": tail");
	}
	memset(e.what, 'y', sizeof e.what); /* without its NUL */
	err_prefix(&e, "p");
	assert_int_equal(strlen(e.what), sizeof e.what - 1);
}

static enum err_class kept(enum err_class first, enum err_class then)
{
	struct err fixture = { .cls = first }, now = { .cls = then };
	err_keep(&fixture, &now);
	return fixture.cls;
}

static void test_which_is_reported(void **state)
{
	(void)state;
	assert_int_equal(kept(ERR_OK, ERR_LOST), ERR_LOST);
	assert_int_equal(kept(ERR_LOST, ERR_OK), ERR_LOST);
	assert_int_equal(kept(ERR_LOST, ERR_LOCAL), ERR_LOST); /* the first in time */
	assert_int_equal(kept(ERR_LOST, ERR_MISMATCH), ERR_MISMATCH);
	assert_int_equal(kept(ERR_LOST, ERR_BUG), ERR_BUG);
	assert_int_equal(kept(ERR_MISMATCH, ERR_BUG), ERR_MISMATCH);
	assert_int_equal(kept(ERR_MISMATCH, ERR_LOST), ERR_MISMATCH);
}

/* Exit codes are promised to scripts: no number may ever change its meaning. */
static void test_classes(void **state)
{
	(void)state;
	static const struct {
		int code;
		const char *name;
	} want[] = { { 0, "ok" }, { 1, "network" }, { 2, "usage" }, { 3, "resolve" }, { 4, "connect" }, { 5, "timeout" },
		{ 6, "tls" }, { 7, "lost" }, { 8, "mismatch" }, { 9, "local" }, { 10, "listen" }, { 70, "bug" },
		{ 141, "pipe" } };
	size_t n = 0;
	for (const struct err_row *r = err_rows; r->name != NULL; r++, n++) {
		assert_int_equal(r->cls, want[n].code);
		assert_string_equal(r->name, want[n].name);
		assert_string_equal(err_class_name(r->cls), want[n].name);
		assert_true(strlen(r->meaning) > 0);
	}
	assert_int_equal(n, sizeof want / sizeof want[0]);
	assert_non_null(err_class_name((enum err_class)99));
}

static void test_why(void **state)
{
	(void)state;
	struct err e = { 0 };
	char text[16];
	const struct why lost = { ERR_LOST, OF_PEER, ECONNRESET, "receive from" },
			 full = { ERR_LOCAL, 0, ENOSPC, "write stdout" };
	assert_int_equal(err_why(&e, &lost, "10.0.0.1:80"), -1);
	assert_string_equal(e.what, "receive from 10.0.0.1:80: Connection reset by peer");
	assert_int_equal(e.cls, ERR_LOST);
	assert_int_equal(e.sys, ECONNRESET);
	err_why(&e, &lost, NULL);
	assert_string_equal(e.what, "receive from the peer: Connection reset by peer");
	err_why(&e, &full, "10.0.0.1:80");
	assert_string_equal(e.what, "write stdout: No space left on device");
	assert_string_equal(why_text(&lost, "10.0.0.1:80", text, sizeof text), "receive from 10");
	assert_int_equal(sizeof(struct why), sizeof(int) * 2 + sizeof(char *));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_own_words_as_arguments),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_which_is_reported),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_why),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
