/* The TLS layer, two of them joined in memory: whatever the pieces are in which bytes cross, the same bytes arrive, and both ends
 * come to their end; and a connection that is cut or whose bytes are not taken is told from one that has ended. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tlspair.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 64 * 1024, BLOCKS = 8 };
static const struct pump_opts plain = { .settle_ms = NEVER };

struct pieces {
	size_t most, window, says, answers, blocks;
	bool stutters;
};

static void play(const struct pieces *x)
{
	struct tlspair p;
	const struct act says[] = { SAY_N(x->says), END }, answers[] = { SAY_N(x->answers), END };
	tlspair_open(&p, BLOCK, x->blocks != 0 ? x->blocks : BLOCKS);
	struct joint_end *ends[] = { &p.joint.a, &p.joint.b };
	for (size_t i = 0; i < 2; i++) {
		ends[i]->most = x->most;
		ends[i]->window = x->window;
		ends[i]->stutters = x->stutters;
	}
	p.client.near.rd.at = x->says > 0 ? says : says + 1;
	p.server.near.rd.at = x->answers > 0 ? answers : answers + 1;
	tlspair_start(&p);
	const char *broken = tlspair_run(&p, &plain, &plain);
	if (broken != NULL)
		fail_msg("%s", broken);
	assert_int_equal(p.client.why.cls, ERR_OK);
	assert_int_equal(p.server.why.cls, ERR_OK);
	assert_int_equal(p.server.near.got_n, x->says);
	assert_int_equal(p.client.near.got_n, x->answers);
	for (size_t i = 0; i < x->says; i++)
		assert_int_equal(p.server.near.got[i], double_pattern(i));
	for (size_t i = 0; i < x->answers; i++)
		assert_int_equal(p.client.near.got[i], double_pattern(i));
	assert_true(p.client.near.was_shut && p.server.near.was_shut);
	assert_int_equal(p.shakes, 2);
	assert_string_equal(p.verify, "none"); /* the server's event is the last, and it asked for no certificate */
	tlspair_close(&p);
}

static void bytes_cross_in_pieces_of_any_size(void **state)
{
	static const size_t most[] = { 1, 2, 3, 5, 17, 100, 1460, 16406, 70000, 0 };
	static const size_t sizes[] = { 0, 1, 16384, 16385, 200000 };
	(void)state;
	for (size_t i = 0; i < sizeof most / sizeof most[0]; i++)
		for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
			for (int stutters = 0; stutters < 2; stutters++)
				play(&(struct pieces){ most[i], 0, sizes[k], sizes[4 - k], 0, stutters });
}

static void bytes_cross_where_few_fit(void **state)
{
	static const size_t windows[] = { 1, 7, 1000, 20000, 100000 };
	(void)state;
	for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++)
		for (int stutters = 0; stutters < 2; stutters++)
			play(&(struct pieces){ 0, windows[i], 100000, 100000, 0, stutters });
}

/* One way needs four blocks: a ring and what the layer writes at each end. A layer that waits for one gets it. */
static void bytes_cross_where_blocks_are_short(void **state)
{
	(void)state;
	for (size_t blocks = 4; blocks < 7; blocks++)
		for (int stutters = 0; stutters < 2; stutters++)
			play(&(struct pieces){ 0, 30000, 300000, 0, blocks, stutters });
}

static void every_block_is_lent_for_a_while(void **state)
{
	struct tlspair p;
	void *lent[BLOCKS];
	unsigned char got[8] = "";
	(void)state;
	tlspair_open(&p, BLOCK, BLOCKS);
	tlspair_start(&p);
	for (size_t i = 0; i < BLOCKS; i++)
		lent[i] = pool_take(p.pool);
	assert_int_equal(stream_setup(p.client.top), ST_AGAIN);
	assert_true(p.client.top->rd.timed && !p.client.top->rd.wake);
	for (size_t i = 0; i < BLOCKS; i++)
		pool_give(p.pool, lent[i]);
	assert_true(tlspair_shake(&p));
	for (size_t i = 0; i < BLOCKS; i++)
		lent[i] = pool_take(p.pool);
	assert_int_equal(stream_write(p.client.top, "ab", 2), ST_AGAIN);
	assert_true(p.client.top->wr.timed);
	assert_int_equal(stream_shut(p.client.top), ST_AGAIN);
	assert_true(p.client.top->wr.timed);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), ST_AGAIN);
	assert_true(p.server.top->rd.timed);
	for (size_t i = 0; i < BLOCKS; i++)
		pool_give(p.pool, lent[i]);
	assert_int_equal(stream_write(p.client.top, "abc", 3), 3); /* nothing was begun before */
	assert_int_equal(stream_shut(p.client.top), 0);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 3);
	assert_memory_equal(got, "abc", 3);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 0);
	tlspair_close(&p);
}

