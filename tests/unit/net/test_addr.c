/* ADDRESS: every form a user may write, and for each wrong one the word and the expectation in the sentence. Inputs end where
 * memory ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "net/addr.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { U = 1, V4 = 2, V6 = 4, P = 8, LOCAL = 16 }; /* -u -4 -6 -U --local */

static struct addr_conf conf_of(unsigned options)
{
	return (struct addr_conf){
		.udp = options & U, .v4 = options & V4, .v6 = options & V6, .unix_path = options & P, .local = options & LOCAL
	};
}

static int parse(struct addr *a, unsigned options, unsigned flags, const char *one, const char *two, struct err *e)
{
	static struct guard first, second;
	struct addr_conf conf = conf_of(options);
	char *argv[3] = { NULL };
	int argc = 0, used = 0;
	if (one != NULL)
		argv[argc++] = guard_text(&first, one);
	if (two != NULL)
		argv[argc++] = guard_text(&second, two);
	int r = addr_parse(a, &conf, flags, argc, argv, &used, e);
	if (r == 0)
		assert_int_equal(used, argc);
	return r;
}

static const struct good {
	unsigned options, flags;
	const char *one, *two;
	enum addr_kind kind;
	sa_family_t family;
	const char *host;
	uint16_t port;
	const char *text;
} good[] = {
	{ 0, 0, "example.org", "80", ADDR_TCP, AF_UNSPEC, "example.org", 80, "example.org:80" },
	{ 0, 0, "example.org:80", NULL, ADDR_TCP, AF_UNSPEC, "example.org", 80, "example.org:80" },
	{ V4, 0, "example.org:80", NULL, ADDR_TCP, AF_INET, "example.org", 80, "example.org:80" },
	{ U | V6, 0, "example.org", "80", ADDR_UDP, AF_INET6, "example.org", 80, "example.org:80" },
	{ 0, 0, "127.0.0.1:65535", NULL, ADDR_TCP, AF_INET, "127.0.0.1", 65535, "127.0.0.1:65535" },
	{ V4, 0, "127.0.0.1:1", NULL, ADDR_TCP, AF_INET, "127.0.0.1", 1, "127.0.0.1:1" },
	{ 0, 0, "[::1]:80", NULL, ADDR_TCP, AF_INET6, "::1", 80, "[::1]:80" },
	{ 0, 0, "::1", "7000", ADDR_TCP, AF_INET6, "::1", 7000, "[::1]:7000" },
	{ 0, 0, "[::1]", "7000", ADDR_TCP, AF_INET6, "::1", 7000, "[::1]:7000" },
	{ 0, 0, "fe80::1%1", "80", ADDR_TCP, AF_INET6, "fe80::1%1", 80, "[fe80::1%1]:80" },
	{ 0, 0, "[fe80::1%1]:80", NULL, ADDR_TCP, AF_INET6, "fe80::1%1", 80, "[fe80::1%1]:80" },
	{ 0, 0, "tcp://[fe80::1%251]:80", NULL, ADDR_TCP, AF_INET6, "fe80::1%1", 80, "[fe80::1%1]:80" },
	{ 0, 0, "tcp://[fe80::1%25%31]:80", NULL, ADDR_TCP, AF_INET6, "fe80::1%1", 80, "[fe80::1%1]:80" },
	{ 0, 0, "udp6://[fe80::1%2525]:80/", NULL, ADDR_UDP, AF_INET6, "fe80::1%25", 80, "[fe80::1%25]:80" },
	{ 0, 0, "tls://[fe80::1%25]:80", NULL, ADDR_TCP, AF_INET6, "fe80::1%25", 80, "[fe80::1%25]:80" },
	{ 0, 0, "tcp://[fe80::1%1]:80", NULL, ADDR_TCP, AF_INET6, "fe80::1%1", 80, "[fe80::1%1]:80" },
	{ 0, 0, "[fe80::1%25]:80", NULL, ADDR_TCP, AF_INET6, "fe80::1%25", 80, "[fe80::1%25]:80" },
	{ 0, 0, "tcp://localhost:http", NULL, ADDR_TCP, AF_UNSPEC, "localhost", 80, "localhost:80" },
	{ 0, 0, "TCP://localhost:80/", NULL, ADDR_TCP, AF_UNSPEC, "localhost", 80, "localhost:80" },
	{ 0, 0, "tcp4://localhost:80", NULL, ADDR_TCP, AF_INET, "localhost", 80, "localhost:80" },
	{ V6, 0, "tcp6://[::1]:80/", NULL, ADDR_TCP, AF_INET6, "::1", 80, "[::1]:80" },
	{ 0, 0, "udp://h:53", NULL, ADDR_UDP, AF_UNSPEC, "h", 53, "h:53" },
	{ U, 0, "udp4://h:domain", NULL, ADDR_UDP, AF_INET, "h", 53, "h:53" },
	{ U, 0, "udp6://h:53", NULL, ADDR_UDP, AF_INET6, "h", 53, "h:53" },
	{ 0, ADDR_SERVER, "7000", NULL, ADDR_TCP, AF_UNSPEC, "", 7000, "*:7000" },
	{ 0, ADDR_SERVER, "0", NULL, ADDR_TCP, AF_UNSPEC, "", 0, "*:0" },
	{ 0, ADDR_SERVER, "http", NULL, ADDR_TCP, AF_UNSPEC, "", 80, "*:80" },
	{ U | V4, ADDR_SERVER, "7000", NULL, ADDR_UDP, AF_INET, "", 7000, "*:7000" },
	{ 0, ADDR_SERVER, ":7000", NULL, ADDR_TCP, AF_UNSPEC, "", 7000, "*:7000" },
	{ 0, ADDR_SERVER, "*:7000", NULL, ADDR_TCP, AF_UNSPEC, "", 7000, "*:7000" },
	{ 0, ADDR_SERVER, "udp://:7000", NULL, ADDR_UDP, AF_UNSPEC, "", 7000, "*:7000" },
	{ LOCAL, ADDR_SERVER, "7000", NULL, ADDR_TCP, AF_UNSPEC, "", 7000, "localhost:7000" },
	{ LOCAL, ADDR_SERVER, "127.0.0.2:7000", NULL, ADDR_TCP, AF_INET, "127.0.0.2", 7000, "127.0.0.2:7000" },
	{ LOCAL, ADDR_SERVER, "localhost", "7000", ADDR_TCP, AF_UNSPEC, "localhost", 7000, "localhost:7000" },
	{ 0, ADDR_SERVER, "0.0.0.0", "0", ADDR_TCP, AF_INET, "0.0.0.0", 0, "0.0.0.0:0" },
	{ 0, 0, "systemd", "80", ADDR_TCP, AF_UNSPEC, "systemd", 80, "systemd:80" },
};

