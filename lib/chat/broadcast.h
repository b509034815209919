/* Broadcast: members that receive each other's lines. Shared by chat and console: reading whole lines of bounded length from each
 * member, one message for all its receivers, a bounded out-queue per member, and the rule for slow members.
 *
 * Back-pressure: while a member that is not slow has more than half of its queue waiting, no member that speaks to all is read. A
 * queue that stays over half for 1 s marks its member slow: with SLOW_SKIP it then misses lines and delays no other; once it has
 * caught up, it is told how many it missed; SLOW_CLOSE closes it; SLOW_WAIT never marks. In each case a member that takes no
 * bytes for --slow-after is closed.
 *
 * An unfinished line is a line when nothing has come after it for BROADCAST_SILENCE_MS: simple clients send no newline. Not so if
 * it began with a single byte (a person's keys), with frames, or with --whole-lines. */
#ifndef CHAT_BROADCAST_H
#define CHAT_BROADCAST_H

#include "stream/outq.h"
#include "stream/waiter.h"
#include "session/session.h"

extern const struct opt_group broadcast_opts; /* --slow --slow-after --max-line --whole-lines */
enum broadcast_slow { SLOW_AUTO, SLOW_SKIP, SLOW_CLOSE, SLOW_WAIT };
struct broadcast_conf {
	int slow; /* enum broadcast_slow */
	int64_t slow_after_ms, max_line;
	bool whole_lines;
};

enum { BROADCAST_QUEUE_BYTES = 256 * 1024, BROADCAST_HURRY_MS = 1000, BROADCAST_SILENCE_MS = 200 };

struct member { /* zeroed memory of its session */
	struct session *session;
	struct broadcast *broadcast;
	struct member *next, *prev;
	uint32_t missed; /* from here to `leaving`: all that a message needs of a slow member, close together, as there may be a
			    thousand */
	bool slow;
	bool eof, broken; /* nothing more can be read / written */
	bool leaving;	  /* broadcast_bye: its queue is sent, then a half-close */
	struct waiter waiter;
	struct outq out;
	struct timer clock;
	struct task turn;
	unsigned char *line; /* the unfinished line, absent while empty */
	uint32_t line_len;
	bool keyed;	       /* the unfinished line began with a single byte: a person's keys, whose end is the newline */
	int64_t heard_ms;      /* when its last bytes came */
	struct timer silence;  /* set while there is an unfinished line that silence ends */
	int64_t over_since_ms; /* while over */
	int64_t took_ms;       /* when it last took a byte while bytes were queued */
	struct why why;	       /* why nothing more can be sent to it, while broken */
	uint8_t by;	       /* enum session_end, while leaving */
	bool over;	       /* more than half of its queue waits, and it is not slow */
	bool cut;	       /* the rest of an overlong line is being skipped */
	bool hears, shut;      /* while leaving: still read to its EOF / half-closed */
	bool drained;	       /* broadcast_drain was called: it is ended when no other member could speak to it */
	bool unanswered;       /* it sent what a half-closed member should get, perhaps itself */
	bool departed;	       /* ops->left was called */
	bool rd_waits, wr_waits;
	bool unsent; /* the queue may be empty, the layers below are not */
};

struct broadcast_ops {
	/* Whole lines, each with its newline and at most --max-line long. cut: the last one was longer. May speak. */
	void (*said)(struct member *from, const char *bytes, size_t len, bool cut);
	void (*finished)(struct member *m); /* its peer will say no more; NULL: broadcast_bye */
	void (*spent)(struct member *m);    /* finished, still there, and its queue is sent; NULL: nothing */
	void (*left)(struct member *m);	    /* it is leaving or gone; still listed, no longer counted; NULL: nothing */
	size_t (*missed)(uint32_t lines, char *out, size_t cap); /* the text for a member that missed lines; NULL: nothing */
	bool raw;						 /* bytes as they come, no lines */
	bool aside; /* members speak to the service, not to each other: their full queues do not stop them */
};

struct broadcast {
	struct service_run *service_run;
	const struct broadcast_ops *ops;
	struct member *first, *last;
	uint32_t count; /* members that have not departed */
	enum broadcast_slow slow;
	int64_t slow_after_ms;
	uint32_t max_line;
	bool whole_lines;	/* an unfinished line is not ended by silence */
	uint32_t hurried;	/* members over half that are not slow */
	bool held;		/* the service wants no member to be read (stdout is full) */
	unsigned char *scratch; /* for reading, one member at a time */
	struct member *speaker; /* the member that is being read; NULL: none */
	struct task wake;
	void (*ready)(void *arg); /* broadcast_free may have become true; may be NULL */
	void *arg;
};

int broadcast_open(struct broadcast *r, struct service_run *service_run, const struct broadcast_ops *ops,
	enum broadcast_slow automatic, struct err *e);
void broadcast_close(struct broadcast *r);

void broadcast_join(struct broadcast *r, struct member *m, struct session *s);
void broadcast_leave(struct member *m); /* from service->close: unlists, frees queue and line */
/* To one member: false when it missed the line or can be sent nothing more. */
bool broadcast_tell(struct member *m, struct msg *borrows);
/* To all but `except` (may be NULL). */
void broadcast_say(struct broadcast *r, struct msg *borrows, const struct member *except);
bool broadcast_free(const struct broadcast *r); /* may a member that speaks to all be read now? */
bool broadcast_spent(const struct member *m);	/* see ops->spent */
void broadcast_hold(struct broadcast *r, bool held);
/* Sends its queue, then a half-close, then ends it (by: in the event), with hears only after the member's own EOF. */
void broadcast_bye(struct member *m, enum session_end by, bool hears);
/* The run is about to end. Members that speak to each other continue until each is alone; a member that is alone, or that speaks
 * to the service, gets its queue and a half-close, and is read to its end. */
void broadcast_drain(struct member *m, enum session_end by);
bool broadcast_holds(struct member *m); /* at the deadline: something is undelivered, either way */

#endif
