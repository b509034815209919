/* The engine of a conversation: what came goes in as bytes, an end and the time; what is to be done comes out as one act after
 *the other. No I/O and no clock of its own, and nothing depends on how the bytes were cut on their way.
 *
 *	for (;;) {
 *		const struct talk_act *act = talk_engine_next(e, now);
 *		switch (act->what) ...		and then, for what is done, talk_engine_done(e)
 *	}
 *
 * The same act is given again until it is done, so one that would block can be tried again; DO_WAIT is not done but overtaken, by
 * input or by time; DO_HANG, DO_CLOSE, DO_RST and DO_FAIL are the last.
 *
 * Memory: what came and is not used yet, at most a frame and one call's bytes, or what talk_engine_room allowed; a copy of the
 * frame that $0 to $9 stand for; a number for each rule. */
#ifndef TALK_TALK_ENGINE_H
#define TALK_TALK_ENGINE_H

#include "base/budget.h"
#include "script/talk_script.h"

enum {
	TALK_DATAGRAM_MOST = 256 * 1024, /* to be sent */
	TALK_WORDS = 420,
};

enum talk_do {
	DO_DONE,      /* internal: look again */
	DO_TURN,      /* the work of this turn is done, and there is more: talk_engine_work, and again in the next turn */
	DO_WAIT,      /* for input if `input`, and until at_ms at the latest */
	DO_SEND,      /* talk_engine_copy, talk_engine_sent */
	DO_MATCH,     /* a rule matched: only for the report */
	DO_UNMATCHED, /* the same: only an `else` takes this, or nothing (DO_FAIL follows) */
	DO_LOG,	      /* talk_engine_text */
	DO_SHUT,
	DO_FAULT,    /* step->fault */
	DO_STARTTLS, /* talk_engine_unread: the input is TLS already */
	DO_HANG,     /* keep open, read nothing, until the peer ends; if its end came before: until it is gone */
	DO_CLOSE,
	DO_RST,
	DO_FAIL
};

enum talk_why {
	WHY_MISMATCH,
	WHY_TIMEOUT,
	WHY_EOF,
	WHY_CUT,   /* the last frame was cut */
	WHY_FRAME, /* no valid frame */
	WHY_UNMATCHED,
	WHY_MUST,
	WHY_SAID,   /* by the script: talk_engine_text */
	WHY_SIZE,   /* the output cannot be a frame */
	WHY_SHUT,   /* output after it */
	WHY_TOLD,   /* talk_engine_told: an act could not be done */
	WHY_ENDED,  /* talk_engine_end */
	WHY_MEMORY, /* ours, not the conversation's */
	WHY_BUDGET  /* the same: the budget is used up */
};

struct talk_act {
	enum talk_do what;
	bool input;
	int64_t at_ms; /* NEVER: at no time */
	const struct talk_place *place;
	const struct talk_step *step; /* NULL: a rule waits */
	const struct talk_rule *rule; /* DO_MATCH */
	/* DO_FAIL */
	enum talk_why why;
	struct talk_bytes want; /* as the script writes it */
	size_t same;		/* bytes of got that are as expected, if known */
	/* DO_MATCH, DO_UNMATCHED: the frame; DO_FAIL: what came instead. Until the next call. */
	struct talk_bytes got;
	uint64_t off; /* its offset in all input; DO_FAIL: of the first wrong byte */
};

struct talk_engine {
	const struct talk_section *section;
	bool dgram; /* over datagrams, each of which is a frame */

	unsigned char *in;
	size_t in_at, in_len, in_cap;
	uint64_t in_off; /* offset of in[in_at] in all input */
	size_t seen;	 /* bytes of in already searched for a frame, or compared with a literal */
	bool eof, whole; /* no more input will come; a datagram is there, perhaps an empty one */
	bool crlf;	 /* the peer's last line ended with CR LF */

	unsigned char *kept; /* memory of group */
	size_t kept_cap;
	struct budget *budget; /* in_cap and kept_cap are taken from it; NULL: from none */
	struct talk_bytes group[TALK_GROUPS];

	struct talk_match match;	/* of a frame, once begun; */
	const struct talk_rule *trying; /* with this rule; the ones before it do not match. NULL: with the first, or the step */
	size_t most;			/* raw: how many bytes show that */
	struct needle_search search;	/* raw: of the step */
	int64_t work;			/* left in this turn */

	const struct talk_step *step;
	bool begun, asked, shut, secured, eof_told, gone, over;
	int64_t now_ms, until_ms, idle_ms;
	uint64_t at, size; /* of the present output: bytes done, all bytes */
	unsigned char head[FRAMER_EDGE], tail[FRAMER_EDGE];
	size_t head_n, tail_n;

