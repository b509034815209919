/* See faulty.h. The double below says when it is to be asked again, so every wait here is one for a time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "faulty.h"

#include <stdio.h>
#include <string.h>

static void emit(void *arg, const struct event *ev)
{
	struct faulty *f = arg;
	for (const struct ev_field *field = ev->fields; field->key != NULL; field++) {
		if (field->is == EV_IS_NUM)
			f->log_n += (size_t)snprintf(f->log + f->log_n, 30, " %lld", (long long)field->num);
		else if (field->text != NULL && strcmp(field->key, "words") != 0)
			f->log_n += (size_t)snprintf(f->log + f->log_n, 30, " %s", field->text);
	}
	f->log_n += (size_t)snprintf(f->log + f->log_n, 3, ";");
	if (f->log_n + 200 > sizeof f->log)
		f->log_n = 0;
}

int faulty_apply(struct faulty *f, const char *text)
{
	struct fault_spec spec;
	struct err e = { 0 };
	if (fault_parse(&spec, text, &e) != 0)
		fail_msg("%s: %s", text, e.what);
	return fault_apply(f->top, &spec);
}

void faulty_open(struct faulty *f, const char *faults, uint64_t seed, unsigned caps, const struct act *reads)
{
	char text[300], *next = text;
	memset(f, 0, sizeof *f);
	f->loop = loop_open(&loop_sim, NULL);
	double_open(&f->below, f->loop, caps, reads, NULL);
	f->below.timed = true;
	f->sink = (struct event_sink){ .emit = emit, .arg = f, .level = EV_DEBUG };
	f->linger = linger_open(f->loop);
	f->fixture = (struct fault_run){ .loop = f->loop, .linger = f->linger, .events = &f->sink, .seed = seed };
	f->top = &f->below.s;
	assert_int_equal(fault_push(&f->top, &f->fixture, 1), 0);
	snprintf(text, sizeof text, "%s", faults);
	for (char *word; (word = strtok_r(next, " ", &next)) != NULL;)
		assert_int_equal(faulty_apply(f, word), 0);
}

void faulty_close(struct faulty *f)
{
	if (f->top != NULL)
		stream_close(f->top, CLOSE_PLAIN);
	assert_true(f->below.closed);
	assert_int_equal(f->fixture.held, 0);
	linger_close(f->linger);
	double_close(&f->below);
	loop_close(f->loop);
}

const struct fault *faulty_layer(const struct faulty *f)
{
	return (const struct fault *)f->top;
}

int64_t faulty_now_ms(const struct faulty *f)
{
	return loop_now(f->loop) - SIM_START_MS;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void wait_until(struct faulty *f, int64_t at_ms)
{
	struct timer t = { .fn = stop, .arg = f->loop };
	loop_timer(f->loop, &t, at_ms);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	loop_timer(f->loop, &t, NEVER);
}

void faulty_wait(struct faulty *f, int64_t ms)
{
	wait_until(f, loop_now(f->loop) + ms);
}

ssize_t faulty_read(struct faulty *f, void *bytes, size_t len)
{
	ssize_t got;
	while ((got = stream_read(f->top, bytes, len)) == ST_AGAIN) {
		assert_true(f->top->rd.timed);
		wait_until(f, f->top->rd.at_ms);
	}
	return got;
}

void faulty_write(struct faulty *f, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t put = stream_write(f->top, (const char *)bytes + at, len - at);
		assert_true(put > 0 || (put == ST_AGAIN && f->top->wr.timed));
		if (put > 0)
			at += (size_t)put;
		else
			wait_until(f, f->top->wr.at_ms);
	}
}

static void until_done(struct faulty *f, int (*call)(struct stream *s))
{
	int rc;
	while ((rc = call(f->top)) == ST_AGAIN) {
		assert_true(f->top->wr.timed);
		wait_until(f, f->top->wr.at_ms);
	}
	assert_int_equal(rc, 0);
}

void faulty_flush(struct faulty *f)
{
	until_done(f, stream_flush);
}

void faulty_shut(struct faulty *f)
{
	until_done(f, stream_flush);
	until_done(f, stream_shut);
}
