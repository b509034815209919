/* The grammar of talk scripts (talk_script.h), one function for each word. A line is read in one go and appended to its section's
 * steps or rules. talk_check.c checks the whole. */
#include "script/talk_internal.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

const char *const talk_verbs[TALK_VERBS] = { "send", "sendraw", "expect", "skip", "wait", "close", "shut", "rst", "hang",
	"ignore", "fault", "starttls", "log", "fail" };

struct parser {
	struct talk_lex lex; /* first */
	struct talk_section *section, *last_section;
	struct talk_step **step; /* where the section's next plain step goes */
	struct talk_rule **rule; /* and its next rule */
	unsigned told_lines;	 /* --talk lines that were no files */
};

/* --- steps --- */

static int talk_parse_expecting(struct talk_lex *l, struct talk_step *s)
{
	s->ms = -1;
	s->pattern = talk_pattern(l, talk_verbs[s->verb]);
	if (s->pattern == NULL)
		return -1;
	return talk_takes(l, "within") ? talk_duration(l, &s->ms) : 0;
}

/* The signs up to a blank, also those that begin a string or comment elsewhere. */
static char *talk_parse_spec(struct talk_lex *l, const char *what, const char *after)
{
	size_t n = talk_ended(l) ? 0 : talk_rest(l);
	if (n > 0)
		return talk_take(l, n);
	talk_expected(l, what, after);
	return NULL;
}

static int talk_parse_fault(struct talk_lex *l, struct talk_step *s)
{
	struct talk_place at = talk_here(l);
	struct err why = { 0 };
	const char *text = talk_parse_spec(l, "a fault", "fault");
	if (text == NULL || (s->fault = talk_new(l->script, sizeof *s->fault, l->e)) == NULL)
		return -1;
	return fault_parse(s->fault, text, &why) == 0 ? 0 : talk_wrong(l, &at, "%s", why.what);
}

static int talk_parse_step(struct talk_lex *l, struct talk_step *s)
{
	const char *name = talk_verbs[s->verb];
	switch (s->verb) {
	case TALK_SEND:
	case TALK_SENDRAW:
	case TALK_LOG:
	case TALK_FAIL:
		return talk_data(l, true, name, &s->data);
	case TALK_EXPECT:
	case TALK_SKIP:
		return talk_parse_expecting(l, s);
	case TALK_WAIT:
		return talk_duration(l, &s->ms);
	case TALK_FAULT:
		return talk_parse_fault(l, s);
	default:
		return 0;
	}
}

static bool talk_parse_comes(struct talk_lex *l, const char *word)
{
	struct talk_lex ahead = *l;
	return talk_takes(&ahead, word);
}

static int unknown_step(struct talk_lex *l, const char *after)
{
	static const char *const begins[] = { "on", "must", "else", "conn", "frame", "timeout" };
	if (after == NULL)
		return talk_expected(l, "\"conn\", a setting, a rule or a step", NULL);
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (talk_parse_comes(l, begins[i]))
			return talk_expected(l, "a step (a line of its own begins with this word)", after);
	return talk_expected(l, "a step", after);
}

/* Steps to the end of the line; there must be one. */
static int talk_parse_steps(struct talk_lex *l, struct talk_step ***tail, const char *after)
{
	do {
		struct talk_place at = talk_here(l);
		int verb = 0;
		while (verb < TALK_VERBS && !talk_takes(l, talk_verbs[verb]))
			verb++;
		if (verb == TALK_VERBS)
			return unknown_step(l, after);
		struct talk_step *s = talk_new(l->script, sizeof *s, l->e);
		if (s == NULL)
			return -1;
		s->verb = (enum talk_verb)verb;
		s->place = at;
		s->data.groups = -1;
		talk_blanks(l);
		s->words.p = l->p;
		if (talk_parse_step(l, s) != 0)
			return -1;
		s->words.n = l->last > s->words.p ? (size_t)(l->last - s->words.p) : 0;
		**tail = s;
		*tail = &s->next;
		after = talk_verbs[verb];
	} while (!talk_ended(l));
	return 0;
}

/* --- rules --- */

