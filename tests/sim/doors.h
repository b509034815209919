/* What the files of histories of a server share (history_doors.c): one history at a time, its confs, and what must hold. */
#ifndef TESTS_DOORS_H
#define TESTS_DOORS_H

#include "server/server.h"
#include "session/layers.h"
#include "tests/sim/client.h"
#include "tests/sim/wraps.h"

enum { DOORS_CONFS = 96, DOORS_END_MS = 30000 /* then a signal ends what has not ended */ };
enum shape { LISTEN, LISTEN_ON, ECHO, CONSOLE, SHAPES };
enum stdin_kind { STDIN_QUIET, STDIN_EMPTY, STDIN_SPEAKS, STDIN_UNREAD };

struct accept_conf {
	struct conf *conf;
	enum shape shape;
	enum setup_kind setup;
	enum stdin_kind in;
	unsigned count, max;
	int64_t drain_ms;
};

struct doors { /* one history */
	struct stream std;
	struct waker waker;
	const struct accept_conf *of;
	struct dice *dice;
	struct run run;
	struct outcome outcome;
	struct event_sink events;
	struct layers layers;
	struct addr addr;
	struct chat_member client[KERNEL_CONNS];
	unsigned clients, opened, by_conn[KERNEL_CONNS + 1];
	bool drained, signalled_twice, run_over, in_ended;
	bool finished; /* nothing had ended it: the history did */
	struct timer term, second, run_ends, speaks, writes, finish;
	size_t written[KERNEL_CONNS]; /* letters of each, on stdout */
	size_t in_said;
	bool out_full;
	int64_t now_ms;
};
extern struct doors doors;

/* accept_conf.c */
void accept_confs_open(void);
void accept_confs_close(void);
const struct accept_conf *accept_conf(unsigned i);

/* accept_check.c */
void accept_emit(void *arg, const struct event *ev); /* of the server's events */
void accept_check(void);			     /* after its end */

#endif
