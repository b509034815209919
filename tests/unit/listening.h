/* A place to listen in: a folder, options, a loop and a sink for events, fresh for each test, and gone without a trace after it.
 */
#ifndef TESTS_LISTENING_H
#define TESTS_LISTENING_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "listen/listener.h"
#include "listen/ready.h"
#include "net/sockopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct opt_group *const groups[] = { &addr_opts, &listener_opts, &ready_opts, &sockopt_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

static struct place { /* a fresh one for each test */
	struct run run;
	struct conf *conf;
	struct event_sink sink;
	struct listeners l;
	struct err e;
	char folder[32], path[64];
	unsigned told[EV_KINDS];
} p;

static inline void note(void *arg, const struct event *ev)
{
	(void)arg;
	p.told[ev->kind]++;
}

static inline int setup(void **state)
{
	(void)state;
	p = (struct place){ .folder = "/tmp/listenXXXXXX", .sink = { .emit = note, .level = EV_DEBUG } };
	if (mkdtemp(p.folder) == NULL)
		return -1;
	snprintf(p.path, sizeof p.path, "%s/s", p.folder);
	p.conf = conf_new(commands, &command, NULL);
	p.run = (struct run){ .loop = loop_open(&loop_select, NULL), .conf = p.conf, .events = &p.sink };
	return p.conf == NULL || p.run.loop == NULL ? -1 : 0;
}

static inline int teardown(void **state)
{
	(void)state;
	sys_gate = NULL;
	listeners_close(&p.l);
	loop_close(p.run.loop);
	conf_free(p.conf);
	unlink(p.path);
	return rmdir(p.folder); /* nothing of ours may be left there */
}

static inline int set(const struct opt_group *group, const char *name, const char *text)
{
	for (const struct opt *row = group->rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return conf_set(p.conf, group, row, text, &p.e);
	fail_msg("no option %s", name);
	return -1;
}

static inline struct addr parse(const char *word)
{
	struct addr a;
	char text[128], *argv[] = { text };
	int used = 0;
	snprintf(text, sizeof text, "%s", word);
	if (addr_parse(&a, conf_get(p.conf, &addr_opts), ADDR_SERVER, 1, argv, &used, &p.e) != 0)
		fail_msg("%s", p.e.what);
	return a;
}

static inline int listen_at(const char *word)
{
	struct addr a = parse(word);
	return listeners_open(&p.l, &p.run, &a, 5, &p.e);
}

#define MUST(call)                                                                                                               \
	do {                                                                                                                     \
		if ((call) != 0)                                                                                                 \
			fail_msg("%s: %s", #call, p.e.what);                                                                     \
	} while (0)

static inline int connect_to(const struct sockaddr *sa, socklen_t len, int type)
{
	int fd = socket(sa->sa_family, type, 0);
	int r = connect(fd, sa, len), sys = errno;
	close(fd);
	return r == 0 ? 0 : sys;
}

static inline int connect_path(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%.100s", path);
	return connect_to((struct sockaddr *)&un, sizeof un, type);
}

static inline const char *word_of(const char *scheme)
{
	static char word[100];
	snprintf(word, sizeof word, "%s:%s", scheme, p.path);
	return word;
}

static inline bool exists(void)
{
	struct stat st;
	return lstat(p.path, &st) == 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