static int talk_parse_trigger(struct talk_lex *l, struct talk_rule *r, const char *after)
{
	if (talk_takes(l, "eof")) {
		r->on = TALK_ON_EOF;
		return 0;
	}
	if (talk_takes(l, "idle")) {
		struct talk_place at = talk_here(l);
		r->on = TALK_ON_IDLE;
		if (talk_duration(l, &r->ms) != 0)
			return -1;
		return r->ms > 0 ? 0 : talk_wrong(l, &at, "an idle time of nothing would never let anything come");
	}
	r->on = TALK_ON_PATTERN;
	r->pattern = talk_pattern(l, after);
	return r->pattern != NULL ? 0 : -1;
}

/* "x3", or "x 3". */
static int talk_parse_times(struct talk_lex *l, struct talk_rule *r)
{
	size_t n = talk_ended(l) ? 0 : talk_word(l);
	if (n == 0 || *l->p != 'x' || (n > 1 && (l->p[1] < '0' || l->p[1] > '9')))
		return 0;
	talk_drop(l, 1);
	return talk_number(l, TALK_NUMBER_MOST, &r->most);
}

static int talk_parse_rule(struct parser *ps, const char *word)
{
	struct talk_lex *l = &ps->lex;
	struct talk_rule *r = talk_new(l->script, sizeof *r, l->e);
	if (r == NULL)
		return -1;
	r->place = talk_here(l);
	r->words.p = l->p;
	r->must = word[0] == 'm';
	r->index = ps->section->rules_n++;
	talk_drop(l, strlen(word));
	if (word[0] == 'e')
		r->on = TALK_ELSE;
	else if (talk_parse_trigger(l, r, word) != 0 || talk_parse_times(l, r) != 0)
		return -1;
	r->words.n = (size_t)(l->last - r->words.p);
	*ps->rule = r;
	ps->rule = &r->next;
	struct talk_step **tail = &r->steps;
	return talk_parse_steps(l, &tail, r->on == TALK_ELSE ? "else" : "the trigger");
}

/* --- sections and settings --- */

static void go_on_with(struct parser *ps, struct talk_section *s)
{
	ps->section = s;
	ps->step = &s->steps;
	ps->rule = &s->rules;
	while (*ps->step != NULL)
		ps->step = &(*ps->step)->next;
	while (*ps->rule != NULL)
		ps->rule = &(*ps->rule)->next;
}

static int talk_parse_range(struct talk_lex *l, uint32_t *first, uint32_t *last)
{
	struct talk_place at = talk_here(l);
	if (talk_takes(l, "*"))
		return 0;
	if (talk_number(l, TALK_NUMBER_MOST, first) != 0)
		return -1;
	*last = *first;
	if (l->p < l->end && *l->p == '-') {
		talk_drop(l, 1);
		*last = UINT32_MAX;
		if (l->p < l->end && *l->p >= '0' && *l->p <= '9' && talk_number(l, TALK_NUMBER_MOST, last) != 0)
			return -1;
	}
	if (l->p < l->end && !talk_ended(l) && l->p == l->last)
		return talk_expected(l, "a blank", "a number");
	return *last >= *first ? 0 : talk_wrong(l, &at, "the range ends before it begins");
}

/* The same numbers continue their section; others must not overlap. */
static int talk_parse_section(struct parser *ps)
{
	struct talk_lex *l = &ps->lex;
	struct talk_place at = talk_here(l);
	uint32_t first = 0, last = 0;
	if (talk_parse_range(l, &first, &last) != 0)
		return -1;
	for (struct talk_section *s = l->script->sections; s != NULL; s = s->next) {
		if (s->first == first && s->last == last) {
			go_on_with(ps, s);
			return 0;
		}
		if (first <= s->last && last >= s->first)
			return talk_wrong(l, &at, "connection %lu has a section in line %u already",
				(unsigned long)(first > s->first ? first : s->first), s->place.line);
	}
	struct talk_section *s = talk_new(l->script, sizeof *s, l->e);
	if (s == NULL)
		return -1;
	*s = (struct talk_section){ .first = first, .last = last, .place = at };
	ps->last_section->next = s;
	ps->last_section = s;
	go_on_with(ps, s);
	return 0;
}

static int set_once(struct talk_lex *l, struct talk_place *said, const struct talk_place *at, const char *name)
{
	if (said->line != 0)
		return talk_wrong(l, at, "%s is set in line %u already", name, said->line);
	*said = *at;
	return 0;
}

