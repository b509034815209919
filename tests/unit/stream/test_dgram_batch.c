/* Datagrams many at a time over real sockets: every one arrives with its own length, whether the system cut a long one or not,
 * and what a system refuses once is not tried again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "stream/dgram_batch.h"
#include "stream/fdstream.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct {
	int from, to;
	struct dgram_batch_cut cut;
	struct msgs m;
	unsigned char *out, *in;
} fixture;

static const struct msghdr connected;
static const unsigned sizes[] = { 100, 100, 100, 40, 100, 0, 0, 7, 7, 1400, 1400, 1400, 1400, 1, 2000, 3, 3, 3, 3 };
enum { N = sizeof sizes / sizeof sizes[0] };

static bool cuts(void)
{
#ifdef __linux__
	int size = 0;
	socklen_t len = sizeof size;
	return getsockopt(fixture.from, IPPROTO_UDP, 103, &size, &len) == 0; /* UDP_SEGMENT */
#else
	return false;
#endif
}

static bool has_six(void)
{
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = sys_socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&six, sizeof six) == 0;
	sys_close(fd);
	return has;
}

/* A connected pair over loopback, roomy enough for all that a test sends. */
static int begin(void **state)
{
	sa_family_t family = *state != NULL && has_six() ? AF_INET6 : AF_INET;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = family == AF_INET6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = family == AF_INET6 ? sizeof six : sizeof four;
	int bytes = 4 << 20;
	memset(&fixture, 0, sizeof fixture);
	fixture.from = sys_socket(family, SOCK_DGRAM, 0);
	fixture.to = sys_socket(family, SOCK_DGRAM, 0);
	fixture.out = malloc((size_t)MSGS_MOST * DGRAM_BATCH_SLOT_BYTES);
	fixture.in = malloc((size_t)MSGS_MOST * DGRAM_BATCH_SLOT_BYTES);
	if (fixture.out == NULL || fixture.in == NULL || fixture.to < 0)
		return -1;
	for (size_t i = 0; i < (size_t)MSGS_MOST * DGRAM_BATCH_SLOT_BYTES; i++)
		fixture.out[i] = (unsigned char)(i * 7 + (i >> 8));
	setsockopt(fixture.to, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	setsockopt(fixture.from, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	if (bind(fixture.to, sa, len) != 0 || getsockname(fixture.to, sa, &len) != 0)
		return -1;
	return connect(fixture.from, sa, len);
}

static int end(void **state)
{
	(void)state;
#ifdef SYS_SEAM
	sys_gate = NULL;
#endif
	sys_close(fixture.from);
	sys_close(fixture.to);
	free(fixture.out);
	free(fixture.in);
	return 0;
}

static void fill(const unsigned *lens, unsigned n)
{
	unsigned char *p = fixture.out;
	fixture.m.n = n;
	for (unsigned i = 0; i < n; p += lens[i++])
		fixture.m.v[i] = (struct iovec){ p, lens[i] };
}

/* As many calls as it takes. */
static void send_all(const unsigned *lens, unsigned n)
{
	unsigned char *p = fixture.out;
	for (unsigned at = 0; at < n;) {
		unsigned char *q = p;
		fixture.m.n = n - at;
		for (unsigned i = 0; i < fixture.m.n; q += lens[at + i++])
			fixture.m.v[i] = (struct iovec){ q, lens[at + i] };
		int sent = dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m);
		assert_in_range(sent, 1, n - at);
		for (int i = 0; i < sent; i++)
			p += lens[at++];
	}
}

static void comes(const unsigned *lens, unsigned n)
{
	const unsigned char *want = fixture.out;
	struct msgs m;
	for (unsigned at = 0; at < n;) {
		m.n = MSGS_MOST;
		for (unsigned i = 0; i < m.n; i++)
			m.v[i] = (struct iovec){ fixture.in + (size_t)i * DGRAM_BATCH_SLOT_BYTES, DGRAM_BATCH_SLOT_BYTES };
		int got = dgram_batch_recv(fixture.to, &m);
		assert_in_range(got, 1, n - at);
		assert_int_equal(m.n, got);
		for (unsigned i = 0; i < m.n; i++, at++) {
			assert_int_equal(m.v[i].iov_len, lens[at]);
			assert_memory_equal(m.v[i].iov_base, want, lens[at]);
			want += lens[at];
		}
	}
	m.n = 1;
	m.v[0] = (struct iovec){ fixture.in, DGRAM_BATCH_SLOT_BYTES };
	assert_int_equal(dgram_batch_recv(fixture.to, &m), -1);
	assert_int_equal(errno, EAGAIN);
}

static void every_length_is_kept(void **state)
{
	(void)state;
	send_all(sizes, N);
	comes(sizes, N);
	assert_int_equal(fixture.cut.below == UINT32_MAX, cuts());
}

static void without_the_system_cutting(void **state)
{
	(void)state;
	fixture.cut.below = 1;
	send_all(sizes, N);
	comes(sizes, N);
	assert_int_equal(fixture.cut.below, 1);
}

static void full_batches(void **state)
{
	(void)state;
	static const unsigned each[] = { 1, 64, 1023, 1472, 8192, 30000, 40000, 65000, 65507 };
	for (size_t k = 0; k < sizeof each / sizeof each[0]; k++) {
		unsigned lens[MSGS_MOST], n = each[k] > 9000 ? 20 : MSGS_MOST;
		for (unsigned i = 0; i < n; i++)
			lens[i] = each[k];
		lens[n - 1] = each[k] / 2;
		send_all(lens, n);
		comes(lens, n);
	}
	assert_int_equal(fixture.cut.below == UINT32_MAX, cuts()); /* nothing was refused */
}

/* Not connected: one address for all of them. */
static void with_an_address(void **state)
{
	(void)state;
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	getsockname(fixture.to, (struct sockaddr *)&ss, &len);
	int fd = sys_socket(ss.ss_family, SOCK_DGRAM, 0);
	const struct msghdr way = { .msg_name = &ss, .msg_namelen = len };
	fill((const unsigned[]){ 10, 10, 10, 4 }, 4);
	for (unsigned at = 0; at < 4;) {
		int sent = dgram_batch_send(fd, &fixture.cut, &way, &fixture.m);
		assert_in_range(sent, 1, 4 - at);
		at += (unsigned)sent;
		memmove(fixture.m.v, fixture.m.v + sent, sizeof fixture.m.v[0] * (4 - at));
		fixture.m.n = 4 - at;
	}
	comes((const unsigned[]){ 10, 10, 10, 4 }, 4);
	sys_close(fd);
}

static void a_refusal_is_told(void **state)
{
	(void)state;
	sys_close(fixture.to);
	fixture.to = -1;
	fill((const unsigned[]){ 5 }, 1);
	int first = dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m),
	    second = dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m);
	assert_int_equal(first, 1);
	assert_int_equal(second, -1);
	assert_int_equal(errno, ECONNREFUSED);
}

