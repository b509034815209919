/* Reports of a conversation: matched rules, unmatched frames, and why it failed. A peer's bytes are shown in printable form. A
 * failure decides the exit status of the run, whatever else fails. */
#include "talk/talk_run.h"

#include "base/text.h"

void talk_tell_failure(struct talk *t, const struct talk_act *a)
{
	static const struct why differs = { ERR_MISMATCH, OF_PEER, 0, "the script did not fit the conversation with" };
	const struct session *s = t->session;
	const struct run *run = s->service_run->run;
	char words[TALK_WORDS], want[256], got[256];
	struct err e = { 0 }, also = { 0 };
	talk_engine_words(&t->engine, a, words);
	text_show(want, sizeof want, a->want.p, a->want.n < sizeof want ? a->want.n : sizeof want);
	text_show(got, sizeof got, a->got.p, a->got.n < sizeof got ? a->got.n : sizeof got);
	session_words(s, &also);
	if (a->why == WHY_ENDED && also.cls != ERR_OK)
		err_set(&e, ERR_MISMATCH, 0, "%s (%s)", words, also.what);
	else
		err_set(&e, ERR_MISMATCH, 0, "%s", words);
	event(run->events, EV_FAIL, s->id, EV_SOME("line", a->place != NULL ? a->place->line : 0), EV_TEXT("why", e.what),
		EV_TEXT("want", a->want.n > 0 ? want : NULL), EV_TEXT("got", a->got.n > 0 ? got : NULL), EV_NUM("off", a->off));
	err_prefix(&e, "%s %u", s->dialed ? "connection" : "client", (unsigned)s->id);
	run_fail(run, &e);
	t->session->why = differs;
}

static bool talk_tell_hears(const struct talk *t, enum ev_kind kind)
{
	const struct event_sink *events = t->session->service_run->run->events;
	return events != NULL && events->level >= ev_rows[kind].level;
}

void talk_tell_match(const struct talk *t, const struct talk_act *a)
{
	char rule[256], text[256];
	if (!talk_tell_hears(t, EV_MATCH))
		return;
	text_show(rule, sizeof rule, a->rule->words.p, a->rule->words.n);
	text_show(text, sizeof text, a->got.p, a->got.n < sizeof text ? a->got.n : sizeof text);
	event(t->session->service_run->run->events, EV_MATCH, t->session->id, EV_NUM("line", a->place->line),
		EV_TEXT("rule", rule), EV_TEXT("text", a->rule->on == TALK_ON_PATTERN ? text : NULL));
}

void talk_tell_unmatched(const struct talk *t, const struct talk_act *a)
{
	size_t n = a->got.n < EVENT_BYTES_MOST ? a->got.n : EVENT_BYTES_MOST;
	if (talk_tell_hears(t, EV_UNMATCHED))
		event(t->session->service_run->run->events, EV_UNMATCHED, t->session->id, EV_NUM("off", a->off),
			EV_NUM("len", a->got.n), EV_BYTES("b64", (const char *)a->got.p, n));
}

void talk_tell_log(const struct talk *t)
{
	char text[512], shown[1024];
	size_t n = talk_engine_text(&t->engine, text, sizeof text);
	text_show(shown, sizeof shown, text, n);
	event(t->session->service_run->run->events, EV_NOTE, t->session->id, EV_TEXT("text", shown));
}
