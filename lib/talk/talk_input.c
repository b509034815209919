/* The input of a conversation, and the frames in it.
 *
 * The buffer grows with bytes that have come, never with a length that a peer announces. Over datagrams there is one of them at a
 * time, and it is the frame, without a terminator at its end. */
#include "talk/talk_engine.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum {
	FIRST_BYTES = 1024,
	AHEAD_BYTES = 1024 * 1024,
	COPIED_AT_ONCE = 8, /* bytes copied for one unit of work */
};

/* Grows one of our two buffers. -1: errno says why. */
static int talk_input_resize(struct talk_engine *e, unsigned char **mem, size_t *cap, size_t to)
{
	errno = ENOBUFS;
	if (to > *cap && !budget_take(e->budget, e->in_cap + e->kept_cap, to - *cap))
		return -1;
	unsigned char *grown = mem_grow(*mem, to);
	if (grown == NULL) {
		budget_give(e->budget, to > *cap ? to - *cap : 0);
		errno = ENOMEM;
		return -1;
	}
	budget_give(e->budget, to < *cap ? *cap - to : 0);
	*mem = grown;
	*cap = to;
	return 0;
}

enum talk_why talk_input_why(void)
{
	return errno == ENOBUFS ? WHY_BUDGET : WHY_MEMORY;
}

static int make_room(struct talk_engine *e, size_t n)
{
	if (e->in_at > 0 && e->in_len > 0)
		memmove(e->in, e->in + e->in_at, e->in_len);
	e->in_at = 0;
	if (n <= e->in_cap - e->in_len && e->in_len <= e->in_cap / 2) /* else a few more bytes would move them again */
		return 0;
	size_t cap = e->in_cap == 0 ? FIRST_BYTES : e->in_cap, left = budget_left(e->budget, e->in_cap + e->kept_cap);
	while (cap - e->in_len < n || cap == e->in_cap)
		cap *= 2;
	if (cap - e->in_cap > left) { /* then it does not double; if need be, by moving more often */
		cap = e->in_cap + left;
		if (cap - e->in_len < n && e->in_cap - e->in_len >= n)
			return 0;
		cap = cap - e->in_len < n ? e->in_len + n : cap;
	}
	return talk_input_resize(e, &e->in, &e->in_cap, cap);
}

void talk_engine_bytes(struct talk_engine *e, const void *bytes, size_t n, int64_t now_ms)
{
	bool ignored = e->step != NULL && e->step->verb == TALK_IGNORE;
	e->idle_ms = now_ms;
	e->asked = false;
	e->work -= (int64_t)(n / COPIED_AT_ONCE);
	if (ignored || e->over) {
		e->in_off += n;
		return;
	}
	e->whole = e->dgram;
	if (n > e->in_cap - e->in_at - e->in_len && make_room(e, n) != 0) {
		talk_engine_fail(e, talk_input_why(), NULL);
		return;
	}
	if (n > 0)
		memcpy(e->in + e->in_at + e->in_len, bytes, n);
	e->in_len += n;
}

void talk_engine_eof(struct talk_engine *e)
{
	e->eof = true;
}

void talk_engine_gone(struct talk_engine *e)
{
	e->gone = true;
}

/* --- ahead --- */

/* The most input that this pattern can use; frames may be as long as allowed. */
static uint64_t pattern_most(const struct talk_engine *e, const struct talk_pattern *p)
{
	if (!talk_engine_is_raw(e))
		return e->section->framer.most + 2 * FRAMER_EDGE;
	return p->kind == TALK_CONTAINS ? TALK_BYTES_MOST : p->kind == TALK_COUNT ? p->count : p->text.n;
}

/* The same for later steps, up to `enough`. In a section without rules the connection is closed after them, and further input is
 * dropped. */
static uint64_t steps_most(const struct talk_engine *e, uint64_t enough)
{
	uint64_t most = 0;
	for (const struct talk_step *s = e->step; s != NULL && most < enough; s = s->next) {
		if (s->verb == TALK_HANG || s->verb == TALK_RST || s->verb == TALK_FAIL)
			return most;
		if (s->verb == TALK_SKIP || s->verb == TALK_IGNORE || s->verb == TALK_CLOSE)
			return TALK_BYTES_MOST;
		if (s->verb == TALK_EXPECT)
			most += pattern_most(e, s->pattern);
		if (s->next == NULL && e->section->rules == NULL)
			return TALK_BYTES_MOST;
	}
	return most;
}

static uint64_t frame_most(const struct talk_engine *e)
{
	uint64_t most = talk_engine_is_raw(e) ? 0 : e->section->framer.most + 2 * FRAMER_EDGE;
	for (const struct talk_rule *r = e->section->rules; r != NULL; r = r->next)
		if (r->pattern != NULL && pattern_most(e, r->pattern) > most)
			most = pattern_most(e, r->pattern);
	return most > AHEAD_BYTES ? most : AHEAD_BYTES;
}

size_t talk_engine_room(const struct talk_engine *e, size_t want)
{
	uint64_t steps = steps_most(e, e->in_len + want), frame = frame_most(e), most = TALK_BYTES_MOST;
	most = steps < most ? steps : most;
	most = frame > most ? frame : most;
	if (e->dgram || e->in_len >= most)
		return 0;
	size_t room = want < most - e->in_len ? want : (size_t)(most - e->in_len);
	size_t left = e->in_cap - e->in_len, more = budget_left(e->budget, e->in_cap + e->kept_cap);
	left = more > SIZE_MAX - left ? SIZE_MAX : left + more;
	return room < left ? room : left;
}

/* --- frames --- */