static int set_frame(struct parser *ps)
{
	struct talk_lex *l = &ps->lex;
	struct talk_place at = talk_here(l);
	struct err why = { 0 };
	const char *text = talk_parse_spec(l, "a framing", "frame");
	if (text == NULL || set_once(l, &ps->section->framed, &at, "frame") != 0)
		return -1;
	return framer_parse(&ps->section->framer, text, &why) == 0 ? 0 : talk_wrong(l, &at, "%s", why.what);
}

static int set_timeout(struct parser *ps)
{
	struct talk_place at = talk_here(&ps->lex);
	if (talk_duration(&ps->lex, &ps->section->timeout_ms) != 0)
		return -1;
	return set_once(&ps->lex, &ps->section->timed, &at, "timeout");
}

/* --- lines --- */

static int talk_parse_line(struct parser *ps)
{
	struct talk_lex *l = &ps->lex;
	if (talk_takes(l, "conn") && talk_parse_section(ps) != 0)
		return -1;
	if (talk_ended(l))
		return 0;
	static const char *const begins[] = { "on", "must", "else" };
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (talk_parse_comes(l, begins[i]))
			return talk_parse_rule(ps, begins[i]);
	bool framed = talk_takes(l, "frame"), timed = !framed && talk_takes(l, "timeout");
	if (!framed && !timed)
		return talk_parse_steps(l, &ps->step, NULL);
	if ((framed ? set_frame(ps) : set_timeout(ps)) != 0)
		return -1;
	return talk_ended(l) ? 0 : talk_expected(l, "the end of the line", framed ? "frame" : "timeout");
}

static int talk_parse_source(struct parser *ps, const char *name, const unsigned char *p, size_t n, unsigned first_line)
{
	struct talk_lex *l = &ps->lex;
	l->name = name;
	l->p = l->start = l->last = p;
	l->end = p + n;
	for (l->line = first_line; l->p < l->end; talk_next_line(l))
		if (talk_parse_line(ps) != 0)
			return -1;
	return 0;
}

static int talk_parse_text(struct parser *ps, const char *given, struct err *e)
{
	enum { NAME_MOST = 200 };
	struct talk_script *s = ps->lex.script;
	size_t n = strlen(given);
	struct talk_bytes bytes;
	if (given[0] != '@') { /* lines are counted over all of them, under one name */
		unsigned first = ps->told_lines + 1;
		int rc = talk_parse_source(ps, "--talk", (const unsigned char *)given, n, first);
		ps->told_lines = ps->lex.line > first ? ps->lex.line - 1 : first;
		return rc;
	}
	char *name = talk_new(s, NAME_MOST, e);
	if (name == NULL)
		return -1;
	text_show(name, NAME_MOST, given + 1, n - 1);
	if (talk_read(s, given + 1, &bytes, e) != 0)
		return e->cls == ERR_USAGE ? err_prefix(e, "--talk") : -1;
	return talk_parse_source(ps, name, bytes.p, bytes.n, 1);
}

static int talk_parse_parse(
	struct talk_script *s, const char *const *texts, size_t n, const struct talk_options *options, struct err *e)
{
	struct talk_section *all = talk_new(s, sizeof *all, e);
	if (all == NULL)
		return -1;
	s->sections = all;
	struct parser ps = { .lex = { .script = s, .e = e }, .last_section = all };
	go_on_with(&ps, all);
	for (size_t i = 0; i < n; i++)
		if (talk_parse_text(&ps, texts[i], e) != 0)
			return -1;
	return options->swap && talk_swap(s, options, e) != 0 ? -1 : talk_check(s, options, e);
}

struct talk_script *talk_parse(const char *const *texts, size_t n, const struct talk_options *options, struct err *e)
{
	struct talk_script *s = mem_new(sizeof *s);
	if (s == NULL)
		err_set(e, ERR_LOCAL, ENOMEM, "read the script of --talk");
	else if (talk_parse_parse(s, texts, n, options, e) == 0)
		return s;
	talk_free(s);
	return NULL;
}

const struct talk_section *talk_section(const struct talk_script *script, uint32_t conn)
{
	for (const struct talk_section *s = script->sections->next; s != NULL; s = s->next)
		if (conn >= s->first && conn <= s->last)
			return s;
	return script->sections;
}

bool talk_has(const struct talk_script *script, enum talk_verb verb)
{
	const struct talk_section *s = script->sections;
	while (s != NULL && (s->verbs & 1U << verb) == 0)
		s = s->next;
	return s != NULL;
}
