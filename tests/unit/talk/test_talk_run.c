/* Two conversations held with each other in memory, where what is on its way has little room: a sender hears the peer all the
 * same, up to a bound, and what was met ahead has its effect when its turn comes. The simulated loop finds an end that would
 * wait for ever. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec/frame.h"
#include "stream/linger.h"
#include "session/layers.h"
#include "tls/tls.h"
#include "talk/talk.h"
#include "talk/talk_run.h"
#include "tests/unit/double.h"
#include "tests/unit/joint.h"

#include <string.h>

enum { ROOM = 4096 };

static const struct opt_group *const groups[] = { &talk_opts, &frame_opts, &clock_opts, &tls_opts, &tls_client_opts,
	&tls_server_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

struct side {
	struct conf *conf;
	struct outcome outcome;
	struct addr addr;
	struct layers layers;
	struct run run;
	struct service_run *service_run;
	struct session *session;
};

static struct {
	struct loop *loop;
	struct lingers *linger;
	struct joint joint;
	struct side a, b;
	unsigned left;
} fixture;

static int begin(void **state)
{
	struct err e;
	(void)state;
	memset(&fixture, 0, sizeof fixture);
	fixture.loop = loop_open(&loop_sim, &e);
	fixture.linger = linger_open(fixture.loop);
	joint_open(&fixture.joint, fixture.loop);
	fixture.joint.a.window = fixture.joint.b.window = ROOM;
	return 0;
}

static void gone(void *arg, struct session *s)
{
	struct side *side = arg;
	(void)s;
	side->session = NULL;
	if (--fixture.left == 0)
		loop_stop(fixture.loop);
}

static void set(struct side *side, const char *script)
{
	struct err e;
	side->conf = conf_new(commands, &command, &e);
	assert_non_null(side->conf);
	for (const struct opt *row = talk_opts.rows; row->name != NULL; row++)
		if (strcmp(row->name, "talk") == 0)
			assert_int_equal(conf_set(side->conf, &talk_opts, row, script, &e), 0);
}

static void start(struct side *side, struct stream *s, const char *script, bool dialed)
{
	struct sa peer, local = { 0 };
	struct err e = { 0 };
	set(side, script);
	sa_parse(&peer, "192.0.2.1", 80);
	side->layers = (struct layers){ .addr = &side->addr, .service = &service_talk };
	side->run = (struct run){ .loop = fixture.loop, .linger = fixture.linger, .conf = side->conf, .outcome = &side->outcome };
	side->run.layers = &side->layers;
	side->service_run = service_run_open(&side->run, &service_talk, true, &e);
	if (side->service_run == NULL)
		fail_msg("%s: %s", script, e.what);
	side->service_run->drain_ms = 10000;
	side->service_run->gone = gone;
	side->service_run->gone_arg = side;
	assert_int_equal(session_open(side->service_run, s, 1, dialed, &peer, &local, &e), 0);
	side->session = session_find(side->service_run, 1);
	fixture.left++;
}

/* 0: both are over. */
static int talk(const char *a, const char *b)
{
	struct err e = { 0 };
	start(&fixture.a, &fixture.joint.a.s, a, true);
	start(&fixture.b, &fixture.joint.b.s, b, false);
	return loop_run(fixture.loop, &e);
}

static int end(void **state)
{
	(void)state;
	linger_close(fixture.linger);
	struct side *const sides[] = { &fixture.a, &fixture.b };
	for (size_t i = 0; i < 2; i++) {
		service_run_close(sides[i]->service_run);
		layers_stop(&sides[i]->run);
		conf_free(sides[i]->conf);
	}
	joint_close(&fixture.joint);
	assert_true(loop_is_idle(fixture.loop));
	loop_close(fixture.loop);
	return 0;
}

static void went_well(const struct side *side)
{
	if (side->outcome.first.cls != ERR_OK)
		fail_msg("%s", side->outcome.first.what);
}

static void failed(const struct side *side, const char *words)
{
	assert_int_equal(side->outcome.first.cls, ERR_MISMATCH);
	assert_string_equal(side->outcome.first.what, words);
}

/* --- a sender hears --- */

static void both_send_first(void **state)
{
	(void)state;
	assert_int_equal(
		talk("frame raw\nsend 500000*\"ab\" expect 1000000 bytes", "frame raw\nsend 500000*\"cd\" expect 500000*\"ab\""),
		0);
	went_well(&fixture.a);
	went_well(&fixture.b);
}