/* The smallest systems have no /etc/services. */
static bool no_services(const char *word)
{
	return getservbyname("http", "tcp") == NULL && (strstr(word, "http") != NULL || strstr(word, "domain") != NULL);
}

static void addresses_are_read(void **state)
{
	(void)state;
	for (const struct good *g = good; g < good + sizeof good / sizeof *good; g++) {
		struct addr a;
		if (no_services(g->one))
			continue;
		struct err e = { 0 };
		if (parse(&a, g->options, g->flags, g->one, g->two, &e) != 0)
			fail_msg("%s: %s", g->one, e.what);
		assert_int_equal(a.kind, g->kind);
		assert_int_equal(a.family, g->family);
		assert_string_equal(a.host, g->host);
		assert_int_equal(a.port, g->port);
		assert_string_equal(a.text, g->text);
		assert_int_equal(a.any, *g->host == '\0');
		assert_int_equal(a.loopback, a.any && (g->options & LOCAL) != 0);
		assert_int_equal(addr_dgram(&a), g->kind == ADDR_UDP);
		assert_false(addr_local(&a));
		assert_null(a.ports);
	}
}

static const struct bad {
	unsigned options, flags;
	const char *one, *two, *says;
} bad[] = {
	{ 0, 0, NULL, NULL, "the address is missing; expected HOST PORT" },
	{ 0, ADDR_SERVER, NULL, NULL, "the address is missing; expected PORT" },
	{ 0, 0, "", NULL, "empty" },
	{ 0, 0, "7000", NULL, "\"7000\": the host is missing; expected HOST PORT or HOST:PORT" },
	{ 0, 0, ":7000", NULL, "the host is missing" },
	{ 0, 0, "*:7000", NULL, "the host is missing" },
	{ 0, 0, "example.org", NULL, "\"example.org\": the port is missing" },
	{ 0, 0, "example.org:", NULL, "the port is missing" },
	{ 0, 0, "/run/x.sock", NULL, "a path is written unix:PATH" },
	{ 0, ADDR_SERVER, "./x.sock", NULL, "a path is written unix:PATH" },
	{ 0, 0, "example.org", "", "the port is missing" },
	{ 0, 0, "tcp://example.org", NULL, "the port is missing; expected SCHEME://HOST:PORT" },
	{ 0, 0, "tcp://example.org/", "80", "the port is missing" },
	{ 0, 0, "tcp://", NULL, "missing" },
	{ 0, 0, "[::1]", NULL, "the port is missing" },
	{ 0, 0, "[::1]:", NULL, "the port is missing" },
	{ 0, 0, "[::1", NULL, "] after the IPv6 address is missing" },
	{ 0, 0, "[::1]80", NULL, "expected :PORT after ]" },
	{ 0, 0, "[]:80", NULL, "between [ and ]" },
	{ 0, 0, "[127.0.0.1]:80", NULL, "expected an IPv6 address" },
	{ 0, 0, "[::g]:80", NULL, "no IPv6 address" },
	{ 0, 0, "::1:7000", NULL, "write [::1]:7000" },
	{ 0, ADDR_SERVER, "::1:7000", NULL, "write [::1]:7000" },
	{ 0, 0, "fe80::1:80", NULL, "ambiguous: write [fe80::1]:80 if 80 is the port, or [fe80::1:80]:PORT" },
	{ 0, 0, "1:2:3:4:5:6:7:8:80", NULL, "write [1:2:3:4:5:6:7:8]:80" },
	{ 0, 0, "1:2:3:4:5:6:7:8", NULL, "expected [1:2:3:4:5:6:7:8]:PORT" },
	{ 0, 0, "tcp:localhost:80", NULL, "too many colons" },
	{ 0, 0, "a:b:c", "80", "a name has no colon" },
	{ 0, 0, "h:65536", NULL, "address \"h:65536\": got \"65536\", expected a port from 0 to 65535" },
	{ 0, 0, "h:-1", NULL, "got \"-1\"" },
	{ 0, 0, "h:80x", NULL, "got \"80x\"" },
	{ 0, 0, "h: 80", NULL, "got \" 80\"" },
	{ 0, 0, "h:0", NULL, "port 0 cannot be connected to" },
	{ 0, 0, "tcp://h:80//", NULL, "got \"80/\"" },
	{ 0, 0, "tcp://h:80/index.html", NULL, "got \"80/index.html\"" },
	{ 0, 0, "h:80/", NULL, "got \"80/\"" },
	{ 0, 0, "h:000000000000000000000000000000000000000000000000000000000000000080", NULL, "expected a port" },
	{ 0, 0, "7000", "80", "\"7000\" is a number and no host" },
	{ 0, 0, "ana@h:80", NULL, "a character that no name has" },
	{ 0, 0, "a b:80", NULL, "a character that no name has" },
	{ 0, 0, "a\x1b[2J:80", NULL, "address \"a\\x1b[2J:80\"" },
	{ 0, 0, "fe80::1%nosuchinterface", "80", "no interface" },
	{ 0, 0, "[fe80::1%]:80", NULL, "no interface" },
	{ 0, 0, "gopher://h:80", NULL, "unknown scheme; expected tcp, tcp4" },
	{ 0, 0, "http://h:80", NULL, "sockctl speaks no http, it connects; write tcp://h:80" },
	{ 0, 0, "HTTPS://ana:secret@h/p?q", NULL,
		"address \"HTTPS://ana:***@h/p?q\": sockctl speaks no https, it connects; write tls://h:443" },
	{ 0, 0, "wss://[::1]/", NULL, "write tls://[::1]:443" },
	{ 0, 0, "http://", NULL, "write tcp://HOST:80" },
	{ 0, 0, "http://h:", NULL, "write tcp://h:80" },
	{ 0, 0, "ssl://h", NULL, "write tls://h:PORT" },
	{ 0, 0, "tcp://[fe80::1%25nosuchinterface]:80", NULL, "no interface" },
	{ 0, ADDR_SERVER, "localhost", NULL, "no service has that name; expected PORT, HOST PORT or HOST:PORT" },
	{ 0, ADDR_SERVER, "70000", NULL, "got \"70000\", expected a port" },
	{ 0, 0, "h:80", "81", "unexpected word \"81\" after it" },
	{ 0, 0, "tcp://h:80", "81", "unexpected word" },
	{ P, 0, "/tmp/s", "81", "unexpected word" },
	{ V4, 0, "[::1]:80", NULL, "the host is an IPv6 address, but IPv4 was asked for" },
	{ V6, 0, "127.0.0.1:80", NULL, "the host is an IPv4 address, but IPv6 was asked for" },
	{ 0, 0, "tcp4://[::1]:80", NULL, "IPv4 was asked for" },
	{ 0, 0, "udp6://127.0.0.1:80", NULL, "IPv6 was asked for" },
	{ U, 0, "tcp://h:80", NULL, "\"tcp://h:80\": -u contradicts it" },
	{ V4, 0, "tcp6://h:80", NULL, "-4 contradicts it" },
	{ V6, 0, "udp4://h:80", NULL, "-6 contradicts it" },
	{ P, 0, "tcp://h:80", NULL, "-U contradicts it" },
	{ U, 0, "unix:/tmp/s", NULL, "-u contradicts it" },
	{ V4, 0, "unix:/tmp/s", NULL, "-4 contradicts it" },
	{ U, 0, "fd:3", NULL, "-u contradicts it" },
	{ LOCAL, 0, "h:80", NULL, "--local" },
	{ LOCAL, ADDR_SERVER, "0.0.0.0:80", NULL, "this host is not loopback" },
	{ 0, 0, "unix:", NULL, "the path is missing" },
	{ 0, 0, "unix:@", NULL, "the name after @ is missing" },
	{ 0, 0, "fd:", NULL, "expected fd:N" },
	{ 0, 0, "fd:-1", NULL, "expected fd:N" },
	{ 0, 0, "fd:3x", NULL, "expected fd:N" },
	{ 0, ADDR_RANGES, "h:80,", NULL, "got \"\"" },
	{ 0, ADDR_RANGES, "h:30-20", NULL, "got \"20\", expected a whole number from 30 to 65535" },
	{ 0, ADDR_RANGES, "h:0-20", NULL, "got \"0\"" },
	{ 0, ADDR_RANGES, "h:0", NULL, "got \"0\"" },
	{ 0, ADDR_RANGES, "h", "20-", "got \"\"" },
	{ 0, ADDR_RANGES, "h", "20-30-40", "got \"30-40\"" },
	{ 0, 0, "h:20-30", NULL, "got \"20-30\"" },
};