/* ends */

static void open_pair(struct tlspair *p)
{
	tlspair_open(p, BLOCK, BLOCKS);
	tlspair_start(p);
	assert_true(tlspair_shake(p));
}

static void a_client_may_half_close_towards_us(void **state)
{
	struct tlspair p;
	char got[8];
	(void)state;
	open_pair(&p);
	assert_int_equal(p.client.top->caps & ST_NOHALF, 0);
	assert_int_equal(stream_shut(p.client.top), 0);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 0);
	assert_int_equal(stream_write(p.server.top, "late", 4), 4);
	assert_int_equal(stream_read(p.client.top, got, sizeof got), 4);
	assert_int_equal(stream_shut(p.server.top), 0);
	assert_int_equal(stream_read(p.client.top, got, sizeof got), 0);
	assert_int_equal(stream_read(p.client.top, got, sizeof got), 0);
	tlspair_close(&p);
}

static void both_say_goodbye_at_once(void **state)
{
	struct tlspair p;
	char got[8];
	(void)state;
	open_pair(&p);
	assert_int_equal(stream_write(p.client.top, "a", 1), 1);
	assert_int_equal(stream_shut(p.client.top), 0);
	assert_int_equal(stream_write(p.server.top, "b", 1), 1);
	assert_int_equal(stream_shut(p.server.top), 0);
	struct stream *tops[] = { p.client.top, p.server.top };
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(stream_read(tops[i], got, sizeof got), 1);
		assert_int_equal(stream_read(tops[i], got, sizeof got), 0);
	}
	tlspair_close(&p);
}

static void an_end_without_goodbye_is_a_cut(void **state)
{
	struct tlspair p;
	char got[8];
	(void)state;
	open_pair(&p);
	assert_int_equal(stream_write(p.client.top, "ab", 2), 2);
	stream_close(p.client.top, CLOSE_PLAIN);
	p.client.top = NULL;
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_read(p.server.top, got, sizeof got), ST_FAIL);
		assert_int_equal(p.server.top->why.cls, ERR_LOST);
		assert_string_equal(p.server.top->why.text, "TLS stream cut off (no close_notify) from");
	}
	tlspair_close(&p);
}

/* With --tls-allow-truncation it is an end like that of TCP, after which we go on writing. */
static void a_cut_that_is_allowed_is_an_end(void **state)
{
	struct tlspair p;
	char got[8];
	(void)state;
	tlspair_open(&p, BLOCK, BLOCKS);
	tlspair_set(&p.server, &tls_opts, "tls-allow-truncation", NULL);
	tlspair_start(&p);
	assert_true(tlspair_shake(&p));
	assert_int_equal(stream_shut(&p.joint.a.s), 0);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 0);
	assert_int_equal(stream_write(p.server.top, "late", 4), 4);
	assert_int_equal(stream_shut(p.server.top), 0);
	assert_int_equal(stream_read(p.client.top, got, sizeof got), 4);
	assert_int_equal(stream_read(p.client.top, got, sizeof got), 0);
	tlspair_close(&p);
}

static void a_cut_handshake_names_its_reason(void **state)
{
	static const char *const optional[] = { NULL, "tls-allow-truncation" };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tlspair p;
		tlspair_open(&p, BLOCK, BLOCKS);
		if (optional[i] != NULL)
			tlspair_set(&p.client, &tls_opts, optional[i], NULL);
		tlspair_start(&p);
		assert_int_equal(stream_setup(p.client.top), ST_AGAIN);
		assert_int_equal(stream_shut(&p.joint.b.s), 0);
		assert_int_equal(stream_setup(p.client.top), ST_FAIL);
		assert_int_equal(p.client.top->why.cls, ERR_TLS);
		assert_string_equal(p.client.top->why.text,
			"the peer closed the connection during the handshake; perhaps it does not speak TLS");
		tlspair_close(&p);
	}
}

