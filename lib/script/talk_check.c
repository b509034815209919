/* Checks of a whole talk script: what sections inherit, what a $n stands for, which steps can never happen, and which rules would
 * be decided by chance.
 *
 * In raw frames only the expected data bound what a peer sends. So that the result never depends on how the bytes were cut on
 * their way, a rule takes the next bytes if they begin with its literal, and no literal may be the beginning of another: with
 * "ho" and "hola", a match of "ho" would wait for bytes that may never come. */
#include "script/talk_internal.h"

#include "base/text.h"

#include <string.h>

enum { SHOWN = 100 };

static const char *talk_check_show(char out[SHOWN], struct talk_bytes b)
{
	size_t n = b.n > 80 ? 80 : b.n;
	size_t used = text_show(out, SHOWN - 4, b.p, n);
	if (n < b.n)
		strcpy(out + used, "…");
	return out;
}

/* --- steps --- */

struct walk { /* along the steps of a rule, or the first steps */
	const struct talk_options *options;
	const struct talk_section *section;
	const struct talk_rule *rule; /* NULL: the first steps */
	struct err *e;
	struct talk_pattern *pattern; /* what $1 to $9 stand for */
	bool matched;		      /* there is a $0 */
	const struct talk_step *last, *shut, *tls;
};

static int check_groups(const struct walk *w, const struct talk_step *s)
{
	struct talk_pattern *p = w->pattern;
	size_t has = p != NULL && p->kind == TALK_REGEX && !p->not ? ere_groups(p->ere) : 0;
	if (s->data.groups < 0)
		return 0;
	if (!w->matched)
		return talk_refuse(w->e, &s->place, "$%d: nothing has been matched before this", s->data.groups);
	if ((size_t)s->data.groups > has)
		return talk_refuse(w->e, &s->place, "$%d: the pattern before this has %lu pairs of parentheses", s->data.groups,
			(unsigned long)has);
	if (s->data.groups > 0 && p->groups <= (unsigned)s->data.groups)
		p->groups = (unsigned)s->data.groups + 1;
	return 0;
}

static bool is_last(enum talk_verb verb)
{
	return verb == TALK_CLOSE || verb == TALK_RST || verb == TALK_HANG || verb == TALK_IGNORE || verb == TALK_FAIL;
}

static int check_order(const struct walk *w, const struct talk_step *s)
{
	bool sends = s->verb == TALK_SEND || s->verb == TALK_SENDRAW || s->verb == TALK_STARTTLS;
	bool reads = s->verb == TALK_EXPECT || s->verb == TALK_SKIP || s->verb == TALK_STARTTLS;
	if (w->last != NULL)
		return talk_refuse(w->e, &s->place, "nothing can follow the \"%s\" in line %u", talk_verbs[w->last->verb],
			w->last->place.line);
	if (sends && w->shut != NULL)
		return talk_refuse(w->e, &s->place, "nothing can be sent after the \"shut\" in line %u", w->shut->place.line);
	if (reads && w->rule != NULL && w->rule->on == TALK_ON_EOF)
		return talk_refuse(w->e, &s->place, "nothing can come after the end of the data");
	return 0;
}

static int check_size(const struct walk *w, const struct talk_step *s)
{
	unsigned char head[FRAMER_EDGE], tail[FRAMER_EDGE];
	size_t head_n, tail_n;
	if (s->verb != TALK_SEND || s->data.groups >= 0 || w->options->dgram)
		return 0;
	uint64_t size = talk_data_size(&s->data, NULL);
	if (size <= SIZE_MAX && framer_dress(&w->section->framer, (size_t)size, head, &head_n, tail, &tail_n) == 0)
		return 0;
	if (size > w->section->framer.most && w->section->framer.kind != FRAME_FIXED)
		return talk_refuse(w->e, &s->place, "%llu bytes are over the frame's max %lu (sendraw has no limit)",
			(unsigned long long)size, (unsigned long)w->section->framer.most);
	return talk_refuse(w->e, &s->place, "%llu bytes cannot be a frame here", (unsigned long long)size);
}

static int check_raw(const struct walk *w, const struct talk_pattern *p, const struct talk_place *at, bool rule)
{
	char words[SHOWN];
	bool can = !p->not &&p->kind != TALK_ANY && p->kind != TALK_REGEX && (!rule || p->kind != TALK_CONTAINS);
	if (w->section->framer.kind != FRAME_RAW || w->options->dgram)
		return 0;
	if (!can)
		return talk_refuse(w->e, at, "in raw frames %s can be a literal%s, N bytes%s, got %s",
			rule ? "what a rule waits for" : "what is expected", rule ? "" : ", *\"literal\"",
			rule ? ", eof or idle" : "", talk_check_show(words, p->words));
	if (p->kind == TALK_COUNT && p->count > TALK_BYTES_MOST)
		return talk_refuse(w->e, at, "more than %d MiB would have to be kept", TALK_BYTES_MOST >> 20);
	if (p->kind != TALK_COUNT && p->text.n == 0)
		return talk_refuse(w->e, at, "in raw frames \"\" is there before anything has come");
	return 0;
}

static int check_fault(const struct walk *w, const struct talk_step *s)
{
	char names[FAULT_NAMES];
	unsigned place = w->options->dgram ? FAULT_AT_DGRAM : FAULT_AT_STREAM;
	if (s->verb != TALK_FAULT || (fault_places(s->fault) & place) != 0)
		return 0;
	return talk_refuse(w->e, &s->place, "a connection of this kind has no fault \"%s\"; possible are %s",
		fault_name(s->fault), fault_names(place, names));
}

