/* The rules of a conversation: which of them takes the input, and what is left to wait for.
 *
 * Each frame goes to the first rule, in the order of the file, that matches and is not used up. In raw frames a rule that may
 * still match blocks the rules after it, so that the order of the file decides and not the size of a read. */
#include "talk/talk_engine.h"

#include "loop/loop.h"

enum { EACH_STEP = 64 }; /* units of work for each comparison: many small frames are much work, too */

static bool talk_rules_usable(const struct talk_engine *e, const struct talk_rule *r)
{
	if (r->most > 0 && e->hits[r->index] >= r->most)
		return false;
	return !e->eof_told && (r->on != TALK_ON_EOF || !e->dgram);
}

static const struct talk_rule *talk_rules_first(const struct talk_engine *e, enum talk_trigger on)
{
	const struct talk_rule *r = e->section->rules;
	while (r != NULL && (r->on != on || !talk_rules_usable(e, r)))
		r = r->next;
	return r;
}

static bool any_usable(const struct talk_engine *e)
{
	const struct talk_rule *r = e->section->rules;
	while (r != NULL && !talk_rules_usable(e, r))
		r = r->next;
	return r != NULL;
}

/* The act of a match; its steps begin, and its bytes are used, when the act is done. rule NULL: no rule matched. */
static void talk_rules_enter(struct talk_engine *e, const struct talk_rule *rule, struct talk_bytes frame, size_t used)
{
	bool matched = rule != NULL && rule->on != TALK_ELSE;
	const struct talk_place *place = rule != NULL		     ? &rule->place
					 : e->section->rules != NULL ? &e->section->rules->place
								     : NULL;
	struct talk_act *a = talk_engine_act(e, matched ? DO_MATCH : DO_UNMATCHED, place);
	talk_match_stop(&e->match);
	e->trying = NULL;
	e->seen = 0;
	e->most = 1;
	a->rule = rule;
	a->got = frame;
	a->off = e->in_off + (frame.n > 0 && e->in != NULL ? (uint64_t)(frame.p - (e->in + e->in_at)) : 0);
	e->enters = rule;
	e->spends = used;
}

static void plain_groups(struct talk_engine *e, struct talk_bytes frame)
{
	for (size_t i = 1; i < TALK_GROUPS; i++)
		e->group[i].n = 0;
	e->group[0] = frame;
}

static void talk_rules_unmatched(struct talk_engine *e, struct talk_bytes frame, size_t used)
{
	plain_groups(e, frame);
	talk_rules_enter(e, talk_rules_first(e, TALK_ELSE), frame, used);
}

static void talk_rules_entered(struct talk_engine *e)
{
	const struct talk_rule *r = e->enters;
	struct talk_bytes frame = e->act.got;
	uint64_t off = e->act.off;
	if (r == NULL) {
		struct talk_act *a = talk_engine_fail(e, WHY_UNMATCHED, e->act.place);
		a->got = frame;
		a->off = off;
		return;
	}
	e->hits[r->index] += e->hits[r->index] < UINT32_MAX;
	if (r->pattern != NULL || r->on == TALK_ELSE) {
		if (talk_input_keep(e, &frame) != 0) {
			talk_engine_fail(e, talk_input_why(), &r->place);
			return;
		}
		talk_input_drop(e, e->spends);
	}
	e->step = r->steps;
	e->begun = false;
}

/* --- waiting --- */

/* No input buffered: run the first `idle` rule whose time has passed. */
static void talk_rules_idle(struct talk_engine *e)
{
	int64_t at_ms = NEVER;
	for (const struct talk_rule *r = e->section->rules; r != NULL; r = r->next) {
		if (r->on != TALK_ON_IDLE || !talk_rules_usable(e, r))
			continue;
		int64_t due_ms = r->ms > NEVER - e->idle_ms ? NEVER : e->idle_ms + r->ms;
		if (e->now_ms >= due_ms) {
			talk_rules_enter(e, r, (struct talk_bytes){ 0 }, 0);
			return;
		}
		at_ms = due_ms < at_ms ? due_ms : at_ms;
	}
	talk_engine_wait(e, true, at_ms);
}

static void talk_rules_ended(struct talk_engine *e)
{
	const struct talk_rule *r = talk_rules_first(e, TALK_ON_EOF);
	e->eof_told = true;
	if (r != NULL)
		talk_rules_enter(e, r, (struct talk_bytes){ 0 }, 0);
	else
		talk_engine_finish(e, DO_CLOSE);
}

/* --- frames --- */

