/* The engine (talk_engine.h): the position in a conversation, and what follows from it.
 *
 * First the steps on connect run, then the rules wait; a matching rule runs its steps, and the rules wait again. When there is
 * nothing left to wait for, the conversation has succeeded, if no `must` was missed. Steps are here, rules in talk_rules.c. */
#include "talk/talk_engine.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <string.h>

int talk_engine_open(struct talk_engine *e, const struct talk_section *section, bool dgram, int64_t now_ms)
{
	*e = (struct talk_engine){
		.section = section, .dgram = dgram, .step = section->steps, .idle_ms = now_ms, .most = 1, .work = INT64_MAX
	};
	for (size_t i = 0; i < TALK_GROUPS; i++)
		e->group[i].p = (const unsigned char *)"";
	if (section->rules_n > 0)
		e->hits = mem_new(section->rules_n * sizeof *e->hits);
	return section->rules_n == 0 || e->hits != NULL ? 0 : -1;
}

void talk_engine_close(struct talk_engine *e)
{
	talk_match_stop(&e->match);
	mem_free(e->in);
	mem_free(e->kept);
	mem_free(e->hits);
	budget_give(e->budget, e->in_cap + e->kept_cap);
	*e = (struct talk_engine){ .over = true };
}

/* --- acts --- */

struct talk_act *talk_engine_act(struct talk_engine *e, enum talk_do what, const struct talk_place *place)
{
	e->act = (struct talk_act){ .what = what, .place = place, .at_ms = NEVER, .step = e->step };
	e->busy = what != DO_WAIT;
	return &e->act;
}

void talk_engine_wait(struct talk_engine *e, bool input, int64_t at_ms)
{
	talk_engine_act(e, DO_WAIT, NULL);
	e->act.input = input;
	e->act.at_ms = at_ms;
}

void talk_engine_turn(struct talk_engine *e)
{
	talk_engine_act(e, DO_TURN, NULL);
	e->busy = false;
}

void talk_engine_work(struct talk_engine *e, int64_t work)
{
	e->work = work;
}

struct talk_act *talk_engine_fail(struct talk_engine *e, enum talk_why why, const struct talk_place *place)
{
	e->over = true;
	talk_engine_act(e, DO_FAIL, place);
	e->act.why = why;
	e->act.off = e->in_off;
	if (e->step != NULL && e->step->pattern != NULL)
		e->act.want = e->step->pattern->words;
	return &e->act;
}

/* The end of the script: was a `must` rule not used? */
void talk_engine_finish(struct talk_engine *e, enum talk_do how)
{
	const struct talk_rule *r = e->section->rules;
	while (r != NULL && (!r->must || e->hits[r->index] > 0))
		r = r->next;
	if (r == NULL) {
		talk_engine_act(e, how, NULL);
		e->over = true;
		return;
	}
	e->step = NULL;
	talk_engine_fail(e, WHY_MUST, &r->place)->want = r->words;
}

void talk_engine_go_on(struct talk_engine *e)
{
	e->step = e->step->next;
	e->begun = false;
	e->idle_ms = e->now_ms;
}

/* --- sending --- */

static int wrap_frame(struct talk_engine *e, uint64_t n)
{
	static const char crlf[] = "\r\n";
	e->head_n = e->tail_n = 0;
	if (e->step->verb == TALK_SENDRAW || e->dgram)
		return 0;
	if (n > SIZE_MAX || framer_dress(&e->section->framer, (size_t)n, e->head, &e->head_n, e->tail, &e->tail_n) != 0)
		return -1;
	if (e->section->framer.kind == FRAME_LINE && e->crlf)
		memcpy(e->tail, crlf, e->tail_n = 2);
	return 0;
}

static void begin_send(struct talk_engine *e)
{
	uint64_t n = talk_data_size(&e->step->data, e->group);
	if (e->shut) {
		talk_engine_fail(e, WHY_SHUT, &e->step->place);
	} else if (n > INT64_MAX || wrap_frame(e, n) != 0) {
		talk_engine_fail(e, WHY_SIZE, &e->step->place);
	} else {
		e->at = 0;
		e->size = e->head_n + n + e->tail_n;
		if (e->dgram && e->size > TALK_DATAGRAM_MOST)
			talk_engine_fail(e, WHY_SIZE, &e->step->place);
		else if (e->size == 0 && !e->dgram)
			talk_engine_go_on(e);
		else
			talk_engine_act(e, DO_SEND, &e->step->place);
	}
}

