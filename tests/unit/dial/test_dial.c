/* Resolving, racing and dialing, again and again, on loopback: real sockets that the test makes, port 0. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "dial/happy_eyeballs.h"
#include "net/resolve.h"
#include "dial/retry.h"
#include "net/sockopt.h"
#include "session/layers.h"

#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>

static const struct opt_group *const groups[] = { &addr_opts, &dial_opts, &retry_opts, &sockopt_opts, &text_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

static struct {
	struct conf *conf;
	struct run run;
	struct event_sink sink;
	struct outcome outcome;
	char log[1024]; /* the addresses that were tried */
	unsigned tries;
	/* what came out */
	bool done;
	struct stream *stream;
	struct sa peer, local, list[RESOLVE_MOST];
	size_t n;
	int fd;
	struct err err;
} fixture;

static void emit(void *arg, const struct event *ev)
{
	(void)arg;
	size_t at = strlen(fixture.log);
	if (ev->kind == EV_CONNECTING)
		snprintf(fixture.log + at, sizeof fixture.log - at, "%s ", ev->fields[0].text);
	fixture.tries += ev->kind == EV_CONNECTING;
}

static int begin(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof fixture);
	fixture.conf = conf_new(commands, &command, NULL);
	fixture.sink = (struct event_sink){ .emit = emit, .level = EV_DEBUG };
	fixture.run = (struct run){ .conf = fixture.conf, .events = &fixture.sink, .outcome = &fixture.outcome };
	fixture.run.loop = loop_open(&loop_select, NULL);
	fixture.fd = -1;
	return fixture.conf == NULL || fixture.run.loop == NULL;
}

static int end(void **state)
{
	(void)state;
	stream_close(fixture.stream, CLOSE_PLAIN);
	sys_close(fixture.fd);
	loop_close(fixture.run.loop);
	conf_free(fixture.conf);
	return 0;
}

