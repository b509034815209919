/* A failed conversation in one line: place in the script, expected data, received data. */
#include "talk/talk_engine.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 120, TIME = 24 };

struct words {
	char *out;
	size_t used;
};

static __attribute__((format(printf, 2, 3))) void say(struct words *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(w->out + w->used, TALK_WORDS - w->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->used += (size_t)n < TALK_WORDS - w->used ? (size_t)n : TALK_WORDS - w->used - 1;
}

static void say_bytes(struct words *w, struct talk_bytes b, const char *quote)
{
	char piece[PIECE];
	size_t n = b.n < PIECE / 2 ? b.n : PIECE / 2;
	text_show(piece, sizeof piece, b.p, n);
	say(w, "%s%s%s%s", quote, piece, n < b.n ? "…" : "", quote);
}

static const char *talk_words_span(int64_t ms, char out[TIME])
{
	bool whole = ms % 1000 == 0;
	snprintf(out, TIME, "%lld%s", (long long)(whole ? ms / 1000 : ms), whole ? "s" : "ms");
	return out;
}

static void talk_words_expected(struct words *w, const struct talk_act *a)
{
	say(w, "expected ");
	say_bytes(w, a->want, "");
}

static void talk_words_timeout(struct words *w, const struct talk_engine *e, const struct talk_act *a)
{
	char time[TIME];
	talk_words_expected(w, a);
	say(w, " within %s, got ", talk_words_span(a->step->ms < 0 ? e->section->timeout_ms : a->step->ms, time));
	if (a->got.n > 0)
		say_bytes(w, a->got, "\"");
	else
		say(w, "nothing");
}

static void talk_words_ended(struct words *w, const struct talk_act *a)
{
	if (a->want.n > 0)
		talk_words_expected(w, a);
	else
		say(w, "in the middle of \"%s\"", talk_verbs[a->step->verb]);
	say(w, ", and the connection ended");
}

static void talk_words_said(struct words *w, const struct talk_engine *e)
{
	char text[PIECE];
	struct talk_bytes b = { (const unsigned char *)text, talk_engine_text(e, text, sizeof text) };
	say_bytes(w, b, "");
}

static void bad_frame(struct words *w, const struct talk_engine *e, const struct talk_act *a)
{
	char words[FRAMER_WORDS];
	say(w, "%s", framer_fault(&e->section->framer, a->got.p, a->got.n, words));
}

const char *talk_engine_words(const struct talk_engine *e, const struct talk_act *a, char out[TALK_WORDS])
{
	struct words w = { out, 0 };
	out[0] = '\0';
	if (a->place != NULL)
		say(&w, "%s:%u: ", a->place->name, a->place->line);
	switch (a->why) {
	case WHY_MISMATCH:
		talk_words_expected(&w, a);
		say(&w, ", got ");
		say_bytes(&w, a->got, "\"");
		if (a->same > 0)
			say(&w, " (from byte %lu on)", (unsigned long)a->same);
		break;
	case WHY_TIMEOUT:
		talk_words_timeout(&w, e, a);
		break;
	case WHY_EOF:
		talk_words_expected(&w, a);
		say(&w, ", got ");
		if (a->got.n > 0)
			say_bytes(&w, a->got, "\"");
		say(&w, "%sthe end of the data", a->got.n > 0 ? " and " : "");
		break;
	case WHY_CUT:
		say(&w, "the last frame was cut after %lu bytes", (unsigned long)a->got.n);
		break;
	case WHY_FRAME:
		bad_frame(&w, e, a);
		break;
	case WHY_UNMATCHED:
		say(&w, "no rule for ");
		say_bytes(&w, a->got, "\"");
		break;
	case WHY_MUST:
		say_bytes(&w, a->want, "");
		say(&w, ": it never came");
		break;
	case WHY_SAID:
		talk_words_said(&w, e);
		break;
	case WHY_SIZE:
		say(&w, "%llu bytes cannot be sent as a frame here",
			(unsigned long long)talk_data_size(&a->step->data, e->group));
		break;
	case WHY_SHUT:
		say(&w, "nothing can be sent after \"shut\"");
		break;
	case WHY_TOLD:
		say(&w, "%s: %s", talk_verbs[a->step->verb], e->told);
		break;
	case WHY_ENDED:
		talk_words_ended(&w, a);
		break;
	case WHY_BUDGET:
	case WHY_MEMORY:
		say(&w, "out of memory");
		break;
	}
	return out;
}