static size_t copy_edge(const unsigned char *edge, size_t n, uint64_t at, unsigned char *out, size_t cap)
{
	size_t some = at < n ? n - (size_t)at : 0;
	some = some < cap ? some : cap;
	memcpy(out, edge + (some > 0 ? at : 0), some);
	return some;
}

size_t talk_engine_copy(const struct talk_engine *e, void *out, size_t cap)
{
	uint64_t at = e->at, tail_at = e->size - e->tail_n;
	size_t n = copy_edge(e->head, e->head_n, at, out, cap);
	at += n;
	if (at >= e->head_n && at < tail_at) {
		size_t some = talk_data_copy(&e->step->data, e->group, at - e->head_n, (unsigned char *)out + n, cap - n);
		n += some;
		at += some;
	}
	if (at >= tail_at)
		n += copy_edge(e->tail, e->tail_n, at - tail_at, (unsigned char *)out + n, cap - n);
	return n;
}

void talk_engine_sent(struct talk_engine *e, size_t n)
{
	e->at += n;
	if (e->at >= e->size)
		talk_engine_done(e);
}

size_t talk_engine_text(const struct talk_engine *e, void *out, size_t cap)
{
	return e->step == NULL ? 0 : talk_data_copy(&e->step->data, e->group, 0, out, cap);
}

/* --- starting TLS --- */

struct talk_bytes talk_engine_unread(const struct talk_engine *e)
{
	return (struct talk_bytes){ e->in != NULL ? e->in + e->in_at : NULL, e->in_len };
}

const struct talk_act *talk_engine_told(struct talk_engine *e, const char *why)
{
	e->told = why;
	return talk_engine_fail(e, WHY_TOLD, e->act.place);
}

/* --- expecting --- */

bool talk_engine_is_raw(const struct talk_engine *e)
{
	return e->section->framer.kind == FRAME_RAW && !e->dgram;
}

static void talk_engine_mismatch(struct talk_engine *e, const struct talk_pattern *p, struct talk_bytes got, size_t same)
{
	struct talk_act *a = talk_engine_fail(e, WHY_MISMATCH, &e->step->place);
	size_t into = got.n > 0 && e->in != NULL ? (size_t)(got.p - (e->in + e->in_at)) : 0;
	a->want = p->words;
	a->got = got;
	a->same = p->kind == TALK_EQUAL && !p->not ? same : 0;
	a->off += into + a->same;
}

/* The input for the step is not there: the end of the data, a partial frame, or not yet. */
static void not_there(struct talk_engine *e, enum talk_take took)
{
	struct talk_bytes got = { e->in != NULL ? e->in + e->in_at : NULL, e->in_len };
	if (took == TAKE_TURN) {
		talk_engine_turn(e);
		return;
	}
	if (took == TAKE_MORE && (e->now_ms < e->until_ms || (e->now_ms == e->until_ms && !e->asked))) {
		e->asked = true; /* `within 0s` is for input that is there already */
		talk_engine_wait(e, true, e->until_ms);
		return;
	}
	struct talk_act *a = talk_engine_fail(e,
		took == TAKE_MORE  ? WHY_TIMEOUT
		: took == TAKE_END ? WHY_EOF
		: took == TAKE_CUT ? WHY_CUT
				   : WHY_FRAME,
		&e->step->place);
	a->got = got;
}

static void talk_engine_hit(struct talk_engine *e, const struct talk_bytes *frame, size_t used)
{
	if (talk_input_keep(e, frame) != 0) {
		talk_engine_fail(e, talk_input_why(), &e->step->place);
		return;
	}
	talk_input_drop(e, used);
	talk_engine_go_on(e);
}

/* Frames that do not match: the first fails the step, or (skip) they are dropped until one matches or time is up. */
static void step_frame(struct talk_engine *e, const struct talk_pattern *p, bool skip)
{
	struct talk_bytes frame;
	size_t used = 0;
	enum talk_take took = talk_input_frame(e, &frame, &used);
	if (took != TAKE_FRAME) {
		not_there(e, took);
		return;
	}
	enum talk_fit fit = talk_input_match(e, p, &frame);
	if (fit == TALK_MORE)
		talk_engine_turn(e);
	else if (fit == TALK_NO_MEMORY)
		talk_engine_fail(e, WHY_MEMORY, &e->step->place);
	else if (fit == TALK_YES)
		talk_engine_hit(e, &frame, used);
	else if (!skip)
		talk_engine_mismatch(e, p, frame, talk_same(p, frame.p, frame.n));
	else
		talk_input_drop(e, used);
}

