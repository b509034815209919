/* Socket options: what is taken and what is refused before there is a socket, and that the kernel was told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "guard.h"
#include "net/sockopt.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt_group *const groups[] = { &sockopt_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

static struct sa here, here6, elsewhere;

static struct conf *conf_open(void)
{
	struct conf *conf = conf_new(commands, &command, NULL);
	assert_non_null(conf);
	return conf;
}

static int set(struct conf *conf, const char *text, struct err *e)
{
	return conf_set(conf, &sockopt_opts, &sockopt_opts.rows[0], text, e);
}

static int get(int fd, int level, int name)
{
	int n = -1;
	socklen_t len = sizeof n;
	return getsockopt(fd, level, name, &n, &len) == 0 ? n : -1;
}

static void values_are_read(void **state)
{
	(void)state;
	static const char *const rows[] = { "nodelay", "nodelay=off", "keepalive", "keepalive=on", "keepalive=off",
		"keepalive=30", "keepalive=30,5", "keepalive=30,5,2", "ttl=1", "ttl=255", "tos=0xb8", "tos=16", "tos=lowdelay",
		"dscp=ef", "dscp=46", "dscp=0x2e", "dscp=af43", "dscp=cs7", "sndbuf=64k", "rcvbuf=1M", "mark=4294967295",
		"reuseport", "broadcast=yes", "multicast=239.1.2.3", "multicast=ff02::1234", "linger=0", "user-timeout=30s",
		"fastopen", "fastopen=5", "mss=1200", "congestion=reno", "v6only=no", "backlog=7" };
	struct guard g = { 0 };
	struct err e;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf *conf = conf_open();
		if (set(conf, guard_text(&g, rows[i]), &e) != 0)
			fail_msg("%s: %s", rows[i], e.what);
		conf_free(conf);
	}
	guard_free(&g);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "expected one of nodelay, keepalive, ttl, minttl, tos, dscp, sndbuf, rcvbuf, device, mark, reuseport, broadcast, "
		      "multicast, linger, user-timeout, debug, fastopen, mss, congestion, v6only, mptcp, backlog" },
		{ "nodelya", "got \"nodelya\", expected one of nodelay" },
		{ "no\x1b", "got \"no\\x1b\"" },
		{ "=1", "got \"\"" },
		{ "nodelay=", "expected on or off" },
		{ "nodelay=2", "expected on or off" },
		{ "ttl", "expected ttl=N" },
		{ "ttl=", "expected a whole number from 1 to 255" },
		{ "ttl=0", "\"ttl=0\": got \"0\"" },
		{ "ttl=256", "1 to 255" },
		{ "tos=256", "a number up to 255" },
		{ "tos=0x100", "a number up to 255" },
		{ "tos=0x", "a number up to 255" },
		{ "dscp=64", "a number up to 63" },
		{ "dscp=af44", "a name such as ef" },
		{ "dscp=", "a name such as ef" },
		{ "sndbuf=12m", "expected a size" },
		{ "sndbuf=4G", "bytes" },
		{ "sndbuf=0", "bytes" },
		{ "keepalive=0", "IDLE,INTVL,CNT" },
		{ "keepalive=", "IDLE,INTVL,CNT" },
		{ "keepalive=1,2,3,4", "and no more" },
		{ "keepalive=1,", "IDLE,INTVL,CNT" },
		{ "keepalive=000000000000000000000000001", "IDLE,INTVL,CNT" },
		{ "mark=4294967296", "4294967295" },
		{ "mark=-1", "4294967295" },
		{ "device=nosuchinterface", "no such interface" },
		{ "device=", "no such interface" },
		{ "multicast=10.0.0.1", "expected a multicast address" },
		{ "multicast=::1", "expected a multicast address" },
		{ "multicast=group", "expected a multicast address" },
		{ "multicast=ff02::1%1", "expected a multicast address" },
		{ "multicast=239.1.2.3@nosuchinterface", "no such interface" },
		{ "multicast=239.1.2.3@", "no such interface" },
		{ "user-timeout=30", "expected a duration" },
		{ "user-timeout=10000h", "at most" },
		{ "fastopen=0", "1 to 65535" },
		{ "congestion", "expected congestion=NAME" },
		{ "congestion=", "1 to 15 characters" },
		{ "congestion=sixteen-letters-", "1 to 15 characters" },
		{ "backlog=x", "1 to 65535" },
	};
	struct guard g = { 0 };
	struct conf *conf = conf_open();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = { 0 };
		if (set(conf, guard_text(&g, rows[i].text), &e) == 0)
			fail_msg("\"%s\" was taken", rows[i].text);
		assert_int_equal(e.cls, ERR_USAGE);
		if (strstr(e.what, rows[i].says) == NULL)
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].text, e.what, rows[i].says);
	}
	assert_int_equal(sockopt_fits(conf, ADDR_UNIX, NULL), 0); /* nothing of all that was kept */
	conf_free(conf);
	guard_free(&g);
}

