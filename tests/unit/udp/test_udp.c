/* Datagram servers on loopback sockets: whose datagram is whose, what waits and what is lost, from where answers leave, and
 * which peers a guarded server does not answer. */
#include "datagrams.h"

#include <stdlib.h>

static void many_peers_one_socket(void **state)
{
	(void)state;
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1"), b = dial("127.0.0.1");
	said(a, "one");
	said(b, "two");
	said(a, "three");
	said(a, "");
	settle();
	assert_int_equal(fixture.n, 2);
	assert_string_equal(fixture.owners[0].got, "one|three||");
	assert_int_equal(fixture.owners[0].empties, 1);
	assert_string_equal(fixture.owners[1].got, "two|");
	hears(a, "one");
	hears(a, "three");
	hears(a, "");
	hears(b, "two");
	sys_close(a);
	sys_close(b);
}

static void answers_leave_from_the_address_asked(void **state)
{
	(void)state;
	serve("0.0.0.0", false);
	int a = dial("127.0.0.3"); /* connected: hears no other */
	char text[SA_TEXT];
	said(a, "hello");
	settle();
	hears(a, "hello");
	assert_string_equal(sa_host(&fixture.owners[0].local, text), "127.0.0.3");
	assert_int_equal(sa_port(&fixture.owners[0].local), sa_port(&fixture.at));
	sys_close(a);
}

