/* TLS whose bytes do not arrive as they were sent: a bit of the handshake or of the payload is another, or nothing more comes.
 * Both ends end with a reason, and no end is taken for another. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/tls_internal.h"
#include "tlspair.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 * 1024, BLOCKS = 8, SIGNATURE_VARIES = 8 };

static SSL *ssl_of(const struct tlsparty *x)
{
	return ((struct tls_stream *)x->top)->ssl;
}

static bool all_well(struct tlspair *p)
{
	char got[64];
	return stream_write(p->client.top, "question", 8) == 8 && stream_read(p->server.top, got, sizeof got) == 8 &&
	       memcmp(got, "question", 8) == 0 && stream_write(p->server.top, "answer", 6) == 6 &&
	       stream_read(p->client.top, got, sizeof got) == 6 && memcmp(got, "answer", 6) == 0;
}

static int shake_as_far_as_it_goes(struct tlspair *p)
{
	int a = ST_AGAIN, b = ST_AGAIN;
	for (int i = 0; i < 6; i++) {
		a = a == ST_AGAIN ? stream_setup(p->client.top) : a;
		b = b == ST_AGAIN ? stream_setup(p->server.top) : b;
	}
	if (a == 0 && b == 0)
		return 0;
	struct stream *tops[] = { p->client.top, p->server.top };
	int rcs[] = { a, b };
	p->joint.a.eof = p->joint.b.eof = true;
	for (int i = 0; i < 2; i++) {
		if (rcs[i] == ST_AGAIN)
			assert_int_equal(stream_setup(tops[i]), ST_FAIL);
		if (rcs[i] == 0)
			continue;
		assert_int_equal(tops[i]->why.cls, ERR_TLS);
		assert_true(strlen(tops[i]->why.text) > 10);
	}
	return ST_FAIL;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
enum { VERSIONS = sizeof versions / sizeof versions[0], CLIENT_STEP = 5 };

static void start_with(struct tlspair *p, int version)
{
	tlspair_start(p);
	assert_int_equal(SSL_ctrl(ssl_of(&p->client), SSL_CTRL_SET_MAX_PROTO_VERSION, version, NULL), 1);
}

static uint64_t flight_bytes(bool of_client, int version)
{
	struct tlspair p;
	tlspair_open(&p, BLOCK, BLOCKS);
	start_with(&p, version);
	assert_true(tlspair_shake(&p));
	assert_string_equal(SSL_get_version(ssl_of(&p.client)), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
	uint64_t n = of_client ? p.joint.a.given : p.joint.b.given - SIGNATURE_VARIES;
	tlspair_close(&p);
	return n;
}

static void flip(bool of_client, int version, uint64_t bit)
{
	struct tlspair p;
	tlspair_open(&p, BLOCK, BLOCKS);
	(of_client ? &p.joint.a : &p.joint.b)->flip_at = bit + 1;
	start_with(&p, version);
	if (shake_as_far_as_it_goes(&p) == 0)
		assert_true(all_well(&p));
	tlspair_close(&p);
}

static void cut(bool of_client, int version, uint64_t at)
{
	struct tlspair p;
	tlspair_open(&p, BLOCK, BLOCKS);
	(of_client ? &p.joint.a : &p.joint.b)->cut_at = at + 1;
	start_with(&p, version);
	assert_int_equal(shake_as_far_as_it_goes(&p), ST_FAIL);
	tlspair_close(&p);
}

/* The server's words at each byte, the client's here and there: real clients do each byte of theirs at the command line
 * (test_tls_handshake.py). With SOCKCTL_LONG in the environment each bit of both. */
static void at_each_byte(void (*spoil)(bool of_client, int version, uint64_t at), unsigned places)
{
	bool all = getenv("SOCKCTL_LONG") != NULL;
	for (unsigned v = 0; v < VERSIONS; v++)
		for (int of_client = 0; of_client < 2; of_client++)
			for (uint64_t at = 0, n = flight_bytes(of_client, versions[v]); at < n;
				at += of_client && !all ? CLIENT_STEP : 1)
				for (unsigned i = 0; i < (all ? places : 1); i++)
					spoil(of_client, versions[v], places * at + (all ? i : at % places));
}

/* No verifying end is told that all went well, unless it did, and the client's first words are read by its server alone. */
static void a_bit_of_the_handshake_flips(void **state)
{
	(void)state;
	at_each_byte(flip, 8);
}

static void the_handshake_is_cut(void **state)
{
	(void)state;
	at_each_byte(cut, 1);
}

static void a_bit_of_the_payload_flips(void **state)
{
	(void)state;
	for (uint64_t bit = 0; bit < 8 * 3 * 122; bit += 7) {
		struct tlspair p;
		char got[1000];
		size_t sum = 0;
		ssize_t n;
		tlspair_open(&p, BLOCK, BLOCKS);
		tlspair_start(&p);
		assert_true(tlspair_shake(&p));
		p.joint.a.flip_at = 8 * p.joint.a.given + bit + 1;
		unsigned char says[300];
		for (size_t i = 0; i < sizeof says; i++)
			says[i] = double_pattern(i);
		for (size_t i = 0; i < sizeof says; i += 100)
			assert_int_equal(stream_write(p.client.top, says + i, 100), 100);
		stream_shut(p.client.top);
		while ((n = stream_read(p.server.top, got + sum, sizeof got - sum)) > 0)
			sum += (size_t)n;
		assert_int_equal(n, ST_FAIL);
		assert_int_equal(sum, bit / 8 / 122 * 100);
		for (size_t i = 0; i < sum; i++)
			assert_int_equal((unsigned char)got[i], double_pattern(i));
		assert_true(p.server.top->why.cls == ERR_LOST || (sum == 0 && p.server.top->why.cls == ERR_TLS));
		tlspair_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bit_of_the_handshake_flips),
		cmocka_unit_test(the_handshake_is_cut),
		cmocka_unit_test(a_bit_of_the_payload_flips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