static void at_most_so_many(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e = { 0 };
	for (int i = 0; i < 32; i++)
		assert_int_equal(set(conf, "nodelay", &e), 0);
	assert_int_equal(set(conf, "nodelay", &e), -1);
	assert_non_null(strstr(e.what, "32"));
	conf_free(conf);
}

static void defaults_are_set(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND, &e), 0);
	assert_int_equal(get(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND | SOCKOPT_LISTEN, &e), 0);
	assert_int_not_equal(get(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_OPEN, &e), 0);
	assert_int_not_equal(get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_not_equal(get(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPCNT), 6);
	sys_close(fd);
	fd = sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_UDP, &here, SOCKOPT_BIND | SOCKOPT_LISTEN, &e), 0);
	assert_int_equal(get(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	sys_close(fd);
	assert_int_equal(sockopt_backlog(conf, 5), 5);
	assert_false(sockopt_has(conf, SOL_SOCKET, SO_LINGER));
	conf_free(conf);
}

/* Wherever an accepted connection has them from; and the user's word is above that. */
static void defaults_reach_what_is_accepted(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int door = sys_socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(sockopt_apply(conf, door, ADDR_TCP, &here, SOCKOPT_BIND | SOCKOPT_LISTEN, &e), 0);
	assert_int_equal(bind(door, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(door, 1), 0);
	assert_int_equal(getsockname(door, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(fcntl(door, F_SETFL, 0), 0);
	int fd = accept(door, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_ACCEPTED, &e), 0);
	assert_int_not_equal(get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_not_equal(get(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPCNT), 6);
	assert_int_equal(set(conf, "nodelay=off", &e), 0);
	assert_int_equal(set(conf, "ttl=9", &e), 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_ACCEPTED, &e), 0);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(get(fd, IPPROTO_IP, IP_TTL), 9);
	sys_close(fd);
	sys_close(door);
	close(client);
	conf_free(conf);
}

static void what_the_user_says_wins(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	struct linger l;
	socklen_t len = sizeof l;
	static const char *const rows[] = { "nodelay=off", "keepalive=33,4,2", "ttl=9", "dscp=ef", "mss=900", "linger=0",
		"backlog=3", "backlog=4", "ttl=7" };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(set(conf, rows[i], &e), 0);
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);
	if (sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND, &e) != 0 ||
		sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_CONNECT, &e) != 0 ||
		sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_OPEN, &e) != 0)
		fail_msg("%s", e.what);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPINTVL), 4);
	assert_int_equal(get(fd, IPPROTO_IP, IP_TTL), 7);
	assert_int_equal(get(fd, IPPROTO_IP, IP_TOS), 0xb8);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	assert_true(l.l_onoff != 0 && l.l_linger == 0);
	sys_close(fd);
	assert_int_equal(sockopt_backlog(conf, 5), 4);
	assert_true(sockopt_has(conf, SOL_SOCKET, SO_LINGER));
	conf_free(conf);
}

static const char *congestion(int fd, char name[16])
{
	socklen_t len = 16;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	return name;
}

/* Where the system has no BBR, or lets no user choose it, nothing is paced, and nothing may change. */
static void loopback_is_not_paced(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	char before[16], after[16];
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);
	bool paced = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) == 0;
	congestion(fd, before);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &elsewhere, SOCKOPT_BIND, &e), 0);
	assert_string_equal(congestion(fd, after), before);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_OPEN, &e), 0); /* it is another moment's */
	assert_string_equal(congestion(fd, after), before);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND | SOCKOPT_LISTEN, &e), 0);
	assert_string_equal(congestion(fd, after), paced ? "reno" : before);
	if (paced) {
		assert_int_equal(set(conf, "congestion=bbr", &e), 0);
		assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND | SOCKOPT_LISTEN, &e), 0);
		assert_string_equal(congestion(fd, after), "bbr");
	}
	assert_int_equal(set(conf, "congestion=reno", &e), 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &elsewhere, SOCKOPT_BIND, &e), 0);
	assert_string_equal(congestion(fd, after), "reno");
	assert_int_equal(set(conf, "congestion=nosuchway", &e), 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND, &e), -1);
	assert_string_equal(e.what, "-o congestion: Protocol not supported");
	sys_close(fd);
	conf_free(conf);
}

