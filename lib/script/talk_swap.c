/* A script from the other side: what was sent is expected, what was expected is sent. Only plain steps with plain data can be
 * exchanged; anything else would have to be guessed, and is refused. */
#include "script/talk_internal.h"

/* In raw frames, a `sendraw` and an `expect` of a beginning are the whole message. */
static bool is_raw(const struct talk_script *script, const struct talk_section *s, const struct talk_options *options)
{
	const struct talk_section *says = s->framed.line != 0 ? s : script->sections;
	return (says->framed.line != 0 ? &says->framer : &options->framer)->kind == FRAME_RAW;
}

static int to_expect(struct talk_script *script, struct talk_step *s, bool raw, struct err *e)
{
	if (s->data.groups >= 0)
		return talk_refuse(e, &s->place, "--swap: what $%d stands for is known only when it has come", s->data.groups);
	if (s->verb == TALK_SENDRAW && !raw)
		return talk_refuse(e, &s->place, "--swap: a \"sendraw\" can be expected in raw frames only");
	struct talk_pattern *p = talk_new(script, sizeof *p, e);
	if (p == NULL)
		return -1;
	*p = (struct talk_pattern){ .next = script->patterns, .kind = TALK_EQUAL, .data = s->data, .words = s->words };
	script->patterns = p;
	s->verb = TALK_EXPECT;
	s->pattern = p;
	s->ms = -1;
	s->data = (struct talk_data){ .groups = -1 };
	return talk_flatten(script, p, &s->place, e);
}

static int to_send(struct talk_step *s, bool raw, struct err *e)
{
	const struct talk_pattern *p = s->pattern;
	bool plain = p->kind == TALK_EQUAL || (p->kind == TALK_PREFIX && raw);
	if (!plain || p->not || p->icase)
		return talk_refuse(e, &s->place, "--swap: a pattern cannot be sent, only a plain literal");
	s->verb = TALK_SEND;
	s->data = p->data;
	s->pattern = NULL;
	return 0;
}

static int swap_step(struct talk_script *script, struct talk_step *s, bool raw, struct err *e)
{
	if (s->verb == TALK_SEND || s->verb == TALK_SENDRAW)
		return to_expect(script, s, raw, e);
	if (s->verb == TALK_EXPECT)
		return to_send(s, raw, e);
	if (s->verb == TALK_SKIP)
		return talk_refuse(e, &s->place, "--swap: what \"skip\" leaves out is not known");
	return 0;
}

int talk_swap(struct talk_script *script, const struct talk_options *options, struct err *e)
{
	for (struct talk_section *section = script->sections; section != NULL; section = section->next) {
		bool raw = is_raw(script, section, options);
		if (section->rules != NULL)
			return talk_refuse(
				e, &section->rules->place, "--swap: a rule has no order that the other side could follow");
		for (struct talk_step *s = section->steps; s != NULL; s = s->next)
			if (swap_step(script, s, raw, e) != 0)
				return -1;
	}
	return 0;
}