void talk_input_drop(struct talk_engine *e, size_t n)
{
	e->in_len -= n;
	e->in_at = e->in_len == 0 ? 0 : e->in_at + n;
	e->in_off += n;
	e->seen = 0;
	e->whole = false;
	if (e->in_len == 0 && e->in_cap > BUDGET_SMALL) { /* it may take long until so much comes again */
		mem_free(e->in);
		budget_give(e->budget, e->in_cap);
		e->in = NULL;
		e->in_cap = 0;
	}
}

static const unsigned char *talk_input_here(const struct talk_engine *e)
{
	return e->in != NULL ? e->in + e->in_at : (const unsigned char *)"";
}

/* A length that is too large may be known from its first byte or from all of them, and the error must not depend on that. */
static bool length_is_cut(const struct talk_engine *e)
{
	unsigned char head[FRAMER_EDGE], tail[FRAMER_EDGE];
	size_t head_n = 0, tail_n;
	if (e->section->framer.kind < FRAME_U8)
		return false;
	framer_dress(&e->section->framer, 0, head, &head_n, tail, &tail_n);
	return e->in_len < head_n;
}

static enum talk_take talk_input_datagram(struct talk_engine *e, struct talk_bytes *frame, size_t *used)
{
	const struct framer *f = &e->section->framer;
	size_t seen = 0, at = 0, n = 0;
	*frame = (struct talk_bytes){ talk_input_here(e), e->in_len };
	*used = e->in_len;
	if (framer_rest_is_frame(f) && framer_cut_on(f, frame->p, frame->n, &seen, &at, &n) == (ssize_t)frame->n)
		frame->n = n;
	return e->whole ? TAKE_FRAME : e->eof ? TAKE_END : TAKE_MORE;
}

static enum talk_take talk_input_rest(struct talk_engine *e, struct talk_bytes *frame, size_t *used)
{
	if (!e->eof)
		return TAKE_MORE;
	if (e->in_len == 0)
		return TAKE_END;
	if (!framer_rest_is_frame(&e->section->framer))
		return TAKE_CUT;
	*frame = (struct talk_bytes){ talk_input_here(e), e->in_len };
	*used = e->in_len;
	return TAKE_FRAME;
}

enum talk_take talk_input_frame(struct talk_engine *e, struct talk_bytes *frame, size_t *used)
{
	const struct framer *f = &e->section->framer;
	size_t at = 0, n = 0;
	if (e->dgram)
		return talk_input_datagram(e, frame, used);
	if (e->in_len == 0)
		return talk_input_rest(e, frame, used);
	ssize_t got = framer_cut_on(f, talk_input_here(e), e->in_len, &e->seen, &at, &n);
	if (got == FRAMER_BAD)
		return !e->eof && length_is_cut(e) ? TAKE_MORE : TAKE_BAD;
	if (got == FRAMER_PARTIAL)
		return talk_input_rest(e, frame, used);
	*frame = (struct talk_bytes){ talk_input_here(e) + at, n };
	*used = (size_t)got;
	if (f->kind == FRAME_LINE)
		e->crlf = *used - n == 2;
	return TAKE_FRAME;
}

/* Bytes that cannot be part of it any more are dropped. */
enum talk_take talk_input_search(struct talk_engine *e, const struct talk_pattern *p, struct talk_bytes *found, size_t *used)
{
	if (needle_go(&e->search, &p->needle, talk_input_here(e), e->in_len, &e->work) == NEEDLE_FOUND) {
		*found = (struct talk_bytes){ talk_input_here(e) + e->search.at, p->text.n };
		*used = e->search.at + p->text.n;
		return TAKE_FRAME;
	}
	if (e->work <= 0)
		return TAKE_TURN;
	if (e->in_len >= p->text.n) {
		e->search.at -= e->in_len - p->text.n + 1;
		talk_input_drop(e, e->in_len - p->text.n + 1);
	}
	return e->eof ? TAKE_END : TAKE_MORE;
}

enum talk_fit talk_input_match(struct talk_engine *e, const struct talk_pattern *p, const struct talk_bytes *frame)
{
	if (e->match.p != p)
		talk_match_start(&e->match, p, frame);
	return talk_match_go(&e->match, &e->work, e->group);
}

enum talk_fit talk_input_fits(struct talk_engine *e, const struct talk_pattern *p, size_t *n, bool *turn)
{
	size_t len = e->in_len, from = e->seen, work = e->work > 0 ? (size_t)e->work : 1;
	*turn = p->kind != TALK_COUNT && len - from > work;
	len = *turn ? from + work : len;
	*n = from;
	enum talk_fit fit = talk_fits(p, talk_input_here(e), len, e->eof && !*turn, n);
	e->work -= p->kind != TALK_COUNT && *n > from ? (int64_t)(*n - from) : 1;
	if (fit == TALK_MORE)
		e->seen = *n;
	return fit;
}

int talk_input_keep(struct talk_engine *e, const struct talk_bytes *frame)
{
	if (!e->section->groups)
		return 0;
	bool much = e->kept_cap > BUDGET_SMALL && frame->n <= BUDGET_SMALL;
	if ((frame->n > e->kept_cap || much) && talk_input_resize(e, &e->kept, &e->kept_cap, frame->n > 0 ? frame->n : 1) != 0 &&
		!much)
		return -1;
	if (frame->n > 0)
		memcpy(e->kept, frame->p, frame->n);
	for (size_t i = 0; i < TALK_GROUPS; i++)
		if (e->group[i].n > 0)
			e->group[i].p = e->kept + (e->group[i].p - frame->p);
	return 0;
}
