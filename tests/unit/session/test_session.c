/* Sessions: what hears of their beginning and end, in which order, and which clock ends them. Time is the simulated loop's. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "session/session.h"
#include "tests/unit/double.h"

#include <stdio.h>
#include <string.h>

/* A stream that says nothing and remembers how it was closed. */

struct quiet {
	struct stream s;
	struct waker waker;
	bool closed, shut, eof;
	enum close_how how;
};

static ssize_t quiet_readv(struct stream *s, const struct iovec *v, int n)
{
	(void)v;
	(void)n;
	s->rd = (struct need){ .wake = true };
	return ((struct quiet *)s)->eof ? 0 : ST_AGAIN;
}

static ssize_t quiet_writev(struct stream *s, const struct iovec *v, int n)
{
	(void)s;
	(void)n;
	return (ssize_t)v[0].iov_len;
}

static int quiet_shut(struct stream *s)
{
	((struct quiet *)s)->shut = true;
	return 0;
}

static void quiet_close(struct stream *s, enum close_how how)
{
	struct quiet *q = (struct quiet *)s;
	assert_false(q->closed);
	q->closed = true;
	q->how = how;
}

static const struct stream_ops quiet_ops = {
	.name = "quiet", .readv = quiet_readv, .writev = quiet_writev, .shut = quiet_shut, .close = quiet_close
};

/* A run, and all that happens in it as one line of words. */

static struct {
	struct conf *conf;
	struct outcome outcome;
	struct event_sink sink;
	struct run run;
	struct service_run *service_run;
	struct quiet streams[8];
	char log[512];
	bool refuses, drains;
	int64_t ended_ms;
} fixture;

static void note(const char *what, uint32_t id)
{
	size_t n = strlen(fixture.log);
	snprintf(fixture.log + n, sizeof fixture.log - n, "%s%s %u", n > 0 ? ", " : "", what, (unsigned)id);
}

static void emit(void *arg, const struct event *ev)
{
	(void)arg;
	if (ev->kind == EV_OPEN || ev->kind == EV_CLOSE)
		note(ev_rows[ev->kind].name, ev->conn);
}

static int service_open(struct session *s, struct err *e)
{
	assert_int_equal(*(char *)s->mem, 0);
	*(char *)s->mem = 'x';
	note("take", s->id);
	return fixture.refuses ? err_set(e, ERR_LOCAL, 0, "not today") : 0;
}

static void service_drain(struct session *s)
{
	note("drain", s->id);
	if (fixture.drains)
		session_end(s, END_DRAIN, CLOSE_PLAIN, NULL);
}

static void service_close(struct session *s)
{
	assert_false(((struct quiet *)s->stream)->closed);
	note("let go", s->id);
}

static void gone(void *arg, struct session *s)
{
	(void)arg;
	note("gone", s->id);
	fixture.ended_ms = loop_now(fixture.run.loop);
	if (fixture.service_run->all.left == 0)
		loop_stop(fixture.run.loop);
}

static const struct service service = {
	.name = "test", .session_bytes = 1, .open = service_open, .drain = service_drain, .close = service_close
};
static const struct service bare = { .name = "bare", .session_bytes = 1, .open = service_open };