static void mistakes_are_named(void **state)
{
	(void)state;
	for (const struct bad *b = bad; b < bad + sizeof bad / sizeof *bad; b++) {
		struct addr a;
		struct err e = { 0 };
		if (parse(&a, b->options, b->flags, b->one, b->two, &e) == 0)
			fail_msg("\"%s\" was taken", b->one);
		assert_int_equal(e.cls, ERR_USAGE);
		if (strstr(e.what, b->says) == NULL)
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", b->one == NULL ? "" : b->one, e.what, b->says);
	}
}

static void lengths_are_bounded(void **state)
{
	(void)state;
	char word[4096];
	struct addr a;
	struct err e;
	for (size_t n = 1; n < sizeof word; n += n < 300 ? 1 : 97) {
		memset(word, 'a', n);
		word[n] = '\0';
		assert_int_equal(parse(&a, 0, 0, word, "80", &e) == 0, n <= 253);
		assert_int_equal(parse(&a, P, 0, word, NULL, &e) == 0, n < sizeof a.path);
		word[0] = '@';
		assert_int_equal(parse(&a, P, 0, word, NULL, &e) == 0, n > 1 && n <= sizeof a.path);
		memset(word, ':', n);
		assert_int_equal(parse(&a, 0, 0, word, NULL, &e), -1);
		memset(word, '\x1b', n); /* each becomes four when it is shown */
		assert_int_equal(parse(&a, 0, 0, word, NULL, &e), -1);
		assert_int_equal(parse(&a, P, 0, word, NULL, &e) == 0, n < sizeof a.path);
	}
}