static void talk_rules_framed(struct talk_engine *e)
{
	struct talk_bytes frame;
	size_t used;
	enum talk_take took = talk_input_frame(e, &frame, &used);
	if (took == TAKE_MORE) {
		talk_rules_idle(e);
		return;
	}
	if (took == TAKE_END) {
		talk_rules_ended(e);
		return;
	}
	if (took != TAKE_FRAME) {
		struct talk_act *a = talk_engine_fail(e, took == TAKE_CUT ? WHY_CUT : WHY_FRAME, &e->section->rules->place);
		a->got = (struct talk_bytes){ e->in + e->in_at, e->in_len };
		return;
	}
	for (const struct talk_rule *r = e->trying != NULL ? e->trying : e->section->rules; r != NULL; r = r->next) {
		bool could = r->on == TALK_ON_PATTERN && talk_rules_usable(e, r);
		enum talk_fit fit = could ? talk_input_match(e, r->pattern, &frame) : TALK_NO;
		e->trying = r;
		if (fit == TALK_YES)
			talk_rules_enter(e, r, frame, used);
		else if (fit == TALK_MORE)
			talk_engine_turn(e);
		else if (fit == TALK_NO_MEMORY)
			talk_engine_fail(e, WHY_MEMORY, &r->place);
		if (fit != TALK_NO)
			return;
	}
	talk_rules_unmatched(e, frame, used);
}

/* --- raw --- */

static void talk_rules_raw(struct talk_engine *e)
{
	struct talk_bytes next = { e->in != NULL ? e->in + e->in_at : NULL, 0 };
	bool turn = false;
	if (e->in_len == 0) {
		if (e->eof)
			talk_rules_ended(e);
		else
			talk_rules_idle(e);
		return;
	}
	/* The next call continues with the rule that may still match: the ones before it do not, whatever comes. */
	for (const struct talk_rule *r = e->trying != NULL ? e->trying : e->section->rules; r != NULL; r = r->next, e->seen = 0) {
		if (r->on != TALK_ON_PATTERN || !talk_rules_usable(e, r))
			continue;
		e->trying = r;
		enum talk_fit fit = talk_input_fits(e, r->pattern, &next.n, &turn);
		if (fit == TALK_MORE && turn) {
			talk_engine_turn(e);
			return;
		}
		if (fit == TALK_MORE) {
			talk_rules_idle(e);
			return;
		}
		if (fit == TALK_YES) {
			plain_groups(e, next);
			talk_rules_enter(e, r, next, next.n);
			return;
		}
		e->most = next.n > e->most ? next.n : e->most;
	}
	/* So many bytes show that no rule matches; an `else` takes one, because a match may begin with the next. */
	next.n = talk_rules_first(e, TALK_ELSE) != NULL ? 1 : e->most;
	talk_rules_unmatched(e, next, 1);
}

/* --- the whole --- */

void talk_engine_done(struct talk_engine *e)
{
	enum talk_do what = e->act.what;
	if (!e->busy || e->over)
		return;
	e->busy = false;
	if (what == DO_MATCH || what == DO_UNMATCHED) {
		talk_rules_entered(e);
		return;
	}
	e->shut |= what == DO_SHUT;
	if (what == DO_STARTTLS) { /* TLS has taken the input */
		uint64_t off = e->in_off;
		talk_input_drop(e, e->in_len);
		e->in_off = off;
		e->secured = true;
	}
	talk_engine_go_on(e);
}

const struct talk_act *talk_engine_next(struct talk_engine *e, int64_t now_ms)
{
	e->now_ms = now_ms;
	if (!e->busy)
		e->act.what = DO_DONE;
	while (!e->busy && e->act.what != DO_WAIT && e->act.what != DO_TURN) {
		e->work -= EACH_STEP;
		if (e->work <= 0)
			talk_engine_turn(e);
		else if (e->step != NULL)
			talk_engine_step(e);
		else if (!any_usable(e))
			talk_engine_finish(e, DO_CLOSE);
		else if (talk_engine_is_raw(e))
			talk_rules_raw(e);
		else
			talk_rules_framed(e);
	}
	return &e->act;
}

bool talk_engine_waits(const struct talk_engine *e)
{
	bool rests = e->step != NULL && (e->step->verb == TALK_IGNORE || e->step->verb == TALK_HANG);
	return !e->over && (rests || (e->step == NULL && e->act.what == DO_WAIT));
}

/* Inside steps the script wanted more input. An end of ours is a failure only if it waited for the peer. */
const struct talk_act *talk_engine_end(struct talk_engine *e, bool by_us)
{
	const struct talk_step *s = e->step;
	if (e->over)
		return NULL;
	bool rests = s != NULL && (s->verb == TALK_IGNORE || s->verb == TALK_HANG);
	bool waits = s != NULL && (s->verb == TALK_EXPECT || s->verb == TALK_SKIP);
	if (s != NULL && !rests && (waits || !by_us))
		return talk_engine_fail(e, WHY_ENDED, &s->place);
	talk_engine_finish(e, DO_CLOSE);
	return e->act.what == DO_FAIL ? &e->act : NULL;
}
