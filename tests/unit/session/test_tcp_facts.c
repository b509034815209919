/* What is made of the system's figures of a connection; which figures it gives is tests/cli/session/test_tcp_facts.py. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session/tcp_facts.h"

static void test_the_longest_time_decides(void **state)
{
	(void)state;
	enum { ALL = 1000 };
	static const struct {
		struct tcp_facts facts;
		const char *limit;
	} cases[] = {
		{ { 0 }, "application" }, { { .busy_us = 499 }, "application" }, { { .busy_us = 501 }, "network" },
		{ { .busy_us = 900, .reader_us = 500 }, "reader" },
		{ { .busy_us = 900, .reader_us = 300, .window_us = 200 }, "network" },
		{ { .busy_us = 900, .reader_us = 200, .window_us = 600 }, "window" },
		{ { .busy_us = 300, .reader_us = 150, .window_us = 150 }, "application" },
		{ { .busy_us = 1200, .reader_us = 1200 }, "reader" }, /* the handshake came before the session */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(tcp_facts_limit(&cases[i].facts, ALL), cases[i].limit);
}

static void test_words(void **state)
{
	(void)state;
	char out[TCP_FACTS_WORDS];
	const struct tcp_facts nothing = { 0 }, bare = { .known = true, .rtt_us = 1500, .retrans = 1 },
			       most = { .known = true, .rtt_us = UINT32_MAX, .retrans = UINT32_MAX, .limited = "application" };
	assert_string_equal(tcp_facts_words(&nothing, out), "");
	assert_string_equal(tcp_facts_words(&bare, out), "; rtt 1.500 ms, 1 segment sent again");
	assert_string_equal(tcp_facts_words(&most, out),
		"; rtt 4294967.295 ms, 4294967295 segments sent again, sending limited by the application");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_longest_time_decides),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