static int try_option(const struct opt_group *group, const char *name, const char *text, struct err *e)
{
	for (const struct opt *row = group->rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return conf_set(fixture.conf, group, row, text, e);
	fail_msg("no option --%s", name);
	return -1;
}

static void option(const struct opt_group *group, const char *name, const char *text)
{
	assert_int_equal(try_option(group, name, text, NULL), 0);
}

static struct addr address(const char *text)
{
	struct addr a;
	char *word = (char *)text;
	int used;
	struct err e = { 0 };
	if (addr_parse(&a, conf_get(fixture.conf, &addr_opts), 0, 1, &word, &used, &e) != 0)
		fail_msg("%s: %s", text, e.what);
	return a;
}

/* Servers */

static int listening(int family, int type, uint16_t *port, bool deaf)
{
	struct sa sa;
	struct sockaddr_storage ss;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_true(sa_parse(&sa, family == AF_INET ? "127.0.0.1" : "::1", *port));
	if (bind(fd, (struct sockaddr *)&ss, sa_to(&sa, &ss)) != 0) {
		close(fd);
		return -1;
	}
	if (type == SOCK_STREAM && !deaf)
		assert_int_equal(listen(fd, 5), 0);
	sa_of(&sa, fd, false);
	*port = sa_port(&sa);
	return fd;
}

static struct sa here(const char *host, uint16_t port)
{
	struct sa sa;
	assert_true(sa_parse(&sa, host, port));
	return sa;
}

/* Callbacks, and running to them */

static void resolved(void *arg, const struct sa *list, size_t n, const struct err *e)
{
	(void)arg;
	fixture.done = true;
	fixture.n = n;
	memcpy(fixture.list, list, n * sizeof *list);
	fixture.err = *e;
	loop_stop(fixture.run.loop);
}

static void raced(void *arg, int gives_fd, const struct err *e)
{
	(void)arg;
	fixture.done = true;
	fixture.fd = gives_fd;
	fixture.err = *e;
	loop_stop(fixture.run.loop);
}

static void dialed(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e)
{
	(void)arg;
	fixture.done = true;
	fixture.stream = gives;
	fixture.peer = *peer;
	fixture.local = *local;
	fixture.err = *e;
	loop_stop(fixture.run.loop);
}

static void too_long(void *arg)
{
	(void)arg;
	fail_msg("nothing came of it");
}

static void turn(void)
{
	struct err e = { 0 };
	struct timer limit = { .fn = too_long };
	assert_false(fixture.done); /* never before the call returns */
	loop_timer(fixture.run.loop, &limit, loop_now(fixture.run.loop) + 20000);
	if (loop_run(fixture.run.loop, &e) != 0)
		fail_msg("%s", e.what);
	loop_timer(fixture.run.loop, &limit, NEVER);
	assert_true(fixture.done);
}

static void resolve(const char *text)
{
	const struct addr a = address(text);
	assert_non_null(resolve_start(&fixture.run, &a, resolved, NULL, NULL));
	turn();
}

static void race(const char *text, const struct sa *list, size_t n)
{
	const struct addr a = address(text);
	assert_non_null(happy_eyeballs_start(&fixture.run, &a, list, n, raced, NULL, NULL));
	turn();
}

static void dial_to(const struct addr *a, uint32_t conn)
{
	assert_non_null(dial(&fixture.run, a, conn, dialed, NULL, NULL));
	turn();
}

static void stopped(void *arg)
{
	(void)arg;
	loop_stop(fixture.run.loop);
}

static void turn_for(int64_t ms)
{
	struct timer t = { .fn = stopped };
	loop_timer(fixture.run.loop, &t, loop_now(fixture.run.loop) + ms);
	assert_int_equal(loop_run(fixture.run.loop, NULL), 0);
}

/* Resolving */

static void numbers_need_no_asking(void **state)
{
	(void)state;
	char text[SA_TEXT];
	resolve("127.0.0.1:80");
	assert_int_equal(fixture.n, 1);
	assert_string_equal(sa_text(&fixture.list[0], text), "127.0.0.1:80");
	fixture.done = false;
	resolve("[::1]:81");
	assert_int_equal(fixture.n, 1);
	assert_string_equal(sa_text(&fixture.list[0], text), "[::1]:81");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void a_server_without_a_host_gets_both_families(void **state)
{
	(void)state;
	struct addr a = { .any = true, .port = 7, .text = "*:7" };
	assert_int_equal(resolve_wait(&fixture.run, &a, fixture.list, RESOLVE_MOST, NULL), 2);
	assert_true(sa_any(&fixture.list[0]) && fixture.list[0].family == AF_INET6 && sa_any(&fixture.list[1]));
	a.loopback = true;
	assert_int_equal(resolve_wait(&fixture.run, &a, fixture.list, RESOLVE_MOST, NULL), 2);
	assert_true(sa_loopback(&fixture.list[0]) && sa_loopback(&fixture.list[1]) && sa_port(&fixture.list[1]) == 7);
	a.family = AF_INET;
	assert_int_equal(resolve_wait(&fixture.run, &a, fixture.list, RESOLVE_MOST, NULL), 1);
	assert_int_equal(fixture.list[0].family, AF_INET);
}

static void a_name_is_asked_for(void **state)
{
	(void)state;
	resolve("localhost:80");
	assert_true(fixture.n >= 1);
	for (size_t i = 0; i < fixture.n; i++) {
		assert_true(sa_loopback(&fixture.list[i]) && sa_port(&fixture.list[i]) == 80);
		for (size_t k = 0; k < i; k++)
			assert_false(sa_equal(&fixture.list[i], &fixture.list[k]));
	}
}

/* A label over 63 characters is refused by every resolver without asking a server. */
static const char impossible[] = "a123456789b123456789c123456789d123456789e123456789f123456789g123456789.test:80";

static void a_name_that_is_not_there(void **state)
{
	(void)state;
	resolve(impossible);
	assert_int_equal(fixture.n, 0);
	assert_int_equal(fixture.err.cls, ERR_RESOLVE);
	assert_non_null(strstr(fixture.err.what, "resolve a123456789b"));
	assert_null(strstr(fixture.err.what, "temporarily unavailable"));
}

static void numeric_only_asks_no_resolver(void **state)
{
	(void)state;
	option(&addr_opts, "numeric", NULL);
	resolve("localhost:80");
	assert_int_equal(fixture.err.cls, ERR_RESOLVE);
	assert_string_equal(fixture.err.what, "\"localhost\" is not a numeric address, and -n forbids asking");
}

static void lookups_can_be_stopped(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		const struct addr a = address(i % 2 ? "127.0.0.1:80" : "localhost:80");
		struct resolve *r = resolve_start(&fixture.run, &a, resolved, NULL, NULL);
		assert_non_null(r);
		resolve_stop(r);
	}
	turn_for(100);
	assert_false(fixture.done);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Racing */

static void families_take_turns(void **state)
{
	(void)state;
	const struct sa four[3] = { here("10.0.0.1", 1), here("10.0.0.2", 1), here("10.0.0.3", 1) };
	const struct sa six[2] = { here("2001:db8::1", 1), here("2001:db8::2", 1) };
	const struct sa mixed[5] = { four[0], four[1], four[2], six[0], six[1] };
	const struct sa wanted[5] = { six[0], four[0], six[1], four[1], four[2] };
	struct sa got[5];
	happy_eyeballs_order(got, mixed, 5);
	assert_memory_equal(got, wanted, sizeof got);
	happy_eyeballs_order(got, four, 3);
	assert_memory_equal(got, four, sizeof four);
	happy_eyeballs_order(got, six, 2);
	assert_memory_equal(got, six, sizeof six);
}

static void the_first_that_connects_wins(void **state)
{
	(void)state;
	uint16_t port = 0, closed = 0;
	int bound = listening(AF_INET, SOCK_STREAM, &closed, true), fd = listening(AF_INET, SOCK_STREAM, &port, false);
	const struct sa list[2] = { here("127.0.0.1", closed), here("127.0.0.1", port) };
	race("localhost:80", list, 2);
	struct sa to;
	assert_true(fixture.fd >= 0);
	sa_of(&to, fixture.fd, true);
	assert_int_equal(sa_port(&to), port);
	assert_true(fcntl(fixture.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fixture.fd, F_GETFD) & FD_CLOEXEC);
	close(bound);
	close(fd);
}

/* Fills a listener's queue, so that a connect to it hears nothing. */
static int silent_listener(uint16_t *port, int fill[8])
{
	int fd = listening(AF_INET, SOCK_STREAM, port, true);
	assert_int_equal(listen(fd, 0), 0);
	struct sa to = here("127.0.0.1", *port);
	struct sockaddr_storage ss;
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fill[i], (struct sockaddr *)&ss, sa_to(&to, &ss)) != 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	return fd;
}

static void close_all(int fd[8])
{
	for (int i = 0; i < 8; i++)
		close(fd[i]);
}

static void a_silent_address_is_not_waited_for(void **state)
{
	(void)state;
	uint16_t silent = 0, port = 0;
	int fill[8], mute = silent_listener(&silent, fill), fd = listening(AF_INET, SOCK_STREAM, &port, false);
	const struct sa list[2] = { here("127.0.0.1", silent), here("127.0.0.1", port) };
	int64_t since_ms = loop_now(fixture.run.loop);
	race("localhost:80", list, 2);
	assert_true(fixture.fd >= 0);
	assert_in_range(loop_now(fixture.run.loop) - since_ms, 240, 900);
	struct sa to;
	sa_of(&to, fixture.fd, true);
	assert_int_equal(sa_port(&to), port);
	close_all(fill);
	close(mute);
	close(fd);
}

static void the_error_names_each_address(void **state)
{
	(void)state;
	struct sa list[7];
	int bound[7];
	char wanted[512], text[SA_TEXT];
	size_t at = (size_t)snprintf(wanted, sizeof wanted, "connect localhost:80: ");
	for (int i = 0; i < 7; i++) {
		uint16_t port = 0;
		bound[i] = listening(AF_INET, SOCK_STREAM, &port, true);
		list[i] = here("127.0.0.1", port);
		if (i < 4)
			at += (size_t)snprintf(wanted + at, sizeof wanted - at, "%s%s Connection refused", i > 0 ? ", " : "",
				sa_text(&list[i], text));
	}
	snprintf(wanted + at, sizeof wanted - at, ", and 3 more");
	race("localhost:80", list, 7);
	assert_int_equal(fixture.fd, -1);
	assert_int_equal(fixture.err.cls, ERR_CONNECT);
	assert_int_equal(fixture.err.sys, ECONNREFUSED);
	assert_string_equal(fixture.err.what, wanted);
	fixture.done = false;
	race("localhost:80", list, 1);
	snprintf(wanted, sizeof wanted, "connect %s: Connection refused", sa_text(&list[0], text));
	assert_string_equal(fixture.err.what, wanted);
	for (int i = 0; i < 7; i++)
		close(bound[i]);
}

/* With the source port that is also the destination, TCP connects a socket to itself without a listener. */
static void meeting_oneself_is_a_refusal(void **state)
{
	(void)state;
	uint16_t port = 0;
	char source[32];
	close(listening(AF_INET, SOCK_STREAM, &port, true));
	snprintf(source, sizeof source, "127.0.0.1:%u", (unsigned)port);
	option(&dial_opts, "source", source);
	const struct sa list[1] = { here("127.0.0.1", port) };
	race("localhost:80", list, 1);
	assert_int_equal(fixture.fd, -1);
	assert_int_equal(fixture.err.sys, ECONNREFUSED);
	int again = listening(AF_INET, SOCK_STREAM, &port, false); /* without SO_REUSEADDR: nothing is left in TIME_WAIT */
	assert_true(again >= 0);
	close(again);
}

static void races_can_be_stopped(void **state)
{
	(void)state;
	uint16_t silent = 0;
	int fill[8], mute = silent_listener(&silent, fill);
	const struct sa list[2] = { here("127.0.0.1", silent), here("127.0.0.1", silent) };
	const struct addr a = address("localhost:80");
	for (int ms = -1; ms < 300; ms += 300) {
		struct happy_eyeballs *r = happy_eyeballs_start(&fixture.run, &a, list, 2, raced, NULL, NULL);
		assert_non_null(r);
		if (ms > 0)
			turn_for(ms);
		happy_eyeballs_stop(r);
	}
	turn_for(20);
	assert_false(fixture.done);
	close_all(fill);
	close(mute);
}

/* The source */

static void the_source_is_bound(void **state)
{
	(void)state;
	uint16_t port = 0;
	int fd = listening(AF_INET, SOCK_STREAM, &port, false);
	const struct sa list[2] = { here("::1", port), here("127.0.0.1", port) };
	option(&dial_opts, "source", "127.0.0.9");
	race("localhost:80", list, 2);
	struct sa from;
	char text[SA_TEXT], tried[40];
	assert_true(fixture.fd >= 0);
	sa_of(&from, fixture.fd, false);
	assert_string_equal(sa_host(&from, text), "127.0.0.9");
	snprintf(tried, sizeof tried, "127.0.0.1:%u ", (unsigned)port);
	assert_string_equal(fixture.log, tried); /* the other family was not */
	close(fd);
}

static void a_source_that_is_not_ours(void **state)
{
	(void)state;
	const struct sa list[1] = { here("127.0.0.1", 9) };
	option(&dial_opts, "source", "192.0.2.1");
	race("localhost:80", list, 1);
	assert_int_equal(fixture.err.cls, ERR_LISTEN);
	assert_string_equal(fixture.err.what, "bind 192.0.2.1: Cannot assign requested address");
}

static void a_source_of_the_other_family(void **state)
{
	(void)state;
	struct err e = { 0 };
	const struct sa list[1] = { here("127.0.0.1", 9) };
	const struct addr a = address("localhost:80");
	option(&dial_opts, "source", "::1");
	assert_null(happy_eyeballs_start(&fixture.run, &a, list, 1, raced, NULL, &e));
	assert_int_equal(e.cls, ERR_USAGE);
	assert_string_equal(e.what, "localhost:80 has no IPv6 address, which --source asks for");
}

static void sources_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host; /* host NULL: refused */
		uint16_t port;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", 0 },
		{ "10.0.0.1:53", "10.0.0.1", 53 },
		{ "::1", "::1", 0 },
		{ "[::1]", "::1", 0 },
		{ "[::1]:53", "::1", 53 },
		{ ":53", "", 53 },
		{ "", NULL, 0 },
		{ ":", NULL, 0 },
		{ "localhost", NULL, 0 },
		{ "10.0.0.1:", NULL, 0 },
		{ "10.0.0.1:99999", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "[::1]x", NULL, 0 },
		{ "[]:5", NULL, 0 },
		{ "123456789.123456789.123456789.123456789.123456789.123456789.123456789", NULL, 0 },
	};
	const struct dial_conf *conf = conf_get(fixture.conf, &dial_opts);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		int got = try_option(&dial_opts, "source", rows[i].text, &e);
		if (got != (rows[i].host != NULL ? 0 : -1))
			fail_msg("%s: %d %s", rows[i].text, got, e.what);
		if (got == 0) {
			assert_string_equal(conf->source_host, rows[i].host);
			assert_int_equal(conf->source_port, rows[i].port);
		} else
			assert_int_equal(e.cls, ERR_USAGE);
	}
}