static void paths_and_names(void **state)
{
	(void)state;
	static const struct {
		unsigned options;
		const char *word, *text;
		enum addr_kind kind;
		size_t path_len;
	} rows[] = {
		{ 0, "unix:/tmp/s", "unix:/tmp/s", ADDR_UNIX, 6 },
		{ 0, "UNIX:s", "unix:s", ADDR_UNIX, 1 },
		{ P, "unix:/tmp/s", "unix:/tmp/s", ADDR_UNIX, 6 },
		{ P, "7000", "unix:7000", ADDR_UNIX, 4 },
		{ P | U, "/tmp/s", "unix-dgram:/tmp/s", ADDR_UNIX_DGRAM, 6 },
		{ U, "unix-dgram:/tmp/s", "unix-dgram:/tmp/s", ADDR_UNIX_DGRAM, 6 },
		{ P | U, "unix-dgram:/tmp/s", "unix-dgram:/tmp/s", ADDR_UNIX_DGRAM, 6 },
		{ 0, "unix:/tmp/a\nb", "unix:/tmp/a\\nb", ADDR_UNIX, 8 },
#ifdef __linux__
		{ 0, "unix:@name", "unix:@name", ADDR_UNIX, 5 },
		{ P, "@name", "unix:@name", ADDR_UNIX, 5 },
#endif
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addr a;
		struct err e = { 0 };
		struct sockaddr_un un;
		if (parse(&a, rows[i].options, 0, rows[i].word, NULL, &e) != 0)
			fail_msg("%s: %s", rows[i].word, e.what);
		bool abstract = a.path[0] == '\0';
		assert_int_equal(a.kind, rows[i].kind);
		assert_string_equal(a.text, rows[i].text);
		assert_int_equal(a.path_len, rows[i].path_len);
		assert_int_equal(addr_unix(&a, &un), offsetof(struct sockaddr_un, sun_path) + a.path_len + !abstract);
		assert_memory_equal(un.sun_path, a.path, a.path_len);
		assert_int_equal(addr_dgram(&a), a.kind == ADDR_UNIX_DGRAM);
		assert_true(addr_local(&a));
	}
}