static void whatever_a_call_moves(void **state)
{
	(void)state;
	fixture.joint.a.most = 7;
	fixture.joint.b.stutters = true;
	fixture.joint.b.window = 1;
	assert_int_equal(
		talk("frame raw\nsend 5000*\"ab\" expect 5000*\"cd\"", "frame raw\nsend 5000*\"cd\" expect 5000*\"ab\" close"),
		0);
	went_well(&fixture.a);
	went_well(&fixture.b);
}

static void frames_of_many_steps(void **state)
{
	static const char both[] = "frame u32be\nsend 300000*\"ab\" send 300000*\"ab\" send 300000*\"ab\"\n"
				   "expect any expect 600000 bytes expect 300000*\"ab\"";
	(void)state;
	assert_int_equal(talk(both, both), 0);
	went_well(&fixture.a);
	went_well(&fixture.b);
}

static void unexpected_input_is_no_obstacle(void **state)
{
	(void)state;
	assert_int_equal(talk("send 500000*\"a\"", "frame raw\nsend 5000000*\"b\" expect 500001 bytes"), 0);
	went_well(&fixture.a);
	went_well(&fixture.b);
}

/* --- a bound --- */

static void a_flood_is_left_where_it_is(void **state)
{
	(void)state;
	assert_int_equal(talk("on any sendraw 2000000*\"a\"", "frame raw\nsend \"go\\n\" 9000000*\"x\\n\" hang"), -1);
	const struct talk *a = fixture.a.session->mem, *b = fixture.b.session->mem;
	assert_in_range(a->engine.in_len, 1024 * 1024, 1024 * 1024 + 2 * FRAMER_EDGE);
	assert_int_equal(b->engine.in_len, 1024 * 1024);
}

/* --- what was met ahead --- */

static void a_half_close_is_no_failure(void **state)
{
	(void)state;
	assert_int_equal(talk("frame raw\nsend 500000*\"ab\" expect \"x\" expect \"y\"",
				 "frame raw\nsend \"xy\" shut wait 50ms expect 1000000 bytes"),
		0);
	went_well(&fixture.a);
	went_well(&fixture.b);
}

static void it_is_one_when_more_is_expected(void **state)
{
	(void)state;
	assert_int_equal(talk("frame raw\nsend 500000*\"ab\" expect \"x\" expect \"y\"",
				 "frame raw\nsend \"x\" shut wait 50ms expect 1000000 bytes"),
		0);
	went_well(&fixture.b);
	failed(&fixture.a, "connection 1: --talk:2: expected \"y\", got the end of the data");
}

static void a_peer_that_left_is_a_failure(void **state)
{
	(void)state;
	assert_int_equal(talk("frame raw\nsend 500000*\"ab\" expect \"x\"", "frame raw\nsend \"x\" expect 1 bytes rst"), 0);
	went_well(&fixture.b);
	failed(&fixture.a,
		"connection 1: --talk:2: in the middle of \"send\", and the connection ended (send to 192.0.2.1:80: Broken "
		"pipe)");
}

/* Reading fails, writing does not. */
static void a_failure_waits_for_its_turn(void **state)
{
	(void)state;
	fixture.joint.a.no_read = true;
	assert_int_equal(talk("frame raw\nsend 500000*\"ab\" expect \"x\"", "frame raw\nexpect 1000000 bytes ignore"), 0);
	went_well(&fixture.b);
	failed(&fixture.a,
		"connection 1: --talk:2: expected \"x\", and the connection ended (receive from 192.0.2.1:80: Connection reset by "
		"peer)");
}

static void not_requested(void **state)
{
	(void)state;
	fixture.joint.a.no_read = true;
	assert_int_equal(talk("frame raw\nsend 500000*\"ab\" close", "frame raw\nexpect 1000000 bytes ignore"), 0);
	went_well(&fixture.a);
	went_well(&fixture.b);
}

static void the_first_failure_is_told(void **state)
{
	(void)state;
	fixture.joint.a.no_read = true;
	assert_int_equal(talk("frame raw\nsend 500000*\"ab\" expect \"x\"", "frame raw\nexpect 1 bytes rst"), 0);
	went_well(&fixture.b);
	failed(&fixture.a,
		"connection 1: --talk:2: in the middle of \"send\", and the connection ended (receive from 192.0.2.1:80: "
		"Connection reset by peer)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(both_send_first),
		TEST(whatever_a_call_moves),
		TEST(frames_of_many_steps),
		TEST(unexpected_input_is_no_obstacle),
		TEST(a_flood_is_left_where_it_is),
		TEST(a_half_close_is_no_failure),
		TEST(it_is_one_when_more_is_expected),
		TEST(a_peer_that_left_is_a_failure),
		TEST(a_failure_waits_for_its_turn),
		TEST(not_requested),
		TEST(the_first_failure_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