/* Dialing */

static void a_dial_gives_a_stream(void **state)
{
	(void)state;
	uint16_t port = 0;
	int fd = listening(AF_INET, SOCK_STREAM, &port, false);
	char text[32], got[16] = "";
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
	option(&text_opts, "crlf", NULL);
	const struct addr a = address(text);
	dial_to(&a, 1);
	assert_non_null(fixture.stream);
	assert_int_equal(sa_port(&fixture.peer), port);
	assert_true(sa_port(&fixture.local) != 0);
	assert_true(fixture.stream->caps & ST_SOCK);
	int peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(stream_write(fixture.stream, "a\n", 2), 2);
	assert_int_equal(stream_flush(fixture.stream), 0);
	assert_int_equal(read(peer, got, sizeof got), 3);
	assert_memory_equal(got, "a\r\n", 3);
	close(peer);
	close(fd);
}

static void without_a_number_the_stream_is_bare(void **state)
{
	(void)state;
	uint16_t port = 0;
	int fd = listening(AF_INET, SOCK_STREAM, &port, false);
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
	option(&text_opts, "crlf", NULL);
	const struct addr a = address(text);
	dial_to(&a, 0);
	assert_non_null(fixture.stream);
	assert_null(fixture.stream->below);
	close(fd);
}