/* The stream on top: its words, and that a Unix socket, whose datagrams may be longer than any place, has no such calls. */
static void streams(void **state)
{
	(void)state;
	int pair[2];
	struct stream *s = fdstream_socket(dup(fixture.from), true), *far = fdstream_socket(dup(fixture.to), true);
	fill(sizes, N);
	int sent = stream_sendm(s, &fixture.m);
	assert_in_range(sent, 1, N);
	struct msgs m = { .n = MSGS_MOST };
	for (unsigned i = 0; i < m.n; i++)
		m.v[i] = (struct iovec){ fixture.in + (size_t)i * DGRAM_BATCH_SLOT_BYTES, DGRAM_BATCH_SLOT_BYTES };
	assert_in_range(stream_recvm(far, &m), 1, sent);
	while (m.n < (unsigned)sent) {
		struct msgs more = { .n = 1, .v = { { fixture.in, DGRAM_BATCH_SLOT_BYTES } } };
		assert_int_equal(stream_recvm(far, &more), 1);
		m.n++;
	}
	assert_int_equal(stream_recvm(far, &m), ST_AGAIN);
	assert_true(far->rd.in && !far->rd.timed);
	stream_close(far, CLOSE_PLAIN);
	sys_close(fixture.to);
	fixture.to = -1;
	fill((const unsigned[]){ 5 }, 1);
	assert_int_equal(stream_sendm(s, &fixture.m), 1);
	assert_int_equal(stream_sendm(s, &fixture.m), ST_FAIL);
	assert_int_equal(s->why.cls, ERR_CONNECT);
	assert_string_equal(s->why.text, "send to");
	stream_close(s, CLOSE_PLAIN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	s = fdstream_socket(pair[0], true);
	assert_true(s->ops->recvm == NULL && s->ops->sendm == NULL);
	stream_close(s, CLOSE_PLAIN);
	sys_close(pair[1]);
}

#ifdef SYS_SEAM
static int refusal, refusals; /* the first so many calls fail */
static size_t most_messages;
static unsigned calls;

static int gate(enum sys_call call, int fd, size_t *most)
{
	if (call != SYS_WRITE || fd != fixture.from)
		return 0;
	calls++;
	if (most_messages > 0 && most_messages < *most)
		*most = most_messages;
	return refusals-- > 0 ? refusal : 0;
}

static void play(int sys, int times, size_t messages)
{
	refusal = sys;
	refusals = times;
	most_messages = messages;
	calls = 0;
	sys_gate = gate;
}

static int interrupted_once(enum sys_call call, int fd, size_t *most)
{
	(void)most;
	return call == SYS_READ && fd == fixture.to && calls++ == 0 ? EINTR : 0;
}

static void a_signal_while_receiving(void **state)
{
	(void)state;
	send_all(sizes, 4);
	struct msgs m = { .n = 4 };
	for (unsigned i = 0; i < m.n; i++)
		m.v[i] = (struct iovec){ fixture.in + (size_t)i * DGRAM_BATCH_SLOT_BYTES, DGRAM_BATCH_SLOT_BYTES };
	struct stream *s = fdstream_socket(fixture.to, true);
	calls = 0;
	sys_gate = interrupted_once;
	assert_in_range(stream_recvm(s, &m), 1, 4);
	assert_int_equal(m.v[0].iov_len, sizes[0]);
	stream_close(s, CLOSE_PLAIN);
	fixture.to = -1;
}

static void only_one_message_is_taken(void **state)
{
	(void)state;
	play(0, 0, 1);
	fill(sizes, N);
	assert_int_equal(dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m), cuts() ? 4 : 1);
	comes(sizes, cuts() ? 4 : 1);
	send_all(sizes, N);
	comes(sizes, N);
}