static void descriptors(void **state)
{
	(void)state;
	struct addr a;
	struct err e;
	char pid[24];
	int pair[2];
	assert_int_equal(parse(&a, 0, 0, "fd:17", NULL, &e), 0);
	assert_int_equal(a.fd, 17);
	assert_int_equal(a.fds, 1);
	assert_string_equal(a.text, "fd:17");
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	a.fd = pair[0];
	assert_true(addr_dgram(&a));
	close(pair[0]);
	close(pair[1]);

	unsetenv("LISTEN_PID");
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd", NULL, &e), -1);
	assert_non_null(strstr(e.what, "$LISTEN_PID"));
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "4", 1);
	setenv("LISTEN_FDNAMES", "web:web:ctl:web", 1);
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd", NULL, &e), -1);
	assert_non_null(strstr(e.what, "another process"));
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("LISTEN_PID", pid, 1);
	assert_int_equal(parse(&a, 0, 0, "systemd", NULL, &e), -1);
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd", NULL, &e), 0);
	assert_int_equal(a.fd, 3);
	assert_int_equal(a.fds, 4);
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd:ctl", NULL, &e), 0);
	assert_int_equal(a.fd, 5);
	assert_int_equal(a.fds, 1);
	assert_string_equal(a.text, "systemd:ctl");
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd:web", NULL, &e), -1);
	assert_non_null(strstr(e.what, "do not stand together"));
	setenv("LISTEN_FDS", "2", 1); /* the names beyond belong to none */
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd:web", NULL, &e), 0);
	assert_int_equal(a.fds, 2);
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd:ctl", NULL, &e), -1);
	setenv("LISTEN_FDS", "x", 1);
	assert_int_equal(parse(&a, 0, ADDR_SERVER, "systemd", NULL, &e), -1);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static void port_ranges(void **state)
{
	(void)state;
	struct addr a;
	struct err e;
	uint16_t first = 0, last = 0;
	assert_int_equal(parse(&a, 0, ADDR_RANGES, "h", "20-30,8080,65535", &e), 0);
	assert_int_equal(a.port, 20);
	assert_string_equal(a.ports, "20-30,8080,65535");
	assert_string_equal(a.text, "h:20-30,8080,65535");
	const char *at = a.ports;
	assert_int_equal(addr_range(&at, "tcp", &first, &last, &e), 1);
	assert_true(first == 20 && last == 30);
	assert_int_equal(addr_range(&at, "tcp", &first, &last, &e), 1);
	assert_true(first == 8080 && last == 8080);
	assert_int_equal(addr_range(&at, "tcp", &first, &last, &e), 1);
	assert_true(first == 65535 && last == 65535);
	assert_int_equal(addr_range(&at, "tcp", &first, &last, &e), 0);
	assert_int_equal(parse(&a, 0, ADDR_RANGES, "[::1]:80", NULL, &e), 0);
	assert_string_equal(a.ports, "80");
}

static void options_that_contradict(void **state)
{
	(void)state;
	static const unsigned rows[] = { V4 | V6, P | V4, P | V6 };
	struct err e;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addr_conf conf = conf_of(rows[i]);
		assert_int_equal(addr_opts.check(&conf, &e), -1);
		assert_int_equal(e.cls, ERR_USAGE);
	}
	struct addr_conf conf = conf_of(U | P);
	assert_int_equal(addr_opts.check(&conf, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(paths_and_names),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(port_ranges),
		cmocka_unit_test(options_that_contradict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