static void silence_has_a_limit(void **state)
{
	(void)state;
	uint16_t silent = 0;
	int fill[8], mute = silent_listener(&silent, fill);
	char text[32], wanted[80];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)silent);
	snprintf(wanted, sizeof wanted, "connect %s: no answer within 100ms", text);
	option(&dial_opts, "connect-timeout", "100ms");
	const struct addr a = address(text);
	dial_to(&a, 1);
	assert_null(fixture.stream);
	assert_int_equal(fixture.err.cls, ERR_TIMEOUT);
	assert_string_equal(fixture.err.what, wanted);
	close_all(fill);
	close(mute);
}

static void udp_is_connected_at_once(void **state)
{
	(void)state;
	uint16_t port = 0;
	int fd = listening(AF_INET, SOCK_DGRAM, &port, false);
	char text[32], got[16];
	snprintf(text, sizeof text, "udp://127.0.0.1:%u", (unsigned)port);
	const struct addr a = address(text);
	dial_to(&a, 1);
	assert_non_null(fixture.stream);
	assert_true(fixture.stream->caps & ST_DGRAM);
	assert_int_equal(stream_write(fixture.stream, "hello", 5), 5);
	assert_int_equal(recv(fd, got, sizeof got, 0), 5);
	close(fd);
}

static void dials_can_be_stopped(void **state)
{
	(void)state;
	uint16_t port = 0;
	int fd = listening(AF_INET, SOCK_STREAM, &port, false);
	char text[40];
	for (int i = 0; i < 6; i++) {
		snprintf(text, sizeof text, "%s:%u", i % 2 ? "127.0.0.1" : "localhost", (unsigned)port);
		const struct addr a = address(text);
		struct dialer *d = dial(&fixture.run, &a, 1, dialed, NULL, NULL);
		assert_non_null(d);
		dial_stop(d);
	}
	turn_for(50);
	assert_false(fixture.done);
	close(fd);
}

