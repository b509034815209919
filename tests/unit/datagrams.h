/* A datagram server on loopback with owners for its peers: an echo that can be told to be mute, sleepy, or to read one at a time;
 * fresh for each test. */
#ifndef TESTS_DATAGRAMS_H
#define TESTS_DATAGRAMS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "stream/waiter.h"
#include "net/sockopt.h"
#include "udp/udp.h"
#include "udp/udp_internal.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { PEERS = 8 };

struct owner { /* of one peer's stream: an echo that can be told not to read */
	struct stream *s;
	struct waiter waiter;
	struct sa peer, local;
	char got[1024];
	char debt[256]; /* what it could not say yet */
	size_t owes;
	unsigned reads, empties, waits;
	bool failed, asleep;
};

static struct {
	struct conf *conf;
	struct event_sink sink;
	struct run run;
	struct udp *udp;
	int fd;
	struct sa at;
	struct owner owners[PEERS];
	unsigned n;
	bool refuses, mute, sleepy, one_by_one;
	void (*read)(struct owner *o); /* told of each datagram */
	int64_t lost;
	unsigned reports;
	struct timer turn_over;
} fixture;

static inline void emit(void *arg, const struct event *ev)
{
	(void)arg;
	if (ev->kind != EV_LOST)
		return;
	fixture.lost += ev->fields[0].num;
	fixture.reports++;
}

/* False: it has to wait, or its peer is gone. */
static inline bool owner_says(struct owner *o, const void *bytes, size_t len)
{
	ssize_t put = stream_write(o->s, bytes, len);
	if (put == ST_AGAIN) {
		assert_true(len <= sizeof o->debt);
		memmove(o->debt, bytes, len);
		o->owes = len;
		o->waits++;
		assert_int_equal(waiter_arm(&o->waiter, false, true), 0);
	} else if (put == ST_FAIL) {
		o->failed = true;
	} else {
		o->owes = 0;
		assert_int_equal(put, len);
	}
	return put >= 0;
}

static inline void serve_owner(void *arg)
{
	static char buf[70000];
	struct owner *o = arg;
	ssize_t n;
	if (o->asleep || (o->owes > 0 && !owner_says(o, o->debt, o->owes)))
		return;
	while ((n = stream_read(o->s, buf, sizeof buf)) > 0 || n == ST_EMPTY) {
		size_t len = n > 0 ? (size_t)n : 0;
		o->reads++;
		o->empties += n == ST_EMPTY;
		snprintf(o->got + strlen(o->got), sizeof o->got - strlen(o->got), "%.*s|", len > 64 ? 64 : (int)len, buf);
		if (fixture.read != NULL)
			fixture.read(o);
		if (o->s == NULL || (!fixture.mute && !owner_says(o, buf, len)) || fixture.one_by_one)
			return;
	}
	if (n == ST_FAIL)
		o->failed = true;
	else
		assert_int_equal(waiter_arm(&o->waiter, true, false), 0);
}

static inline int new_peer(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local)
{
	(void)arg;
	if (fixture.refuses || fixture.n == PEERS)
		return -1;
	struct owner *o = &fixture.owners[fixture.n++];
	*o = (struct owner){ .s = gives, .peer = *peer, .local = *local, .asleep = fixture.sleepy };
	waiter_open(&o->waiter, fixture.run.loop, gives, serve_owner, o);
	serve_owner(o);
	return 0;
}

static const struct opt_group *const groups[] = { &udp_opts, &sockopt_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

static inline void turn_over(void *arg)
{
	(void)arg;
	loop_stop(fixture.run.loop);
}

static inline int begin(void **state)
{
	(void)state;
	struct err e;
	memset(&fixture, 0, sizeof fixture);
	fixture.conf = conf_new(commands, &command, &e);
	fixture.sink = (struct event_sink){ .emit = emit, .level = EV_DEBUG };
	fixture.run = (struct run){ .conf = fixture.conf, .events = &fixture.sink, .seed = 7 };
	fixture.run.loop = loop_open(&loop_select, &e);
	fixture.turn_over = (struct timer){ .fn = turn_over };
	fixture.fd = -1;
	return fixture.conf == NULL || fixture.run.loop == NULL;
}

static inline void forget(struct owner *o)
{
	if (o->s == NULL)
		return;
	waiter_close(&o->waiter);
	stream_close(o->s, CLOSE_PLAIN);
	o->s = NULL;
}

static inline int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < fixture.n; i++)
		forget(&fixture.owners[i]);
	udp_close(fixture.udp);
	sys_close(fixture.fd);
	loop_timer(fixture.run.loop, &fixture.turn_over, NEVER);
	loop_close(fixture.run.loop);
	conf_free(fixture.conf);
	return 0;
}

static inline int bound(const char *host, struct sa *at)
{
	struct sockaddr_storage ss;
	assert_true(sa_parse(at, host, 0));
	socklen_t len = sa_to(at, &ss);
	int fd = sys_socket(at->family, SOCK_DGRAM, 0);
	if (fd < 0 || sys_bind(fd, (struct sockaddr *)&ss, len) != 0) {
		sys_close(fd);
		return -1;
	}
	sa_of(at, fd, false);
	return fd;
}

static inline void serve(const char *host, bool guard)
{
	struct err e = { 0 };
	fixture.fd = bound(host, &fixture.at);
	if (fixture.fd < 0)
		skip();
	fixture.udp = udp_open(&fixture.run, fixture.fd, (sa_family_t)fixture.at.family, &fixture.at, guard, new_peer, NULL, &e);
	if (fixture.udp == NULL)
		fail_msg("%s", e.what);
}

/* A client of the server at `host` (its port is known). */
static inline int dial(const char *host)
{
	struct sa to, own;
	struct sockaddr_storage ss;
	assert_true(sa_parse(&to, host, sa_port(&fixture.at)));
	int fd = bound(to.family == AF_INET ? "127.0.0.1" : "::1", &own);
	socklen_t len = sa_to(&to, &ss);
	assert_int_equal(sys_connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* Loopback delivers before send() returns, so no time has to pass: a few turns take in everything that was sent. */
static inline void settle(void)
{
	struct err e = { 0 };
	for (int i = 0; i < 4; i++) {
		loop_timer(fixture.run.loop, &fixture.turn_over, loop_now(fixture.run.loop));
		if (loop_run(fixture.run.loop, &e) != 0)
			fail_msg("%s", e.what);
	}
}

static inline void said(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static inline void hears(int fd, const char *text)
{
	char buf[100];
	ssize_t n = recv(fd, buf, sizeof buf - 1, MSG_DONTWAIT);
	if (n < 0)
		fail_msg("nothing came, expected \"%s\"", text);
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

static inline void hears_nothing(int fd)
{
	char c;
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