static void one_sender_two_addresses_two_peers(void **state)
{
	(void)state;
	serve("0.0.0.0", false);
	struct sa own, to;
	struct sockaddr_storage ss;
	int a = bound("127.0.0.1", &own);
	for (int i = 0; i < 2; i++) {
		assert_true(sa_parse(&to, i == 0 ? "127.0.0.3" : "127.0.0.4", sa_port(&fixture.at)));
		socklen_t len = sa_to(&to, &ss);
		assert_int_equal(sendto(a, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
	}
	settle();
	assert_int_equal(fixture.n, 2);
	sys_close(a);
}

static void mapped_addresses_are_answered(void **state)
{
	(void)state;
	serve("::", false);
	int a = dial("127.0.0.1");
	said(a, "four over six");
	settle();
	hears(a, "four over six");
	assert_int_equal(fixture.owners[0].peer.family, AF_INET);
	sys_close(a);
}

static void a_peer_that_does_not_read_has_a_queue(void **state)
{
	(void)state;
	fixture.mute = fixture.sleepy = true;
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1"), b = dial("127.0.0.1");
	said(a, "first");
	said(a, "second");
	settle();
	fixture.owners[0].asleep = fixture.sleepy = false;
	said(b, "not held up");
	said(a, "third");
	settle();
	assert_string_equal(fixture.owners[0].got, "first|second|third|");
	assert_string_equal(fixture.owners[1].got, "not held up|");
	assert_int_equal(fixture.lost, 0);
	sys_close(a);
	sys_close(b);
}

static void the_queue_is_bounded_and_loss_is_told(void **state)
{
	(void)state;
	static char big[20000];
	fixture.mute = fixture.sleepy = true;
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1");
	for (int i = 0; i < 8; i++) {
		assert_int_equal(send(a, big, sizeof big, 0), sizeof big);
		settle();
	}
	assert_int_equal(fixture.lost, 1); /* at once; the others once a second */
	assert_int_equal(fixture.reports, 1);
	fixture.owners[0].asleep = false;
	serve_owner(&fixture.owners[0]);
	assert_int_equal(fixture.owners[0].reads, 3);
	udp_close(fixture.udp);
	fixture.udp = NULL;
	assert_int_equal(fixture.lost, 5);
	serve_owner(&fixture.owners[0]);
	assert_true(fixture.owners[0].failed);
	sys_close(a);
}

static void the_largest_datagram(void **state)
{
	(void)state;
	static char big[65507];
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1");
	assert_int_equal(send(a, big, sizeof big, 0), sizeof big);
	settle();
	assert_int_equal(recv(a, big, sizeof big, MSG_DONTWAIT), sizeof big);
	sys_close(a);
}

static void refused_peers_are_asked_again(void **state)
{
	(void)state;
	fixture.refuses = true;
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1");
	said(a, "no");
	settle();
	fixture.refuses = false;
	said(a, "yes");
	settle();
	assert_string_equal(fixture.owners[0].got, "yes|");
	udp_no_more(fixture.udp);
	int b = dial("127.0.0.1");
	said(b, "too late");
	said(a, "known");
	settle();
	assert_int_equal(fixture.n, 1);
	assert_string_equal(fixture.owners[0].got, "yes|known|");
	sys_close(a);
	sys_close(b);
}

static void only_one(void **state)
{
	(void)state;
	serve("0.0.0.0", false);
	int a = dial("127.0.0.1"), b = dial("127.0.0.1");
	said(a, "me");
	settle();
	udp_only(fixture.udp, fixture.owners[0].s);
	said(b, "me too");
	said(a, "still me");
	settle();
	assert_string_equal(fixture.owners[0].got, "me|still me|");
	hears(a, "me");
	hears(a, "still me");
#ifdef __linux__
	char c;
	assert_int_equal(recv(b, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNREFUSED);
#endif
	sys_close(a);
	sys_close(b);
}

/* The wildcard socket must not be pinned to 127.0.0.1 when 127.0.0.3 was asked. */
static void only_one_at_another_address(void **state)
{
	(void)state;
	serve("0.0.0.0", false);
	int a = dial("127.0.0.3");
	said(a, "me");
	settle();
	udp_only(fixture.udp, fixture.owners[0].s);
	said(a, "still me");
	settle();
	hears(a, "me");
	hears(a, "still me");
	sys_close(a);
}

#ifdef __linux__
static void refusals_find_their_peer(void **state)
{
	(void)state;
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1"), b = dial("127.0.0.1");
	fixture.mute = true;
	said(a, "soon gone");
	said(b, "here");
	settle();
	sys_close(a);
	assert_int_equal(stream_write(fixture.owners[0].s, "x", 1), 1);
	assert_int_equal(stream_write(fixture.owners[1].s, "y", 1), 1); /* is not told about a */
	hears(b, "y");
	settle();
	assert_true(fixture.owners[0].failed);
	assert_int_equal(fixture.owners[0].s->why.cls, ERR_CONNECT);
	assert_int_equal(fixture.owners[0].s->why.sys, ECONNREFUSED);
	assert_false(fixture.owners[1].failed);
	said(b, "well");
	settle();
	assert_string_equal(fixture.owners[1].got, "here|well|");
	sys_close(b);
}
#endif

static void guarded_never_sends_more_than_it_got(void **state)
{
	(void)state;
	fixture.mute = true;
	serve("127.0.0.1", true);
	int a = dial("127.0.0.1");
	said(a, "12345");
	settle();
	assert_int_equal(stream_write(fixture.owners[0].s, "123456", 6), 6);
	hears_nothing(a);
	assert_int_equal(fixture.lost, 1);
	assert_int_equal(stream_write(fixture.owners[0].s, "123", 3), 3);
	hears(a, "123");
	assert_int_equal(stream_write(fixture.owners[0].s, "123", 3), 3);
	hears_nothing(a);
	sys_close(a);
}

static void guarded_ignores_itself(void **state)
{
	(void)state;
	struct sockaddr_storage ss;
	serve("127.0.0.1", true);
	socklen_t len = sa_to(&fixture.at, &ss);
	assert_int_equal(sendto(fixture.fd, "me", 2, 0, (struct sockaddr *)&ss, len), 2);
	settle();
	assert_int_equal(fixture.n, 0);
}

static void guard(void **state)
{
	(void)state;
	static struct udp_guard g;
	struct sa far, low, here, self;
	g.rate = 3;
	sa_parse(&far, "192.0.2.1", 5000);
	sa_parse(&low, "192.0.2.2", 53);
	sa_parse(&here, "198.51.100.1", 7);
	sa_parse(&self, "198.51.100.1", 7);
	assert_false(udp_guard_passes(&g, 1, &low, &here, 64, 7, 0));
	assert_false(udp_guard_passes(&g, 1, &self, &here, 64, 7, 0));
	for (int second = 0; second < 2; second++) {
		for (int i = 0; i < 3; i++)
			assert_true(udp_guard_passes(&g, 1, &far, &here, 64, 7, second * 1000 + i));
		assert_false(udp_guard_passes(&g, 1, &far, &here, 64, 7, second * 1000 + 900));
		assert_true(udp_guard_passes(&g, 2, &far, &here, 64, 7, second * 1000));
	}
	sa_parse(&low, "127.0.0.1", 53);
	for (int i = 0; i < 10; i++)
		assert_true(udp_guard_passes(&g, 1, &low, &here, 64, 7, 0));
	for (int i = 0; i < 3; i++) /* on its last hop */
		assert_true(udp_guard_passes(&g, 1, &low, &here, 1, 7, 9000));
	assert_false(udp_guard_passes(&g, 1, &low, &here, 1, 7, 9000));
	g.hops = 64;
	assert_int_equal(udp_guard_hops(&g, 64), 63);
	assert_int_equal(udp_guard_hops(&g, 255), 64);
	assert_int_equal(udp_guard_hops(&g, 1), 1);
	assert_int_equal(udp_guard_hops(&g, 0), 0); /* the system does not tell */
	g.rate = 0;
	for (int i = 0; i < 10; i++)
		assert_true(udp_guard_passes(&g, 1, &far, &here, 64, 7, 5000));
}

static void unix_peers(void **state)
{
	(void)state;
	char folder[] = "/tmp/test-udp-XXXXXX", server[64], client[64];
	assert_non_null(mkdtemp(folder));
	struct sockaddr_un un = { .sun_family = AF_UNIX }, from = { .sun_family = AF_UNIX };
	snprintf(server, sizeof server, "%s/s", folder);
	snprintf(client, sizeof client, "%s/c", folder);
	memcpy(un.sun_path, server, strlen(server) + 1);
	memcpy(from.sun_path, client, strlen(client) + 1);
	fixture.fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(sys_bind(fixture.fd, (struct sockaddr *)&un, sizeof un), 0);
	sa_of(&fixture.at, fixture.fd, false);
	fixture.udp = udp_open(&fixture.run, fixture.fd, AF_UNIX, &fixture.at, false, new_peer, NULL, NULL);
	assert_non_null(fixture.udp);
	int named = sys_socket(AF_UNIX, SOCK_DGRAM, 0), nameless = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(sys_bind(named, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(sys_connect(named, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(sys_connect(nameless, (struct sockaddr *)&un, sizeof un), 0);
	said(named, "answer me");
	said(nameless, "only listen");
	settle();
	hears(named, "answer me");
	assert_string_equal(fixture.owners[1].got, "only listen|");
	assert_int_equal(fixture.owners[1].peer.family, AF_UNIX);
	assert_int_equal(fixture.lost, 1); /* the answer that cannot be sent */
	sys_close(named);
	assert_int_equal(stream_write(fixture.owners[0].s, "gone", 4), ST_FAIL);
	assert_int_equal(fixture.owners[0].s->why.cls, ERR_CONNECT);
	sys_close(nameless);
	unlink(server);
	unlink(client);
	rmdir(folder);
}

static void a_full_unix_peer_is_tried_again(void **state)
{
	(void)state;
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "" };
	memcpy(un.sun_path + 1, "test-udp-full", 13);
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 14;
	fixture.fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (sys_bind(fixture.fd, (struct sockaddr *)&un, len) != 0)
		skip();
	sa_of(&fixture.at, fixture.fd, false);
	fixture.mute = true;
	fixture.udp = udp_open(&fixture.run, fixture.fd, AF_UNIX, &fixture.at, false, new_peer, NULL, NULL);
	sa_family_t family = AF_UNIX;
	int a = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(sys_bind(a, (struct sockaddr *)&(struct sockaddr_un){ .sun_family = family }, sizeof family), 0);
	assert_int_equal(sys_connect(a, (struct sockaddr *)&un, len), 0);
	said(a, "x");
	settle();
	struct stream *s = fixture.owners[0].s;
	ssize_t n;
	int sent = 0;
	while ((n = stream_write(s, "y", 1)) == 1)
		assert_true(++sent < 100000);
	assert_int_equal(n, ST_AGAIN);
	assert_true(s->wr.timed && !s->wr.out); /* its own socket is always writable: waiting for that would spin */
	sys_close(a);
}

#ifdef SYS_SEAM
static int refusal;

static int gate(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_WRITE ? refusal : 0;
}

static void passing_errors_lose_one_datagram(void **state)
{
	(void)state;
	fixture.mute = true;
	serve("127.0.0.1", false);
	int a = dial("127.0.0.1");
	said(a, "x");
	settle();
	struct stream *s = fixture.owners[0].s;
	static const int passing[] = { ENOBUFS, EPERM, ENETUNREACH };
	sys_gate = gate;
	for (size_t i = 0; i < 3; i++) {
		refusal = passing[i];
		assert_int_equal(stream_write(s, "lost", 4), 4);
	}
	refusal = EMSGSIZE;
	assert_int_equal(stream_write(s, "long", 4), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_NETWORK);
	refusal = EAGAIN;
	assert_int_equal(stream_write(s, "wait", 4), ST_AGAIN);
	assert_true(s->wr.wake);
	sys_gate = NULL;
	assert_int_equal(stream_write(s, "well", 4), 4);
	hears(a, "well");
	settle(); /* the wake-up, and then no more of them */
	udp_close(fixture.udp);
	fixture.udp = NULL;
	assert_int_equal(fixture.lost, 3);
	sys_close(a);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_peers_one_socket),
		TEST(answers_leave_from_the_address_asked),
		TEST(one_sender_two_addresses_two_peers),
		TEST(mapped_addresses_are_answered),
		TEST(a_peer_that_does_not_read_has_a_queue),
		TEST(the_queue_is_bounded_and_loss_is_told),
		TEST(the_largest_datagram),
		TEST(refused_peers_are_asked_again),
		TEST(only_one),
		TEST(only_one_at_another_address),
		TEST(guarded_never_sends_more_than_it_got),
		TEST(guarded_ignores_itself),
		TEST(guard),
		TEST(unix_peers),
		TEST(a_full_unix_peer_is_tried_again),
#ifdef __linux__
		TEST(refusals_find_their_peer),
#endif
#ifdef SYS_SEAM
		TEST(passing_errors_lose_one_datagram),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