/* Unix */

static char folder[64], path[100], unix_text[120];

static int begin_unix(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/test_dial.XXXXXX");
	if (begin(state) != 0 || mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/s", folder);
	snprintf(unix_text, sizeof unix_text, "unix:%s", path);
	return 0;
}

static int end_unix(void **state)
{
	unlink(path);
	rmdir(folder);
	return end(state);
}

static int unix_server(int type, int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void a_path_is_dialed(void **state)
{
	(void)state;
	int fd = unix_server(SOCK_STREAM, 5);
	const struct addr a = address(unix_text);
	dial_to(&a, 1);
	assert_non_null(fixture.stream);
	assert_int_equal(fixture.peer.family, AF_UNIX);
	close(fd);
}

static void a_path_that_is_not_there(void **state)
{
	(void)state;
	char wanted[200];
	const struct addr a = address(unix_text);
	dial_to(&a, 1);
	snprintf(wanted, sizeof wanted, "connect %s: No such file or directory", unix_text);
	assert_int_equal(fixture.err.cls, ERR_CONNECT);
	assert_string_equal(fixture.err.what, wanted);
}

static int waiting_server;

static void accept_one(void *arg)
{
	(void)arg;
	close(accept(waiting_server, NULL, NULL));
}

/* The kernel says EAGAIN, and no readiness will ever tell that there is room again. */
static void a_full_backlog_is_tried_again(void **state)
{
	(void)state;
	waiting_server = unix_server(SOCK_STREAM, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	int fill[4], n = 0;
	do
		fill[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (connect(fill[n++], (struct sockaddr *)&un, sizeof un) == 0 && n < 4);
	assert_int_equal(errno, EAGAIN);
	struct timer later = { .fn = accept_one };
	loop_timer(fixture.run.loop, &later, loop_now(fixture.run.loop) + 120);
	const struct addr a = address(unix_text);
	dial_to(&a, 1);
	assert_non_null(fixture.stream);
	while (n-- > 0)
		close(fill[n]);
	close(waiting_server);
}

static void a_datagram_client_has_a_name(void **state)
{
	(void)state;
	int fd = unix_server(SOCK_DGRAM, 0);
	char text[120], got[8];
	struct sockaddr_un from;
	socklen_t len = sizeof from;
	snprintf(text, sizeof text, "unix-dgram:%s", path);
	const struct addr a = address(text);
	dial_to(&a, 1);
	assert_non_null(fixture.stream);
	assert_int_equal(stream_write(fixture.stream, "ask", 3), 3);
	assert_int_equal(recvfrom(fd, got, sizeof got, 0, (struct sockaddr *)&from, &len), 3);
	assert_int_equal(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, len), 6);
	assert_int_equal(stream_read(fixture.stream, got, sizeof got), 6);
	close(fd);
}

/* Inherited descriptors */

static void a_connection_may_be_inherited(void **state)
{
	(void)state;
	int pair[2];
	char text[16], got[8];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(text, sizeof text, "fd:%d", pair[0]);
	const struct addr a = address(text);
	dial_to(&a, 1);
	assert_non_null(fixture.stream);
	assert_int_equal(write(pair[1], "hello", 5), 5);
	assert_int_equal(stream_read(fixture.stream, got, sizeof got), 5);
	close(pair[1]);
}

static void other_descriptors_are_refused(void **state)
{
	(void)state;
	char text[16];
	int pipes[2], fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof text, "fd:%d", i ? fd : pipes[0]);
		const struct addr a = address(text);
		fixture.done = false;
		dial_to(&a, 1);
		assert_null(fixture.stream);
		assert_int_equal(fixture.err.cls, ERR_USAGE);
		assert_non_null(strstr(fixture.err.what, "is not a connected socket"));
		assert_true(fcntl(i ? fd : pipes[0], F_GETFD) >= 0);
	}
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

/* Trying again */

static void pauses_grow(void **state)
{
	(void)state;
	static const int64_t wanted[] = { 20, 32, 51, 81, 129, 206, 329, 526, 841, 1000, 1000 };
	int64_t pause_ms = 0;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		pause_ms = retry_longer(pause_ms);
		assert_int_equal(pause_ms, wanted[i]);
	}
}

static void retry_to(const char *text, int64_t wait_ms)
{
	const struct addr a = address(text);
	assert_non_null(retry_dial(&fixture.run, &a, 1, wait_ms, dialed, NULL, NULL));
	turn();
}

static void waiting_ends_when_its_time_is_over(void **state)
{
	(void)state;
	uint16_t port = 0;
	int bound = listening(AF_INET, SOCK_STREAM, &port, true);
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
	int64_t since_ms = loop_now(fixture.run.loop);
	retry_to(text, 300);
	assert_null(fixture.stream);
	assert_in_range(loop_now(fixture.run.loop) - since_ms, 300, 700);
	assert_int_equal(fixture.err.cls, ERR_CONNECT);
	assert_int_equal(fixture.tries, 6); /* after 0, 20, 52, 103, 184, 300 ms */
	assert_non_null(strstr(fixture.err.what, "Connection refused (6 tries in 300ms)"));
	close(bound);
}

static void start_listening(void *arg)
{
	assert_int_equal(listen(*(int *)arg, 5), 0);
}

static void a_late_server_is_met(void **state)
{
	(void)state;
	uint16_t port = 0;
	int bound = listening(AF_INET, SOCK_STREAM, &port, true);
	struct timer later = { .fn = start_listening, .arg = &bound };
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
	loop_timer(fixture.run.loop, &later, loop_now(fixture.run.loop) + 120);
	retry_to(text, NEVER);
	assert_non_null(fixture.stream);
	assert_true(fixture.tries > 2);
	close(bound);
}

static void silence_is_cut_when_the_time_is_over(void **state)
{
	(void)state;
	uint16_t silent = 0;
	int fill[8], mute = silent_listener(&silent, fill);
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)silent);
	int64_t since_ms = loop_now(fixture.run.loop);
	retry_to(text, 400);
	assert_in_range(loop_now(fixture.run.loop) - since_ms, 400, 900);
	assert_int_equal(fixture.err.cls, ERR_TIMEOUT);
	assert_non_null(strstr(fixture.err.what, "no answer within 400ms"));
	close_all(fill);
	close(mute);
}

