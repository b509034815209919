/* A pipe whose bytes wait for a sink that takes nothing goes to the flow that wants one, and nothing of them is lost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/budget.h"
#include "way.h"

#include <string.h>
#include <sys/ioctl.h>

/* Nothing is read, until both are full: the pool's only pipe is the flow's. */
static size_t stuck_open(struct way *w)
{
	size_t sent = 0;
	way_open(w, 't', 'u');
	pool_limit_pipes(w->pool, 1);
	nonblocking(w->in);
	for (int idle = 0; idle < 3; idle++) {
		ssize_t n = write(w->in, bytes + sent % (MUCH / 2), MUCH / 2 - sent % (MUCH / 2));
		if (n > 0) {
			sent += (size_t)n;
			idle = 0;
		}
		flow_run(&w->flow, PLENTY);
	}
	assert_true(w->flow.pipe[0] >= 0 && w->flow.held > 0 && w->flow.wait_to);
	return sent;
}

/* As others that want a pipe. How often one was asked for, until there was one; 0: there is none. */
static int ask(struct pool *pool, int pipe[2])
{
	for (int n = 1; n <= 2 * POOL_PIPE_PATIENCE; n++)
		if (pool_pipe_take(pool, pipe) == 0)
			return n;
		else
			assert_true(pool_pipes_out(pool));
	return 0;
}

/* All of it comes, in its order; by way of a pipe again, when there is one. */
static void stuck_close(struct way *w, size_t sent)
{
	size_t have = 0;
	bool relayed = false;
	close(w->in);
	w->in = -1;
	for (int turns = 0; w->flow.state != FLOW_HELD && turns < 100000; turns++) {
		ssize_t n = read(w->out, got, MUCH / 2 - have % (MUCH / 2));
		assert_true(n > 0 || errno == EAGAIN);
		assert_memory_equal(got, bytes + have % (MUCH / 2), n > 0 ? (size_t)n : 0);
		have += n > 0 ? (size_t)n : 0;
		flow_run(&w->flow, PLENTY);
		relayed |= w->flow.pipe[0] >= 0;
	}
	assert_true(relayed);
	for (ssize_t n; (n = read(w->out, got, MUCH / 2 - have % (MUCH / 2))) > 0; have += (size_t)n)
		assert_memory_equal(got, bytes + have % (MUCH / 2), (size_t)n);
	assert_int_equal(w->flow.state, FLOW_HELD);
	assert_int_equal(have, sent);
	assert_int_equal(w->flow.out, sent);
	assert_int_equal(w->went.out, sent);
	way_close(w);
}

static void test_taken_from_the_stuck(void **state)
{
	(void)state;
	struct way w;
	int pipe[2];
	size_t sent = stuck_open(&w), held = w.flow.held;
	nonblocking(w.out);
	assert_true(ask(w.pool, pipe) >= POOL_PIPE_PATIENCE); /* a sink may be busy for a moment */
	assert_int_equal(w.flow.pipe[0], -1);
	assert_int_equal(w.flow.held, 0);
	assert_int_equal(w.flow.ring.len, held);
	assert_true(flow_holds(&w.flow) && w.flow.wait_to);
	int left = -1;
	assert_int_equal(ioctl(pipe[0], FIONREAD, &left), 0);
	assert_int_equal(left, 0);
	uint64_t in = w.flow.in;
	assert_int_equal(flow_run(&w.flow, PLENTY), FLOW_WAITS); /* it reads no more meanwhile */
	assert_true(w.flow.wait_to && !w.flow.wait_from);
	assert_int_equal(w.flow.in, in);
	pool_pipe_give(w.pool, pipe, true);
	stuck_close(&w, sent);
}

static void test_copied_while_there_is_none(void **state)
{
	(void)state;
	struct way w;
	int pipe[2];
	size_t sent = stuck_open(&w);
	nonblocking(w.out);
	assert_true(ask(w.pool, pipe) > 0);
	for (int turns = 0; turns < 100000 && w.flow.out < sent - 100; turns++) {
		assert_true(read(w.out, got, sizeof got) > 0 || errno == EAGAIN);
		flow_run(&w.flow, PLENTY);
		assert_int_equal(w.flow.pipe[0], -1);
	}
	assert_true(w.flow.out >= sent - 100);
	pool_pipe_give(w.pool, pipe, true);
	w.out = (close(w.out), -1);
	way_close(&w);
}

static void test_moved_with_its_pipe(void **state)
{
	(void)state;
	struct way w;
	int pipe[2];
	size_t sent = stuck_open(&w);
	nonblocking(w.out);
	struct flow other;
	flow_move(&other, &w.flow);
	memset(&w.flow, 0xa5, sizeof w.flow);
	assert_true(ask(w.pool, pipe) > 0);
	assert_true(other.pipe[0] == -1 && other.ring.len > 0);
	flow_move(&w.flow, &other);
	pool_pipe_give(w.pool, pipe, true);
	stuck_close(&w, sent);
}