static void a_system_that_cannot_cut_is_asked_once(void **state)
{
	(void)state;
	static const int all[] = { EIO, ENOPROTOOPT, EOPNOTSUPP };
	if (!cuts())
		skip();
	for (size_t i = 0; i < 3; i++) {
		fixture.cut.below = 0;
		play(all[i], 1, 0);
		fill(sizes, N);
		assert_int_equal(dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m), N);
		assert_int_equal(calls, 2);
		comes(sizes, N);
		assert_int_equal(fixture.cut.below, 1);
		assert_int_equal(dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m), N);
		assert_int_equal(calls, 3);
		comes(sizes, N);
	}
}

/* Datagrams of 100 bytes did not pass: shorter ones still may. */
static void a_size_that_cannot_be_cut(void **state)
{
	(void)state;
	static const int all[] = { EMSGSIZE, EINVAL };
	if (!cuts())
		skip();
	for (size_t i = 0; i < 2; i++) {
		fixture.cut.below = 0;
		play(all[i], 1, 0);
		send_all(sizes, N);
		comes(sizes, N);
		assert_int_equal(fixture.cut.below, 100);
		play(0, 0, 1);
		fill((const unsigned[]){ 99, 99, 99 }, 3);
		assert_int_equal(dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m), 3);
		comes((const unsigned[]){ 99, 99, 99 }, 3);
	}
}

static void other_errors_are_the_callers(void **state)
{
	(void)state;
	static const int all[] = { ENOBUFS, EAGAIN, EPERM, EINTR, ECONNREFUSED };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		play(all[i], 1, 0);
		fill(sizes, N);
		assert_int_equal(dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m), -1);
		assert_int_equal(errno, all[i]);
		assert_int_equal(calls, 1);
		assert_int_equal(fixture.cut.below == UINT32_MAX, cuts());
	}
	fixture.cut.below = 0; /* of one datagram alone it is no question of cutting */
	play(EMSGSIZE, 1, 0);
	fill((const unsigned[]){ 100, 7, 7 }, 1);
	assert_int_equal(dgram_batch_send(fixture.from, &fixture.cut, &connected, &fixture.m), -1);
	assert_int_equal(errno, EMSGSIZE);
}
#endif

int main(void)
{
#define BOTH(name)                                                                                                               \
	{ #name " over IPv4", name, begin, end, NULL },                                                                          \
	{                                                                                                                        \
#name " over IPv6", name, begin, end, (void *)(uintptr_t) "six"                                                  \
	}
	const struct CMUnitTest tests[] = {
		BOTH(every_length_is_kept),
		BOTH(without_the_system_cutting),
		BOTH(full_batches),
		BOTH(with_an_address),
		BOTH(a_refusal_is_told),
		BOTH(streams),
#ifdef SYS_SEAM
		BOTH(a_signal_while_receiving),
		BOTH(only_one_message_is_taken),
		BOTH(a_system_that_cannot_cut_is_asked_once),
		BOTH(a_size_that_cannot_be_cut),
		BOTH(other_errors_are_the_callers),
#endif
	};
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
