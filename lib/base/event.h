/* Events: what happened, as a kind and fields. The rows of events.def are the only list of kinds.
 *
 * Code with something to report builds an event and passes it to its sink; lib/report turns it into lines. A sink may be NULL (no
 * reporter). Emitting never blocks and never fails. */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ev_kind {
#define EVENT(id, name, level, fields, sentence) EV_##id,
#include "base/events.def"
#undef EVENT
	EV_KINDS
};

/* Shown also with -q; without -v alone, which says the same in more lines; always but with -q; with -v; with -vv. */
enum ev_level { EV_LOUD, EV_BRIEF, EV_ALWAYS, EV_VERBOSE, EV_DEBUG };

struct ev_row {
	const char *name; /* "open" */
	enum ev_level level;
	const char *fields;   /* "peer active": the keys that it may have, in this order */
	const char *sentence; /* "{peer} connected ({active} active)": the human line, fields in braces */
};
extern const struct ev_row ev_rows[EV_KINDS];

enum ev_value {
	EV_IS_NUM,
	EV_IS_TEXT,  /* printable already, or made so: programs get it unchanged */
	EV_IS_BOOL,  /* num */
	EV_IS_WORDS, /* text, several of them, separated by ", " */
	EV_IS_NUMS,  /* text, several numbers, separated by ", " */
	EV_IS_BYTES  /* num bytes at text: payload, at most EVENT_BYTES_MOST */
};

enum { EVENT_BYTES_MOST = 2048 }; /* a line of the event stream holds so many: more bytes are several events */

struct ev_field {
	const char *key; /* NULL ends the fields */
	enum ev_value is;
	const char *text;
	int64_t num;
};

struct event {
	enum ev_kind kind;
	uint32_t conn; /* 0: of the process */
	const struct ev_field *fields;
};

struct event_sink {
	void (*emit)(void *arg, const struct event *ev);
	void *arg;
	enum ev_level level; /* events above it are not even built */
	bool data, bytes;    /* a reporter wants payload (EV_DATA) / and its bytes, too */
	bool on_stdout;	     /* a reporter writes there, so no other code may (net/run.h) */
};

#define EV_NUM(k, v) ((struct ev_field){ (k), EV_IS_NUM, NULL, (int64_t)(v) })
#define EV_SOME(k, v) ((struct ev_field){ (k), (v) != 0 ? EV_IS_NUM : EV_IS_TEXT, NULL, (int64_t)(v) }) /* 0: as if not there */
#define EV_TEXT(k, t) ((struct ev_field){ (k), EV_IS_TEXT, (t), 0 }) /* a text of NULL: as if the field were not there */
#define EV_BOOL(k, v) ((struct ev_field){ (k), EV_IS_BOOL, NULL, (v) })
#define EV_WORDS(k, t) ((struct ev_field){ (k), EV_IS_WORDS, (t), 0 })
#define EV_NUMS(k, t) ((struct ev_field){ (k), EV_IS_NUMS, (t), 0 })
#define EV_BYTES(k, p, n) ((struct ev_field){ (k), EV_IS_BYTES, (p), (int64_t)(n) })

/* For event() alone: does a reporter listen? */
void event_send(const struct event_sink *sink, enum ev_kind kind, uint32_t conn, const struct ev_field *fields);

static inline bool event_heard(const struct event_sink *sink, enum ev_kind kind)
{
	return sink != NULL && ev_rows[kind].level <= sink->level;
}

/* event(sink, EV_OPEN, conn, EV_TEXT("peer", label), EV_NUM("active", n)). Without a reporter the fields are not even
 * evaluated. */
#define event(sink, kind, conn, ...)                                                                                             \
	(event_heard((sink), (kind)) ? event_send((sink), (kind), (conn), (const struct ev_field[]){ __VA_ARGS__, { 0 } })       \
				     : (void)0)

#endif