static int read_gate_bytes, read_gate_fault;

static int read_gate(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	if (call == SYS_READ && *most > (size_t)read_gate_bytes)
		*most = (size_t)read_gate_bytes;
	return call == SYS_READ ? read_gate_fault : 0;
}

/* A part of it was read: it goes out first, the rest after it, and the pipe stays. */
static void test_read_in_part(void **state)
{
	(void)state;
	static const int faults[] = { 0, EAGAIN, EIO };
	for (int i = 0; i < 3; i++) {
		struct way w;
		int pipe[2];
		size_t sent = stuck_open(&w), held = w.flow.held;
		nonblocking(w.out);
		read_gate_bytes = 100;
		read_gate_fault = faults[i];
		sys_gate = read_gate;
		assert_int_equal(ask(w.pool, pipe), 0);
		sys_gate = NULL;
		assert_int_equal(w.flow.ring.len, faults[i] == 0 ? 100 : 0);
		assert_int_equal(w.flow.held + w.flow.ring.len, held);
		assert_true(w.flow.pipe[0] >= 0);
		stuck_close(&w, sent);
	}
}

static void test_only_what_the_budget_has(void **state)
{
	(void)state;
	struct way w;
	int pipe[2];
	struct budget budget = { .most = 1000 };
	size_t sent = stuck_open(&w);
	nonblocking(w.out);
	pool_budget(w.pool, &budget);
	budget.used = budget.most;
	assert_true(w.flow.held > BUDGET_SMALL);
	assert_int_equal(ask(w.pool, pipe), 0);
	budget.most = 64 * 1024 * 1024;
	assert_true(ask(w.pool, pipe) > 0);
	assert_int_equal(budget.used, 1000 + w.flow.ring.len);
	pool_pipe_give(w.pool, pipe, true);
	stuck_close(&w, sent);
	assert_int_equal(budget.used, 1000);
}

static void set_yielded(void *arg)
{
	*(bool *)arg = true;
}

static void test_the_oldest_first_and_the_wide_last(void **state)
{
	(void)state;
	enum { N = POOL_PIPES_WIDE + 3 };
	struct pool *pool = pool_open(BLOCK, 1);
	int pipe[N][2], one[2];
	bool yielded[N] = { false };
	pool_limit_pipes(pool, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(pool_pipe_take(pool, pipe[i]), 0);
		pool_pipe_waits(pool, pipe[i], true, set_yielded, &yielded[i]);
	}
	for (int i = 0; i < POOL_PIPE_PATIENCE - 3; i++)
		pool_pipe_take(pool, one);
	pool_pipe_waits(pool, pipe[POOL_PIPES_WIDE], true, set_yielded, &yielded[POOL_PIPES_WIDE]); /* its bytes have moved */
	assert_false(yielded[N - 1]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pool_pipe_take(pool, one), -1);
	assert_true(yielded[N - 2] && yielded[N - 1] && !yielded[N - 3]);
	assert_true(yielded[0]);
	for (int i = 0; i < N; i++)
		pool_pipe_give(pool, pipe[i], true);
	pool_close(pool);
}

static void test_less_in_a_pipe_where_much_is_aside(void **state)
{
	(void)state;
	struct pool *pool = pool_open(BLOCK, 1);
	int pipe[2];
	assert_int_equal(pool_pipe_take(pool, pipe), 0);
	assert_int_equal(pool_pipe_bytes(pool, pipe), POOL_PIPE_BYTES);
	void *much = pool_aside_take(pool, POOL_ASIDE_MUCH);
	assert_int_equal(pool_pipe_bytes(pool, pipe), BLOCK * POOL_PIPE_BLOCKS_SCARCE);
	pool_aside_give(pool, much, POOL_ASIDE_MUCH);
	assert_int_equal(pool_pipe_bytes(pool, pipe), POOL_PIPE_BYTES);
	pool_pipe_give(pool, pipe, true);
	pool_close(pool);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_from_the_stuck),
		cmocka_unit_test(test_copied_while_there_is_none),
		cmocka_unit_test(test_moved_with_its_pipe),
		cmocka_unit_test(test_read_in_part),
		cmocka_unit_test(test_only_what_the_budget_has),
		cmocka_unit_test(test_the_oldest_first_and_the_wide_last),
		cmocka_unit_test(test_less_in_a_pipe_where_much_is_aside),
	};
	return cmocka_run_group_tests_name("pipes_back", tests, NULL, NULL);
}
