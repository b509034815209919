/* Peers of TLS that mean no good: they end with a reason or are bounded, and no other peer waits for them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream/linger.h"
#include "tls/tls_internal.h"
#include "tlspair.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64 * 1024, BLOCKS = 8, TURN_MOST = 192 * 1024 };

static int (*key_update)(SSL *, int);
static void (*set_shutdown)(SSL *, int);
static int (*renegotiate)(SSL *);

static int find(void **state)
{
	struct err e = { 0 };
	(void)state;
	if (tls_lib_open(&e) != 0)
		return -1;
	void *lib = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	void *found[] = { dlsym(lib, "SSL_key_update"), dlsym(lib, "SSL_set_shutdown"), dlsym(lib, "SSL_renegotiate") };
	memcpy(&key_update, &found[0], sizeof found[0]);
	memcpy(&set_shutdown, &found[1], sizeof found[1]);
	memcpy(&renegotiate, &found[2], sizeof found[2]);
	return key_update != NULL && set_shutdown != NULL && renegotiate != NULL ? 0 : -1;
}

static void open_pair(struct tlspair *p)
{
	tlspair_open(p, BLOCK, BLOCKS);
	tlspair_start(p);
	assert_true(tlspair_shake(p));
}

static struct tls_stream *layer(struct tlsparty *x)
{
	return (struct tls_stream *)x->top;
}

static void renew(struct tlspair *p, int kind, unsigned times)
{
	struct tls_stream *t = layer(&p->client);
	while (times-- > 0) {
		assert_int_equal(tls_make_room(t, 64, &t->s.wr), 0);
		assert_int_equal(key_update(t->ssl, kind), 1);
		assert_int_equal(SSL_do_handshake(t->ssl), 1);
	}
	assert_int_equal(tls_push_out(t), 0);
}

static bool now(const struct tlspair *p, const struct need *need)
{
	return need->timed && need->at_ms <= loop_now(p->loop) && !need->in && !need->out;
}

/* floods: each call is bounded, and another turn is asked for */

/* New keys are part of TLS, as long as something is sent with them. */
static void many_new_keys(void **state)
{
	struct tlspair p;
	char got[64];
	unsigned turns = 0;
	(void)state;
	open_pair(&p);
	for (int i = 0; i < 10; i++) {
		renew(&p, SSL_KEY_UPDATE_NOT_REQUESTED, 2000);
		assert_int_equal(stream_write(p.client.top, "hello", 5), 5);
	}
	for (unsigned heard = 0; heard < 50;) {
		uint64_t before = p.joint.b.taken;
		ssize_t n = stream_read(p.server.top, got, sizeof got);
		assert_true(p.joint.b.taken - before <= TURN_MOST);
		assert_true(n > 0 || (n == ST_AGAIN && now(&p, &p.server.top->rd)));
		turns += n == ST_AGAIN;
		heard += n > 0 ? (unsigned)n : 0;
	}
	assert_true(turns > 40);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), ST_AGAIN);
	assert_true(p.server.top->rd.wake && !p.server.top->rd.timed);
	tlspair_close(&p);
}

static void read_until_it_fails(struct tlspair *p, uint64_t most_bytes)
{
	char got[64];
	ssize_t n = ST_AGAIN;
	uint64_t before = p->joint.b.taken;
	for (unsigned i = 0; i < 1000 && n == ST_AGAIN; i++)
		n = stream_read(p->server.top, got, sizeof got);
	assert_int_equal(n, ST_FAIL);
	assert_int_equal(p->server.top->why.cls, ERR_LOST);
	assert_string_equal(p->server.top->why.text, "TLS without any data in it, and no end of that, from");
	assert_true(p->joint.b.taken - before <= most_bytes);
	assert_int_equal(stream_read(p->server.top, got, sizeof got), ST_FAIL);
}

static void new_keys_without_end(void **state)
{
	struct tlspair p;
	(void)state;
	open_pair(&p);
	renew(&p, SSL_KEY_UPDATE_NOT_REQUESTED, 20000);
	assert_int_equal(stream_write(p.client.top, "hello", 5), 5);
	read_until_it_fails(&p, 128 * 1024);
	tlspair_close(&p);
}

static size_t read_all(struct tlspair *p, char *buf, size_t cap, unsigned *turns)
{
	size_t sum = 0;
	for (uint64_t before = p->joint.b.taken;;) {
		ssize_t n = stream_read(p->server.top, buf, cap);
		assert_true(p->joint.b.taken - before <= TURN_MOST);
		if (n == ST_AGAIN && !now(p, &p->server.top->rd))
			return sum;
		assert_true(n > 0 || n == ST_AGAIN);
		*turns += n == ST_AGAIN;
		before = n == ST_AGAIN ? p->joint.b.taken : before;
		sum += n > 0 ? (size_t)n : 0;
	}
}