/* Only among steps in one place; a second one elsewhere may never be reached. */
static int check_tls(struct walk *w, const struct talk_step *s)
{
	if (!w->options->tls)
		return talk_refuse(w->e, &s->place, "this sockctl has no TLS");
	if (w->options->dgram)
		return talk_refuse(w->e, &s->place, "TLS needs a stream, not datagrams");
	if (w->tls != NULL)
		return talk_refuse(w->e, &s->place, "there is a \"starttls\" in line %u already", w->tls->place.line);
	w->tls = s;
	return 0;
}

static int check_steps(struct walk *w, struct talk_section *section, struct talk_step *steps)
{
	for (struct talk_step *s = steps; s != NULL; s = s->next) {
		if (check_order(w, s) != 0 || check_groups(w, s) != 0 || check_size(w, s) != 0 || check_fault(w, s) != 0)
			return -1;
		if (s->pattern != NULL && check_raw(w, s->pattern, &s->place, false) != 0)
			return -1;
		if (s->verb == TALK_STARTTLS && check_tls(w, s) != 0)
			return -1;
		if (s->pattern != NULL) {
			w->pattern = s->pattern;
			w->matched = true;
		}
		section->groups |= s->data.groups >= 0;
		section->verbs |= 1U << s->verb;
		w->last = is_last(s->verb) ? s : NULL;
		w->shut = s->verb == TALK_SHUT ? s : w->shut;
	}
	return 0;
}

/* --- rules --- */

static bool is_literal(const struct talk_rule *r)
{
	return r->on == TALK_ON_PATTERN && r->pattern != NULL &&
	       (r->pattern->kind == TALK_EQUAL || r->pattern->kind == TALK_PREFIX);
}

/* Can the same bytes begin both? */
static bool talk_check_begins(const struct talk_pattern *shorter, const struct talk_pattern *longer)
{
	struct talk_pattern either = *shorter;
	either.icase |= longer->icase;
	return shorter->text.n < longer->text.n && talk_same(&either, longer->text.p, longer->text.n) == shorter->text.n;
}

static int check_pair(const struct talk_rule *a, const struct talk_rule *b, struct err *e)
{
	char is[SHOWN], of[SHOWN];
	if (!is_literal(a) || !is_literal(b) || !talk_check_begins(a->pattern, b->pattern))
		return 0;
	bool later = a->place.name != b->place.name || a->place.line > b->place.line;
	const struct talk_rule *at = later ? a : b, *other = later ? b : a;
	return talk_refuse(e, &at->place, "%s is how %s begins (lines %u and %u): in raw frames the two cannot be told apart",
		talk_check_show(is, a->pattern->words), talk_check_show(of, b->pattern->words), at->place.line,
		other->place.line);
}

/* Sorting would be faster; scripts have a few dozen rules. */
static int check_prefixes(const struct talk_section *section, struct err *e)
{
	for (const struct talk_rule *a = section->rules; a != NULL; a = a->next)
		for (const struct talk_rule *b = a->next; b != NULL; b = b->next)
			if (check_pair(a, b, e) != 0 || check_pair(b, a, e) != 0)
				return -1;
	return 0;
}

static int check_rules(struct talk_section *section, const struct talk_options *options, struct err *e)
{
	const struct talk_rule *other = NULL;
	for (struct talk_rule *r = section->rules; r != NULL; r = r->next) {
		struct walk w = { .options = options, .section = section, .rule = r, .e = e, .pattern = r->pattern };
		w.matched = r->on == TALK_ON_PATTERN || r->on == TALK_ELSE;
		if (r->pattern != NULL && check_raw(&w, r->pattern, &r->place, true) != 0)
			return -1;
		if (r->on == TALK_ELSE && other != NULL)
			return talk_refuse(e, &r->place, "there is an \"else\" in line %u already", other->place.line);
		other = r->on == TALK_ELSE ? r : other;
		if (check_steps(&w, section, r->steps) != 0)
			return -1;
	}
	return section->framer.kind == FRAME_RAW && !options->dgram ? check_prefixes(section, e) : 0;
}

/* --- the whole --- */

/* What "conn *", or text before any section, says holds where a numbered section does not say it. */
static void talk_check_inherit(struct talk_section *s, const struct talk_section *all, const struct talk_options *options)
{
	if (s->framed.line == 0)
		s->framer = all->framed.line != 0 ? all->framer : options->framer;
	if (s->timed.line == 0)
		s->timeout_ms = all->timed.line != 0 ? all->timeout_ms : TALK_TIMEOUT_MS;
}

int talk_check(struct talk_script *script, const struct talk_options *options, struct err *e)
{
	bool any = false;
	for (struct talk_section *s = script->sections; s != NULL; s = s->next) {
		struct walk w = { .options = options, .section = s, .e = e };
		talk_check_inherit(s, script->sections, options);
		any |= s->steps != NULL || s->rules != NULL;
		if (check_steps(&w, s, s->steps) != 0 || check_rules(s, options, e) != 0)
			return -1;
	}
	return any ? 0 : err_set(e, ERR_USAGE, 0, "--talk: the script has no step and no rule");
}
