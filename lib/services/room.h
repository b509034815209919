/* A room: members that hear each other. What chat and console share: reading whole lines of bounded length from each member,
 * one message shared by all its receivers, a bounded out-queue per member, and what is done about a slow one.
 *
 * Back-pressure: while a member that is not slow has more than half of its queue waiting, nobody who speaks to all is read. A
 * queue that stays over half for 1 s marks its owner slow: with SLOW_SKIP lines are skipped for it from then on and nobody
 * waits; drained, it is told how many it missed; SLOW_CLOSE closes it; SLOW_WAIT never marks. In each case a member that takes
 * nothing for --slow-after is closed. */
#ifndef SERVICES_ROOM_H
#define SERVICES_ROOM_H

#include "io/outq.h"
#include "io/waiter.h"
#include "net/session.h"

extern const struct opt_group room_opts; /* --slow --slow-after --max-line */
enum room_slow { SLOW_AUTO, SLOW_SKIP, SLOW_CLOSE, SLOW_WAIT };
struct room_conf {
	int slow; /* enum room_slow */
	int64_t slow_after_ms, max_line;
};

enum { ROOM_QUEUE_BYTES = 256 * 1024, ROOM_HURRY_MS = 1000 };

struct member { /* zeroed memory of its session */
	struct session *session;
	struct room *room;
	struct waiter waiter;
	struct outq out;
	struct timer clock;
	struct task turn;
	unsigned char *line; /* the unfinished line, absent while empty */
	uint32_t line_len;
	uint32_t missed;
	int64_t over_since_ms; /* while over */
	int64_t took_ms;       /* when it last took a byte while some waited */
	struct why why;	       /* why it can be sent nothing more, while broken */
	uint8_t by;	       /* enum session_end, while leaving */
	bool over;	       /* more than half of its queue waits, and it is not slow */
	bool slow;
	bool cut;	  /* the rest of an overlong line is being skipped */
	bool eof, broken; /* nothing more can be read / written */
	bool leaving;	  /* room_bye: what is queued goes out, then a half-close */
	bool hears, shut; /* while leaving: still read to its EOF / half-closed */
	bool drained;	  /* room_drain was called: it is said goodbye to when nobody is left who could speak to it */
	bool unanswered;  /* it said what somebody who was said goodbye to should hear, be that itself */
	bool departed;	  /* ops->left was called */
	bool rd_waits, wr_waits;
	bool unsent; /* the queue may be empty, the layers below are not */
	struct member *next, *prev;
};

struct room_ops {
	/* Whole lines, each with its newline and at most --max-line long. cut: the last one was longer. May speak. */
	void (*said)(struct member *from, const char *bytes, size_t len, bool cut);
	void (*finished)(struct member *m); /* its peer will say no more; NULL: room_bye */
	void (*spent)(struct member *m);    /* finished, still there, and all that was queued for it is out; NULL: nothing */
	void (*left)(struct member *m);	    /* it is going or gone; still listed, no longer counted; NULL: nothing */
	size_t (*missed)(uint32_t lines, char *out, size_t cap); /* what to tell one that skipped lines; NULL: nothing */
	bool raw;						 /* bytes as they come, no lines */
	bool aside; /* members speak to the service, not to each other: their full queues do not stop them */
};

struct room {
	struct hub *hub;
	const struct room_ops *ops;
	struct member *first, *last;
	uint32_t count; /* that have not departed */
	enum room_slow slow;
	int64_t slow_after_ms;
	uint32_t max_line;
	uint32_t hurried;	/* members over half that are not slow */
	bool held;		/* the service's own wish that no member is read (stdout is full) */
	unsigned char *scratch; /* where reading happens, one member at a time */
	struct member *speaker; /* who is being heard; NULL: nobody */
	struct task wake;
	void (*ready)(void *arg); /* room_free may have become true; may be NULL */
	void *arg;
};

int room_open(struct room *r, struct hub *hub, const struct room_ops *ops, enum room_slow automatic, struct err *e);
void room_close(struct room *r);

void room_join(struct room *r, struct member *m, struct session *s);
void room_leave(struct member *m); /* from service->close: unlists, frees queue and line */
/* To one: false when it was skipped or can be told nothing more. */
bool room_tell(struct member *m, struct msg *borrows);
/* To all but `except` (may be NULL). */
void room_say(struct room *r, struct msg *borrows, const struct member *except);
bool room_free(const struct room *r);	 /* may somebody who speaks to all be read now? */
bool room_spent(const struct member *m); /* see ops->spent */
void room_hold(struct room *r, bool held);
/* What is queued goes out, then a half-close, then the end (by: in the event), with hears only after the member's own EOF. */
void room_bye(struct member *m, enum session_end by, bool hears);
/* The run is to end. Members that speak to each other may go on until each is alone; one that is, or that speaks to the service,
 * gets what is queued and a half-close, and is heard to its end. */
void room_drain(struct member *m, enum session_end by);
bool room_holds(struct member *m); /* at the deadline: something is undelivered, either way */

#endif