static const struct opt_group *const groups[] = { &clock_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

static void option(const char *name, const char *text)
{
	for (const struct opt *row = clock_opts.rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			assert_int_equal(conf_set(fixture.conf, &clock_opts, row, text, NULL), 0);
}

static int begin(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof fixture);
	struct err e;
	fixture.conf = conf_new(commands, &command, &e);
	fixture.sink = (struct event_sink){ .emit = emit, .level = EV_DEBUG };
	fixture.run = (struct run){ .conf = fixture.conf, .events = &fixture.sink, .outcome = &fixture.outcome };
	fixture.run.loop = loop_open(&loop_sim, &e);
	fixture.run.linger = linger_open(fixture.run.loop);
	return fixture.conf == NULL || fixture.run.loop == NULL || fixture.run.linger == NULL;
}

static void serve(const struct service *with)
{
	fixture.service_run = service_run_open(&fixture.run, with, true, NULL);
	assert_non_null(fixture.service_run);
	fixture.service_run->server = true;
	fixture.service_run->gone = gone;
}

static int end(void **state)
{
	(void)state;
	linger_close(fixture.run.linger);
	service_run_close(fixture.service_run);
	assert_true(loop_is_idle(fixture.run.loop));
	loop_close(fixture.run.loop);
	conf_free(fixture.conf);
	return 0;
}

static struct session *come(uint32_t id, unsigned caps)
{
	struct quiet *q = &fixture.streams[id];
	struct sa peer, local = { 0 };
	sa_parse(&peer, "192.0.2.1", 80);
	*q = (struct quiet){ .s = { .ops = &quiet_ops, .rfd = -1, .wfd = -1, .caps = caps } };
	q->s.waker = &q->waker;
	if (session_open(fixture.service_run, &q->s, id, false, &peer, &local, NULL) != 0)
		return NULL;
	return session_find(fixture.service_run, id);
}

static void turn(void)
{
	struct err e = { 0 };
	if (loop_run(fixture.run.loop, &e) != 0)
		fail_msg("%s", e.what);
}

static void life_of_one(void **state)
{
	(void)state;
	serve(&service);
	struct session *s = come(1, 0);
	assert_non_null(s);
	assert_int_equal(fixture.service_run->all.count, 1);
	session_end(s, END_PEER, CLOSE_DONE, NULL);
	session_end(s, END_LOCAL, CLOSE_RST, NULL); /* too late */
	assert_null(session_find(fixture.service_run, 1));
	assert_false(fixture.streams[1].closed);
	assert_int_equal(fixture.service_run->all.count, 0);
	assert_int_equal(fixture.service_run->all.left, 1);
	turn();
	assert_string_equal(fixture.log, "open 1, take 1, let go 1, close 1, gone 1");
	assert_true(fixture.streams[1].closed);
	assert_int_equal(fixture.streams[1].how, CLOSE_PLAIN);
}

/* Of a connection whose peer has ended its side, and the count of them. */
static void ended_sides_are_counted(void **state)
{
	(void)state;
	char byte;
	serve(&service);
	struct session *one = come(1, 0), *two = come(2, 0);
	assert_int_equal(fixture.service_run->all.half, 0);
	fixture.streams[1].eof = fixture.streams[2].eof = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_read(one->stream, &byte, 1), 0);
	assert_int_equal(fixture.service_run->all.half, 1);
	session_end(two, END_KICK, CLOSE_RST, NULL);
	assert_int_equal(stream_read(two->stream, &byte, 1), 0); /* it has ended already */
	assert_int_equal(fixture.service_run->all.half, 1);
	session_end(one, END_FULL, CLOSE_DONE, NULL);
	assert_int_equal(fixture.service_run->all.half, 0);
	turn();
	assert_int_equal(fixture.service_run->all.half, 0);
}

static void a_good_end_lingers(void **state)
{
	(void)state;
	serve(&service);
	session_end(come(1, 0), END_LOCAL, CLOSE_PLAIN, NULL);
	session_end(come(2, ST_DGRAM), END_LOCAL, CLOSE_PLAIN, NULL);
	session_end(come(3, 0), END_SLOW, CLOSE_RST, NULL);
	struct session *failed = come(4, 0);
	session_end(failed, END_ERROR, CLOSE_PLAIN, &failed->stream->why);
	turn();
	assert_int_equal(linger_count(fixture.run.linger), 1);
	assert_true(fixture.streams[1].shut);
	assert_false(fixture.streams[1].closed);
	assert_null(fixture.streams[1].s.counters);
	for (int i = 2; i <= 4; i++)
		assert_true(fixture.streams[i].closed);
	assert_int_equal(fixture.streams[3].how, CLOSE_RST);
}

static void refused_by_the_service(void **state)
{
	(void)state;
	serve(&service);
	fixture.refuses = true;
	assert_null(come(1, 0));
	assert_true(fixture.streams[1].closed);
	assert_string_equal(fixture.log, "open 1, take 1, close 1");
	assert_int_equal(fixture.service_run->all.left, 0);
}

static void idle(void **state)
{
	(void)state;
	option("idle-timeout", "2");
	serve(&service);
	struct session *s = come(1, 0);
	s->counters.used_ms += 700; /* bytes moved: the timer was not told */
	turn();
	assert_int_equal(fixture.ended_ms, SIM_START_MS + 2700);
	assert_true(fixture.streams[1].closed); /* and the peer's goodbye is not waited for */
}

static void timeout_words(struct session *s, enum session_end by)
{
	struct err e;
	assert_int_equal(s->by, by);
	session_words(s, &e);
	assert_int_equal(e.cls, ERR_TIMEOUT);
	assert_non_null(strstr(e.what, "192.0.2.1:80"));
}

static void check_idle(void *arg, struct session *s)
{
	timeout_words(s, END_IDLE);
	gone(arg, s);
}

static void check_over(void *arg, struct session *s)
{
	timeout_words(s, END_MAX_TIME);
	gone(arg, s);
}

static void check_clean(void *arg, struct session *s)
{
	assert_int_equal(s->by, END_IDLE);
	assert_int_equal(s->why.cls, ERR_OK);
	gone(arg, s);
}

static void idle_is_a_timeout(void **state)
{
	(void)state;
	option("idle-timeout", "1s");
	serve(&service);
	fixture.service_run->gone = check_idle;
	come(1, 0);
	turn();
}

