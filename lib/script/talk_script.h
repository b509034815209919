/* A talk script: what our end of a conversation says and expects, read whole and checked before any socket is opened.
 *
 *	script  = { [ section ] [ setting | rule | steps ] [ "#" comment ] NEWLINE }     "\" at the end of a line joins lines
 *	section = "conn" ( "*" | NUM [ "-" [ NUM ] ] )
 *	setting = "frame" FRAME | "timeout" DUR
 *	rule    = ( "on" | "must" ) trigger [ "x" NUM ] steps | "else" steps
 *	trigger = pattern | "eof" | "idle" DUR
 *	step    = "send" data | "sendraw" data | "expect" pattern [ "within" DUR ] | "skip" pattern [ "within" DUR ]
 *	        | "wait" DUR | "close" | "shut" | "rst" | "hang" | "ignore" | "fault" SPEC | "starttls" | "log" data | "fail" data
 *	pattern = [ "!" ] ( "any" | NUM "bytes" | [ "^" | "*" | "~" ] [ "i" ] data )
 *	data    = item { item }         item = [ NUM "*" ] ( "string" | x"hex" | @"path" )
 *
 * The tree belongs to its script and does not change after the parser has given it; connections share it. */
#ifndef SCRIPT_TALK_SCRIPT_H
#define SCRIPT_TALK_SCRIPT_H

#include "pattern/ere.h"
#include "base/err.h"
#include "pattern/needle.h"
#include "fault/fault_spec.h"
#include "codec/framer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TALK_BYTES_MOST = 64 * 1024 * 1024, /* of all script and data files together, and of one literal in a pattern */
	TALK_GROUPS = 10,		    /* $0 to $9 */
	TALK_TIMEOUT_MS = 5000,
};

struct talk_place {
	const char *name; /* of the file, printable, or "--talk" */
	unsigned line, col;
};

struct talk_bytes {
	const unsigned char *p;
	size_t n;
};

/* --- what is sent --- */

struct talk_part {
	struct talk_part *next;
	int group; /* $0 to $9; -1: bytes */
	struct talk_bytes bytes;
};

struct talk_item {
	struct talk_item *next;
	uint32_t times;
	struct talk_part *parts;
};

struct talk_data {
	struct talk_item *items;
	int groups; /* the highest of $0 to $9 in it; -1: none */
};

/* Its length, with group[i] for $i (only up to data->groups is read); UINT64_MAX: that or more. */
uint64_t talk_data_size(const struct talk_data *d, const struct talk_bytes *group);
/* Copies from byte `at`, at most cap bytes; returns how many, 0 at the end. */
size_t talk_data_copy(const struct talk_data *d, const struct talk_bytes *group, uint64_t at, void *out, size_t cap);

/* --- what is expected --- */

enum talk_kind { TALK_EQUAL, TALK_PREFIX, TALK_CONTAINS, TALK_REGEX, TALK_ANY, TALK_COUNT };

struct talk_pattern {
	struct talk_pattern *next; /* all of a script */
	enum talk_kind kind;
	bool not, icase;
	struct talk_bytes text;	 /* EQUAL, PREFIX, CONTAINS, REGEX */
	struct talk_bytes words; /* as the script has it */
	uint64_t count;		 /* COUNT */
	struct needle needle;	 /* the text, for searching */
	struct ere *ere;	 /* REGEX */
	struct ere_cache *cache; /* the script's: the only part that changes */
	unsigned groups;	 /* the highest of $0 to $9 that the script uses; 0: only $0 */
	struct talk_data data;	 /* the source of text */
};

enum talk_fit { TALK_NO, TALK_YES, TALK_MORE, TALK_NO_MEMORY };