static void records_of_one_byte(void **state)
{
	static char buf[BLOCK];
	struct tlspair p;
	unsigned turns = 0;
	(void)state;
	open_pair(&p);
	for (unsigned i = 0; i < 50000; i++)
		assert_int_equal(stream_write(p.client.top, "x", 1), 1);
	assert_int_equal(read_all(&p, buf, sizeof buf, &turns), 50000);
	assert_true(turns > 50);
	tlspair_close(&p);
}

/* A peer that just sends much is not told to wait. */
static void records_of_any_use(void **state)
{
	static char buf[BLOCK];
	static const size_t sizes[] = { 64, 1000, 16384 };
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct tlspair p;
		unsigned calls = 0;
		open_pair(&p);
		for (size_t sent = 0; sent < 4000000; sent += sizes[i])
			assert_int_equal(stream_write(p.client.top, buf, sizes[i]), sizes[i]);
		for (ssize_t n = 1; n > 0; calls += n > 0)
			n = stream_read(p.server.top, buf, sizeof buf);
		assert_false(p.server.top->rd.timed);
		assert_in_range(calls, 4000000 / BLOCK, 4000000 / BLOCK + 2);
		tlspair_close(&p);
	}
}

/* answers that are not read */

static void asked_for_new_keys_and_not_listened_to(void **state)
{
	struct tlspair p;
	char got[64];
	ssize_t n = ST_AGAIN;
	(void)state;
	open_pair(&p);
	p.joint.b.window = 1000;
	for (int i = 0; i < 3; i++) {
		renew(&p, SSL_KEY_UPDATE_REQUESTED, 2000);
		assert_int_equal(stream_write(p.client.top, "x", 1), 1);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_int_not_equal(n = stream_read(p.server.top, got, sizeof got), ST_FAIL);
	assert_int_equal(n, ST_AGAIN);
	assert_true(p.server.top->rd.wake && !p.server.top->rd.timed); /* until some of it leaves */
	assert_true(p.joint.b.in_n > 0);
	p.joint.b.no_write = true; /* ... or cannot any more: what the peer sent is read to its end */
	stream_close(p.client.top, CLOSE_PLAIN);
	p.client.top = NULL;
	for (unsigned i = 0; i < 1000 && n != ST_FAIL; i++)
		n = stream_read(p.server.top, got, sizeof got);
	assert_string_equal(p.server.top->why.text, "TLS stream cut off (no close_notify) from");
	assert_int_equal(stream_flush(p.server.top), ST_FAIL);
	tlspair_close(&p);
}

static void asked_for_new_keys_after_our_goodbye(void **state)
{
	struct tlspair p;
	char got[64];
	ssize_t n = ST_AGAIN;
	(void)state;
	open_pair(&p);
	assert_int_equal(stream_shut(p.server.top), 0);
	renew(&p, SSL_KEY_UPDATE_REQUESTED, 2000);
	assert_int_equal(stream_write(p.client.top, "hello", 5), 5);
	for (unsigned i = 0; i < 1000 && n == ST_AGAIN; i++)
		n = stream_read(p.server.top, got, sizeof got);
	assert_int_equal(n, 5);
	tlspair_close(&p);
}

/* An alert gets its time to arrive, but not that of peers that end well. */
static void refused_in_a_flood(void **state)
{
	struct tlspair p;
	struct joint others[LINGER_MOST / 2];
	const unsigned n = sizeof others / sizeof others[0];
	(void)state;
	for (unsigned there = n - 1; there <= n; there++) {
		tlspair_open(&p, BLOCK, BLOCKS);
		for (unsigned i = 0; i < there; i++) {
			joint_open(&others[i], p.loop);
			linger_take(p.linger, &others[i].a.s, NEVER);
		}
		tlspair_start(&p);
		assert_int_equal(stream_write(&p.joint.a.s, "\x16\3\1\0\4\1\0\0\0", 9), 9);
		assert_int_equal(stream_setup(p.server.top), ST_FAIL);
		stream_close(p.server.top, CLOSE_PLAIN);
		p.server.top = NULL;
		assert_int_equal(linger_count(p.linger), n);
		assert_int_equal(p.joint.b.closed, there == n);
		linger_cut(p.linger);
		for (unsigned i = 0; i < there; i++)
			joint_close(&others[i]);
		tlspair_close(&p);
	}
}

/* It would take an alert for data, and an end for an answer. */
static void what_is_no_tls_gets_neither_alert_nor_end(void **state)
{
	static const char *const words[] = { "GET / HTTP/1.0\r\n\r\n", "h", "\x16\2", "\x80\x2e\1\3\1" };
	struct tlspair p;
	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		ssize_t n = (ssize_t)strlen(words[i]);
		tlspair_open(&p, BLOCK, BLOCKS);
		tlspair_start(&p);
		assert_int_equal(stream_write(&p.joint.a.s, words[i], (size_t)n), n);
		assert_int_equal(stream_setup(p.server.top), ST_FAIL);
		assert_non_null(strstr(p.server.top->why.text, "does not speak TLS"));
		stream_close(p.server.top, CLOSE_RST);
		p.server.top = NULL;
		assert_int_equal(p.joint.b.given, 0);
		assert_int_equal(linger_count(p.linger), 0);
		assert_true(p.joint.b.closed);
		tlspair_close(&p);
	}
}