static void what_cannot_help_is_not_tried_again(void **state)
{
	(void)state;
	option(&dial_opts, "source", "192.0.2.1");
	retry_to("127.0.0.1:9", 60000);
	assert_int_equal(fixture.err.cls, ERR_LISTEN);
	assert_int_equal(fixture.tries, 1);
	assert_null(strstr(fixture.err.what, "tries"));
}

static void once_is_once(void **state)
{
	(void)state;
	uint16_t port = 0;
	int bound = listening(AF_INET, SOCK_STREAM, &port, true);
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
	retry_to(text, 0);
	assert_int_equal(fixture.tries, 1);
	assert_int_equal(fixture.err.cls, ERR_CONNECT);
	close(bound);
}

static void waiting_can_be_stopped(void **state)
{
	(void)state;
	const struct addr a = address("127.0.0.1:9");
	for (int ms = -1; ms < 200; ms += 61) {
		struct retry *r = retry_dial(&fixture.run, &a, 1, 60000, dialed, NULL, NULL);
		assert_non_null(r);
		if (ms > 0)
			turn_for(ms);
		retry_stop(r);
	}
	turn_for(30);
	assert_false(fixture.done);
}

static void spans_are_words(void **state)
{
	(void)state;
	char out[DIAL_SPAN];
	assert_string_equal(dial_span(250, out), "250ms");
	assert_string_equal(dial_span(2000, out), "2s");
	assert_string_equal(dial_span(2004, out), "2s");
	assert_string_equal(dial_span(1500, out), "1.5s");
}

