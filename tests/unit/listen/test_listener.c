/* Listening on real sockets: one port for all addresses, a machine without IPv6, and sockets that were open before us. */
#include "listening.h"

#include <netinet/in.h>

static bool has_ipv6(void)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&six, sizeof six) == 0;
	if (fd >= 0)
		close(fd);
	return has;
}

static void both_families_have_one_port(void **state)
{
	(void)state;
	static const char *const words[] = { "0", "udp://:0" };
	for (size_t i = 0; i < 2; i++) {
		MUST(listen_at(words[i]));
		assert_int_equal(p.l.n, has_ipv6() ? 2 : 1);
		assert_true(p.l.port != 0 && p.l.chosen);
		for (unsigned k = 0; k < p.l.n; k++) {
			const struct listener *one = &p.l.v[k];
			struct sa back = one->local;
			struct sockaddr_storage ss;
			assert_int_equal(sa_port(&one->local), p.l.port);
			assert_true(sa_any(&one->local));
			assert_int_equal(one->dgram, i == 1);
			assert_true(fcntl(one->fd, F_GETFL) & O_NONBLOCK);
			sa_parse(&back, back.family == AF_INET ? "127.0.0.1" : "::1", p.l.port);
			socklen_t len = sa_to(&back, &ss);
			assert_int_equal(connect_to((struct sockaddr *)&ss, len, i == 1 ? SOCK_DGRAM : SOCK_STREAM), 0);
		}
		listeners_close(&p.l);
		listeners_close(&p.l);
		assert_int_equal(p.l.v[0].fd, -1);
	}
}

static int clashes;
static int some_clash(enum sys_call call, int fd, size_t *most_bytes)
{
	static unsigned binds;
	(void)fd;
	(void)most_bytes;
	return call == SYS_BIND && ++binds % 2 == 0 && clashes-- > 0 ? EADDRINUSE : 0;
}

static void a_taken_port_is_chosen_again(void **state)
{
	(void)state;
	if (!has_ipv6())
		skip();
	clashes = 20;
	sys_gate = some_clash;
	MUST(listen_at("0"));
	assert_int_equal(p.l.n, 2);
	assert_int_equal(sa_port(&p.l.v[0].local), sa_port(&p.l.v[1].local));
	listeners_close(&p.l);
	clashes = 1000;
	assert_int_equal(listen_at("0"), -1);
	assert_int_equal(p.e.cls, ERR_LISTEN);
	assert_int_equal(p.e.sys, EADDRINUSE);
}

static int absent_errno;
static int no_ipv6(enum sys_call call, int fd, size_t *most_bytes)
{
	int family = 0;
	socklen_t len = sizeof family;
	(void)most_bytes;
	if (call != SYS_BIND || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0)
		return 0;
	return family == AF_INET6 ? absent_errno : 0;
}

static void without_ipv6_ipv4_alone(void **state)
{
	(void)state;
	static const char *const words[] = { "0", "localhost:0" };
	sys_gate = no_ipv6;
	for (int i = 0; i < 2; i++) {
		absent_errno = EADDRNOTAVAIL;
		MUST(listen_at(words[i]));
		assert_int_equal(p.l.n, 1);
		assert_int_equal(p.l.v[0].local.family, AF_INET);
		listeners_close(&p.l);
	}
	absent_errno = EACCES;
	if (has_ipv6())
		assert_int_equal(listen_at("0"), -1);
	absent_errno = EADDRNOTAVAIL;
	assert_int_equal(listen_at("[::1]:0"), -1); /* asked for by name */
	assert_int_equal(p.e.cls, ERR_LISTEN);
}

static void local_is_loopback(void **state)
{
	(void)state;
	MUST(set(&addr_opts, "local", NULL));
	MUST(listen_at("0"));
	for (unsigned i = 0; i < p.l.n; i++)
		assert_true(sa_loopback(&p.l.v[i].local));
}

static void taken_is_taken(void **state)
{
	(void)state;
	struct listeners first;
	char word[32];
	MUST(listen_at("127.0.0.1:0"));
	first = p.l;
	snprintf(word, sizeof word, "127.0.0.1:%u", (unsigned)first.port);
	assert_int_equal(listen_at(word), -1);
	assert_int_equal(p.e.cls, ERR_LISTEN);
	assert_non_null(strstr(p.e.what, word));
	assert_non_null(strstr(p.e.what, "in use"));
	listeners_close(&first);
	MUST(listen_at(word));
	assert_false(p.l.chosen);
}

static void udp_is_never_shared(void **state)
{
	(void)state;
	char word[40];
	MUST(listen_at("udp://127.0.0.1:0"));
	struct listeners first = p.l;
	snprintf(word, sizeof word, "udp://127.0.0.1:%u", (unsigned)first.port);
	assert_int_equal(listen_at(word), -1);
	listeners_close(&first);
}

static void one_socket_for_both_if_asked(void **state)
{
	(void)state;
	if (!has_ipv6())
		skip();
	MUST(set(&sockopt_opts, "sockopt", "v6only=off"));
	MUST(listen_at("0"));
	assert_int_equal(p.l.n, 1);
	struct sockaddr_in four = {
		.sin_family = AF_INET, .sin_port = htons(p.l.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	assert_int_equal(connect_to((struct sockaddr *)&four, sizeof four, SOCK_STREAM), 0);
}

static void options_that_do_not_fit(void **state)
{
	(void)state;
	MUST(set(&sockopt_opts, "sockopt", "nodelay"));
	assert_int_equal(listen_at("udp://127.0.0.1:0"), -1);
	assert_int_equal(p.e.cls, ERR_USAGE);
}

/* --- inherited --- */

static void inherited_sockets(void **state)
{
	(void)state;
	char word[16];
	int pair[2], fd = socket(AF_INET, SOCK_STREAM, 0);
	snprintf(word, sizeof word, "fd:%d", fd);
	assert_int_equal(listen_at(word), -1);
	assert_int_equal(p.e.cls, ERR_USAGE);
	assert_non_null(strstr(p.e.what, "does not listen"));
	assert_int_equal(listen(fd, 1), 0);
	MUST(listen_at(word));
	assert_true(p.l.v[0].inherited && p.l.port != 0 && !p.l.v[0].dgram && !p.l.chosen);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	int shared = dup(fd);
	listeners_close(&p.l);
	assert_int_equal(fcntl(fd, F_GETFL), -1);
	assert_false(fcntl(shared, F_GETFL) & O_NONBLOCK); /* as it was for its other holders */
	close(shared);

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	snprintf(word, sizeof word, "fd:%d", pair[0]);
	MUST(listen_at(word));
	assert_true(p.l.v[0].dgram);
	assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	listeners_close(&p.l);
	close(pair[1]);

	assert_int_equal(listen_at("fd:9999"), -1);
	assert_int_equal(p.e.cls, ERR_USAGE);
	assert_int_equal(p.e.sys, EBADF);
	assert_int_equal(pipe(pair), 0);
	snprintf(word, sizeof word, "fd:%d", pair[0]);
	assert_int_equal(listen_at(word), -1);
	assert_int_equal(p.e.sys, ENOTSOCK);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_families_have_one_port),
		TEST(a_taken_port_is_chosen_again),
		TEST(without_ipv6_ipv4_alone),
		TEST(local_is_loopback),
		TEST(taken_is_taken),
		TEST(udp_is_never_shared),
		TEST(one_socket_for_both_if_asked),
		TEST(options_that_do_not_fit),
		TEST(inherited_sockets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