static void a_goodbye_in_place_of_a_handshake(void **state)
{
	static const unsigned char bye[] = { 21, 3, 3, 0, 2, 1, 0 };
	struct tlspair p;
	(void)state;
	tlspair_open(&p, BLOCK, BLOCKS);
	tlspair_start(&p);
	assert_int_equal(stream_setup(p.client.top), ST_AGAIN);
	assert_int_equal(stream_write(&p.joint.b.s, bye, sizeof bye), sizeof bye);
	assert_int_equal(stream_setup(p.client.top), ST_FAIL);
	assert_string_equal(p.client.top->why.text, "the peer ended the handshake (TLS alert: close notify)");
	tlspair_close(&p);
}

/* What was accepted is not lost unnoticed: a layer that cannot send says so, also if it is a reader that found it out. */
static void a_failed_send_is_reported(void **state)
{
	struct tlspair p;
	char got[8];
	(void)state;
	open_pair(&p);
	p.joint.b.window = 1;
	assert_int_equal(stream_write(p.server.top, "abcdef", 6), 6);
	assert_int_equal(stream_flush(p.server.top), ST_AGAIN);
	assert_true(p.server.top->wr.wake);
	assert_int_equal(stream_write(p.client.top, "still here", 4), 4);
	p.joint.b.no_write = true;
	assert_int_equal(stream_read(p.server.top, got, 2), 2);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), 2); /* what the peer said can be read nevertheless */
	assert_int_equal(stream_flush(p.server.top), ST_FAIL);
	assert_string_equal(p.server.top->why.text, "send to");
	assert_int_equal(stream_write(p.server.top, "g", 1), ST_FAIL);
	assert_int_equal(stream_shut(p.server.top), ST_FAIL);
	assert_int_equal(stream_read(p.server.top, got, sizeof got), ST_AGAIN);
	tlspair_close(&p);
}

/* A pump that ends with the peer's end: what the layer still holds then is no less unsent than what the pump or the kernel holds.
 * An end that says that all is well has sent it all. */
static void end_while_some_is_held(size_t bytes, unsigned *well)
{
	static const struct act answers[] = { SAY("x"), END };
	static const struct pump_opts until_far = { .end_with_far = true, .settle_ms = NEVER };
	const struct act says[] = { SAY_N(bytes), WAIT(600000), END };
	struct tlspair p;
	tlspair_open(&p, BLOCK, BLOCKS);
	p.client.near.rd.at = says;
	p.server.near.rd.at = answers;
	p.joint.a.window = 3000;
	p.server.near.most = 1000;
	p.server.near.stutter_ms = 1;
	tlspair_start(&p);
	const char *broken = tlspair_run(&p, &until_far, &plain);
	if (broken != NULL)
		fail_msg("%s", broken);
	bool all = p.server.why.cls == ERR_OK && p.server.near.got_n == bytes;
	assert_int_equal(p.client.why.cls == ERR_OK, all);
	*well += all;
	tlspair_close(&p);
}

static void what_the_layer_holds_is_sent_before_the_end(void **state)
{
	unsigned well = 0, runs = 0;
	(void)state;
	for (size_t bytes = 50000; bytes < 300000; bytes += 10000, runs++)
		end_while_some_is_held(bytes, &well);
	assert_in_range(well, 5, runs - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_cross_in_pieces_of_any_size),
		cmocka_unit_test(bytes_cross_where_few_fit),
		cmocka_unit_test(bytes_cross_where_blocks_are_short),
		cmocka_unit_test(every_block_is_lent_for_a_while),
		cmocka_unit_test(a_client_may_half_close_towards_us),
		cmocka_unit_test(both_say_goodbye_at_once),
		cmocka_unit_test(an_end_without_goodbye_is_a_cut),
		cmocka_unit_test(a_cut_that_is_allowed_is_an_end),
		cmocka_unit_test(a_cut_handshake_names_its_reason),
		cmocka_unit_test(a_goodbye_in_place_of_a_handshake),
		cmocka_unit_test(a_failed_send_is_reported),
		cmocka_unit_test(what_the_layer_holds_is_sent_before_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
