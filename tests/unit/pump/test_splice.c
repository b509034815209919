/* Bytes that pass unseen, over real descriptors: which are moved how, that all of them come, and what is waited for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stream/fdstream.h"
#include "codec/filter.h"
#include "pump/splice.h"
#include "sockets.h"
#include "way.h"

#include <string.h>

static const struct stream_words words = { 0, "read stdin", "write stdout", "close stdout" };

static const char *moved_by(struct way *w)
{
	flow_run(&w->flow, 1);
	return w->flow.mover->name;
}

/* Feeds n bytes and the end, and reads them at the other side, until all is over. */
static void pass_all(struct way *w, size_t n)
{
	size_t fed = w->in < 0 ? n : 0, have = 0;
	if (w->in >= 0)
		nonblocking(w->in);
	for (int turns = 0; w->flow.state != FLOW_DONE && turns < 1000000; turns++) {
		ssize_t put = fed < n ? write(w->in, bytes + fed, n - fed) : 0;
		fed += put > 0 ? (size_t)put : 0;
		if (fed == n && w->in >= 0) {
			close(w->in);
			w->in = -1;
		}
		flow_run(&w->flow, 10000);
		flow_let_shut(&w->flow);
		assert_false(w->flow.failed_from || w->flow.failed_to);
		have = way_drain(w, have);
	}
	assert_int_equal(w->flow.state, FLOW_DONE);
	assert_true(w->flow.eof);
	if (w->out >= 0 && have == 0 && lseek(w->out, 0, SEEK_SET) == 0)
		have = way_drain(w, 0);
	assert_int_equal(w->flow.in, n);
	assert_int_equal(w->flow.out, n);
	assert_int_equal(w->came.in, n);
	assert_int_equal(w->went.out, n);
	assert_int_equal(w->came.used_ms, loop_now(w->loop));
	assert_int_equal(w->went.used_ms, loop_now(w->loop));
	assert_true(w->came.first_us > 0 && w->came.reads > 0);
	assert_true(w->came.in_ended && w->went.out_ended);
	if (w->out >= 0) {
		assert_int_equal(have, n);
		assert_memory_equal(got, bytes, n);
	}
}

/* The choice */

static void test_the_mover_for_each_pair(void **state)
{
	(void)state;
	static const struct {
		const char *ends, *name;
	} rows[] = { { "ft", "sendfile" }, { "fu", "sendfile" }, { "pt", "splice" }, { "pu", "splice" }, { "tp", "splice" },
		{ "up", "splice" }, { "pp", "splice" }, { "fp", "splice" }, { "pf", "splice" }, { "tu", "relay" },
		{ "ut", "relay" }, { "tn", "forget" }, { "un", "relay" }, { "tf", "relay" }, { "ff", "copy" } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct way w;
		way_open(&w, rows[i].ends[0], rows[i].ends[1]);
		const char *name = moved_by(&w);
		if (strcmp(name, rows[i].name) != 0)
			fail_msg("%s is moved by %s, not %s", rows[i].ends, name, rows[i].name);
		way_close(&w);
	}
}

static ssize_t seen_readv(struct stream *s, const struct iovec *v, int n)
{
	ssize_t rc = stream_readv(s->below, v, n);
	return rc == ST_AGAIN ? stream_again_rd(s, &s->below->rd) : rc;
}

static void test_pairs_that_are_copied(void **state)
{
	(void)state;
	static const struct stream_ops seen = { .name = "seen", .readv = seen_readv };
	struct way w;
	way_open(&w, 't', 'p');
	pool_copy_only(w.pool);
	assert_string_equal(moved_by(&w), "copy");
	way_close(&w);

	way_open(&w, 't', 'p');
	w.flow.drop = true;
	assert_string_equal(moved_by(&w), "forget");
	way_close(&w);

	way_open(&w, 'u', 'p'); /* no other sockets know how to forget */
	w.flow.drop = true;
	assert_string_equal(moved_by(&w), "copy");
	way_close(&w);

	way_open(&w, 't', 'p'); /* one that a splice would wait for */
	fcntl(w.from->rfd, F_SETFL, 0);
	assert_string_equal(moved_by(&w), "copy");
	way_close(&w);

	way_open(&w, 't', 'p'); /* a layer that looks at the bytes */
	struct stream layer;
	stream_push(&layer, &seen, w.from);
	flow_open(&w.flow, w.pool, &layer, w.to);
	assert_string_equal(moved_by(&w), "copy");
	way_close(&w);

	way_open(&w, 't', 'n'); /* echo is one flow whose ends are the same */
	flow_open(&w.flow, w.pool, w.from, w.from);
	assert_string_equal(moved_by(&w), "copy");
	flow_bulk(&w.flow); /* unless there is much of it */
	assert_string_equal(moved_by(&w), "relay");
	way_close(&w);

	int fd[2]; /* a socket that came as stdin: its flags are others', too */
	way_open(&w, 'p', 'n');
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	struct stream *stdin_socket = stream_pair(fd[0], fd[1], &words);
	flow_open(&w.flow, w.pool, stdin_socket, w.to);
	assert_string_equal(moved_by(&w), "copy");
	flow_open(&w.flow, w.pool, w.from, stdin_socket);
	assert_string_equal(moved_by(&w), "copy");
	stream_close(stdin_socket, CLOSE_PLAIN);
	way_close(&w);

	way_open(&w, 't', 'n'); /* the wrong end of a pipe: writing says what is wrong with it */
	assert_int_equal(sys_pipe(fd), 0);
	struct stream *wrong = stream_pair(-1, fd[0], &words);
	flow_open(&w.flow, w.pool, w.from, wrong);
	assert_string_equal(moved_by(&w), "copy");
	stream_close(wrong, CLOSE_PLAIN);
	close(fd[1]);
	way_close(&w);
}