/* ends that are none */

static void what_follows_a_goodbye_is_nothing(void **state)
{
	struct tlspair p;
	char got[64];
	(void)state;
	open_pair(&p);
	struct tls_stream *t = layer(&p.client);
	size_t put = 0;
	assert_int_equal(tls_make_room(t, 1000, &t->s.wr), 0);
	assert_int_equal(SSL_write_ex(t->ssl, "ab", 2, &put), 1);
	assert_int_equal(SSL_shutdown(t->ssl), 0);
	set_shutdown(t->ssl, 0);
	assert_int_equal(SSL_write_ex(t->ssl, "cd", 2, &put), 1);
	assert_int_equal(tls_push_out(t), 0);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 2);
	assert_memory_equal(got, "ab", 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_read(p.server.top, got, sizeof got), 0);
	assert_int_equal(stream_write(p.server.top, "ok", 2), 2);
	assert_int_equal(stream_shut(p.server.top), 0);
	tlspair_close(&p);
}

/* A server that asks for another ClientHello gets all of it again. */
static void a_hello_twice(void **state)
{
	struct tlspair p;
	(void)state;
	tlspair_open(&p, BLOCK, BLOCKS);
	tlspair_start(&p);
	assert_int_equal(SSL_ctrl(layer(&p.server)->ssl, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t) "P-521"), 1);
	assert_true(tlspair_shake(&p));
	assert_int_equal(p.client.top->caps & ST_NOHALF, 0);
	assert_true(layer(&p.client)->half && layer(&p.server)->half);
	tlspair_close(&p);
}

static void no_second_handshake(void **state)
{
	struct tlspair p;
	char got[64];
	(void)state;
	tlspair_open(&p, BLOCK, BLOCKS);
	tlspair_start(&p);
	struct tls_stream *t = layer(&p.client);
	assert_int_equal(SSL_ctrl(t->ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_2_VERSION, NULL), 1);
	assert_int_equal(SSL_ctrl(t->ssl, SSL_CTRL_GET_MAX_PROTO_VERSION, 0, NULL), TLS1_2_VERSION);
	assert_true(tlspair_shake(&p));
	assert_string_equal(SSL_get_version(t->ssl), "TLSv1.2");
	assert_int_equal(tls_make_room(t, 1000, &t->s.wr), 0);
	if (renegotiate(t->ssl) == 1) { /* SSL_OP_NO_RENEGOTIATION is the client's, too */
		SSL_do_handshake(t->ssl);
		tls_push_out(t);
	}
	assert_int_equal(stream_read(p.server.top, got, sizeof got), ST_AGAIN);
	assert_int_equal(stream_write(p.server.top, "ok", 2), 2);
	assert_int_equal(stream_read(p.client.top, got, sizeof got), 2);
	tlspair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_new_keys),
		cmocka_unit_test(new_keys_without_end),
		cmocka_unit_test(records_of_one_byte),
		cmocka_unit_test(records_of_any_use),
		cmocka_unit_test(asked_for_new_keys_and_not_listened_to),
		cmocka_unit_test(asked_for_new_keys_after_our_goodbye),
		cmocka_unit_test(refused_in_a_flood),
		cmocka_unit_test(what_is_no_tls_gets_neither_alert_nor_end),
		cmocka_unit_test(what_follows_a_goodbye_is_nothing),
		cmocka_unit_test(a_hello_twice),
		cmocka_unit_test(no_second_handshake),
	};
	return cmocka_run_group_tests(tests, find, NULL);
}
