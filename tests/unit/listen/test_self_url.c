/* How a client on this host finds a server: loopback in place of a wildcard, Unix sockets by the names that they have. */
#include "listening.h"

#include "listen/self_url.h"

/* url: all of it but the port. */
static void reached(const char *address, const char *host, const char *url)
{
	struct self_url r;
	char want[160];
	struct addr a = parse(address);
	MUST(listeners_open(&p.l, &p.run, &a, 1, &p.e));
	self_url_of(&r, &p.l, &a);
	assert_string_equal(r.host, host);
	int n = snprintf(want, sizeof want, "%s", url);
	if (p.l.port != 0)
		snprintf(want + n, sizeof want - (size_t)n, "%u", (unsigned)p.l.port);
	assert_string_equal(r.url, want);
	assert_int_equal(strtol(r.port, NULL, 10), p.l.port);
	listeners_close(&p.l);
}

static void by_number(void **state)
{
	(void)state;
	reached("127.0.0.1:0", "127.0.0.1", "tcp://127.0.0.1:");
	reached("0", "127.0.0.1", "tcp://127.0.0.1:");
	reached("tcp4://0.0.0.0:0", "127.0.0.1", "tcp://127.0.0.1:");
	reached("udp4://127.0.0.1:0", "127.0.0.1", "udp://127.0.0.1:");
	reached("127.1.2.3:0", "127.1.2.3", "tcp://127.1.2.3:");
}

static void by_name(void **state)
{
	(void)state;
	char address[100];
	snprintf(address, sizeof address, "unix:%s", p.path);
	reached(address, "", address);
	snprintf(address, sizeof address, "unix-dgram:%s", p.path);
	reached(address, "", address);
#ifdef __linux__
	snprintf(address, sizeof address, "unix:@%s", p.path);
	reached(address, "", address);
#endif
}

static void nowhere(void **state)
{
	(void)state;
	struct self_url r;
	struct listeners none = { .n = 0 };
	struct addr a = parse("0");
	self_url_of(&r, &none, &a);
	assert_string_equal(r.url, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_number, setup, teardown),
		cmocka_unit_test_setup_teardown(by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(nowhere, setup, teardown),
	};
	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