/* A socket that gave less than it was asked for has no more: a second read, here one that fails, is saved until it says so. */
static void test_dry_socket_is_not_asked_again(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'n');
	flow_open(&w.flow, w.pool, w.from, w.from);
	assert_int_equal(write(w.in, "hola", 4), 4);
	gate_open(SYS_READ, 1, 2, EIO);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
	assert_true(w.flow.wait_from && w.from->rd.in && !flow_holds(&w.flow));
	assert_int_equal(w.flow.out, 4);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_true(w.flow.failed_from);
	sys_gate = NULL;
	way_close(&w);
}

/* One of the kernel's own has no size and can be read once: what sendfile throws away would be lost. */
static void test_file_of_the_kernel(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 'f', 't');
	struct stream *s = stream_pair(open("/proc/self/status", O_RDONLY), -1, &words);
	assert_true(mover_sendfile.fits(&w.flow));
	flow_open(&w.flow, w.pool, s, w.to);
	assert_false(mover_sendfile.fits(&w.flow));
	assert_string_equal(moved_by(&w), "copy");
	stream_close(s, CLOSE_PLAIN);
	way_close(&w);
}

/* A filter changes what is written; what is read passes it by. */
static void test_filter_in_between(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'p');
	assert_int_equal(filter_push(&w.from, "crlf", crlf_convert), 0);
	flow_open(&w.flow, w.pool, w.from, w.to);
	assert_string_equal(moved_by(&w), "splice");
	assert_true(w.flow.wait_from && w.from->rd.in); /* handed up to where the flow looks */
	reset_close(w.in);
	w.in = -1;
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_ENDED);
	assert_int_equal(w.from->why.cls, ERR_LOST);
	way_close(&w);

	way_open(&w, 'p', 't');
	assert_int_equal(filter_push(&w.to, "crlf", crlf_convert), 0);
	flow_open(&w.flow, w.pool, w.from, w.to);
	assert_string_equal(moved_by(&w), "copy");
	way_close(&w);
}

/* Bytes */

static const char *const ways[] = { "pt", "pu", "tp", "up", "ft", "fu", "tu", "ut", "tn", "pp", "fp", "pf", "tf", "pa", "ta",
	NULL };

static void test_all_ways(void **state)
{
	(void)state;
	for (const char *const *way = ways; *way != NULL; way++) {
		struct way w;
		way_open(&w, (*way)[0], (*way)[1]);
		pass_all(&w, MUCH);
		way_close(&w);
	}
}

/* Whatever call fails so that it is to be tried again, and however little each moves. */
static void test_all_ways_under_faults(void **state)
{
	(void)state;
	static const int faults[] = { EINTR, EAGAIN, EINVAL, EPERM };
	for (const char *const *way = ways; *way != NULL; way++)
		for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
			for (int nth = 0; nth < 6; nth++)
				for (int times = 1; times < 5; times += 3) {
					struct way w;
					way_open(&w, (*way)[0], (*way)[1]);
					gate_open(SYS_SPLICE, nth, nth + times, faults[i]);
					splice_most = nth % 3 == 0 ? 7 : 0;
					pass_all(&w, (*way)[0] == 'f' ? MUCH : 60000);
					way_close(&w);
				}
}

static void test_one_byte_at_a_time(void **state)
{
	(void)state;
	for (const char *const *way = ways; *way != NULL; way++) {
		struct way w;
		if ((*way)[0] == 'f')
			continue;
		way_open(&w, (*way)[0], (*way)[1]);
		gate_open(SYS_SPLICE, 0, 0, 0);
		splice_most = 1;
		pass_all(&w, 3000);
		way_close(&w);
	}
}

/* What is waited for */

static void test_nothing_to_read(void **state)
{
	(void)state;
	static const char *const all[] = { "pt", "tp", "up", "tu", "tn", "pp" };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct way w;
		way_open(&w, all[i][0], all[i][1]);
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
		assert_true(w.flow.wait_from && !w.flow.wait_to && w.from->rd.in);
		assert_int_equal(w.flow.pipe[0], -1); /* no idle flow holds one */
		assert_int_equal(w.came.reads, 0);
		way_close(&w);
	}
}