	uint32_t *hits;
	struct talk_act act;
	bool busy; /* act is not done yet */
	const char *told;
	size_t spends; /* bytes of in that it uses */
	const struct talk_rule *enters;
};

/* Borrows the section. -1: no memory. */
int talk_engine_open(struct talk_engine *e, const struct talk_section *section, bool dgram, int64_t now_ms);
void talk_engine_close(struct talk_engine *e);

/* Input, when DO_WAIT asked for it, or while another act was tried: n bytes, or one datagram, perhaps empty. */
void talk_engine_bytes(struct talk_engine *e, const void *bytes, size_t n, int64_t now_ms);
/* Of `want` bytes, how many may be added before DO_WAIT asks: as many as later steps can use, up to TALK_BYTES_MOST, and always a
 * frame, or 1 MiB. None over datagrams. */
size_t talk_engine_room(const struct talk_engine *e, size_t want);
void talk_engine_eof(struct talk_engine *e);
/* The connection has ended in both directions, or was reset: only earlier input counts from now on. */
void talk_engine_gone(struct talk_engine *e);

const struct talk_act *talk_engine_next(struct talk_engine *e, int64_t now_ms);
/* The work allowed before DO_TURN: 1 is about a compared byte. At first unlimited. */
void talk_engine_work(struct talk_engine *e, int64_t work);
void talk_engine_done(struct talk_engine *e);

/* DO_SEND: copies the next output (over datagrams all of it, at most TALK_DATAGRAM_MOST), and notes what was sent. */
size_t talk_engine_copy(const struct talk_engine *e, void *out, size_t cap);
void talk_engine_sent(struct talk_engine *e, size_t n);
/* The data of DO_LOG and of WHY_SAID. */
size_t talk_engine_text(const struct talk_engine *e, void *out, size_t cap);

/* DO_STARTTLS: the unused input; it is gone with the act. */
struct talk_bytes talk_engine_unread(const struct talk_engine *e);
/* The present act failed, for this reason, which is borrowed: DO_FAIL. */
const struct talk_act *talk_engine_told(struct talk_engine *e, const char *why);

/* The connection has ended by itself, or (by_us) we ended it: NULL if the script allows that, else DO_FAIL. */
const struct talk_act *talk_engine_end(struct talk_engine *e, bool by_us);
bool talk_engine_waits(const struct talk_engine *e); /* for the next frame, or for nothing: a good moment to end */

/* For the user: `hola.talk:3: expected "pues", got "bues"`. Returns out. */
const char *talk_engine_words(const struct talk_engine *e, const struct talk_act *fail, char out[TALK_WORDS]);

/* For talk_*.c: sets the present act. */
struct talk_act *talk_engine_act(struct talk_engine *e, enum talk_do what, const struct talk_place *place);
void talk_engine_wait(struct talk_engine *e, bool input, int64_t at_ms);
void talk_engine_turn(struct talk_engine *e);
struct talk_act *talk_engine_fail(struct talk_engine *e, enum talk_why why, const struct talk_place *place);
void talk_engine_finish(struct talk_engine *e, enum talk_do how); /* or fails, if a `must` was missed */
void talk_engine_step(struct talk_engine *e);			  /* runs the present step */
void talk_engine_go_on(struct talk_engine *e);			  /* to the next */
bool talk_engine_is_raw(const struct talk_engine *e);

/* For talk_*.c: frames in the input (talk_input.c). */
enum talk_take { TAKE_FRAME, TAKE_MORE, TAKE_END, TAKE_CUT, TAKE_BAD, TAKE_TURN };
enum talk_take talk_input_frame(struct talk_engine *e, struct talk_bytes *frame, size_t *used);
enum talk_take talk_input_search(struct talk_engine *e, const struct talk_pattern *p, struct talk_bytes *found, size_t *used);
/* Continues or begins a match. MORE: in the next turn. */
enum talk_fit talk_input_match(struct talk_engine *e, const struct talk_pattern *p, const struct talk_bytes *frame);
/* talk_fits, within the work of this turn; *turn: whether that is the reason for MORE. */
enum talk_fit talk_input_fits(struct talk_engine *e, const struct talk_pattern *p, size_t *n, bool *turn);
/* group, as they were matched; -1: no memory, errno says why: ENOMEM, or ENOBUFS (no more of the budget) */
int talk_input_keep(struct talk_engine *e, const struct talk_bytes *frame);
enum talk_why talk_input_why(void); /* of such an errno */
void talk_input_drop(struct talk_engine *e, size_t n);

#endif