static void talk_engine_found(struct talk_engine *e, const struct talk_bytes *bytes, size_t used)
{
	for (size_t i = 1; i < TALK_GROUPS; i++)
		e->group[i].n = 0;
	e->group[0] = *bytes;
	talk_engine_hit(e, bytes, used);
}

static void step_raw(struct talk_engine *e, const struct talk_pattern *p)
{
	struct talk_bytes next = { e->in != NULL ? e->in + e->in_at : (const unsigned char *)"", 0 };
	bool turn = false;
	enum talk_fit fit = talk_input_fits(e, p, &next.n, &turn);
	if (fit == TALK_YES) {
		talk_engine_found(e, &next, next.n);
	} else if (fit == TALK_MORE) {
		not_there(e, turn ? TAKE_TURN : TAKE_MORE);
	} else if (e->eof && (p->kind == TALK_COUNT || talk_same(p, next.p, e->in_len) == e->in_len)) {
		not_there(e, TAKE_END);
	} else {
		talk_engine_mismatch(e, p, next, 0);
		e->act.same = next.n - 1;
		e->act.off = e->in_off + e->act.same;
	}
}

static void step_expect(struct talk_engine *e, bool skip)
{
	const struct talk_pattern *p = e->step->pattern;
	if (!talk_engine_is_raw(e)) {
		step_frame(e, p, skip);
	} else if (p->kind == TALK_COUNT || (p->kind != TALK_CONTAINS && !skip)) {
		step_raw(e, p);
	} else {
		struct talk_bytes bytes;
		size_t used;
		enum talk_take took = talk_input_search(e, p, &bytes, &used);
		if (took == TAKE_FRAME)
			talk_engine_found(e, &bytes, used);
		else
			not_there(e, took);
	}
}

/* --- steps --- */

static void talk_engine_begin(struct talk_engine *e)
{
	int64_t ms = e->step->ms < 0 ? e->section->timeout_ms : e->step->ms;
	e->begun = true;
	e->asked = false;
	e->until_ms = ms > NEVER - e->now_ms ? NEVER : e->now_ms + ms;
	e->seen = 0;
	e->search = (struct needle_search){ 0 };
}

static void talk_engine_ignore(struct talk_engine *e)
{
	talk_input_drop(e, e->in_len);
	if (e->eof)
		talk_engine_finish(e, DO_CLOSE);
	else
		talk_engine_wait(e, true, NEVER);
}

void talk_engine_step(struct talk_engine *e)
{
	static const enum talk_do does[TALK_VERBS] = {
		[TALK_SHUT] = DO_SHUT, [TALK_HANG] = DO_HANG, [TALK_FAULT] = DO_FAULT, [TALK_LOG] = DO_LOG
	};
	const struct talk_step *s = e->step;
	if (!e->begun)
		talk_engine_begin(e);
	switch (s->verb) {
	case TALK_SEND:
	case TALK_SENDRAW:
		begin_send(e);
		break;
	case TALK_EXPECT:
	case TALK_SKIP:
		step_expect(e, s->verb == TALK_SKIP);
		break;
	case TALK_WAIT:
		if (e->now_ms >= e->until_ms || e->gone)
			talk_engine_go_on(e);
		else
			talk_engine_wait(e, false, e->until_ms);
		break;
	case TALK_CLOSE:
	case TALK_RST:
		talk_engine_finish(e, s->verb == TALK_RST ? DO_RST : DO_CLOSE);
		break;
	case TALK_IGNORE:
		talk_engine_ignore(e);
		break;
	case TALK_STARTTLS:
		talk_engine_act(e, DO_STARTTLS, &s->place);
		if (e->secured)
			talk_engine_told(e, "there is TLS already");
		break;
	case TALK_FAIL:
		talk_engine_fail(e, WHY_SAID, &s->place);
		break;
	default:
		talk_engine_act(e, does[s->verb], &s->place);
	}
}