/* Does this frame match? The answer may take several turns of the loop. Zeroed before first use. */
struct talk_match {
	const struct talk_pattern *p; /* NULL: not begun */
	struct talk_bytes frame;
	size_t at; /* literal: equal so far; REGEX: 1 when it holds no NUL */
	struct needle_search search;
	struct ere_run run;
};
void talk_match_start(struct talk_match *m, const struct talk_pattern *p, const struct talk_bytes *frame);
/* MORE: *work, of which 1 is about a byte, is used up; call again. For YES and NO group[0] is the frame; for YES of a REGEX
 * group[i] holds its parentheses, up to p->groups. A frame that holds a NUL matches no REGEX. */
enum talk_fit talk_match_go(struct talk_match *m, int64_t *work, struct talk_bytes group[TALK_GROUPS]);
void talk_match_stop(struct talk_match *m); /* before its end, or after */

/* In raw frames, do the next bytes begin with the pattern (EQUAL, PREFIX, COUNT)? *n is, for YES, how many bytes it takes; for
 * NO, how many show that; for MORE, how many of len are compared already, to be passed as n of the next call (0 at first). last:
 * no more bytes will come. */
enum talk_fit talk_fits(const struct talk_pattern *p, const unsigned char *buf, size_t len, bool last, size_t *n);
/* The first byte in which the two differ (ignoring case if the pattern does). */
size_t talk_same(const struct talk_pattern *p, const unsigned char *buf, size_t len);

/* --- the tree --- */

enum talk_verb {
	TALK_SEND,
	TALK_SENDRAW,
	TALK_EXPECT,
	TALK_SKIP,
	TALK_WAIT,
	TALK_CLOSE,
	TALK_SHUT,
	TALK_RST,
	TALK_HANG,
	TALK_IGNORE,
	TALK_FAULT,
	TALK_STARTTLS,
	TALK_LOG,
	TALK_FAIL,
	TALK_VERBS
};
extern const char *const talk_verbs[TALK_VERBS];

struct talk_step {
	struct talk_step *next;
	enum talk_verb verb;
	struct talk_place place;
	struct talk_bytes words;      /* the text after the verb */
	struct talk_data data;	      /* SEND, SENDRAW, LOG, FAIL */
	struct talk_pattern *pattern; /* EXPECT, SKIP */
	int64_t ms;		      /* WAIT; `within` of EXPECT and SKIP, -1: the section's timeout */
	struct fault_spec *fault;     /* FAULT */
};

enum talk_trigger { TALK_ON_PATTERN, TALK_ON_EOF, TALK_ON_IDLE, TALK_ELSE };

struct talk_rule {
	struct talk_rule *next;
	struct talk_place place;
	struct talk_bytes words; /* `on "hola" x3` */
	enum talk_trigger on;
	bool must;
	uint32_t most;	/* times; 0: no limit */
	unsigned index; /* in its section, from 0 */
	struct talk_pattern *pattern;
	int64_t ms; /* ON_IDLE */
	struct talk_step *steps;
};

struct talk_section {
	struct talk_section *next;
	struct talk_place place;
	uint32_t first, last; /* numbers of connections; 0: connections without a section of their own */
	struct framer framer;
	int64_t timeout_ms;
	struct talk_place framed, timed; /* where that stands; line 0: the default */
	struct talk_step *steps;	 /* on connect */
	struct talk_rule *rules;
	unsigned rules_n;
	bool groups;	/* some data has a $n */
	unsigned verbs; /* 1 << TALK_SEND ... that are in its steps */
};

struct talk_script;
struct talk_options {
	struct framer framer; /* where the script does not say */
	bool dgram;	      /* over datagrams, where frames need no bounds */
	bool swap;	      /* exchange send and expect */
	bool tls;	      /* starttls can be done */
};

/* Each text is a line, or several, or "@" and the path of a file with lines; together they are one script, which borrows them.
 * NULL with e (ERR_USAGE; ERR_LOCAL: no memory). */
struct talk_script *talk_parse(const char *const *texts, size_t n, const struct talk_options *options, struct err *e);
void talk_free(struct talk_script *takes); /* NULL is fine */
bool talk_has(const struct talk_script *script, enum talk_verb verb);
/* The section of this connection; NULL: none. */
const struct talk_section *talk_section(const struct talk_script *script, uint32_t conn);

#endif
