/* A room: members that hear each other. What chat and console share: reading whole lines of bounded length from each member, one
 * message shared by all its receivers, a bounded out-queue per member, and what is done about a slow one.
 *
 * Back-pressure: while a member that is not slow has more than half of its queue waiting, nobody who speaks to all is read. A
 * queue that stays over half for 1 s marks its owner slow: with SLOW_SKIP lines are skipped for it from then on and nobody waits;
 * drained, it is told how many it missed; SLOW_CLOSE closes it; SLOW_WAIT never marks. In each case a member that takes nothing
 * for --slow-after is closed. */
#ifndef SERVICES_ROOM_H
#define SERVICES_ROOM_H

#include "io/outq.h"
#include "io/waiter.h"
#include "net/session.h"

enum room_slow { SLOW_AUTO, SLOW_SKIP, SLOW_CLOSE, SLOW_WAIT };
struct room_conf {
	int slow; /* enum room_slow */
	int64_t slow_after_ms, max_line;
};

enum { ROOM_QUEUE_BYTES = 256 * 1024, ROOM_HURRY_MS = 1000 };

struct member {
	struct session *session;
	struct room *room;
	struct waiter waiter;
	struct outq out;
	struct timer clock;
	unsigned char *line; /* the unfinished line, absent while empty */
	uint32_t line_len, line_cap;
	uint32_t missed;
	int64_t half_since_ms; /* over half since; 0: it is not */
	int64_t took_ms;       /* when it last took a byte while some waited */
	bool slow, cut, eof, leaving, crlf;
	struct member *next, *prev;
	void *mem; /* the service's own: chat's name */
};

struct room_ops {
	/* Whole lines of one read, newline included, at most max_line each (cut: the last one was cut there). May speak. */
	void (*said)(struct member *from, const char *bytes, size_t len, bool cut);
	void (*left)(struct member *m); /* its peer has finished or it was closed; still listed */
	size_t (*missed)(
		struct member *m, uint32_t lines, char *out, size_t cap); /* the notice for one that skipped lines; 0: none */
	bool raw;							  /* bytes as they come, no lines */
};

struct room {
	struct hub *hub;
	const struct room_ops *ops;
	struct member *first, *last;
	uint32_t count;
	enum room_slow slow;
	int64_t slow_after_ms;
	uint32_t max_line;
	uint32_t hurried; /* members over half that are not slow: while > 0 nobody is read */
	bool held;	  /* the service's own wish that nobody is read (the console's stdout is full) */
	bool paused;	  /* what readers were last told */
	struct task wake;
	void (*ready)(void *arg); /* the way is free again: the service's own source (stdin) may be read */
	void *arg;
};

void room_open(
	struct room *r, struct hub *hub, const struct room_ops *ops, const struct room_conf *conf, enum room_slow automatic);
void room_close(struct room *r);

void room_join(struct room *r, struct member *m, struct session *s); /* m is zeroed memory of the session */
void room_leave(struct member *m);				     /* from service->close: unlists, frees queue and line */
/* To one: false when it was skipped or the queue is full. */
bool room_tell(struct member *m, struct msg *borrows);
/* To all but `except` (may be NULL). */
void room_say(struct room *r, struct msg *borrows, const struct member *except);
bool room_free(const struct room *r); /* may a speaker be read now? */
void room_hold(struct room *r, bool held);
/* Drain what is queued, half-close, and end the session when the peer has finished (by: in the event). Hears nothing more unless
 * `hears`. */
void room_bye(struct member *m, enum session_end by, bool hears);

#endif
