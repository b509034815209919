/* Timers and tasks, under the virtual clock: order, cancelling, and what callbacks may do to both. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "double.h"
#include "base/sys.h"

#include <stdio.h>
#include <string.h>

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Many timers against a plain list of when each is due */

enum { TIMERS = 300, OPERATIONS = 100000 };

static struct world {
	struct loop *loop;
	struct timer timer[TIMERS];
	int64_t due_ms[TIMERS]; /* NEVER: not set */
	unsigned fired, operations;
	uint32_t dice;
} all;

static uint32_t roll(uint32_t sides)
{
	all.dice = all.dice * 1664525 + 1013904223;
	return (all.dice >> 8) % sides;
}

static void set(size_t i, int64_t at_ms)
{
	loop_timer(all.loop, &all.timer[i], at_ms);
	all.due_ms[i] = at_ms;
}

static void some_operations(void)
{
	for (unsigned n = roll(6); n > 0 && all.operations < OPERATIONS; n--, all.operations++) {
		size_t i = roll(TIMERS);
		set(i, roll(4) == 0 ? NEVER : loop_now(all.loop) + roll(200));
	}
}

static void fired(void *arg)
{
	const struct timer *t = arg;
	size_t me = (size_t)(t - all.timer);
	int64_t now_ms = loop_now(all.loop);
	assert_int_equal(t->pos, 0);
	assert_int_equal(all.due_ms[me], now_ms); /* a clock that jumps is never late */
	for (size_t i = 0; i < TIMERS; i++)
		assert_true(all.due_ms[i] >= now_ms);
	all.due_ms[me] = NEVER;
	all.fired++;
	some_operations();
	if (all.operations < OPERATIONS)
		set(me, now_ms + 1 + roll(50));
}

static void test_many_operations(void **state)
{
	(void)state;
	memset(&all, 0, sizeof all);
	all.loop = loop_open(&loop_sim, NULL);
	for (size_t i = 0; i < TIMERS; i++) {
		all.timer[i] = (struct timer){ .fn = fired, .arg = &all.timer[i] };
		set(i, loop_now(all.loop) + roll(1000));
	}
	assert_true(loop_is_idle(all.loop)); /* it ends when none is left */
	for (size_t i = 0; i < TIMERS; i++) {
		assert_int_equal(all.due_ms[i], NEVER);
		assert_int_equal(all.timer[i].pos, 0);
	}
	assert_int_equal(all.operations, OPERATIONS);
	assert_true(all.fired > OPERATIONS / 4);
	loop_close(all.loop);
}

static void test_cancelled_timer_stays_silent(void **state)
{
	(void)state;
	struct loop *loop = loop_open(&loop_sim, NULL);
	struct timer t = { .fn = stop, .arg = loop };
	loop_timer(loop, &t, NEVER); /* was never set */
	loop_timer(loop, &t, loop_now(loop) + 5);
	loop_timer(loop, &t, NEVER);
	loop_timer(loop, &t, NEVER);
	assert_true(loop_is_idle(loop));
	assert_int_equal(loop_now(loop), SIM_START_MS);
	loop_close(loop);
}

struct again {
	struct loop *loop;
	struct timer timer;
	unsigned calls;
};

static void set_for_now(void *arg)
{
	struct again *a = arg;
	a->calls++;
	loop_timer(a->loop, &a->timer, loop_now(a->loop) - 1000);
}

/* A timer that sets itself for now, or for the past, again and again, must not keep others from their turn. */
static void test_timer_that_is_always_due(void **state)
{
	(void)state;
	struct loop *loop = loop_open(&loop_select, NULL);
	struct again a = { .loop = loop, .timer = { .fn = set_for_now, .arg = &a } };
	struct timer end = { .fn = stop, .arg = loop };
	loop_timer(loop, &a.timer, loop_now(loop));
	loop_timer(loop, &end, loop_now(loop) + 5);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_true(a.calls > 1);
	loop_timer(loop, &a.timer, NEVER);
	loop_close(loop);
}

static int no_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

static void test_without_memory(void **state)
{
	(void)state;
	struct loop *loop = loop_open(&loop_sim, NULL);
	enum { FIRST = 64 }; /* room for a run's own deadlines is there from the start */
	struct timer t[FIRST + 1] = { 0 };
	sys_gate = no_memory;
	for (int n = 0; n <= FIRST; n++) {
		t[n] = (struct timer){ .fn = stop, .arg = loop };
		loop_timer(loop, &t[n], loop_now(loop) + 5 + n);
	}
	sys_gate = NULL;
	assert_true(t[FIRST / 2].pos != 0);
	assert_int_equal(t[FIRST].pos, 0); /* is not kept */
	assert_int_equal(loop_run(loop, NULL), 0);
	for (int n = 0; n <= FIRST; n++)
		loop_timer(loop, &t[n], NEVER);
	loop_close(loop);
}

/* Tasks */

struct note {
	struct loop *loop;
	struct task task, *other;
	char name, what; /* what: '.' nothing, 'a' itself again, 'o' puts the other off, 'f' takes the other back, 's' stops */
	char *log;
};

static void noted(void *arg)
{
	struct note *n = arg;
	snprintf(n->log + strlen(n->log), 8, "%c%u ", n->name, sim_waits());
	if (n->what == 'a' && sim_waits() < 2)
		loop_later(n->loop, &n->task);
	if (n->what == 'o')
		loop_later(n->loop, n->other);
	if (n->what == 'f')
		loop_forget(n->loop, n->other);
	if (n->what == 's')
		loop_stop(n->loop);
}

static void check_tasks(const char *whats, const char *want)
{
	struct loop *loop = loop_open(&loop_sim, NULL);
	char log[64] = "";
	struct note n[3];
	for (int i = 0; i < 3; i++)
		n[i] = (struct note){ .loop = loop,
			.task = { .fn = noted, .arg = &n[i] },
			.other = &n[2].task,
			.name = (char)('A' + i),
			.what = whats[i],
			.log = log };
	struct timer keep = { .fn = stop, .arg = loop };
	loop_timer(loop, &keep, SIM_START_MS + 1);
	for (int i = 0; i < 6; i++) /* twice is once */
		if (whats[i % 3] != '-')
			loop_later(loop, &n[i % 3].task);
	assert_int_equal(loop_run(loop, NULL), 0);
	assert_string_equal(log, want);
	for (int i = 0; i < 3; i++)
		assert_false(n[i].task.queued);
	loop_timer(loop, &keep, NEVER);
	assert_true(loop_is_idle(loop));
	loop_close(loop);
}

/* Each name with the number of waits before it. */
static void test_tasks(void **state)
{
	(void)state;
	check_tasks("...", "A0 B0 C0 ");
	check_tasks("a..", "A0 B0 C0 A1 A2 "); /* put off while tasks run: next turn */
	check_tasks("oo-", "A0 B0 C1 ");
	check_tasks("f..", "A0 B0 ");	 /* taken back before its turn */
	check_tasks("-f-", "B0 ");	 /* taken back though it was never put off */
	check_tasks("s..", "A0 B0 C0 "); /* stopping lets the turn end */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_operations),
		cmocka_unit_test(test_cancelled_timer_stays_silent),
		cmocka_unit_test(test_timer_that_is_always_due),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_tasks),
	};
	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