static void max_time_counts_from_birth(void **state)
{
	(void)state;
	option("max-time", "3s");
	option("idle-timeout", "10s");
	serve(&service);
	fixture.service_run->gone = check_over;
	come(1, 0)->counters.used_ms += 2900;
	turn();
	assert_int_equal(fixture.ended_ms, SIM_START_MS + 3000);
}

static void datagram_peers_expire(void **state)
{
	(void)state;
	serve(&service);
	fixture.service_run->gone = check_clean;
	come(1, ST_DGRAM);
	turn();
	assert_int_equal(fixture.ended_ms, SIM_START_MS + 60000);
}

static void datagram_peers_may_stay(void **state)
{
	(void)state;
	struct err e;
	option("idle-timeout", "0");
	serve(&service);
	come(1, ST_DGRAM);
	assert_int_equal(loop_run(fixture.run.loop, &e), -1); /* no clock runs */
	assert_int_equal(fixture.service_run->all.count, 1);
}

static void drain_asks_each(void **state)
{
	(void)state;
	serve(&service);
	fixture.drains = true;
	for (uint32_t i = 1; i <= 3; i++)
		come(i, ST_DGRAM);
	session_end(session_find(fixture.service_run, 2), END_PEER, CLOSE_PLAIN, NULL);
	fixture.log[0] = '\0';
	service_run_drain(fixture.service_run);
	assert_true(fixture.service_run->draining);
	assert_string_equal(fixture.log, "drain 1, drain 3");
	turn();
	assert_int_equal(fixture.service_run->all.left, 0);
}

static void drain_ends_those_of_a_simple_service(void **state)
{
	(void)state;
	serve(&bare);
	come(1, ST_DGRAM);
	service_run_drain(fixture.service_run);
	assert_int_equal(fixture.service_run->all.count, 0);
	turn();
}

static void service_run_close_ends_all_at_once(void **state)
{
	(void)state;
	serve(&service);
	for (uint32_t i = 1; i <= 3; i++)
		come(i, 0);
	session_end(session_find(fixture.service_run, 2), END_ERROR, CLOSE_RST, NULL);
	service_run_close(fixture.service_run);
	fixture.service_run = NULL;
	for (int i = 1; i <= 3; i++)
		assert_true(fixture.streams[i].closed);
	assert_int_equal(fixture.streams[2].how, CLOSE_RST);
	assert_int_equal(linger_count(fixture.run.linger), 0);
}

static void words(void **state)
{
	(void)state;
	struct err e;
	serve(&service);
	struct session *s = come(1, 0);
	s->why = (struct why){ ERR_LOST, OF_PEER, ECONNRESET, "receive from" };
	session_words(s, &e);
	assert_string_equal(e.what, "receive from 192.0.2.1:80: Connection reset by peer");
	s->why = (struct why){ ERR_LOCAL, 0, ENOSPC, "write stdout" };
	session_words(s, &e);
	assert_string_equal(e.what, "write stdout: No space left on device");
	s->why = (struct why){ ERR_LOST, OF_PEER, 0, "no byte came in time through" }; /* whatever its last word is */
	session_words(s, &e);
	assert_string_equal(e.what, "no byte came in time through 192.0.2.1:80");
	s->why = (struct why){ ERR_LOST, 0, 0, "the proxy does not know where to" };
	session_words(s, &e);
	assert_string_equal(e.what, "the proxy does not know where to");
	s->why = (struct why){ ERR_LOST, 0, 0, NULL };
	session_words(s, &e);
	assert_string_equal(e.what, "connection with 192.0.2.1:80");
}

#ifdef SYS_SEAM
static int calls_left;

static int gate(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY && calls_left-- == 0 ? ENOMEM : 0;
}

static void no_memory(void **state)
{
	(void)state;
	serve(&service);
	bool opened = false;
	for (int i = 0; i < 4 && !opened; i++) {
		calls_left = i;
		sys_gate = gate;
		opened = come(1, 0) != NULL;
		sys_gate = NULL;
		assert_true(opened || fixture.streams[1].closed);
		assert_int_equal(fixture.service_run->all.left, opened ? 1 : 0);
	}
	assert_true(opened);
}
#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(life_of_one),
		TEST(ended_sides_are_counted),
		TEST(a_good_end_lingers),
		TEST(refused_by_the_service),
		TEST(idle),
		TEST(idle_is_a_timeout),
		TEST(max_time_counts_from_birth),
		TEST(datagram_peers_expire),
		TEST(datagram_peers_may_stay),
		TEST(drain_asks_each),
		TEST(drain_ends_those_of_a_simple_service),
		TEST(service_run_close_ends_all_at_once),
		TEST(words),
#ifdef SYS_SEAM
		TEST(no_memory),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