#ifdef SYS_SEAM
static int no_socket(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_SOCKET ? EMFILE : 0;
}

static void without_descriptors_no_address_helps(void **state)
{
	(void)state;
	const struct sa list[2] = { here("127.0.0.1", 9), here("127.0.0.1", 10) };
	sys_gate = no_socket;
	race("localhost:80", list, 2);
	sys_gate = NULL;
	assert_int_equal(fixture.err.cls, ERR_LOCAL);
	assert_int_equal(fixture.tries, 1);
}

static int no_pipe(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_PIPE ? EMFILE : 0;
}

static void a_lookup_that_cannot_start(void **state)
{
	(void)state;
	struct err e = { 0 };
	const struct addr a = address("localhost:80");
	sys_gate = no_pipe;
	assert_null(resolve_start(&fixture.run, &a, resolved, NULL, &e));
	sys_gate = NULL;
	assert_int_equal(e.cls, ERR_LOCAL);
	turn_for(10);
	assert_false(fixture.done);
}

static int one_byte(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	if (call == SYS_READ || call == SYS_WRITE)
		*most_bytes = 1;
	return 0;
}

static void an_answer_may_come_byte_by_byte(void **state)
{
	(void)state;
	sys_gate = one_byte;
	resolve("localhost:80");
	sys_gate = NULL;
	assert_true(fixture.n >= 1 && sa_loopback(&fixture.list[0]));
}
#endif

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
#define CASE_UNIX(fn) cmocka_unit_test_setup_teardown(fn, begin_unix, end_unix)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(numbers_need_no_asking),
		CASE(a_server_without_a_host_gets_both_families),
		CASE(a_name_is_asked_for),
		CASE(a_name_that_is_not_there),
		CASE(numeric_only_asks_no_resolver),
		CASE(lookups_can_be_stopped),
		CASE(families_take_turns),
		CASE(the_first_that_connects_wins),
		CASE(a_silent_address_is_not_waited_for),
		CASE(the_error_names_each_address),
		CASE(meeting_oneself_is_a_refusal),
		CASE(races_can_be_stopped),
		CASE(the_source_is_bound),
		CASE(a_source_that_is_not_ours),
		CASE(a_source_of_the_other_family),
		CASE(sources_are_read),
		CASE(a_dial_gives_a_stream),
		CASE(without_a_number_the_stream_is_bare),
		CASE(silence_has_a_limit),
		CASE(udp_is_connected_at_once),
		CASE(dials_can_be_stopped),
		CASE_UNIX(a_path_is_dialed),
		CASE_UNIX(a_path_that_is_not_there),
		CASE_UNIX(a_full_backlog_is_tried_again),
		CASE_UNIX(a_datagram_client_has_a_name),
		CASE(a_connection_may_be_inherited),
		CASE(other_descriptors_are_refused),
		CASE(pauses_grow),
		CASE(waiting_ends_when_its_time_is_over),
		CASE(a_late_server_is_met),
		CASE(silence_is_cut_when_the_time_is_over),
		CASE(what_cannot_help_is_not_tried_again),
		CASE(once_is_once),
		CASE(waiting_can_be_stopped),
		CASE(spans_are_words),
#ifdef SYS_SEAM
		CASE(without_descriptors_no_address_helps),
		CASE(a_lookup_that_cannot_start),
		CASE(an_answer_may_come_byte_by_byte),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