static void wrong_transport(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	int fd = sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(set(conf, "nodelay", &e), 0);
	assert_int_equal(sockopt_fits(conf, ADDR_TCP, &e), 0);
	assert_int_equal(sockopt_fits(conf, ADDR_FD, &e), 0);
	assert_int_equal(sockopt_fits(conf, ADDR_UDP, &e), -1);
	assert_string_equal(e.what, "-o nodelay: UDP has no such option");
	assert_int_equal(sockopt_apply(conf, fd, ADDR_FD, &here, SOCKOPT_OPEN, &e), -1); /* the descriptor was asked */
	assert_string_equal(e.what, "-o nodelay: UDP has no such option");
	sys_close(fd);
	conf_free(conf);
}

static int no_setsockopt(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_SETSOCKOPT ? EPERM : 0;
}

static void refused_by_the_system(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);
	sys_gate = no_setsockopt;
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_OPEN | SOCKOPT_LISTEN, &e), 0);
	assert_int_equal(set(conf, "mark=5", &e), 0);
	assert_int_equal(sockopt_apply(conf, fd, ADDR_TCP, &here, SOCKOPT_BIND, &e), -1);
	sys_gate = NULL;
	assert_int_equal(e.cls, ERR_USAGE);
	assert_int_equal(e.sys, EPERM);
	assert_string_equal(e.what, "-o mark: Operation not permitted");
	sys_close(fd);
	conf_free(conf);
}

static void families_differ(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	int fd = sys_socket(AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0)
		skip();
	assert_int_equal(set(conf, "ttl=9", &e), 0);
	assert_int_equal(set(conf, "tos=0x20", &e), 0);
	assert_int_equal(set(conf, "v6only", &e), 0);
	assert_int_equal(set(conf, "multicast=239.1.2.3", &e), 0); /* for the IPv4 socket beside it */
	assert_int_equal(sockopt_apply(conf, fd, ADDR_UDP, &here6, SOCKOPT_BIND, &e), 0);
	assert_int_equal(get(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 9);
	assert_int_equal(get(fd, IPPROTO_IPV6, IPV6_TCLASS), 0x20);
	assert_int_equal(get(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	sys_close(fd);
	conf_free(conf);
}

static void a_group_is_joined(void **state)
{
	(void)state;
	struct conf *conf = conf_open();
	struct err e;
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	char name[IF_NAMESIZE], option[64], got[8];
	int fd = sys_socket(AF_INET, SOCK_DGRAM, 0);
	if (if_indextoname(1, name) == NULL)
		skip();
	snprintf(option, sizeof option, "multicast=239.77.1.2@%s", name);
	assert_int_equal(set(conf, option, &e), 0);
	if (sockopt_apply(conf, fd, ADDR_UDP, &here, SOCKOPT_BIND, &e) != 0) /* a container may have no multicast at all */
		assert_true(e.sys == ENODEV || e.sys == EOPNOTSUPP || e.sys == EADDRNOTAVAIL);
	else {
		assert_int_equal(sys_bind(fd, (struct sockaddr *)&in, sizeof in), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
		in.sin_addr.s_addr = htonl(0xef4d0102);
		assert_int_equal(sendto(fd, "hola", 4, 0, (struct sockaddr *)&in, sizeof in), 4);
		struct pollfd p = { .fd = fd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, 2000), 1);
		assert_int_equal(recv(fd, got, sizeof got, 0), 4);
	}
	sys_close(fd);
	conf_free(conf);
}

int main(void)
{
	sa_parse(&here, "127.0.0.1", 0);
	sa_parse(&here6, "::1", 0);
	sa_parse(&elsewhere, "192.0.2.1", 0);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(at_most_so_many),
		cmocka_unit_test(defaults_are_set),
		cmocka_unit_test(defaults_reach_what_is_accepted),
		cmocka_unit_test(what_the_user_says_wins),
		cmocka_unit_test(loopback_is_not_paced),
		cmocka_unit_test(wrong_transport),
		cmocka_unit_test(refused_by_the_system),
		cmocka_unit_test(families_differ),
		cmocka_unit_test(a_group_is_joined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
