/* Numeric addresses: every form in and out, and what is not one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "guard.h"
#include "net/sockaddr.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char *lo(void)
{
	static char name[IF_NAMESIZE];
	return if_indextoname(1, name) == NULL ? "1" : name;
}

static void texts_come_back(void **state)
{
	(void)state;
	static const struct {
		const char *in, *host, *text;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1", "127.0.0.1:80" },
		{ "255.255.255.255", "255.255.255.255", "255.255.255.255:80" },
		{ "::1", "::1", "[::1]:80" },
		{ "2001:DB8::0:1", "2001:db8::1", "[2001:db8::1]:80" },
		{ "::ffff:10.1.2.3", "10.1.2.3", "10.1.2.3:80" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80" },
	};
	struct guard g = { 0 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sa sa;
		char out[SA_TEXT];
		assert_true(sa_parse(&sa, guard_text(&g, rows[i].in), 80));
		assert_string_equal(sa_host(&sa, out), rows[i].host);
		assert_string_equal(sa_text(&sa, out), rows[i].text);
		assert_int_equal(sa_port(&sa), 80);
	}
	guard_free(&g);
}

static void others_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "localhost", ":", "::1::", "[::1]",
		"::1 ", " ::1", "fe80::1%", "fe80::1%nosuchinterface", "fe80::1%99999999999", "127.0.0.1%lo", "1:2:3:4:5:6:7:8:9",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };
	struct guard g = { 0 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sa sa = { .family = 99 };
		if (sa_parse(&sa, guard_text(&g, rows[i]), 80))
			fail_msg("\"%s\" was taken", rows[i]);
		assert_int_equal(sa.family, 0);
	}
	guard_free(&g);
}

static void scopes_have_names(void **state)
{
	(void)state;
	struct sa by_name, by_number, none;
	char in[64], out[SA_TEXT], expected[SA_TEXT];
	snprintf(in, sizeof in, "fe80::1%%%s", lo());
	snprintf(expected, sizeof expected, "[fe80::1%%%s]:7", lo());
	assert_true(sa_parse(&by_name, in, 7));
	assert_true(sa_parse(&by_number, "fe80::1%1", 7));
	assert_true(sa_parse(&none, "fe80::1", 7));
	assert_string_equal(sa_text(&by_name, out), expected);
	assert_true(sa_equal(&by_name, &by_number));
	assert_false(sa_equal(&by_name, &none));
	assert_true(sa_parse(&none, "fe80::1%123456", 7));
	assert_string_equal(sa_text(&none, out), "[fe80::1%123456]:7");
}

static void equal_is_address_port_and_scope(void **state)
{
	(void)state;
	struct sa a, b;
	assert_true(sa_parse(&a, "::1", 1) && sa_parse(&b, "::1", 1));
	((struct sockaddr_in6 *)(void *)b.b)->sin6_flowinfo = 77;
	assert_true(sa_equal(&a, &b));
	sa_set_port(&b, 2);
	assert_int_equal(sa_port(&b), 2);
	assert_false(sa_equal(&a, &b));
	assert_true(sa_parse(&b, "127.0.0.1", 1));
	assert_false(sa_equal(&a, &b));
	assert_true(sa_parse(&a, "::ffff:127.0.0.1", 1));
	assert_true(sa_equal(&a, &b));
}

static void kinds_of_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		bool loopback, any;
	} rows[] = {
		{ "127.0.0.1", true, false },
		{ "127.255.0.9", true, false },
		{ "::1", true, false },
		{ "::ffff:127.0.0.1", true, false },
		{ "128.0.0.1", false, false },
		{ "0.0.0.0", false, true },
		{ "::", false, true },
		{ "::2", false, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sa sa;
		assert_true(sa_parse(&sa, rows[i].in, 0));
		assert_int_equal(sa_loopback(&sa), rows[i].loopback);
		assert_int_equal(sa_any(&sa), rows[i].any);
	}
}

static void system_structs_go_through(void **state)
{
	(void)state;
	static const char *const rows[] = { "10.0.0.7", "2001:db8::7" };
	for (size_t i = 0; i < 2; i++) {
		struct sa sa, back;
		struct sockaddr_storage ss;
		assert_true(sa_parse(&sa, rows[i], 8080));
		socklen_t len = sa_to(&sa, &ss);
		assert_int_equal(ss.ss_family, sa.family);
		sa_from(&back, (const struct sockaddr *)&ss, len);
		assert_true(sa_equal(&sa, &back));
		sa_from(&back, (const struct sockaddr *)&ss, len - 1); /* a kernel never cuts it; a cut one is none */
		assert_int_equal(back.family, 0);
	}
	struct sa sa;
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/tmp/x" };
	char out[SA_TEXT];
	sa_from(&sa, (const struct sockaddr *)&un, sizeof un);
	assert_int_equal(sa.family, AF_UNIX);
	assert_int_equal(sa.len, 0);
	assert_string_equal(sa_text(&sa, out), "unix");
	sa_from(&sa, (const struct sockaddr *)&un, 0);
	assert_int_equal(sa.family, 0);
	assert_string_equal(sa_text(&sa, out), "unknown");
}

static void sockets_know_theirs(void **state)
{
	(void)state;
	struct sa want, local, remote;
	struct sockaddr_storage ss;
	int fd = sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(sa_parse(&want, "127.0.0.1", 0));
	socklen_t len = sa_to(&want, &ss);
	assert_int_equal(sys_bind(fd, (const struct sockaddr *)&ss, len), 0);
	sa_of(&local, fd, false);
	assert_true(sa_port(&local) != 0);
	sa_of(&remote, fd, true);
	assert_int_equal(remote.family, 0);
	sys_close(fd);
	sa_of(&local, -1, false);
	assert_int_equal(local.family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_come_back),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(scopes_have_names),
		cmocka_unit_test(equal_is_address_port_and_scope),
		cmocka_unit_test(kinds_of_addresses),
		cmocka_unit_test(system_structs_go_through),
		cmocka_unit_test(sockets_know_theirs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