/* Until both are full; the test then looks at what the flow waits for. */
static void fill(struct way *w)
{
	nonblocking(w->in);
	for (int idle = 0; idle < 3; idle++) {
		if (write(w->in, bytes, sizeof bytes) > 0)
			idle = 0;
		flow_run(&w->flow, PLENTY);
	}
}

static void test_no_reader_takes(void **state)
{
	(void)state;
	static const char *const all[] = { "pt", "pu", "tp", "up", "ut", "tu", "pp" };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct way w;
		way_open(&w, all[i][0], all[i][1]);
		fill(&w);
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
		if (!w.flow.wait_to || w.flow.wait_from || !w.to->wr.out)
			fail_msg("%s: waits for the wrong end", all[i]);
		close(w.in); /* its end waits behind what is full; there is nothing to be woken for */
		w.in = -1;
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
		assert_true(w.flow.wait_to && !w.flow.wait_from);
		way_close(&w);
	}
}

/* A full pipe and nothing to read: whichever is waited for, it is not ready. */
static void test_full_and_empty(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'p');
	while (write(w.to->wfd, bytes, BLOCK) > 0)
		;
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
	assert_true(w.flow.wait_from != w.flow.wait_to);
	assert_int_equal(write(w.in, "x", 1), 1);
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
	assert_true(w.flow.wait_to && !w.flow.wait_from);
	way_close(&w);
}

static void judge_held(size_t least, size_t most)
{
	struct way w;
	way_open(&w, 't', 'u');
	int lent[POOL_PIPES_WIDE][2];
	for (int i = 0; i < POOL_PIPES_WIDE && most < POOL_PIPE_BYTES; i++)
		assert_int_equal(pool_pipe_take(w.pool, lent[i]), 0);
	fill(&w);
	assert_true(flow_holds(&w.flow));
	assert_in_range(w.flow.held, least, most);
	assert_int_equal(w.flow.in - w.flow.out, w.flow.held);
	assert_true(w.flow.pipe[0] >= 0);
	for (int i = 0; i < POOL_PIPES_WIDE && most < POOL_PIPE_BYTES; i++)
		pool_pipe_give(w.pool, lent[i], false);
	way_close(&w);
}

/* A few are wide, the others as the pool says. */
static void test_no_more_in_our_pipe_than_allowed(void **state)
{
	(void)state;
	judge_held(PIPE_MOST + 1, POOL_PIPE_BYTES);
	judge_held(1, PIPE_MOST);
}

static void test_no_pipe_to_be_had(void **state)
{
	(void)state;
	struct way w;
	way_open(&w, 't', 'u');
	gate_open(SYS_PIPE, 0, 1, EMFILE);
	assert_string_equal(moved_by(&w), "copy");
	sys_gate = NULL;
	pass_all(&w, MUCH);
	way_close(&w);
}

/* TCP's urgent byte stops a splice for good, with bytes behind it that poll knows of. A peer that sends one gets no further than
 * with a flow that reads: it is left out. */
static void test_urgent_data(void **state)
{
	(void)state;
	static const char *const all[] = { "tp", "tu" };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct way w;
		way_open(&w, all[i][0], all[i][1]);
		assert_int_equal(write(w.in, "abc", 3), 3);
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
		assert_int_equal(send(w.in, "!", 1, MSG_OOB), 1);
		assert_int_equal(write(w.in, "def", 3), 3);
		flow_run(&w.flow, PLENTY);
		assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS);
		assert_true(w.flow.wait_from);
		assert_int_equal(way_drain(&w, 0), 6);
		assert_memory_equal(got, "abcdef", 6);
		way_close(&w);

		way_open(&w, all[i][0], all[i][1]); /* with the end close behind it */
		assert_int_equal(write(w.in, "abc", 3), 3);
		assert_int_equal(send(w.in, "!", 1, MSG_OOB), 1);
		assert_int_equal(write(w.in, "def", 3), 3);
		shutdown(w.in, SHUT_WR);
		for (int turns = 0; turns < 4; turns++)
			flow_run(&w.flow, PLENTY);
		assert_true(w.flow.eof);
		assert_int_equal(way_drain(&w, 0), 6);
		assert_memory_equal(got, "abcdef", 6);
		way_close(&w);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_mover_for_each_pair),
		cmocka_unit_test(test_pairs_that_are_copied),
		cmocka_unit_test(test_dry_socket_is_not_asked_again),
		cmocka_unit_test(test_file_of_the_kernel),
		cmocka_unit_test(test_filter_in_between),
		cmocka_unit_test(test_all_ways),
		cmocka_unit_test(test_all_ways_under_faults),
		cmocka_unit_test(test_one_byte_at_a_time),
		cmocka_unit_test(test_nothing_to_read),
		cmocka_unit_test(test_no_reader_takes),
		cmocka_unit_test(test_full_and_empty),
		cmocka_unit_test(test_no_more_in_our_pipe_than_allowed),
		cmocka_unit_test(test_no_pipe_to_be_had),
		cmocka_unit_test(test_urgent_data),
	};
	return cmocka_run_group_tests_name("splice", tests, NULL, NULL);
}
